//! Stopping in good order.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::iter;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::json::STRING;
use crate::support::process::Process;
use crate::support::raw::Patience;
use crate::support::{Client, Raw, RawWs, Server, Setup, assert_subset, http};

#[test]
fn each_client_is_told_when_to_come_back_and_the_process_leaves_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        // Presence would come in between.
        let mut server = Setup::default().set("timeouts.presence_interval", "1h").start();
        let mut ann = Client::ws(&server).named("ann", Some("lobby"));
        let mut bob = Client::lines(&server).named("bob", Some("lobby"));
        let mut silent = RawWs::connect(server.http, "/ws", "");
        server.signal(signal);
        for client in [&mut ann, &mut bob] {
            let drain = client.expect(&json!({"ev": "drain", "reason": STRING}));
            let (after, window) = (&drain["reconnect_after_ms"], &drain["window_ms"]);
            assert!(after.as_u64() <= window.as_u64() && after.is_u64(), "{drain}");
        }
        let bye = bob.expect(&json!({"ev": "bye"}));
        assert_subset(&bye, &json!({"close": 4201}));
        for client in [&mut bob, &mut ann] {
            // Who is there may have been told before.
            let rest = iter::from_fn(|| client.next()).find(|message| message["ev"] != "presence");
            assert_eq!(rest, None, "something was said after the farewell");
        }
        silent.assert_closed(4201);
        // The server would wait for those that do not close their sockets.
        drop((ann, bob, silent));
        server.assert_left_in_order();
    }
}

#[test]
fn a_client_that_reads_nothing_does_not_keep_the_process_alive() {
    let config = "[timeouts]\nclose = \"300ms\"\nstop = \"300ms\"\n";
    let mut server = Setup::default().config(config).start();
    let silent = RawWs::connect(server.http, "/ws", "");
    server.signal(Signal::TERM);
    server.assert_left_in_order();
    drop(silent);
}

#[test]
fn what_was_sent_before_the_signal_is_answered_before_the_farewell() {
    let mut server = Server::start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    for n in 0..20 {
        ann.say(&json!({"op": "send", "id": n, "room": "lobby", "text": "last words"}));
    }
    // The first answer shows that the server has begun to read them; they came in one segment or
    // two.
    ann.expect(&json!({"id": 0, "code": 0}));
    ann.ask(&json!({"op": "ping"}));
    server.signal(Signal::TERM);
    for n in 1..20 {
        ann.expect(&json!({"id": n, "code": 0}));
    }
    ann.expect(&json!({"ev": "bye"}));
    drop(ann);
    server.assert_left_in_order();
}

#[test]
fn a_request_that_is_under_way_is_answered_before_the_connection_ends() {
    let mut server = Server::start();
    let mut requests: Vec<_> = ["/rooms/lobby/messages?as=ann", "/files?as=ann"]
        .into_iter()
        .map(|path| {
            let mut raw = Raw::connect(server.http);
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
            );
            raw.send(head.as_bytes());
            // It was taken up.
            assert_eq!(http::read_head(&mut raw).status, 100);
            raw.send(b"half");
            raw
        })
        .collect();
    server.signal(Signal::TERM);
    for raw in &mut requests {
        let response = http::read(raw, true);
        assert_eq!((response.status, response.header("Retry-After")), (503, Some("1")));
        assert!(response.text().contains("\"code\":5006"), "{}", response.text());
        raw.assert_ended();
    }
    drop(requests);
    server.assert_left_in_order();
}

/// Stops a server of ten clients, to which it names `window_ms`; each is given its own moment.
fn check_returns(drain_window: &str, window_ms: u64) {
    let mut server = Setup::default().set("timeouts.drain_window", drain_window).start();
    let mut clients: Vec<_> =
        (0..10).map(|n| Client::lines(&server).named(&format!("user{n}"), None)).collect();
    server.signal(Signal::TERM);
    let mut waits: Vec<_> = clients
        .iter_mut()
        .map(|client| client.expect(&json!({"ev": "drain", "window_ms": window_ms})))
        .map(|drain| drain["reconnect_after_ms"].as_u64().expect("a number"))
        .collect();
    waits.sort_unstable();
    waits.dedup();
    assert_eq!(waits.len(), 10, "all at once: {waits:?}");
    assert!(waits.iter().all(|wait| *wait <= window_ms), "{waits:?}");
    assert!(waits[9] - waits[0] >= window_ms / 2, "not spread: {waits:?}");
    drop(clients);
    server.assert_left_in_order();
}

#[test]
fn returns_are_spread_over_a_window_that_suits_the_number_of_clients() {
    check_returns("20s", 1_000);
    // The setting is the widest window.
    check_returns("500ms", 500);
}

