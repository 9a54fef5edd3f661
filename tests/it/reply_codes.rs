//! Every code of a reply: which scenario produces it, and which are not reachable yet.
//!
//! The list is whole: a code without a line here fails the test, and so does a line whose scenario
//! no longer produces its code.

use std::collections::BTreeMap;

use chinwag::chat::Code;
use serde_json::{Value, json};

use crate::support::{Client, Server, Setup, assert_subset};

/// How it is known that a code is produced.
enum Proof {
    /// By this scenario, which returns the reply.
    Produced(fn() -> Value),
    /// It cannot be produced yet, for this reason.
    NotYet(&'static str),
}

use Proof::{NotYet, Produced};

const NO_TOKENS: &str = "there are no tokens yet (auth = jwt)";

/// Each code and the reply that has it.
const REPLIES: &[(u16, Proof)] = &[
    (1001, Produced(|| once("{\"op\":\"ping\",}"))),
    (1002, Produced(|| refused(&json!({"op": "dance"}), 1002))),
    (1003, Produced(|| refused(&json!({"op": "join", "room": "No Room"}), 1003))),
    (1004, Produced(|| once("{\"op\":\"rooms\",\"id\":1}"))),
    (1005, Produced(|| once("{\"op\":\"hello\",\"id\":1,\"version\":2}"))),
    (2001, NotYet(NO_TOKENS)),
    (2002, NotYet(NO_TOKENS)),
    (2003, NotYet(NO_TOKENS)),
    (2004, NotYet("it takes the operator's command: tests/it/database_commands.rs")),
    (2005, NotYet("there are no guest names yet (auth = guest)")),
    (3001, Produced(|| refused(&json!({"op": "history", "room": "@bob:eve"}), 3001))),
    (3002, Produced(room_exists)),
    (3003, Produced(not_member)),
    (3004, Produced(forbidden)),
    (3005, Produced(|| judged(&json!({"op": "ban"}), 3005))),
    (3006, Produced(|| judged(&json!({"op": "mute"}), 3006))),
    (3007, Produced(|| judged(&json!({"op": "role", "role": "reader"}), 3007))),
    (3008, Produced(invite_only)),
    (3009, Produced(room_full)),
    (3010, Produced(no_such_user)),
    (3011, Produced(too_many_rooms)),
    (3012, Produced(too_many_sessions)),
    (4001, Produced(too_large)),
    (4002, Produced(no_such_message)),
    (4003, Produced(seq_unavailable)),
    (4004, Produced(epoch_changed)),
    (4005, Produced(cid_conflict)),
    (4006, Produced(edit_window_over)),
    (5001, NotYet("whoever sends too fast is read more slowly: tests/it/limits.rs")),
    (5004, Produced(busy)),
    (5005, NotYet("it takes a disk that is full: scripts/fulldisk")),
    (5006, NotYet("who is told of the stop is closed at once, and asks nothing more")),
    (9001, NotYet("a bug would have to be known")),
    (9002, NotYet("every operation of the protocol is there")),
];

/// What is answered to `text` as the first thing that is said.
fn once(text: &str) -> Value {
    let server = Server::start();
    let mut client = Client::ws(&server);
    client.say_text(text);
    client.next().expect("an answer")
}

/// What is answered to `request` after `hello` and joining a room.
fn refused(request: &Value, code: u16) -> Value {
    let server = Server::start();
    Client::ws(&server).named("ann", Some("lobby")).refused(request, code)
}

fn room_exists() -> Value {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.refused(&json!({"op": "create", "room": "lobby"}), 3002)
}

/// Only the owner may set the topic of a room that has one.
fn forbidden() -> Value {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "attic"}));
    let mut bob = Client::ws(&server).named("bob", Some("attic"));
    bob.refused(&json!({"op": "topic", "room": "attic", "text": "mine"}), 3004)
}

/// The reply to a member who sends a message after `act` was done to them.
fn judged(act: &Value, code: u16) -> Value {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "attic"}));
    let mut bob = Client::ws(&server).named("bob", Some("attic"));
    let mut act = act.clone();
    (act["room"], act["user"]) = (json!("attic"), json!("bob"));
    ann.ask(&act);
    bob.refused(&json!({"op": "send", "room": "attic", "text": "hi"}), code)
}

