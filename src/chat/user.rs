//! Users and their memberships.

use super::keys::{MembershipKey, RoomKey, UserKey};
use super::model::name::UserName;
use super::model::reply::{Presence, Role};
use super::session::Secret;
use crate::collections::Few;
use crate::net::ConnId;
use crate::time::Tick;
use crate::time::wheel::TimerId;

/// Somebody, present or remembered.
#[derive(Debug)]
pub(super) struct User {
    pub name: UserName,
    /// The connections of its sessions, oldest first.
    pub sessions: Few<ConnId>,
    /// By room.
    pub memberships: Few<(RoomKey, MembershipKey)>,
    /// As it is told, that is with the leave grace.
    pub presence: Presence,
    /// The name was given by the server, or nobody ever came by it: forgotten after a while.
    pub passing: bool,
    /// There only of those who have been away.
    pub absence: Option<Box<Absence>>,
    /// Memberships in rooms.
    pub rooms: u32,
    /// Direct conversations that it has begun.
    pub begun: u32,
}

impl User {
    pub(super) fn new(name: UserName, passing: bool) -> Self {
        Self {
            name,
            sessions: Few::new(),
            memberships: Few::new(),
            presence: Presence::Off,
            passing,
            absence: None,
            rooms: 0,
            begun: 0,
        }
    }

    /// Its absence, from which something is to be noted.
    pub(super) fn absence(&mut self) -> &mut Absence {
        self.absence.get_or_insert_default()
    }

    /// Secrets of sessions that ended, by which it can still return.
    pub(super) fn lapsed(&self) -> &[Secret] {
        self.absence.as_ref().map_or(&[], |absence| &absence.lapsed)
    }

    /// Takes note of its return. The timer is to be cancelled.
    pub(super) fn back(&mut self) -> Option<TimerId> {
        let absence = self.absence.as_mut()?;
        let timer = absence.timer.take();
        if absence.lapsed.is_empty() && !absence.listed {
            self.absence = None;
        }
        timer
    }

    /// Its membership in `room`.
    pub(super) fn membership(&self, room: RoomKey) -> Option<MembershipKey> {
        let found = self.memberships.binary_search_by_key(&room, |&(room, _)| room).ok()?;
        self.memberships.get(found).map(|&(_, key)| key)
    }
}

/// What is known of a user who is away, or has been.
#[derive(Debug, Default)]
pub(super) struct Absence {
    /// Secrets of sessions that ended, by which it can still return.
    pub lapsed: Vec<Secret>,
    /// The leave grace, or the time until it is forgotten.
    pub timer: Option<TimerId>,
    /// When its last session ended.
    pub since: Tick,
    /// Listed among the absent.
    pub listed: bool,
}

/// A user's place in a room.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "marks that do not depend on each other")]
pub(super) struct Membership {
    pub user: UserKey,
    pub room: RoomKey,
    /// The index in the room's members.
    pub index: u32,
    pub role: Role,
    /// It counts against the user's own bound; being written to does not.
    pub counted: bool,
    /// What the room's members were last told of the user's presence.
    pub shown: Presence,
    /// The user's presence may be another than `shown`: listed in the room's changes.
    pub changed: bool,
    /// The user has read on: listed in the room's receipts.
    pub acked: bool,
    /// The user was told of it: a log that cannot write it does not end it any more.
    pub told: bool,
    /// The user's receipts are not written yet: listed among those to be.
    pub unsaved: bool,
    pub recv: u64,
    pub read: u64,
    /// When the inbox's row last changed, apart from new records.
    pub rev: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_of_the_size_that_is_stated() {
        assert_eq!((size_of::<Option<User>>(), size_of::<Option<Membership>>()), (80, 48));
    }
}
