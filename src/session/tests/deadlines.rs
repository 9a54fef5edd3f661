//! Who is waited for, and for how long.

use super::{Harness, frame, ping, text};
use crate::config::Config;
use crate::net::{CloseReason, ConnId, Ending};
use crate::session::ListenerKind;
use crate::ws::Opcode;

fn millis(timeout: std::time::Duration) -> u64 {
    u64::try_from(timeout.as_millis()).unwrap()
}

#[test]
fn hello_must_come_in_time_however_much_else_comes() {
    let hello = millis(Config::default().timeouts.hello);
    for kind in [ListenerKind::Http, ListenerKind::Tcp] {
        let mut harness = Harness::new();
        let conn = match kind {
            ListenerKind::Tcp => harness.open(kind),
            _ => harness.open_websocket(),
        };
        let request = ping(1);
        let bytes = match kind {
            ListenerKind::Tcp => format!("{request}\n").into_bytes(),
            _ => text(&request),
        };
        // It is over TCP that the first byte says whether a hello is due.
        harness.receive(conn, &bytes);
        assert!(!harness.wait(conn, hello - 1));
        harness.receive(conn, &bytes);
        assert_eq!(harness.closed(conn), None, "{kind:?}");
        assert!(harness.wait(conn, 1), "{kind:?}");
        let how = harness.closed(conn);
        assert_eq!(how, Some((CloseReason::HelloTimeout, Ending::Linger)), "{kind:?}");
    }
}

#[test]
fn a_request_head_must_be_complete_in_time() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Http);
    let head = millis(Config::default().timeouts.head);
    harness.receive(conn, b"GET / HTTP/1.1\r\n");
    assert!(!harness.wait(conn, head - 1));
    harness.receive(conn, b"Host: localhost\r\n");
    assert!(harness.wait(conn, 1));
    assert!(harness.take(conn).starts_with(b"HTTP/1.1 408 "));
    assert_eq!(harness.closed(conn), Some((CloseReason::HeadTimeout, Ending::Linger)));
}

#[test]
fn an_idle_http_connection_is_closed_without_a_word() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Http);
    harness.receive(conn, b"GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
    harness.take(conn);
    let keep_alive = millis(Config::default().timeouts.keep_alive);
    assert!(!harness.wait(conn, keep_alive - 1));
    assert!(harness.wait(conn, 1));
    assert_eq!(harness.take(conn), b"");
    assert_eq!(harness.closed(conn), Some((CloseReason::KeepAliveTimeout, Ending::Flush)));
}

/// Lets the connection be silent until it is pinged.
#[track_caller]
fn until_pinged(harness: &mut Harness, conn: ConnId) {
    let ping_after = millis(Config::default().timeouts.ping_after);
    let before = harness.millis;
    // It comes in step with others, a little early.
    while harness.millis + 256 <= before + ping_after {
        assert_eq!(harness.frames(conn), [""; 0], "it was not silent for long enough");
        assert!(harness.wait(conn, ping_after));
    }
    assert_eq!(harness.frames(conn), ["Ping "]);
}

#[test]
fn who_is_silent_is_pinged_and_ended_when_no_pong_comes() {
    let timeouts = Config::default().timeouts;
    let (ping_after, pong) = (millis(timeouts.ping_after), millis(timeouts.pong));
    let mut harness = Harness::new();
    let conn = harness.enter("ann");
    for _ in 0..3 {
        // What comes meanwhile puts the ping off, without a timer of its own.
        assert!(!harness.wait(conn, ping_after / 2));
        harness.receive(conn, &frame(Opcode::Pong, b""));
        until_pinged(&mut harness, conn);
        assert!(!harness.wait(conn, pong - 1));
        harness.receive(conn, &frame(Opcode::Pong, b""));
        assert!(
            !harness.wait(conn, 1),
            "the deadline of the pong, which has come, is told to nobody"
        );
        assert_eq!(harness.closed(conn), None);
        harness.receive(conn, &frame(Opcode::Pong, b""));
    }
    until_pinged(&mut harness, conn);
    assert!(!harness.wait(conn, pong - 1));
    assert!(harness.wait(conn, 1));
    assert_eq!(harness.frames(conn), ["close 4103"]);
    assert_eq!(harness.closed(conn), Some((CloseReason::NoPong, Ending::Linger)));
}

#[test]
fn a_slow_reader_is_not_blamed_for_a_pong_that_cannot_have_come() {
    let timeouts = Config::default().timeouts;
    let mut harness = Harness::new();
    let conn = harness.enter("ann");
    assert!(harness.wait(conn, millis(timeouts.ping_after)));
    assert_eq!(harness.frames(conn), ["Ping "]);
    harness.handle(|sessions, turn| sessions.handle_blocked(conn, 1_000, turn));
    assert!(harness.wait(conn, millis(timeouts.pong)));
    assert_eq!(harness.closed(conn), None);
    // Once its socket takes bytes again, it has as long as a socket may take nothing.
    harness.drain(conn);
    let mut waited = 0;
    while harness.closed(conn).is_none() {
        let before = harness.millis;
        assert!(harness.wait(conn, millis(timeouts.stall) * 2));
        waited += harness.millis - before;
    }
    assert!(waited >= millis(timeouts.stall) - millis(timeouts.pong), "{waited}");
    assert_eq!(harness.closed(conn), Some((CloseReason::NoPong, Ending::Linger)));
}

