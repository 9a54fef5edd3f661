//! Everybody comes back at once.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Client, Setup};

/// Rooms of one who returns.
const ROOMS: usize = 20;

#[test]
fn an_honest_return_to_twenty_rooms_is_never_throttled() {
    // The usual rate: hello, the inbox and a page of each room.
    let mut server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", None);
    let rooms: Vec<String> = (0..ROOMS).map(|n| format!("room{n}")).collect();
    let mut positions = serde_json::Map::new();
    for room in &rooms {
        let joined = ann.ask(&json!({"op": "join", "room": room}));
        ann.ask(&json!({"op": "send", "room": room, "text": "before"}));
        positions.insert(room.clone(), json!([joined["epoch"], 0]));
    }
    drop(ann);
    server.restart(Signal::TERM);
    let mut ann = Client::ws(&server);
    let resume = json!({"session": "gone", "rooms": positions});
    ann.say(&json!({"op": "hello", "id": "h", "name": "ann", "resume": resume}));
    ann.say(&json!({"op": "rooms", "id": "r"}));
    for room in &rooms {
        ann.say(&json!({"op": "history", "id": room, "room": room}));
    }
    ann.expect(&json!({"id": "h", "code": 0}));
    ann.expect(&json!({"id": "r", "code": 0}));
    for room in &rooms {
        let page = ann.expect(&json!({"id": room, "code": 0}));
        assert_eq!(page["data"]["last"], json!(1), "{page}");
    }
}
