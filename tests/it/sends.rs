//! What is said: order, replies in place of events, several sessions, `cid` and its memory.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::client::TRANSPORTS;
use crate::support::json::{NUMBER, STRING};
use crate::support::{Client, Server, Setup, assert_subset};

fn say(text: &str) -> Value {
    json!({"op": "send", "room": "lobby", "text": text})
}

#[test]
fn a_message_carries_what_it_was_sent_with() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let first = ann.ask(&say("first"));
    let expected = json!({"room": "lobby", "seq": 1, "at": NUMBER, "durable": "disk"});
    assert_subset(&first, &expected);
    assert!(first.get("dup").is_none(), "{first}");
    let data = json!({"deep": [1, {"x": null}], "text": "\u{1f600}"});
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "re", "cid": "c1", "reply_to": 1,
                    "thread": 1, "data": data}));
    let event = bob.expect(&json!({"ev": "message", "seq": 2}));
    let expected = json!({"ev": "message", "room": "lobby", "seq": 2, "from": "ann", "at": NUMBER,
                          "text": "re", "reply_to": 1, "thread": 1, "data": data});
    assert_subset(&event, &expected);
    assert!(event.get("cid").is_none(), "only one's own items carry a cid: {event}");
    let last = |client: &mut Client| {
        client.ask(&json!({"op": "history", "room": "lobby", "limit": 1}))["items"][0].take()
    };
    assert_eq!(last(&mut ann)["cid"], "c1");
    assert!(last(&mut bob).get("cid").is_none());
}

#[test]
fn the_sender_gets_the_reply_instead_of_the_event_and_its_other_sessions_the_event() {
    for (what, connect) in TRANSPORTS {
        println!("{what}");
        // Presence would come in between.
        let server = Setup::default().set("timeouts.presence_interval", "1h").start();
        let mut desk = connect(&server).named("ann", Some("lobby"));
        let mut phone = connect(&server).named("ann", Some("lobby"));
        let mut bob = connect(&server).named("bob", Some("lobby"));
        assert_eq!(desk.ask(&say("hi"))["seq"], 1);
        for other in [&mut phone, &mut bob] {
            other.expect(&json!({"ev": "message", "seq": 1, "from": "ann"}));
        }
        desk.assert_not_told(&json!({"ev": "message"}));

        // With echo: the event, then the reply.
        desk.say(&json!({"op": "send", "id": "e", "room": "lobby", "text": "ho", "echo": true}));
        desk.expect(&json!({"ev": "message", "seq": 2, "text": "ho"}));
        // Presence is told when it is due, which may be now.
        let next = loop {
            let message = desk.next().expect("a reply");
            if message["ev"] != "presence" {
                break message;
            }
        };
        assert_subset(&next, &json!({"id": "e", "code": 0, "data": {"seq": 2}}));
        phone.expect(&json!({"ev": "message", "seq": 2}));
    }
}

#[test]
fn on_one_connection_the_seqs_of_events_and_replies_only_rise() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut clients: Vec<_> = TRANSPORTS
        .iter()
        .enumerate()
        .map(|(n, (_, connect))| connect(&server).named(&format!("user{n}"), Some("lobby")))
        .collect();
    let rounds = 50;
    // All at once, without waiting for answers, every third with echo.
    for n in 0..rounds {
        for client in &mut clients {
            client.say(&json!({"op": "send", "id": n, "room": "lobby", "text": "x",
                               "echo": n % 3 == 0}));
        }
    }
    let total = rounds * clients.len() as u64;
    for client in &mut clients {
        let (mut last, mut replies) = (0, 0);
        while last < total || replies < rounds {
            let message = client.next().expect("a message");
            let is_reply = message.get("id").is_some();
            let seq = if is_reply { &message["data"]["seq"] } else { &message["seq"] };
            let Some(seq) = seq.as_u64().filter(|_| is_reply || message["ev"] == "message") else {
                continue;
            };
            let echoed = is_reply && message["id"].as_u64().is_some_and(|id| id % 3 == 0);
            assert_eq!(seq, if echoed { last } else { last + 1 }, "{message}");
            last = seq;
            if is_reply {
                assert_eq!(message["id"], replies, "answered out of order");
                replies += 1;
            }
        }
    }
}

#[test]
fn a_cid_is_one_users_and_one_rooms() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    ann.ask(&json!({"op": "join", "room": "attic"}));
    let send =
        |room: &str, text: &str| json!({"op": "send", "room": room, "cid": "c", "text": text});
    assert_eq!(ann.ask(&send("lobby", "one"))["seq"], 1);
    assert_eq!(bob.ask(&send("lobby", "two"))["seq"], 2);
    assert_eq!(ann.ask(&send("attic", "three"))["seq"], 1);
    assert_subset(&ann.ask(&send("lobby", "one")), &json!({"seq": 1, "dup": true}));
    assert_subset(&bob.ask(&send("lobby", "two")), &json!({"seq": 2, "dup": true}));
    ann.refused(&send("lobby", "other"), 4005);
    let history = ann.ask(&json!({"op": "history", "room": "lobby"}));
    assert_eq!(history["last"], 2, "{history}");
}