/// What a plain connection has been told.
fn told(harness: &mut Harness, conn: ConnId) -> String {
    // A length before a text need not be UTF-8.
    String::from_utf8_lossy(&harness.take(conn)).into_owned()
}

/// A plain connection on which nothing has come, until it was greeted.
fn greeted(harness: &mut Harness) -> ConnId {
    let conn = harness.open(ListenerKind::Tcp);
    assert!(!harness.wait(conn, 999));
    assert_eq!(told(harness, conn), "");
    assert!(harness.wait(conn, 1));
    let greeting = told(harness, conn);
    assert!(greeting.starts_with("Welcome to ") && greeting.lines().count() == 2, "{greeting}");
    assert!(greeting.contains("You are guest-") && greeting.contains("/join lobby"), "{greeting}");
    conn
}

#[test]
fn who_says_nothing_for_a_second_is_greeted_as_a_person_and_may_take_minutes_to_answer() {
    let mut harness = Harness::new();
    let conn = greeted(&mut harness);
    assert!(!harness.wait(conn, 3_600_000));
    harness.receive(conn, b"/nick ann\n/join lobby\n");
    let answer = told(&mut harness, conn);
    assert!(answer.contains("you are ann now") && answer.contains("you are in lobby"), "{answer}");
    // A telnet client that negotiates at once is greeted too.
    let telnet = harness.open(ListenerKind::Tcp);
    harness.receive(telnet, b"\xff\xfb\x1f");
    assert_eq!(harness.take(telnet), b"\xff\xfe\x1f");
    assert!(harness.wait(telnet, 1_000));
    assert!(told(&mut harness, telnet).starts_with("Welcome to "));
}

#[test]
fn a_program_that_speaks_at_once_is_not_greeted_and_one_that_is_slow_is_still_understood() {
    let mut harness = Harness::new();
    for (hello, is_lengths) in [
        (&b"{\"op\":\"hello\",\"id\":1}\n"[..], false),
        (b"\0\0\0\x15{\"op\":\"hello\",\"id\":1}", true),
    ] {
        let conn = harness.open(ListenerKind::Tcp);
        harness.receive(conn, hello);
        let at_once = told(&mut harness, conn);
        assert!(!harness.wait(conn, 3_600_000), "nobody asks whether it is there");
        let slow = greeted(&mut harness);
        harness.receive(slow, hello);
        for answer in [at_once, told(&mut harness, slow)] {
            let start = if is_lengths { answer.find('{') } else { Some(0) };
            let answer = answer.get(start.unwrap()..).unwrap();
            assert!(answer.starts_with(r#"{"id":1,"code":0"#), "{answer}");
        }
    }
    // From its first byte on it has as long as any program.
    let conn = greeted(&mut harness);
    harness.receive(conn, b"{");
    assert!(!harness.wait(conn, millis(Config::default().timeouts.hello) - 1));
    assert!(harness.wait(conn, 1));
    assert_eq!(harness.closed(conn), Some((CloseReason::HelloTimeout, Ending::Linger)));
    assert!(told(&mut harness, conn).starts_with(r#"{"ev":"bye","close":4008"#));
}

#[test]
fn a_program_over_tcp_is_pinged_if_it_has_asked_for_it() {
    let timeouts = Config::default().timeouts;
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Tcp);
    harness.receive(conn, b"{\"op\":\"hello\",\"ping\":true}\n");
    assert_eq!(told(&mut harness, conn), "");
    for _ in 0..3 {
        assert!(harness.wait(conn, millis(timeouts.ping_after)));
        assert_eq!(told(&mut harness, conn), "{\"ev\":\"ping\"}\n");
        // Anything is an answer.
        harness.receive(conn, b"\n");
        assert!(!harness.wait(conn, millis(timeouts.pong)), "nothing is due");
        assert_eq!(harness.closed(conn), None);
    }
    while harness.closed(conn).is_none() {
        assert!(harness.wait(conn, millis(timeouts.ping_after)));
    }
    assert_eq!(harness.closed(conn), Some((CloseReason::NoPong, Ending::Linger)));
    assert!(told(&mut harness, conn).contains(r#"{"ev":"bye","close":4103"#));
}

#[test]
fn a_person_may_be_silent_for_ever() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Tcp);
    harness.receive(conn, b"/join lobby\n");
    assert!(!harness.wait(conn, 86_400_000));
    assert_eq!(harness.closed(conn), None);
}
