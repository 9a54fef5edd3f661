//! What runs out, and what stands still: descriptors, memory for garbage, time.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit, setrlimit};
use serde_json::json;

use crate::support::{Client, Frame, PATIENCE, Raw, RawWs, Server, Setup};

/// Lets this process have as many descriptors as it may.
fn raise_own_limit() {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("a higher limit");
}

/// A number of kibibytes from the process's status.
fn kibibytes(server: &Server, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn of_a_thousand_clients_at_200_descriptors_those_inside_are_served_and_places_are_taken_again() {
    raise_own_limit();
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    // Only now, since the server would refuse the others itself if it knew.
    let few = Rlimit { current: Some(200), maximum: Some(200) };
    prlimit(Pid::from_raw(server.pid()), Resource::Nofile, few).expect("a lower limit");
    let mut crowd: Vec<_> = (0..1_000).map(|_| Raw::connect(server.tcp)).collect();
    server.log_when(|log| log.contains("cannot accept connections for now"));
    ann.ask(&json!({"op": "ping"}));
    // The first who came is inside, and says nothing: a second passes.
    let (before, clock) = (server.cpu_ticks(), std::time::Instant::now());
    let first = crowd.first_mut().expect("a client");
    assert!(!first.ends_within(Duration::from_secs(1)), "one who is inside was put out");
    let (used, took) = (u128::from(server.cpu_ticks() - before), clock.elapsed());
    assert!(used * 100 <= took.as_millis(), "{used} ticks of processor time in {took:?}: it spins");
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "still here"}));
    drop(crowd);
    let patience = std::time::Instant::now();
    loop {
        let mut bob = Client::lines(&server);
        bob.say(&json!({"op": "hello", "id": 0, "name": "bob"}));
        if bob.next().is_some_and(|answer| answer["code"] == 0) {
            break;
        }
        assert!(patience.elapsed() < PATIENCE, "deaf for good");
    }
    let complaints = server.log().matches("cannot accept connections for now").count();
    assert!(complaints <= 2, "{complaints} lines about it");
    let said = server.log();
    assert!(said.contains("raise ulimit -n or lower [limits] connections"), "{said}");
}

#[test]
fn garbage_in_numbers_leaves_no_memory_and_no_descriptor_behind() {
    let server = Setup::default().in_memory().set("log_level", "error").start();
    let garbage: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"{\"op\":\"hello\",\"id\":1,\"name\":\"",
        b"\x00\x00\x10\x00{\"op\":",
        b"\xff\xfe\xfd\xfc\xfb\r\n\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    ];
    let mut before = 0;
    for round in 0..6 {
        for n in 0..1_200 {
            let port = if n % 2 == 0 { server.http } else { server.tcp };
            let mut raw = Raw::connect(port);
            raw.send(garbage[n / 2 % garbage.len()]);
            if n % 3 == 0 {
                raw.reset();
            }
        }
        server.assert_no_connection_left();
        // The first round fills what is kept for later.
        if round == 0 {
            before = kibibytes(&server, "RssAnon");
        }
    }
    let grown = kibibytes(&server, "RssAnon").saturating_sub(before);
    assert!(grown < 512, "{grown} KiB more after 6,000 connections");
    let files = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("files").count();
    assert!(files < 40, "{files} descriptors are open");
}

#[test]
fn a_server_that_stood_still_asks_before_it_ends_anybody_and_answers_who_came_meanwhile() {
    let server = Setup::default()
        .set("timeouts.ping_after", "1s")
        .set("timeouts.pong", "1s")
        .set("timeouts.stall", "3s")
        .start();
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    assert_eq!(ws.frame().first, 0x81);
    server.signal(Signal::STOP);
    // The kernel takes them, as long as its queue is not full.
    let mut late: Vec<_> = (0..50).map(|_| Raw::connect(server.tcp)).collect();
    for raw in &mut late {
        raw.send(b"{\"op\":\"hello\",\"id\":1}\n");
    }
    // Longer than a ping and its answer may take.
    assert!(!ws.raw.ends_within(Duration::from_millis(2_500)));
    server.signal(Signal::CONT);
    // The ping may have been sent before it stood still.
    let ping = ws.frame();
    assert_eq!(ping.first, 0x89, "asked, not ended");
    ws.send_frame(&Frame { first: 0x8a, ..ping });
    ws.send_frame(&Frame::text("{\"op\":\"ping\",\"id\":2}"));
    let answer = loop {
        let frame = ws.frame();
        if frame.first == 0x89 {
            ws.send_frame(&Frame { first: 0x8a, ..frame });
        } else {
            break frame;
        }
    };
    assert_eq!(answer.first, 0x81, "it is still served");
    for raw in &mut late {
        let line = raw.line().expect("an answer");
        assert!(line.contains("\"code\":0"), "{line}");
    }
}

#[test]
fn a_limit_that_leaves_no_descriptor_for_connections_is_said_at_the_start() {
    let log = Setup::default().descriptors(30).refused();
    assert!(
        log.contains("RLIMIT_NOFILE is 30, which leaves no descriptor for connections"),
        "{log}"
    );
}
