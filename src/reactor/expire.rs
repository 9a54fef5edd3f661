//! Deadlines that have passed.

use super::connect;
use super::connection::{Connection, Marks, Phase};
use super::connections::{Connections, ensure_timer, slot_of};
use super::flush;
use crate::net::{CloseReason, ConnId};
use crate::time::Tick;

/// Sees to every deadline that has passed at `now`, and appends to `expired` whom the handler set one for.
pub(super) fn expire(connections: &mut Connections, now: Tick, expired: &mut Vec<ConnId>) {
    while let Some(slot) = connections.wheel.poll(now) {
        let Some(connection) = connections.slab.get_mut(slot as usize) else { continue };
        connection.timer = None;
        match connection.phase {
            Phase::Connecting => connect::expire(connections, slot as usize),
            Phase::Open => {
                if connection.stall_at <= now {
                    stalled(connections, slot, now);
                }
                expire_open(connections, slot, now, expired);
            }
            Phase::Flushing(_) | Phase::Lingering(_) | Phase::Discarding(_) => {
                expire_closing(connections, slot, now);
            }
            Phase::Ended(_) => {}
        }
    }
}

/// The socket has taken nothing for the stall timeout: one more try, then the verdict. The edge may be
/// among those that the poller has not told yet.
fn stalled(connections: &mut Connections, slot: u32, now: Tick) {
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    // Whatever the socket takes, this is as good as its edge: which may not come again.
    connection.marks.clear(Marks::BLOCKED);
    flush::write(connections, slot, now);
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    if connection.stall_at <= now {
        connections.lists.end(connection, CloseReason::Stalled, Marks::RESET);
    }
}

fn expire_open(connections: &mut Connections, slot: u32, now: Tick, expired: &mut Vec<ConnId>) {
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    if connection.phase != Phase::Open {
        return;
    }
    if connection.deadline > now {
        ensure_timer(&mut connections.wheel, connection);
    } else if is_unheard(connection) {
        let next = Tick::from_millis(now.as_millis().saturating_add(1));
        connection.timer = Some(connections.wheel.arm(next, slot_of(connection.id)));
    } else {
        connection.deadline = Tick::MAX;
        expired.push(connection.id);
        ensure_timer(&mut connections.wheel, connection);
    }
}

/// Whether bytes wait that the handler should see before it is told that its patience is over: it may
/// be we who were late, not the peer.
const fn is_unheard(connection: &Connection) -> bool {
    connection.marks.any(Marks::FRESH) && connection.takes_bytes()
}

fn expire_closing(connections: &mut Connections, slot: u32, now: Tick) {
    let Some(connection) = connections.slab.get_mut(slot as usize) else { return };
    if connection.deadline > now {
        ensure_timer(&mut connections.wheel, connection);
        return;
    }
    connections.metrics.closed_late.add(1);
    let left_behind = !connection.outbound.is_empty();
    let mark = if left_behind { Marks::RESET } else { Marks::default() };
    connections.lists.end(connection, CloseReason::CloseTimeout, mark);
}
