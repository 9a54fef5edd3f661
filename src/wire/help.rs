//! The table of the operations: `help` answers with it, the documentation shows it, and unknown
//! words are compared with it.

use crate::chat::model::code::Code;
use crate::chat::model::command::Op;
use crate::chat::model::reply::Refusal;
use crate::wire::field_key::Key;

/// Bytes of the longest name of an operation that is compared with others or echoed.
pub(super) const OP_LEN_MAX: usize = 32;

/// A field of an operation, and its meaning there.
pub(super) type Field = (Key, &'static str);

/// One operation.
pub(super) struct Entry {
    /// What it does, as a sentence.
    pub(super) about: &'static str,
    /// The fields that the parser reads for it.
    pub(super) fields: &'static [Field],
    /// Whether this server has it.
    pub(super) is_supported: bool,
}

const AGENT: Field = (Key::Agent, "the name of your program, optional");
const ROOM: Field = (Key::Room, "the room's name");
const TARGET: Field = (Key::Target, "the seq of the message");
const USER: Field = (Key::User, "the user's name");
const REASON: Field = (Key::Reason, "why, optional");
const ROLE: Field = (Key::Role, "\"owner\", \"moderator\", \"member\" or \"reader\"");
const THREAD: Field = (Key::Thread, "the seq of the message that began the thread");
const EPOCH: Field = (Key::Epoch, "the epoch in which the seqs count, optional");
const LIMIT: Field = (Key::Limit, "how many at most, optional");
const FOR_MS: Field = (Key::ForMs, "for how many milliseconds; without it, until it is ended");

/// The entry of `op`.
#[expect(clippy::too_many_lines, reason = "a line or two for each operation")]
pub(super) const fn entry(op: Op) -> Entry {
    let (about, fields): (_, &'static [Field]) = match op {
        Op::Hello => ("Opens the session; comes first", HELLO),
        Op::Register => (
            "Makes an account and logs in; before hello",
            &[
                (Key::Name, "the name of the account"),
                (Key::Password, "8 to 256 bytes"),
                (Key::Invite, "the secret of an invite link, where one is needed"),
                AGENT,
            ],
        ),
        Op::Login => (
            "Logs in; before hello, which takes the token",
            &[(Key::Name, "the name of the account"), (Key::Password, "its password"), AGENT],
        ),
        Op::Password => (
            "Changes your password, and ends your other logins",
            &[(Key::Old, "your password"), (Key::New, "the new one, 8 to 256 bytes")],
        ),
        Op::Logins => ("Lists where you are logged in", &[]),
        Op::EndLogin => {
            ("Ends logins of yours", &[(Key::Login, "the id of one, \"others\" or \"all\"")])
        }
        Op::InviteLink => (
            "Makes a link that lets others register",
            &[
                (Key::Uses, "how often it can be used, 1 without it"),
                (Key::ForMs, "for how many milliseconds, 7 days without it"),
                (Key::Rooms, "the rooms that it leads into, optional"),
            ],
        ),
        Op::Accept => {
            ("Uses an invite link for its rooms", &[(Key::Invite, "the secret of the link")])
        }
        Op::Block => {
            ("Lets you hear nothing of a user any more, who does not learn of it", &[USER])
        }
        Op::Unblock => ("Ends that", &[USER]),
        Op::Blocked => ("Lists whom you have blocked", &[]),
        Op::PushSubscribe => ("Has a device told of direct messages while you are away", PUSHED),
        Op::PushUnsubscribe => (
            "Has a device told no more",
            &[(Key::Subscription, "its id, or instead"), (Key::Endpoint, "its endpoint")],
        ),
        Op::PushSubscriptions => {
            ("Lists your devices that are told, with the key that another one needs", &[])
        }
        Op::Report => ("Reports a message or a user to the moderators or administrators", REPORT),
        Op::Reports => (
            "Lists what was reported, for those who may settle it",
            &[
                (Key::Room, "only of this room, optional"),
                (Key::After, "the id of the last report of the page before, optional"),
                LIMIT,
            ],
        ),
        Op::Settle => ("Ends a report", &[(Key::Report, "its id")]),
        Op::Audit => (
            "Lists what was done over others: in a room of yours, to administrators everywhere",
            &[
                (Key::Room, "the room's name; optional for administrators"),
                (Key::Before, "the id of the last act of the page before, optional"),
                LIMIT,
            ],
        ),
        Op::Export => (
            "Gives you what is kept of you, part by part",
            &[(Key::After, "the after of the last reply, for the next part, optional")],
        ),
        Op::Profile => (
            "Reads or changes your display name, your status text and your name's colour; what is not given stays",
            PROFILE,
        ),
        Op::Whois => (
            "Gives the display names, status texts and colours of users with whom you share a room",
            &[(Key::Users, "their names, up to 50")],
        ),
        Op::Ping => ("Asks for the server's time", &[]),
        Op::Rooms => (
            "Lists your rooms with their unread messages, and how many of these name you",
            &[(Key::Since, "the rev of the last reply, for changes since then only, optional")],
        ),
        Op::Directory => (
            "Lists the rooms that everybody may find, with their topics, members and last word",
            DIRECTORY,
        ),
        Op::Create => ("Creates a room with you as its owner", CREATE),
        Op::Join => (
            "Joins a room",
            &[ROOM, (Key::After, "the last seq you have; 0 for all there are; optional"), EPOCH],
        ),
        Op::Leave => ("Leaves a room for good, or declines an invitation", LEAVE),
        Op::Send => ("Sends a message", SEND),
        Op::Ack => ("Tells how far you have received and read", ACK),
        Op::Typing => ("Tells the room that you are typing", &[ROOM]),
        Op::Status => {
            ("Tells whether you are at your device", &[(Key::Status, "\"online\" or \"away\"")])
        }
        Op::History => ("Reads a page of a room's log", HISTORY),
        Op::Presence => ("Lists who is online in a room", &[ROOM]),
        Op::Members => ("Lists a room's members", MEMBERS),
        Op::Topic => {
            ("Reads or sets a room's topic", &[ROOM, (Key::Text, "the new topic, optional")])
        }
        Op::Rename => ("Gives a room another name; the one of before leads to it still", RENAME),
        Op::Close => ("Ends a room of yours for all who are in it, with all that was said", CLOSE),
        Op::Help => ("Explains the operations", &[(Key::Of, "one operation, optional")]),
        Op::Refresh => ("Renews the token", &[(Key::Token, "the new token")]),
        Op::Search => ("Searches the messages of your rooms", SEARCH),
        Op::Thread => ("Reads a page of a thread, and your mark in it", THREAD_PAGE),
        Op::Threads => (
            "Lists the threads that you follow, with their unread messages",
            &[(Key::Room, "only in this room, optional")],
        ),
        Op::Follow => ("Follows a thread, as who writes in it does", &[ROOM, THREAD]),
        Op::Unfollow => ("Ends that", &[ROOM, THREAD]),
        Op::Edit => ("Changes a message of yours", &[ROOM, TARGET, (Key::Text, "the new text")]),
        Op::Delete => ("Deletes a message of yours or, as a moderator, of others", &[ROOM, TARGET]),
        Op::React => ("Adds a reaction to a message, or removes it", REACT),
        Op::Invite => {
            ("Invites a user, who may then join a private room, too", &[ROOM, USER, REASON])
        }
        Op::Uninvite => ("Withdraws an invitation", &[ROOM, USER]),
        Op::Role => ("Changes a member's role", &[ROOM, USER, ROLE, REASON]),
        Op::Kick => ("Removes a member from a room", &[ROOM, USER, REASON]),
        Op::Mute => (
            "Stops a member from sending; with 0 for the time, ends that",
            &[ROOM, USER, FOR_MS, REASON],
        ),
        Op::Ban => ("Keeps a user out of a room", &[ROOM, USER, FOR_MS, REASON]),
        Op::Unban => ("Ends a ban", &[ROOM, USER, REASON]),
        Op::Restrictions => {
            ("Lists the bans, mutes, readers and invitations of a room that you may end", LISTED)
        }
    };
    Entry { about, fields, is_supported: true }
}

const DIRECTORY: &[Field] = &[
    (Key::Text, "only rooms with this in their name or topic, optional"),
    (Key::After, "the after of the last reply, for the next page, optional"),
    LIMIT,
];
const PUSHED: &[Field] = &[
    (Key::Endpoint, "of the browser's push subscription"),
    (Key::P256dh, "likewise"),
    (Key::Auth, "likewise"),
    AGENT,
];
const PROFILE: &[Field] = &[
    (
        Key::Display,
        "what you are called beside your name, up to 64 bytes; empty for none; optional",
    ),
    (Key::Text, "your status text, up to 160 bytes; empty for none; optional"),
    (Key::ForMs, "for how many milliseconds the text holds; without it, until you change it"),
    (
        Key::Color,
        "red, orange, yellow, green, teal, blue, purple or pink; empty for none; optional",
    ),
];
const REPORT: &[Field] = &[
    (Key::Room, "the room's name; needed for a message"),
    (Key::Target, "the seq of the message, or instead"),
    (Key::User, "the user's name"),
    REASON,
];
const MEMBERS: &[Field] =
    &[ROOM, (Key::After, "the last name of the page before, optional"), LIMIT];
const LISTED: &[Field] = &[ROOM, (Key::After, "the last user of the page before, optional"), LIMIT];
const HELLO: &[Field] = &[
    (Key::Name, "the name you want, optional"),
    (Key::Token, "a token, where the server asks for one"),
    AGENT,
    (Key::Version, "1, optional"),
    (Key::Resume, "{\"session\":…,\"rooms\":{room:[epoch,seq],…}} to resume a session, optional"),
    (
        Key::Ping,
        "true to be sent {\"ev\":\"ping\"} when the line is silent (plain TCP only), optional",
    ),
];
const LEAVE: &[Field] =
    &[ROOM, (Key::Close, "whether a private room ends with you, its last member, optional")];
const RENAME: &[Field] = &[ROOM, (Key::Name, "the name that it is to have")];
const CLOSE: &[Field] = &[
    ROOM,
    REASON,
    (Key::Sure, "whether you know what is lost: without it you are told; optional"),
];
const CREATE: &[Field] = &[
    ROOM,
    (Key::Topic, "its topic, optional"),
    (Key::Private, "whether strangers cannot see it, optional"),
    (Key::Policy, "a policy instead of that of its name, optional"),
];
const SEND: &[Field] = &[
    (Key::Room, "the room's name, or instead"),
    (Key::To, "the user's name"),
    (Key::Text, "the message; @name and @room in it name a user, or all of the room"),
    (Key::Cid, "your own id of the message: sent twice, it is stored once; optional"),
    (Key::ReplyTo, "the seq of the message you reply to, optional"),
    (Key::Thread, "the seq of the message that began the thread, optional"),
    (Key::Data, "JSON that is passed on unchanged, optional"),
    (Key::Echo, "whether you want the event beside the reply, optional"),
];
const ACK: &[Field] = &[
    ROOM,
    (Key::Recv, "the last seq you have received"),
    (Key::Read, "the last seq you have read"),
    (
        Key::Thread,
        "the seq of the message that began a thread, if read is about that alone, optional",
    ),
    EPOCH,
];
const REACT: &[Field] = &[
    ROOM,
    TARGET,
    (Key::Emoji, "the reaction, up to 64 bytes"),
    (Key::Remove, "whether to remove it, optional"),
];
const HISTORY: &[Field] = &[
    ROOM,
    (Key::Before, "only records below this seq, or instead"),
    (Key::After, "only records above this seq, or instead"),
    (Key::Around, "records around this seq; without all three, the latest"),
    LIMIT,
    EPOCH,
];
const THREAD_PAGE: &[Field] = &[
    ROOM,
    THREAD,
    (Key::Before, "only messages below this seq; without it, the latest; optional"),
    LIMIT,
];
const SEARCH: &[Field] = &[
    (Key::Text, "the words to search for; the last one may be a beginning"),
    (Key::Room, "only in this room, optional"),
    (Key::Before, "the before of the last reply, for the next page, optional"),
    LIMIT,
];

/// One operation, for documents.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The word that stands in `op`.
    pub name: &'static str,
    /// What it does, as a sentence.
    pub about: &'static str,
    /// Its fields: name, meaning, and what is expected there.
    pub fields: Vec<(&'static str, &'static str, &'static str)>,
}

/// All operations, in the order of `help`.
pub fn operations() -> impl Iterator<Item = Operation> {
    Op::ALL.iter().map(|&op| {
        let Entry { about, fields, .. } = entry(op);
        let fields = fields.iter().map(|(key, about)| (key.name(), *about, key.expected()));
        Operation { name: op.name(), about, fields: fields.collect() }
    })
}

/// The names of all operations, for a refusal.
pub(super) fn ops() -> String {
    let names: Vec<&str> = Op::ALL.iter().map(|op| op.name()).collect();
    format!("one of {}", names.join(", "))
}

/// The operation whose name is most like `name`, if it is a likely misspelling of it.
pub(super) fn nearest(name: &str) -> Option<Op> {
    if name.len() > OP_LEN_MAX {
        return None;
    }
    let name = name.trim().to_lowercase();
    // Two slips are likely in a long name, while half of a short one is another word.
    let distances = Op::ALL.iter().map(|&op| (strsim::damerau_levenshtein(op.name(), &name), op));
    let (distance, op) = distances.min_by_key(|&(distance, _)| distance)?;
    (distance <= 2 && distance < op.name().len().div_ceil(2)).then_some(op)
}

/// The refusal of an unknown operation. The reply lists the known ones.
#[cold]
pub(super) fn unknown_op(name: &str) -> Box<Refusal> {
    let shown: String = name.chars().take(OP_LEN_MAX).collect();
    let refusal = Refusal::new(Code::UnknownOp, format!("there is no operation {shown:?}"));
    let hint = nearest(name).map(|op| op.name().to_owned());
    Box::new(refusal.field("op", ops()).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_and_each_field_has_its_words() {
        for &op in Op::ALL {
            let Entry { about, fields, .. } = entry(op);
            assert!(!about.is_empty(), "{op:?}");
            for (key, about) in fields {
                assert!(!about.is_empty() && !key.expected().is_empty(), "{op:?} {key:?}");
            }
        }
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_operation() {
        for (word, near) in [
            ("jion", Some(Op::Join)),
            ("SEND", Some(Op::Send)),
            ("hostory", Some(Op::History)),
            ("message", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word), near, "{word}");
        }
        assert_eq!(nearest(&"send".repeat(1000)), None);
    }
}
