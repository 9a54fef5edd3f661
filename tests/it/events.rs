//! Streams of Server-Sent Events: what a page or a program reads over HTTP for as long as it stays.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::keys::{add, chinwag_key};
use crate::support::http::{read_head, request};
use crate::support::json::NUMBER;
use crate::support::stream::head;
use crate::support::{Client, Raw, Server, Setup, Stream};

const OPEN: &str = "chinwag_event_streams";

fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

/// The seqs of the records up to and with `last`, which must be one each, in order, each with its
/// position.
#[track_caller]
fn seqs_to(stream: &mut Stream, last: u64) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.last() != Some(&last) {
        let event = stream.next().unwrap_or_else(|| panic!("the end behind {seqs:?}"));
        let Some(seq) = event.data["seq"].as_u64().filter(|_| event.name != "live") else {
            continue;
        };
        let id = event.id.unwrap_or_default();
        assert_eq!(id.rsplit_once(':').map(|(_, seq)| seq), Some(&*seq.to_string()), "{id}");
        seqs.push(seq);
    }
    seqs
}

#[test]
fn what_is_said_comes_as_events_and_nobody_is_told_that_somebody_reads() {
    let server = Setup::default().set("timeouts.presence_interval", "50ms").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.send("lobby", "before");
    // Otherwise both may be told of at once.
    ann.expect(&json!({"ev": "presence", "on": ["ann"]}));
    let mut stream = Stream::open(server.http, "/rooms/lobby/events?as=eve", "");
    for (name, value) in [
        ("Content-Type", Some("text/event-stream; charset=utf-8")),
        ("Cache-Control", Some("no-store")),
        ("X-Accel-Buffering", Some("no")),
        ("Connection", Some("close")),
        ("Content-Length", None),
        ("Transfer-Encoding", None),
        ("Access-Control-Allow-Origin", None),
    ] {
        assert_eq!(stream.head.header(name), value, "{name}");
    }
    let live = stream.expect_next(&json!({"ev": "live", "room": "lobby", "seq": 1}));
    let id = live.id.expect("a position");
    assert!((1_000..3_000).contains(&stream.retry_ms.expect("a time")), "{stream:?}");
    assert!((server.metric(OPEN) - 1.0).abs() < 0.5);
    let text = "one\r\ntwo\u{2028}\u{85}\u{e9}";
    ann.ask(&json!({"op": "send", "room": "lobby", "text": text.replace('\u{85}', "")}));
    let said =
        stream.expect_next(&json!({"ev": "message", "room": "lobby", "seq": 2, "from": "ann"}));
    assert_eq!(said.data["text"], "one\ntwo\u{2028}\u{e9}");
    assert_eq!(said.id, Some(id.replace(":1", ":2")));
    ann.ask(&json!({"op": "edit", "room": "lobby", "target": 2, "text": "two"}));
    ann.ask(&json!({"op": "react", "room": "lobby", "target": 2, "emoji": "+1"}));
    ann.ask(&json!({"op": "delete", "room": "lobby", "target": 2}));
    ann.ask(&json!({"op": "typing", "room": "lobby"}));
    let _bob = Client::ws(&server).named("bob", Some("lobby"));
    ann.expect(&json!({"ev": "presence", "on": ["bob"]}));
    ann.send("lobby", "last");
    // Neither typing nor presence comes between.
    for (ev, seq) in [("edit", 3), ("reaction", 4), ("deletion", 5), ("message", 6)] {
        stream.expect_next(&json!({"ev": ev, "seq": seq}));
    }
    ann.forget();
    let members = ann.ask(&json!({"op": "members", "room": "lobby"}));
    assert_eq!(members["users"], json!([["ann", "member"], ["bob", "member"]]));
    let present = ann.ask(&json!({"op": "presence", "room": "lobby"}));
    assert_eq!(present["count"], 2, "{present}");
    drop(stream);
    server.await_metric(OPEN, 0.0);
    ann.assert_not_told(&json!({"ev": "presence"}));
}

