//! The replies: what `data` has, for each operation.

use super::people::{
    ACCEPTED, AUDIT, BLOCKED, EXPORT, INVITE_LINK, LOGGED_IN, LOGINS, PROFILES, REPORTS,
    SUBSCRIBED, SUBSCRIPTIONS,
};
use super::{BY, EPOCH, Field, Kind, MARKS, MORE, ROOM, Shape, THREAD, always, or_null, sometimes};
use crate::chat::model::command::Op;

/// What `data` of the reply to `op` has.
#[must_use]
pub const fn reply_to(op: Op) -> &'static Shape {
    match op {
        Op::Hello => &WELCOME,
        Op::Register | Op::Login => &LOGGED_IN,
        Op::Ping => &TIME,
        Op::Rooms => &INBOX,
        Op::Create | Op::Join => &JOINED,
        Op::Leave | Op::Close => &LEFT,
        Op::Send
        | Op::Edit
        | Op::Delete
        | Op::React
        | Op::Rename
        | Op::Role
        | Op::Kick
        | Op::Mute
        | Op::Ban
        | Op::Unban => &SENT,
        Op::Topic => &TOPIC,
        Op::Ack => &ACKED,
        Op::History => &PAGE,
        Op::Search => &FOUND,
        Op::Thread => &THREAD_PAGE,
        Op::Threads => &THREADS,
        Op::Presence => &PRESENT,
        Op::Members => &MEMBERS,
        Op::Restrictions => &RESTRICTIONS,
        Op::Logins => &LOGINS,
        Op::InviteLink => &INVITE_LINK,
        Op::Accept => &ACCEPTED,
        Op::Blocked => &BLOCKED,
        Op::Profile | Op::Whois => &PROFILES,
        Op::PushSubscribe => &SUBSCRIBED,
        Op::PushSubscriptions => &SUBSCRIPTIONS,
        Op::Reports => &REPORTS,
        Op::Audit => &AUDIT,
        Op::Export => &EXPORT,
        Op::Directory => &DIRECTORY,
        Op::Help => &HELP,
        Op::Refresh
        | Op::Typing
        | Op::Status
        | Op::Follow
        | Op::Unfollow
        | Op::Invite
        | Op::Uninvite
        | Op::Password
        | Op::EndLogin
        | Op::Block
        | Op::Unblock
        | Op::PushUnsubscribe
        | Op::Report
        | Op::Settle => &DONE,
    }
}

/// `data` of a refusal.
pub const REFUSED: Shape = Shape {
    name: "refused",
    fields: &[
        always("error", Kind::Text, "the name of the code"),
        sometimes("field", Kind::Text, "the field that is wrong"),
        sometimes("expected", Kind::Text, "what would be right, in words"),
        sometimes("hint", Kind::Text, "a value that would be right"),
        sometimes("limit", Kind::Number, "the bound that was passed"),
        sometimes("offset", Kind::Number, "the byte at which it is wrong"),
        sometimes("epoch", Kind::Text, "the present epoch"),
        sometimes("messages", Kind::Number, "how many messages would be lost"),
        sometimes("members", Kind::Number, "how many members would lose them"),
        sometimes("retry_after_ms", Kind::Number, "when the same request can succeed by itself"),
        sometimes("ops", Kind::List(&Kind::Text), "all operations, to an unknown one"),
    ],
};

const DONE: Shape = Shape { name: "done", fields: &[] };

const TIME: Shape = Shape {
    name: "time",
    fields: &[always("time", Kind::Number, "the server's, in ms since 1970")],
};

const INVITATIONS: Field = always(
    "invitations",
    Kind::List(&Kind::Object(&INVITATION)),
    "those that you have neither taken nor declined",
);
const FORMER: Field = sometimes("former", Kind::List(&Kind::Text), "the names that it had before");
const ITEMS: Field = always("items", Kind::List(&Kind::Record), "the records, by seq");
const RECV: Field = always("recv", Kind::Number, "the last seq that your clients have received");
const READ: Field = always("read", Kind::Number, "the last seq that you have read");
const DURABLE: Field =
    always("durable", Kind::Text, "what it survives: replicated, disk, os or memory");

