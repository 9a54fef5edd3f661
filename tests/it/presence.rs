//! What is told of people: who is there, who types, who has read.

use serde_json::{Value, json};

use crate::support::json::NUMBER;
use crate::support::{Client, Server, Setup};

/// What is gathered is sent as soon as the settings allow.
const QUICK: &str = "[timeouts]\npresence_interval = \"50ms\"\nreceipts_interval = \"50ms\"\n\
                     leave_grace = \"100ms\"\n";

fn quick() -> Server {
    Setup::default().config(QUICK).start()
}

/// Waits until a presence event names `user` under `kind`.
#[track_caller]
fn expect_presence(client: &mut Client, kind: &str, user: &str) -> Value {
    loop {
        let event = client.expect(&json!({"ev": "presence", "room": "lobby"}));
        if event[kind].as_array().is_some_and(|users| users.iter().any(|name| name == user)) {
            return event;
        }
    }
}

#[test]
fn coming_going_away_and_leaving_are_told_with_rising_versions() {
    let server = quick();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut versions = Vec::new();
    versions.push(expect_presence(&mut ann, "on", "bob")["v"].as_u64());
    bob.ask(&json!({"op": "status", "status": "away"}));
    versions.push(expect_presence(&mut ann, "away", "bob")["v"].as_u64());
    bob.ask(&json!({"op": "status", "status": "online"}));
    versions.push(expect_presence(&mut ann, "on", "bob")["v"].as_u64());
    drop(bob);
    versions.push(expect_presence(&mut ann, "off", "bob")["v"].as_u64());
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    let now = ann.ask(&json!({"op": "presence", "room": "lobby"}));
    assert_eq!(now["users"], json!([["ann", "online"]]), "{now}");
}

#[test]
fn a_user_with_two_sessions_is_away_when_both_are_and_off_when_both_are_gone() {
    let server = quick();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut phone = Client::ws(&server).named("bob", Some("lobby"));
    let desk = Client::lines(&server).named("bob", Some("lobby"));
    expect_presence(&mut ann, "on", "bob");
    phone.ask(&json!({"op": "status", "status": "away"}));
    drop(desk);
    expect_presence(&mut ann, "away", "bob");
    drop(phone);
    expect_presence(&mut ann, "off", "bob");
    // The server has nothing else to do here until it asks who is silent, which is later than this
    // waits: a timer, not the next input, must have caused this.
}

#[test]
fn typing_is_seen_by_the_others_and_ends_with_the_message() {
    let server = quick();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::framed(&server).named("bob", Some("lobby"));
    bob.say(&json!({"op": "typing", "room": "lobby"}));
    ann.expect(&json!({"ev": "typing", "room": "lobby", "users": ["bob"]}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "done"}));
    ann.expect(&json!({"ev": "message", "text": "done"}));
    ann.expect(&json!({"ev": "typing", "room": "lobby", "users": []}));
}

#[test]
fn what_was_read_is_told_to_the_others_and_read_back_by_its_reader() {
    let server = quick();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    for text in ["one", "two", "three"] {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    bob.ask(&json!({"op": "ack", "room": "lobby", "read": 2}));
    ann.expect(&json!({"ev": "receipts", "room": "lobby", "read": {"bob": 2}}));
    // A lower value is ignored, and recv is implied by read.
    bob.ask(&json!({"op": "ack", "room": "lobby", "read": 1}));
    let rooms = bob.ask(&json!({"op": "rooms"}));
    let text = rooms.to_string();
    assert!(text.contains("\"read\":2") && text.contains("\"unread\":1"), "{text}");
    bob.assert_not_told(&json!({"ev": "receipts"}));
}

#[test]
fn a_typist_hears_only_of_others_and_typing_ends_by_saying_it_or_by_itself() {
    let server = quick();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::framed(&server).named("bob", Some("lobby"));
    let mut cat = Client::lines(&server).named("cat", Some("lobby"));
    let typing = json!({"op": "typing", "room": "lobby"});
    ann.ask(&typing);
    cat.expect(&json!({"ev": "typing", "users": ["ann"]}));
    bob.ask(&typing);
    cat.expect(&json!({"ev": "typing", "users": ["ann", "bob"]}));
    ann.expect(&json!({"ev": "typing", "users": ["bob"]}));
    bob.expect(&json!({"ev": "typing", "users": ["ann"]}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "done"}));
    cat.expect(&json!({"ev": "typing", "users": ["ann"]}));
    // Six seconds after ann's last sign.
    cat.expect(&json!({"ev": "typing", "users": []}));
    ann.assert_not_told(&json!({"ev": "typing", "users": ["ann"]}));
}

#[test]
fn who_comes_back_within_the_grace_was_never_gone() {
    let server = Setup::default()
        .set("timeouts.presence_interval", "50ms")
        .set("timeouts.leave_grace", "2s")
        .start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for _ in 0..5 {
        drop(Client::lines(&server).named("bob", Some("lobby")));
    }
    let bob = Client::lines(&server).named("bob", Some("lobby"));
    expect_presence(&mut ann, "on", "bob");
    let _cat = Client::lines(&server).named("cat", Some("lobby"));
    expect_presence(&mut ann, "on", "cat");
    ann.assert_not_told(&json!({"off": ["bob"]}));
    drop(bob);
    expect_presence(&mut ann, "off", "bob");
}

#[test]
fn large_rooms_are_told_counts_only() {
    let server = Setup::default().set("timeouts.presence_interval", "50ms").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut crowd: Vec<_> = (0..205)
        .map(|n| Client::lines(&server).named(&format!("user{n}"), Some("lobby")))
        .collect();
    loop {
        let event = ann.expect(&json!({"ev": "presence", "count": NUMBER}));
        if event["count"] == 206 {
            assert!(event.get("on").is_none() && event.get("users").is_none(), "{event}");
            break;
        }
    }
    let now = ann.ask(&json!({"op": "presence", "room": "lobby"}));
    assert!(now["count"] == 206 && now.get("users").is_none(), "{now}");
    let members = ann.ask(&json!({"op": "members", "room": "lobby"}));
    assert!(members["count"] == 206 && members["users"] == json!([]), "{members}");
    // Typing is told to nobody. What is gathered later is told later, so it would have come before
    // this count.
    ann.ask(&json!({"op": "typing", "room": "lobby"}));
    let late = Client::lines(&server).named("late", Some("lobby"));
    let witness = &mut crowd[0];
    witness.expect(&json!({"ev": "presence", "count": 207}));
    witness.assert_not_told(&json!({"ev": "typing"}));
    drop((crowd, late));
}
