//! What a member may do, and how a membership ends.

/// What a role allows. In rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads, does not speak.
    Reader,
    /// Reads and speaks.
    Member,
    /// Moderates.
    Moderator,
    /// Made the room.
    Owner,
}

impl Role {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }
}

/// Why a membership ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftReason {
    /// The user left, on another connection or this one.
    Left,
    /// Somebody with the right to it ended it.
    Kicked,
    /// The user is banned.
    Banned,
    /// Somebody with the right to it has ended the room.
    Closed,
}

impl LeftReason {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Kicked => "kicked",
            Self::Banned => "banned",
            Self::Closed => "closed",
        }
    }
}
