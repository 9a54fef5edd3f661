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
        assert!(!harness.wait(conn, hello - 1));
        let request = ping(1);
        let bytes = match kind {
            ListenerKind::Tcp => format!("{request}\n").into_bytes(),
            _ => text(&request),
        };
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
    while harness.millis < before + ping_after {
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
        assert!(harness.wait(conn, 1), "the deadline of the pong, which has come");
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

#[test]
fn a_person_may_be_silent_for_ever() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Tcp);
    harness.receive(conn, b"/join lobby\n");
    assert!(!harness.wait(conn, 86_400_000));
    assert_eq!(harness.closed(conn), None);
}
