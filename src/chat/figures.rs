//! What the domain tells of itself: its bounds, how much there is, and whether its invariants hold.

use super::model::limits::Limits;
use super::model::log::Suspensions;
use super::model::name::UserName;
use super::model::stats::Stats;
use super::{Chat, HELD_OWES};
use crate::net::ConnId;

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
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Stats {
            behind: lagging,
            waiting: count(self.pending.loads.len()),
            rooms_elsewhere: count(self.rooms.elsewhere),
            ..self.context.stats
        }
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

    /// The name of the user on this connection, `None` before hello.
    #[must_use]
    pub fn user(&self, conn: ConnId) -> Option<&UserName> {
        let reader = self.delivery.reader(conn)?;
        self.directory.user(reader.user).map(|user| &user.name)
    }

    /// How many answers this connection waits for, because a cursor is not yet at their place or a
    /// log has not answered. Once they have become few,
    /// [`Output::Wake`](super::model::output::Output::Wake) says so.
    #[must_use]
    pub fn owed(&self, conn: ConnId) -> u32 {
        let held = || if self.pending.held.contains(&conn) { HELD_OWES } else { 0 };
        let Some(reader) = self.delivery.reader(conn) else { return held() };
        reader.owed()
    }

    /// Bytes of answers that may wait for one connection before no more is read from it.
    #[must_use]
    pub fn outbound_limit(&self) -> usize {
        self.context.outbound_limit()
    }

    /// How many answers of the logs this connection waits for.
    #[must_use]
    pub fn pending_of(&self, conn: ConnId) -> u32 {
        let held = || u32::from(self.pending.held.contains(&conn));
        self.delivery.reader(conn).map_or_else(held, |reader| u32::from(reader.pending_weight))
    }

    /// How many answers of the logs are waited for in all.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The users and addresses that may not use the server at all.
    #[must_use]
    pub fn suspended(&self) -> &Suspensions {
        &self.directory.suspended
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
