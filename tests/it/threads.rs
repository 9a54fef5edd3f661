//! Threads: read, followed, counted and marked, over kills, erasures and other connections.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database_commands::done;
use crate::support::client::TRANSPORTS;
use crate::support::{Client, Server, Setup, assert_subset};

fn say(client: &mut Client, text: &str, thread: Option<u64>) -> u64 {
    let thread = thread.map_or(Value::Null, Value::from);
    let mut send = json!({"op": "send", "room": "lobby", "text": text});
    if thread != Value::Null {
        send["thread"] = thread;
    }
    client.ask(&send)["seq"].as_u64().expect("a seq")
}

/// The threads that a user follows: `[[thread, read, unread, seq, "text"], …]`.
fn threads(client: &mut Client) -> Value {
    let data = client.ask(&json!({"op": "threads"}));
    let rows = data["items"].as_array().expect("a list").iter();
    rows.map(|row| json!([row["thread"], row["read"], row["unread"], row["seq"], row["text"]]))
        .collect()
}

/// The texts of a thread.
fn texts(client: &mut Client, thread: u64) -> Vec<String> {
    let page = client.ask(&json!({"op": "thread", "room": "lobby", "thread": thread}));
    let items = page["items"].as_array().expect("a list");
    items.iter().map(|item| item["text"].as_str().unwrap_or("-").to_owned()).collect()
}

/// Unread messages in `lobby`, and those of them in threads.
fn counts(client: &mut Client) -> (u64, u64) {
    let row = client.ask(&json!({"op": "rooms"}))["rooms"][0].clone();
    (row["unread"].as_u64().expect("a count"), row["in_threads"].as_u64().unwrap_or(0))
}

#[test]
fn a_thread_is_read_followed_and_marked_over_each_transport() {
    for (what, connect) in TRANSPORTS {
        println!("{what}");
        let server = Server::start();
        let mut ann = connect(&server).named("ann", Some("lobby"));
        let mut bob = connect(&server).named("bob", Some("lobby"));
        let mut cat = connect(&server).named("cat", Some("lobby"));
        let root = say(&mut ann, "cake?", None);
        say(&mut bob, "yes", Some(root));
        say(&mut bob, "something else", None);
        assert_eq!(texts(&mut cat, root), ["cake?", "yes"]);
        // Whoever has begun it follows it, and has not read the answer; whoever writes has.
        assert_eq!(threads(&mut ann), json!([[root, root, 1, 2, "cake?"]]));
        assert_eq!(threads(&mut bob), json!([[root, 2, 0, 2, "cake?"]]));
        assert_eq!(threads(&mut cat), json!([]));
        assert_eq!(counts(&mut cat), (3, 1));
        ann.ask(&json!({"op": "ack", "room": "lobby", "thread": root, "read": 2}));
        assert_eq!(threads(&mut ann), json!([[root, 2, 0, 2, "cake?"]]));
        assert_eq!(counts(&mut ann), (2, 1), "the room is read apart from it");
        cat.ask(&json!({"op": "follow", "room": "lobby", "thread": root}));
        say(&mut bob, "when?", Some(root));
        assert_eq!(threads(&mut cat), json!([[root, 3, 1, 4, "cake?"]]));
        let page = json!({"op": "thread", "room": "lobby", "thread": root, "limit": 1});
        let expect = json!({"more": true, "following": true, "read": 3, "unread": 1});
        assert_subset(&cat.ask(&page), &expect);
        cat.ask(&json!({"op": "unfollow", "room": "lobby", "thread": root}));
        say(&mut bob, "soon", Some(root));
        assert_eq!(threads(&mut cat), json!([]));
        cat.refused(&json!({"op": "follow", "room": "lobby", "thread": 99}), 4002);
        cat.refused(&json!({"op": "ack", "room": "lobby", "thread": root, "read": 99}), 4003);
        cat.refused(&json!({"op": "thread", "room": "nowhere", "thread": 1}), 3001);
    }
}

