//! Coming back: one hello names every position, and each room says how it goes on.

use serde_json::{Value, json};

use crate::support::client::TRANSPORTS;
use crate::support::json::STRING;
use crate::support::{Client, Server, Setup, assert_subset};

/// Says hello as `name` and returns the session's secret.
fn hello(client: &mut Client, name: &str) -> Value {
    client.ask(&json!({"op": "hello", "name": name}))["session"].take()
}

fn resume(client: &mut Client, session: &Value, rooms: &Value) -> Value {
    client
        .ask(&json!({"op": "hello", "name": "bob", "resume": {"session": session, "rooms": rooms}}))
}

fn say(client: &mut Client, room: &str, texts: std::ops::RangeInclusive<u64>) {
    for n in texts {
        client.ask(&json!({"op": "send", "room": room, "text": n.to_string()}));
    }
}

/// Reads a room's replays up to `live`, and returns the seqs. There must be at least one.
#[track_caller]
fn replayed(client: &mut Client, room: &str) -> Vec<u64> {
    let mut seqs = Vec::new();
    loop {
        let event = client.expect(&json!({"ev": STRING, "room": room}));
        match event["ev"].as_str() {
            Some("replay") => {
                let items = event["items"].as_array().expect("items");
                seqs.extend(items.iter().map(|item| item["seq"].as_u64().expect("a seq")));
                assert_eq!(event["to"].as_u64(), seqs.last().copied(), "{event}");
            }
            Some("live") => {
                assert_eq!(event["seq"].as_u64(), seqs.last().copied(), "{event}");
                return seqs;
            }
            Some("message") => panic!("a live message before live: {event}"),
            _ => {}
        }
    }
}

#[test]
fn every_room_goes_on_behind_the_position_that_was_named() {
    for (what, connect) in TRANSPORTS {
        println!("{what}");
        let server = Setup::default().set("limits.rate_per_s", "off").start();
        let mut ann = Client::ws(&server).named("ann", Some("lobby"));
        ann.ask(&json!({"op": "join", "room": "attic"}));
        let mut bob = connect(&server);
        let session = hello(&mut bob, "bob");
        let mut epochs = ["lobby", "attic"]
            .map(|room| bob.ask(&json!({"op": "join", "room": room}))["epoch"].take());
        drop(bob);
        say(&mut ann, "lobby", 1..=9);
        say(&mut ann, "attic", 1..=2);
        ann.ask(&json!({"op": "send", "to": "bob", "text": "psst"}));
        let mut bob = connect(&server);
        let [lobby, attic] = epochs.each_mut().map(Value::take);
        let welcome =
            resume(&mut bob, &session, &json!({"lobby": [lobby, 4], "attic": [attic, 2]}));
        assert_subset(&welcome, &json!({"resumed": true, "user": "bob"}));
        assert_ne!(welcome["session"], session, "a session's secret is used once");
        let rooms = json!({"lobby": {"from": 5, "to": 9}, "attic": {"from": 3, "to": 2}});
        assert_eq!(welcome["rooms"], rooms);
        assert_eq!(replayed(&mut bob, "lobby"), [5, 6, 7, 8, 9]);
        say(&mut ann, "lobby", 10..=10);
        say(&mut ann, "attic", 3..=3);
        bob.expect(&json!({"ev": "message", "room": "lobby", "seq": 10}));
        bob.expect(&json!({"ev": "message", "room": "attic", "seq": 3}));
    }
}

#[test]
fn an_unknown_session_is_not_resumed_and_its_positions_are_honoured_where_its_user_is_a_member() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    let epoch = ann.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].take();
    say(&mut ann, "lobby", 1..=3);
    let _bob = Client::ws(&server).named("bob", Some("lobby"));
    for session in [json!("s0123"), json!("s00000000000000000000000000000000"), json!("?")] {
        let mut bob = Client::lines(&server);
        let welcome = resume(&mut bob, &session, &json!({"lobby": [epoch, 1]}));
        assert_subset(
            &welcome,
            &json!({"resumed": false, "rooms": {"lobby": {"from": 2, "to": 3}}}),
        );
        assert_eq!(replayed(&mut bob, "lobby"), [2, 3]);
    }
}

