//! Requests and replies as they are written: rules 1, 2 and 10 of the protocol.

use serde_json::{Value, json};

use crate::support::client::Lines;
use crate::support::json::{NUMBER, STRING};
use crate::support::{Client, Raw, Server, Setup, Transport, assert_subset};

/// What is answered to each of `requests`, as text.
fn answers(server: &Server, requests: &[String]) -> Vec<String> {
    let mut lines = Lines(Raw::connect(server.tcp));
    lines.send_text("{\"op\":\"hello\",\"id\":0}");
    lines.receive_text().expect("a welcome");
    let mut answer = |request: &String| {
        lines.send_text(request);
        lines.receive_text().expect("an answer")
    };
    requests.iter().map(&mut answer).collect()
}

#[test]
fn an_id_is_echoed_as_it_was_written() {
    let server = Server::start();
    let long = format!("\"{}\"", "x".repeat(62));
    let ids =
        ["1", "0", "-7", "\"a\"", "\"\"", "\"\\u0061\\n\"", "123456789012345678901234", &long];
    for id in ids {
        let request = format!("{{\"op\":\"ping\",\"id\":{id}}}");
        let [answer] = &answers(&server, &[request])[..] else { panic!("one answer") };
        assert!(answer.starts_with(&format!("{{\"id\":{id},\"code\":0,")), "{id} → {answer}");
    }
}

#[test]
fn what_is_no_id_is_refused_without_one() {
    let server = Server::start();
    let long = format!("\"{}\"", "x".repeat(65));
    for id in ["true", "1.5", "1e3", "[]", "{}", &long] {
        let request = format!("{{\"op\":\"ping\",\"id\":{id}}}");
        let [answer] = &answers(&server, &[request])[..] else { panic!("one answer") };
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        assert_subset(&answer, &json!({"op": "ping", "code": 1003, "data": {"field": "id"}}));
        assert_eq!(answer["id"], Value::Null, "{answer}");
    }
}

#[test]
fn without_an_id_only_errors_are_answered() {
    let server = Server::start();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut ann = Client::ws(&server);
    ann.say(&json!({"op": "hello", "name": "ann"}));
    for request in [
        json!({"op": "ping"}),
        json!({"op": "join", "room": "lobby"}),
        json!({"op": "send", "room": "lobby", "text": "hi"}),
        json!({"op": "ping", "id": null}),
        json!({"op": "help"}),
    ] {
        ann.say(&request);
    }
    ann.say(&json!({"op": "join", "room": "No"}));
    let refused = ann.expect_next(&json!({"op": "join", "code": 1003}));
    assert_eq!(refused["id"], Value::Null, "{refused}");
    bob.expect(&json!({"ev": "message", "text": "hi", "seq": 1}));
}

#[test]
fn an_answer_is_a_reply_or_an_event_and_never_both() {
    let server = Server::start();
    let mut ann = Client::ws(&server);
    for request in [
        json!({"op": "hello", "id": 1, "name": "ann"}),
        json!({"op": "join", "id": 2, "room": "lobby"}),
        json!({"op": "join", "id": 3, "room": "No"}),
        json!({"op": "send", "id": 4, "room": "lobby", "text": "hi", "echo": true}),
        json!({"op": "send", "id": 5, "to": "bob", "text": "hi"}),
        json!({"op": "status", "id": 6, "status": "away"}),
    ] {
        ann.say(&request);
    }
    let (mut replies, mut events) = (Vec::new(), Vec::new());
    while replies.len() < 6 || events.len() < 2 {
        let message = ann.next().expect("a message");
        let has = |key: &str| message.get(key).is_some();
        assert_ne!(has("ev"), has("code"), "{message}");
        if let Some(event) = message["ev"].as_str() {
            assert!(!has("id"), "{message}");
            events.extend((event != "presence").then(|| event.to_owned()));
            continue;
        }
        let keys: Vec<_> = message.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["code", "data", "id", "message"], "{message}");
        let slug = message["data"].get("error").is_some();
        assert_eq!(message["code"] != 0, slug, "{message}");
        assert_eq!(message["code"] == 0, message["message"] == "ok", "{message}");
        replies.push(message["id"].as_u64().expect("the id"));
    }
    replies.sort_unstable();
    events.sort_unstable();
    assert_eq!(
        (&replies[..], &events[..]),
        (&[1, 2, 3, 4, 5, 6][..], &["joined".to_owned(), "message".to_owned()][..])
    );
}

#[test]
fn unknown_fields_are_ignored_and_unknown_operations_are_told_what_there_is() {
    let server = Server::start();
    let mut ann = Client::lines(&server).named("ann", None);
    ann.ask(&json!({"op": "ping", "colour": {"deep": [1, 2]}, "": null}));
    let refused = ann.refused(&json!({"op": "dance"}), 1002);
    let ops = refused["data"]["ops"].as_array().expect("the operations");
    for op in ["hello", "ping", "rooms", "join", "send", "history", "help"] {
        assert!(ops.contains(&json!(op)), "no {op} in {refused}");
    }
}

