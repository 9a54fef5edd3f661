//! Outgoing webhooks: who is told of what.

use super::account::Hidden;
use super::name::{RoomName, UserName};
pub use super::notice::{EventKind, EventSet, Notice, NoticeKind};
use super::policy::pattern_matches;
use super::record::{Body, Epoch, Record};

/// Webhooks in all: each is served by the same thread.
pub const WEBHOOKS_MAX: usize = 64;
/// Bytes of the name of a webhook.
pub const WEBHOOK_NAME_LEN_MAX: usize = 64;
/// Bytes that a notice counts for.
const NOTICE_BYTES: usize = 256;
/// Bytes of its address.
pub const WEBHOOK_URL_LEN_MAX: usize = 2048;

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
    /// Bytes that it takes when it is sent, at most.
    #[must_use]
    pub fn weight(&self) -> usize {
        let of = |record: &Record| usize::try_from(record.weight).unwrap_or(usize::MAX);
        match self {
            Self::Record { record, .. } => of(record),
            Self::Notice { message, .. } => {
                NOTICE_BYTES + message.as_ref().map_or(0, |(_, record)| of(record))
            }
        }
    }

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

/// Another server that is told what happens, as the operator has added it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What the operator calls it.
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

/// The kind of a record. A message that was deleted before it was sent stays a message, without its
/// text.
#[must_use]
pub const fn kind_of(body: &Body) -> EventKind {
    match body {
        Body::Message { .. } | Body::Deleted => EventKind::Message,
        Body::Edit { .. } => EventKind::Edit,
        Body::Deletion { .. } => EventKind::Deletion,
        Body::Reaction { .. } => EventKind::Reaction,
        Body::Topic { .. } => EventKind::Topic,
        Body::Rename { .. } => EventKind::Rename,
        Body::Moderation { .. } => EventKind::Moderation,
    }
}

/// That the recipient of a direct message was not connected.
#[must_use]
pub fn unseen(room: RoomName, message: &Record, is_in_memory: bool) -> Notice {
    let user = room.other_than(&message.from).and_then(UserName::stored);
    let what = NoticeKind::Unseen(message.seq);
    Notice { at: message.at, room: Some(room), is_in_memory, user, what }
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
}
