//! Rates, and errors in a row.

use super::{Harness, ids, ping, text};
use crate::net::{CloseReason, Ending};
use crate::session::ListenerKind;

/// A harness in which so many errors in a row end a connection.
fn with_errors_max(errors_max: u16) -> Harness {
    Harness::with(|config, _| config.limits.errors_in_a_row = errors_max)
}

#[test]
fn too_many_errors_in_a_row_end_a_connection() {
    let wrong = |id: usize| format!(r#"{{"op":"nothing","id":{id}}}"#);
    let refused = |id: usize| format!(r#"{{"op":"leave","id":{id},"room":"nowhere"}}"#);
    for wrong in [wrong, refused] {
        let mut harness = with_errors_max(3);
        let conn = harness.enter("ann");
        // What succeeds between them is forgiving.
        for id in [1, 2, 4, 5, 7, 8] {
            harness.receive(conn, &text(&wrong(id)));
            if id % 3 == 2 {
                harness.receive(conn, &text(&ping(id + 1)));
            }
        }
        assert_eq!(ids(&harness.frames(conn)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(harness.closed(conn), None);
        let batch: Vec<u8> = (10..20).flat_map(|id| text(&wrong(id))).collect();
        harness.receive(conn, &batch);
        harness.end_turn();
        let frames = harness.frames(conn);
        assert_eq!(ids(&frames), [10, 11, 12], "nothing is done after the last error");
        assert_eq!(frames.last().unwrap(), "close 4102");
        assert_eq!(harness.closed(conn), Some((CloseReason::Flooding, Ending::Linger)));
    }
}

/// What a connection is told of requests that come in one piece, or one after the other's answer;
/// and how it ended.
fn outcome(
    (is_tcp, is_apart): (bool, bool),
    requests: &[String],
) -> (Vec<usize>, Option<CloseReason>) {
    let mut harness = with_errors_max(3);
    let encode = |request: &String| {
        if is_tcp { format!("{request}\n").into_bytes() } else { text(request) }
    };
    let conn = if is_tcp { harness.open(ListenerKind::Tcp) } else { harness.open_websocket() };
    for request in [r#"{"op":"hello"}"#, r#"{"op":"join","room":"lobby"}"#] {
        harness.receive(conn, &encode(&request.to_owned()));
        harness.end_turn();
    }
    harness.take(conn);
    harness.are_logs_slow = true;
    let pieces: Vec<Vec<u8>> = requests.iter().map(encode).collect();
    let pieces = if is_apart { pieces } else { vec![pieces.concat()] };
    for piece in pieces {
        harness.receive(conn, &piece);
        harness.take_replies();
        harness.end_turn();
        while harness.see(conn).is_paused && harness.closed(conn).is_none() {
            harness.drain(conn);
            harness.take_replies();
            harness.end_turn();
        }
    }
    let told = if is_tcp {
        let sent = String::from_utf8(harness.take(conn)).unwrap();
        sent.lines().map(str::to_owned).collect()
    } else {
        harness.frames(conn)
    };
    let mut answered = ids(&told);
    answered.sort_unstable();
    (answered, harness.closed(conn).map(|(reason, _)| reason))
}

#[test]
fn errors_are_judged_by_request_however_many_come_at_once() {
    let request = |(id, kind): (usize, char)| match kind {
        's' => format!(r#"{{"op":"send","id":{id},"room":"lobby","text":"hello"}}"#),
        'q' => r#"{"op":"send","room":"lobby","text":"hello"}"#.to_owned(),
        // Known to be wrong when the log has answered.
        'l' => format!(r#"{{"op":"delete","id":{id},"room":"lobby","target":1000}}"#),
        _ => format!(r#"{{"op":"dance","id":{id}}}"#),
    };
    for (kinds, answers) in [
        ("eeseeseesees", None),
        ("eeqeeqeeqeeqeeq", None),
        ("lslslslslsls", None),
        ("seeesss", Some(4)),
        ("eelssss", Some(3)),
    ] {
        let requests: Vec<String> = kinds.chars().enumerate().map(request).collect();
        for is_tcp in [false, true] {
            let apart = outcome((is_tcp, true), &requests);
            let glued = outcome((is_tcp, false), &requests);
            let expect = answers.map(|_| CloseReason::Flooding);
            assert_eq!((apart.1, glued.1), (expect, expect), "{kinds} {is_tcp}");
            if let Some(answers) = answers {
                assert_eq!(apart.0.len(), answers, "{kinds} {is_tcp}");
            } else {
                assert_eq!(apart, glued, "{kinds} {is_tcp}");
            }
        }
    }
}

#[test]
fn a_person_who_is_not_understood_too_often_is_ended_too() {
    let mut harness = with_errors_max(3);
    let conn = harness.open(ListenerKind::Tcp);
    harness.receive(conn, b"/jion\n/jion\n/help\n/jion\n/jion\n");
    assert_eq!(harness.closed(conn), None);
    harness.receive(conn, b"/jion\n/jion\n");
    assert_eq!(harness.closed(conn), Some((CloseReason::Flooding, Ending::Linger)));
}

#[test]
fn a_stranger_is_given_less_memory_than_a_user() {
    let message = format!(r#"{{"op":"ping","id":1,"x":"{}"}}"#, "x".repeat(90_000));
    let mut harness = Harness::new();
    let stranger = harness.open_websocket();
    harness.receive(stranger, &text(&message));
    assert_eq!(harness.frames(stranger), ["close 1009"]);
    assert_eq!(harness.closed(stranger), Some((CloseReason::TooBig, Ending::Linger)));
    let user = harness.enter("ann");
    harness.receive(user, &text(&message));
    assert_eq!(ids(&harness.frames(user)), [1]);
}

#[test]
fn the_echo_takes_a_large_message_in_tiny_fragments_and_the_chat_does_not() {
    let fragment = |first: u8, len: u8| {
        let mut frame = vec![first, 0x80 | len, 0, 0, 0, 0];
        frame.resize(6 + usize::from(len), b'x');
        frame
    };
    let mut harness = Harness::with(|config, _| config.echo = true);
    let echo = harness.open(ListenerKind::Http);
    harness.receive(echo, super::UPGRADE.replace("/ws", "/echo").as_bytes());
    harness.take(echo);
    harness.receive(echo, &fragment(0x01, 64));
    let more = fragment(0x00, 64);
    for _ in 0..1 << 10 {
        harness.receive(echo, &more.repeat(64));
    }
    harness.receive(echo, &fragment(0x80, 0));
    assert_eq!(harness.closed(echo), None);
    assert_eq!(harness.frames(echo).concat().len(), (1 << 22) + 64);
    let chat = harness.enter("ann");
    harness.receive(chat, &[fragment(0x01, 0), fragment(0x00, 0).repeat(1_024)].concat());
    assert_eq!(harness.frames(chat), ["close 1009"]);
}

#[test]
fn what_has_come_in_part_is_bounded_for_all_together_and_given_back() {
    const TOTAL: usize = 128 * 1024;
    let mut harness = Harness::with(|config, _| {
        config.limits.inbound_total_bytes = Some(TOTAL);
        config.limits.rate_per_s = None;
    });
    let conns: Vec<_> = (0..40).map(|n| harness.enter(&format!("u{n}"))).collect();
    let message =
        text(&format!(r#"{{"op":"send","room":"lobby","text":"{}"}}"#, "x".repeat(12_000)));
    let parts: Vec<&[u8]> = message.chunks(1_000).collect();
    let held = |harness: &Harness| harness.sessions.context.inbound.used();
    for part in &parts[..parts.len() - 1] {
        for &conn in &conns {
            harness.receive(conn, part);
            assert!(held(&harness) <= TOTAL + 40 * 4_096, "{} bytes are held", held(&harness));
        }
    }
    let ended = conns.iter().filter(|conn| harness.closed(**conn).is_some());
    assert!(ended.count() > 20, "not all can have so much");
    for &conn in &conns {
        if let Some(closed) = harness.closed(conn) {
            assert_eq!(closed, (CloseReason::Overloaded, Ending::Linger));
        } else {
            harness.receive(conn, parts[parts.len() - 1]);
            harness.end_turn();
            assert_eq!(harness.closed(conn), None);
        }
        harness.handle(|sessions, turn| sessions.handle_closed(conn, CloseReason::Bye, turn));
    }
    assert_eq!(held(&harness), 0, "all is given back");
    // Who comes later may send as before.
    let conn = harness.enter("late");
    for part in parts {
        harness.receive(conn, part);
    }
    assert_eq!(harness.closed(conn), None);
}