/// The names of the members of a room, as `ann` is told them.
fn members(ann: &mut Client, room: &str) -> Vec<String> {
    let users = ann.ask(&json!({"op": "members", "room": room}))["users"].take();
    let names = users.as_array().expect("users").iter().map(|user| user[0].as_str());
    names.map(|name| name.expect("a name").to_owned()).collect()
}

#[test]
fn a_position_makes_nobody_a_member_of_a_stored_room_again() {
    let mut server = Setup::default().set("timeouts.leave_grace", "10ms").start();
    let mut ann = Client::ws(&server).named("ann", None);
    for (room, private) in [("board", false), ("den", true)] {
        ann.ask(&json!({"op": "create", "room": room, "private": private}));
    }
    ann.ask(&json!({"op": "invite", "room": "den", "user": "bob"}));
    let mut bob = Client::ws(&server);
    let session = hello(&mut bob, "bob");
    let [board, den] =
        ["board", "den"].map(|room| bob.ask(&json!({"op": "join", "room": room}))["epoch"].take());
    let chat = ann.ask(&json!({"op": "send", "to": "bob", "text": "hi"}));
    let direct = bob.ask(&json!({"op": "join", "room": chat["room"]}))["epoch"].take();
    let rooms = json!({"board": [board, 0], "den": [den, 0], "@ann:bob": [direct, 0],
                       "@bob:cat": [direct, 0], "never": [board, 0]});
    // Removed from one room, and gone from the others by another device.
    drop(bob);
    ann.ask(&json!({"op": "kick", "room": "board", "user": "bob"}));
    let mut phone = Client::ws(&server).named("bob", None);
    for room in ["den", "@ann:bob"] {
        phone.ask(&json!({"op": "leave", "room": room}));
    }
    let expected = json!({"board": {"code": 3003}, "den": {"code": 3001},
                          "@ann:bob": {"code": 3001}, "@bob:cat": {"code": 3001},
                          "never": {"code": 3001}});
    for is_restarted in [false, true] {
        for session in [&session, &json!("unknown")] {
            let mut bob = Client::lines(&server);
            let welcome = resume(&mut bob, session, &rooms);
            assert_subset(&welcome["rooms"], &expected);
            assert_eq!(bob.ask(&json!({"op": "rooms"}))["rooms"], json!([]));
        }
        // A conversation of two is of two for the other, whoever has left it; bob has none, above.
        for room in ["board", "den"] {
            assert_eq!(members(&mut ann, room), ["ann"], "{room}");
        }
        if !is_restarted {
            server.restart(rustix::process::Signal::KILL);
            ann = Client::ws(&server).named("ann", None);
        }
    }
}

#[test]
fn a_position_brings_back_what_was_lost_with_a_memory_room_but_no_departure() {
    let mut server = Setup::default().in_memory().start();
    let mut ann = Client::ws(&server).named("ann", None);
    let mut epoch = json!(null);
    for (name, then) in [("bob", None), ("cat", None), ("dan", None), ("eve", Some("leave"))] {
        let mut client = Client::ws(&server).named(name, None);
        epoch = client.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].take();
        if let Some(then) = then {
            client.ask(&json!({"op": then, "room": "lobby"}));
        }
    }
    let back = |server: &Server, name: &str, room: &str| {
        let resume = json!({"session": "s", "rooms": {room: [epoch, 3]}});
        let hello = json!({"op": "hello", "name": name, "resume": resume});
        Client::ws(server).ask(&hello)["rooms"][room].take()
    };
    // The log goes on: who is not in it has left it.
    assert_subset(&back(&server, "eve", "lobby"), &json!({"code": 3003}));
    drop(ann);
    server.restart(rustix::process::Signal::TERM);
    // The log was lost, and the memberships with it.
    assert_subset(&back(&server, "bob", "lobby"), &json!({"reset": true, "seq": 0}));
    // By now it is known that one has left again, and that one was removed.
    ann = Client::ws(&server).named("ann", None);
    let mut cat = Client::ws(&server).named("cat", Some("lobby"));
    cat.ask(&json!({"op": "leave", "room": "lobby"}));
    assert_subset(&back(&server, "cat", "lobby"), &json!({"code": 3003}));
    ann.ask(&json!({"op": "create", "room": "board"}));
    let _dan = Client::ws(&server).named("dan", Some("board"));
    ann.ask(&json!({"op": "kick", "room": "board", "user": "dan"}));
    ann.ask(&json!({"op": "ban", "room": "board", "user": "fay", "for_ms": 1}));
    for name in ["dan", "fay"] {
        let refused = back(&server, name, "board");
        assert!([3003, 3005].map(|code| json!(code)).contains(&refused["code"]), "{refused}");
    }
    // A direct conversation is made by a message alone.
    assert_subset(&back(&server, "bob", "@ann:bob"), &json!({"code": 3001}));
    assert_subset(&back(&server, "bob", "lobby"), &json!({"reset": true}));
}

