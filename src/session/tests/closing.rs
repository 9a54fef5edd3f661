//! How connections end.

use super::{Harness, frame, ping, text};
use crate::net::{CloseReason, Ending};
use crate::session::{DRAINED_PER_TURN_MAX, ListenerKind, Sessions, drain_window_ms};
use crate::ws::Opcode;

#[track_caller]
fn check(input: &[u8], frames: &[&str], how: (CloseReason, Ending)) {
    let mut harness = Harness::new();
    let conn = harness.enter("ann");
    harness.receive(conn, input);
    harness.end_turn();
    assert_eq!(harness.frames(conn), frames);
    assert_eq!(harness.closed(conn), Some(how));
    assert_eq!(harness.chat.stats().sessions, 0, "the domain has forgotten the connection");
    harness.receive(conn, &text(&ping(9)));
    assert_eq!(harness.frames(conn), [""; 0], "nothing is answered after the end");
}

#[test]
fn a_close_frame_is_answered_with_its_code() {
    let how = (CloseReason::Bye, Ending::Flush);
    check(&frame(Opcode::Close, &[0x03, 0xe8]), &["close 1000"], how);
    check(&frame(Opcode::Close, b"\x0f\xa0done"), &["close 4000"], how);
}

#[test]
fn a_violation_is_told_and_the_rest_is_not_read() {
    let too_large = frame(Opcode::Text, &vec![b'x'; 1 << 20]);
    let cases: [(Vec<u8>, &str, CloseReason); 4] = [
        (b"\x81\x02{}".to_vec(), "close 1002", CloseReason::Violation),
        (frame(Opcode::Binary, b"{}"), "close 1003", CloseReason::Violation),
        (frame(Opcode::Text, b"\xff\xff"), "close 1007", CloseReason::Violation),
        (too_large, "close 1009", CloseReason::TooBig),
    ];
    for (mut input, close, reason) in cases {
        input.extend(text(&ping(3)));
        check(&input, &[close], (reason, Ending::Linger));
    }
}

#[test]
fn fin_ends_a_connection_by_what_it_was_in_the_middle_of() {
    let cases: [(ListenerKind, &[u8], CloseReason); 4] = [
        (ListenerKind::Http, b"", CloseReason::HttpDone),
        (ListenerKind::Http, b"GET / HT", CloseReason::PeerGone),
        (ListenerKind::Tcp, b"", CloseReason::Bye),
        (ListenerKind::Tcp, b"/nick ann\n", CloseReason::Bye),
    ];
    for (kind, input, reason) in cases {
        let mut harness = Harness::new();
        let conn = harness.open(kind);
        harness.receive(conn, input);
        harness.finish(conn);
        harness.end_turn();
        assert_eq!(harness.closed(conn), Some((reason, Ending::Flush)), "{kind:?} {input:?}");
    }
    let mut harness = Harness::new();
    let conn = harness.enter("ann");
    harness.finish(conn);
    harness.end_turn();
    assert_eq!(harness.closed(conn), Some((CloseReason::PeerGone, Ending::Flush)));
}

#[test]
fn what_was_asked_before_fin_is_answered_first_the_last_line_included() {
    let mut harness = Harness::new();
    let reader = harness.enter("bob");
    let conn = harness.open(ListenerKind::Tcp);
    harness.receive(conn, b"/join lobby\ngood morning\n/who");
    harness.finish(conn);
    assert_eq!(harness.closed(conn), None, "the answers are not there yet");
    harness.end_turn();
    let sent = String::from_utf8(harness.take(conn)).unwrap();
    assert!(sent.contains("2 here: bob"), "{sent}");
    let frames = harness.frames(reader);
    assert!(frames.iter().any(|frame| frame.contains("good morning")), "{frames:?}");
    assert_eq!(harness.closed(conn), Some((CloseReason::Bye, Ending::Flush)));
}