#[test]
fn a_stream_goes_on_behind_its_last_event_over_a_kill_of_the_server() {
    let mut server = Setup::default().set("limits.rate_per_s", "off").start();
    let key = add(&server, &["screen", "--rooms", "lobby", "--can", "read"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let target = "/rooms/lobby/events";
    let mut stream = Stream::open(server.http, target, &bearer(&key));
    let mut seen = Vec::new();
    for round in 1..=3_u64 {
        for n in 0..40 {
            assert_eq!(ann.send("lobby", "x"), 40 * (round - 1) + n + 1);
        }
        // In the middle of what is on its way.
        seen.extend(seqs_to(&mut stream, 40 * round - 15));
        server.restart(Signal::KILL);
        let last = format!("{}Last-Event-ID: {}\r\n", bearer(&key), stream.last_id);
        stream = Stream::open(server.http, target, &last);
        ann = Client::ws(&server).named("ann", Some("lobby"));
    }
    assert_eq!(ann.send("lobby", "end"), 121);
    seen.extend(seqs_to(&mut stream, 121));
    assert_eq!(seen, (1..=121).collect::<Vec<u64>>(), "nothing is lost, and nothing comes twice");
    // The query names a position for the first time; the field knows better.
    let query = format!("{target}?after=0");
    let mut first = Stream::open(server.http, &query, &bearer(&key));
    assert_eq!(seqs_to(&mut first, 121).len(), 121);
    let last = format!("{}Last-Event-ID: {}\r\n", bearer(&key), stream.last_id);
    let live = json!({"ev": "live", "seq": 121});
    Stream::open(server.http, &query, &last).expect_next(&live);
    // There are clients that have the query say it when they come back.
    let again = format!("{query}&lastEventId={}", stream.last_id.replace(':', "%3A"));
    Stream::open(server.http, &again, &bearer(&key)).expect_next(&live);
}

#[test]
fn a_slow_reader_lags_and_loses_nothing() {
    let server = Setup::default().bounded().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut one = Stream::open_slow(server.http, "/rooms/lobby/events?as=eve");
    ann.ask(&json!({"op": "join", "room": "attic"}));
    let mut two = Stream::open_slow(server.http, "/events?as=eve&room=attic&room=lobby");
    let request = |id| json!({"op": "send", "id": id, "room": "lobby", "text": "x".repeat(8_000)});
    // Many at once, so that they are written together and the readers need not be slow for long.
    for first in (1..=200).step_by(20) {
        (first..first + 20).for_each(|id| ann.say(&request(id)));
        (first..first + 20).for_each(|id| _ = ann.expect(&json!({"id": id, "code": 0})));
    }
    assert!(server.metric("chinwag_cursors_lagging") > 1.5, "both are slow");
    for stream in [&mut one, &mut two] {
        assert_eq!(seqs_to(stream, 200), (1..=200).collect::<Vec<u64>>());
        stream.expect_next(&json!({"ev": "live", "room": "lobby", "seq": 200}));
    }
    ann.send("lobby", "in step");
    one.expect_next(&json!({"ev": "message", "seq": 201}));
    two.expect_next(&json!({"ev": "message", "seq": 201}));
}

#[test]
fn a_memory_room_tells_what_is_gone_and_that_it_began_anew() {
    let mut server = Setup::default().bounded().in_memory().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut stream = Stream::open_slow(server.http, "/rooms/lobby/events?as=eve");
    let text = "x".repeat(8_000);
    for _ in 0..300 {
        ann.send("lobby", &text);
    }
    let mut next = 1;
    loop {
        let event = stream.next().expect("an event");
        match &*event.name {
            "message" => {
                assert_eq!(event.data["seq"], next);
                next += 1;
            }
            "gap" => {
                assert_eq!(
                    (&event.data["from"], &event.data["why"]),
                    (&json!(next), &json!("pruned"))
                );
                let to = event.data["to"].as_u64().expect("a seq");
                assert!(event.id.expect("a position").ends_with(&format!(":{to}")));
                next = to + 1;
                break;
            }
            name => assert_eq!(name, "live"),
        }
    }
    let fields = format!("Last-Event-ID: {}\r\n", stream.last_id);
    assert_eq!(seqs_to(&mut stream, 300), (next..=300).collect::<Vec<u64>>());
    let mut resumed = Stream::open(server.http, "/rooms/lobby/events?as=eve", &fields);
    assert!(seqs_to(&mut resumed, 300).iter().all(|seq| *seq >= next));
    drop(ann);
    server.restart(Signal::KILL);
    // Nobody has come back to it yet, and the reader would not ask twice.
    let mut stream = Stream::open(server.http, "/rooms/lobby/events?as=eve", &fields);
    let reset = stream.expect_next(&json!({"ev": "reset", "room": "lobby", "seq": 0}));
    let epoch = reset.data["epoch"].as_str().unwrap_or_default().to_owned();
    assert_eq!(reset.id, Some(format!("{epoch}:0")));
    stream.expect_next(&json!({"ev": "live", "seq": 0}));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.send("lobby", "again");
    stream.expect_next(&json!({"ev": "message", "seq": 1}));
    let gone = Stream::open(server.http, "/rooms/attic/events?as=eve", &fields);
    drop(gone);
    server.await_metric(OPEN, 1.0);
    server.await_metric("chinwag_rooms", 1.0);
}

#[test]
fn several_rooms_come_in_one_stream_and_its_id_resumes_all_of_them() {
    let mut server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("a"));
    ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    let target = "/events?room=a&room=b%2Fc&as=eve&room=den";
    ann.ask(&json!({"op": "join", "room": "b/c"}));
    ann.send("b/c", "one");
    let mut stream = Stream::open(server.http, target, "");
    let refused = stream.expect_next(&json!({"ev": "refused", "room": "den", "code": 3001}));
    assert_eq!(refused.id, None);
    stream.expect_next(&json!({"ev": "live", "room": "a", "seq": 0}));
    stream.expect_next(&json!({"ev": "live", "room": "b/c", "seq": 1}));
    for (room, seq) in [("a", 1), ("b/c", 2), ("a", 2), ("a", 3), ("b/c", 3)] {
        assert_eq!(ann.send(room, "x"), seq);
    }
    stream.expect_next(&json!({"ev": "message", "room": "a", "seq": 1}));
    stream.expect_next(&json!({"ev": "message", "room": "b/c", "seq": 2}));
    let seqs: Vec<_> = stream.last_id.split(',').map(|it| it.rsplit(':').next()).collect();
    assert_eq!(seqs, [Some("1"), Some("2"), Some("-")]);
    ann.ask(&json!({"op": "invite", "room": "den", "user": "eve"}));
    server.restart(Signal::KILL);
    let mut ann = Client::ws(&server).named("ann", None);
    let fields = format!("Last-Event-ID: {}\r\n", stream.last_id);
    let mut stream = Stream::open(server.http, target, &fields);
    // Each room in its order, but which first is the disk's affair.
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let data = stream.expect(&json!({"ev": "message"})).data;
        seen.push(format!("{} {}", data["room"], data["seq"]));
    }
    seen.sort();
    assert_eq!(seen, ["\"a\" 2", "\"a\" 3", "\"b/c\" 3"]);
    ann.ask(&json!({"op": "join", "room": "den"}));
    ann.send("den", "psst");
    stream.expect(&json!({"ev": "message", "room": "den", "seq": 1}));
    ann.ask(&json!({"op": "uninvite", "room": "den", "user": "eve"}));
    stream.expect_next(&json!({"ev": "left", "room": "den", "reason": "left"}));
    ann.send("den", "alone");
    ann.send("b/c", "y");
    stream.expect_next(&json!({"ev": "message", "room": "b/c", "seq": 4}));
    assert!(stream.last_id.ends_with(":4,-"), "{}", stream.last_id);
}

