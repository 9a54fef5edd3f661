//! Rooms: made, joined, found or hidden, left; who is in them, and what they are about.

use serde_json::{Value, json};

use crate::support::client::TRANSPORTS;
use crate::support::json::{NUMBER, STRING, requests_about_a_room};
use crate::support::{Client, Server, Setup, assert_subset};

#[test]
fn a_room_is_made_by_joining_it_and_belongs_to_nobody() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    let joined = ann.ask(&json!({"op": "join", "room": "lobby"}));
    let expected = json!({"room": "lobby", "epoch": STRING, "seq": 0, "oldest": 1, "role": "member",
                          "durable": "disk", "read": 0, "recv": 0, "members": 1, "v": NUMBER});
    assert_subset(&joined, &expected);
    let again = ann.ask(&json!({"op": "join", "room": "lobby"}));
    assert_subset(&again, &json!({"members": 1, "epoch": joined["epoch"]}));
    let mut bob = Client::ws(&server).named("bob", None);
    let joined = bob.ask(&json!({"op": "join", "room": "lobby"}));
    assert_subset(&joined, &json!({"role": "member", "members": 2}));
    bob.ask(&json!({"op": "topic", "room": "lobby", "text": "tea"}));
}

#[test]
fn where_joining_makes_no_rooms_one_has_to_create_them() {
    let server = Setup::default().set("rooms.open_join_creates", "false").start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.refused(&json!({"op": "join", "room": "lobby"}), 3001);
    let created = ann.ask(&json!({"op": "create", "room": "lobby", "topic": "tea"}));
    assert_subset(&created, &json!({"role": "owner", "topic": "tea", "members": 1}));
    let mut bob = Client::ws(&server).named("bob", None);
    let joined = bob.ask(&json!({"op": "join", "room": "lobby"}));
    assert_subset(&joined, &json!({"role": "member", "topic": "tea"}));
    bob.refused(&json!({"op": "create", "room": "lobby"}), 3002);
}

#[test]
fn a_private_room_is_not_there_for_strangers() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "attic", "private": true}));
    ann.ask(&json!({"op": "send", "room": "attic", "text": "quiet"}));
    let mut eve = Client::ws(&server).named("eve", None);
    for request in requests_about_a_room() {
        // The same words as for a room that does not exist. Joining is left out: it would create
        // one.
        let mut ask = |room: &str| {
            let mut request = request.clone();
            request["room"] = json!(room);
            let mut refused = eve.refused(&request, 3001);
            refused["id"].take();
            refused
        };
        let hidden = ask("attic");
        if request["op"] != "join" {
            assert_eq!(hidden, ask("nowhere"));
        }
    }
    let resume = json!({"session": "s", "rooms": {"attic": ["x", 0]}});
    let hello =
        Client::ws(&server).ask(&json!({"op": "hello", "name": "mallory", "resume": resume}));
    assert_subset(&hello["rooms"]["attic"], &json!({"code": 3001}));
    eve.assert_not_told(&json!({"room": "attic"}));
}

#[test]
fn only_members_may_do_anything_in_an_open_room() {
    let server = Server::start();
    let _ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut eve = Client::ws(&server).named("eve", None);
    for request in [
        json!({"op": "leave", "room": "lobby"}),
        json!({"op": "send", "room": "lobby", "text": "hi"}),
        json!({"op": "ack", "room": "lobby", "read": 0}),
        json!({"op": "typing", "room": "lobby"}),
        json!({"op": "history", "room": "lobby"}),
        json!({"op": "presence", "room": "lobby"}),
        json!({"op": "members", "room": "lobby"}),
        json!({"op": "topic", "room": "lobby"}),
    ] {
        eve.refused(&request, 3003);
    }
}

#[test]
fn leaving_is_told_to_all_sessions_and_nothing_of_the_room_comes_after_it() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut desk = Client::ws(&server).named("bob", Some("lobby"));
    let mut phone = Client::lines(&server).named("bob", Some("lobby"));
    let mut tablet = Client::framed(&server).named("bob", None);
    let left = phone.ask(&json!({"op": "leave", "room": "lobby"}));
    assert_subset(&left, &json!({"room": "lobby"}));
    for session in [&mut desk, &mut phone, &mut tablet] {
        session.expect(&json!({"ev": "left", "room": "lobby", "reason": "left"}));
    }
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "is he gone?"}));
    for session in [&mut desk, &mut phone, &mut tablet] {
        session.assert_not_told(&json!({"ev": "message"}));
        session.refused(&json!({"op": "send", "room": "lobby", "text": "no"}), 3003);
    }
    let rooms = desk.ask(&json!({"op": "rooms"}));
    assert_eq!(rooms["rooms"], json!([]), "{rooms}");
}

