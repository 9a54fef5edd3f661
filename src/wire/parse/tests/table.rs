//! The table of `help` against the parser.

use super::*;
use crate::wire::field_key::Key;
use crate::wire::help;

/// A key and a secret of a device.
const KEY: &str =
    "\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\"";
const SECRET: &str = "\"BTBZMqHH6r4Tts7J_aSIgg\"";

/// The fields without which `op` is refused.
fn required(op: Op) -> Vec<(&'static str, &'static str)> {
    let (room, user, target) = (("room", "\"a\""), ("user", "\"bob\""), ("target", "1"));
    match op {
        Op::Hello
        | Op::Ping
        | Op::Rooms
        | Op::Help
        | Op::Logins
        | Op::InviteLink
        | Op::Blocked
        | Op::Profile
        | Op::PushSubscriptions
        | Op::Reports
        | Op::Audit
        | Op::Threads
        | Op::Directory
        | Op::Export => vec![],
        Op::PushSubscribe => {
            vec![("endpoint", "\"https://a\""), ("p256dh", KEY), ("auth", SECRET)]
        }
        Op::PushUnsubscribe => vec![("subscription", "1")],
        Op::Whois => vec![("users", "[\"bob\"]")],
        Op::Settle => vec![("report", "1")],
        Op::Block | Op::Unblock => vec![user],
        Op::Refresh => vec![("token", "\"x\"")],
        Op::Register | Op::Login => vec![("name", "\"ann\""), ("password", "\"12345678\"")],
        Op::Password => vec![("old", "\"12345678\""), ("new", "\"12345678\"")],
        Op::EndLogin => vec![("login", "1")],
        Op::Accept => vec![("invite", "\"cwi_\"")],
        Op::Create
        | Op::Join
        | Op::Leave
        | Op::Typing
        | Op::History
        | Op::Presence
        | Op::Members
        | Op::Restrictions
        | Op::Close
        | Op::Topic => vec![room],
        Op::Rename => vec![room, ("name", "\"den\"")],
        Op::Thread | Op::Follow | Op::Unfollow => vec![room, ("thread", "1")],
        Op::Send => vec![room, ("text", "\"hi\"")],
        Op::Ack => vec![room, ("recv", "1"), ("read", "1")],
        Op::Status => vec![("status", "\"away\"")],
        Op::Search => vec![("text", "\"tea\"")],
        Op::Edit => vec![room, target, ("text", "\"hi\"")],
        Op::Delete | Op::Report => vec![room, target],
        Op::React => vec![room, target, ("emoji", "\"+1\"")],
        Op::Invite | Op::Uninvite | Op::Kick | Op::Mute | Op::Ban | Op::Unban => vec![room, user],
        Op::Role => vec![room, user, ("role", "\"owner\"")],
    }
}

/// The least that may be said of `op`, with the id 9.
pub(crate) fn least(op: Op) -> String {
    let mut text = format!(r#"{{"op":"{}","id":9"#, op.name());
    for (name, value) in required(op) {
        text.extend([",\"", name, "\":", value]);
    }
    text.push('}');
    text
}

/// Whether a value that no field takes is refused in this one, which means that the parser reads
/// it.
fn is_read(op: Op, key: Key) -> bool {
    let others = required(op).into_iter().filter(|(name, _)| *name != key.name());
    // An array of a number that no double holds is wrong even for `data`, which may be any JSON.
    let mut text = format!(r#"{{"op":"{}","{}":[1e999]"#, op.name(), key.name());
    for (name, value) in others {
        text.extend([",\"", name, "\":", value]);
    }
    text.push('}');
    match parse(&text, &limits()) {
        Ok(_) => false,
        Err(refused) => {
            assert_eq!(refused.refusal.field, Some(key.name()), "{text}: {refused:?}");
            true
        }
    }
}

#[test]
fn the_parser_reads_the_fields_that_help_lists_and_no_others() {
    for &op in Op::ALL {
        let entry = help::entry(op);
        for &key in Key::ALL.iter().filter(|key| !matches!(key, Key::Op | Key::Id)) {
            let is_listed = entry.fields.iter().any(|&(listed, _)| listed == key);
            // An unsupported operation reads nothing; `topic` is a likely mistake for its `text`.
            let expect = (is_listed && entry.is_supported) || (op, key) == (Op::Topic, Key::Topic);
            assert_eq!(is_read(op, key), expect, "{} {}", op.name(), key.name());
        }
    }
}
