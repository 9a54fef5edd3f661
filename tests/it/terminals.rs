//! Terminals and what else connects to the TCP port: telnet, `nc` without a word, and strangers.

use serde_json::json;

use crate::support::client::Lines;
use crate::support::{Client, Raw, Server, Setup};

/// Reads lines until one contains `part`.
#[track_caller]
fn until(raw: &mut Raw, part: &str) -> String {
    loop {
        let line = raw.line().unwrap_or_else(|| panic!("the end instead of {part:?}"));
        if line.contains(part) {
            return line;
        }
    }
}

#[test]
fn telnet_in_character_mode_is_understood() {
    let server = Server::start();
    let mut ann = Raw::connect(server.tcp);
    // Enter is CR NUL, and each key is sent when it is pressed.
    ann.send_bytewise(b"/nick amm\x7f\x7fnn\r\0/jion\x08\x08\x08oin telnet\r\0/who\r\0");
    until(&mut ann, "You are ann.");
    until(&mut ann, "you are in telnet");
    until(&mut ann, "1 here: ann");
    // Ctrl-C: what was typed is gone, and the mark that telnet waits for is set.
    ann.send(b"never said\xff\xf4\xff\xfd\x06");
    assert_eq!(ann.take(3), b"\xff\xfb\x06");
    // The options of a client that wants to negotiate.
    ann.send(b"\xff\xfb\x18\xff\xfd\x03\xff\xfc\x01\xff\xfe\x01");
    assert_eq!(ann.take(6), b"\xff\xfe\x18\xff\xfc\x03");
    ann.send(b"/history\r\n");
    until(&mut ann, "telnet");
    ann.send(b"/quit\r\0");
    let rest = String::from_utf8(ann.take_all()).expect("UTF-8");
    assert!(!rest.contains("never said") && rest.ends_with("-- goodbye --\n"), "{rest}");
}

/// The second byte of the command that ends a SYNCH is sent as urgent data (RFC 854).
#[test]
fn a_synch_with_urgent_data_leaves_what_follows_whole() {
    let server = Server::start();
    let mut ann = Raw::connect(server.tcp);
    ann.send(b"/nick ann\r\n/join synch\r\n");
    until(&mut ann, "you are in synch");
    ann.send(b"\xff\xf4\xff");
    ann.send_urgent(b"\xf2");
    ann.send(b"/who\r\n");
    until(&mut ann, "1 here: ann");
}

#[test]
fn who_connects_without_a_word_is_greeted_and_may_then_speak_as_a_person_or_in_json() {
    let setup = Setup::default().set("timeouts.hello", "100ms");
    let server = setup.set("timeouts.ping_after", "100ms").set("timeouts.pong", "100ms").start();
    let mut person = Raw::connect(server.tcp);
    let mut program = Raw::connect(server.tcp);
    for raw in [&mut person, &mut program] {
        let welcome = raw.line().expect("a greeting");
        assert!(welcome.starts_with("Welcome to chinwag"), "{welcome}");
        assert!(welcome.contains("You are guest-"), "{welcome}");
        assert!(raw.line().is_some_and(|line| line.contains("/join lobby")));
    }
    // Each has had longer than a program has for its hello, or may be silent if it has said one.
    person.send(b"/nick ann\n/join lobby\n");
    until(&mut person, "you are in lobby");
    let mut program = Client::over(Lines(program)).named("bob", Some("lobby"));
    // Both are silent for the second after which another one is greeted.
    let mut other = Raw::connect(server.tcp);
    other.line().expect("a greeting");
    person.send(b"hello\n");
    program.expect(&json!({"ev": "message", "from": "ann", "text": "hello"}));
}

/// Whoever is told so gets one line, and nothing of what was sent has become of anybody's words.
#[test]
fn what_no_person_types_ends_the_connection_with_one_line_that_says_so() {
    let server = Server::start();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let words = b"\n/nick eve\n/join lobby\nspam\n/msg bob spam\n";
    let hello = b"\x16\x03\x01\x00\x60\x01\x00\x00\x5c\x03\x03";
    for (first, why) in [
        (&hello[..], "not TLS"),
        (b"\x16", "not TLS"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 9000\r", "the PROXY protocol"),
        (b"PROXY UNKNOWN\r", "the PROXY protocol"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c", "the PROXY protocol"),
        (b"SSH-2.0-OpenSSH_9.9\r", "not SSH"),
        (b"GET / HTTP/1.1\r", "not HTTP"),
        (b"PRI * HTTP/2.0\r", "not HTTP"),
        (b"CAP LS 302\r\nNICK eve\r\nUSER eve 0 * :Eve\r", "no IRC server"),
        (b"NICK eve\r\nUSER eve 0 * :Eve\r", "no IRC server"),
        (b"PASS x\r\nNICK eve\r", "no IRC server"),
        (b"\x05\x01\x00", "neither"),
    ] {
        for is_bytewise in [false, true] {
            let mut raw = Raw::connect(server.tcp);
            if is_bytewise {
                raw.send_bytewise(first);
            } else {
                raw.send(first);
            }
            raw.send(words);
            let told = String::from_utf8(raw.take_all()).expect("UTF-8");
            assert!(told.contains(why) && told.lines().count() == 1, "{first:?}: {told:?}");
        }
    }
    bob.assert_not_told(&json!({"ev": "message"}));
}

#[test]
fn a_mark_of_the_byte_order_before_the_first_json_is_skipped() {
    let server = Server::start();
    let mut raw = Raw::connect(server.tcp);
    raw.send(b"\xef\xbb");
    raw.send(b"\xbf{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}\n");
    let mut lines = Client::over(Lines(raw));
    lines.expect_next(&json!({"id": 1, "code": 0}));
    let mut ws = Client::ws(&server);
    ws.say_text("\u{feff}{\"op\":\"hello\",\"id\":1,\"name\":\"bob\"}");
    ws.expect_next(&json!({"id": 1, "code": 0}));
    let mut framed = Client::framed(&server);
    framed.say_text("\u{feff}{\"op\":\"hello\",\"id\":1,\"name\":\"cat\"}");
    framed.expect_next(&json!({"id": 1, "code": 0}));
}