#[test]
fn a_room_that_is_named_twice_by_two_of_its_names_comes_once() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "den"}));
    ann.send("den", "one");
    ann.ask(&json!({"op": "rename", "room": "den", "name": "lair"}));
    let mut stream = Stream::open(server.http, "/events?room=den&room=lair&as=eve&after=0,0", "");
    stream.expect_next(&json!({"ev": "refused", "room": "lair", "code": 1003}));
    stream.expect_next(&json!({"ev": "message", "room": "lair", "seq": 1}));
    stream.expect_next(&json!({"ev": "rename", "room": "lair", "seq": 2}));
    stream.expect_next(&json!({"ev": "live", "room": "lair", "seq": 2}));
    assert!(stream.last_id.ends_with(":2,-"), "{}", stream.last_id);
}

#[test]
fn what_may_not_be_read_is_refused_as_a_page_of_it_is() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    ann.ask(&json!({"op": "create", "room": "team"}));
    ann.ask(&json!({"op": "ban", "room": "team", "user": "eve"}));
    let sender = bearer(&add(&server, &["ci", "--rooms", "*"]));
    let reader = bearer(&add(&server, &["screen", "--rooms", "lobby", "--can", "read"]));
    let bad = bearer(&format!("cwk_{}", "x".repeat(43)));
    let many = (0..33).map(|n| format!("&room=r{n}")).collect::<Vec<_>>().concat();
    let long = "9".repeat(17);
    for (target, fields, status, code) in [
        ("/rooms/lobby/events", "", 401, 2001),
        ("/rooms/lobby/events", &*bad, 401, 2001),
        ("/rooms/lobby/events", &sender, 403, 3004),
        ("/rooms/team/events", &reader, 403, 3004),
        ("/rooms/team/events?as=eve", "", 403, 3005),
        ("/rooms/den/events?as=eve", "", 404, 3001),
        ("/rooms/nowhere/events?as=eve", "", 404, 3001),
        ("/events?room=den&room=nowhere&as=eve", "", 404, 3001),
        ("/rooms/No%20Such/events?as=eve", "", 400, 1003),
        ("/rooms/%ff/events?as=eve", "", 400, 1003),
        ("/events?as=eve", "", 400, 1003),
        ("/events?as=eve&room=lobby&room=lobby", "", 400, 1003),
        (&*format!("/events?as=eve{many}"), "", 400, 1003),
        ("/rooms/lobby/events?as=eve&after=1", "", 404, 4003),
        ("/rooms/lobby/events?as=eve&after=x", "", 400, 1003),
        ("/rooms/lobby/events?as=eve&lastEventId=x", "", 400, 1003),
        ("/rooms/lobby/events?as=eve&lastEventId=1&lastEventId=2", "", 400, 1003),
        ("/rooms/lobby/events?as=eve", "Last-Event-ID: 1,2\r\n", 400, 1003),
        ("/rooms/lobby/events?as=eve", "Last-Event-ID: \u{e9}:1\r\n", 400, 1003),
        ("/rooms/lobby/events?as=eve", &*format!("Last-Event-ID: a:{long}\r\n"), 400, 1003),
        ("/events?as=eve&room=lobby&room=team&after=1", "", 400, 1003),
        ("/rooms/lobby/events?as=eve", "Origin: https://evil.example\r\n", 403, 0),
        ("/rooms/lobby/events?as=ci", "", 409, 2005),
    ] {
        let response = request(server.http, head(server.http, target, fields).as_bytes());
        assert_eq!(response.status, status, "{target}: {}", response.text());
        if code > 0 {
            let told: Value = serde_json::from_str(&response.text()).expect("JSON");
            assert_eq!(told["code"], code, "{target}: {told}");
        }
    }
    let post = head(server.http, "/rooms/lobby/events?as=eve", "").replacen("GET", "DELETE", 1);
    let response = request(server.http, post.as_bytes());
    assert_eq!((response.status, response.header("Allow")), (405, Some("GET, HEAD")));
    // An empty id is none, and a connection that was refused goes on.
    let mut raw = Raw::connect(server.http);
    raw.send(head(server.http, "/rooms/nowhere/events?as=eve", "").as_bytes());
    assert_eq!(crate::support::http::read(&mut raw, true).status, 404);
    raw.send(head(server.http, "/rooms/lobby/events?as=eve", "Last-Event-ID: \r\n").as_bytes());
    assert_eq!(read_head(&mut raw).status, 200);
}

