//! Peers that mean no good: they end themselves, and the next client is served.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use crate::support::ws::upgrade_head;
use crate::support::{Client, Frame, PATIENCE, Raw, RawWs, Server, Setup, http};

/// How long a client waits that sends a byte at a time.
const DRIP: Duration = Duration::from_millis(20);

#[test]
fn a_head_that_drips_in_is_cut_at_the_deadline_however_busy_it_looks() {
    let server = Setup::default().config("[timeouts]\nhead = \"300ms\"\n").start();
    let mut raw = Raw::connect(server.http);
    for byte in upgrade_head(server.http, "/ws", "").bytes() {
        raw.send(&[byte]);
        if raw.ends_within(DRIP) {
            break;
        }
    }
    let told = String::from_utf8(raw.take_all()).expect("UTF-8");
    assert!(told.starts_with("HTTP/1.1 408 "), "{told:?}");
}

#[test]
fn a_hello_that_drips_in_is_cut_at_the_deadline_however_busy_it_looks() {
    let server = Setup::default().config("[timeouts]\nhello = \"300ms\"\n").start();
    let mut raw = Raw::connect(server.tcp);
    for byte in "{\"op\":\"hello\",\"id\":1,\"name\":\"ann\",\"agent\":\"very slow\"}\n".bytes() {
        raw.send(&[byte]);
        if raw.ends_within(DRIP) {
            break;
        }
    }
    let told = String::from_utf8(raw.take_all()).expect("UTF-8");
    assert!(told.contains("4008"), "{told:?}");
}

#[test]
fn a_server_of_few_descriptors_says_that_it_is_full() {
    let server = Setup::default().descriptors(64).start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let crowd: Vec<_> = (0..200).map(|_| Raw::connect(server.tcp)).collect();
    ann.ask(&json!({"op": "ping"}));
    Client::lines(&server).expect_next(&json!({"ev": "bye", "close": 4104}));
    drop(crowd);
    // One member, and the operator who asks.
    server.await_metric("chinwag_connections", 2.0);
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "room again"}));
    bob.expect(&json!({"ev": "message", "text": "room again"}));
}

#[test]
fn when_the_descriptors_are_used_up_those_inside_go_on_and_others_wait() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    // Only now, since the server reads the limit when it starts and would refuse the others itself.
    let pid = Pid::from_raw(server.pid());
    let few = Rlimit { current: Some(40), maximum: Some(40) };
    prlimit(pid, Resource::Nofile, few).expect("a limit that can be lowered");
    let crowd: Vec<_> = (0..200).map(|_| Raw::connect(server.tcp)).collect();
    let (before, clock) = (server.cpu_ticks(), Instant::now());
    let mut late = Raw::connect(server.tcp);
    while clock.elapsed() < Duration::from_millis(700) {
        ann.ask(&json!({"op": "ping"}));
        late.ends_within(DRIP);
    }
    let (used, took) = (u128::from(server.cpu_ticks() - before), clock.elapsed());
    assert!(used * 35 < took.as_millis(), "{used} ticks of processor time in {took:?}: it spins");
    drop(crowd);
    // Until the server has seen that the others are gone, it says that it is full.
    let mut bob = loop {
        assert!(clock.elapsed() < PATIENCE, "deaf for good");
        let mut bob = Client::lines(&server);
        bob.say(&json!({"op": "hello", "id": 0, "name": "bob"}));
        if bob.next().is_some_and(|answer| answer["code"] == 0) {
            break bob;
        }
    };
    bob.ask(&json!({"op": "join", "room": "lobby"}));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "room again"}));
    bob.expect(&json!({"ev": "message", "text": "room again"}));
    assert!(server.metric("chinwag_accept_exhausted_total") > 0.5, "the kernel gave enough");
    let complaints = server.log().lines().count();
    assert!(complaints < 20, "{complaints} lines of log");
}

#[test]
fn a_reset_in_any_state_leaves_nothing_behind() {
    let server = forgetful().set("limits.rate_per_s", "off").start();
    let mut canary = Client::ws(&server).named("canary", Some("lobby"));
    let states: &[fn(&Server) -> Raw] = &[
        |server| Raw::connect(server.http),
        |server| Raw::connect(server.admin),
        |server| RawWs::connect(server.http, "/ws", "").raw,
        // After a violation, while the server waits for the last bytes.
        |server| {
            let mut ws = RawWs::connect(server.http, "/ws", "");
            ws.raw.send(&[0xff]);
            ws.frame();
            ws.raw
        },
        // After its own close frame, which was not answered yet.
        |server| {
            let mut ws = RawWs::connect(server.http, "/ws", "");
            ws.send_frame(&Frame::close(1000, ""));
            ws.raw
        },
        // A member, with a request under way.
        |server| {
            let mut raw = Raw::connect(server.tcp);
            raw.send(b"{\"op\":\"hello\"}\n{\"op\":\"join\",\"id\":1,\"room\":\"lobby\"}\n");
            raw.line().expect("an answer");
            raw.send(b"{\"op\":\"send\",\"id\":2,\"room\":\"lobby\",\"text\":\"hi\"}\n");
            raw
        },
        // Half closed.
        |server| {
            let mut raw = Raw::connect(server.tcp);
            raw.send(b"/nick eve\n");
            raw.finish();
            raw
        },
    ];
    for round in 0..20 {
        for state in states {
            state(&server).reset();
        }
        canary.ask(&json!({"op": "send", "room": "lobby", "text": round.to_string()}));
    }
    assert_only_one_is_left(&server);
    // The canary's, which is the only member left, too.
    server.await_metric("chinwag_memberships", 1.0);
}

