//! Users and their memberships.

use super::keys::{MembershipKey, RoomKey, UserKey};
use super::name::UserName;
use super::reply::{Presence, Role};
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
    /// Secrets of sessions that ended, by which it can still return.
    pub lapsed: Vec<Secret>,
    /// As it is told, that is with the leave grace.
    pub presence: Presence,
    /// The name was given by the server, or nobody ever came by it: forgotten after a while.
    pub passing: bool,
    /// The leave grace, or the time until it is forgotten.
    pub timer: Option<TimerId>,
    /// When its last session ended.
    pub absent_since: Tick,
    /// Listed among the absent.
    pub listed: bool,
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
            lapsed: Vec::new(),
            presence: Presence::Off,
            passing,
            timer: None,
            absent_since: Tick::ZERO,
            listed: false,
            rooms: 0,
            begun: 0,
        }
    }

    /// Its membership in `room`.
    pub(super) fn membership(&self, room: RoomKey) -> Option<MembershipKey> {
        let found = self.memberships.binary_search_by_key(&room, |&(room, _)| room).ok()?;
        self.memberships.get(found).map(|&(_, key)| key)
    }
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
    pub recv: u64,
    pub read: u64,
    /// When the inbox's row last changed, apart from new records.
    pub rev: u64,
}
