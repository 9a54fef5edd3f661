//! What a client knows, and what it tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// A record of a room's log, the fields of a request or the data of a reply, as the protocol has
/// it.
pub type Item = Map<String, Value>;

/// A refusal by the server, with its code; or, with code 0, why there was no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// The protocol's code; 0 without a connection.
    pub code: u16,
    /// What happened, for people.
    pub message: String,
    /// What helps, as the protocol has it.
    pub data: Item,
}

impl Error {
    /// An error that is not the server's.
    #[must_use]
    pub fn local(message: impl Into<String>) -> Self {
        Self { code: 0, message: message.into(), data: Item::new() }
    }

    /// That the server was not there to answer.
    pub(crate) fn offline() -> Self {
        Self::local("not connected")
    }

    /// The refusal that a reply is.
    pub(crate) fn of(reply: &Item) -> Self {
        let mut data = object(reply, "data");
        if let Some(wait) = reply.get("retry_after_ms") {
            data.entry("retry_after_ms").or_insert_with(|| wait.clone());
        }
        let code = number(reply, "code").and_then(|code| u16::try_from(code).ok());
        let message = text(reply, "message").unwrap_or("refused").to_owned();
        Self { code: code.unwrap_or_default(), message, data }
    }

    /// The code's name, such as `rate_limited`; `offline` without a connection.
    #[must_use]
    pub fn slug(&self) -> &str {
        text(&self.data, "error").unwrap_or(if self.code == 0 { "offline" } else { "" })
    }

    /// The milliseconds after which the same request can succeed by itself.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        number(&self.data, "retry_after_ms")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// How far a room is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoomState {
    /// Not joined yet.
    #[default]
    Wanted,
    /// Catching up.
    Lagging,
    /// Each record comes as it is committed.
    Live,
}

/// Who is in a room, as far as the server tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// The version, which rises with each change.
    pub v: u64,
    /// How many are there.
    pub count: u64,
    /// The status of each, `online` or `away`; `None` in a room too large for names.
    pub users: Option<BTreeMap<String, String>>,
}

/// One room, or a direct conversation of two. All records up to `seq` have been told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Room {
    /// Its name.
    pub name: String,
    /// The log that `seq` counts in; `None` before the room was joined.
    pub epoch: Option<String>,
    /// The last record that was told.
    pub seq: u64,
    /// The first record that the log has.
    pub oldest: u64,
    /// How far it is.
    pub state: RoomState,
    /// Our role.
    pub role: String,
    /// What an answered message survives: `disk`, `os` or `memory`.
    pub durable: String,
    /// The topic.
    pub topic: String,
    /// The last record that we have read, on any device.
    pub read: u64,
    /// How many messages of others are unread.
    pub unread: u64,
    /// How many of these name us, or the room.
    pub mentions: u64,
    /// Who is there, once [`watch`](crate::Client::watch) has asked.
    pub presence: Option<Presence>,
    /// Who is typing.
    pub typing: BTreeSet<String>,
    /// The record up to which each user has read.
    pub receipts: BTreeMap<String, u64>,
}

impl Room {
    /// Whether this is a conversation of two.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.name.starts_with('@')
    }
}

/// What the server has made of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The room, which of a direct message is the conversation.
    pub room: String,
    /// Its place in the room's log.
    pub seq: u64,
    /// When the log took it, in milliseconds since 1970.
    pub at: u64,
    /// Whether the server had it before.
    pub dup: bool,
}

/// A message that the server has not answered yet; to be kept for a later client, if need be.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The room that it is for.
    pub room: String,
    /// What it says.
    pub text: String,
    /// Its own name, by which the server knows it again.
    pub cid: String,
    /// Further fields, such as `reply_to`.
    pub more: Item,
}

/// Why a token is no longer good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEnd {
    /// The server does not believe it.
    Refused,
    /// Its time is over.
    Expired,
    /// Its login was ended.
    Ended,
}

/// The connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// There is none, and there will be none before the next start.
    #[default]
    Stopped,
    /// The server has refused for good; [`start`](crate::Client::start) tries again.
    Refused {
        /// Its words, if it had any.
        error: Option<Error>,
        /// The code with which it has closed the connection.
        close: Option<u16>,
        /// What has become of our token.
        token: Option<TokenEnd>,
    },
    /// It is being made.
    Connecting,
    /// The server has accepted us.
    Ready,
    /// It was lost, and will be made again.
    Waiting {
        /// When, on the clock of the engine.
        retry_at: u64,
        /// In how many milliseconds that is.
        retry_ms: u64,
        /// Whether the server has named that time.
        announced: bool,
        /// The close code, 1006 without one.
        close: u16,
        /// Why, if more is known.
        error: Option<Error>,
    },
}

