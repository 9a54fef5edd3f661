//! The domain's numbers, put where the metrics page finds them when it is asked for.

use super::context::SessionContext;
use crate::chat::Chat;
use crate::chat::model::limits::{ROOM_BYTES, USER_BYTES};
use crate::metrics::{Counter, Metrics};

impl SessionContext {
    /// Puts the domain's numbers where they are read.
    pub(super) fn update_gauges(&self, chat: &Chat) {
        update(&self.metrics, chat, [self.sessions_bytes, self.inbound.used()]);
    }
}

fn update(metrics: &Metrics, chat: &Chat, [sessions_bytes, inbound]: [usize; 2]) {
    let stats = chat.stats();
    let [users, rooms, memberships, rings] = chat.sizes().map(count);
    let cells = &metrics.chat;
    cells.users.set(users);
    cells.rooms.set(rooms);
    cells.rooms_elsewhere.set(stats.rooms_elsewhere);
    cells.load_waiting.set(stats.waiting);
    raise(&cells.rooms_loaded, stats.rooms_loaded);
    raise(&cells.rooms_forgotten, stats.rooms_forgotten);
    raise(&cells.load_waits, stats.waits);
    cells.memberships.set(memberships);
    cells.sessions.set(stats.sessions);
    cells.streams.set(stats.streams);
    cells.subscriptions.set(stats.subs);
    cells.cursors_lagging.set(stats.behind);
    raise(&cells.records, stats.records);
    raise(&cells.deliveries, stats.deliveries);
    raise(&cells.replayed, stats.replayed);
    raise(&cells.gaps, stats.gaps);
    raise(&cells.presence_events, stats.ephemeral);
    raise(&cells.ephemeral_dropped, stats.ephemeral_dropped);
    metrics.memory.rings.set(rings);
    metrics.memory.users.set(users * USER_BYTES);
    metrics.memory.rooms.set(rooms * ROOM_BYTES);
    metrics.memory.inbound.set(count(inbound));
    metrics.memory.sessions.set(count(sessions_bytes));
}

fn raise(counter: &Counter, to: u64) {
    // The domain counts by itself and knows no metrics; a counter can only be raised, so that it
    // gets the difference.
    counter.add(to.saturating_sub(counter.value()));
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
