//! What comes by other doors than a session finds rooms that are in the store only; and so does the
//! next process of an upgrade.

use rustix::process::Signal;
use serde_json::json;

use crate::keys::add;
use crate::support::admin::{TOKEN, act, get, post};
use crate::support::http::{get as get_page, request};
use crate::support::{Client, Server, Setup, Stream};

/// A server that forgets at once what nobody uses.
fn forgetful() -> Setup {
    Setup::default()
        .set("limits.rate_per_s", "off")
        .set("limits.idle_rooms", "0")
        .set("timeouts.leave_grace", "50ms")
        .set("admin_token", TOKEN)
}

/// A private room of ann's, in which she and bob have spoken, and a room for everybody; both then
/// forgotten.
fn furnish(server: &Server) {
    let mut ann = Client::ws(server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    ann.ask(&json!({"op": "invite", "room": "den", "user": "bob"}));
    let mut bob = Client::ws(server).named("bob", None);
    bob.ask(&json!({"op": "join", "room": "den"}));
    bob.ask(&json!({"op": "send", "room": "den", "text": "one"}));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "hi"}));
    drop((ann, bob));
    await_nothing_left(server);
}

#[track_caller]
fn await_nothing_left(server: &Server) {
    server.await_metric("chinwag_rooms", 0.0);
    server.await_metric("chinwag_users", 0.0);
}