#[test]
fn a_session_that_comes_back_replaces_itself_and_only_its_own_user_may() {
    let server = Server::start();
    let mut old = Client::lines(&server);
    let session = hello(&mut old, "bob");
    // Another user's secret is worth nothing.
    let mut eve = Client::lines(&server);
    let request =
        json!({"op": "hello", "name": "eve", "resume": {"session": session, "rooms": {}}});
    assert_subset(&eve.ask(&request), &json!({"resumed": false, "user": "eve"}));
    old.ask(&json!({"op": "ping"}));

    let mut new = Client::ws(&server);
    assert_subset(&resume(&mut new, &session, &json!({})), &json!({"resumed": true}));
    old.expect_next(&json!({"ev": "bye", "close": 4010}));
    assert_eq!(old.next(), None);
    // Without a name, the session says who it is.
    let session = hello(&mut Client::lines(&server), "dan");
    let nameless = json!({"op": "hello", "resume": {"session": session, "rooms": {}}});
    assert_subset(&Client::ws(&server).ask(&nameless), &json!({"resumed": true, "user": "dan"}));
}

#[test]
fn who_has_not_read_the_welcome_of_its_return_returns_by_the_same_secret() {
    let server = Server::start();
    let welcome = Client::lines(&server).ask(&json!({"op": "hello"}));
    let resume = json!({"session": welcome["session"], "rooms": {}});
    let same = json!({"resumed": true, "user": welcome["user"]});
    // Each of them is answered, and its answer is lost with its connection.
    let mut lost: Vec<_> = (0..3)
        .map(|_| {
            let mut client = Client::lines(&server);
            assert_subset(&client.ask(&json!({"op": "hello", "resume": resume})), &same);
            client
        })
        .collect();
    for client in &mut lost[..2] {
        client.expect_next(&json!({"ev": "bye", "close": 4010}));
    }
    drop(lost);
    let mut back = Client::ws(&server);
    let last = back.ask(&json!({"op": "hello", "resume": resume}));
    assert_subset(&last, &same);
    // Once the new secret has been used, the one of before is good for nothing.
    let next = json!({"session": last["session"], "rooms": {}});
    let mut again = Client::ws(&server);
    assert_subset(&again.ask(&json!({"op": "hello", "resume": next})), &same);
    let spent = Client::ws(&server).ask(&json!({"op": "hello", "resume": resume}));
    assert_subset(&spent, &json!({"resumed": false}));
    assert_ne!(spent["user"], welcome["user"]);
    // And so it is once its client has asked for anything: it has got the welcome.
    again.ask(&json!({"op": "rooms"}));
    let latest = Client::ws(&server).ask(&json!({"op": "hello", "resume": next}));
    assert_subset(&latest, &json!({"resumed": false}));
}

#[test]
fn what_is_no_longer_there_is_a_gap_and_said_before_what_is() {
    let server = Setup::default().in_memory().set("limits.ring_records", "4").start();
    let mut ann = Client::ws(&server).named("ann", None);
    let epoch = ann.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].take();
    say(&mut ann, "lobby", 1..=10);
    drop(Client::ws(&server).named("bob", Some("lobby")));
    let mut bob = Client::lines(&server);
    let welcome = resume(&mut bob, &json!("s"), &json!({"lobby": [epoch, 2]}));
    let gap = json!({"gap": [3, 6], "why": "pruned", "from": 7, "to": 10});
    assert_eq!(welcome["rooms"]["lobby"], gap);
    assert_eq!(replayed(&mut bob, "lobby"), [7, 8, 9, 10]);

    let mut cat = Client::framed(&server).named("cat", None);
    cat.say(&json!({"op": "join", "id": "j", "room": "lobby", "after": 2, "epoch": epoch}));
    cat.expect_next(&json!({"id": "j", "code": 0, "data": {"seq": 10, "oldest": 7}}));
    cat.expect_next(&json!({"ev": "gap", "room": "lobby", "from": 3, "to": 6, "why": "pruned"}));
    assert_eq!(replayed(&mut cat, "lobby"), [7, 8, 9, 10]);
}

