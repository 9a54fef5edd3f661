//! The conversation of the protocol's own page, as it stands there.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::client::Connect;
use crate::support::json::{ARRAY, NUMBER, STRING};
use crate::support::{Client, Server, Setup, assert_subset};

const QUICK: [(&str, &str); 3] = [
    ("timeouts.presence_interval", "50ms"),
    ("timeouts.receipts_interval", "50ms"),
    // Long enough for what is said while ann is away: her session is known for so long.
    ("timeouts.leave_grace", "3s"),
];

/// The room as the page finds it: 121 records of bob's, who stays, and eve, who will go.
fn stage(server: &Server) -> (Client, Client) {
    let mut bob = Client::framed(server).named("bob", Some("lobby"));
    for n in 1..=121 {
        bob.ask(&json!({"op": "send", "room": "lobby", "text": n.to_string()}));
    }
    let eve = Client::lines(server).named("eve", Some("lobby"));
    (bob, eve)
}

#[track_caller]
fn exchange(client: &mut Client, request: &Value, reply: &Value) -> Value {
    client.say(request);
    let mut expected = json!({"id": request["id"], "code": 0, "message": "ok"});
    expected["data"] = reply.clone();
    client.expect(&expected)["data"].take()
}

fn presence_of(client: &mut Client, kind: &str, user: &str) -> Value {
    loop {
        let event = client
            .expect(&json!({"ev": "presence", "room": "lobby", "v": NUMBER, "count": NUMBER}));
        if event[kind].as_array().is_some_and(|users| users.contains(&json!(user))) {
            assert_subset(&event, &json!({"on": ARRAY, "away": ARRAY, "off": ARRAY}));
            return event;
        }
    }
}

/// Up to the loss of the socket; returns the session and the epochs.
fn before_the_loss(server: &Server, ann: &mut Client, bob: &mut Client, eve: Client) -> [Value; 3] {
    let limits = json!({"message_bytes": 16384, "rooms": 256, "rate_per_s": null, "burst": null,
                        "history_page": 200, "ping_ms": 25000, "replay": 10000});
    let welcome = exchange(
        ann,
        &json!({"op": "hello", "id": 1, "name": "ann", "agent": "websocat"}),
        &json!({"user": "ann", "session": STRING, "server": STRING, "time": NUMBER, "resumed": false,
                "limits": limits}),
    );
    let joined = exchange(
        ann,
        &json!({"op": "join", "id": 2, "room": "lobby"}),
        &json!({"room": "lobby", "epoch": STRING, "seq": 121, "oldest": 1, "durable": "disk",
                "role": "member", "read": 121, "recv": 121, "members": 3, "v": NUMBER}),
    );
    let send = json!({"op": "send", "id": 3, "room": "lobby", "cid": "c-7781", "text": "hi"});
    let sent = json!({"room": "lobby", "seq": 122, "at": NUMBER, "durable": "disk"});
    let at = exchange(ann, &send, &sent)["at"].take();
    let again = json!({"room": "lobby", "seq": 122, "at": at, "durable": "disk", "dup": true});
    let mut retry = send;
    retry["id"] = json!(4);
    exchange(ann, &retry, &again);
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "yo"}));
    ann.expect(&json!({"ev": "message", "room": "lobby", "seq": 123, "from": "bob", "at": NUMBER, "text": "yo"}));
    ann.say(&json!({"op": "ack", "room": "lobby", "read": 123}));
    bob.expect(&json!({"ev": "receipts", "room": "lobby", "read": {"ann": 123}}));
    let page = exchange(
        ann,
        &json!({"op": "history", "id": 5, "room": "lobby", "before": 100, "limit": 50}),
        &json!({"room": "lobby", "epoch": joined["epoch"], "items": ARRAY, "first": 50, "last": 99,
                "oldest": 1, "more": true}),
    );
    assert_eq!(page["items"].as_array().map(Vec::len), Some(50));
    exchange(
        ann,
        &json!({"op": "send", "id": 6, "to": "bob", "cid": "c-7782", "text": "psst"}),
        &json!({"room": "@ann:bob", "seq": 1, "at": NUMBER, "durable": "disk"}),
    );
    let direct =
        ann.expect(&json!({"ev": "joined", "room": "@ann:bob", "epoch": STRING, "seq": 0}));
    bob.ask(&json!({"op": "status", "status": "away"}));
    presence_of(ann, "away", "bob");
    exchange(
        ann,
        &json!({"op": "presence", "id": 7, "room": "lobby"}),
        &json!({"v": NUMBER, "count": 3, "users": [["ann", "online"], ["bob", "away"], ["eve", "online"]]}),
    );
    drop(eve);
    presence_of(ann, "off", "eve");
    let _dan = Client::lines(server).named("dan", Some("lobby"));
    presence_of(ann, "on", "dan");
    bob.say(&json!({"op": "typing", "room": "lobby"}));
    ann.expect(&json!({"ev": "typing", "room": "lobby", "users": ["bob"]}));
    [welcome["session"].clone(), joined["epoch"].clone(), direct["epoch"].clone()]
}

fn converse(connect: Connect) {
    let setup =
        QUICK.into_iter().fold(Setup::default(), |setup, (key, value)| setup.set(key, value));
    let mut server = setup.set("limits.rate_per_s", "off").start();
    let (mut bob, eve) = stage(&server);
    let mut ann = connect(&server);
    let [session, lobby, direct] = before_the_loss(&server, &mut ann, &mut bob, eve);
    drop(ann);
    for n in 124..=140 {
        bob.say(&json!({"op": "send", "id": n, "room": "lobby", "text": n.to_string()}));
    }
    bob.expect(&json!({"id": 140, "code": 0}));
    let mut ann = connect(&server);
    let rooms = json!({"lobby": [lobby, 123], "@ann:bob": [direct, 1]});
    exchange(
        &mut ann,
        &json!({"op": "hello", "id": 1, "name": "ann", "resume": {"session": session, "rooms": rooms}}),
        &json!({"resumed": true, "rooms": {"lobby": {"from": 124, "to": 140}, "@ann:bob": {"from": 2, "to": 1}}}),
    );
    let mut next = 124;
    while next <= 140 {
        let replay =
            ann.expect(&json!({"ev": "replay", "room": "lobby", "items": ARRAY, "to": NUMBER}));
        for item in replay["items"].as_array().expect("items") {
            assert_subset(item, &json!({"ev": "message", "seq": next, "text": next.to_string()}));
            next += 1;
        }
    }
    ann.expect(&json!({"ev": "live", "room": "lobby", "seq": 140}));
    server.signal(Signal::TERM);
    ann.expect(&json!({"ev": "drain", "reconnect_after_ms": NUMBER, "window_ms": NUMBER, "reason": "restart"}));
    while let Some(last) = ann.next() {
        assert!(last.get("ev").is_some(), "{last}");
    }
    // The server would wait for clients that stay.
    drop((ann, bob));
    server.assert_left_in_order();
}

// A test for each transport, so that they wait for the pauses of the conversation side by side.

#[test]
fn it_goes_as_the_page_says_over_a_websocket() {
    converse(Client::ws);
}

#[test]
fn it_goes_as_the_page_says_over_a_websocket_of_a_library() {
    converse(Client::library);
}

#[test]
fn it_goes_as_the_page_says_by_lines() {
    converse(Client::lines);
}

#[test]
fn it_goes_as_the_page_says_by_lengths() {
    converse(Client::framed);
}
