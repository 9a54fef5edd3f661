//! Sending what a turn produced.

use super::connection::{Marks, Phase, WriteOutcome};
use super::connections::{Connections, ensure_timer, finish_lingering, watch_write};
use super::ready::Report;
use crate::net::{CloseReason, Input};
use crate::time::Tick;

/// Bytes after which a turn flushes no more of those that large broadcasts reached: a millisecond's copying.
const BULK_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Flushes every connection that something was sent to, then the next `bulk_max` of those that large
/// broadcasts reached, or fewer if much waits for each.
pub(super) fn flush(connections: &mut Connections, now: Tick, bulk_max: usize) {
    let mut urgent = std::mem::take(&mut connections.lists.urgent);
    for slot in &urgent {
        flush_one(connections, *slot, now);
    }
    urgent.clear();
    debug_assert!(connections.lists.urgent.is_empty(), "another pass is for the bulk list");
    connections.lists.urgent = urgent;
    let before = connections.metrics.sent_bytes.value();
    // What asks for another pass meanwhile gets it in the next turn.
    for _ in 0..connections.lists.bulk.len().min(bulk_max) {
        if connections.metrics.sent_bytes.value() - before >= BULK_BYTES_MAX {
            break;
        }
        let Some(slot) = connections.lists.bulk.pop_front() else { break };
        flush_one(connections, slot, now);
    }
}

fn flush_one(connections: &mut Connections, slot: u32, now: Tick) {
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    let dirty = Marks::URGENT.and(Marks::BULK);
    if !connection.marks.any(dirty) {
        // Flushed from the other list already.
        return;
    }
    connection.marks.clear(dirty);
    if connection.marks.any(Marks::BLOCKED) {
        report_blocked(connections, slot);
        return;
    }
    write(connections, slot, now);
}

/// Writes what waits for the connection, and notes what follows from how much the socket took.
pub(super) fn write(connections: &mut Connections, slot: u32, now: Tick) {
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    if matches!(connection.phase, Phase::Ended(_)) {
        return;
    }
    let metrics = &connections.metrics;
    let before = connection.outbound.queued();
    let outcome = connection.write(&mut connections.pool, metrics);
    metrics.sent_bytes.add((before - connection.outbound.queued()) as u64);
    match outcome {
        WriteOutcome::Emptied => emptied(connections, slot),
        WriteOutcome::More => connections.lists.note_dirty(connection, Marks::BULK),
        WriteOutcome::Blocked { progress } => {
            metrics.writes_short.add(1);
            connection.outbound.detach(&mut connections.pool);
            connection.marks.set(Marks::BLOCKED);
            if connection.phase == Phase::Open && (progress > 0 || connection.stall_at == Tick::MAX)
            {
                connection.stall_at = now.after(connections.stall_timeout);
                ensure_timer(&mut connections.wheel, connection);
            }
            if watch_write(&connections.registry, connection).is_err() {
                connections.lists.end(connection, CloseReason::SocketError, Marks::RESET);
            }
            report_blocked(connections, slot);
        }
        WriteOutcome::Failed(reason) => {
            connections.lists.end(connection, reason, Marks::default());
        }
    }
}

fn emptied(connections: &mut Connections, slot: u32) {
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    connection.stall_at = Tick::MAX;
    match connection.phase {
        Phase::Open => {
            let asked = Marks::OWES_DRAINED.and(Marks::WAKE);
            if connection.marks.any(asked) {
                connection.marks.clear(asked);
                connections.lists.reports.push(Report::Drained(connection.id));
            }
        }
        Phase::Flushing(reason) => connections.lists.end(connection, reason, Marks::default()),
        Phase::Lingering(reason) => finish_lingering(&mut connections.lists, connection, reason),
        Phase::Connecting | Phase::Discarding(_) | Phase::Ended(_) => {}
    }
}

fn report_blocked(connections: &mut Connections, slot: u32) {
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    if connection.phase == Phase::Open {
        connection.marks.set(Marks::OWES_DRAINED);
        connections.lists.reports.push(Report::Blocked(connection.id));
    }
}

/// The input that a report has become, `None` if its connection has gone or is closing.
pub(super) fn input_of(connections: &Connections, report: Report) -> Option<Input<'static>> {
    let (Report::Blocked(id) | Report::Drained(id)) = report;
    let connection = connections.slab.get(id.slot())?;
    if connection.id != id || connection.phase != Phase::Open {
        return None;
    }
    Some(match report {
        Report::Blocked(conn) => Input::Blocked { conn, queued: connection.outbound.queued() },
        Report::Drained(conn) => Input::Drained { conn },
    })
}
