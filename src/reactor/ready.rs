//! The lists of connections that have something coming: to be read, flushed, reported, closed.

use std::collections::VecDeque;

use super::connect::Attempt;
use super::connection::{Connection, Marks, Phase};
use super::connections::slot_of;
use crate::net::{CloseReason, ConnId};

/// What a flush has to tell the handler in the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Bytes were left behind.
    Blocked(ConnId),
    /// The ring is empty.
    Drained(ConnId),
}

/// Who has what coming, by slot.
///
/// An entry counts only while the connection in the slot carries the list's mark, so nothing needs to be
/// taken out of the middle of a list when a connection goes.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// To be read, oldest first ([`Marks::QUEUED`]).
    pub(super) readable: VecDeque<u32>,
    /// To be flushed in this turn ([`Marks::URGENT`]).
    pub(super) urgent: Vec<u32>,
    /// To be flushed in portions, oldest first ([`Marks::BULK`]).
    pub(super) bulk: VecDeque<u32>,
    pub(super) reports: Vec<Report>,
    /// What became of the connections that this end began.
    pub(super) attempts: Vec<Attempt>,
    /// Connections that were sought.
    pub(super) sought: Vec<ConnId>,
    /// To be closed at the end of the turn ([`Phase::Ended`]).
    pub(super) ended: VecDeque<u32>,
}

impl Lists {
    /// Whether the next turn has something to do even if nothing happens.
    pub(super) fn has_work(&self) -> bool {
        !(self.readable.is_empty()
            && self.urgent.is_empty()
            && self.bulk.is_empty()
            && self.reports.is_empty()
            && self.attempts.is_empty()
            && self.sought.is_empty()
            && self.ended.is_empty())
    }

    /// The connection has something to flush.
    #[inline]
    pub(super) fn note_dirty(&mut self, connection: &mut Connection, mark: Marks) {
        // On the first list already: it cannot come sooner.
        if connection.marks.any(mark.and(Marks::URGENT)) {
            return;
        }
        connection.marks.set(mark);
        if mark == Marks::URGENT {
            self.urgent.push(slot_of(connection.id));
        } else {
            self.bulk.push_back(slot_of(connection.id));
        }
    }

    /// Queues a read, if there is something to be read that is wanted.
    pub(super) fn note_readable(&mut self, connection: &mut Connection) {
        let marks = &mut connection.marks;
        if !marks.any(Marks::READABLE) || marks.any(Marks::QUEUED) || !connection.takes_bytes() {
            return;
        }
        connection.marks.set(Marks::QUEUED);
        self.readable.push_back(slot_of(connection.id));
    }

    /// Puts the connection on the list of those to be closed at the end of the turn. One that is closing
    /// keeps the reason that it has.
    pub(super) fn end(&mut self, connection: &mut Connection, reason: CloseReason, mark: Marks) {
        let reason = match connection.phase {
            Phase::Ended(_) => return,
            Phase::Connecting | Phase::Open => reason,
            Phase::Flushing(first) | Phase::Lingering(first) | Phase::Discarding(first) => first,
        };
        connection.phase = Phase::Ended(reason);
        connection.marks.set(mark);
        self.ended.push_back(slot_of(connection.id));
    }
}
