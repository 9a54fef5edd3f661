//! Direct conversations: two ends, and nobody else.

use serde_json::json;

use crate::support::json::{STRING, requests_about_a_room};
use crate::support::{Client, Server, Setup, assert_subset};

fn to(user: &str, text: &str) -> serde_json::Value {
    json!({"op": "send", "to": user, "text": text})
}

#[test]
fn joined_is_told_to_all_live_sessions_of_both_before_the_first_message() {
    let server = Server::start();
    let mut desk = Client::ws(&server).named("ann", None);
    let mut phone = Client::lines(&server).named("ann", None);
    let mut bobs = [Client::ws(&server), Client::framed(&server)].map(|bob| bob.named("bob", None));
    let sent = desk.ask(&to("bob", "psst"));
    assert_subset(&sent, &json!({"room": "@ann:bob", "seq": 1}));
    let joined = json!({"ev": "joined", "room": "@ann:bob", "epoch": STRING, "seq": 0});
    let message = json!({"ev": "message", "room": "@ann:bob", "seq": 1, "from": "ann"});
    desk.expect(&joined);
    desk.assert_not_told(&message);
    let [desk_bob, phone_bob] = &mut bobs;
    for session in [&mut phone, desk_bob, phone_bob] {
        session.expect_next(&joined);
        session.expect(&message);
    }
    // Back, by name or by room: joined is told once.
    bobs[0].ask(&to("ann", "what?"));
    bobs[0].ask(&json!({"op": "send", "room": "@ann:bob", "text": "hm?"}));
    for (seq, text) in [(2, "what?"), (3, "hm?")] {
        for session in [&mut desk, &mut phone, &mut bobs[1]] {
            session.expect(&json!({"ev": "message", "seq": seq, "text": text}));
        }
    }
    for session in [&mut desk, &mut phone] {
        session.assert_not_told(&json!({"ev": "joined"}));
    }
}

#[test]
fn nobody_else_can_join_it_or_learn_that_it_exists() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    let _bob = Client::ws(&server).named("bob", None);
    ann.ask(&to("bob", "psst"));
    let mut eve = Client::ws(&server).named("eve", None);
    for request in requests_about_a_room() {
        let mut ask = |room: &str| {
            let mut request = request.clone();
            request["room"] = json!(room);
            let mut refused = eve.refused(&request, 3001);
            refused["id"].take();
            refused
        };
        // The same words whether there is one or not.
        assert_eq!(ask("@ann:bob"), ask("@ann:dan"));
    }
    // Names in another order are no name at all.
    eve.refused(&json!({"op": "join", "room": "@bob:ann"}), 1003);
    eve.assert_not_told(&json!({"room": STRING}));
}

#[test]
fn what_is_said_to_somebody_absent_waits_for_them() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    for text in ["one", "two"] {
        ann.ask(&to("bob", text));
    }
    drop(Client::lines(&server).named("eve", None));
    let mut bob = Client::ws(&server).named("bob", None);
    let rooms = bob.ask(&json!({"op": "rooms"}));
    let row = json!({"room": "@ann:bob", "seq": 2, "unread": 2, "read": 0, "recv": 0,
                     "last": {"text": "two", "from": "ann", "seq": 2}});
    assert_subset(&rooms["rooms"], &json!([row]));
    let history = bob.ask(&json!({"op": "history", "room": "@ann:bob"}));
    assert_subset(&history["items"], &json!([{"text": "one"}, {"text": "two"}]));
    let joined = bob.ask(&json!({"op": "join", "room": "@ann:bob", "after": 0}));
    assert_subset(&joined, &json!({"seq": 2}));
    bob.expect(&json!({"ev": "replay", "items": [{"text": "one"}, {"text": "two"}], "to": 2}));
    bob.expect(&json!({"ev": "live", "seq": 2}));
    bob.ask(&to("ann", "back"));
    ann.expect(&json!({"ev": "message", "seq": 3, "from": "bob", "text": "back"}));
}

#[test]
fn who_has_left_is_brought_back_by_being_written_to() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    ann.ask(&to("bob", "one"));
    bob.ask(&json!({"op": "leave", "room": "@ann:bob"}));
    bob.expect(&json!({"ev": "left", "room": "@ann:bob"}));
    bob.expect(&json!({"ev": "message", "seq": 1}));
    ann.ask(&to("bob", "two"));
    bob.expect(&json!({"ev": "joined", "room": "@ann:bob", "seq": 1}));
    bob.expect(&json!({"ev": "message", "seq": 2, "text": "two"}));
}

#[test]
fn strangers_cannot_fill_somebodys_rooms_with_conversations() {
    let server = Setup::default().set("limits.rooms", "1").start();
    let mut bob = Client::ws(&server).named("bob", None);
    for name in ["ann", "cat", "dan"] {
        Client::lines(&server).named(name, None).ask(&to("bob", "spam"));
    }
    bob.ask(&json!({"op": "join", "room": "lobby"}));
    bob.refused(&json!({"op": "join", "room": "attic"}), 3011);
}

