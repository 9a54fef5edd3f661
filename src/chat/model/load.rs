//! Loading: rooms and users that are not in memory, asked of the store by name.
//!
//! ```text
//!  Wanted ─▶ the store ─▶ Found: Begun, a room as it is kept; KnownUser, what is known of a user
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::meta::RoomMeta;
use super::name::{RoomName, UserName};
use super::record::Epoch;
use super::reply::Durability;
use super::sessions::{FormerSession, SessionSecret};

/// What is to be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Rooms, by name; and whether also those whose names look like it.
    pub rooms: BTreeMap<RoomName, bool>,
    /// Users, by name, and how much of each.
    pub users: BTreeMap<UserName, Depth>,
    /// Sessions, where several nodes share the logs.
    pub sessions: BTreeSet<SessionSecret>,
}

/// How much of a user is to be loaded: each more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Whether there is such a user, and if not, others whose names look like it.
    Known,
    /// The names of the rooms into which it is invited.
    Invited,
    /// The names of all rooms of which it is a member, or into which it is invited.
    Rooms,
}

/// What was found of what was wanted; what is not there is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Rooms, with everything that is kept of each beside its records.
    pub rooms: Vec<Begun>,
    /// The users, and both ends of the direct conversations among the rooms.
    pub users: Vec<KnownUser>,
    /// The sessions that can be resumed.
    pub sessions: BTreeMap<SessionSecret, FormerSession>,
}

/// A room as it is kept: the answer to who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The room.
    pub name: RoomName,
    /// Its log's epoch.
    pub epoch: Epoch,
    /// Its level when it was written last.
    pub durability: Durability,
    /// The last seq, 0 if none.
    pub head: u64,
    /// The first seq that is still there, head + 1 if none is.
    pub oldest: u64,
    /// The facts, members and restrictions among them: one of each kind (and user).
    pub meta: Vec<RoomMeta>,
    /// What the store wants back when the log is opened, if it wants anything.
    pub kept: Option<Kept>,
}

/// What only the store understands of a room that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The number of its row.
    pub row: i64,
    /// The epoch in the row, which may have been given up since.
    pub epoch: Epoch,
    /// The level in the row.
    pub durability: Durability,
    /// The first seq, and the last.
    pub seqs: (u64, u64),
    /// When its last record came.
    pub at: u64,
    /// Bytes of text and data of its records.
    pub bytes: u64,
    /// How often its facts, and rights among them, have changed, where logs are shared.
    pub changes: (u64, u64),
}

/// What is kept of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// Who it is.
    pub name: UserName,
    /// Whether it is a member of any room.
    pub is_member: bool,
    /// Whether it is known that somebody has come by it: in a room, or has received something.
    pub has_come: bool,
    /// The rooms that were asked for.
    pub rooms: Vec<RoomName>,
}

impl Wanted {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.users.is_empty() && self.sessions.is_empty()
    }

    /// Asks for a room; `with_lookalikes` also for those whose names look like this one, since it
    /// may have to be made.
    pub fn add_room(&mut self, name: RoomName, with_lookalikes: bool) {
        *self.rooms.entry(name).or_default() |= with_lookalikes;
    }

    /// Asks for a user, at least to this depth.
    pub fn add_user(&mut self, name: UserName, depth: Depth) {
        let wanted = self.users.entry(name).or_insert(depth);
        *wanted = depth.max(*wanted);
    }

    /// Adds all of another.
    pub fn add(&mut self, other: &Self) {
        for (name, with_lookalikes) in &other.rooms {
            self.add_room(name.clone(), *with_lookalikes);
        }
        for (name, depth) in &other.users {
            self.add_user(name.clone(), *depth);
        }
        self.sessions.extend(&other.sessions);
    }

    /// Takes out what was asked for in another already.
    pub fn take_out(&mut self, requested: &Self) {
        self.rooms.retain(|name, with_lookalikes| {
            requested.rooms.get(name).is_none_or(|had| *with_lookalikes && !had)
        });
        self.users.retain(|name, depth| requested.users.get(name).is_none_or(|had| had < depth));
        self.sessions.retain(|secret| !requested.sessions.contains(secret));
    }
}