const INVITATION: Shape = Shape {
    name: "invitation",
    fields: &[
        ROOM,
        BY,
        or_null("at", Kind::Number, "when, in ms since 1970"),
        always("reason", Kind::Text, "why, or empty"),
    ],
};

const WELCOME: Shape = Shape {
    name: "welcome",
    fields: &[
        always("user", Kind::Text, "who you are"),
        always("session", Kind::Text, "the secret with which to come back"),
        always("server", Kind::Text, "its name and version"),
        always("time", Kind::Number, "the server's, in ms since 1970"),
        always("resumed", Kind::Flag, "whether the session was known"),
        sometimes(
            "rooms",
            Kind::Map(&Kind::Object(&RESUMED)),
            "how each room of the resume goes on",
        ),
        INVITATIONS,
        sometimes("more_invitations", Kind::True, "there are more, which rooms lists"),
        sometimes("auth", Kind::List(&Kind::Text), "who says who somebody is, unless names do"),
        sometimes("registration", Kind::Text, "who may make an account"),
        sometimes("invites", Kind::Text, "who may make invite links"),
        sometimes("may_invite", Kind::True, "you may make invite links"),
        sometimes("admin", Kind::True, "you are an administrator"),
        always("limits", Kind::Object(&LIMITS), "every bound that you can meet"),
    ],
};

const RESUMED: Shape = Shape {
    name: "resumed",
    fields: &[
        sometimes("from", Kind::Number, "the first seq that is sent now"),
        sometimes("to", Kind::Number, "the last one; from - 1 if there is nothing new"),
        sometimes("gap", Kind::List(&Kind::Number), "the first and the last seq that are left out"),
        sometimes("why", Kind::Text, "of the gap: pruned or limit"),
        sometimes("reset", Kind::True, "the log is another one; forget what you have"),
        sometimes("epoch", Kind::Text, "of the new log"),
        sometimes("seq", Kind::Number, "the last seq of the new log"),
        sometimes("room", Kind::Text, "the name that the room has by now"),
        MARKS,
        sometimes("code", Kind::Number, "it is refused, for this"),
        sometimes("message", Kind::Text, "the beginning of why"),
        sometimes("data", Kind::Object(&REFUSED), "of the refusal: why, and when to try again"),
    ],
};

const LIMITS: Shape = Shape {
    name: "limits",
    fields: &[
        always("message_bytes", Kind::Number, "text and data of a message"),
        always("request_bytes", Kind::Number, "the longest request"),
        always("frame_bytes", Kind::Number, "the longest JSON that the server sends"),
        always("rooms", Kind::Number, "rooms that you can be in"),
        always("sessions", Kind::Number, "your sessions at a time"),
        always("members", Kind::Number, "members of a room"),
        or_null("rate_per_s", Kind::Number, "requests a second, after the burst"),
        or_null("burst", Kind::Number, "requests at once"),
        always("read_ahead", Kind::Number, "bytes that may wait at the rate when you close"),
        always("history_page", Kind::Number, "records of a page"),
        always("ping_ms", Kind::Number, "silence after which you are pinged"),
        always("replay", Kind::Number, "records that a join or resume brings"),
        always("id_bytes", Kind::Number, "of id"),
        always("cid_bytes", Kind::Number, "of cid"),
        always("name_bytes", Kind::Number, "of a user's or a room's name"),
        always("topic_bytes", Kind::Number, "of a topic"),
        always("emoji_bytes", Kind::Number, "of a reaction"),
        always("reason_bytes", Kind::Number, "of a reason"),
        always("search_bytes", Kind::Number, "of the words of a search"),
        always("agent_bytes", Kind::Number, "of agent"),
        always("data_levels", Kind::Number, "of objects and lists in data"),
        always("presence_names", Kind::Number, "members up to which presence has names"),
        always("receipts_members", Kind::Number, "members up to which receipts are told"),
        always("typing_ms", Kind::Number, "for which typing lasts"),
        always("standings", Kind::Number, "bans, mutes and readers of a room"),
        always("room_invitations", Kind::Number, "open invitations of a room"),
        always("user_invitations", Kind::Number, "open invitations of a user"),
        or_null("edit_ms", Kind::Number, "for which a message can be edited"),
        or_null("file_bytes", Kind::Number, "of a file; null if none are taken"),
    ],
};

