//! Who was away has missed nothing: everything comes once and in order, and costs nobody else
//! anything.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Client, Setup};

const ROOMS: usize = 50;
/// Messages in each room while the second device is away: 10,000 in all.
const MISSED: u64 = 200;
/// Bytes of each, so that a room's messages are more than it keeps in memory.
const TEXT_BYTES: usize = 600;

fn room(number: usize) -> String {
    format!("room{number}")
}

/// How far a device is in each room. Everything must come once and in order.
#[derive(Default)]
struct Positions(BTreeMap<String, u64>);

impl Positions {
    /// Takes what comes until it has got to this seq in this room.
    #[track_caller]
    fn read_to(&mut self, client: &mut Client, room: &str, seq: u64) {
        while self.0.get(room) != Some(&seq) {
            self.take(&client.next().expect("an event"));
        }
    }

    /// Takes what comes until it is live in all of these rooms.
    #[track_caller]
    fn read_back(&mut self, client: &mut Client, rooms: &[String]) {
        let mut left: Vec<_> = rooms.iter().map(String::as_str).collect();
        while !left.is_empty() {
            let event = client.next().expect("an event");
            self.take(&event);
            if event["ev"] == "live" {
                let name = event["room"].as_str().expect("a room");
                assert_eq!(event["seq"].as_u64(), self.0.get(name).copied(), "{event}");
                left.retain(|room| *room != name);
            }
        }
    }

    #[track_caller]
    fn take(&mut self, event: &Value) {
        let Some(name) = event["room"].as_str() else { return };
        let items = match event["ev"].as_str() {
            Some("message") => std::slice::from_ref(event),
            Some("replay") => event["items"].as_array().expect("items").as_slice(),
            Some("presence" | "receipts" | "live") => return,
            // A reader that is in step again is told the present state once, and nobody types.
            Some("typing") if event["users"] == json!([]) => return,
            _ => panic!("was told {event}"),
        };
        let last = self.0.entry(name.to_owned()).or_default();
        for item in items {
            let seq = item["seq"].as_u64().expect("a seq");
            assert_eq!(seq, *last + 1, "{name}: out of order or with a hole");
            let text = item["text"].as_str().expect("a text");
            assert!(text.starts_with(&format!("{seq} ")), "{name}: {seq} says {text}");
            *last = seq;
        }
    }
}

/// Says messages `from..=to` in a room; they are stored when this returns.
fn say(ann: &mut Client, room: &str, from: u64, to: u64) {
    let filler = "x".repeat(TEXT_BYTES);
    let text = |seq: u64| format!("{seq} {filler}");
    for seq in from..to {
        ann.say(&json!({"op": "send", "room": room, "text": text(seq)}));
    }
    let sent = ann.ask(&json!({"op": "send", "room": room, "text": text(to)}));
    assert_eq!((&sent["seq"], &sent["durable"]), (&json!(to), &json!("disk")));
}

