//! Bounds: what happens at each, that it is told, and that what was bounded is given back.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::Lines;
use crate::support::json::NUMBER;
use crate::support::{Client, Frame, Raw, RawWs, Server, Setup, Transport, assert_subset};

#[test]
fn who_asks_too_fast_is_told_when_to_go_on_and_can() {
    let server = Setup::default().set("limits.rate_per_s", "20").set("limits.burst", "30").start();
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::ws(&server).named("bob", None);
    let mut wait = None;
    for _ in 0..60 {
        let reply = ann.request(&json!({"op": "ping"}));
        if reply["code"] == 5001 {
            assert_subset(&reply, &json!({"data": {"error": "rate_limited", "limit": 20}}));
            wait = reply["data"]["retry_after_ms"].as_u64();
            break;
        }
    }
    let told = Instant::now();
    let wait = wait.expect("never limited");
    assert!((1..=50).contains(&wait), "{wait} ms at 20 a second");
    // Nobody else is limited meanwhile.
    bob.ask(&json!({"op": "ping"}));
    while told.elapsed() < Duration::from_millis(wait) {
        // Each look is a round trip through the server's loop.
        server.metric("chinwag_connections");
    }
    ann.ask(&json!({"op": "ping"}));
}

#[test]
fn who_does_not_stop_is_cut() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    let mut ann = Client::lines(&server).named("ann", None);
    for _ in 0..200 {
        ann.say(&json!({"op": "ping", "id": 1}));
    }
    let mut limited = 0;
    loop {
        let message = ann.next().expect("a farewell");
        if message["ev"] == "bye" {
            assert_subset(&message, &json!({"close": 4102}));
            break;
        }
        limited += u64::from(message["code"] == 5001);
    }
    assert_eq!(limited, 32, "errors in a row");
    assert_eq!(ann.next(), None);
    canary.ask(&json!({"op": "ping"}));
}

#[test]
fn only_errors_in_a_row_end_a_connection() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::framed(&server).named("ann", None);
    for _ in 0..4 {
        for _ in 0..31 {
            ann.refused(&json!({"op": "dance"}), 1002);
        }
        ann.ask(&json!({"op": "ping"}));
    }
    for _ in 0..31 {
        ann.refused(&json!({"op": "dance"}), 1002);
    }
    ann.say_text("not even JSON");
    ann.expect(&json!({"code": 1001}));
    ann.expect_next(&json!({"ev": "bye", "close": 4102}));
    assert_eq!(ann.next(), None);
}

#[test]
fn control_frames_have_a_bound_of_their_own() {
    let server = Server::start();
    for first in [0x89, 0x8a] {
        let mut flood = RawWs::connect(server.http, "/ws", "");
        let frames = Frame { first, payload: b"x".to_vec() }.encode().repeat(1_000);
        flood.raw.send(&frames);
        let mut pongs = 0;
        let code = loop {
            let frame = flood.frame();
            match frame.close_code() {
                Some(code) => break code,
                None => pongs += 1,
            }
        };
        assert_eq!(code, 4102);
        assert!(pongs <= 61, "{pongs} pongs");
        flood.raw.assert_ended();
    }
}

#[test]
fn users_are_bounded_and_given_back() {
    let server = Setup::default()
        .in_memory()
        .set("limits.users", "2")
        .set("timeouts.leave_grace", "50ms")
        .set("timeouts.guest_membership", "50ms")
        .start();
    let ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", None);
    let refused = Client::ws(&server).refused(&json!({"op": "hello", "name": "cat"}), 5004);
    assert_subset(&refused, &json!({"data": {"limit": 2, "retry_after_ms": NUMBER}}));
    bob.refused(&json!({"op": "send", "to": "cat", "text": "hi"}), 5004);
    // Another session of a known user is no other user.
    Client::ws(&server).named("bob", None);
    drop(ann);
    let mut cat = Client::ws(&server);
    // Each attempt is a round trip; the first one after the grace succeeds.
    let clock = Instant::now();
    while cat.request(&json!({"op": "hello", "name": "cat"}))["code"] != 0 {
        assert!(clock.elapsed() < crate::support::PATIENCE, "never given back");
        cat = Client::ws(&server);
    }
    // The room that only ann was in is gone as well: it begins anew.
    let joined = cat.ask(&json!({"op": "join", "room": "lobby"}));
    assert_subset(&joined, &json!({"seq": 0, "members": 1}));
}

#[test]
fn rooms_are_bounded_and_given_back() {
    let server = Setup::default().set("limits.rooms_total", "2").set("limits.rooms", "2").start();
    let mut ann = Client::ws(&server).named("ann", Some("one"));
    ann.ask(&json!({"op": "send", "room": "one", "text": "kept for a while"}));
    ann.ask(&json!({"op": "create", "room": "two"}));
    let mut bob = Client::ws(&server).named("bob", None);
    for request in [
        json!({"op": "join", "room": "three"}),
        json!({"op": "create", "room": "three"}),
        json!({"op": "send", "to": "ann", "text": "hi"}),
    ] {
        let refused = bob.refused(&request, 5004);
        assert_subset(&refused, &json!({"data": {"limit": 2, "retry_after_ms": NUMBER}}));
    }
    bob.ask(&json!({"op": "join", "room": "one"}));
    // A room without members makes room, whether something was said there or not.
    for room in ["two", "one"] {
        ann.ask(&json!({"op": "leave", "room": room}));
        if room == "one" {
            bob.ask(&json!({"op": "leave", "room": room}));
        }
        let made = bob.ask(&json!({"op": "join", "room": format!("{room}/new")}));
        assert_subset(&made, &json!({"seq": 0, "members": 1}));
    }
}

