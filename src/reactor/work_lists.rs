//! The lists of connections that wait to be read, flushed, reported or closed.

use std::collections::VecDeque;

use super::connection::{Connection, Flags, Phase};
use crate::net::{CloseReason, ConnId, ConnectFault};

/// Entries for which a list keeps its memory after a burst.
pub(super) const KEPT: usize = 256;

/// What the handler is told in the next turn about a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Bytes were left behind.
    Blocked(ConnId),
    /// The ring is empty.
    Drained(ConnId),
}

/// The outcome of one [`Connect`](crate::net::Connect).
#[derive(Debug)]
pub(super) struct Attempt {
    /// The handler's name for it.
    pub(super) tag: u64,
    pub(super) outcome: Result<ConnId, ConnectFault>,
}

/// Connections that wait for a step of the loop, by slot.
///
/// An entry counts only while the connection in the slot carries the list's flag, so nothing needs
/// to be taken out of the middle of a list when a connection is removed.
#[derive(Debug, Default)]
pub(super) struct WorkLists {
    /// To be read, oldest first ([`Flags::QUEUED`]).
    pub(super) readable: VecDeque<u32>,
    /// To be flushed first, oldest first ([`Flags::URGENT`]).
    pub(super) urgent: VecDeque<u32>,
    /// To be flushed in portions, oldest first ([`Flags::BULK`]).
    pub(super) bulk: VecDeque<u32>,
    /// Since the last flush, much has come to wait for a connection of the bulk list.
    pub(super) is_overdue: bool,
    /// Much has come to wait for a connection of the urgent list, unless it was flushed since.
    pub(super) is_much_urgent: bool,
    pub(super) reports: Vec<Report>,
    /// The outcomes of connections that this end began.
    pub(super) attempts: Vec<Attempt>,
    /// Connections from an address that the handler asked for.
    pub(super) addresses_found: Vec<ConnId>,
    /// Connections for whose addresses there are too many.
    pub(super) addresses_full: Vec<ConnId>,
    /// To be closed at the end of the turn ([`Phase::Ended`]).
    pub(super) ended: VecDeque<u32>,
}

impl WorkLists {
    /// Gives memory back when a burst is over: a broadcast to all has every connection listed.
    pub(super) fn trim(&mut self) {
        for list in [&mut self.readable, &mut self.urgent, &mut self.bulk, &mut self.ended] {
            list.shrink_to(KEPT);
        }
        self.reports.shrink_to(KEPT);
    }

    /// Whether the next turn has something to do even if nothing happens.
    #[cfg(test)]
    pub(super) fn has_work(&self) -> bool {
        self.has_reads() || self.has_work_beside_reads()
    }

    /// Whether there are connections to be read.
    pub(super) fn has_reads(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Whether the next turn has something else to do even if nothing happens.
    pub(super) fn has_work_beside_reads(&self) -> bool {
        !(self.urgent.is_empty()
            && self.bulk.is_empty()
            && self.reports.is_empty()
            && self.attempts.is_empty()
            && self.addresses_found.is_empty()
            && self.addresses_full.is_empty()
            && self.ended.is_empty())
    }

    /// The connection has something to flush.
    #[inline]
    pub(super) fn queue_flush(&mut self, connection: &mut Connection, flag: Flags) {
        // It is on the list that is flushed first already.
        if connection.flags.any(flag.and(Flags::URGENT)) {
            return;
        }
        connection.flags.set(flag);
        if flag == Flags::URGENT {
            self.urgent.push_back(connection.slot());
        } else {
            self.bulk.push_back(connection.slot());
        }
    }

    /// Has the handler told how much waits, and later that it has drained.
    pub(super) fn report_blocked(&mut self, connection: &mut Connection) {
        if connection.phase == Phase::Open {
            connection.flags.set(Flags::OWES_DRAINED);
            self.reports.push(Report::Blocked(connection.id));
        }
    }

    /// Queues a read, if there are bytes and the connection takes them.
    pub(super) fn queue_read(&mut self, connection: &mut Connection) {
        let flags = &mut connection.flags;
        if !flags.any(Flags::READABLE) || flags.any(Flags::QUEUED) || !connection.takes_bytes() {
            return;
        }
        connection.flags.set(Flags::QUEUED);
        self.readable.push_back(connection.slot());
    }

    /// Puts the connection on the list of those to be closed at the end of the turn. One that is
    /// closing keeps the reason that it has.
    pub(super) fn end(&mut self, connection: &mut Connection, reason: CloseReason, flag: Flags) {
        let reason = match connection.phase {
            Phase::Ended(_) => return,
            Phase::Connecting | Phase::Arriving | Phase::Open => reason,
            Phase::Flushing(first) | Phase::Lingering(first) | Phase::Discarding(first) => first,
        };
        connection.phase = Phase::Ended(reason);
        connection.flags.set(flag);
        self.ended.push_back(connection.slot());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_stays_listed_when_the_memory_of_a_burst_is_given_back() {
        let mut lists = WorkLists::default();
        lists.bulk.extend(0..100_000);
        lists.bulk.truncate(3);
        lists.urgent.extend(0..1_000);
        lists.trim();
        assert!(lists.bulk.iter().eq(&[0, 1, 2]) && lists.bulk.capacity() <= KEPT);
        assert!(lists.urgent.iter().copied().eq(0..1_000));
    }
}