#[test]
fn membership_is_the_users_and_subscription_the_connections() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut desk = Client::ws(&server).named("bob", Some("lobby"));
    let mut phone = Client::lines(&server).named("bob", None);
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "one"}));
    desk.expect(&json!({"ev": "message", "seq": 1}));
    phone.assert_not_told(&json!({"ev": "message"}));
    // A member may say something without being subscribed.
    phone.ask(&json!({"op": "send", "room": "lobby", "text": "two"}));
    desk.expect(&json!({"ev": "message", "seq": 2, "from": "bob"}));
    phone.ask(&json!({"op": "join", "room": "lobby"}));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "three"}));
    phone.expect(&json!({"ev": "message", "seq": 3}));
}

#[test]
fn members_are_listed_by_name_in_pages() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "lobby"}));
    let others: Vec<_> = ["dan", "bob", "eve", "cat"]
        .into_iter()
        .map(|name| Client::lines(&server).named(name, Some("lobby")))
        .collect();
    let all = ann.ask(&json!({"op": "members", "room": "lobby"}));
    let names = [("ann", "owner"), ("bob", "member"), ("cat", "member"), ("dan", "member")];
    let expected: Vec<_> = names.iter().map(|(name, role)| json!([name, role])).collect();
    assert_eq!(all["users"].as_array().expect("users")[..4], expected);
    assert_subset(&all, &json!({"count": 5, "more": false}));
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = ann.ask(&json!({"op": "members", "room": "lobby", "limit": 2, "after": after}));
        let users = page["users"].as_array().expect("users").clone();
        after = users.last().map_or(Value::Null, |last| last[0].clone());
        seen.extend(users);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(json!(seen), all["users"]);
    drop(others);
}

#[test]
fn the_topic_is_a_record_and_the_rooms_state() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "lobby", "topic": "tea"}));
    let mut others: Vec<_> = TRANSPORTS
        .iter()
        .enumerate()
        .map(|(n, (_, connect))| connect(&server).named(&format!("user{n}"), Some("lobby")))
        .collect();
    let set = ann.ask(&json!({"op": "topic", "room": "lobby", "text": "coffee"}));
    assert_subset(&set, &json!({"room": "lobby", "seq": 1}));
    for other in &mut others {
        let event = json!({"ev": "topic", "room": "lobby", "seq": 1, "from": "ann", "at": NUMBER,
                           "text": "coffee"});
        other.expect(&event);
        let read = other.ask(&json!({"op": "topic", "room": "lobby"}));
        assert_subset(&read, &json!({"text": "coffee"}));
        other.refused(&json!({"op": "topic", "room": "lobby", "text": "x".repeat(513)}), 4001);
        other.refused(&json!({"op": "topic", "room": "lobby", "text": "mine"}), 3004);
    }
    let history = ann.ask(&json!({"op": "history", "room": "lobby"}));
    assert_subset(&history, &json!({"items": [{"ev": "topic", "seq": 1, "text": "coffee"}]}));
    let rejoined = ann.ask(&json!({"op": "join", "room": "lobby"}));
    assert_subset(&rejoined, &json!({"topic": "coffee", "role": "owner"}));
}

#[test]
fn the_last_member_of_a_private_room_closes_it_knowingly() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    for number in 0..3 {
        ann.ask(&json!({"op": "send", "room": "den", "text": format!("{number}")}));
    }
    let refused = ann.refused(&json!({"op": "leave", "room": "den"}), 3004);
    assert_subset(
        &refused["data"],
        &json!({"error": "forbidden", "field": "close", "messages": 3}),
    );
    ann.refused(&json!({"op": "leave", "room": "den", "close": "yes"}), 1003);
    ann.ask(&json!({"op": "leave", "room": "den", "close": true}));
    ann.refused(&json!({"op": "history", "room": "den"}), 3001);
    let made = ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    assert_subset(&made, &json!({"seq": 0, "role": "owner"}));
    ann.ask(&json!({"op": "leave", "room": "den"}));
    ann.ask(&json!({"op": "create", "room": "den"}));
    ann.refused(&json!({"op": "leave", "room": "den", "close": true}), 3004);
    ann.ask(&json!({"op": "join", "room": "lobby"}));
    ann.refused(&json!({"op": "leave", "room": "lobby", "close": true}), 3004);
    ann.ask(&json!({"op": "send", "to": "bob", "text": "hi"}));
    ann.refused(&json!({"op": "leave", "room": "@ann:bob", "close": true}), 3004);
    ann.ask(&json!({"op": "leave", "room": "@ann:bob"}));
    assert_subset(
        &ann.ask(&json!({"op": "send", "to": "bob", "text": "again"})),
        &json!({"seq": 2}),
    );
}
