//! Edits of messages, and moderation.

use super::*;

#[test]
fn what_renames_and_ends_rooms_is_read() {
    let room = || Cow::from("lobby");
    check(
        r#"{"op":"leave","room":"lobby","close":true}"#,
        None,
        &Command::LeaveAndClose { room: room() },
    );
    let close =
        |reason: &'static str, sure| Command::Close { room: room(), reason: reason.into(), sure };
    check(r#"{"op":"close","room":"lobby"}"#, None, &close("", false));
    check(r#"{"op":"close","room":"lobby","reason":"x","sure":true}"#, None, &close("x", true));
    check(
        r#"{"op":"rename","room":"lobby","name":"den"}"#,
        None,
        &Command::Rename { room: room(), name: "den".into() },
    );
}

#[test]
fn edits_and_moderation_are_read() {
    let (room, user) = (|| Cow::from("lobby"), || Cow::from("bob"));
    check(
        r#"{"op":"edit","room":"lobby","target":7,"text":"a\nb"}"#,
        None,
        &Command::Edit { room: room(), target: 7, text: "a\nb".into(), weight: 5 },
    );
    check(
        r#"{"op":"delete","room":"lobby","target":7}"#,
        None,
        &Command::Delete { room: room(), target: 7 },
    );
    let react =
        |remove| Command::React { room: room(), target: 7, emoji: "+1".into(), remove, weight: 2 };
    check(r#"{"op":"react","room":"lobby","target":7,"emoji":"+1"}"#, None, &react(false));
    check(
        r#"{"op":"react","room":"lobby","target":7,"emoji":"+1","remove":true}"#,
        None,
        &react(true),
    );
    check(
        r#"{"op":"invite","room":"lobby","user":"bob"}"#,
        None,
        &Command::Invite { room: room(), user: user(), reason: "".into() },
    );
    check(
        r#"{"op":"invite","room":"lobby","user":"bob","reason":"tea"}"#,
        None,
        &Command::Invite { room: room(), user: user(), reason: "tea".into() },
    );
    check(
        r#"{"op":"uninvite","room":"lobby","user":"bob"}"#,
        None,
        &Command::Uninvite { room: room(), user: user() },
    );
    check(
        r#"{"op":"restrictions","room":"lobby","limit":5,"after":"bob"}"#,
        None,
        &Command::Restrictions { room: room(), limit: Some(5), after: Some(user()) },
    );
    check(r#"{"op":"leave","room":"lobby"}"#, None, &Command::Leave { room: room() });
    let roles = [Role::Owner, Role::Moderator, Role::Member, Role::Reader];
    let roles = roles.map(|role| {
        let fields = format!(r#""op":"role","role":"{}""#, role.name());
        (fields, ModerationCommand::Role(role))
    });
    let others = [
        (r#""op":"kick""#, ModerationCommand::Kick),
        (r#""op":"mute""#, ModerationCommand::Mute(None)),
        (r#""op":"mute","for_ms":0"#, ModerationCommand::Mute(Some(0))),
        (r#""op":"ban""#, ModerationCommand::Ban(None)),
        (r#""op":"ban","for_ms":9007199254740991"#, ModerationCommand::Ban(Some((1 << 53) - 1))),
        (r#""op":"unban""#, ModerationCommand::Unban),
    ];
    let others = others.map(|(fields, command)| (fields.to_owned(), command));
    for (fields, command) in roles.into_iter().chain(others) {
        for (given, reason, weight) in [("", "", 0), (r#","reason":"sp\"m""#, "sp\"m", 5)] {
            let text = format!(r#"{{{fields},"room":"lobby","user":"bob"{given}}}"#);
            let reason = reason.into();
            let expect = Command::Moderate { room: room(), user: user(), command, reason, weight };
            check(&text, None, &expect);
        }
    }
}

#[test]
fn a_bad_edit_or_moderation_is_refused_with_its_field() {
    let long = |len| "x".repeat(len);
    for (fields, code, field) in [
        (r#""op":"edit","room":"a","text":"b""#.to_owned(), 1003, "target"),
        (r#""op":"edit","room":"a","target":-1,"text":"b""#.to_owned(), 1003, "target"),
        (r#""op":"edit","room":"a","target":1"#.to_owned(), 1003, "text"),
        (r#""op":"edit","room":"a","target":1,"text":"""#.to_owned(), 1003, "text"),
        (format!(r#""op":"edit","room":"a","target":1,"text":"{}""#, long(101)), 4001, "text"),
        (r#""op":"delete","target":1"#.to_owned(), 1003, "room"),
        (r#""op":"delete","room":"a","target":9007199254740992"#.to_owned(), 1003, "target"),
        (r#""op":"react","room":"a","target":1"#.to_owned(), 1003, "emoji"),
        (r#""op":"react","room":"a","target":1,"emoji":"""#.to_owned(), 1003, "emoji"),
        (r#""op":"react","room":"a","target":1,"emoji":"\u0007""#.to_owned(), 1003, "emoji"),
        (format!(r#""op":"react","room":"a","target":1,"emoji":"{}""#, long(65)), 1003, "emoji"),
        (r#""op":"react","room":"a","target":1,"emoji":"b","remove":1"#.to_owned(), 1003, "remove"),
        (r#""op":"search""#.to_owned(), 1003, "text"),
        (r#""op":"search","text":" ""#.to_owned(), 1003, "text"),
        (format!(r#""op":"search","text":"{}""#, long(257)), 4001, "text"),
        (r#""op":"invite","room":"a""#.to_owned(), 1003, "user"),
        (r#""op":"role","room":"a","user":"b""#.to_owned(), 1003, "role"),
        (r#""op":"role","room":"a","user":"b","role":"king""#.to_owned(), 1003, "role"),
        (r#""op":"kick","room":"a","user":1"#.to_owned(), 1003, "user"),
        (r#""op":"mute","room":"a","user":"b","for_ms":1.5"#.to_owned(), 1003, "for_ms"),
        (r#""op":"ban","room":"a","user":"b","for_ms":0"#.to_owned(), 1003, "for_ms"),
        (format!(r#""op":"ban","room":"a","user":"b","reason":"{}""#, long(257)), 4001, "reason"),
        (r#""op":"create","room":"a","policy":1"#.to_owned(), 1003, "policy"),
    ] {
        check_refused(&format!("{{{fields}}}"), code, Some(field), "");
    }
    check(
        r#"{"op":"create","room":"lobby","policy":"archive"}"#,
        None,
        &Command::Create {
            room: "lobby".into(),
            topic: None,
            private: false,
            policy: Some("archive".into()),
        },
    );
}

#[test]
fn the_seq_of_a_message_is_one_or_more() {
    for (fields, field) in [
        (r#""op":"edit","text":"b","target""#, "target"),
        (r#""op":"delete","target""#, "target"),
        (r#""op":"react","emoji":"+1","target""#, "target"),
        (r#""op":"send","text":"b","reply_to""#, "reply_to"),
        (r#""op":"send","text":"b","thread""#, "thread"),
    ] {
        for seq in ["0", "-1", "1.5", "\"1\"", "9007199254740992"] {
            let text = format!(r#"{{"room":"a",{fields}:{seq}}}"#);
            check_refused(&text, 1003, Some(field), "an integer of 1 or more and below 2^53");
        }
    }
}
