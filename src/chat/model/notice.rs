//! What webhooks are told: kinds of events, and notices of what is in no log.

use super::name::{RoomName, UserName};
use super::role::{LeftReason, Role};

/// A kind of event that webhooks are told, by the names of the protocol where it has the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A message was said in a room.
    Message,
    /// The text of a message was changed.
    Edit,
    /// A message was deleted.
    Deletion,
    /// Somebody reacted to a message.
    Reaction,
    /// The topic of a room was changed.
    Topic,
    /// Somebody was removed, banned, muted, or given another role.
    Moderation,
    /// Somebody became a member.
    Join,
    /// A membership ended.
    Leave,
    /// A room was made.
    Room,
    /// A direct message was said to somebody who is not connected.
    Direct,
    /// A user's connection began or ended.
    Connection,
    /// A room was given another name.
    Rename,
}

impl EventKind {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 12] = [
        Self::Message,
        Self::Edit,
        Self::Deletion,
        Self::Reaction,
        Self::Topic,
        Self::Moderation,
        Self::Join,
        Self::Leave,
        Self::Room,
        Self::Direct,
        Self::Connection,
        Self::Rename,
    ];

    /// The word for it, in commands and in what is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Edit => "edit",
            Self::Deletion => "deletion",
            Self::Reaction => "reaction",
            Self::Topic => "topic",
            Self::Moderation => "moderation",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Room => "room",
            Self::Direct => "direct",
            Self::Connection => "connection",
            Self::Rename => "rename",
        }
    }
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSet(u16);

impl EventSet {
    /// No kind.
    pub const NONE: Self = Self(0);

    /// The set of these bits; those that mean nothing are left out.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & ((1 << EventKind::ALL.len()) - 1))
    }

    /// A bit for each kind of [`EventKind::ALL`], as the stores keep it.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The same, and this kind.
    #[must_use]
    pub const fn with(self, kind: EventKind) -> Self {
        Self(self.0 | 1 << kind as u16)
    }

    /// The kinds that are in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has this kind.
    #[must_use]
    pub const fn has(self, kind: EventKind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds that it has.
    pub fn kinds(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

/// Something that happened and is in no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When: milliseconds since 1970.
    pub at: u64,
    /// In which room, if in one.
    pub room: Option<RoomName>,
    /// The room is in memory only, and so is what happened there.
    pub is_in_memory: bool,
    /// Who it is about; `None`: nobody.
    pub user: Option<UserName>,
    /// What has happened.
    pub what: NoticeKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The user became a member, in this role.
    Joined(Role),
    /// The membership ended; `None`: the user was absent for too long, or the room went.
    Left(Option<LeftReason>),
    /// The room was made.
    Made,
    /// The message of this seq was said to the user, who is not connected.
    Unseen(u64),
    /// A connection began or ended; so many the user has now.
    Connection {
        /// It began.
        opened: bool,
        /// Connections of the user that are left.
        left: u64,
    },
}

impl NoticeKind {
    /// The kind of event that it is.
    #[must_use]
    pub const fn kind(self) -> EventKind {
        match self {
            Self::Joined(_) => EventKind::Join,
            Self::Left(_) => EventKind::Leave,
            Self::Made => EventKind::Room,
            Self::Unseen(_) => EventKind::Direct,
            Self::Connection { .. } => EventKind::Connection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_kinds_that_were_put_into_it() {
        let set = EventSet::NONE.with(EventKind::Edit).with(EventKind::Connection);
        assert_eq!(EventSet::from_bits(set.bits()), set);
        assert_eq!(set.kinds().collect::<Vec<_>>(), [EventKind::Edit, EventKind::Connection]);
        let all = EventSet::from_bits(u16::MAX);
        assert_eq!(all.kinds().collect::<Vec<_>>(), EventKind::ALL);
    }
}