#[test]
fn a_head_and_a_client_of_http_1_0_are_answered_too() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = head(server.http, "/rooms/lobby/events?as=eve", "").replacen("GET", "HEAD", 1);
    let mut raw = Raw::connect(server.http);
    raw.send(text.as_bytes());
    let response = read_head(&mut raw);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Content-Type"), Some("text/event-stream; charset=utf-8"));
    raw.assert_ended();
    assert!(server.metric(OPEN).abs() < 0.5);
    let mut raw = Raw::connect(server.http);
    raw.send(b"GET /rooms/lobby/events?as=eve HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(read_head(&mut raw).status, 200);
    // What comes behind the request is nobody's.
    raw.send(b"GET / HTTP/1.1\r\n\r\n");
    raw.take_until("event: live\n");
    ann.send("lobby", "hi");
    raw.take_until(r#""text":"hi"}"#);
    raw.finish();
    raw.take_all();
    server.await_metric(OPEN, 0.0);
}

#[test]
fn who_may_not_read_any_more_is_told_last() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let mut ann = Client::ws(&server).named("ann", None);
    for room in ["team", "work"] {
        ann.ask(&json!({"op": "create", "room": room}));
    }
    let mut eve = Client::ws(&server).named("eve", Some("work"));
    let open = |target: &str, fields: &str| {
        let mut stream = Stream::open(server.http, target, fields);
        stream.expect_next(&json!({"ev": "live"}));
        stream
    };
    let mut banned = open("/rooms/team/events?as=eve", "");
    ann.ask(&json!({"op": "ban", "room": "team", "user": "eve", "reason": "spam"}));
    let last = json!({"ev": "left", "room": "team", "reason": "banned"});
    banned.expect_end(&[json!({"ev": "moderation", "act": "ban", "target": "eve"}), last]);
    let mut kicked = open("/rooms/work/events?as=eve", "");
    ann.ask(&json!({"op": "kick", "room": "work", "user": "eve"}));
    let last = json!({"ev": "left", "room": "work", "reason": "kicked"});
    kicked.expect_end(&[json!({"ev": "moderation", "act": "kick"}), last]);
    eve.ask(&json!({"op": "join", "room": "work"}));
    let mut left = open("/rooms/work/events?as=eve", "");
    eve.ask(&json!({"op": "leave", "room": "work"}));
    left.expect_end(&[json!({"ev": "left", "room": "work", "reason": "left"})]);
    ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    let mut closed = open("/rooms/den/events?as=ann", "");
    ann.ask(&json!({"op": "leave", "room": "den", "close": true}));
    closed.expect_end(&[json!({"ev": "left", "room": "den", "reason": "left"})]);
    let key = bearer(&add(&server, &["screen", "--rooms", "*", "--can", "read"]));
    let mut ended = open("/rooms/work/events", &key);
    assert!(chinwag_key(&server, &["end", "screen"]).0);
    ended.expect_end(&[json!({"ev": "bye", "close": 4006})]);
    let mut suspended = open("/rooms/work/events?as=eve", "");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--data").arg(server.data()).args(["ban", "user", "eve"]);
    let output = command.output().expect("its end");
    assert!(output.status.success(), "{output:?}");
    suspended.expect_end(&[json!({"ev": "bye", "close": 4005})]);
    server.await_metric(OPEN, 0.0);
    let many: Vec<_> = (0..16).map(|_| open("/rooms/work/events?as=dan", "")).collect();
    let text = head(server.http, "/rooms/work/events?as=dan", "");
    let response = request(server.http, text.as_bytes());
    assert_eq!(response.status, 409, "{}", response.text());
    drop(many);
}