/// Only somebody who is known can be put out of a room.
fn no_such_user() -> Value {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "attic"}));
    ann.refused(&json!({"op": "kick", "room": "attic", "user": "bob"}), 3010)
}

fn invite_only() -> Value {
    let policy = "[[room_policy]]\nmatch = \"club\"\naccess = \"invite\"\n";
    let server = Setup::default().config(policy).start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "club"}));
    let mut bob = Client::ws(&server).named("bob", None);
    bob.refused(&json!({"op": "join", "room": "club"}), 3008)
}

fn edit_window_over() -> Value {
    let window = Setup::default().set("rooms.edit_window", "1s");
    let server = window.set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let said = ann.ask(&json!({"op": "send", "room": "lobby", "text": "hi"}));
    let over = said["at"].as_u64().expect("a time") + 1_000;
    while ann.ask(&json!({"op": "ping"}))["time"].as_u64().expect("a time") <= over {}
    ann.refused(&json!({"op": "edit", "room": "lobby", "target": 1, "text": "ho"}), 4006)
}

fn not_member() -> Value {
    let server = Server::start();
    let _ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", None);
    bob.refused(&json!({"op": "send", "room": "lobby", "text": "hi"}), 3003)
}

fn too_large() -> Value {
    let text = "x".repeat(16_385);
    refused(&json!({"op": "send", "room": "lobby", "text": text}), 4001)
}

fn epoch_changed() -> Value {
    let request = json!({"op": "history", "room": "lobby", "after": 0, "epoch": "another"});
    refused(&request, 4004)
}

fn cid_conflict() -> Value {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "cid": "c", "text": "one"}));
    ann.refused(&json!({"op": "send", "room": "lobby", "cid": "c", "text": "two"}), 4005)
}

fn room_full() -> Value {
    let server = Setup::default().config("[limits]\nroom_members = 1\n").start();
    let _ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", None);
    bob.refused(&json!({"op": "join", "room": "lobby"}), 3009)
}

fn too_many_rooms() -> Value {
    let server = Setup::default().config("[limits]\nrooms = 1\n").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.refused(&json!({"op": "join", "room": "attic"}), 3011)
}

fn too_many_sessions() -> Value {
    let server = Setup::default().config("[limits]\nsessions_per_user = 1\n").start();
    let _first = Client::ws(&server).named("ann", None);
    Client::ws(&server).refused(&json!({"op": "hello", "name": "ann"}), 3012)
}

fn no_such_message() -> Value {
    refused(&json!({"op": "send", "room": "lobby", "text": "what?", "reply_to": 99}), 4002)
}

fn seq_unavailable() -> Value {
    refused(&json!({"op": "join", "room": "lobby", "after": 99}), 4003)
}

fn busy() -> Value {
    let server = Setup::default().config("[limits]\nusers = 1\n").start();
    let _ann = Client::ws(&server).named("ann", None);
    Client::ws(&server).refused(&json!({"op": "hello", "name": "bob"}), 5004)
}

#[test]
fn every_code_is_produced_or_not_reachable_yet() {
    let codes: BTreeMap<_, _> = Code::ALL.iter().map(|code| (code.number(), code)).collect();
    let listed: Vec<_> = REPLIES.iter().map(|(number, _)| *number).collect();
    assert_eq!(listed, codes.keys().copied().collect::<Vec<_>>(), "the list is not whole");
    for (number, proof) in REPLIES {
        let code = codes[number];
        let reply = match proof {
            Produced(scenario) => scenario(),
            NotYet(reason) => {
                println!("{number} {}: not yet: {reason}", code.slug());
                continue;
            }
        };
        println!("{number} {}: produced", code.slug());
        assert_subset(&reply, &json!({"code": number, "data": {"error": code.slug()}}));
        let later = reply["data"].get("retry_after_ms").is_some();
        assert_eq!(later, code.is_transient(), "{reply}");
    }
}
