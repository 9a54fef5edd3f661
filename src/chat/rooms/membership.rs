//! A user's place in a room.

use super::marks::Marks;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::reply::{Presence, Role};
use crate::collections::SevenBytes;

/// A user's place in a room.
#[derive(Debug)]
pub(in crate::chat) struct Membership {
    pub user: UserKey,
    pub room: RoomKey,
    /// The index in the room's members.
    pub index: u32,
    pub role: Role,
    /// The user's presence as the room's members were told it last; kept by `ephemeral`.
    pub published: Presence,
    /// The user was told of it: a log that cannot write it does not end it any more.
    pub is_confirmed: bool,
    /// Each [`MemberFlag`] that holds, a bit each.
    flags: u8,
    // As `u64` they would take eight bytes each, and align the whole row to as many.
    recv: SevenBytes,
    read: SevenBytes,
    rev: SevenBytes,
    joined: SevenBytes,
}

/// What may hold of a membership, one without regard to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum MemberFlag {
    /// It counts against the user's own bound; being written to does not.
    Counted,
    /// The user's presence may differ from what was published: listed in the room's changes.
    PresenceChanged,
    /// The user has read on: listed in the room's receipts.
    HasReceipt,
}

impl MemberFlag {
    const fn bit(self) -> u8 {
        match self {
            Self::Counted => 1,
            Self::PresenceChanged => 1 << 1,
            Self::HasReceipt => 1 << 2,
        }
    }
}

impl Membership {
    /// How far the user has received and read, as it is kept.
    pub(in crate::chat) const fn marks(&self) -> Marks {
        Marks { recv: self.recv.get(), read: self.read.get() }
    }

    /// How far it is from now on.
    pub(in crate::chat) const fn set_marks(&mut self, Marks { recv, read }: Marks) {
        (self.recv, self.read) = (SevenBytes::new(recv), SevenBytes::new(read));
    }

    /// When the inbox's row last changed, apart from new records.
    pub(in crate::chat) const fn rev(&self) -> u64 {
        self.rev.get()
    }

    /// The inbox's row has changed.
    pub(in crate::chat) const fn set_rev(&mut self, rev: u64) {
        self.rev = SevenBytes::new(rev);
    }

    /// When it began, as [`Context::next_joined`](crate::chat::context::Context::next_joined)
    /// counts: who of the members is the oldest.
    pub(in crate::chat) const fn joined(&self) -> u64 {
        self.joined.get()
    }

    /// It began then.
    pub(in crate::chat) const fn set_joined(&mut self, joined: u64) {
        self.joined = SevenBytes::new(joined);
    }

    /// Whether it counts against the user's own bound.
    pub(in crate::chat) const fn is_counted(&self) -> bool {
        self.has(MemberFlag::Counted)
    }

    /// Whether this holds.
    pub(in crate::chat) const fn has(&self, flag: MemberFlag) -> bool {
        self.flags & flag.bit() != 0
    }

    /// Notes whether this holds from now on; returns whether it did.
    pub(in crate::chat) const fn set(&mut self, flag: MemberFlag, holds: bool) -> bool {
        let before = self.has(flag);
        self.flags = if holds { self.flags | flag.bit() } else { self.flags & !flag.bit() };
        before
    }

    /// A member that has received and read everything up to `head`.
    pub(in crate::chat) const fn new(user: UserKey, room: RoomKey, role: Role, head: u64) -> Self {
        Self {
            user,
            room,
            index: 0,
            role,
            published: Presence::Off,
            // Only a `join` that waits for the store, and the first message of a conversation,
            // begin unconfirmed; what is restored was told long ago.
            is_confirmed: true,
            flags: 0,
            recv: SevenBytes::new(head),
            read: SevenBytes::new(head),
            rev: SevenBytes::new(0),
            joined: SevenBytes::new(0),
        }
    }

    /// This membership, changed at `rev` and begun at `joined`, and counted if it was.
    pub(in crate::chat) const fn since(mut self, (rev, joined): (u64, u64), counted: bool) -> Self {
        self.set_rev(rev);
        self.set_joined(joined);
        self.set(MemberFlag::Counted, counted);
        self
    }
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it; a table adds four bytes.
const _: () = assert!(size_of::<Membership>() <= 48 && align_of::<Membership>() <= 4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::Key as _;

    #[test]
    fn what_holds_of_a_membership_does_not_depend_on_what_else_does() {
        let flags = [MemberFlag::Counted, MemberFlag::PresenceChanged, MemberFlag::HasReceipt];
        let mut row = Membership::new(UserKey::new(1, 0), RoomKey::new(2, 0), Role::Member, 7);
        for held in flags {
            assert!(!row.set(held, true) && row.set(held, true), "{held:?}");
            for flag in flags {
                assert_eq!(row.has(flag), flag == held, "{flag:?} while {held:?} does");
            }
            assert!(row.set(held, false) && !row.has(held), "{held:?}");
        }
        assert_eq!(row.marks(), Marks { recv: 7, read: 7 });
    }
}