#[test]
fn more_than_may_be_asked_for_at_once_is_left_to_history() {
    let server = Setup::default().set("limits.replay", "3").set("limits.history_page", "3").start();
    let mut ann = Client::ws(&server).named("ann", None);
    let epoch = ann.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].take();
    say(&mut ann, "lobby", 1..=10);
    drop(Client::ws(&server).named("bob", Some("lobby")));
    let mut bob = Client::lines(&server);
    let welcome = resume(&mut bob, &json!("s"), &json!({"lobby": [epoch, 0]}));
    let gap = json!({"gap": [1, 7], "why": "limit", "from": 8, "to": 10});
    assert_eq!(welcome["rooms"]["lobby"], gap);
    assert_eq!(replayed(&mut bob, "lobby"), [8, 9, 10]);
    let page = bob.ask(&json!({"op": "history", "room": "lobby", "before": 8, "limit": 7}));
    assert_subset(&page, &json!({"first": 5, "last": 7, "more": true}));
}

#[test]
fn each_room_of_a_resume_has_its_own_answer() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    let epoch = ann.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].take();
    ann.ask(&json!({"op": "create", "room": "attic", "private": true}));
    say(&mut ann, "lobby", 1..=2);
    for name in ["bob", "cat"] {
        Client::ws(&server).named(name, Some("lobby")).ask(&json!({"op": "join", "room": "other"}));
    }
    let rooms = json!({"lobby": [epoch, 2], "attic": [epoch, 0], "@ann:eve": [epoch, 0],
                       "other": ["x", 7], "No Room": ["x", 0]});
    let mut bob = Client::ws(&server);
    let welcome = resume(&mut bob, &json!("s"), &rooms);
    let expected = json!({
        "lobby": {"from": 3, "to": 2},
        "attic": {"code": 3001},
        "@ann:eve": {"code": 3001},
        "other": {"reset": true, "epoch": STRING, "seq": 0},
        "No Room": {"code": 1003},
    });
    assert_subset(&welcome["rooms"], &expected);
    let mut cat = Client::ws(&server);
    let resume = json!({"session": "s", "rooms": {"lobby": [epoch, 3]}});
    let welcome = cat.ask(&json!({"op": "hello", "name": "cat", "resume": resume}));
    assert_subset(&welcome["rooms"]["lobby"], &json!({"code": 4003}));
}

#[test]
fn a_memory_room_has_another_epoch_after_each_start() {
    let mut server = Setup::default().in_memory().start();
    let join = |server: &Server| {
        let mut ann = Client::ws(server).named("ann", None);
        let joined = ann.ask(&json!({"op": "join", "room": "lobby"}));
        (ann, joined["epoch"].clone())
    };
    let (ann, first) = join(&server);
    drop(ann);
    server.restart(rustix::process::Signal::TERM);
    let (_ann, second) = join(&server);
    assert_ne!(first, second);
    let mut bob = Client::ws(&server);
    let welcome = resume(&mut bob, &json!("s"), &json!({"lobby": [first, 121]}));
    let reset = json!({"reset": true, "epoch": second, "seq": 0});
    assert_eq!(welcome["rooms"]["lobby"], reset);
}

#[test]
fn a_broken_resume_is_refused_as_a_whole() {
    let server = Server::start();
    let mut bob = Client::ws(&server);
    for resume in [
        json!(1),
        json!({"session": 1, "rooms": {}}),
        json!({"session": "s", "rooms": []}),
        json!({"session": "s", "rooms": {"lobby": 1}}),
        json!({"session": "s", "rooms": {"lobby": ["x"]}}),
        json!({"session": "s", "rooms": {"lobby": ["x", -1]}}),
        json!({"session": "s", "rooms": {"lobby": ["x", 1, 2]}}),
    ] {
        bob.refused(&json!({"op": "hello", "name": "bob", "resume": resume}), 1003);
    }
    bob.ask(&json!({"op": "hello", "name": "bob"}));
}
