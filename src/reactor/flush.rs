//! Sending what a turn produced.

use super::budget::flushes_of;
use super::connection::{Connection, Flags, Phase, WriteOutcome};
use super::connections::Connections;
use super::sealed;
use super::shared::Shared;
use super::work_lists::Report;
use crate::net::{CloseReason, Input};
use crate::time::Tick;

/// Small writes that one turn makes; a large one counts for several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// In all, besides one portion of the bulk list.
    pub(super) all: usize,
    /// The portion of those that large broadcasts reached.
    pub(super) bulk: usize,
}

/// Flushes the connections that something was sent to, then the next portion of those that large
/// broadcasts reached, or fewer if much waits for each. If much has come to wait for some of these,
/// the portion is as large as a turn allows.
pub(super) fn flush(connections: &mut Connections, now: Tick, bounds: Bounds) {
    let mut left = bounds.all;
    // A connection that asks for another pass meanwhile gets it in the next turn.
    for _ in 0..connections.shared.lists.urgent.len() {
        if left == 0 {
            break;
        }
        let Some(slot) = connections.shared.lists.urgent.pop_front() else { break };
        left = left.saturating_sub(flush_one(connections, slot, now));
    }
    report_late(connections);
    let is_overdue = std::mem::take(&mut connections.shared.lists.is_overdue);
    // Large broadcasts have a budget of their own, so that single answers, however many, cannot
    // hold them up for ever.
    let mut left = if is_overdue { left.max(bounds.bulk) } else { bounds.bulk };
    // Counted once: who is queued again by its own flush waits for the next turn.
    for _ in 0..connections.shared.lists.bulk.len() {
        if left == 0 {
            break;
        }
        let Some(slot) = connections.shared.lists.bulk.pop_front() else { break };
        left = left.saturating_sub(flush_one(connections, slot, now));
    }
}

/// Tells the handler of those that must wait for the next turn although much waits for them.
fn report_late(connections: &mut Connections) {
    let Connections { slab, shared, .. } = connections;
    // Nearly always there is none, and the list may be long.
    if !std::mem::take(&mut shared.lists.is_much_urgent) {
        return;
    }
    for at in 0..shared.lists.urgent.len() {
        let slot = shared.lists.urgent.get(at).copied();
        let Some(connection) = slot.and_then(|slot| slab.get_mut(slot as usize)) else { continue };
        if shared.has_much(connection) {
            shared.lists.is_much_urgent = true;
            shared.lists.report_blocked(connection);
        }
    }
}

/// Returns how many small writes it counts for.
fn flush_one(connections: &mut Connections, slot: u32, now: Tick) -> usize {
    let Connections { slab, shared, .. } = connections;
    let Some(connection) = slab.get_mut(slot as usize) else { return 0 };
    let dirty = Flags::URGENT.and(Flags::BULK);
    if !connection.flags.any(dirty) {
        // The connection was on both lists and has been flushed already.
        return 0;
    }
    connection.flags.clear(dirty);
    if connection.flags.any(Flags::BLOCKED) {
        shared.lists.report_blocked(connection);
        return 0;
    }
    let (queued, calls) = (connection.outbound.queued(), shared.metrics.writes.value());
    write(shared, connection, now);
    // By the counter of the metrics, which each call raises anyway.
    let calls = usize::try_from(shared.metrics.writes.value() - calls).unwrap_or(usize::MAX);
    let outbound = &connection.outbound;
    if connection.flags.any(Flags::BLOCKED) {
        // What is left was copied.
        flushes_of(calls, queued, outbound.frames())
    } else {
        // What was sealed for a socket that has failed is longer than it was.
        flushes_of(calls, queued.saturating_sub(outbound.queued()), 0)
    }
}

/// Writes what waits for the connection, and notes what follows from how much the socket took.
pub(super) fn write(shared: &mut Shared, connection: &mut Connection, now: Tick) {
    if matches!(connection.phase, Phase::Ended(_)) {
        return;
    }
    let outcome = if connection.is_tls {
        sealed::write(shared, connection)
    } else {
        let before = connection.outbound.queued();
        let outcome = connection.write(&mut shared.pool, shared.writes, &shared.metrics);
        shared.metrics.sent_bytes.add((before - connection.outbound.queued()) as u64);
        outcome
    };
    match outcome {
        WriteOutcome::Emptied => on_emptied(shared, connection),
        // Whoever takes much waits behind those who are sent single answers.
        WriteOutcome::More => shared.lists.queue_flush(connection, Flags::BULK),
        WriteOutcome::Blocked { progress } => on_blocked(shared, connection, progress, now),
        WriteOutcome::Failed(reason) => shared.lists.end(connection, reason, Flags::default()),
    }
}

fn on_blocked(shared: &mut Shared, connection: &mut Connection, progress: usize, now: Tick) {
    shared.metrics.writes_short.add(1);
    // A slow reader keeps a copy of its rest and gives the shared buffer back, which would
    // otherwise pin what thousands of others have sent long ago.
    connection.outbound.detach(&mut shared.pool);
    connection.flags.set(Flags::BLOCKED);
    // Any byte that the socket took is progress, which begins the stall timeout anew.
    let restarts = progress > 0 || connection.stall_at == Tick::MAX;
    if connection.phase == Phase::Open && restarts {
        connection.stall_at = now.after(shared.stall_timeout);
        shared.ensure_timer(connection);
    }
    // Without the edge it would wait for ever, and nobody would notice.
    if shared.watch_write(connection).is_err() {
        shared.lists.end(connection, CloseReason::SocketError, Flags::RESET);
    }
    shared.lists.report_blocked(connection);
}

fn on_emptied(shared: &mut Shared, connection: &mut Connection) {
    connection.stall_at = Tick::MAX;
    match connection.phase {
        Phase::Open => {
            let owed = Flags::OWES_DRAINED.and(Flags::WAKE);
            if connection.flags.any(owed) {
                connection.flags.clear(owed);
                shared.lists.reports.push(Report::Drained(connection.id));
            }
        }
        Phase::Flushing(reason) => shared.lists.end(connection, reason, Flags::default()),
        Phase::Lingering(reason) => shared.finish_lingering(connection, reason),
        Phase::Connecting | Phase::Arriving | Phase::Discarding(_) | Phase::Ended(_) => {}
    }
}

/// The input that a report has become, `None` if its connection has gone or is closing.
pub(super) fn input_of(connections: &Connections, report: Report) -> Option<Input<'static>> {
    // A report is of the turn before: what has become of the connection since is looked up.
    let (Report::Blocked(id) | Report::Drained(id)) = report;
    let connection = connections.slab.get(id.slot())?;
    if connection.id != id || connection.phase != Phase::Open {
        return None;
    }
    let queued = connection.outbound.queued();
    match report {
        // It has been flushed since, which is told after this.
        Report::Blocked(_) if queued == 0 => None,
        Report::Blocked(conn) => Some(Input::Blocked { conn, queued }),
        // More has come to wait since, after which it will be told again.
        Report::Drained(_) if connection.flags.any(Flags::OWES_DRAINED) => None,
        Report::Drained(conn) => Some(Input::Drained { conn }),
    }
}