const INBOX: Shape = Shape {
    name: "inbox",
    fields: &[
        always("rev", Kind::Number, "names this answer, for since"),
        sometimes("full", Kind::True, "you are in no other rooms than these, and those before"),
        sometimes("gone", Kind::List(&Kind::Text), "rooms that you are in no more, since then"),
        sometimes("more", Kind::True, "ask again with this rev"),
        always("rooms", Kind::List(&Kind::Object(&INBOX_ROW)), "your rooms"),
        INVITATIONS,
    ],
};

const INBOX_ROW: Shape = Shape {
    name: "inbox_room",
    fields: &[
        ROOM,
        FORMER,
        EPOCH,
        always("seq", Kind::Number, "the last seq"),
        RECV,
        READ,
        always("unread", Kind::Number, "messages of others above read"),
        always("mentions", Kind::Number, "how many of them name you"),
        sometimes("in_threads", Kind::Number, "how many of them are in threads"),
        or_null("last", Kind::Record, "the last message, its text cut"),
    ],
};

const JOINED: Shape = Shape {
    name: "joined",
    fields: &[
        ROOM,
        EPOCH,
        always("seq", Kind::Number, "the last seq: what follows is above"),
        always("oldest", Kind::Number, "the first seq that is there; seq + 1 if there is none"),
        DURABLE,
        always("role", Kind::Text, "yours: owner, moderator, member or reader"),
        READ,
        RECV,
        always("members", Kind::Number, "how many there are"),
        always("v", Kind::Number, "the version of the presence, from which changes count on"),
        sometimes("topic", Kind::Text, "the topic, if there is one"),
        sometimes("private", Kind::True, "strangers do not learn that it exists"),
        FORMER,
        sometimes("keep_for_ms", Kind::Number, "how long messages are kept"),
        sometimes("keep_records", Kind::Number, "how many records are kept"),
        sometimes("keep_bytes", Kind::Number, "how many bytes are kept"),
        sometimes("reset", Kind::True, "your position is of another log; you begin at seq"),
        MARKS,
    ],
};

const LEFT: Shape = Shape { name: "left", fields: &[ROOM] };

const NOT_MEMBERS: Field = sometimes(
    "not_members",
    Kind::List(&Kind::Text),
    "users whom the text names and who will not see it",
);
const DUP: Field =
    sometimes("dup", Kind::True, "it was so already: sent before with this cid, or no change");

const SENT: Shape = Shape {
    name: "sent",
    fields: &[
        ROOM,
        always("seq", Kind::Number, "the seq of the record"),
        always("at", Kind::Number, "when it was logged, in ms since 1970"),
        DURABLE,
        DUP,
        NOT_MEMBERS,
    ],
};

const TOPIC: Shape = Shape {
    name: "topic",
    fields: &[
        ROOM,
        sometimes("text", Kind::Text, "the topic, if it was asked for"),
        sometimes("seq", Kind::Number, "of the record, if it was set"),
        sometimes("at", Kind::Number, "likewise: when it was logged"),
        sometimes("durable", Kind::Text, "likewise: what it survives"),
        DUP,
    ],
};

const ACKED: Shape = Shape {
    name: "acked",
    fields: &[
        sometimes("room", Kind::Text, "the room's name; nothing is said of a thread"),
        sometimes("recv", Kind::Number, "the last seq that your clients have received"),
        sometimes("read", Kind::Number, "the last seq that you have read"),
    ],
};

const PAGE: Shape = Shape {
    name: "page",
    fields: &[
        ROOM,
        EPOCH,
        ITEMS,
        or_null("first", Kind::Number, "the seq of the first item"),
        or_null("last", Kind::Number, "the seq of the last item"),
        always("oldest", Kind::Number, "the first seq that is there"),
        MORE,
    ],
};

