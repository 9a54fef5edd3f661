//! What a server does wrong is found, named, and told by the exit code.

use serde_json::{Value, json};

use super::liar::{Lie, Speech, start};
use super::{assert_has, bench_with};

/// Loads a server with two rooms of three in which the first members send, and expects these faults
/// of it.
#[track_caller]
fn check(speech: Speech, lie: Lie, senders: &str, expect: &Value) {
    let addr = start(speech, lie);
    let (scheme, kind) = match speech {
        Speech::WebSocket => ("ws", "--plain"),
        Speech::Lines => ("tcp", "--lines"),
    };
    let target = format!("{scheme}://{addr}");
    let rooms = if speech == Speech::Lines { "1" } else { "2" };
    let ran = bench_with(&[
        "fanout",
        kind,
        "--target",
        &target,
        "--connections",
        "6",
        "--rooms",
        rooms,
        "--senders",
        senders,
        "--window",
        "2",
        "--message",
        "{from} {n} {fill}",
        "--text-len",
        "30",
        "--warm-up",
        "0",
        "--seconds",
        "0.3",
        // So that the second member is the same each time, and none that sends.
        "--at-a-time",
        "1",
        "--patience",
        "1",
        "--json",
        "-",
    ]);
    let results: Value = serde_json::from_str(&ran.printed).expect("JSON");
    let is_honest = lie == Lie::Honest;
    assert_eq!(ran.code, Some(i32::from(!is_honest)), "{lie:?}: {ran:#?}");
    let none = json!({"gaps": 0, "duplicates": 0, "reordered": 0, "lost": 0, "unexpected": 0, "disconnected": 0});
    let mut faults = none.as_object().expect("an object").clone();
    faults.extend(expect.as_object().expect("an object").clone());
    let context = format!("{speech:?} {lie:?} {senders}");
    assert_eq!(results["faults"], Value::Object(faults), "{context}: {ran:#?}");
    assert_has(&results, &json!({"ok": is_honest, "settings": {"protocol": "plain"}}));
    assert_eq!(
        results["failures"].as_array().expect("failures").is_empty(),
        is_honest,
        "{context}"
    );
}

#[test]
fn an_honest_server_passes_whoever_sends() {
    for speech in [Speech::WebSocket, Speech::Lines] {
        for senders in ["one", "all"] {
            check(speech, Lie::Honest, senders, &json!({}));
        }
    }
}

#[test]
fn each_lie_of_a_websocket_server_is_found() {
    // Once in each of the two rooms.
    check(Speech::WebSocket, Lie::Drop, "one", &json!({"gaps": 2, "lost": 2}));
    check(Speech::WebSocket, Lie::Twice, "one", &json!({"duplicates": 2}));
    check(Speech::WebSocket, Lie::Swap, "one", &json!({"reordered": 2}));
    check(Speech::WebSocket, Lie::HangUp, "one", &json!({"disconnected": 2}));
    // It is not the one that was sent, and that one is missing.
    check(Speech::WebSocket, Lie::Alter, "one", &json!({"unexpected": 2, "gaps": 2, "lost": 2}));
}

#[test]
fn each_lie_of_a_server_of_lines_is_found() {
    check(Speech::Lines, Lie::Drop, "one", &json!({"gaps": 1, "lost": 1}));
    check(Speech::Lines, Lie::Twice, "all", &json!({"duplicates": 1}));
    check(Speech::Lines, Lie::HangUp, "one", &json!({"disconnected": 1}));
}
