//! One slow reader costs others nothing, and the server a bounded amount of memory.

use std::fs;

use serde_json::json;

use crate::support::client::Lines;
use crate::support::{Client, Frame, Raw, RawWs, Server, Setup};

/// The process's resident memory in bytes.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kib * 1024
}

/// A receive buffer that holds little. Below a segment of the loopback's, the kernel would wait for its own
/// timers between any two of them.
const SMALL: usize = 32 * 1024;

fn joined(server: &Server, name: &str) -> Raw {
    joined_with(server, name, SMALL)
}

/// A member of the lobby with a receive buffer of `bytes`.
fn joined_with(server: &Server, name: &str, bytes: usize) -> Raw {
    let mut raw = Raw::connect(server.tcp);
    raw.shrink(bytes);
    raw.send(format!("{{\"op\":\"hello\",\"name\":\"{name}\"}}\n").as_bytes());
    raw.send(b"{\"op\":\"join\",\"id\":1,\"room\":\"lobby\"}\n");
    let line = raw.line().expect("an answer");
    assert!(line.starts_with("{\"id\":1,\"code\":0"), "{line}");
    raw
}

#[test]
fn at_full_rate_the_others_miss_nothing_and_memory_stays_bounded() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let slow: Vec<_> = (0..20).map(|n| joined(&server, &format!("slow{n}"))).collect();
    let mut quick = Client::lines(&server).named("quick", Some("lobby"));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = "x".repeat(8_000);
    let mut round = |from: u64, to: u64| {
        for n in from..=to {
            ann.say(&json!({"op": "send", "room": "lobby", "text": text}));
            quick.expect(&json!({"ev": "message", "seq": n}));
        }
    };
    round(1, 100);
    let before = resident(&server);
    // As much again as twenty readers could be owed: 160 MB, if anybody kept it.
    round(101, 1_100);
    let grown = resident(&server).saturating_sub(before);
    // Of which the pages that the store keeps are 18 MiB, whoever reads.
    assert!(grown < 26 << 20, "{grown} bytes more for readers that do not read");
    assert!(server.metric("chinwag_queued_bytes") < 20.0 * 96.0 * 1024.0);
    for raw in slow {
        raw.reset();
    }
}

#[test]
fn a_reader_that_never_reads_is_cut_at_the_stall_deadline_and_comes_back_where_it_was() {
    // The larger the buffer, the more often the socket has a little room and tells nobody.
    for bytes in [4 * 1024, 32 * 1024, 64 * 1024] {
        never_read(bytes);
    }
}

#[track_caller]
fn never_read(bytes: usize) {
    let server = Setup::default()
        .set("limits.rate_per_s", "off")
        .set("timeouts.pong", "300ms")
        .set("timeouts.stall", "300ms")
        .start();
    let slow = joined_with(&server, "slow", bytes);
    let mut quick = Client::lines(&server).named("quick", Some("lobby"));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = "x".repeat(8_000);
    for n in 1..=100 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
        quick.expect(&json!({"ev": "message", "seq": n}));
    }
    server.await_metric("chinwag_connections_closed_total{reason=\"stalled\"}", 1.0);
    drop(slow);
    let epoch = ann.ask(&json!({"op": "history", "room": "lobby", "limit": 1}))["epoch"].take();
    let mut slow = Client::lines(&server);
    let resume = json!({"session": "s", "rooms": {"lobby": [epoch, 95]}});
    let welcome = slow.ask(&json!({"op": "hello", "name": "slow", "resume": resume}));
    assert_eq!(welcome["rooms"]["lobby"], json!({"from": 96, "to": 100}));
    slow.expect(&json!({"ev": "live", "room": "lobby", "seq": 100}));
}

#[test]
fn who_asks_for_more_than_it_reads_is_not_read_from_and_loses_nothing() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = "x".repeat(16_000);
    for _ in 0..4 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    let mut greedy = joined(&server, "greedy");
    let total = 200;
    let request = |id: u64| format!("{{\"op\":\"history\",\"id\":{id},\"room\":\"lobby\"}}\n");
    let requests: String = (0..total).map(request).collect();
    greedy.send(requests.as_bytes());
    // 300 × 64 KB are owed; only as much as may wait is there.
    ann.ask(&json!({"op": "ping"}));
    let waiting = server.metric("chinwag_queued_bytes");
    assert!(waiting <= 256.0 * 1024.0, "{waiting} bytes wait");
    let mut client = Client::over(Lines(greedy));
    for id in 0..total {
        let answer = client.expect(&json!({"id": null}));
        assert_eq!((&answer["id"], &answer["data"]["last"]), (&json!(id), &json!(4)));
    }
}

#[test]
fn pings_that_are_not_read_do_not_pile_up_either() {
    let server = Setup::default().args(&["--echo"]).start();
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.raw.shrink(4096);
    let pings = Frame { first: 0x89, payload: vec![b'x'; 125] }.encode().repeat(5_000);
    ws.raw.send(&pings);
    let mut canary = Client::ws(&server).named("canary", None);
    canary.ask(&json!({"op": "ping"}));
    assert!(server.metric("chinwag_queued_bytes") < 64.0 * 1024.0);
    ws.raw.reset();
}

#[test]
fn presence_that_was_left_out_is_made_up_for_once_when_the_reader_is_in_step_again() {
    let server = Setup::default()
        .set("limits.rate_per_s", "off")
        .set("timeouts.presence_interval", "50ms")
        .set("timeouts.leave_grace", "50ms")
        .start();
    let mut slow = Client::over(Lines(joined(&server, "slow")));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = "x".repeat(8_000);
    for _ in 0..100 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    let bob = Client::lines(&server).named("bob", Some("lobby"));
    loop {
        let event = ann.expect(&json!({"ev": "presence"}));
        if event.to_string().contains("bob") {
            break;
        }
    }
    slow.expect(&json!({"ev": "live", "seq": 100}));
    let state = slow.expect(&json!({"ev": "presence", "users": null}));
    let users = json!([["ann", "online"], ["bob", "online"], ["slow", "online"]]);
    assert_eq!(state["users"], users, "{state}");
    drop(bob);
}