#[test]
fn a_conversation_that_was_left_comes_back_with_a_message_and_by_nothing_else() {
    let server = Setup::default().set("limits.message_bytes", "64").start();
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    ann.ask(&json!({"op": "send", "to": "bob", "text": "one", "cid": "c"}));
    bob.ask(&json!({"op": "leave", "room": "@ann:bob"}));
    bob.expect(&json!({"ev": "left", "room": "@ann:bob"}));
    bob.forget();
    // The other one looks into it again, acts on what was said, and fails to say something more.
    let room = |op: &str| json!({"op": op, "room": "@ann:bob"});
    ann.ask(&room("leave"));
    ann.ask(&room("join"));
    ann.ask(&json!({"op": "react", "room": "@ann:bob", "target": 1, "emoji": "x"}));
    ann.ask(&room("typing"));
    ann.refused(&json!({"op": "send", "to": "bob", "text": "hm", "reply_to": 77}), 4002);
    let again = ann.ask(&json!({"op": "send", "to": "bob", "text": "one", "cid": "c"}));
    assert_subset(&again, &json!({"seq": 1, "dup": true}));
    ann.refused(&json!({"op": "send", "to": "bob", "text": "other", "cid": "c"}), 4005);
    // Neither is one made without a message.
    ann.refused(&json!({"op": "send", "to": "cat", "text": "hm", "reply_to": 1}), 4002);
    ann.refused(&json!({"op": "join", "room": "@ann:dan"}), 3001);
    let row = |row: &serde_json::Value| row["room"].clone();
    let rooms = ann.ask(&json!({"op": "rooms"}))["rooms"].take();
    assert_eq!(rooms.as_array().expect("rows").iter().map(row).collect::<Vec<_>>(), ["@ann:bob"]);
    assert_eq!(bob.ask(&json!({"op": "rooms"}))["rooms"], json!([]));
    bob.assert_not_told(&json!({"room": STRING}));
    ann.ask(&to("bob", "two"));
    bob.expect_next(&json!({"ev": "joined", "room": "@ann:bob", "seq": 2}));
    bob.expect(&json!({"ev": "message", "seq": 3, "text": "two"}));
    assert_subset(&bob.ask(&json!({"op": "rooms"}))["rooms"], &json!([{"unread": 1}]));
}

#[test]
fn a_message_to_somebody_who_never_came_waits_and_crowds_out_nobody() {
    for is_stored in [true, false] {
        let setup = Setup::default()
            .set("limits.users", "4")
            .set("limits.rooms", "34")
            .set("limits.rooms_total", "34")
            .set("limits.rate_per_s", "off")
            .set("timeouts.leave_grace", "10ms");
        let mut server = if is_stored { setup } else { setup.in_memory() }.start();
        let mut ann = Client::ws(&server).named("ann", Some("lobby"));
        for number in 0..32 {
            ann.ask(&to(&format!("late{number}"), "for you"));
        }
        let full = ann.refused(&to("late32", "for you"), 3010);
        assert_subset(&full["data"], &json!({"error": "no_such_user", "limit": 32}));
        // Leaving does not make place, and what was begun goes on.
        // In a store it does once nobody has the conversation in memory.
        if !is_stored {
            ann.ask(&json!({"op": "leave", "room": "@ann:late31"}));
            ann.refused(&to("late32", "for you"), 3010);
        }
        ann.ask(&to("late0", "more"));
        // Others come and go: more than there may be at a time.
        for number in 0..12 {
            let mut visitor = Client::lines(&server);
            let hello = json!({"op": "hello", "name": format!("visitor{number}")});
            while visitor.request(&hello)["code"] == 5004 {}
            visitor.ask(&json!({"op": "join", "room": format!("room{}", number % 3)}));
        }
        if is_stored {
            drop(ann);
            server.restart(rustix::process::Signal::KILL);
            ann = Client::ws(&server).named("ann", None);
            ann.refused(&to("late32", "for you"), 3010);
        }
        for (number, unread) in [(0, 2), (31, 1)] {
            let mut late = Client::lines(&server);
            let hello = json!({"op": "hello", "name": format!("late{number}")});
            while late.request(&hello)["code"] == 5004 {}
            let rooms = late.ask(&json!({"op": "rooms"}))["rooms"].take();
            assert_subset(
                &rooms,
                &json!([{"room": format!("@ann:late{number}"), "unread": unread}]),
            );
            // Who has come is not waited for any more.
            ann.ask(&to(&format!("late{}", number + 40), "for you"));
            ann.refused(&to("late99", "for you"), 3010);
        }
    }
}