#[test]
fn a_key_that_expires_ends_its_stream() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let key = ["screen", "--rooms", "lobby", "--can", "read", "--for", "4s"];
    let mut stream = Stream::open(server.http, "/rooms/lobby/events", &bearer(&add(&server, &key)));
    stream.expect(&json!({"ev": "expires", "in_ms": NUMBER}));
    let refused = stream.expect(&json!({"ev": "refused", "code": 2002}));
    assert_eq!(refused.id, None);
    stream.expect_end(&[json!({"ev": "bye", "close": 1008})]);
    ann.send("lobby", "hi");
}

#[test]
fn a_silent_stream_says_now_and_then_that_it_is_there() {
    let server =
        Setup::default().set("timeouts.pong", "1s").set("timeouts.ping_after", "1s").start();
    let _ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut stream = Stream::open(server.http, "/rooms/lobby/events?as=eve", "");
    stream.expect_next(&json!({"ev": "live"}));
    for _ in 0..3 {
        stream.raw.take_until(":\n");
    }
    assert!((server.metric(OPEN) - 1.0).abs() < 0.5);
}

#[test]
fn a_server_that_stops_says_when_to_come_back() {
    let mut server = Server::start();
    let ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut streams: Vec<_> = (0..8)
        .map(|n| {
            let mut stream = Stream::open(server.http, &format!("/rooms/lobby/events?as=e{n}"), "");
            stream.expect_next(&json!({"ev": "live"}));
            stream
        })
        .collect();
    server.signal(Signal::TERM);
    let mut all = Vec::new();
    for stream in &mut streams {
        let drain = stream.expect_next(&json!({"ev": "drain", "reason": "restart"}));
        assert_eq!(drain.data["reconnect_after_ms"].as_u64(), stream.retry_ms);
        all.push(stream.retry_ms);
        stream.expect_end(&[json!({"ev": "bye", "close": 4201})]);
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8, "not all at once: {all:?}");
    drop(ann);
    server.assert_left_in_order();
}