impl State {
    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Stopped | Self::Refused { .. })
    }
}

/// What a client tells its program.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The connection has changed.
    State(State),
    /// The next record of a room, also our own.
    Record {
        /// The room.
        room: String,
        /// The record: `ev`, `seq`, `from`, `at`, and what its kind has.
        item: Item,
    },
    /// Records that are missing.
    Gap {
        /// The room.
        room: String,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
        /// `pruned`, `limit` (ask `history`) or `lost`.
        why: String,
    },
    /// The room has a new log.
    Reset {
        /// The room.
        room: String,
        /// The head of the new log.
        seq: u64,
    },
    /// The room has caught up.
    Live {
        /// The room.
        room: String,
    },
    /// Something of a room has changed that is no record: unread, presence, typing, receipts.
    Changed {
        /// The room.
        room: String,
    },
    /// Who has come and gone in a room that is watched.
    Presence {
        /// The room.
        room: String,
        /// Who is online now.
        on: Vec<String>,
        /// Who is away now.
        away: Vec<String>,
        /// Who is gone.
        off: Vec<String>,
    },
    /// A room has another name: what is kept by the one of before belongs to it.
    Renamed {
        /// The room, by the name that it has.
        room: String,
        /// The name of before.
        was: String,
    },
    /// Somebody has closed a room. That we are no longer in it follows.
    Gone {
        /// The room.
        room: String,
        /// Who.
        by: String,
        /// Why, empty if no reason was given.
        reason: String,
    },
    /// We are no longer in the room.
    Left {
        /// The room.
        room: String,
        /// `left`, `kicked`, `banned`, `closed`, or `refused` on return.
        reason: String,
        /// The refusal.
        error: Option<Error>,
    },
    /// An invitation to join a room.
    Invited {
        /// The room.
        room: String,
        /// Who invites us, if that is known.
        by: Option<String>,
        /// Their words.
        reason: String,
    },
    /// Members of a room have another display name, status text or colour: ask `whois`, or read on
    /// here.
    Profiles {
        /// The room.
        room: String,
        /// By name what each says of itself now: `display`, `text`, `color` and `until`, each of
        /// which may be missing.
        profiles: Item,
    },
    /// Somebody has reported something that we may settle: ask `reports`.
    Reported {
        /// Where, if in a room.
        room: Option<String>,
    },
    /// What has become of a message.
    Outbox {
        /// The message.
        entry: Entry,
        /// Where it stands, or why it was refused.
        outcome: Result<Sent, Error>,
    },
    /// A refusal that no request waits for.
    Problem(Error),
}

/// The room of two users: their names in the order of bytes.
#[must_use]
pub fn direct_room(a: &str, b: &str) -> String {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    format!("@{first}:{second}")
}

/// The other user of the direct conversation `room`.
#[must_use]
pub fn other_in<'a>(room: &'a str, user: &str) -> Option<&'a str> {
    let (a, b) = room.strip_prefix('@')?.split_once(':')?;
    Some(if a == user { b } else { a })
}

/// The text of a field.
#[must_use]
pub fn text<'a>(item: &'a Item, key: &str) -> Option<&'a str> {
    item.get(key)?.as_str()
}

/// The number of a field.
#[must_use]
pub fn number(item: &Item, key: &str) -> Option<u64> {
    item.get(key)?.as_u64()
}

/// The array of a field; empty if there is none.
#[must_use]
pub fn array<'a>(item: &'a Item, key: &str) -> &'a [Value] {
    item.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a field is there and true.
#[must_use]
pub fn flag(item: &Item, key: &str) -> bool {
    item.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// The object of a field; empty if there is none.
#[must_use]
pub fn object(item: &Item, key: &str) -> Item {
    item.get(key).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The fields of a request: those with a value.
#[must_use]
pub fn fields<const N: usize>(all: [(&str, Value); N]) -> Item {
    let given = all.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_the_names_in_the_order_of_their_bytes() {
        assert_eq!(direct_room("bob", "ann"), "@ann:bob");
        assert_eq!(direct_room("\u{e9}", "z"), "@z:\u{e9}");
        assert_eq!(other_in("@ann:bob", "ann"), Some("bob"));
        assert_eq!(other_in("@ann:bob", "bob"), Some("ann"));
        assert_eq!(other_in("lobby", "ann"), None);
    }
}
