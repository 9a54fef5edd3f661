//! One slow reader costs others nothing, and the server a bounded amount of memory.

use serde_json::json;

use crate::support::client::Lines;
use crate::support::json::{ARRAY, NUMBER};
use crate::support::server::{HARD_BYTES, MESSAGE_BYTES, SOFT_BYTES};
use crate::support::{Client, Frame, Raw, RawWs, SMALL_BUFFER, Server, Setup};

/// Bytes that the store may keep of what it has written, whether anybody reads or not: the cached
/// pages of its writer (16 MiB), and the index of its write-ahead log.
const STORE_BYTES: u64 = 18 << 20;
/// Bytes that the allocator may keep for itself, and what else a run of 1,000 messages leaves.
const SLACK_BYTES: u64 = 3 << 20;

/// Bytes that may wait for so many connections that do not read: each has what makes its cursors
/// fall behind, and may have been handed one message more.
fn waiting_max(readers: usize) -> f64 {
    bytes(readers * (SOFT_BYTES + MESSAGE_BYTES))
}

/// A number of bytes as the metrics page has it.
fn bytes(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("less than 4 GiB"))
}

fn joined(server: &Server, name: &str) -> Raw {
    joined_with(server, name, SMALL_BUFFER)
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
    const READERS: usize = 20;
    let server = Setup::default().bounded().set("limits.rate_per_s", "off").start();
    let slow: Vec<_> = (0..READERS).map(|n| joined(&server, &format!("slow{n}"))).collect();
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
    let before = server.resident();
    // If the server kept what it owes to the readers, it would be 160 MB.
    round(101, 1_100);
    let grown = server.resident().saturating_sub(before);
    let for_readers = (READERS * HARD_BYTES) as u64;
    let most = STORE_BYTES + SLACK_BYTES + for_readers;
    assert!(grown < most, "{grown} bytes more for readers that do not read, above {most}");
    let waiting = server.metric("chinwag_queued_bytes");
    assert!(waiting <= waiting_max(READERS), "{waiting} bytes wait");
    for raw in slow {
        raw.reset();
    }
}

#[test]
fn a_reader_that_never_reads_is_cut_at_the_stall_deadline_and_comes_back_where_it_was() {
    // The larger the buffer, the more often it has a little room without an event that says so.
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
    let server = Setup::default().bounded().set("limits.rate_per_s", "off").start();
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
    // 200 × 64 KB are owed; only as much as may wait is there.
    ann.ask(&json!({"op": "ping"}));
    let waiting = server.metric("chinwag_queued_bytes");
    let most = bytes(HARD_BYTES);
    assert!(waiting <= most, "{waiting} bytes wait, above {most}");
    let mut client = Client::over(Lines(greedy));
    for id in 0..total {
        let answer = client.expect(&json!({"id": NUMBER}));
        assert_eq!((&answer["id"], &answer["data"]["last"]), (&json!(id), &json!(4)));
    }
}

#[test]
fn pings_that_are_not_read_do_not_pile_up_either() {
    let server = Setup::default().bounded().args(&["--echo"]).start();
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.raw.shrink(4096);
    let pings = Frame { first: 0x89, payload: vec![b'x'; 125] }.encode().repeat(5_000);
    ws.raw.send(&pings);
    let mut canary = Client::ws(&server).named("canary", None);
    canary.ask(&json!({"op": "ping"}));
    let waiting = server.metric("chinwag_queued_bytes");
    assert!(waiting <= waiting_max(1), "{waiting} bytes wait");
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
    let state = slow.expect(&json!({"ev": "presence", "users": ARRAY}));
    let users = json!([["ann", "online"], ["bob", "online"], ["slow", "online"]]);
    assert_eq!(state["users"], users, "{state}");
    drop(bob);
}
