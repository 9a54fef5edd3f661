//! A user's place in a room.

use super::marks::Marks;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::reply::{Presence, Role};

/// A user's place in a room.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "marks that do not depend on each other")]
pub(in crate::chat) struct Membership {
    pub user: UserKey,
    pub room: RoomKey,
    /// The index in the room's members.
    pub index: u32,
    pub role: Role,
    /// It counts against the user's own bound; being written to does not.
    pub counted: bool,
    /// The user's presence as the room's members were told it last; kept by `ephemeral`.
    pub published: Presence,
    /// The user's presence may differ from `published`: listed in the room's changes.
    pub presence_changed: bool,
    /// The user has read on: listed in the room's receipts.
    pub has_receipt: bool,
    /// The user was told of it: a log that cannot write it does not end it any more.
    pub is_confirmed: bool,
    pub recv: u64,
    pub read: u64,
    /// When the inbox's row last changed, apart from new records.
    pub rev: u64,
    /// The `rev` at which it began: who of the members is the oldest.
    pub joined: u64,
}

impl Membership {
    /// How far the user has received and read, as it is kept.
    pub(in crate::chat) const fn marks(&self) -> Marks {
        Marks { recv: self.recv, read: self.read }
    }

    /// A member that has received and read everything up to `head`.
    pub(in crate::chat) const fn new(user: UserKey, room: RoomKey, role: Role, head: u64) -> Self {
        Self {
            user,
            room,
            index: 0,
            role,
            counted: false,
            published: Presence::Off,
            presence_changed: false,
            has_receipt: false,
            // Only a `join` that waits for the store, and the first message of a conversation,
            // begin unconfirmed; what is restored was told long ago.
            is_confirmed: true,
            recv: head,
            read: head,
            rev: 0,
            joined: 0,
        }
    }
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it.
const _: () = assert!(size_of::<Option<Membership>>() <= 56);
