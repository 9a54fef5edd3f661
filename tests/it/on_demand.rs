//! Rooms and users are in memory while somebody needs them, and are found again afterwards.

#![expect(clippy::disallowed_methods, reason = "by hand, a test may be told to be larger")]

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Server, Setup};

/// Rooms and users of the database with many. A million by hand, which also prints the figures:
/// `ON_DEMAND_ROOMS=1000000 cargo test --test it a_start_does_not -- --nocapture`.
const ROOMS: i64 = 100_000;
const ROOMS_VARIABLE: &str = "ON_DEMAND_ROOMS";
/// What a start may take on a machine that is busy with other tests, and what it takes in memory:
/// as much as with an empty database.
const START_MAX: Duration = Duration::from_secs(10);
const RESIDENT_MAX: u64 = 48 << 20;

/// A server that forgets at once what nobody uses.
fn forgetful() -> Setup {
    Setup::default()
        .set("limits.rate_per_s", "off")
        .set("limits.idle_rooms", "0")
        .set("timeouts.leave_grace", "50ms")
}

/// Waits until nothing is in memory any more.
#[track_caller]
fn await_nothing_left(server: &Server) {
    server.await_metric("chinwag_rooms", 0.0);
    server.await_metric("chinwag_users", 0.0);
}

/// Adds `count` rooms, each with a member of its own, and each second user in a room of all.
fn fill(data: &Path, count: i64) {
    let mut db = Connection::open(data.join("chinwag.db")).expect("the database");
    let transaction = db.transaction().expect("a transaction");
    let last: i64 =
        transaction.query_one("SELECT max(id) FROM room", [], |row| row.get(0)).expect("a room");
    {
        let room = "INSERT INTO room (id, name, epoch, durability, head, oldest, at, bytes, private, \
                    owned, policy, topic) VALUES (?1, ?2, ?1, 2, 0, 1, 0, 0, 0, 0, NULL, '')";
        let member = "INSERT INTO member (room, user, role, recv, read) VALUES (?1, ?2, 1, 0, 0)";
        let mut room = transaction.prepare(room).expect("a statement");
        let mut member = transaction.prepare(member).expect("a statement");
        for number in 0..count {
            let (id, user) = (last + 1 + number, format!("user{number}"));
            room.execute(params![id, format!("room{number}")]).expect("a room");
            member.execute(params![id, user]).expect("a member");
        }
    }
    // As the server files it.
    let alike = "INSERT INTO lookalike VALUES (0, 'userll', 'user11')";
    transaction.execute(alike, []).expect("a name");
    transaction.commit().expect("a commit");
}

fn names(rooms: &Value) -> Vec<&str> {
    rooms["rooms"]
        .as_array()
        .expect("rooms")
        .iter()
        .filter_map(|row| row["room"].as_str())
        .collect()
}

#[test]
fn a_start_does_not_depend_on_how_many_rooms_there_are() {
    let given = std::env::var(ROOMS_VARIABLE).ok();
    let count = given.as_ref().map_or(ROOMS, |count| count.parse().expect("a number"));
    let mut server = forgetful().set("limits.rooms_total", "16000000").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "hi"}));
    drop(ann);
    let mut began = Instant::now();
    server.restart_after(Signal::TERM, |data| {
        fill(data, count);
        began = Instant::now();
    });
    let (took, taken) = (began.elapsed(), server.resident());
    println!("{count} rooms: a start takes {took:?} and {} KiB", taken >> 10);
    assert!(took < START_MAX, "a start with {count} rooms took {took:?}");
    assert!(given.is_some() || taken < RESIDENT_MAX, "and {taken} bytes");
    assert!(
        server.metric("chinwag_rooms_elsewhere")
            > f64::from(i32::try_from(count).expect("not so many"))
    );
    // Anybody is found, with the rooms it is in.
    let number = count * 7 / 9;
    let mut user = Client::ws(&server).named(&format!("user{number}"), None);
    assert_eq!(names(&user.ask(&json!({"op": "rooms"}))), [format!("room{number}")]);
    server.await_metric("chinwag_rooms", 1.0);
    let joined = user.ask(&json!({"op": "join", "room": "room17"}));
    assert_eq!((&joined["seq"], &joined["members"]), (&json!(0), &json!(2)));
    user.refused(&json!({"op": "create", "room": "room18"}), 3002);
    // So are names that look like those of others, also if nobody has seen these for long.
    let alike = json!({"op": "hello", "name": "user1l"});
    Client::ws(&server).refused(&alike, 2005);
    drop(user);
    await_nothing_left(&server);
    // A stop does not depend on it either, and neither does what comes after a kill.
    server.restart(Signal::KILL);
    let joined =
        Client::ws(&server).named("user17", None).ask(&json!({"op": "join", "room": "room17"}));
    assert_eq!(joined["members"], json!(2));
}