#[test]
fn a_program_reads_posts_and_follows_a_room_that_nobody_uses() {
    let server = forgetful().set("auth", "accounts,none").start();
    let key = format!(
        "Authorization: Bearer {}\r\n",
        add(&server, &["ci", "--rooms", "lobby", "--can", "read,send"])
    );
    furnish(&server);
    let ask = |line: &str, body: &str| {
        let head = format!("{line} HTTP/1.1\r\nHost: {}\r\n{key}", server.http);
        let length = body.len();
        let length =
            if length > 0 { format!("Content-Length: {length}\r\n") } else { String::new() };
        request(server.http, format!("{head}{length}\r\n{body}").as_bytes()).text()
    };
    for (line, body, part) in [
        ("GET /rooms", "", r#""room":"lobby""#),
        ("GET /rooms/lobby/messages", "", r#""text":"hi""#),
        ("GET /rooms/lobby/members", "", r#"["ann","member"]"#),
        ("GET /rooms/lobby/presence", "", r#""count":0"#),
        ("POST /rooms/lobby/messages", "again", r#""seq":2"#),
    ] {
        let answer = ask(line, body);
        assert!(answer.contains(part), "{line}: {answer}");
        await_nothing_left(&server);
    }
    let target = "/rooms/lobby/events?as=eve";
    let mut stream = Stream::open(server.http, target, "");
    stream.expect_next(&json!({"ev": "live", "room": "lobby", "seq": 2}));
    // Nobody is there but the stream, which keeps the room.
    let mut bob = Client::ws(&server).named("bob", None);
    bob.ask(&json!({"op": "ping"}));
    drop(bob);
    server.await_metric("chinwag_rooms", 1.0);
    ask("POST /rooms/lobby/messages", "third");
    stream.expect_next(&json!({"ev": "message", "seq": 3, "text": "third"}));
    drop(stream);
    await_nothing_left(&server);
    assert_eq!(get_page(server.http, "/rooms/nowhere/events?as=eve").status, 404);
    assert_eq!(get_page(server.http, "/rooms/den/events?as=eve").status, 404);
}

#[test]
fn a_report_an_export_and_the_audit_find_what_nobody_uses() {
    let mut server = forgetful().start();
    furnish(&server);
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "report", "room": "den", "target": 1, "reason": "rude"}));
    ann.ask(&json!({"op": "kick", "room": "den", "user": "bob"}));
    drop(ann);
    server.await_metric("chinwag_rooms", 0.0);
    let mut eve = Client::ws(&server).named("eve", None);
    eve.ask(&json!({"op": "join", "room": "lobby"}));
    eve.ask(&json!({"op": "report", "room": "lobby", "target": 1}));
    drop(eve);
    server.await_metric("chinwag_rooms", 0.0);
    server.restart(Signal::KILL);
    let mut ann = Client::ws(&server).named("ann", None);
    let items = ann.ask(&json!({"op": "reports", "room": "den"}))["items"].take();
    assert_eq!((&items[0]["user"], &items[0]["text"]), (&json!("bob"), &json!("one")), "{items}");
    let acts = ann.ask(&json!({"op": "audit", "room": "den"}));
    assert!(acts["items"].to_string().contains("kick"), "{acts}");
    ann.ask(&json!({"op": "settle", "report": items[0]["id"]}));
    let part = ann.ask(&json!({"op": "export", "after": 1}));
    assert!(part.to_string().contains("den") && part.to_string().contains("lobby"), "{part}");
}

#[test]
fn the_operator_acts_in_rooms_that_nobody_uses_and_lists_their_members() {
    let server = forgetful().start();
    furnish(&server);
    let rooms = get(&server, "rooms");
    assert_eq!((&rooms["total"], &rooms["elsewhere"]), (&json!(0), &json!(2)), "{rooms}");
    let members = get(&server, "members?room=den");
    assert_eq!((&members["total"], &members["members"][0]["role"]), (&json!(2), &json!("owner")));
    await_nothing_left(&server);
    let sent = act(&server, "publish", &json!({"room": "den", "text": "news"}));
    assert!(sent["seq"].as_u64() > Some(1), "{sent}");
    await_nothing_left(&server);
    act(&server, "rooms/kick", &json!({"room": "den", "user": "bob"}));
    server.await_metric("chinwag_rooms", 0.0);
    act(&server, "rooms/ban", &json!({"room": "lobby", "user": "bob"}));
    server.await_metric("chinwag_rooms", 0.0);
    let answer = act(&server, "broadcast", &json!({"rooms": ["den", "lobby"], "text": "news"}));
    assert_eq!(answer["messages"][1]["seq"], 3, "{answer}");
    server.await_metric("chinwag_rooms", 0.0);
    // A name that is somebody's, also if nobody has seen it for long, is no program's.
    let (status, refused) = post(&server, "keys", &json!({"name": "ann", "rooms": ["lobby"]}));
    assert_eq!((status, &refused["code"]), (409, &json!(2005)), "{refused}");
    let mut bob = Client::ws(&server).named("bob", None);
    bob.refused(&json!({"op": "join", "room": "lobby"}), 3005);
    assert_eq!(bob.ask(&json!({"op": "rooms"}))["rooms"], json!([]));
    let line = format!("GET /api/v1/members?room=nowhere HTTP/1.1\r\nHost: {}\r\n", server.admin);
    let head = format!("{line}Authorization: Bearer {TOKEN}\r\n\r\n");
    assert_eq!(request(server.admin, head.as_bytes()).status, 404);
}

#[test]
fn an_upgrade_carries_the_rooms_that_are_used_and_finds_the_others_later() {
    let mut server = forgetful().upgradable().start();
    furnish(&server);
    let mut ann = Client::ws(&server).named("ann", None);
    let mut eve = Client::lines(&server).named("eve", Some("hall"));
    for round in 0..3 {
        server.upgrade();
        let listed = get(&server, "connections?user=ann");
        assert_eq!(listed["connections"][0]["user"], "ann", "{listed}");
        // Hers are there at once, and nobody else's.
        server.await_metric("chinwag_rooms", 3.0);
        let rooms = ann.ask(&json!({"op": "rooms"}));
        assert_eq!(rooms["rooms"].as_array().map(Vec::len), Some(2), "{rooms}");
        let sent = ann.ask(&json!({"op": "send", "room": "lobby", "text": "still"}));
        assert_eq!(sent["seq"], 2 + round);
        eve.ask(&json!({"op": "send", "room": "hall", "text": "here"}));
    }
    drop((ann, eve));
    await_nothing_left(&server);
    server.upgrade();
    server.await_metric("chinwag_rooms_elsewhere", 3.0);
    let mut bob = Client::ws(&server).named("bob", None);
    let history = bob.ask(&json!({"op": "history", "room": "den", "after": 0}));
    assert!(history.to_string().contains("\"one\""), "{history}");
    let joined = bob.ask(&json!({"op": "join", "room": "lobby"}));
    assert_eq!(joined["seq"], 4);
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "after"}));
    server.upgrade();
    let history = bob.ask(&json!({"op": "history", "room": "lobby", "after": 0}));
    assert_eq!(history["items"].as_array().map(Vec::len), Some(5), "{history}");
}
