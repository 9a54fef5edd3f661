//! Right requests, and each way of being wrong.

mod moderation;
mod people;
mod prose;
pub(crate) mod table;
mod threads;

use proptest::prelude::*;

use super::*;
use crate::chat::model::account::Hidden;
use crate::chat::model::command::{ModerationCommand, Page, Position, Resume, Send, Target};
use crate::chat::model::reply::Role;

fn limits() -> Limits {
    Limits { message_bytes: 100, rooms_per_user: 3, ..Limits::default() }
}

#[track_caller]
fn check(text: &str, id: Option<&str>, expect: &Command<'_>) {
    let (request, parsed) = parse(text, &limits()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(request.id, id.map(|id| RequestId(id.into())), "{text}");
    assert_eq!(parsed, Parsed::Command(expect.clone()), "{text}");
}

/// `words` stand in the message or in what is expected.
#[track_caller]
fn check_refused(text: &str, code: u16, field: Option<&str>, words: &str) -> Box<Refused> {
    let refused = parse(text, &limits()).unwrap_err();
    let refusal = &refused.refusal;
    assert_eq!((refusal.code.number(), refusal.field), (code, field), "{text:.200} {refusal:?}");
    let said = format!("{}, expected {:?}", refusal.message, refusal.expected);
    assert!(said.contains(words), "{said}");
    assert!(said.len() < 600, "{said}");
    refused
}

#[track_caller]
fn check_bad_json(text: &str, offset: u64) {
    let refused = check_refused(text, 1001, None, "");
    assert_eq!(refused.refusal.offset, Some(offset), "{text:.200}");
}

fn send(text: &str) -> Send<'_> {
    Send {
        target: Target::Room("lobby".into()),
        text: text.into(),
        cid: None,
        reply_to: None,
        thread: None,
        data: None,
        echo: false,
        weight: u32::try_from(text.len()).unwrap(),
    }
}