#[test]
fn of_two_devices_the_one_that_was_away_for_ten_thousand_messages_gets_each_once_and_in_order() {
    let config = "durability = \"disk\"\n[limits]\nrate_per_s = \"off\"\n";
    let server = Setup::default().config(config).start();
    let rooms: Vec<_> = (0..ROOMS).map(room).collect();
    let mut ann = Client::ws(&server).named("ann", None);
    let mut laptop = Client::library(&server).named("bob", None);
    let mut phone = Client::lines(&server);
    let session = phone.ask(&json!({"op": "hello", "name": "bob"}))["session"].take();
    let mut at = serde_json::Map::new();
    let (mut on_laptop, mut on_phone) = (Positions::default(), Positions::default());
    for room in &rooms {
        ann.ask(&json!({"op": "join", "room": room}));
        laptop.ask(&json!({"op": "join", "room": room}));
        let joined = phone.ask(&json!({"op": "join", "room": room}));
        say(&mut ann, room, 1, 1);
        on_laptop.read_to(&mut laptop, room, 1);
        on_phone.read_to(&mut phone, room, 1);
        at.insert(room.clone(), json!([joined["epoch"], 1]));
    }
    drop(phone);

    let head = MISSED + 1;
    for room in &rooms {
        say(&mut ann, room, 2, head);
        // The device that stayed has them as they come.
        on_laptop.read_to(&mut laptop, room, head);
    }

    let before = server.resident();
    let mut phone = Client::lines(&server);
    let resume = json!({"session": session, "rooms": at});
    let welcome = phone.ask(&json!({"op": "hello", "name": "bob", "resume": resume}));
    for room in &rooms {
        assert_eq!(welcome["rooms"][room], json!({"from": 2, "to": head}));
    }
    // Before it has read anything, the others talk on.
    let filler = "x".repeat(TEXT_BYTES);
    let text = format!("{} {filler}", head + 1);
    ann.ask(&json!({"op": "send", "room": rooms[0], "text": text}));
    on_laptop.read_to(&mut laptop, &rooms[0], head + 1);
    on_phone.read_back(&mut phone, &rooms);
    // That one came with the rest, or comes after it.
    on_phone.read_to(&mut phone, &rooms[0], head + 1);
    assert!(rooms[1..].iter().all(|room| on_phone.0.get(room) == Some(&head)));
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more for one that came back");

    // Both are in step again.
    say(&mut ann, &rooms[1], head + 1, head + 1);
    on_laptop.read_to(&mut laptop, &rooms[1], head + 1);
    on_phone.read_to(&mut phone, &rooms[1], head + 1);
    server.await_metric("chinwag_cursors_lagging", 0.0);
}

#[test]
fn an_inbox_since_a_rev_tells_what_is_gone_and_says_when_it_is_the_whole() {
    let mut server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut bob = Client::ws(&server).named("bob", None);
    let mut ann = Client::lines(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "board"}));
    for room in ["board", "left", "again", "stays"] {
        bob.ask(&json!({"op": "join", "room": room}));
    }
    ann.ask(&json!({"op": "send", "to": "bob", "text": "hi"}));
    let inbox = |client: &mut Client, since: Option<u64>| {
        let answer = client.ask(&json!({"op": "rooms", "since": since}));
        let rows = answer["rooms"].as_array().expect("rows").iter();
        let rooms: Vec<_> = rows.map(|row| row["room"].clone()).collect();
        let rev = answer["rev"].as_u64().expect("a rev");
        (json!(rooms), answer["gone"].clone(), answer["full"].clone(), rev)
    };
    let all = json!(["@ann:bob", "again", "board", "left", "stays"]);
    let (rooms, gone, full, rev) = inbox(&mut bob, None);
    assert_eq!((rooms, gone, full), (all, json!(null), json!(true)));
    for room in ["left", "again", "@ann:bob"] {
        bob.ask(&json!({"op": "leave", "room": room}));
    }
    ann.ask(&json!({"op": "kick", "room": "board", "user": "bob"}));
    bob.ask(&json!({"op": "join", "room": "again"}));
    let (rooms, gone, full, later) = inbox(&mut bob, Some(rev));
    let expected = (json!(["again"]), json!(["@ann:bob", "board", "left"]), json!(null));
    assert_eq!((rooms, gone, full), expected);
    let (rooms, gone, full, _) = inbox(&mut bob, Some(later));
    assert_eq!((rooms, gone, full), (json!([]), json!([]), json!(null)));
    // One of another start, and one that was never given.
    bob.ask(&json!({"op": "leave", "room": "again"}));
    drop((ann, bob));
    server.restart(rustix::process::Signal::KILL);
    let mut bob = Client::ws(&server).named("bob", None);
    for since in [rev, later, later * 2, 1] {
        let (rooms, gone, full, _) = inbox(&mut bob, Some(since));
        assert_eq!((rooms, gone, full), (json!(["stays"]), json!(null), json!(true)), "{since}");
    }
}
