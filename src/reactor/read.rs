//! Taking in readiness, and reading.

use mio::event::Event;

use super::connect;
use super::connection::{Marks, Phase, ReadOutcome, reason_of};
use super::connections::Connections;
use crate::net::{CloseReason, ConnId};

/// What one step down the ready list brought.
pub(super) enum Step {
    /// So many bytes in the scratch buffer, for the handler.
    Received(ConnId, usize),
    /// The peer's FIN, for the handler.
    Finished(ConnId),
    /// So many bytes for nobody.
    Discarded(usize),
}

/// Notes what an edge said. An edge of a connection that is gone says nothing.
pub(super) fn note_edge(connections: &mut Connections, id: ConnId, event: &Event) {
    if !connections.connecting.is_empty() {
        connect::note_edge(connections, id, event);
    }
    let Some(connection) = connections.slab.get_mut(id.slot()).filter(|found| found.id == id)
    else {
        return;
    };
    let is_dead = event.is_error() || event.is_write_closed();
    if (is_dead || event.is_writable()) && connection.marks.any(Marks::BLOCKED) {
        connection.marks.clear(Marks::BLOCKED);
        connections.lists.note_dirty(connection, Marks::BULK);
    }
    if event.is_read_closed() {
        connection.marks.set(Marks::READ_CLOSED);
    }
    if is_dead || event.is_readable() || event.is_read_closed() {
        connection.marks.set(Marks::READABLE.and(Marks::FRESH));
        connections.lists.note_readable(connection);
    }
    if is_dead && connection.phase == Phase::Open && !connection.takes_bytes() {
        // Nobody reads it, so nobody else would notice.
        let error = connection.stream.take_error().ok().flatten();
        let reason = error.map_or(CloseReason::Reset, |error| reason_of(&error));
        connections.lists.end(connection, reason, Marks::default());
    }
}

/// Reads the next connection of the ready list into `scratch`; `None` if the list is empty.
pub(super) fn read_next(connections: &mut Connections, scratch: &mut [u8]) -> Option<Step> {
    let slot = connections.lists.readable.pop_front()?;
    let Some(connection) = connections.slab.get_mut(slot as usize) else {
        return Some(Step::Discarded(0));
    };
    if !connection.marks.any(Marks::QUEUED) {
        return Some(Step::Discarded(0));
    }
    connection.marks.clear(Marks::QUEUED);
    if !connection.takes_bytes() {
        return Some(Step::Discarded(0));
    }
    connection.marks.clear(Marks::FRESH);
    connections.metrics.reads.add(1);
    let len = match connection.read(scratch) {
        ReadOutcome::Drained(len) => {
            connection.marks.clear(Marks::READABLE);
            len
        }
        ReadOutcome::More(len) => {
            connection.marks.set(Marks::QUEUED);
            if len < scratch.len() {
                // Only the FIN is left, so it may as well come at once.
                connections.lists.readable.push_front(slot);
            } else {
                connections.lists.readable.push_back(slot);
            }
            len
        }
        ReadOutcome::Eof => {
            connection.marks.clear(Marks::READABLE);
            connection.marks.set(Marks::FINISHED);
            if let Phase::Discarding(reason) = connection.phase {
                connections.lists.end(connection, reason, Marks::default());
            }
            let is_open = connection.phase == Phase::Open;
            return Some(if is_open { Step::Finished(connection.id) } else { Step::Discarded(0) });
        }
        ReadOutcome::Failed(reason) => {
            connections.lists.end(connection, reason, Marks::default());
            return Some(Step::Discarded(0));
        }
    };
    connections.metrics.received_bytes.add(len as u64);
    let is_for_handler = connection.phase == Phase::Open && len > 0;
    Some(if is_for_handler { Step::Received(connection.id, len) } else { Step::Discarded(len) })
}