#[test]
fn several_requests_may_come_in_one_message() {
    let server = Server::start();
    let mut ann = Client::ws(&server);
    ann.say_text(
        "{\"op\":\"hello\",\"id\":1}\n{\"op\":\"ping\",\"id\":2}\r\n\n  \n{\"op\":\"ping\",\"id\":3}\n",
    );
    for id in [1, 2, 3] {
        ann.expect_next(&json!({"id": id, "code": 0}));
    }
    ann.say_text("{\"op\":\"ping\",\"id\":4}\nnonsense\n{\"op\":\"ping\",\"id\":5}");
    ann.expect_next(&json!({"id": 4, "code": 0}));
    ann.expect_next(&json!({"code": 1001, "data": {"offset": NUMBER}}));
    ann.expect_next(&json!({"id": 5, "code": 0}));
}

#[test]
fn everything_but_hello_comes_after_hello() {
    let server = Server::start();
    let mut ann = Client::ws(&server);
    for op in ["rooms", "join", "send", "ack", "history", "leave", "create", "typing", "status"] {
        let request = json!({"op": op, "room": "lobby", "text": "x", "read": 1, "status": "away"});
        ann.refused(&request, 1004);
    }
    ann.ask(&json!({"op": "hello", "name": "ann"}));
    ann.refused(&json!({"op": "hello", "name": "ann"}), 1003);
}

#[test]
fn what_is_wrong_with_a_field_is_said_with_what_is_expected() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for (request, field) in [
        (json!({"op": "join"}), "room"),
        (json!({"op": "join", "room": 7}), "room"),
        (json!({"op": "join", "room": "a b"}), "room"),
        (json!({"op": "join", "room": "x".repeat(33)}), "room"),
        (json!({"op": "join", "room": "lobby", "after": -1}), "after"),
        (json!({"op": "join", "room": "lobby", "after": 1_u64 << 53}), "after"),
        (json!({"op": "send", "room": "lobby"}), "text"),
        (json!({"op": "send", "text": "hi"}), "room"),
        (json!({"op": "send", "room": "lobby", "to": "bob", "text": "hi"}), "to"),
        (json!({"op": "send", "to": "ann", "text": "me"}), "to"),
        (json!({"op": "send", "room": "lobby", "text": "hi", "cid": ""}), "cid"),
        (json!({"op": "send", "room": "lobby", "text": "hi", "cid": "x".repeat(65)}), "cid"),
        (json!({"op": "send", "room": "lobby", "text": "a\u{0}b"}), "text"),
        (json!({"op": "ack", "room": "lobby"}), "read"),
        (json!({"op": "status", "status": "busy"}), "status"),
        (json!({"op": "history", "room": "lobby", "limit": 0}), "limit"),
        (json!({"op": "history", "room": "lobby", "after": 1, "before": 2}), "after"),
        (json!({"op": "help", "of": "joim"}), "of"),
        (json!({"op": "create", "room": "@ann:bob"}), "room"),
    ] {
        let refused = ann.refused(&request, 1003);
        assert_eq!(refused["data"]["field"], field, "{request} → {refused}");
        assert!(refused["data"]["expected"].is_string(), "{request} → {refused}");
        // A success in between, since too many errors in a row end the connection.
        ann.ask(&json!({"op": "ping"}));
    }
    let folded = ann.refused(&json!({"op": "join", "room": "Lobby"}), 1003);
    assert_eq!(folded["data"]["hint"], "lobby", "{folded}");
}

#[test]
fn the_welcome_states_the_limits_as_they_are_configured() {
    let server = Setup::default()
        .set("limits.rooms", "7")
        .set("limits.rate_per_s", "11")
        .set("limits.burst", "12")
        .set("limits.history_page", "13")
        .set("limits.replay", "14")
        .set("limits.message_bytes", "1500")
        .set("timeouts.ping_after", "15s")
        .start();
    let mut ann = Client::framed(&server);
    let welcome = ann.ask(&json!({"op": "hello", "name": "ann", "agent": "test"}));
    let limits = json!({
        "message_bytes": 1500, "rooms": 7, "rate_per_s": 11, "burst": 12, "history_page": 13,
        "ping_ms": 15_000, "replay": 14, "request_bytes": NUMBER, "id_bytes": 64, "cid_bytes": 64,
        "name_bytes": 32,
    });
    let server_name = format!("chinwag {}", env!("CARGO_PKG_VERSION"));
    let expected = json!({"user": "ann", "session": STRING, "server": server_name, "time": NUMBER,
                          "resumed": false, "limits": limits});
    assert_subset(&welcome, &expected);
}

#[test]
fn who_gives_no_name_is_given_one_that_nobody_has() {
    let server = Server::start();
    let mut names: Vec<_> = (0..5)
        .map(|_| Client::lines(&server).ask(&json!({"op": "hello"}))["user"].to_string())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn help_describes_every_operation_and_each_alone() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    let all = ann.ask(&json!({"op": "help"}));
    let ops = all["ops"].as_array().expect("operations");
    assert!(ops.len() > 20, "{all}");
    for entry in ops {
        let one = ann.ask(&json!({"op": "help", "of": entry["op"]}));
        assert_eq!(one["ops"], json!([entry]));
    }
}
