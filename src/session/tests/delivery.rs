//! What the domain says reaches each connection in its own form.

use super::{Harness, ids, text};
use crate::session::ListenerKind;

fn send(id: usize, message: &str) -> Vec<u8> {
    text(&format!(r#"{{"op":"send","id":{id},"room":"lobby","text":"{message}"}}"#))
}

#[test]
fn a_message_reaches_every_encoding_in_its_own_form() {
    let mut harness = Harness::new();
    let sender = harness.enter("ann");
    let other = harness.enter("bob");
    let lines = harness.open(ListenerKind::Tcp);
    harness.receive(lines, b"{\"op\":\"hello\"}\n{\"op\":\"join\",\"room\":\"lobby\"}\n");
    let person = harness.open(ListenerKind::Tcp);
    harness.receive(person, b"/nick dan\n/join lobby\n");
    harness.end_turn();
    for conn in [sender, other, lines, person] {
        harness.take(conn);
    }
    harness.receive(sender, &send(5, "good morning"));
    assert_eq!(harness.take(sender), b"", "it is told with the others, at the turn's end");
    harness.end_turn();
    assert_eq!(ids(&harness.frames(sender)), [5], "a sender gets the answer in place of the event");
    let events = harness.frames(other);
    let [event] = &*events else { panic!("{events:?}") };
    assert!(event.starts_with(r#"{"ev":"message","room":"lobby","seq":"#), "{event}");
    let line = String::from_utf8(harness.take(lines)).unwrap();
    assert_eq!(line, format!("{event}\n"));
    let shown = String::from_utf8(harness.take(person)).unwrap();
    assert!(shown.contains("ann") && shown.ends_with("good morning\n"), "{shown}");
}

#[test]
fn who_sends_in_one_turn_gets_answers_and_the_others_records_in_the_order_of_seq() {
    let long = "x".repeat(2_000);
    for message in ["short", &long] {
        let mut harness = Harness::new();
        let conns = [harness.enter("ann"), harness.enter("bob")];
        for round in 0..3 {
            for conn in conns {
                harness.receive(conn, &send(round, message));
            }
        }
        harness.end_turn();
        let seqs = conns.map(|conn| {
            let frames = harness.frames(conn);
            assert_eq!(ids(&frames), [0, 1, 2]);
            let seq = |frame: &String| {
                let behind = frame.split(r#""seq":"#).nth(1)?;
                behind.split(',').next()?.parse::<u64>().ok()
            };
            frames.iter().filter_map(seq).collect::<Vec<_>>()
        });
        assert_eq!(seqs[0].len(), 6);
        assert!(seqs[0].is_sorted(), "{seqs:?}");
        assert_eq!(seqs[0], seqs[1], "both see the same order");
    }
}

#[test]
fn who_is_replaced_is_told_so_while_another_connection_is_handled() {
    let mut harness = Harness::new();
    let first = harness.open_websocket();
    harness.receive(first, &text(r#"{"op":"hello","id":1,"name":"ann"}"#));
    let welcome = harness.frames(first).remove(0);
    let secret = welcome.split(r#""session":""#).nth(1).unwrap().split('"').next().unwrap();
    let second = harness.open_websocket();
    let hello =
        format!(r#"{{"op":"hello","id":1,"resume":{{"session":"{secret}","rooms":{{}}}}}}"#);
    harness.receive(second, &text(&hello));
    assert_eq!(ids(&harness.frames(second)), [1]);
    assert_eq!(harness.frames(first), ["close 4010"]);
    assert_eq!(harness.closed(second), None);
}

#[test]
fn what_a_connection_asks_for_behind_a_send_is_answered_behind_it_in_one_segment_or_in_two() {
    let send = send(1, "hello");
    let readings = [
        r#"{"op":"history","id":2,"room":"lobby","after":0}"#,
        r#"{"op":"rooms","id":2}"#,
        r#"{"op":"search","id":2,"text":"hello"}"#,
        r#"{"op":"leave","id":2,"room":"lobby"}"#,
    ];
    for reading in readings {
        for (is_glued, are_slow) in [(true, true), (true, false), (false, false)] {
            let mut harness = Harness::new();
            let conn = harness.enter("ann");
            harness.are_logs_slow = are_slow;
            if is_glued {
                harness.receive(conn, &[&*send, &*text(reading)].concat());
            } else {
                harness.receive(conn, &send);
                harness.end_turn();
                harness.receive(conn, &text(reading));
            }
            harness.take_replies();
            harness.end_turn();
            harness.take_replies();
            harness.end_turn();
            let frames = harness.frames(conn);
            assert_eq!(ids(&frames), [1, 2], "{is_glued} {are_slow} {frames:?}");
        }
    }
}
