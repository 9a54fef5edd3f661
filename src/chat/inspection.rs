//! What the domain tells of itself: its bounds, how much there is, and whether its invariants hold.

use super::model::account::{Key, Login};
use super::model::figures::{MemberFigures, ReaderFigures, RoomFigures, UserFigures};
use super::model::limits::Limits;
use super::model::log::Suspensions;
use super::model::meant_message::Meant;
use super::model::name::UserName;
use super::model::record::{Body, SharedRecord};
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
            rooms_elsewhere: self.rooms_elsewhere(),
            ..self.context.stats
        }
    }

    /// The seq of the last message that is meant, of those in memory, in a room of which the
    /// connection's user is a member, and that of the first one of its thread.
    #[must_use]
    pub fn recent_message(&self, conn: ConnId, room: &str, of: Meant<'_>) -> Option<(u64, u64)> {
        let user = self.delivery.reader(conn)?.user;
        let (room, _) = self.lookup().find_membership(user, room).ok()?;
        let mut latest = self.rooms[room].ring.from(0).rev();
        let is_meant = |record: &&SharedRecord| {
            record.body.text().is_some_and(|text| of.is(record.from.as_str(), text))
        };
        let found = latest.find(is_meant)?;
        let Body::Message { thread, .. } = &found.body else { return None };
        Some((found.seq, thread.unwrap_or(found.seq)))
    }

    /// How many rooms are in the store only.
    #[must_use]
    pub fn rooms_elsewhere(&self) -> u64 {
        u64::try_from(self.rooms.elsewhere).unwrap_or(u64::MAX)
    }

    /// How many users, rooms and memberships there are, and the bytes of all recent rings and pages
    /// of stored logs.
    #[must_use]
    pub fn sizes(&self) -> [usize; 4] {
        let rooms = &self.rooms;
        let rings = rooms.rings.bytes() + self.delivery.pages.bytes();
        [self.directory.len(), rooms.table.len(), rooms.memberships.len(), rings]
    }

    /// What there is to tell of a connection, `None` before hello. Walks its subscriptions if some
    /// of them lag.
    #[must_use]
    pub fn reader_figures(&self, conn: ConnId) -> Option<ReaderFigures<'_>> {
        let reader = self.delivery.reader(conn)?;
        let user = &self.directory.user(reader.user)?.name;
        // Most readers lag nowhere, and some have thousands of rows.
        let walked = if reader.lagging > 0 { usize::MAX } else { 0 };
        let behind = reader.subscriptions.iter().take(walked).filter_map(|row| {
            let head = self.rooms.table.get(row.room)?.head;
            let (_, lagging) = self.delivery.subscription(row)?;
            Some((head + 1).saturating_sub(lagging?.next))
        });
        let (rooms, lagging) = (reader.subscriptions.len(), reader.lagging);
        Some(ReaderFigures { user, rooms, lagging, lag: behind.sum() })
    }

    /// How many places for rooms there are, free ones included.
    #[must_use]
    pub fn room_places(&self) -> usize {
        self.rooms.table.places()
    }

    /// What there is to tell of the room in this place, if there is one.
    #[must_use]
    pub fn room_figures(&self, place: usize) -> Option<RoomFigures<'_>> {
        let (key, room) = self.rooms.table.at(place)?;
        Some(RoomFigures {
            name: &room.name,
            members: room.members.len(),
            subscribers: self.delivery.subscribers(key),
            seq: room.head,
            oldest: room.oldest(),
            durability: room.durability,
            private: room.private,
            ring_bytes: room.ring.bytes(),
        })
    }

    /// How many places for users there are, free ones included.
    #[must_use]
    pub fn user_places(&self) -> usize {
        self.directory.places()
    }

    /// What there is to tell of the user in this place, if there is one who has ever come.
    #[must_use]
    pub fn user_figures(&self, place: usize) -> Option<UserFigures<'_>> {
        let user = self.directory.at(place).filter(|user| !user.is_awaited)?;
        Some(UserFigures {
            name: &user.name,
            source: user.source,
            presence: user.presence,
            sessions: user.sessions.len(),
            rooms: user.memberships.len(),
        })
    }

    /// How many members a room has, `None` if there is no such room.
    #[must_use]
    pub fn member_count(&self, room: &str) -> Option<usize> {
        Some(self.rooms[self.rooms.named(room)?].members.len())
    }

    /// What there is to tell of a member of a room, by its index among the members.
    #[must_use]
    pub fn member_figures(&self, room: &str, index: usize) -> Option<MemberFigures<'_>> {
        let room = &self.rooms[self.rooms.named(room)?];
        let member = &self.rooms[*room.members.get(index)?];
        let user = self.directory.user(member.user)?;
        Some(MemberFigures {
            name: &user.name,
            role: member.role,
            presence: user.presence,
            read: member.marks().read,
        })
    }

    /// The connections of a user's sessions; `None` if nobody is known by the name.
    #[must_use]
    pub fn connections_of(&self, name: &str) -> Option<Vec<ConnId>> {
        let user = self.directory.user_named(name)?;
        Some(self.directory[user].sessions.iter().map(|session| session.conn).collect())
    }

    /// The logins of an account, oldest first; none if there is no account of the name.
    pub fn logins_of<'a>(&'a self, name: &'a UserName) -> impl Iterator<Item = &'a Login> {
        self.accounts.logins_of(name)
    }

    /// Whether there is an account of this name.
    #[must_use]
    pub fn has_account(&self, name: &UserName) -> bool {
        self.accounts.account(name).is_some()
    }

    /// All keys of programs, and all hooks.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.accounts.keys()
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

    /// How many outputs wait to be polled.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.context.outputs.len()
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
