//! Peers that mean no good: they end themselves, and the next client is served.

use std::time::Duration;

use serde_json::json;

use crate::support::ws::upgrade_head;
use crate::support::{Client, Raw, RawWs, Server, Setup, http};

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
fn when_the_descriptors_are_used_up_those_inside_go_on_and_others_wait() {
    let server = Setup::default().descriptors(64).start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let crowd: Vec<_> = (0..200).map(|_| Raw::connect(server.tcp)).collect();
    for _ in 0..20 {
        ann.ask(&json!({"op": "ping"}));
    }
    drop(crowd);
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "room again"}));
    bob.expect(&json!({"ev": "message", "text": "room again"}));
    let complaints = server.log().lines().count();
    assert!(complaints < 50, "{complaints} lines of log");
}

#[test]
fn connections_that_are_reset_at_once_leave_nothing_behind() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    for round in 0..300 {
        let mut raw = Raw::connect(if round % 2 == 0 { server.http } else { server.tcp });
        if round % 3 == 0 {
            raw.send(upgrade_head(server.http, "/nowhere", "").as_bytes());
        }
        raw.reset();
    }
    canary.ask(&json!({"op": "ping"}));
}

#[test]
fn a_flood_of_pings_is_ended_and_nobody_else_notices() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    let mut flood = RawWs::connect(server.http, "/ws", "");
    let pings = [0x89, 0x80, 0, 0, 0, 0].repeat(10_000);
    flood.raw.send(&pings);
    flood.raw.take_all();
    canary.ask(&json!({"op": "ping"}));
}

#[test]
fn a_person_who_floods_is_slowed_down_and_ended_whatever_is_typed() {
    let server = Server::start();
    for typed in ["/nick n", "/help ", "/join lobby ", "/nowhere "] {
        let mut flood = Raw::connect(server.tcp);
        let lines: Vec<u8> =
            (0..1_000).flat_map(|n| format!("{typed}{n}\n").into_bytes()).collect();
        flood.send(&lines);
        let told = String::from_utf8(flood.take_all()).expect("UTF-8");
        assert!(told.lines().count() < 1_000, "{typed} was answered each time");
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
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "a secret\n\u{1b}[2J\u{2028}"}));
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
