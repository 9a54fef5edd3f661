//! Readiness edges and reads.

use std::collections::BTreeMap;

use mio::event::Event;

use super::arriving;
use super::connect;
use super::connection::{Connection, Flags, Phase, ReadOutcome, reason_of};
use super::connections::Connections;
use super::sealed::{self, Unsealed};
use super::shared::Shared;
use super::step::Step;
use super::tls::Arrival;
use crate::net::{CloseReason, ConnId};

/// Notes what an edge says. One of a connection that has gone is ignored.
pub(super) fn on_edge(connections: &mut Connections, id: ConnId, event: &Event) {
    if !connections.connecting.is_empty() {
        // First, since the same edge may bring the first bytes of a connection that it opens.
        connect::on_edge(connections, id, event);
    }
    let Some((connection, shared)) = connections.find(id) else { return };
    let is_dead = event.is_error() || event.is_write_closed();
    // Only a blocked connection waits for this edge; others are writable all the time.
    if (is_dead || event.is_writable()) && connection.flags.any(Flags::BLOCKED) {
        connection.flags.clear(Flags::BLOCKED);
        // Behind what single connections wait for: whoever was slow has waited already.
        shared.lists.queue_flush(connection, Flags::BULK);
    }
    if event.is_read_closed() {
        connection.flags.set(Flags::READ_CLOSED);
    }
    if event.is_priority() {
        connection.flags.set(Flags::HAS_URGENT);
    }
    if is_dead || event.is_readable() || event.is_read_closed() {
        // Noted, and not read yet: all edges are taken in before the first read, so that what
        // several connections send to one leaves in one write.
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
    // Whoever shakes hands waits behind those who are served.
    if let Some(connection) = slab.get(slot as usize)
        && connection.phase == Phase::Arriving
        && connection.is_tls
        && connection.flags.any(Flags::QUEUED)
    {
        shared.tls.put_aside(slot);
        return Some(Step::Discarded(0));
    }
    Some(read_one(connections, slot, scratch))
}

/// Reads the next connection of those that shake hands; `None` if none may be read.
pub(super) fn read_arriving(connections: &mut Connections, scratch: &mut [u8]) -> Option<Step> {
    let slot = connections.shared.tls.next_ready()?;
    Some(read_one(connections, slot, scratch))
}

fn read_one(connections: &mut Connections, slot: u32, scratch: &mut [u8]) -> Step {
    let Connections { slab, shared, arrivals, .. } = connections;
    let Some(connection) = slab.get_mut(slot as usize) else { return Step::Discarded(0) };
    if !connection.flags.any(Flags::QUEUED) {
        return Step::Discarded(0);
    }
    connection.flags.clear(Flags::QUEUED);
    if !connection.takes_bytes() {
        return Step::Discarded(0);
    }
    if connection.phase == Phase::Arriving
        && connection.is_tls
        && let Some(mut rest) = arriving::take_rest(connection, arrivals)
    {
        shared.lists.queue_read(connection);
        return unseal(shared, connection, arrivals, &mut rest);
    }
    // Before the read: an edge that comes while it runs is a new one.
    connection.flags.clear(Flags::FRESH);
    shared.metrics.reads.add(1);
    // Once, whatever is left: the turn's budget is shared out by reads.
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
                // At the end: a connection with much to say lets all others speak first.
                shared.lists.readable.push_back(slot);
            }
            len
        }
        ReadOutcome::Eof => return on_eof(shared, connection),
        ReadOutcome::Failed(reason) => {
            shared.lists.end(connection, reason, Flags::default());
            return Step::Discarded(0);
        }
    };
    shared.metrics.received_bytes.add(len as u64);
    if len == 0 || !matches!(connection.phase, Phase::Open | Phase::Arriving) {
        return Step::Discarded(len);
    }
    let bytes = scratch.get_mut(..len).unwrap_or_default();
    if connection.is_tls {
        return unseal(shared, connection, arrivals, bytes);
    }
    if connection.phase == Phase::Arriving {
        return arriving::take_header(shared, connection, arrivals, bytes);
    }
    Step::Received(connection.id, len)
}

/// The peer has sent FIN.
fn on_eof(shared: &mut Shared, connection: &mut Connection) -> Step {
    connection.flags.clear(Flags::READABLE);
    // Writing goes on: a peer may close its side first and still read (RFC 9293 section 3.6).
    connection.flags.set(Flags::FINISHED);
    if let Phase::Discarding(reason) = connection.phase {
        shared.lists.end(connection, reason, Flags::default());
    }
    match connection.phase {
        // Without the goodbye of TLS, somebody on the way may have cut it off.
        Phase::Arriving => Step::Broken(connection.id, CloseReason::PeerGone),
        Phase::Open if connection.is_tls => Step::Broken(connection.id, CloseReason::PeerGone),
        Phase::Open => Step::Finished(connection.id),
        _ => Step::Discarded(0),
    }
}

fn unseal(
    shared: &mut Shared,
    connection: &mut Connection,
    arrivals: &mut BTreeMap<usize, Arrival>,
    bytes: &mut [u8],
) -> Step {
    let (id, len) = (connection.id, bytes.len());
    match sealed::unseal(shared, connection, arrivals, bytes) {
        Unsealed::Opened => Step::Opened(id, len),
        Unsealed::NotTls => Step::NotTls(id, len),
        Unsealed::Broken(reason) => Step::Broken(id, reason),
    }
}
