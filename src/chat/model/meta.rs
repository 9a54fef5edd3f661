//! What is kept of a room beside its records.

use super::name::{RoomName, UserName};
use super::reply::Role;
use super::suspensions::Expiry;

/// Something that is true of a room until the next fact of the same kind (and about the same user).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomMeta {
    /// Who may find and enter the room.
    Access {
        /// Strangers do not learn that it exists.
        private: bool,
        /// It was made by `create`: roles count.
        owned: bool,
        /// The policy that was chosen by name when it was made, instead of the one that its name
        /// matches.
        policy: Option<Box<str>>,
    },
    /// The topic, empty if there is none, and who has set it, if that is known.
    Topic(Box<str>, Option<UserName>),
    /// The name, and those that it had before, which lead to it still, oldest first. A room that
    /// was never renamed has no such fact.
    Name(RoomName, Vec<RoomName>),
    /// A user's membership, `None` if there is none any more.
    Member(UserName, Option<MemberMeta>),
    /// Something that holds of a user in the room, member or not; `None` if it does no longer.
    Restriction(UserName, Restriction, Option<RestrictionMeta>),
}

/// What a piece of metadata is about: a later one with the same key replaces it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetaKey {
    /// Who may find and enter the room.
    Access,
    /// The topic.
    Topic,
    /// The name.
    Name,
    /// This user's membership.
    Member(UserName),
    /// What of this kind holds of this user.
    Restriction(UserName, Restriction),
}

impl MetaKey {
    /// The key of `meta`.
    #[must_use]
    pub fn of(meta: &RoomMeta) -> Self {
        match meta {
            RoomMeta::Access { .. } => Self::Access,
            RoomMeta::Topic(..) => Self::Topic,
            RoomMeta::Name(..) => Self::Name,
            RoomMeta::Member(user, _) => Self::Member(user.clone()),
            RoomMeta::Restriction(user, kind, _) => Self::Restriction(user.clone(), *kind),
        }
    }
}

/// What is kept of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberMeta {
    /// What the member may do.
    pub role: Role,
    /// Up to which seq the user's clients have received.
    pub recv: u64,
    /// Up to which seq the user has read.
    pub read: u64,
    /// When it began, by a number that rises with each membership: who is the oldest member.
    pub joined: u64,
}

/// Something that holds of a user in a room, member or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Restriction {
    /// May not enter.
    Banned,
    /// May not speak.
    Muted,
    /// Is invited; may enter where others may not.
    Invited,
    /// Has the role of a reader, whenever the user is a member.
    Reader,
    /// Was a member when it was banned, and may come back to a closed room after that.
    MayReturn,
}

impl Restriction {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Banned => "ban",
            Self::Muted => "mute",
            Self::Invited => "invitation",
            Self::Reader => "reader",
            Self::MayReturn => "return",
        }
    }
}

/// What is kept of a [`Restriction`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestrictionMeta {
    /// Who ordered it, if that is known.
    pub by: Option<UserName>,
    /// When: milliseconds since 1970, if that is known.
    pub at: Option<u64>,
    /// For how long, and why.
    pub expiry: Expiry,
}
