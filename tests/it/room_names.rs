//! A room gets another name and keeps all else, whatever happens to the server; and it ends for all
//! who are in it.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::keys::add;
use crate::support::http::request;
use crate::support::{Client, Server, Setup, Stream, assert_subset};

/// `ann` has made `den`, in which `bob` is, too: both have said something.
fn furnish(server: &Server) -> (Client, Client) {
    let mut ann = Client::ws(server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "den", "topic": "tea"}));
    let mut bob = Client::ws(server).named("bob", Some("den"));
    ann.ask(&json!({"op": "send", "room": "den", "text": "one", "cid": "c1"}));
    bob.expect(&json!({"ev": "message", "room": "den", "seq": 1}));
    (ann, bob)
}

fn rename(client: &mut Client, room: &str, name: &str) -> Value {
    client.ask(&json!({"op": "rename", "room": room, "name": name}))
}

#[test]
fn members_are_told_the_new_name_and_find_the_room_by_both_after_a_kill() {
    for idle_rooms in ["0", "1000"] {
        let mut server = Setup::default().set("limits.idle_rooms", idle_rooms).start();
        let (mut ann, mut bob) = furnish(&server);
        let epoch = bob.ask(&json!({"op": "join", "room": "den"}))["epoch"].take();
        assert_eq!(rename(&mut ann, "den", "lair")["room"], "lair");
        bob.expect(&json!({"ev": "renamed", "room": "den", "name": "lair"}));
        let told = json!({"ev": "rename", "room": "lair", "seq": 2, "name": "lair", "was": "den"});
        bob.expect(&told);
        ann.ask(&json!({"op": "send", "room": "den", "text": "two"}));
        bob.expect(&json!({"ev": "message", "room": "lair", "seq": 3, "text": "two"}));
        drop((ann, bob));
        server.restart(Signal::KILL);
        let mut bob = Client::ws(&server);
        let resume = json!({"session": "gone", "rooms": {"den": [epoch, 1]}});
        let welcome = bob.ask(&json!({"op": "hello", "name": "bob", "resume": resume}));
        let answer = &welcome["rooms"]["den"];
        let expect = json!({"from": 2, "to": 3, "room": "lair"});
        assert_subset(answer, &expect);
        bob.expect(&json!({"ev": "replay", "room": "lair", "to": 3}));
        let rooms = bob.ask(&json!({"op": "rooms"}));
        let row = &rooms["rooms"][0];
        assert_eq!((&row["room"], &row["former"]), (&json!("lair"), &json!(["den"])), "{rooms}");
        let mut eve = Client::ws(&server).named("eve", None);
        eve.refused(&json!({"op": "create", "room": "den"}), 3002);
        eve.refused(&json!({"op": "rename", "room": "den", "name": "mine"}), 3003);
        let joined = eve.ask(&json!({"op": "join", "room": "den"}));
        assert_eq!((&joined["room"], &joined["topic"]), (&json!("lair"), &json!("tea")));
        let mut ann = Client::ws(&server).named("ann", None);
        // What was sent once is recognised by the name of before, too.
        let again = json!({"op": "send", "room": "den", "text": "one", "cid": "c1"});
        let sent = ann.ask(&again);
        assert_eq!((&sent["seq"], &sent["dup"]), (&json!(1), &json!(true)), "{sent}");
        for name in ["den", "lair"] {
            let page = ann.ask(&json!({"op": "history", "room": name}));
            assert_eq!((&page["room"], &page["last"]), (&json!("lair"), &json!(3)), "{page}");
        }
        let acts = ann.ask(&json!({"op": "audit", "room": "den"}));
        assert_eq!(acts["items"][0]["act"], "rename", "{acts}");
    }
}

#[test]
fn a_key_a_page_and_a_stream_of_the_former_name_go_on() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let key = add(&server, &["ci", "--rooms", "den", "--can", "read,send"]);
    let key = format!("Authorization: Bearer {key}\r\n");
    let (mut ann, mut bob) = furnish(&server);
    let mut stream = Stream::open(server.http, "/rooms/den/events?as=eve", "");
    stream.expect_next(&json!({"ev": "live", "room": "den", "seq": 1}));
    rename(&mut ann, "den", "lair");
    stream.expect_next(&json!({"ev": "renamed", "room": "den", "name": "lair"}));
    stream.expect_next(&json!({"ev": "rename", "room": "lair", "seq": 2}));
    for (name, seq) in [("den", 3), ("lair", 4)] {
        let head = format!("POST /rooms/{name}/messages HTTP/1.1\r\nHost: {}\r\n", server.http);
        let posted = format!("{head}{key}Content-Length: 2\r\n\r\nhi");
        let answer = request(server.http, posted.as_bytes()).text();
        assert!(answer.contains(&format!(r#""room":"lair","seq":{seq}"#)), "{name}: {answer}");
        bob.expect(&json!({"ev": "message", "room": "lair", "seq": seq, "from": "ci"}));
        stream.expect_next(&json!({"ev": "message", "room": "lair", "seq": seq}));
    }
}

#[test]
fn a_room_is_closed_for_all_and_stays_closed_after_a_kill() {
    let mut server = Server::start();
    let (mut ann, mut bob) = furnish(&server);
    rename(&mut ann, "den", "lair");
    let close = json!({"op": "close", "room": "lair", "reason": "moved"});
    let refused = ann.refused(&close, 3004);
    assert_subset(&refused["data"], &json!({"messages": 1, "members": 2, "field": "sure"}));
    bob.refused(&json!({"op": "close", "room": "lair", "sure": true}), 3004);
    ann.ask(&json!({"op": "close", "room": "lair", "reason": "moved", "sure": true}));
    bob.expect(&json!({"ev": "gone", "room": "lair", "from": "ann", "reason": "moved"}));
    bob.expect(&json!({"ev": "left", "room": "lair", "reason": "closed"}));
    server.restart(Signal::KILL);
    let mut bob = Client::ws(&server).named("bob", None);
    assert_eq!(bob.ask(&json!({"op": "rooms"}))["rooms"], json!([]));
    for name in ["den", "lair"] {
        bob.refused(&json!({"op": "history", "room": name}), 3001);
        let made = bob.ask(&json!({"op": "create", "room": name}));
        assert_eq!(made["seq"], 0, "{made}");
    }
}