#[test]
fn many_come_and_go_and_nothing_is_left() {
    let server = Setup::default()
        .in_memory()
        .set("timeouts.leave_grace", "50ms")
        .set("timeouts.guest_membership", "50ms")
        .start();
    for round in 0..50 {
        let mut client = Client::lines(&server);
        client.ask(&json!({"op": "hello"}));
        client.ask(&json!({"op": "join", "room": format!("room{round}")}));
        client.ask(&json!({"op": "send", "room": format!("room{round}"), "text": "hi"}));
        client.ask(&json!({"op": "leave", "room": format!("room{round}")}));
    }
    server.assert_no_connection_left();
    for series in ["chinwag_users", "chinwag_rooms", "chinwag_memberships", "chinwag_sessions"] {
        server.await_metric(series, 0.0);
    }
}

#[test]
fn a_silent_client_is_asked_whether_it_is_there_and_stays_if_it_answers() {
    let server = Setup::default()
        .set("timeouts.ping_after", "200ms")
        .set("timeouts.pong", "200ms")
        .set("timeouts.stall", "1s")
        .start();
    // WebSocket: the client of this test answers pings by itself.
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    assert_eq!(ws.frame().first, 0x81);
    let mut lines = Client::lines(&server).named("bob", None);
    for _ in 0..3 {
        let ping = ws.frame();
        assert_eq!(ping.first, 0x89);
        ws.send_frame(&Frame { first: 0x8a, ..ping });
        lines.expect_next(&json!({"ev": "ping"}));
        lines.ask(&json!({"op": "ping"}));
    }
    // Then both fall silent.
    lines.expect_next(&json!({"ev": "ping"}));
    lines.expect_next(&json!({"ev": "bye", "close": 4103}));
    assert_eq!(lines.next(), None);
    assert_eq!(ws.frame().first, 0x89);
    ws.assert_closed(4103);
    // Both were asked four times; only a WebSocket answers with pongs.
    server.await_metric("chinwag_pings_total", 8.0);
    server.await_metric("chinwag_pongs_total", 3.0);
}

#[test]
fn who_never_says_hello_is_ended_and_a_person_may_take_their_time() {
    let server = Setup::default().set("timeouts.hello", "100ms").start();
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.assert_closed(4008);
    for first in ["", "{\"op\":\"ping\"}\n", "\0"] {
        let mut raw = Raw::connect(server.tcp);
        raw.send(first.as_bytes());
        let told = String::from_utf8(raw.take_all()).expect("UTF-8");
        assert!(told.contains("4008"), "{first:?} → {told:?}");
    }
}

/// A transport that notes the length of the longest text that came.
struct Measured(Lines, Rc<Cell<usize>>);

impl Transport for Measured {
    fn send_text(&mut self, text: &str) {
        self.0.send_text(text);
    }

    fn receive_text(&mut self) -> Option<String> {
        let text = self.0.receive_text()?;
        self.1.set(self.1.get().max(text.len()));
        Some(text)
    }
}

#[test]
fn nothing_that_is_sent_is_longer_than_the_welcome_says() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let longest = Rc::new(Cell::new(0));
    let measured = || Client::over(Measured(Lines(Raw::connect(server.tcp)), Rc::clone(&longest)));
    let mut live = measured().named("bob", Some("lobby"));
    let fillings = ["\"\\", "\n\t", "word ", "\u{e9}\u{1f600}", "\r\n"];
    for (n, (filling, bytes)) in fillings.iter().flat_map(|f| [(f, 16_379), (f, 200)]).enumerate() {
        let text = format!("word {}", filling.repeat(bytes / filling.len()));
        let cid = format!("{n:\u{1}>64}");
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text, "cid": cid}));
    }
    for name in 0..40 {
        Client::lines(&server).named(&format!("{name:032}"), Some("lobby"));
    }
    live.ask(&json!({"op": "ping"}));
    let mut late = measured();
    let welcome = late.ask(&json!({"op": "hello", "name": "ann"}));
    let bound = welcome["limits"]["frame_bytes"].as_u64().expect("a bound");
    late.ask(&json!({"op": "join", "room": "lobby", "after": 0}));
    late.expect(&json!({"ev": "live"}));
    for before in 1..=11 {
        late.ask(&json!({"op": "history", "room": "lobby", "before": before}));
    }
    for op in ["rooms", "members", "presence", "help"] {
        late.ask(&json!({"op": op, "room": "lobby"}));
    }
    late.ask(&json!({"op": "search", "text": "word"}));
    let rooms: serde_json::Map<_, _> =
        (0..256).map(|room| (format!("@{room:032}:{room:032}"), json!(["k", 1]))).collect();
    let resume = json!({"session": "gone", "rooms": rooms});
    measured().ask(&json!({"op": "hello", "name": "ann", "resume": resume}));
    let longest = u64::try_from(longest.get()).expect("a length");
    assert!(longest > 32_768, "the largest message was not among them: {longest}");
    assert!(longest <= bound, "{longest} bytes, but {bound} were promised");
    assert!(bound <= 65_536, "small clients have buffers of 64 KiB");
}
