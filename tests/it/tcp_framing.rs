//! The three framings of TCP, told apart by the first byte.

use serde_json::json;

use crate::support::client::{Framed, Lines};
use crate::support::json::{NUMBER, STRING};
use crate::support::{Client, Raw, Server, Setup, Transport, assert_subset};

/// A short conversation as it is sent by lines.
const TALK: &str = "{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}\n\
                    {\"op\":\"ping\",\"id\":2}\r\n\
                    {\"op\":\"dance\",\"id\":3}\n\
                    {\"op\":\"join\",\"id\":4,\"room\":\"lobby\"}\n";

fn framed(talk: &str) -> Vec<u8> {
    let frame = |line: &str| {
        let length = u32::try_from(line.len()).expect("a short line").to_be_bytes();
        [&length, line.as_bytes()].concat()
    };
    talk.lines().flat_map(frame).collect()
}

/// The codes of the replies to [`TALK`].
#[track_caller]
fn assert_answered(mut transport: impl Transport) {
    for (id, code) in [(1, 0), (2, 0), (3, 1002), (4, 0)] {
        let text = transport.receive_text().expect("a reply");
        let reply = serde_json::from_str(&text).expect("JSON");
        assert_subset(&reply, &json!({"id": id, "code": code}));
    }
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    let server = Server::start();
    let as_frames = framed(TALK);
    for cut in 0..=TALK.len() {
        let mut raw = Raw::connect(server.tcp);
        raw.send(&TALK.as_bytes()[..cut]);
        raw.send(&TALK.as_bytes()[cut..]);
        assert_answered(Lines(raw));
    }
    for cut in 0..=as_frames.len() {
        let mut raw = Raw::connect(server.tcp);
        raw.send(&as_frames[..cut]);
        raw.send(&as_frames[cut..]);
        assert_answered(Framed(raw));
    }
}

#[test]
fn single_bytes_are_as_good_as_lines() {
    let server = Server::start();
    let mut raw = Raw::connect(server.tcp);
    raw.send_bytewise(TALK.as_bytes());
    assert_answered(Lines(raw));
    let mut raw = Raw::connect(server.tcp);
    raw.send_bytewise(&framed(TALK));
    assert_answered(Framed(raw));
}

#[test]
fn a_later_line_that_is_no_object_is_refused_and_the_connection_goes_on() {
    let server = Server::start();
    let mut ann = Client::lines(&server).named("ann", None);
    for text in ["hello?", "[1]", "\"hi\"", "{\"op\":}", "{\"op\":\"ping\"} {}", "\u{0}"] {
        ann.say_text(text);
        let reply = ann.expect_next(&json!({"id": null, "code": 1001}));
        assert_subset(&reply, &json!({"data": {"error": "bad_json"}}));
        ann.ask(&json!({"op": "ping"}));
    }
}

#[test]
fn a_person_is_welcomed_in_words_and_heard_by_programs() {
    let server = Server::start();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let mut ann = Raw::connect(server.tcp);
    ann.send(b"/nick ann\r\n/join lobby\r\nhello, bob\r\n");
    bob.expect(&json!({"ev": "message", "from": "ann", "text": "hello, bob"}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "hello, ann"}));
    loop {
        let line = ann.line().expect("a line");
        assert!(!line.starts_with('{'), "{line}");
        if line.contains("bob") && line.contains("hello, ann") {
            break;
        }
    }
    ann.send(b"/quit\n");
    ann.take_all();
}

#[test]
fn a_line_that_is_too_long_is_refused_once_and_the_connection_goes_on() {
    let server = Server::start();
    let mut raw = Raw::connect(server.tcp);
    raw.send(b"{\"op\":\"ping\",\"x\":\"");
    raw.send(&vec![b'x'; 1 << 20]);
    raw.send(b"\"}\n");
    let mut lines = Client::over(Lines(raw));
    lines.expect_next(&json!({"id": null, "op": null, "code": 4001, "data": {"limit": NUMBER}}));
    lines.ask(&json!({"op": "hello", "name": "ann"}));

    let mut raw = Raw::connect(server.tcp);
    raw.send(&(1_u32 << 20).to_be_bytes());
    raw.send(&vec![b'x'; 1 << 20]);
    let mut framed = Client::over(Framed(raw));
    framed.expect_next(&json!({"id": null, "code": 4001}));
    framed.ask(&json!({"op": "hello", "name": "bob"}));
}

#[test]
fn a_line_that_never_ends_is_cut_at_the_hello_deadline() {
    let server = Setup::default().set("timeouts.hello", "300ms").start();
    let mut raw = Raw::connect(server.tcp);
    raw.send(b"{\"op\":\"ping\",\"x\":\"");
    raw.send(&vec![b'x'; 1 << 20]);
    let mut client = Client::over(Lines(raw));
    client.expect_next(&json!({"code": 4001}));
    client.expect_next(&json!({"ev": "bye", "close": 4008, "reason": STRING}));
    assert_eq!(client.next(), None);
}

#[test]
fn a_reset_or_a_fin_at_any_moment_leaves_nothing_behind() {
    let server = Server::start();
    for cut in 0..=TALK.len() {
        let mut raw = Raw::connect(server.tcp);
        raw.send(&TALK.as_bytes()[..cut]);
        raw.reset();
        let mut raw = Raw::connect(server.tcp);
        raw.send(&TALK.as_bytes()[..cut]);
        raw.finish();
        raw.take_all();
    }
    server.assert_no_connection_left();
}
