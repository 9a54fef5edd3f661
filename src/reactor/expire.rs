//! Deadlines that have passed.

use std::time::Duration;

use super::budget::EXPIRED_MAX;
use super::connect;
use super::connection::{Connection, Flags, Phase};
use super::connections::Connections;
use super::flush;
use super::shared::Shared;
use super::{Mode, Reactor};
use crate::net::{CloseReason, ConnId};
use crate::time::Tick;

/// How long deadlines may be held up while edges come faster than they can be taken in: shorter
/// than any timeout that a peer could be blamed for.
const EXPIRE_LATENESS_MAX: Duration = Duration::from_secs(1);

/// An alarm that is late by this much means that the process was stopped: turns are shorter.
const PAUSE_MIN: Duration = Duration::from_millis(100);

impl Reactor {
    /// Whether the alarm is so late that the process must have been stopped. To be asked before a
    /// turn's reads: what is read may set it anew, and then it is not late.
    pub(super) fn was_stopped(&self, now: Tick) -> bool {
        self.mode == Mode::Turning && self.alarm.after(PAUSE_MIN) <= now
    }

    /// Whether deadlines must wait because the kernel holds more edges, or the turn's budget left
    /// bytes in sockets: after the process was stopped for a while, peers must not be blamed for
    /// bytes that they sent in time.
    pub(super) fn is_held_up(&mut self, now: Tick, was_stopped: bool) -> bool {
        let is_held = self.mode == Mode::Turning && self.held_since != Tick::MAX;
        let was_stopped = was_stopped || is_held;
        let has_unread = was_stopped && self.connections.shared.lists.has_reads();
        if !self.is_flooded && !has_unread {
            self.held_since = Tick::MAX;
            return false;
        }
        self.held_since = self.held_since.min(now);
        now.since(self.held_since) < EXPIRE_LATENESS_MAX
    }
}

/// Acts on every deadline that has passed at `now`, and appends to `expired` the connections whose
/// deadline was the handler's, as many as one turn may tell.
pub(super) fn expire(connections: &mut Connections, now: Tick, expired: &mut Vec<ConnId>) {
    while expired.len() < EXPIRED_MAX {
        // As far as the bound goes: what is left is still in the wheel, and keeps the next wait
        // short.
        let Some(slot) = connections.shared.wheel.poll(now) else { return };
        let Connections { slab, shared, .. } = connections;
        let Some(connection) = slab.get_mut(slot as usize) else { continue };
        match connection.phase {
            Phase::Connecting => connect::expire(connections, slot as usize),
            Phase::Arriving if connection.deadline > now => shared.ensure_timer(connection),
            // A handshake's bytes may wait for a place for as long as others have one.
            Phase::Arriving if !connection.is_tls && has_unread_bytes(connection) => {
                look_again(shared, connection, now);
            }
            Phase::Arriving => {
                shared.lists.end(connection, CloseReason::HandshakeTimeout, Flags::default());
            }
            Phase::Open => {
                if connection.stall_at <= now {
                    // Before the handler's deadline, and this may end the connection, which
                    // `expire_open` then sees.
                    expire_stalled(shared, connection, now);
                }
                expire_open(shared, connection, now, expired);
            }
            Phase::Flushing(_) | Phase::Lingering(_) | Phase::Discarding(_) => {
                expire_closing(shared, connection, now);
            }
            Phase::Ended(_) => {}
        }
    }
}

/// The socket has taken nothing for the stall timeout. One more write is tried before the verdict,
/// because the edge that would say that it takes more may be among those that the poller has not
/// told yet.
fn expire_stalled(shared: &mut Shared, connection: &mut Connection, now: Tick) {
    // Whatever the socket takes now, this write stands for its edge, which may not come again.
    connection.flags.clear(Flags::BLOCKED);
    flush::write(shared, connection, now);
    if connection.stall_at > now {
        return;
    }
    if connection.flags.any(Flags::PACED) {
        // The peer may be waiting for this end to read before it takes anything.
        connection.stall_at = now.after(shared.stall_timeout);
        shared.ensure_timer(connection);
    } else {
        shared.lists.end(connection, CloseReason::Stalled, Flags::RESET);
    }
}

fn expire_open(
    shared: &mut Shared,
    connection: &mut Connection,
    now: Tick,
    expired: &mut Vec<ConnId>,
) {
    if connection.phase != Phase::Open {
        return;
    }
    if connection.deadline > now {
        // The deadline was postponed since the timer was armed.
        shared.ensure_timer(connection);
    } else if has_unread_bytes(connection) {
        look_again(shared, connection, now);
    } else {
        connection.deadline = Tick::MAX;
        expired.push(connection.id);
        shared.ensure_timer(connection);
    }
}

/// A tick later and not at once: the reads of this turn come before the next look.
fn look_again(shared: &mut Shared, connection: &Connection, now: Tick) {
    let next = Tick::from_millis(now.as_millis().saturating_add(1));
    shared.wheel.arm(next, connection.slot());
}

/// Whether bytes wait that the handler must see before its deadline counts: if this process was
/// late, the peer may have been in time.
const fn has_unread_bytes(connection: &Connection) -> bool {
    connection.flags.any(Flags::FRESH) && connection.takes_bytes()
}

fn expire_closing(shared: &mut Shared, connection: &mut Connection, now: Tick) {
    if connection.deadline > now {
        shared.ensure_timer(connection);
        return;
    }
    shared.metrics.closed_late.add(1);
    // A reset tells the peer that bytes are missing, FIN would claim that it has them all.
    let is_cut_short = !connection.outbound.is_empty();
    let flag = if is_cut_short { Flags::RESET } else { Flags::default() };
    shared.lists.end(connection, CloseReason::CloseTimeout, flag);
}
