//! Everyone hears everyone, over every transport at once.

use serde_json::json;

use crate::support::client::TRANSPORTS;
use crate::support::json::{NUMBER, STRING};
use crate::support::{Client, Server, assert_subset};

const ROOM: &str = "lobby";

fn everyone(server: &Server) -> Vec<(String, Client)> {
    let mut clients = Vec::new();
    for (place, (_, connect)) in TRANSPORTS.iter().enumerate() {
        let name = format!("user{place}");
        let client = connect(server).named(&name, Some(ROOM));
        clients.push((name, client));
    }
    clients
}

#[test]
fn each_transport_tells_the_same_story_in_the_same_order() {
    let server = Server::start();
    let mut clients = everyone(&server);
    let mut told = Vec::new();
    for round in 0..5 {
        for (name, client) in &mut clients {
            let text = format!("{name} says {round}, \"ça va?\" \\ \u{1f600}");
            let sent = client.ask(&json!({"op": "send", "room": ROOM, "text": text}));
            assert_subset(&sent, &json!({"room": ROOM, "seq": told.len() + 1, "durable": "disk"}));
            told.push((name.clone(), text));
        }
    }
    for (own, client) in &mut clients {
        for (at, (name, text)) in told.iter().enumerate() {
            if name != own {
                let event = client.expect(&json!({"ev": "message", "seq": NUMBER}));
                let expected = json!({"room": ROOM, "seq": at + 1, "from": name, "text": text});
                assert_subset(&event, &expected);
            }
        }
        client.assert_not_told(&json!({"ev": "message"}));
    }
}

#[test]
fn a_retry_with_the_same_cid_is_answered_with_the_first_seq_and_heard_once() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some(ROOM));
    let mut bob = Client::lines(&server).named("bob", Some(ROOM));
    let send = json!({"op": "send", "room": ROOM, "cid": "c-1", "text": "hi"});
    let first = ann.ask(&send);
    assert!(first.get("dup").is_none(), "{first}");
    let again = ann.ask(&send);
    assert_subset(&again, &json!({"seq": first["seq"], "at": first["at"], "dup": true}));
    bob.expect(&json!({"ev": "message", "text": "hi", "from": "ann"}));
    bob.assert_not_told(&json!({"ev": "message"}));
}

#[test]
fn a_direct_message_reaches_its_two_ends_and_nobody_else() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some(ROOM));
    let mut bob = Client::framed(&server).named("bob", Some(ROOM));
    let mut eve = Client::lines(&server).named("eve", Some(ROOM));
    let sent = ann.ask(&json!({"op": "send", "to": "bob", "text": "psst"}));
    assert_subset(&sent, &json!({"room": "@ann:bob", "seq": 1}));
    bob.expect(&json!({"ev": "joined", "room": "@ann:bob"}));
    bob.expect(&json!({"ev": "message", "room": "@ann:bob", "from": "ann", "text": "psst"}));
    eve.refused(&json!({"op": "join", "room": "@ann:bob"}), 3001);
    eve.refused(&json!({"op": "history", "room": "@ann:bob"}), 3001);
    eve.assert_not_told(&json!({"room": "@ann:bob"}));
}

#[test]
fn who_comes_back_with_a_position_gets_what_was_missed_once_and_in_order() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some(ROOM));
    let (session, epoch) = {
        let mut bob = Client::ws(&server);
        let hello = bob.ask(&json!({"op": "hello", "name": "bob"}));
        let join = bob.ask(&json!({"op": "join", "room": ROOM}));
        (hello["session"].clone(), join["epoch"].clone())
    };
    for n in 1..=10 {
        ann.ask(&json!({"op": "send", "room": ROOM, "text": format!("message {n}")}));
    }
    let mut bob = Client::lines(&server);
    let rooms = json!({ROOM: [epoch, 3]});
    let resume = json!({"session": session, "rooms": rooms});
    let hello = bob.ask(&json!({"op": "hello", "name": "bob", "resume": resume}));
    assert_subset(&hello["rooms"][ROOM], &json!({"from": 4, "to": 10}));
    let mut seqs = Vec::new();
    loop {
        let event = bob.expect(&json!({"ev": STRING, "room": ROOM}));
        match event["ev"].as_str() {
            Some("replay") => {
                let items = event["items"].as_array().expect("items");
                seqs.extend(items.iter().map(|item| item["seq"].as_u64().expect("a seq")));
            }
            Some("live") => break assert_subset(&event, &json!({"seq": 10})),
            _ => {}
        }
    }
    assert_eq!(seqs, (4..=10).collect::<Vec<_>>());
}