#[test]
fn a_page_of_a_configured_origin_may_read_and_no_other() {
    let origin = "https://app.example.org";
    let server = Setup::default().set("http.origins", origin).start();
    let _ann = Client::ws(&server).named("ann", Some("lobby"));
    let target = "/rooms/lobby/events?as=eve";
    let own = format!("http://{}", server.http);
    for (page, allowed) in [(origin, Some(origin)), (&*own, None)] {
        let stream = Stream::open(server.http, target, &format!("Origin: {page}\r\n"));
        assert_eq!(stream.head.header("Access-Control-Allow-Origin"), allowed, "{page}");
    }
}

#[test]
fn a_key_is_told_which_rooms_it_may_read() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let mut ann = Client::ws(&server).named("ann", Some("alerts/disk"));
    ann.ask(&json!({"op": "create", "room": "alerts/den", "private": true}));
    for room in ["alerts/cpu", "lobby"] {
        ann.ask(&json!({"op": "join", "room": room}));
    }
    ann.send("alerts/disk", "full");
    ann.ask(&json!({"op": "send", "to": "ann2", "text": "psst"}));
    let rooms = |fields: &str, query: &str| {
        let text = head(server.http, &format!("/rooms{query}"), fields);
        let response = request(server.http, text.as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        serde_json::from_str::<Value>(&response.text()).expect("JSON")
    };
    let names = |inbox: &Value| {
        let rows = inbox["rooms"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| row["room"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let some = bearer(&add(&server, &["some", "--rooms", "alerts/*", "--can", "read"]));
    let all = rooms(&some, "");
    assert_eq!(names(&all), ["alerts/cpu", "alerts/den", "alerts/disk"]);
    let row =
        json!({"room": "alerts/disk", "seq": 1, "read": 1, "unread": 0, "last": {"text": "full"}});
    crate::support::assert_subset(&all["rooms"][2], &row);
    ann.send("alerts/cpu", "hot");
    let since = rooms(&some, &format!("?since={}", all["rev"]));
    assert_eq!(names(&since), ["alerts/cpu"]);
    let two =
        ["two", "--rooms", "lobby", "--rooms", "alerts/den", "--rooms", "none", "--can", "read"];
    assert_eq!(names(&rooms(&bearer(&add(&server, &two)), "")), ["alerts/den", "lobby"]);
    let every = ["every", "--rooms", "*", "--can", "read,send"];
    let every = names(&rooms(&bearer(&add(&server, &every)), ""));
    assert_eq!(
        every,
        ["alerts/cpu", "alerts/den", "alerts/disk", "lobby"],
        "no conversation of two"
    );
}