const FOUND: Shape = Shape {
    name: "found",
    fields: &[
        always("items", Kind::List(&Kind::Record), "the messages with their rooms, latest first"),
        sometimes("before", Kind::Number, "to ask for the next page"),
        MORE,
    ],
};

const FOLLOWING: Field = always("following", Kind::Flag, "whether you follow it");

const THREAD_PAGE: Shape = Shape {
    name: "thread",
    fields: &[
        ROOM,
        EPOCH,
        THREAD,
        ITEMS,
        MORE,
        FOLLOWING,
        sometimes("read", Kind::Number, "the last seq that you have read in it"),
        sometimes("unread", Kind::Number, "messages of others above that"),
    ],
};

const THREADS: Shape = Shape {
    name: "threads",
    fields: &[always("items", Kind::List(&Kind::Object(&THREAD_ROW)), "those that you follow")],
};

const THREAD_ROW: Shape = Shape {
    name: "followed_thread",
    fields: &[
        ROOM,
        THREAD,
        always("from", Kind::Text, "who began it"),
        always("text", Kind::Text, "its first message"),
        always("seq", Kind::Number, "the seq of its last message"),
        READ,
        always("unread", Kind::Number, "messages of others above that, up to 100"),
    ],
};

const PRESENT: Shape = Shape {
    name: "present",
    fields: &[
        always("v", Kind::Number, "the version, from which changes count on"),
        always("count", Kind::Number, "how many are online or away"),
        sometimes("users", Kind::List(&Kind::Pair), "their names, each with online or away"),
    ],
};

const MEMBERS: Shape = Shape {
    name: "members",
    fields: &[
        always("count", Kind::Number, "how many there are"),
        always("users", Kind::List(&Kind::Pair), "their names, each with its role"),
        MORE,
    ],
};

const RESTRICTIONS: Shape = Shape {
    name: "restrictions",
    fields: &[
        ROOM,
        always("items", Kind::List(&Kind::Object(&RESTRICTION)), "what holds of whom, by user"),
        MORE,
    ],
};

const RESTRICTION: Shape = Shape {
    name: "restriction",
    fields: &[
        always("user", Kind::Text, "of whom"),
        always("kind", Kind::Text, "ban, mute, reader or invitation"),
        or_null("until", Kind::Number, "when it ends, in ms since 1970"),
        BY,
        or_null("at", Kind::Number, "when, in ms since 1970"),
        always("reason", Kind::Text, "why, or empty"),
    ],
};

const DIRECTORY: Shape = Shape {
    name: "directory",
    fields: &[
        always("items", Kind::List(&Kind::Object(&LISTED_ROOM)), "by name"),
        sometimes("after", Kind::Text, "to ask for the next page"),
        MORE,
    ],
};

const LISTED_ROOM: Shape = Shape {
    name: "listed_room",
    fields: &[
        ROOM,
        always("members", Kind::Number, "how many there are"),
        sometimes("at", Kind::Number, "when something was last said, in ms since 1970"),
        sometimes("topic", Kind::Text, "the topic, if there is one"),
        sometimes("by_invitation", Kind::True, "one enters by invitation"),
    ],
};

const HELP: Shape = Shape {
    name: "help",
    fields: &[
        always("auth", Kind::List(&Kind::Text), "who says who somebody is"),
        sometimes("registration", Kind::Text, "who may make an account"),
        sometimes("invites", Kind::Text, "who may make invite links"),
        always("ops", Kind::List(&Kind::Object(&OPERATION)), "the operations, or the one"),
    ],
};

const OPERATION: Shape = Shape {
    name: "operation",
    fields: &[
        always("op", Kind::Text, "its name"),
        always("about", Kind::Text, "what it does"),
        always("supported", Kind::Flag, "whether this server has it"),
        always("fields", Kind::Map(&Kind::Text), "its fields, with what each means"),
    ],
};
