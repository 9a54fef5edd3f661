//! A walk over all rooms, now and then and in parts.

use std::time::Duration;

use crate::time::Tick;

/// How often all rooms are looked at that are not open.
const WALK_EVERY: Duration = Duration::from_hours(1);
/// A walk over all rooms.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The row id after which it goes on, `None` while none is under way.
    pub(super) after: Option<i64>,
    /// When it goes on.
    pub(super) at: Tick,
    /// When the next one begins.
    next_at: Tick,
}

impl Walk {
    /// Begins one, if it is time to.
    pub(super) fn begin(&mut self, now: Tick) {
        if now >= self.next_at {
            self.next_at = now.after(WALK_EVERY);
            self.after.get_or_insert(0);
        }
    }

    /// When it goes on, if one is under way.
    pub(super) fn at(&self) -> Option<Tick> {
        self.after.map(|_| self.at)
    }
}
