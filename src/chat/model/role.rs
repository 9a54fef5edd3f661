//! The roles of members.

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