#[test]
fn a_server_that_stops_tells_each_client_when_to_come_back() {
    let mut harness = Harness::new();
    let conns = ["ann", "bob", "cat"].map(|name| harness.enter(name));
    let stranger = harness.open(ListenerKind::Http);
    for &conn in &conns {
        harness.take(conn);
    }
    harness.handle(|sessions, turn| {
        sessions.handle_stop(turn);
        assert!(sessions.drain(20_000, turn));
        assert!(!sessions.drain(20_000, turn), "nobody is told twice");
    });
    let mut moments = Vec::new();
    for conn in conns {
        let frames = harness.frames(conn);
        let drain = frames.iter().find(|frame| frame.starts_with(r#"{"ev":"drain""#)).unwrap();
        moments.push(drain.split([':', ',']).nth(3).unwrap().parse::<u64>().unwrap());
        assert_eq!(frames.last().unwrap(), "close 4201");
        assert_eq!(harness.closed(conn), Some((CloseReason::Shutdown, Ending::Linger)));
    }
    assert_eq!(moments, [333, 666, 1_000], "evenly spread, among those who are told");
    assert_eq!(harness.closed(stranger), Some((CloseReason::Shutdown, Ending::Flush)));
}

#[test]
fn a_stopping_server_sends_so_many_away_in_a_turn_and_forgets_nobody() {
    const COUNT: usize = 2 * DRAINED_PER_TURN_MAX + 7;
    let mut harness = Harness::new();
    let conns: Vec<_> = (0..COUNT).map(|_| harness.open(ListenerKind::Tcp)).collect();
    harness.handle(Sessions::handle_stop);
    let mut left = vec![COUNT];
    loop {
        let mut is_left = false;
        harness.handle(|sessions, turn| is_left = sessions.drain(1_000, turn));
        if !is_left {
            break;
        }
        left.push(conns.iter().filter(|&&conn| harness.closed(conn).is_none()).count());
    }
    assert_eq!(left, [COUNT, DRAINED_PER_TURN_MAX + 7, 7, 0]);
}

#[test]
fn the_time_over_which_clients_come_back_follows_their_number() {
    for (all, window_ms_max, expect) in [
        (1, 20_000, 1_000),
        (2, 20_000, 1_000),
        (1_000, 20_000, 2_000),
        (10_000, 20_000, 20_000),
        (1_000_000, 20_000, 20_000),
        (2, 300, 300),
        (u64::MAX, u64::MAX, u64::MAX),
    ] {
        assert_eq!(drain_window_ms(all, window_ms_max), expect, "{all} clients");
    }
}

#[test]
fn fin_waits_for_the_answers_of_the_logs() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Tcp);
    let send = r#"{"op":"send","id":2,"room":"lobby","text":"hello"}"#;
    harness.receive(conn, b"{\"op\":\"hello\"}\n{\"op\":\"join\",\"room\":\"lobby\"}\n");
    harness.end_turn();
    harness.take(conn);
    harness.are_logs_slow = true;
    harness.receive(conn, format!("{send}\n").as_bytes());
    harness.finish(conn);
    harness.end_turn();
    assert_eq!(harness.closed(conn), None, "the log has not answered");
    harness.take_replies();
    harness.end_turn();
    assert!(harness.take(conn).starts_with(br#"{"id":2,"code":0"#));
    assert_eq!(harness.closed(conn), Some((CloseReason::Bye, Ending::Flush)));
}

#[test]
fn quit_waits_for_the_answers_of_the_logs_and_is_the_last_word() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Tcp);
    harness.receive(conn, b"/join lobby\n");
    harness.end_turn();
    harness.are_logs_slow = true;
    harness.receive(conn, b"good night\n/history 1\n/quit\n/nonsense\n");
    for _ in 0..3 {
        harness.end_turn();
        assert_eq!(harness.closed(conn), None, "the log has not answered");
    }
    harness.are_logs_slow = false;
    for _ in 0..3 {
        harness.take_replies();
        harness.end_turn();
        harness.drain(conn);
    }
    harness.end_turn();
    let sent = String::from_utf8(harness.take(conn)).unwrap();
    assert!(sent.contains(": good night\n"), "{sent}");
    assert!(sent.ends_with("goodbye --\n"), "{sent}");
    assert_eq!(harness.closed(conn), Some((CloseReason::Bye, Ending::Linger)));
}

#[test]
fn a_connection_that_is_gone_leaves_nothing_behind() {
    let mut harness = Harness::new();
    let conns = ["ann", "bob"].map(|name| harness.enter(name));
    harness.handle(|sessions, turn| sessions.handle_closed(conns[0], CloseReason::Reset, turn));
    assert_eq!((harness.sessions.len(), harness.chat.stats().sessions), (1, 1));
    // What still comes of it is about nobody.
    harness.receive(conns[0], &text(&ping(1)));
    harness.handle(|sessions, turn| sessions.handle_closed(conns[0], CloseReason::Bye, turn));
    assert_eq!(harness.frames(conns[0]), [""; 0]);
    harness.handle(|sessions, turn| sessions.handle_closed(conns[1], CloseReason::Bye, turn));
    assert!(harness.sessions.is_empty());
    assert_eq!(harness.chat.stats().subs, 0);
}
