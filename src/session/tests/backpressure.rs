//! What happens to those who ask for more than they read.

use super::{Harness, ids, ping, text};
use crate::net::{CloseReason, Ending};
use crate::session::ListenerKind;

/// Bytes of answers that may wait.
const SOFT: usize = 2_000;

fn harness() -> Harness {
    Harness::with(|config, limits| {
        config.limits.rate_per_s = None;
        limits.rate_per_s = None;
        limits.outbound_soft = SOFT;
    })
}

/// Sends `input`, which holds pings, to a connection that reads `count` answers in the end; returns
/// how many turns that took.
#[track_caller]
fn check(input: &[u8], count: usize) -> usize {
    let mut harness = harness();
    let conn = harness.enter("ann");
    harness.receive(conn, input);
    let (mut answered, mut turns) = (Vec::new(), 1);
    loop {
        harness.end_turn();
        let sent = harness.see(conn).sent.len();
        assert!(sent <= SOFT + 200, "{sent} bytes of answers were given at once");
        answered.extend(ids(&harness.frames(conn)));
        if !harness.see(conn).is_paused {
            break;
        }
        harness.drain(conn);
        turns += 1;
    }
    assert_eq!(answered, (0..count).collect::<Vec<_>>(), "each is answered, in order");
    assert!(harness.see(conn).wakes > 0 || turns == 1);
    turns
}

#[test]
fn no_more_is_answered_than_may_wait_and_the_rest_when_that_was_read() {
    let frames: Vec<u8> = (0..400).flat_map(|id| text(&ping(id))).collect();
    assert!(check(&frames, 400) > 5);
    // The same in one message.
    let lines: Vec<String> = (0..400).map(ping).collect();
    assert!(check(&text(&lines.join("\n")), 400) > 5);
    assert_eq!(check(&text(&ping(0)), 1), 1);
}

#[test]
fn what_comes_while_a_backlog_waits_is_done_after_it() {
    let mut harness = harness();
    let conn = harness.enter("ann");
    let frames: Vec<u8> = (0..100).flat_map(|id| text(&ping(id))).collect();
    harness.receive(conn, &frames);
    assert!(harness.see(conn).is_paused);
    // A read that was under way when reading was to stop.
    harness.receive(conn, &text(&ping(100)));
    let mut answered = Vec::new();
    while harness.see(conn).is_paused {
        harness.end_turn();
        answered.extend(ids(&harness.frames(conn)));
        harness.drain(conn);
    }
    answered.extend(ids(&harness.frames(conn)));
    assert_eq!(answered, (0..=100).collect::<Vec<_>>());
}

#[test]
fn what_a_slow_socket_left_waiting_counts_until_it_has_drained() {
    let mut harness = harness();
    let conn = harness.enter("ann");
    harness.handle(|sessions, turn| sessions.handle_blocked(conn, SOFT + 1, turn));
    harness.receive(conn, &text(&ping(1)));
    harness.end_turn();
    assert_eq!(harness.frames(conn), [""; 0]);
    assert!(harness.see(conn).is_paused);
    harness.drain(conn);
    assert_eq!(ids(&harness.frames(conn)), [1]);
    assert!(!harness.see(conn).is_paused);
}

#[test]
fn sends_are_booked_before_they_are_answered() {
    let mut harness = harness();
    let conn = harness.enter("ann");
    let send = |id| text(&format!(r#"{{"op":"send","id":{id},"room":"lobby","text":"hello"}}"#));
    let frames: Vec<u8> = (0..50).flat_map(send).collect();
    harness.receive(conn, &frames);
    let at_once = harness.chat.stats().records;
    assert!(at_once < 15, "{at_once} sends were taken before any was answered");
    let mut answered = Vec::new();
    loop {
        harness.end_turn();
        answered.extend(ids(&harness.frames(conn)));
        if !harness.see(conn).is_paused {
            break;
        }
        harness.drain(conn);
    }
    assert_eq!(answered, (0..50).collect::<Vec<_>>());
}

#[test]
fn fin_after_a_backlog_ends_the_connection_when_all_is_answered() {
    let mut harness = harness();
    let conn = harness.open(ListenerKind::Tcp);
    let lines: Vec<String> = (0..100).map(ping).collect();
    let lines = lines.join("\n");
    harness.receive(conn, format!("{{\"op\":\"hello\",\"id\":1000}}\n{lines}\n").as_bytes());
    harness.finish(conn);
    let mut sent = Vec::new();
    for _ in 0..100 {
        harness.end_turn();
        sent.extend(harness.take(conn));
        if harness.closed(conn).is_some() {
            break;
        }
        harness.drain(conn);
    }
    assert_eq!(String::from_utf8(sent).unwrap().lines().count(), 101);
    assert_eq!(harness.closed(conn), Some((CloseReason::Bye, Ending::Flush)));
}

#[test]
fn who_waits_for_too_many_answers_of_the_logs_is_not_read_from() {
    let mut harness = Harness::with(|config, limits| {
        config.limits.rate_per_s = None;
        limits.rate_per_s = None;
    });
    let conn = harness.enter("ann");
    harness.are_logs_slow = true;
    let send = |id| text(&format!(r#"{{"op":"send","id":{id},"room":"lobby","text":"hello"}}"#));
    let frames: Vec<u8> = (0..100).flat_map(send).collect();
    harness.receive(conn, &frames);
    harness.end_turn();
    assert!(harness.see(conn).is_paused);
    let pending = harness.chat.pending();
    assert!((60..70).contains(&pending), "{pending} sends wait for the log");
    assert_eq!(harness.see(conn).wakes, 0, "the domain wakes it when the log has answered");
    harness.take_replies();
    harness.end_turn();
    assert_eq!(ids(&harness.frames(conn)), (0..pending).collect::<Vec<_>>());
    assert_eq!(harness.see(conn).wakes, 1);
    harness.are_logs_slow = false;
    harness.drain(conn);
    harness.end_turn();
    assert_eq!(ids(&harness.frames(conn)), (pending..100).collect::<Vec<_>>());
}

#[test]
fn answers_without_the_domain_count_as_well() {
    let mut harness = harness();
    let conn = harness.open(ListenerKind::Http);
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    harness.receive(conn, &request.repeat(100));
    let mut answered = 0;
    for turn in 0.. {
        let sent = String::from_utf8(harness.take(conn)).unwrap();
        assert!(sent.len() < 2 * SOFT, "{} bytes of answers were given at once", sent.len());
        answered += sent.matches("HTTP/1.1 200 ").count();
        if !harness.see(conn).is_paused {
            assert!(turn > 3, "it was never slowed down");
            break;
        }
        harness.end_turn();
        harness.drain(conn);
    }
    assert_eq!(answered, 100);
}
