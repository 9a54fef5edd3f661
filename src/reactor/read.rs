//! Readiness edges and reads.

use mio::event::Event;

use super::connect;
use super::connection::{Flags, Phase, ReadOutcome, reason_of};
use super::connections::Connections;
use crate::net::{CloseReason, ConnId};

/// The outcome of one read.
pub(super) enum Step {
    /// So many bytes in the scratch buffer, for the handler.
    Received(ConnId, usize),
    /// The peer's FIN, for the handler.
    Finished(ConnId),
    /// So many bytes that the handler does not get.
    Discarded(usize),
}

/// Notes what an edge says. One of a connection that has gone is ignored.
pub(super) fn on_edge(connections: &mut Connections, id: ConnId, event: &Event) {
    if !connections.connecting.is_empty() {
        connect::on_edge(connections, id, event);
    }
    let Connections { slab, shared, .. } = connections;
    let Some(connection) = slab.get_mut(id.slot()).filter(|found| found.id == id) else {
        return;
    };
    let is_dead = event.is_error() || event.is_write_closed();
    // Only a blocked connection waits for this edge; others are writable all the time.
    if (is_dead || event.is_writable()) && connection.flags.any(Flags::BLOCKED) {
        connection.flags.clear(Flags::BLOCKED);
        shared.lists.queue_flush(connection, Flags::BULK);
    }
    if event.is_read_closed() {
        connection.flags.set(Flags::READ_CLOSED);
    }
    if event.is_priority() {
        connection.flags.set(Flags::HAS_URGENT);
    }
    if is_dead || event.is_readable() || event.is_read_closed() {
        connection.flags.set(Flags::READABLE.and(Flags::FRESH));
        shared.lists.queue_read(connection);
    }
    if is_dead && connection.phase == Phase::Open && !connection.takes_bytes() {
        // No read will follow, so nothing else would notice that the peer is gone.
        let error = connection.stream.take_error().ok().flatten();
        let reason = error.map_or(CloseReason::Reset, |error| reason_of(&error));
        shared.lists.end(connection, reason, Flags::default());
    }
}

/// Reads the next connection of the ready list into `scratch`; `None` if the list is empty.
pub(super) fn read_next(connections: &mut Connections, scratch: &mut [u8]) -> Option<Step> {
    let Connections { slab, shared, .. } = connections;
    let slot = shared.lists.readable.pop_front()?;
    let Some(connection) = slab.get_mut(slot as usize) else {
        return Some(Step::Discarded(0));
    };
    if !connection.flags.any(Flags::QUEUED) {
        return Some(Step::Discarded(0));
    }
    connection.flags.clear(Flags::QUEUED);
    if !connection.takes_bytes() {
        return Some(Step::Discarded(0));
    }
    connection.flags.clear(Flags::FRESH);
    shared.metrics.reads.add(1);
    let len = match connection.read(scratch) {
        ReadOutcome::Drained(len) => {
            connection.flags.clear(Flags::READABLE);
            len
        }
        ReadOutcome::More(len) => {
            connection.flags.set(Flags::QUEUED);
            if len < scratch.len() {
                // Only the FIN is left, or little behind an urgent byte: it may come at once.
                shared.lists.readable.push_front(slot);
            } else {
                shared.lists.readable.push_back(slot);
            }
            len
        }
        ReadOutcome::Eof => {
            connection.flags.clear(Flags::READABLE);
            // Writing goes on: a peer may close its side first and still read (RFC 9293 section
            // 3.6).
            connection.flags.set(Flags::FINISHED);
            if let Phase::Discarding(reason) = connection.phase {
                shared.lists.end(connection, reason, Flags::default());
            }
            let is_open = connection.phase == Phase::Open;
            return Some(if is_open { Step::Finished(connection.id) } else { Step::Discarded(0) });
        }
        ReadOutcome::Failed(reason) => {
            shared.lists.end(connection, reason, Flags::default());
            return Some(Step::Discarded(0));
        }
    };
    shared.metrics.received_bytes.add(len as u64);
    let is_for_handler = connection.phase == Phase::Open && len > 0;
    Some(if is_for_handler { Step::Received(connection.id, len) } else { Step::Discarded(len) })
}
