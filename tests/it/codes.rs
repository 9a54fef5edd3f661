//! Every code and close code of the protocol: which scenario produces it, and which are not reachable yet.
//!
//! The lists are whole: a code without a line here fails the test, and so does a line whose scenario no
//! longer produces its code.

use std::collections::BTreeMap;

use chinwag::chat::Code;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Frame, RawWs, Server, Setup, assert_subset};

/// How it is known that a code is produced.
enum Proof<T> {
    /// By this scenario, which returns what the client was told.
    Produced(fn() -> T),
    /// It cannot be produced yet, for this reason.
    NotYet(&'static str),
}

use Proof::{NotYet, Produced};

const NO_TOKENS: &str = "there are no tokens yet (auth = jwt)";

/// Each code and the reply that has it.
const REPLIES: &[(u16, Proof<Value>)] = &[
    (1001, Produced(|| once("{\"op\":\"ping\",}"))),
    (1002, Produced(|| refused(&json!({"op": "dance"}), 1002))),
    (1003, Produced(|| refused(&json!({"op": "join", "room": "No Room"}), 1003))),
    (1004, Produced(|| once("{\"op\":\"rooms\",\"id\":1}"))),
    (1005, Produced(|| once("{\"op\":\"hello\",\"id\":1,\"version\":2}"))),
    (2001, NotYet(NO_TOKENS)),
    (2002, NotYet(NO_TOKENS)),
    (2003, NotYet(NO_TOKENS)),
    (2004, NotYet("it takes the operator's command: tests/it/tools.rs")),
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
    (5001, Produced(rate_limited)),
    (5004, Produced(busy)),
    (5005, NotYet("it takes a disk that is full: scripts/fulldisk")),
    (5006, NotYet("who is told of the stop is closed at once, and asks nothing more")),
    (9001, NotYet("a bug would have to be known")),
    (9002, Produced(|| refused(&json!({"op": "refresh", "token": "x"}), 9002))),
];

/// Each close code, with the close frame's code that was received.
const CLOSES: &[(u16, Proof<u16>)] = &[
    (1002, Produced(|| closed_after(&Frame { first: 0xc1, payload: Vec::new() }))),
    (1003, Produced(|| closed_after(&Frame { first: 0x82, payload: b"{}".to_vec() }))),
    (1007, Produced(|| closed_after(&Frame { first: 0x81, payload: vec![0xff] }))),
    (1008, NotYet(NO_TOKENS)),
    (1009, Produced(|| closed_after(&Frame { first: 0x81, payload: vec![b' '; 1 << 20] }))),
    (4000, NotYet(NO_TOKENS)),
    (4005, NotYet("it takes the operator's command: tests/it/tools.rs")),
    (4008, Produced(hello_timeout)),
    (4010, Produced(replaced)),
    (4101, Produced(stalled)),
    (4102, Produced(too_many_errors)),
    (4103, Produced(no_pong)),
    (4104, Produced(overloaded)),
    (4201, Produced(shutdown)),
    (4202, NotYet("there is one node only")),
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

/// What a member is told that says something after this was done to it.
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

/// There is nobody who could be put out.
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

fn rate_limited() -> Value {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for _ in 0..50 {
        ann.say(&json!({"op": "typing", "room": "lobby"}));
    }
    ann.expect(&json!({"code": 5001}))
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

/// The close code that follows `frame`.
fn closed_after(frame: &Frame) -> u16 {
    let server = Setup::default().start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    client.send_frame(frame);
    close_code(&mut client)
}

/// Receives frames up to the close frame, answers it, and returns its code.
fn close_code(client: &mut RawWs) -> u16 {
    loop {
        let frame = client.frame();
        if let Some(code) = frame.close_code() {
            client.send_frame(&frame);
            client.raw.assert_ended();
            return code;
        }
    }
}

fn hello_timeout() -> u16 {
    let server = Setup::default().config("[timeouts]\nhello = \"50ms\"\n").start();
    close_code(&mut RawWs::connect(server.http, "/ws", ""))
}

fn replaced() -> u16 {
    let server = Server::start();
    let mut first = RawWs::connect(server.http, "/ws", "");
    first.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    let reply: Value = serde_json::from_slice(&first.frame().payload).expect("JSON");
    let resume = json!({"session": reply["data"]["session"], "rooms": {}});
    let mut second = Client::lines(&server);
    second.ask(&json!({"op": "hello", "name": "ann", "resume": resume}));
    close_code(&mut first)
}

/// Who does not read cannot be told: the reason is in the metrics.
fn stalled() -> u16 {
    let server = Setup::default()
        .set("timeouts.stall", "200ms")
        .set("timeouts.pong", "200ms")
        .set("limits.rate_per_s", "off")
        .start();
    let mut silent = RawWs::connect(server.http, "/ws", "");
    silent.raw.shrink(4096);
    silent.send_frame(&Frame::text("{\"op\":\"hello\",\"name\":\"bob\"}"));
    silent.send_frame(&Frame::text("{\"op\":\"join\",\"id\":1,\"room\":\"lobby\"}"));
    silent.frame();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = "x".repeat(16_000);
    for _ in 0..64 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    server.await_metric("chinwag_connections_closed_total{reason=\"stalled\"}", 1.0);
    4101
}

fn too_many_errors() -> u16 {
    let server = Server::start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    client.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    for _ in 0..32 {
        client.send_frame(&Frame::text("{\"op\":\"dance\"}"));
    }
    close_code(&mut client)
}

fn no_pong() -> u16 {
    let config = "[timeouts]\nping_after = \"100ms\"\npong = \"100ms\"\n";
    let server = Setup::default().config(config).start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    client.send_frame(&Frame::text("{\"op\":\"hello\",\"name\":\"ann\"}"));
    close_code(&mut client)
}

fn overloaded() -> u16 {
    let limits = [("limits.per_address", "1"), ("limits.per_address_loopback", "true")];
    let server = limits.into_iter().fold(Setup::default(), |to, (key, value)| to.set(key, value));
    let server = server.start();
    let _first = Client::lines(&server).named("ann", None);
    let mut second = Client::lines(&server);
    let bye = second.expect(&json!({"ev": "bye"}));
    u16::try_from(bye["close"].as_u64().expect("a close code")).expect("a small number")
}

fn shutdown() -> u16 {
    let mut server = Server::start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    server.signal(Signal::TERM);
    let code = close_code(&mut client);
    drop(client);
    server.assert_left_in_order();
    code
}

/// Prints a line for each, and returns how many are produced.
fn report<T>(table: &[(u16, Proof<T>)], check: impl Fn(u16, T), slug: impl Fn(u16) -> String) {
    for (code, proof) in table {
        match proof {
            Produced(scenario) => {
                check(*code, scenario());
                println!("{code} {}: produced", slug(*code));
            }
            NotYet(reason) => println!("{code} {}: not yet: {reason}", slug(*code)),
        }
    }
}

#[test]
fn every_code_is_produced_or_not_reachable_yet() {
    let slugs: BTreeMap<_, _> = Code::ALL.iter().map(|code| (code.number(), code)).collect();
    let listed: Vec<_> = REPLIES.iter().map(|(code, _)| *code).collect();
    assert_eq!(listed, slugs.keys().copied().collect::<Vec<_>>(), "the list is not whole");
    let check = |code: u16, reply: Value| {
        assert_subset(&reply, &json!({"code": code, "data": {"error": slugs[&code].slug()}}));
        let later = reply["data"].get("retry_after_ms").is_some();
        assert_eq!(later, slugs[&code].is_transient(), "{reply}");
    };
    report(REPLIES, check, |code| slugs[&code].slug().to_owned());
}

#[test]
fn every_close_code_is_produced_or_not_reachable_yet() {
    let check = |code: u16, told: u16| assert_eq!(told, code);
    report(CLOSES, check, |_| "close".to_owned());
}