#[test]
fn a_room_that_was_forgotten_is_found_as_it_was_left() {
    let server = forgetful().start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "den", "private": true, "topic": "tea"}));
    for user in ["bob", "cyd", "dan"] {
        ann.ask(&json!({"op": "invite", "room": "den", "user": user}));
    }
    for text in ["one", "two", "three"] {
        ann.ask(&json!({"op": "send", "room": "den", "text": text}));
    }
    let mut bob = Client::ws(&server).named("bob", None);
    let epoch = bob.ask(&json!({"op": "join", "room": "den"}))["epoch"].take();
    ann.ask(&json!({"op": "role", "room": "den", "user": "bob", "role": "moderator"}));
    ann.ask(&json!({"op": "ban", "room": "den", "user": "dan", "reason": "rude"}));
    ann.ask(&json!({"op": "send", "to": "bob", "text": "psst"}));
    drop((ann, bob));
    await_nothing_left(&server);
    for round in 0..3 {
        // Who was invited is told, and who was banned is not let in.
        let mut cyd = Client::ws(&server);
        let welcome = cyd.ask(&json!({"op": "hello", "name": "cyd"}));
        assert_eq!(welcome["invitations"][0]["room"], "den", "{round}: {welcome}");
        let mut dan = Client::ws(&server).named("dan", None);
        dan.refused(&json!({"op": "join", "room": "den"}), 3001);
        let mut bob = Client::ws(&server);
        let resume = json!({"session": "s", "rooms": {"den": [epoch, 1]}});
        let welcome = bob.ask(&json!({"op": "hello", "name": "bob", "resume": resume}));
        assert_eq!(welcome["rooms"]["den"], json!({"from": 2, "to": 5}), "{round}: {welcome}");
        let rooms = bob.ask(&json!({"op": "rooms"}));
        assert_eq!(names(&rooms), ["@ann:bob", "den"]);
        let den = &rooms["rooms"][1];
        assert_eq!((&den["seq"], &den["read"], &den["unread"]), (&json!(5), &json!(3), &json!(0)));
        assert_eq!(rooms["rooms"][0]["unread"], json!(1));
        let joined = bob.ask(&json!({"op": "join", "room": "den"}));
        assert_eq!((&joined["role"], &joined["topic"]), (&json!("moderator"), &json!("tea")));
        let history = bob.ask(&json!({"op": "history", "room": "den"}));
        let texts = history["items"].as_array().expect("items").iter();
        let texts: Vec<_> = texts.filter_map(|item| item["text"].as_str()).collect();
        assert_eq!(texts[..3], ["one", "two", "three"]);
        let list = bob.ask(&json!({"op": "restrictions", "room": "den"}));
        let list = list["items"].as_array().expect("items").iter();
        let of_dan = list.filter(|row| row["user"] == "dan").count();
        assert!(of_dan > 0, "the ban is listed");
        drop((bob, cyd, dan));
        await_nothing_left(&server);
    }
}

#[test]
fn who_writes_to_somebody_who_is_away_finds_the_conversation() {
    let server = forgetful().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    ann.ask(&json!({"op": "send", "to": "bob", "text": "one"}));
    bob.ask(&json!({"op": "ack", "room": "@ann:bob", "read": 1}));
    drop((ann, bob));
    await_nothing_left(&server);
    let mut bob = Client::ws(&server).named("bob", None);
    let sent = bob.ask(&json!({"op": "send", "to": "ann", "text": "two"}));
    assert_eq!((&sent["room"], &sent["seq"]), (&json!("@ann:bob"), &json!(2)));
    // Also what was not there before is made once.
    let sent = bob.ask(&json!({"op": "send", "to": "cyd", "text": "three"}));
    assert_eq!(sent["seq"], json!(1));
    drop(bob);
    await_nothing_left(&server);
    let mut cyd = Client::ws(&server).named("cyd", None);
    let rooms = cyd.ask(&json!({"op": "rooms"}));
    assert_eq!((names(&rooms), &rooms["rooms"][0]["unread"]), (vec!["@bob:cyd"], &json!(1)));
    let sent = cyd.ask(&json!({"op": "send", "to": "bob", "text": "four"}));
    assert_eq!(sent["seq"], json!(2));
}

#[test]
fn after_a_start_nobody_waits_for_rooms_that_may_stay_in_memory() {
    let mut server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let epoch = bob.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].take();
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "one"}));
    bob.ask(&json!({"op": "send", "to": "cyd", "text": "two"}));
    drop((ann, bob));
    server.restart(Signal::KILL);
    for (name, expect) in
        [("chinwag_rooms", 2.0), ("chinwag_rooms_elsewhere", 0.0), ("chinwag_users", 3.0)]
    {
        server.await_metric(name, expect);
    }
    let mut bob = Client::ws(&server);
    let resume = json!({"session": "s", "rooms": {"lobby": [epoch, 0]}});
    let welcome = bob.ask(&json!({"op": "hello", "name": "bob", "resume": resume}));
    assert_eq!(welcome["rooms"]["lobby"], json!({"from": 1, "to": 1}), "{welcome}");
    assert_eq!(names(&bob.ask(&json!({"op": "rooms"}))), ["@bob:cyd", "lobby"]);
    // Who was written to and has not come yet is still waited for.
    let mut cyd = Client::ws(&server).named("cyd", None);
    assert_eq!(names(&cyd.ask(&json!({"op": "rooms"}))), ["@bob:cyd"]);
    // It only rises: one that is not zero stays so.
    server.await_metric("chinwag_load_waits_total", 0.0);
}