#[test]
fn each_operation_is_read() {
    let room = || Cow::from("lobby");
    let epoch = || Some(Cow::from("k3f9"));
    check(r#"{"op":"ping"}"#, None, &Command::Ping);
    check(r#"{"op":"rooms","since":7}"#, None, &Command::Rooms { since: Some(7) });
    check(
        r#"{"op":"create","room":"lobby","topic":"tea","private":true}"#,
        None,
        &Command::Create { room: room(), topic: Some("tea".into()), private: true, policy: None },
    );
    check(
        r#"{"op":"join","id":2,"room":"lobby","after":0,"epoch":"k3f9"}"#,
        Some("2"),
        &Command::Join { room: room(), after: Some(0), epoch: epoch() },
    );
    check(
        r#"{"room":"lobby","op":"leave","id":"x"}"#,
        Some("\"x\""),
        &Command::Leave { room: room() },
    );
    check(
        r#"{"op":"ack","room":"lobby","read":123,"epoch":"k3f9"}"#,
        None,
        &Command::Ack { room: room(), recv: None, read: Some(123), epoch: epoch() },
    );
    check(r#"{"op":"typing","room":"lobby"}"#, None, &Command::Typing { room: room() });
    check(r#"{"op":"status","status":"away"}"#, None, &Command::Status { away: true });
    check(r#"{"op":"status","status":"online"}"#, None, &Command::Status { away: false });
    check(
        r#"{"op":"history","room":"lobby","before":100,"limit":50,"epoch":"k3f9"}"#,
        None,
        &Command::History {
            room: room(),
            page: Page::Before(100),
            limit: Some(50),
            epoch: epoch(),
        },
    );
    check(r#"{"op":"presence","room":"lobby"}"#, None, &Command::Presence { room: room() });
    check(
        r#"{"op":"members","room":"lobby","limit":9007199254740991,"after":"ann"}"#,
        None,
        &Command::Members { room: room(), limit: Some(u32::MAX), after: Some("ann".into()) },
    );
    check(
        r#"{"op":"topic","room":"lobby","text":"a\nb"}"#,
        None,
        &Command::Topic { room: room(), text: Some("a\nb".into()), weight: 5 },
    );
    check(
        r#"{"op":"topic","room":"lobby"}"#,
        None,
        &Command::Topic { room: room(), text: None, weight: 0 },
    );
    check(r#"{"op":"refresh","token":"x"}"#, None, &Command::Refresh { token: Hidden::new("x") });
    check(
        r#"{"op":"search","text":"tea le","room":"lobby","before":9,"limit":3}"#,
        None,
        &Command::Search {
            room: Some(room()),
            text: "tea le".into(),
            before: Some(9),
            limit: Some(3),
        },
    );
}

#[test]
fn a_message_is_read_with_everything_it_may_have() {
    check(r#"{"op":"send","room":"lobby","text":"hi"}"#, None, &Command::Send(send("hi")));
    let all = Send {
        target: Target::User("bob".into()),
        cid: Some("c\"1".into()),
        reply_to: Some(3),
        thread: Some((1 << 53) - 1),
        data: Some(r#"{"a": [1]}"#.into()),
        echo: true,
        weight: 2 + 10 + 4,
        ..send("hi")
    };
    check(
        r#"{"op":"send","to":"bob","text":"hi","cid":"c\"1","reply_to":3,"thread":9007199254740991,
            "data" : {"a": [1]} ,"echo":true}"#,
        None,
        &Command::Send(all),
    );
    let data = Send { data: Some("0".into()), weight: 1, ..send("") };
    check(r#"{"op":"send","room":"lobby","data":0}"#, None, &Command::Send(data));
    let text = "\u{e9}\u{1f600}\u{2028}";
    check(
        r#"{"op":"send","room":"lobby","text":"\u00e9\ud83d\ude00\u2028"}"#,
        None,
        &Command::Send(send(text)),
    );
}

#[test]
fn a_text_without_escapes_is_not_copied() {
    let request = r#"{"op":"send","room":"lobby","text":"hi"}"#;
    let (_, Parsed::Command(Command::Send(send))) = parse(request, &limits()).unwrap() else {
        panic!()
    };
    assert!(matches!(send.text, Cow::Borrowed(_)));
    assert!(matches!(send.target, Target::Room(Cow::Borrowed(_))));
}

#[test]
fn hello_may_bring_the_positions_of_a_former_session() {
    check(
        r#"{"op":"hello"}"#,
        None,
        &Command::Hello { name: None, resume: None, ping: false, token: None },
    );
    let position = |room: &'static str, epoch: &'static str, seq| Position {
        room: room.into(),
        epoch: epoch.into(),
        seq,
    };
    check(
        r#"{"op":"hello","id":1,"version":1,"token":"x","agent":"websocat","name":"ann","resume":
            {"x":[{}],"session":"s9f","rooms":{"lobby":["k3f9",123],"@ann:bob":["z1",0]}}}"#,
        Some("1"),
        &Command::Hello {
            name: Some("ann".into()),
            resume: Some(Resume {
                session: "s9f".into(),
                positions: vec![position("lobby", "k3f9", 123), position("@ann:bob", "z1", 0)],
                former: None,
            }),
            ping: false,
            token: Some(Hidden::new("x")),
        },
    );
    check(
        r#"{"op":"hello","ping":true}"#,
        None,
        &Command::Hello { name: None, resume: None, ping: true, token: None },
    );
    check(
        r#"{"op":"hello","resume":{"session":"s9f"}}"#,
        None,
        &Command::Hello {
            name: None,
            resume: Some(Resume { session: "s9f".into(), positions: Vec::new(), former: None }),
            ping: false,
            token: None,
        },
    );
}

#[test]
fn a_bad_hello_is_refused() {
    let refused = |fields: &str, code, field| {
        check_refused(&format!(r#"{{"op":"hello",{fields}}}"#), code, Some(field), "");
    };
    refused(r#""version":2"#, 1005, "version");
    refused(r#""version":"1""#, 1003, "version");
    refused(r#""ping":1"#, 1003, "ping");
    refused(r#""token":1"#, 1003, "token");
    refused(r#""name":["ann"]"#, 1003, "name");
    refused(&format!(r#""agent":"{}""#, "x".repeat(129)), 1003, "agent");
    for resume in [
        "1",
        "[]",
        "\"s\"",
        "{}",
        r#"{"session":1}"#,
        r#"{"session":""}"#,
        r#"{"session":"\ud800"}"#,
        r#"{"session":"s","session":"t"}"#,
        r#"{"session":"s","rooms":[]}"#,
        r#"{"session":"s","rooms":{"a":["e",1],"a":["e",1]}}"#,
        r#"{"session":"s","rooms":{"a":["e",1],"b":["e",1],"a":["e",2]}}"#,
        r#"{"session":"s","rooms":{"a":["e",1],"b":["e",1],"c":["e",1],"d":["e",1]}}"#,
        r#"{"session":"s","rooms":{"a":["e",-1]}}"#,
        r#"{"session":"s","rooms":{"a":["e",9007199254740992]}}"#,
        r#"{"session":"s","rooms":{"a":["e",1.0]}}"#,
        r#"{"session":"s","rooms":{"a":["e"]}}"#,
        r#"{"session":"s","rooms":{"a":["e",1,2]}}"#,
        r#"{"session":"s","rooms":{"a":["",1]}}"#,
    ] {
        refused(&format!(r#""resume":{resume}"#), 1003, "resume");
    }
    refused(&format!(r#""resume":{{"session":"{}"}}"#, "s".repeat(65)), 1003, "resume");
    refused(&format!(r#""resume":{{"session":["{}"]}}"#, "é".repeat(9_000)), 1003, "resume");
}

#[test]
fn help_is_not_for_the_domain() {
    let help = |text| parse(text, &limits()).unwrap().1;
    assert_eq!(help(r#"{"op":"help"}"#), Parsed::Help { of: None });
    assert_eq!(help(r#"{"op":"help","of":"send"}"#), Parsed::Help { of: Some(Op::Send) });
    let refused = check_refused(r#"{"op":"help","of":"sned"}"#, 1003, Some("of"), "one of hello");
    assert_eq!(refused.refusal.hint.as_deref(), Some("send"));
}

#[test]
fn an_id_is_echoed_as_it_was_written() {
    let long = format!("\"{}\"", "x".repeat(64));
    let number = "9".repeat(64);
    for id in ["0", "-7", "123456789012345678901234567890", "\"\"", "\"a\\u0041\\n\"", "\"é\""] {
        check(&format!(r#"{{"op":"ping","id": {id} }}"#), Some(id), &Command::Ping);
    }
    check(&format!(r#"{{"op":"ping","id":{long}}}"#), Some(&long), &Command::Ping);
    check(&format!(r#"{{"op":"ping","id":{number}}}"#), Some(&number), &Command::Ping);
    check(r#"{"op":"ping","id":null}"#, None, &Command::Ping);
}

#[test]
fn what_is_no_id_is_refused_without_one() {
    let (long, number) = (format!("\"{}\"", "x".repeat(65)), "9".repeat(65));
    for id in ["1.0", "1e3", "true", "[]", "{}", "\"\\ud800\"", &long, &number, "1,\"id\":2"] {
        let text = format!(r#"{{"id":{id},"op":"ping"}}"#);
        let refused = check_refused(&text, 1003, Some("id"), "");
        assert_eq!(refused.op.as_deref(), Some("ping"));
        assert!(refused.id.is_none() || id.starts_with("1,"), "{id}");
    }
}

#[test]
fn what_is_not_one_json_object_is_refused_with_the_offset() {
    check_bad_json("", 0);
    check_bad_json("[1]", 0);
    check_bad_json("  \"op\"", 2);
    check_bad_json("{\"op\":\"ping\"", 12);
    check_bad_json("{\"op\":\"ping\"}}", 13);
    check_bad_json("{\"op\":\"ping\"}{}", 13);
    check_bad_json("{\"op\": ping}", 7);
    check_bad_json("{\"a\":1,}", 7);
    check_bad_json("{\"a\":\n tru }", 10);
    check_bad_json("{\"a\":\"\t\"}", 6);
    check_bad_json("{\"a\":\"\\x\"}", 7);
    check_bad_json("{\"a\":+1}", 5);
    check_bad_json("{'a':1}", 1);
    check_bad_json(&"[".repeat(1_000_000), 0);
    check_bad_json(&"{\"a\":".repeat(200_000), 1_000_000);
    check_bad_json(&format!("{{\"room\":{}", "[".repeat(1_000_000)), 1_000_008);
    let refused = parse_bytes(b"{\"op\":\"\xff\"}", &limits()).unwrap_err();
    assert_eq!((refused.refusal.code.number(), refused.refusal.offset), (1001, Some(7)));
}

#[test]
fn what_was_read_before_the_json_broke_is_told_apart_by_its_id() {
    let refused = check_refused(r#"{"op":"send","id":7,"text":"#, 1001, None, "complete");
    assert_eq!(refused.id, Some(RequestId("7".into())));
    assert_eq!(refused.op.as_deref(), Some("send"));
}

#[test]
fn an_id_that_may_have_been_cut_off_is_not_answered_as_another_request() {
    for (text, id) in [
        (r#"{"op":"ping","id":4"#, None),
        (r#"{"op":"ping","id":-4"#, None),
        (r#"{"op":"ping","id":"a"#, None),
        (r#"{"op":"ping","id":4,"#, Some("4")),
        (r#"{"op":"ping","id":"a""#, None),
    ] {
        let refused = check_refused(text, 1001, None, "complete");
        assert_eq!(refused.id.map(|id| id.0.to_string()).as_deref(), id, "{text}");
    }
}

#[test]
fn an_unknown_operation_is_refused_with_those_that_there_are() {
    let refused = check_refused(r#"{"op":"jion","id":1}"#, 1002, Some("op"), "hello, register");
    assert_eq!(refused.refusal.hint.as_deref(), Some("join"));
    assert_eq!((refused.id.is_some(), refused.op.as_deref()), (true, Some("jion")));
    let long = format!(r#"{{"op":"{}"}}"#, "x".repeat(10_000));
    assert_eq!(check_refused(&long, 1002, Some("op"), "").op, None);
    check_refused(r#"{"op":""}"#, 1002, Some("op"), "");
    check_refused("{}", 1003, Some("op"), "missing");
    check_refused(r#"{"op":null}"#, 1003, Some("op"), "missing");
    check_refused(r#"{"op":7}"#, 1003, Some("op"), "number");
}

#[test]
fn a_bad_field_is_named_with_what_is_there_and_what_should_be() {
    let refused = |fields: &str, field, words| {
        let (op, rest) = fields.split_once(' ').unwrap();
        let refused =
            check_refused(&format!(r#"{{"op":"{op}",{rest},"id":7}}"#), 1003, Some(field), words);
        assert_eq!(refused.id, Some(RequestId("7".into())), "{fields}");
        assert_eq!(refused.op.as_deref(), Some(op));
    };
    refused(r#"join "x":1"#, "room", "room is missing");
    refused(r#"join "room":null"#, "room", "room is missing");
    refused(r#"join "room":5"#, "room", "room is a number");
    refused(r#"join "room":["a"]"#, "room", "room is an array");
    refused(r#"join "room":{"a":1}"#, "room", "room is an object");
    refused(r#"join "room":true"#, "room", "room is a boolean");
    refused(r#"join "room":"a","room":"b""#, "room", "room is given twice");
    refused(r#"join "room":null,"room":"b""#, "room", "room is given twice");
    refused(r#"join "room":"a","after":-1"#, "after", "after is a negative number");
    refused(r#"join "room":"a","after":1.0"#, "after", "not an integer");
    refused(r#"join "room":"a","after":"1""#, "after", "after is a string");
    refused(r#"join "room":"a","after":9007199254740992"#, "after", "too large");
    refused(r#"join "room":"a","after":1e999"#, "after", "not valid");
    refused(r#"join "room":"a","epoch":"""#, "epoch", "empty");
    refused(r#"ack "room":"a""#, "read", "recv, read or both");
    refused(r#"status "x":1"#, "status", "missing");
    refused(r#"status "status":"off""#, "status", "unknown: \"off\"");
    refused(r#"history "room":"a","before":1,"around":2"#, "around", "at most one");
    refused(r#"history "room":"a","limit":0"#, "limit", "limit is 0");
    refused(r#"members "room":"a","after":1"#, "after", "the name of a user");
    refused(r#"topic "room":"a","topic":"x""#, "topic", "in \\\"text\\\"");
    refused(r#"send "text":"a""#, "room", "or a user");
    refused(r#"send "room":"a","to":"b","text":"a""#, "to", "either");
    refused(r#"send "room":"a""#, "text", "empty");
    refused(r#"send "room":"a","text":"""#, "text", "empty");
    refused(r#"send "room":"a","text":5"#, "text", "number");
    refused(r#"send "room":"a","text":"a","echo":1"#, "echo", "true or false");
    refused(r#"send "room":"a","text":"a","cid":"""#, "cid", "empty");
    refused(r#"send "room":"a","text":"a","cid":7"#, "cid", "number");
    refused(&format!(r#"send "room":"a","text":"a","cid":"{}""#, "é".repeat(33)), "cid", "long");
    refused(r#"send "room":"a","text":"a","data":[1e999]"#, "data", "byte 6");
    refused(&format!(r#"send "room":"a","data":{}{}"#, "[".repeat(40), "]".repeat(40)), "data", "");
}

#[test]
fn what_no_text_can_hold_is_refused_with_the_place() {
    let refused = |text: &str, words| {
        let text = format!(r#"{{"op":"send","room":"a","text":"{text}","id":"i"}}"#);
        let refused = check_refused(&text, 1003, Some("text"), words);
        assert_eq!(refused.id, Some(RequestId("\"i\"".into())));
    };
    refused("ab\\u0000", "U+0000 at byte 2");
    refused("ab\\ud800", "surrogate pair before byte 10");
    refused("ab\\ud800\\u0041", "byte ");
    refused("\\udc00", "byte ");
}

#[test]
fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
    let text = "x".repeat(100);
    check(
        &format!(r#"{{"op":"send","room":"lobby","text":"{text}"}}"#),
        None,
        &Command::Send(send(&text)),
    );
    for fields in [format!(r#""text":"{text}x""#), format!(r#""text":"{text}","data":1"#)] {
        let text = format!(r#"{{"op":"send","room":"lobby",{fields},"id":1}}"#);
        let refused = check_refused(&text, 4001, Some("text"), "101 bytes, expected");
        assert_eq!(refused.refusal.limit, Some(100));
    }
    let topic = format!(r#"{{"op":"topic","room":"lobby","text":"{}"}}"#, "x".repeat(513));
    check_refused(&topic, 4001, Some("text"), "513");
    let topic = format!(r#"{{"op":"create","room":"lobby","topic":"{}"}}"#, "x".repeat(513));
    check_refused(&topic, 4001, Some("topic"), "513");
}

#[test]
fn a_request_that_was_skipped_is_refused_with_the_limit() {
    let Refused { id: None, op: None, refusal } = too_long(7) else { panic!() };
    assert_eq!((refusal.code.number(), refusal.limit), (4001, Some(7)));
}

#[test]
fn other_fields_are_ignored_whatever_they_are() {
    let deep = format!(r#"{{"x":{}{},"op":"ping"}}"#, "[".repeat(5_000), "]".repeat(5_000));
    check(&deep, None, &Command::Ping);
    check(r#"{"x":1e999,"x":"\ud800","":null,"op":"ping","room":5}"#, None, &Command::Ping);
}

#[test]
fn a_message_of_a_websocket_may_hold_several_requests() {
    let split: Vec<&str> = requests("{}\n\r\n \n{1}").collect();
    assert_eq!(split, ["{}", "{1}"]);
    assert_eq!(requests("\n").count(), 0);
}

#[test]
fn the_longest_right_requests_are_below_the_limit_for_requests() {
    let limits = Limits { message_bytes: 50_000, ..Limits::default() };
    let text = "\\u0041".repeat(limits.message_bytes);
    let request = format!(r#"{{"op":"send","room":"lobby","text":"{text}"}}"#);
    assert!(request.len() <= request_len_max(&limits));
    parse(&request, &limits).unwrap();
    let rooms: Vec<String> = (0..limits.rooms_per_user)
        .map(|room| format!(r#""@{room:032}:{room:032}":["3w5e11264sgsf",9007199254740991]"#))
        .collect();
    let limits = Limits { message_bytes: 1, ..limits };
    let rooms = rooms.join(",");
    let request = format!(r#"{{"op":"hello","resume":{{"session":"s","rooms":{{{rooms}}}}}}}"#);
    assert!(request.len() <= request_len_max(&limits));
    parse(&request, &limits).unwrap();
}

/// Pieces of which nearly right requests are made.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "\"op\":",
        "\"send\"",
        "\"id\":",
        "7",
        "1e9",
        "-",
        "\"room\":",
        "\"lobby\"",
        "\"text\":",
        "\"é\"",
        "\"data\":",
        "null",
        "true",
        " ",
        "\n",
        "\"resume\":{\"session\":\"s\",\"rooms\":{",
        "\"op\":\"hello\",",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|p| p.concat())
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_the_offset_is_inside(text in soup()) {
        if let Err(refused) = parse(&text, &limits()) {
            let is_json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let is_bad = refused.refusal.code == Code::BadJson;
            prop_assert!(!is_bad || !is_json || !text.trim_start().starts_with('{'), "{}", text);
            if let Some(offset) = refused.refusal.offset {
                prop_assert!(usize::try_from(offset).unwrap() <= text.len());
            }
        }
    }
}

#[test]
fn a_mark_of_the_byte_order_before_a_request_is_skipped() {
    check("\u{feff}{\"op\":\"ping\",\"id\":1}", Some("1"), &Command::Ping);
    check("\u{feff} {\"op\":\"ping\",\"id\":1}", Some("1"), &Command::Ping);
    check_refused("\u{feff}\u{feff}{\"op\":\"ping\"}", 1001, None, "");
    check_refused("{\u{feff}\"op\":\"ping\"}", 1001, None, "");
}
