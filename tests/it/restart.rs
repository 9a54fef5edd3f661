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
