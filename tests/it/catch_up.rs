//! Who reads slowly falls behind, costs nobody anything, and gets the rest in order.

use serde_json::{Value, json};

use crate::support::client::Lines;
use crate::support::json::{ARRAY, STRING};
use crate::support::server::{MESSAGE_BYTES, SOFT_BYTES};
use crate::support::{Client, Raw, SMALL_BUFFER, Server, Setup};

/// Commands are not limited: the sender is meant to be faster than the reader.
const FAST: &str = "[limits]\nrate_per_s = \"off\"\n";

/// A client with a small receive buffer, who has joined and then reads nothing.
fn slow_reader(server: &Server) -> Client {
    let raw = Raw::connect(server.tcp);
    raw.shrink(SMALL_BUFFER);
    Client::over(Lines(raw)).named("slow", Some("lobby"))
}

/// What a member is told of the room: the seqs that came, those that are said to be gone, in one
/// line, and how often it fell behind and was live again.
fn told(client: &mut Client, last: u64) -> (Vec<u64>, u64, u64) {
    let number = |value: &Value| value.as_u64().expect("a number");
    let (mut next, mut received, mut gone, mut times_behind) = (1, Vec::new(), 0, 0);
    let mut is_behind = false;
    while next <= last || is_behind {
        let event = client.expect(&json!({"ev": STRING, "room": "lobby"}));
        let mut take = |seq: u64| {
            assert_eq!(seq, next, "out of order or with a hole: {event}");
            received.push(seq);
            next = seq + 1;
        };
        match event["ev"].as_str() {
            Some("message") => take(number(&event["seq"])),
            Some("replay") => {
                is_behind = true;
                let items = event["items"].as_array().expect("items");
                for item in items {
                    take(number(&item["seq"]));
                }
            }
            Some("gap") => {
                is_behind = true;
                assert_eq!(number(&event["from"]), next, "{event}");
                assert_eq!(event["why"], "pruned", "{event}");
                next = number(&event["to"]) + 1;
                gone += next - number(&event["from"]);
            }
            Some("live") => {
                assert!(is_behind, "it was live already: {event}");
                assert_eq!(number(&event["seq"]), next - 1, "{event}");
                is_behind = false;
                times_behind += 1;
            }
            _ => {}
        }
    }
    (received, gone, times_behind)
}

#[test]
fn a_slow_reader_of_a_room_in_memory_misses_only_what_is_gone_and_is_told_of_that() {
    let (received, gone) = fall_behind(Setup::default().in_memory());
    assert_eq!(received + gone, FALLEN_BEHIND);
    assert!(gone > 0, "the ring is smaller than what was sent, so something must be gone");
}

#[test]
fn a_slow_reader_of_a_room_on_disk_misses_nothing() {
    assert_eq!(fall_behind(Setup::default()), (FALLEN_BEHIND, 0));
}

/// Messages by which a slow reader falls behind: more than a ring holds.
const FALLEN_BEHIND: u64 = 200;

/// How many messages a slow reader gets, and how many it is told are gone.
fn fall_behind(setup: Setup) -> (u64, u64) {
    let server = setup.config(FAST).start();
    let mut slow = slow_reader(&server);
    let mut quick = Client::ws(&server).named("quick", Some("lobby"));
    let mut ann = Client::framed(&server).named("ann", Some("lobby"));
    let text = "x".repeat(8_000);
    let last = FALLEN_BEHIND;
    for n in 1..=last {
        let sent = ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
        assert_eq!(sent["seq"], n);
        quick.expect(&json!({"ev": "message", "seq": n}));
    }
    let (received, gone, times_behind) = told(&mut slow, last);
    assert!(times_behind > 0, "it never fell behind");

    // It is live again: the next one comes as it is committed.
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "still there?"}));
    slow.expect(&json!({"ev": "message", "seq": last + 1, "text": "still there?"}));
    server.await_metric("chinwag_cursors_lagging", 0.0);
    (received.len() as u64, gone)
}

#[test]
fn what_waits_for_slow_readers_is_bounded() {
    let server = Setup::default().bounded().config(FAST).start();
    let mut slow: Vec<_> = (0..50).map(|_| Raw::connect(server.tcp)).collect();
    for (n, raw) in slow.iter_mut().enumerate() {
        raw.shrink(4096);
        let hello = format!("{{\"op\":\"hello\",\"name\":\"slow{n}\"}}\n");
        raw.send(format!("{hello}{{\"op\":\"join\",\"id\":1,\"room\":\"lobby\"}}\n").as_bytes());
        raw.line().expect("the reply to join");
    }
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = "x".repeat(8_000);
    for _ in 0..200 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    // Each falls behind at its soft limit, and may have been handed one message more.
    let most = slow.len() * (SOFT_BYTES + MESSAGE_BYTES);
    let waiting = server.metric("chinwag_queued_bytes");
    let most = f64::from(u32::try_from(most).expect("less than 4 GiB"));
    assert!(waiting <= most, "{waiting} bytes wait, above {most}");
    for raw in slow {
        raw.reset();
    }
}

#[test]
fn a_join_with_a_position_begins_behind_it() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for n in 1..=5 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": format!("message {n}")}));
    }
    for (after, expected) in [(0, vec![1, 2, 3, 4, 5]), (3, vec![4, 5]), (5, vec![])] {
        let mut bob = Client::lines(&server).named(&format!("bob{after}"), None);
        bob.ask(&json!({"op": "join", "room": "lobby", "after": after}));
        if expected.is_empty() {
            bob.assert_not_told(&json!({"items": ARRAY}));
            continue;
        }
        let mut seqs = Vec::new();
        while seqs.last() != Some(&5) {
            let replay = bob.expect(&json!({"ev": "replay", "room": "lobby"}));
            let items = replay["items"].as_array().expect("items");
            seqs.extend(items.iter().map(|item| item["seq"].as_u64().expect("a seq")));
        }
        assert_eq!(seqs, expected);
        bob.expect(&json!({"ev": "live", "room": "lobby", "seq": 5}));
    }
}

#[test]
fn a_position_in_another_epoch_is_answered_with_a_reset() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "hi"}));
    drop(Client::ws(&server).named("bob", Some("lobby")));
    let mut bob = Client::ws(&server);
    let resume = json!({"session": "unknown", "rooms": {"lobby": ["another", 7]}});
    let hello = bob.ask(&json!({"op": "hello", "name": "bob", "resume": resume}));
    assert_eq!(hello["resumed"], false, "{hello}");
    crate::support::assert_subset(
        &hello["rooms"]["lobby"],
        &json!({"reset": true, "epoch": STRING}),
    );
}
