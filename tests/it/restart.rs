//! The server ends, in good order or not, and is started again on what it has kept.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Client, Setup};

#[test]
fn a_room_in_memory_is_empty_after_a_restart_and_says_so_by_its_epoch() {
    let mut server = Setup::default().in_memory().start();
    let mut epochs = Vec::new();
    for (signal, seq) in [(Signal::TERM, 1), (Signal::KILL, 1), (Signal::TERM, 1)] {
        let mut ann = Client::ws(&server).named("ann", None);
        let joined = ann.ask(&json!({"op": "join", "room": "lobby", "after": 0}));
        assert_eq!((&joined["seq"], &joined["durable"]), (&json!(0), &json!("memory")));
        assert!(!epochs.contains(&joined["epoch"]), "{joined} after {epochs:?}");
        epochs.push(joined["epoch"].clone());
        let sent = ann.ask(&json!({"op": "send", "room": "lobby", "cid": "c", "text": "hi"}));
        assert_eq!((&sent["seq"], &sent["dup"]), (&json!(seq), &json!(null)), "{sent}");
        drop(ann);
        server.restart(signal);
    }
    assert_eq!(epochs.len(), 3);
}

#[test]
fn a_room_on_disk_is_found_as_it_was_left() {
    let mut server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", None);
    let epoch = ann.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].take();
    let mut all = Vec::new();
    for (round, signal) in [Signal::KILL, Signal::TERM, Signal::KILL].into_iter().enumerate() {
        for n in 0..5 {
            let text = format!("{round} {n}");
            let sent = ann.ask(&json!({"op": "send", "room": "lobby", "cid": text, "text": text}));
            assert_eq!(sent["durable"], "disk");
            all.push(json!([sent["seq"], text]));
        }
        drop(ann);
        server.restart(signal);
        ann = Client::ws(&server);
        let resume = json!({"session": "s", "rooms": {"lobby": [epoch, 0]}});
        let welcome = ann.ask(&json!({"op": "hello", "name": "ann", "resume": resume}));
        let head = all.len();
        assert_eq!(welcome["rooms"]["lobby"], json!({"from": 1, "to": head}), "{welcome}");
        let mut told = Vec::new();
        while told.len() < head {
            let replay = ann.expect(&json!({"ev": "replay", "room": "lobby"}));
            let items = replay["items"].as_array().expect("items");
            told.extend(items.iter().map(|item| json!([item["seq"], item["text"]])));
        }
        assert_eq!(told, all);
        // What was answered before is not said again.
        let again = json!({"op": "send", "room": "lobby", "cid": "0 0", "text": "0 0"});
        let again = ann.ask(&again);
        assert_eq!((&again["seq"], &again["dup"]), (&json!(1), &json!(true)), "{again}");
    }
}