#[test]
fn a_retry_over_another_session_is_still_a_retry() {
    let server = Server::start();
    let send = json!({"op": "send", "room": "lobby", "cid": "c", "text": "hi"});
    let first = Client::ws(&server).named("ann", Some("lobby")).ask(&send);
    let again = Client::framed(&server).named("ann", Some("lobby")).ask(&send);
    assert_subset(&again, &json!({"seq": first["seq"], "at": first["at"], "dup": true}));
}

#[test]
fn the_bound_of_a_message_holds_for_text_and_data_together() {
    let server = Setup::default().set("limits.message_bytes", "1000").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let quoted = |len: usize| "d".repeat(len - 2);
    for (text, data, code) in [
        (1000, 0, 0),
        (1001, 0, 4001),
        (600, 400, 0),
        (600, 401, 4001),
        (0, 1000, 0),
        (0, 1001, 4001),
    ] {
        let mut request = say(&"t".repeat(text));
        if data > 0 {
            request["data"] = json!(quoted(data));
        }
        let reply = ann.request(&request);
        assert_eq!(reply["code"], code, "{text} + {data}: {reply}");
        if code == 4001 {
            assert_subset(&reply, &json!({"data": {"limit": 1000}}));
        } else {
            let event = bob.expect(&json!({"ev": "message", "seq": reply["data"]["seq"]}));
            assert_eq!(event["text"].as_str().map(str::len), Some(text), "{event}");
        }
    }
    // In bytes as they are meant, not as they are escaped: these take six each in the request.
    ann.say_text(&format!(
        "{{\"op\":\"send\",\"id\":\"u\",\"room\":\"lobby\",\"text\":\"{}\"}}",
        "\\u0061".repeat(1000)
    ));
    ann.expect(&json!({"id": "u", "code": 0}));
}

#[test]
fn a_retry_is_answered_as_the_first_time_whatever_has_happened_since() {
    for is_stored in [true, false] {
        let setup = Setup::default().set("limits.rate_per_s", "off");
        let mut server = if is_stored { setup } else { setup.in_memory() }.start();
        let mut ann = Client::ws(&server).named("ann", None);
        ann.ask(&json!({"op": "create", "room": "den", "private": true}));
        ann.ask(&json!({"op": "invite", "room": "den", "user": "bob"}));
        let mut bob = Client::lines(&server).named("bob", Some("den"));
        let first = json!({"op": "send", "room": "den", "text": "x".repeat(200), "cid": "c1"});
        let direct = json!({"op": "send", "to": "ann", "text": "psst", "cid": "c1"});
        for request in [&first, &direct] {
            assert_subset(&bob.ask(request), &json!({"seq": 1}));
        }
        let act = |op: &str| json!({"op": op, "room": "den", "user": "bob"});
        let reader = json!({"op": "role", "room": "den", "user": "bob", "role": "reader"});
        let leave = json!({"op": "leave", "room": "@ann:bob"});
        for (by_bob, step, code) in [
            (false, act("mute"), 3006),
            (false, reader, 3007),
            (true, leave, 3007),
            (false, act("kick"), 3001),
            (false, act("ban"), 3005),
        ] {
            if by_bob { &mut bob } else { &mut ann }.ask(&step);
            for request in [&first, &direct] {
                let again = bob.ask(request);
                assert_subset(&again, &json!({"seq": 1, "dup": true, "room": STRING}));
            }
            let other = json!({"op": "send", "room": "den", "text": "y", "cid": "c1"});
            bob.refused(&other, 4005);
            // What the log does not have is refused as it is without a cid.
            let new = bob.request(&json!({"op": "send", "room": "den", "text": "y", "cid": "c2"}));
            let bare = bob.request(&json!({"op": "send", "room": "den", "text": "y"}));
            assert_eq!(
                (&new["code"], &new["data"]["error"]),
                (&bare["code"], &bare["data"]["error"])
            );
            assert!(new["code"] == code || new["code"] == 3001, "{new} after {step}");
        }
        if is_stored {
            drop((ann, bob));
            server.restart_with(Signal::KILL, ("limits.message_bytes", "64"));
            let mut bob = Client::lines(&server).named("bob", None);
            assert_subset(&bob.ask(&first), &json!({"seq": 1, "dup": true}));
            bob.refused(
                &json!({"op": "send", "to": "ann", "text": "x".repeat(65), "cid": "c3"}),
                4001,
            );
            bob.refused(&json!({"op": "send", "to": "ann", "text": "x".repeat(65)}), 4001);
        }
    }
}

#[test]
fn what_was_said_before_leaving_is_heard_before_the_end() {
    for is_stored in [true, false] {
        let setup = Setup::default();
        let server = if is_stored { setup } else { setup.in_memory() }.start();
        let mut ann = Client::lines(&server).named("ann", Some("lobby"));
        let quiet = json!({"op": "send", "room": "lobby", "text": "bye", "echo": true});
        let leave = json!({"op": "leave", "id": "l", "room": "lobby"});
        ann.say_text(&format!("{quiet}\n{leave}"));
        ann.expect(&json!({"ev": "message", "text": "bye"}));
        ann.expect(&json!({"id": "l", "code": 0}));
        ann.expect(&json!({"ev": "left", "room": "lobby", "reason": "left"}));
    }
}