/// Waits until the server holds nothing of anybody but of one client.
#[track_caller]
fn assert_only_one_is_left(server: &Server) {
    // The connection that asks is counted, too.
    server.await_metric("chinwag_connections", 2.0);
    for series in ["chinwag_sessions", "chinwag_users"] {
        server.await_metric(series, 1.0);
    }
}

/// A server that forgets guests almost as soon as they are gone.
fn forgetful() -> Setup {
    Setup::default()
        .in_memory()
        .set("timeouts.leave_grace", "50ms")
        .set("timeouts.guest_membership", "50ms")
}

#[test]
fn connections_that_are_reset_at_once_leave_nothing_behind() {
    let server = forgetful().start();
    let mut canary = Client::ws(&server).named("canary", None);
    for round in 0..300 {
        let mut raw = Raw::connect(if round % 2 == 0 { server.http } else { server.tcp });
        if round % 3 == 0 {
            raw.send(upgrade_head(server.http, "/nowhere", "").as_bytes());
        }
        raw.reset();
    }
    canary.ask(&json!({"op": "ping"}));
    assert_only_one_is_left(&server);
}

#[test]
fn a_flood_of_pings_is_read_at_the_rate_and_nobody_else_notices() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    let before = server.metric("chinwag_received_bytes_total");
    let mut flood = RawWs::connect(server.http, "/ws", "");
    let pings = [0x89, 0x80, 0, 0, 0, 0].repeat(10_000);
    flood.raw.send(&pings);
    canary.ask(&json!({"op": "ping"}));
    for _ in 0..70 {
        assert_eq!(flood.frame().first, 0x8a);
    }
    canary.ask(&json!({"op": "ping"}));
    let read = server.metric("chinwag_received_bytes_total") - before;
    assert!(read < 40_000.0, "{read} bytes were read");
}

#[test]
fn a_person_who_floods_is_read_at_the_rate_whatever_is_typed() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    for typed in ["/nick n", "/help ", "/join lobby ", "/nowhere "] {
        let mut flood = Raw::connect(server.tcp);
        let lines = (0..1_000).map(|n| format!("{typed}{n}\n")).collect::<Vec<_>>().concat();
        flood.send(lines.as_bytes());
        assert!(flood.line().is_some(), "{typed} was not answered");
        canary.ask(&json!({"op": "ping"}));
        flood.reset();
    }
    let users = server.metric("chinwag_users");
    assert!(users < 100.0, "one connection has made {users} users");
}

#[test]
fn no_series_is_named_by_a_client() {
    let server = Server::start();
    let names = |server: &Server| -> Vec<String> {
        let page = http::get(server.admin, "/metrics").text();
        let series = |line: &str| Some(line.rsplit_once(' ')?.0.to_owned());
        page.lines().filter(|line| !line.starts_with('#')).filter_map(series).collect()
    };
    let before = names(&server);
    let mut ann = Client::ws(&server).named("ann", None);
    for n in 0..10 {
        let target = format!("/{n}");
        http::get(server.http, &target);
        http::request(
            server.http,
            format!("M{n} / HTTP/1.1\r\nHost: {}\r\n\r\n", server.http).as_bytes(),
        );
        ann.ask(&json!({"op": "join", "room": format!("room{n}")}));
        ann.refused(&json!({"op": format!("op{n}")}), 1002);
    }
    assert_eq!(names(&server), before);
}

#[test]
fn each_line_of_the_log_is_one_line_of_json_and_none_holds_what_was_said() {
    let server =
        Setup::default().args(&["--log-format", "json"]).config("log_level = \"trace\"\n").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "a secret\n\t\u{2028}"}));
    let harmful = json!({"op": "send", "room": "lobby", "text": "a secret\u{1b}[2J"});
    ann.refused(&harmful, 1003);
    for name in ["x\n2026 ERROR fake", "\u{1b}[2J", "\u{202e}evil", "a\u{2028}b"] {
        let mut mallory = Client::lines(&server);
        mallory
            .refused(&json!({"op": "hello", "name": name, "agent": name, "token": "t0ken"}), 1003);
    }
    let target = "GET /\u{1b}[2J\r\nHost: x\r\nX-Secret: s3cret\r\n\r\n";
    Raw::connect(server.http).send(target.as_bytes());
    http::request(server.http, b"GET /?token=s3cret HTTP/1.1\r\nHost: localhost\r\n\r\n");
    drop(ann);
    server.assert_no_connection_left();
    let log = server.log_when(|log| log.ends_with('\n') && log.lines().count() > 20);
    for line in log.lines() {
        let parsed = serde_json::from_str::<serde_json::Value>(line);
        assert!(parsed.is_ok_and(|value| value.is_object()), "{line}");
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}'), "{line:?}");
    }
    for secret in ["a secret", "t0ken", "s3cret"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
