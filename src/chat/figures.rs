//! What the domain tells of itself: its bounds, how much there is, and whether its invariants hold.

use super::Chat;
use super::model::limits::Limits;
use super::model::stats::Stats;

impl Chat {
    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.context.limits
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let lagging = self.delivery.readers().map(|reader| u64::from(reader.lagging)).sum();
        Stats { behind: lagging, ..self.context.stats }
    }

    /// How many users, rooms and memberships there are, and the bytes of all recent rings and pages
    /// of stored logs.
    #[must_use]
    pub fn sizes(&self) -> [usize; 4] {
        let rooms = &self.rooms;
        let rings = rooms.rings.bytes() + self.delivery.pages.bytes();
        [self.directory.len(), rooms.table.len(), rooms.memberships.len(), rings]
    }

    /// How many users there are who never came, and how many conversations wait for them.
    #[must_use]
    pub const fn awaited(&self) -> [usize; 2] {
        [self.directory.awaited.users, self.directory.awaited.conversations]
    }

    /// Checks every invariant of the rooms; for tests, in builds with debug assertions.
    pub fn debug_check(&self) {
        self.directory.debug_check();
        self.rooms.debug_check(&self.directory);
        self.delivery.debug_check(&self.rooms);
        self.ephemeral.debug_check(&self.rooms);
        self.pending.debug_check(&self.delivery);
    }
}
