//! Bounds: what happens at each, that it is told, and that what was bounded is given back.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use serde_json::json;

use crate::support::client::Lines;
use crate::support::json::NUMBER;
use crate::support::{Client, Frame, Raw, RawWs, Server, Setup, Transport, assert_subset};

#[test]
fn who_is_faster_than_the_rate_is_read_at_it_and_costs_nobody_else_anything() {
    let server = Setup::default().set("limits.rate_per_s", "50").set("limits.burst", "50").start();
    let mut bob = Client::ws(&server).named("bob", None);
    for connect in [Client::ws, Client::lines, Client::framed] {
        let mut ann = connect(&server);
        ann.ask(&json!({"op": "hello", "name": "ann"}));
        ann.ask(&json!({"op": "join", "room": "lobby"}));
        for id in 0..150 {
            ann.say(&json!({"op": "send", "id": id, "room": "lobby", "text": "hi"}));
        }
        // Nobody else waits meanwhile.
        bob.ask(&json!({"op": "ping"}));
        for id in 0..150 {
            ann.expect(&json!({"id": id, "code": 0}));
        }
        ann.ask(&json!({"op": "ping"}));
    }
}

#[test]
fn what_was_said_already_costs_nothing_of_a_users_rate() {
    let setup = Setup::default().set("limits.rate_per_s", "1000").set("limits.burst", "1000");
    let server = setup.set("limits.user_per_s", "1").set("limits.user_burst", "40").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut other = Client::framed(&server).named("ann", Some("lobby"));
    let say = |n: u32| json!({"op": "send", "room": "lobby", "text": "hi", "cid": n.to_string()});
    for n in 0..39 {
        ann.ask(&say(n));
    }
    for n in 0..39 {
        assert_subset(&other.ask(&say(n)), &json!({"seq": n + 1, "dup": true}));
    }
    assert_subset(&ann.ask(&say(39)), &json!({"seq": 40}));
}

#[test]
fn what_was_asked_before_a_close_frame_or_fin_is_answered_before_the_end() {
    let server = Server::start();
    let mut ws = RawWs::connect(server.http, "/ws", "");
    let mut lines = Raw::connect(server.tcp);
    let hello = json!({"op": "hello", "id": "h"}).to_string();
    let join = json!({"op": "join", "id": "j", "room": "lobby"}).to_string();
    let sends = (0..60).map(|id| {
        json!({"op": "send", "id": id, "room": "lobby", "text": "last words"}).to_string()
    });
    let all: Vec<String> = [hello, join].into_iter().chain(sends).collect();
    let mut frames: Vec<u8> = all.iter().flat_map(|text| Frame::text(text).encode()).collect();
    frames.extend(Frame::close(1000, "").encode());
    ws.raw.send(&frames);
    lines.send((all.join("\n") + "\n").as_bytes());
    lines.finish();
    let is_answer = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.starts_with("{\"id\":") && text.contains("\"seq\"")
    };
    // The join and the sends.
    let (mut answered, mut closed) = (0, None);
    while closed.is_none() {
        let frame = ws.frame();
        closed = frame.close_code();
        answered += u32::from(is_answer(&frame.payload));
    }
    assert_eq!((answered, closed), (61, Some(1000)));
    let told = lines.take_all();
    let answered = told.split(|&byte| byte == b'\n').filter(|line| is_answer(line));
    assert_eq!(answered.count(), 61);
}

#[test]
fn what_is_empty_is_read_at_the_rate_too() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    let mut flood = RawWs::connect(server.http, "/ws", "");
    // Each read of the server takes some thousand of them.
    let before = server.metric("chinwag_received_bytes_total");
    flood.raw.send(&Frame::text("").encode().repeat(20_000));
    let mut lines = Raw::connect(server.tcp);
    lines.send(&b"\n".repeat(100_000));
    canary.ask(&json!({"op": "ping"}));
    let read = server.metric("chinwag_received_bytes_total") - before;
    assert!(read < 100_000.0, "{read} bytes of nothing were read at once");
    // With FIN, what was sent before it would be read first, at the rate: for ten seconds.
    flood.raw.reset();
    lines.reset();
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
fn control_frames_are_answered_at_a_rate_of_their_own() {
    let server = Setup::default()
        .set("limits.control_per_s", "100")
        .set("limits.control_burst", "100")
        .start();
    let mut flood = RawWs::connect(server.http, "/ws", "");
    flood.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    assert_eq!(flood.frame().first, 0x81);
    let mut frames = Frame { first: 0x8a, payload: b"x".to_vec() }.encode().repeat(50);
    frames.extend(Frame { first: 0x89, payload: b"x".to_vec() }.encode().repeat(150));
    flood.raw.send(&frames);
    for _ in 0..150 {
        assert_eq!(flood.frame().first, 0x8a);
    }
    flood.send_frame(&Frame::text("{\"op\":\"ping\",\"id\":2}"));
    assert_eq!(flood.frame().first, 0x81);
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
    // Who is only written to takes no place, and gets none by that.
    bob.ask(&json!({"op": "send", "to": "dan", "text": "hi"}));
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
        .set("timeouts.ping_after", "1s")
        .set("timeouts.pong", "1s")
        .set("timeouts.stall", "3s")
        .start();
    // WebSocket: the client of this test answers pings by itself.
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    assert_eq!(ws.frame().first, 0x81);
    let mut lines = Client::lines(&server);
    lines.ask(&json!({"op": "hello", "name": "bob", "ping": true}));
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
    for first in ["{\"op\":\"ping\"}\n", "\0"] {
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
