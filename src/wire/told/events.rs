//! The events and their fields.

use super::{EPOCH, Field, Kind, PROFILE, ROOM, THREAD, always, sometimes};

/// An event.
#[derive(Debug)]
pub struct Event {
    /// The word that stands in `ev`.
    pub name: &'static str,
    /// What it tells, as a sentence.
    pub about: &'static str,
    /// Its fields besides `ev`.
    pub fields: &'static [Field],
}

const RECORD_ROOM: Field =
    sometimes("room", Kind::Text, "the room's name; not where the page or the replay says it");
const SEQ: Field = always("seq", Kind::Number, "its position in the room's log");
const FROM: Field = always("from", Kind::Text, "who has done it");
const AT: Field = always("at", Kind::Number, "when it was logged, in ms since 1970");
const TARGET: Field = always("target", Kind::Number, "the seq of the message");
const MENTIONS: Field =
    sometimes("mentions", Kind::List(&Kind::Text), "whom the text names; @room is all of the room");
const DELETED: Field = sometimes("deleted", Kind::True, "the message is deleted: there is no text");
const REASON: Field = sometimes("reason", Kind::Text, "why");

/// Every event, with what it tells. The first are records of a room's log.
pub const EVENTS: &[Event] = &[
    Event {
        name: "message",
        about: "Somebody has said something in a room",
        fields: &[
            RECORD_ROOM,
            SEQ,
            FROM,
            AT,
            sometimes("text", Kind::Text, "the present text"),
            DELETED,
            sometimes("edited", Kind::Number, "when it was edited last, in ms since 1970"),
            sometimes("reply_to", Kind::Number, "the seq of the message that it replies to"),
            sometimes("thread", Kind::Number, "the seq of the message that began its thread"),
            sometimes("data", Kind::Any, "what its sender gave as data"),
            MENTIONS,
            sometimes("cid", Kind::Text, "the id that you gave it; in pages and replays only"),
        ],
    },
    Event {
        name: "edit",
        about: "A message was changed",
        fields: &[
            RECORD_ROOM,
            SEQ,
            FROM,
            AT,
            TARGET,
            sometimes("text", Kind::Text, "the new text"),
            DELETED,
            MENTIONS,
        ],
    },
    Event {
        name: "deletion",
        about: "A message was deleted",
        fields: &[RECORD_ROOM, SEQ, FROM, AT, TARGET],
    },
    Event {
        name: "reaction",
        about: "A reaction was added to a message, or removed",
        fields: &[
            RECORD_ROOM,
            SEQ,
            FROM,
            AT,
            TARGET,
            always("emoji", Kind::Text, "the reaction"),
            sometimes("remove", Kind::True, "it was removed"),
        ],
    },
    Event {
        name: "topic",
        about: "A room has another topic",
        fields: &[
            RECORD_ROOM,
            SEQ,
            FROM,
            AT,
            always("text", Kind::Text, "the topic, empty if there is none any more"),
        ],
    },
    Event {
        name: "rename",
        about: "A room has another name, under which this is told already",
        fields: &[
            RECORD_ROOM,
            SEQ,
            FROM,
            AT,
            always("name", Kind::Text, "the new name"),
            always("was", Kind::Text, "the former name"),
        ],
    },
    Event {
        name: "moderation",
        about: "Somebody was kicked, banned, muted or given a role, or that has ended",
        fields: &[
            RECORD_ROOM,
            SEQ,
            FROM,
            AT,
            always("act", Kind::Text, "kick, ban, unban, mute, unmute or role"),
            always("target", Kind::Text, "to whom"),
            sometimes("until", Kind::Number, "when a ban or mute ends, in ms since 1970"),
            sometimes("role", Kind::Text, "owner, moderator, member or reader"),
            REASON,
        ],
    },
    Event {
        name: "replay",
        about: "Records that were missed, in order",
        fields: &[
            ROOM,
            always("items", Kind::List(&Kind::Record), "the records, one for each seq"),
            always("to", Kind::Number, "the seq up to which this has all of them"),
        ],
    },
    Event {
        name: "live",
        about: "The client has all records of a room; from here on it gets each as it is written",
        fields: &[ROOM, always("seq", Kind::Number, "the last of them")],
    },
    Event {
        name: "gap",
        about: "Records that are not there any more, or too many to be told",
        fields: &[
            ROOM,
            always("from", Kind::Number, "the first seq that is left out"),
            always("to", Kind::Number, "the last one"),
            always("why", Kind::Text, "pruned: they are gone; limit: history has them"),
        ],
    },
    Event {
        name: "reset",
        about: "In a stream: the room has begun anew, and earlier positions mean nothing",
        fields: &[ROOM, EPOCH, always("seq", Kind::Number, "the last seq: what follows is above")],
    },
    Event {
        name: "refused",
        about: "In a stream: a room may not be read; without a room, why the stream ends",
        fields: &[
            sometimes("room", Kind::Text, "the room's name"),
            always("code", Kind::Number, "as in a refusal"),
            always("message", Kind::Text, "what is wrong, for a person"),
            always("data", Kind::Object(&super::REFUSED), "what helps"),
        ],
    },
    Event {
        name: "joined",
        about: "The user became a member of a room by another of its connections, or was written to",
        fields: &[ROOM, EPOCH, always("seq", Kind::Number, "the last seq: what follows is above")],
    },
    Event {
        name: "invited",
        about: "Somebody invites the user into a room",
        fields: &[ROOM, always("from", Kind::Text, "who invites"), REASON],
    },
    Event {
        name: "renamed",
        about: "A room that the client reads has another name: what follows about it has that name",
        fields: &[ROOM, always("name", Kind::Text, "the new name")],
    },
    Event {
        name: "gone",
        about: "Somebody has ended a room; left follows",
        fields: &[ROOM, always("from", Kind::Text, "who has ended it"), REASON],
    },
    Event {
        name: "left",
        about: "The user is no member of a room any more",
        fields: &[ROOM, always("reason", Kind::Text, "left, kicked, banned or closed")],
    },
    Event {
        name: "presence",
        about: "Who has come and who has gone in a room",
        fields: &[
            ROOM,
            always("v", Kind::Number, "the version: one more than that of the change before"),
            always("count", Kind::Number, "how many are online or away now"),
            sometimes("on", Kind::List(&Kind::Text), "who is online now"),
            sometimes("away", Kind::List(&Kind::Text), "who is away now"),
            sometimes("off", Kind::List(&Kind::Text), "who has gone"),
            sometimes(
                "users",
                Kind::List(&Kind::Pair),
                "instead of changes all who are there: \
                       their names, each with online or away",
            ),
        ],
    },
    Event {
        name: "typing",
        about: "Who types in a room",
        fields: &[ROOM, always("users", Kind::List(&Kind::Text), "all who type now")],
    },
    Event {
        name: "receipts",
        about: "How far others have read in a room",
        fields: &[
            ROOM,
            always("read", Kind::Map(&Kind::Number), "the last seq that each has read, by user"),
            sometimes("own", Kind::True, "you have read so far by another connection of yours"),
        ],
    },
    Event {
        name: "thread",
        about: "The user follows a thread, follows it no more, or has read it, by another of its \
                connections",
        fields: &[
            ROOM,
            THREAD,
            always("following", Kind::Flag, "whether the user follows it"),
            sometimes("read", Kind::Number, "the last seq that the user has read in it"),
        ],
    },
    Event {
        name: "profiles",
        about: "Members of a room have another display name, status text or colour",
        fields: &[
            ROOM,
            always(
                "profiles",
                Kind::Map(&Kind::Object(&PROFILE)),
                "what each says of itself now, \
                    by user",
            ),
        ],
    },
    Event {
        name: "reported",
        about: "Something was reported that the user may settle",
        fields: &[sometimes("room", Kind::Text, "where")],
    },
    Event {
        name: "expires",
        about: "The token ends soon",
        fields: &[always("in_ms", Kind::Number, "in how many ms")],
    },
    Event {
        name: "drain",
        about: "The server sends this client away, and says when to come back",
        fields: &[
            always("reconnect_after_ms", Kind::Number, "when: each client is told another time"),
            always("window_ms", Kind::Number, "over how many ms clients are spread"),
            always("reason", Kind::Text, "restart, or what else"),
        ],
    },
    Event {
        name: "bye",
        about: "Why a plain connection ends, before it does",
        fields: &[
            always("close", Kind::Number, "the close code that a WebSocket would have"),
            always("reason", Kind::Text, "the same in words"),
        ],
    },
    Event {
        name: "ping",
        about: "The server asks a plain connection whether it is there",
        fields: &[],
    },
];

/// Whether the event of this name is a record of a log.
#[must_use]
pub fn is_record(name: &str) -> bool {
    EVENTS.iter().any(|event| {
        event.name == name
            && event.fields.first().is_some_and(|field| field.about == RECORD_ROOM.about)
    })
}