#[test]
fn who_comes_while_the_server_stops_is_not_let_in() {
    let mut server = Server::start();
    // It keeps the server from being done at once.
    let silent = RawWs::connect(server.http, "/ws", "");
    let mut ann = Client::lines(&server).named("ann", None);
    server.signal(Signal::TERM);
    // The listeners are closed before anybody is told.
    ann.expect(&json!({"ev": "bye", "close": 4201}));
    for address in [server.http, server.tcp, server.admin] {
        let refused = TcpStream::connect(address).expect_err("a listener that is closed");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{address}");
    }
    drop((ann, silent));
    server.assert_left_in_order();
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server =
        Setup::default().set("timeouts.stop", "5m").set("timeouts.close", "5m").start();
    // These keep it waiting: they never answer, and never close.
    let mut silent: Vec<_> = (0..3).map(|_| RawWs::connect(server.http, "/ws", "")).collect();
    server.signal(Signal::TERM);
    for client in &mut silent {
        assert_eq!(client.frame().close_code(), Some(4201));
    }
    server.signal(Signal::TERM);
    server.assert_left_in_order();
}

#[test]
fn signals_that_ask_to_reload_or_mean_nothing_do_not_end_the_server_and_say_what_would() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for (signal, words) in [
        (Signal::HUP, "SIGHUP: configuration, certificates and keys of tokens are read again"),
        (Signal::USR1, "SIGUSR1 does nothing"),
    ] {
        let lines = |log: &str| log.matches(words).count();
        let before = lines(&server.log());
        server.signal(signal);
        server.log_when(|log| lines(log) > before);
        ann.ask(&json!({"op": "ping"}));
    }
}

#[test]
fn what_a_signal_asks_for_while_the_server_is_starting_is_done_when_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let made = Command::new("mkfifo").arg(at("config")).status().expect("mkfifo");
    assert!(made.success());
    // Opened for both, so that the start finds somebody who writes.
    let mut config = OpenOptions::new().read(true).write(true).open(at("config")).expect("a pipe");
    config.write_all(b"log_level = \"info\"\n").expect("room in the pipe");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--config").arg(at("config")).arg("--data").arg(at("data"));
    command.args(["--listen", "--tcp", "--admin"].into_iter().flat_map(|it| [it, "127.0.0.1:0"]));
    command.stderr(File::create(at("log")).expect("a file for the log"));
    let process = Process::start(&mut command);
    let patience = Patience::begin();
    while rustix::io::ioctl_fionread(&config).expect("a number") > 0 {
        assert!(patience.is_left(), "it does not read its configuration");
    }
    // It waits for the rest of it.
    for signal in [Signal::USR1, Signal::HUP] {
        process.signal(signal);
    }
    drop(config);
    assert!(process.line().is_some_and(|line| line.starts_with("listening ")), "it has ended");
    process.signal(Signal::TERM);
    assert!(process.end().success());
    let log = fs::read_to_string(at("log")).expect("the log");
    assert!(log.contains("SIGHUP: configuration"), "{log}");
}

#[test]
fn idle_http_connections_do_not_hold_the_process() {
    let mut server = Setup::default().set("timeouts.stop", "10m").start();
    let mut idle = Raw::connect(server.http);
    idle.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(http::read(&mut idle, true).status, 200);
    let silent = Raw::connect(server.http);
    server.await_metric("chinwag_connections", 3.0);
    server.signal(Signal::TERM);
    // Nobody closes from this side, and the process leaves all the same.
    server.assert_left_in_order();
    idle.assert_ended();
    drop(silent);
}

#[test]
fn a_lock_of_another_process_takes_no_more_than_the_time_of_a_stop() {
    let mut server =
        Setup::default().set("timeouts.stop", "1s").set("timeouts.close", "200ms").start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "stored"}));
    let other = rusqlite::Connection::open(server.data().join("chinwag.db")).expect("the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    ann.say(&json!({"op": "send", "id": 1, "room": "lobby", "text": "waits"}));
    let mut post = Raw::connect(server.http);
    let head = "POST /rooms/lobby/messages?as=ann HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5";
    post.send(format!("{head}\r\n\r\nwaits").as_bytes());
    // Both are read before the signal comes.
    ann.ask(&json!({"op": "ping"}));
    let began = Instant::now();
    server.signal(Signal::TERM);
    server.assert_left_in_order();
    let took = began.elapsed();
    // It is not told that nothing was done.
    let answer = http::read(&mut post, true);
    assert!(answer.status == 503 && answer.text().contains("may have"), "{}", answer.text());
    // The store alone was waited for as long.
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop((ann, other));
}
