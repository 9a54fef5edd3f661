//! Outgoing webhooks: who is told of what, and what is in no log.

use super::account::Hidden;
use super::event::LeftReason;
use super::name::{RoomName, UserName};
use super::policy::pattern_matches;
use super::record::{Body, Epoch, Record};
use super::reply::Role;

/// Webhooks in all: each is served by the same thread.
pub const WEBHOOKS_MAX: usize = 64;
/// Bytes of the name of a webhook.
pub const WEBHOOK_NAME_LEN_MAX: usize = 64;
/// Bytes of its address.
pub const WEBHOOK_URL_LEN_MAX: usize = 2048;

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
}

impl EventKind {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 11] = [
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
        }
    }

    /// The kind of a record. A message that was deleted before it was sent stays a message, without
    /// its text.
    #[must_use]
    pub const fn of(body: &Body) -> Self {
        match body {
            Body::Message { .. } | Body::Deleted => Self::Message,
            Body::Edit { .. } => Self::Edit,
            Body::Deletion { .. } => Self::Deletion,
            Body::Reaction { .. } => Self::Reaction,
            Body::Topic { .. } => Self::Topic,
            Body::Moderation { .. } => Self::Moderation,
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

    /// Its bits.
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
    /// What.
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

/// One event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEvent {
    /// A record of a log.
    Record {
        /// Tells it from all other events of records.
        id: u64,
        /// The room.
        room: RoomName,
        /// Its log's epoch.
        epoch: Epoch,
        /// The record.
        record: Record,
    },
    /// Something that is in no log.
    Notice {
        /// Tells it from all other notices.
        id: u64,
        /// What.
        notice: Notice,
        /// The message, if it is about one that is still there.
        message: Option<(Epoch, Record)>,
    },
}

impl WebhookEvent {
    /// When it happened: milliseconds since 1970.
    #[must_use]
    pub const fn at(&self) -> u64 {
        match self {
            Self::Record { record, .. } => record.at,
            Self::Notice { notice, .. } => notice.at,
        }
    }
}

/// What a webhook is told: the kinds, in which rooms, and by whom not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// The kinds of events.
    pub events: EventSet,
    /// Names of rooms, in which each `*` stands for any text.
    pub rooms: Vec<Box<str>>,
    /// Whose doings it is not told: the user as whom its receiver answers.
    pub except: Option<UserName>,
}

impl Interest {
    /// Whether it has anything to do with this room. Direct conversations are nobody's but for the
    /// messages of [`EventKind::Direct`].
    #[must_use]
    pub fn has_room(&self, room: &RoomName) -> bool {
        !room.is_direct() && self.rooms.iter().any(|rooms| pattern_matches(rooms, room.as_str()))
    }

    /// Whether an event of this kind is told, by whom and in which room it may be.
    #[must_use]
    pub fn wants(&self, kind: EventKind, room: Option<&RoomName>, by: Option<&UserName>) -> bool {
        self.events.has(kind)
            && (by.is_none() || by != self.except.as_ref())
            && (kind == EventKind::Direct || room.is_none_or(|room| self.has_room(room)))
    }
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name.
    pub name: Box<str>,
    /// Where what happens is sent.
    pub url: Box<str>,
    /// What it is told.
    pub interest: Interest,
    /// What it signs with: the text that begins with `whsec_`.
    pub secret: Hidden,
    /// The secret of before, and until when it signs, too: milliseconds since 1970.
    pub former: Option<(Hidden, u64)>,
    /// Since when.
    pub at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interest(rooms: &[&str], kinds: &[EventKind]) -> Interest {
        let rooms = rooms.iter().map(|rooms| (*rooms).into()).collect();
        let events = kinds.iter().fold(EventSet::NONE, |set, kind| set.with(*kind));
        Interest { events, rooms, except: Some(UserName::parse("bot").unwrap()) }
    }

    #[test]
    fn a_webhook_is_told_what_it_asks_for_and_not_what_its_own_user_does() {
        let all = interest(&["alerts/*", "lobby"], &EventKind::ALL);
        let room = |name: &str| RoomName::stored(name).unwrap();
        let (ann, bot) = (UserName::parse("ann").unwrap(), UserName::parse("bot").unwrap());
        for (kind, name, by, expect) in [
            (EventKind::Message, "alerts/disk", &ann, true),
            (EventKind::Message, "alerts/disk", &bot, false),
            (EventKind::Join, "lobby", &ann, true),
            (EventKind::Message, "alerts", &ann, false),
            (EventKind::Message, "@ann:bob", &ann, false),
            (EventKind::Direct, "@ann:bob", &ann, true),
            (EventKind::Direct, "@ann:bob", &bot, false),
        ] {
            assert_eq!(all.wants(kind, Some(&room(name)), Some(by)), expect, "{kind:?} {name}");
        }
        assert!(all.wants(EventKind::Connection, None, Some(&ann)));
        assert!(!interest(&["*"], &[]).wants(EventKind::Connection, None, Some(&ann)));
        let every = interest(&["*"], &[EventKind::Message]);
        assert!(!every.wants(EventKind::Message, Some(&room("@ann:bob")), Some(&ann)));
    }

    #[test]
    fn a_set_has_the_kinds_that_were_put_into_it() {
        let set = EventSet::NONE.with(EventKind::Edit).with(EventKind::Connection);
        assert_eq!(EventSet::from_bits(set.bits()), set);
        assert_eq!(set.kinds().collect::<Vec<_>>(), [EventKind::Edit, EventKind::Connection]);
        let all = EventSet::from_bits(u16::MAX);
        assert_eq!(all.kinds().collect::<Vec<_>>(), EventKind::ALL);
    }
}