#[test]
fn the_users_other_connection_hears_of_its_marks() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut other = Client::ws(&server).named("ann", Some("lobby"));
    let root = say(&mut ann, "cake?", None);
    let at = |more: Value| {
        let mut event = json!({"ev": "thread", "room": "lobby", "thread": root});
        event.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        event
    };
    ann.ask(&json!({"op": "follow", "room": "lobby", "thread": root}));
    other.expect(&at(json!({"following": true})));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let answer = say(&mut bob, "yes", Some(root));
    ann.ask(&json!({"op": "ack", "room": "lobby", "thread": root, "read": answer}));
    other.expect(&at(json!({"following": true, "read": answer})));
    ann.ask(&json!({"op": "unfollow", "room": "lobby", "thread": root}));
    other.expect(&at(json!({"following": false})));
    let answer = say(&mut bob, "when?", Some(root));
    ann.ask(&json!({"op": "ack", "room": "lobby", "thread": root, "read": answer}));
    other.assert_not_told(&json!({"ev": "thread"}));
    ann.assert_not_told(&json!({"ev": "thread"}));
}

#[test]
fn marks_of_threads_outlive_a_kill_and_the_memory_of_their_messages() {
    let setup = Setup::default().set("limits.ring_records", "4").set("limits.rate_per_s", "off");
    let mut server = setup.start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let root = say(&mut ann, "cake?", None);
    for number in 0..20 {
        say(&mut bob, &format!("no {number}"), (number % 2 == 0).then_some(root));
    }
    bob.ask(&json!({"op": "delete", "room": "lobby", "target": 2}));
    bob.ask(&json!({"op": "edit", "room": "lobby", "target": 4, "text": "yes"}));
    let expect = json!([[root, root, 9, 20, "cake?"]]);
    assert_eq!(threads(&mut ann), expect);
    assert_eq!(counts(&mut ann), (19, 9));
    server.restart(Signal::KILL);
    let mut ann = Client::ws(&server).named("ann", None);
    assert_eq!(threads(&mut ann), expect, "after a kill");
    assert_eq!(counts(&mut ann), (19, 9));
    assert_eq!(texts(&mut ann, root)[..3], ["cake?", "yes", "no 4"]);
    // Page by page all of it is there once.
    let (mut before, mut seqs) = (Value::Null, Vec::new());
    loop {
        let mut ask = json!({"op": "thread", "room": "lobby", "thread": root, "limit": 4});
        if before != Value::Null {
            ask["before"] = before;
        }
        let page = ann.ask(&ask);
        let items = page["items"].as_array().expect("a list");
        seqs.extend(items.iter().rev().filter_map(|item| item["seq"].as_u64()));
        before = items[0]["seq"].clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(seqs, [20, 18, 16, 14, 12, 10, 8, 6, 4, root]);
}

#[test]
fn an_erasure_takes_the_marks_of_a_user() {
    let mut server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let root = say(&mut ann, "cake?", None);
    say(&mut bob, "yes", Some(root));
    server.restart_after(Signal::TERM, |data| {
        done(data, &["erase-user", "bob", "--yes"]);
        done(data, &["verify"]);
    });
    let mut ann = Client::ws(&server).named("ann", None);
    assert_eq!(threads(&mut ann), json!([[root, root, 0, root, "cake?"]]));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    assert_eq!(threads(&mut bob), json!([]));
}

#[test]
fn a_room_in_memory_shows_its_threads_and_keeps_no_marks() {
    let server = Setup::default().set("durability", "memory").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let root = say(&mut ann, "cake?", None);
    say(&mut bob, "yes", Some(root));
    assert_eq!(texts(&mut ann, root), ["cake?", "yes"]);
    assert_eq!(threads(&mut ann), json!([]));
    assert_eq!(counts(&mut ann), (1, 0));
    ann.refused(&json!({"op": "follow", "room": "lobby", "thread": root}), 9002);
}
