//! Rates, and errors in a row.

use super::{Harness, frame, ids, ping, text};
use crate::net::{CloseReason, Ending};
use crate::session::ListenerKind;
use crate::ws::Opcode;

/// A harness in which so many errors in a row end a connection.
fn with_errors_max(errors_max: u32) -> Harness {
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
fn requests_beyond_the_rate_are_refused_until_there_is_room_again() {
    let mut harness = Harness::with(|config, limits| {
        config.limits.rate_per_s = Some(2);
        config.limits.burst = 4;
        limits.rate_per_s = Some(2);
        limits.burst = 4;
    });
    let conn = harness.enter("ann");
    // Two of the burst are used up by hello and join.
    let batch: Vec<u8> = (0..4).flat_map(|id| text(&ping(id))).collect();
    harness.receive(conn, &batch);
    let frames = harness.frames(conn);
    let is_refused = |frame: &&String| frame.contains(r#""error":"rate_limited""#);
    assert_eq!(ids(&frames), [0, 1, 2, 3]);
    assert_eq!(frames.iter().filter(is_refused).count(), 2, "{frames:?}");
    assert!(frames[2].contains(r#""retry_after_ms":500"#), "{}", frames[2]);
    harness.millis += 500;
    harness.receive(conn, &batch);
    let frames = harness.frames(conn);
    assert_eq!(frames.iter().filter(is_refused).count(), 3, "{frames:?}");
}

#[test]
fn too_many_control_frames_end_a_connection() {
    let mut harness = Harness::with(|config, _| {
        config.limits.control_per_s = Some(1);
        config.limits.control_burst = 3;
    });
    let conn = harness.enter("ann");
    harness.receive(conn, &frame(Opcode::Ping, b"").repeat(5));
    assert_eq!(harness.frames(conn), ["Pong ", "Pong ", "Pong ", "close 4102"]);
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
