//! The configuration read again at SIGHUP.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Client, Raw, Server, Setup, Stream, http};

/// Has the server read this file, and waits until its log has these words once more.
#[track_caller]
fn reload(server: &Server, toml: &str, words: &str) -> String {
    let lines = |log: &str| log.matches(words).count();
    let before = lines(&server.log());
    fs::write(server.data().with_file_name("chinwag.toml"), toml).expect("a file");
    server.signal(Signal::HUP);
    server.log_when(|log| lines(log) > before)
}

/// The status of an answer to a request for this host.
fn status(server: &Server, host: &str) -> u16 {
    let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    http::request(server.http, head.as_bytes()).status
}

const READ: &str = "configuration read again";

#[test]
fn what_can_takes_effect_at_once_for_those_who_are_connected_too() {
    let file = "insecure = true\n[limits]\nrooms = 8\nhistory_page = 100\n";
    let server = Setup::default().config(file).start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    assert_eq!(status(&server, "chat.example.org"), 421);
    assert_eq!(http::get(server.http, "/docs").status, 404);
    let log = reload(
        &server,
        "insecure = true\n[http]\nhosts = [\"chat.example.org\"]\ndocs = true\n\
         [limits]\nrooms = 1\nhistory_page = 100\nmessage_bytes = \"8KiB\"\n",
        READ,
    );
    assert!(log.contains("setting changed name=limits.rooms from=8 to=1"), "{log}");
    assert!(log.contains("needs a restart: it stays as it was name=limits.message_bytes"), "{log}");
    assert!(log.contains("configuration read again changed=3 need_restart=1"), "{log}");
    assert_eq!(status(&server, "chat.example.org"), 200);
    assert_eq!(http::get(server.http, "/docs").status, 200);
    ann.refused(&json!({"op": "join", "room": "other"}), 3011);
    // Who comes now is told so.
    let mut bob = Client::ws(&server);
    let welcome = bob.ask(&json!({"op": "hello", "name": "bob"}));
    assert_eq!(welcome["limits"]["rooms"], 1, "{welcome}");
    // The bound that needs a restart is the former one.
    let text = "x".repeat(16 << 10);
    ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
}

#[test]
fn a_file_with_a_mistake_changes_nothing_and_is_told_where_it_is() {
    let server = Setup::default().config("[limits]\nrooms = 1\n").start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    let words = "the configuration is wrong: nothing of it was taken";
    let log = reload(&server, "[limits]\nrooms = 8\nrate_per_s = \"fast\"\n", words);
    assert!(log.contains("chinwag.toml:3:14") && log.contains("rate_per_s"), "{log}");
    ann.refused(&json!({"op": "join", "room": "other"}), 3011);
    // Mended, it is taken.
    reload(&server, "[limits]\nrooms = 8\n", READ);
    ann.ask(&json!({"op": "join", "room": "other"}));
}

#[test]
fn the_log_says_more_and_less_as_it_is_told_to() {
    let server = Setup::default().config("log_level = \"info\"\n").start();
    reload(&server, "log_level = \"debug\"\n", READ);
    drop(Raw::connect(server.http));
    server.log_when(|log| log.contains("DEBUG"));
    reload(&server, "log_level = \"info\"\n", "SIGHUP");
}

#[test]
fn a_log_file_that_was_moved_is_begun_anew() {
    let setup = Setup::default().config("log_file = \"server.log\"\n");
    let server = setup.start();
    let path = server.data().with_file_name("server.log");
    let moved = path.with_extension("log.1");
    let written = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    fs::rename(&path, &moved).expect("a log file");
    server.signal(Signal::HUP);
    server.await_that("chinwag_connections", |_| written(&path).contains(READ));
    assert!(written(&moved).contains("server::startup serving"), "{}", written(&moved));
    assert!(!written(&moved).contains("SIGHUP") && !written(&path).contains("serving"));
    assert_eq!(server.log(), "", "standard error");
}

#[test]
fn a_log_file_that_cannot_be_opened_is_named() {
    let said = Setup::default().config("log_file = \"no/such/folder\"\n").refused();
    assert!(
        said.contains("log_file = \"no/such/folder\" cannot be opened: No such file"),
        "{said}"
    );
}

#[test]
fn who_talks_and_who_reads_notice_nothing_of_reloads_and_logs_that_are_moved() {
    let setup = Setup::default().config("log_file = \"server.log\"\n");
    let server = setup.set("limits.rate_per_s", "off").start();
    let path = server.data().with_file_name("server.log");
    let written = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut stream = Stream::open(server.http, "/rooms/lobby/events?as=eve&after=0", "");
    let (rounds, each) = (10, 50);
    for round in 0..rounds {
        let text = format!("log_file = \"server.log\"\n[limits]\nrooms = {}\n", 8 + round);
        fs::write(server.data().with_file_name("chinwag.toml"), text).expect("a file");
        for n in 0..each {
            if n == each / 2 {
                fs::rename(&path, path.with_extension(round.to_string())).expect("a log file");
                server.signal(Signal::HUP);
            }
            ann.say(&json!({"op": "send", "id": n, "room": "lobby", "text": format!("{n}")}));
        }
        for n in 0..each {
            let seq = round * each + n + 1;
            ann.expect(&json!({"id": n, "code": 0, "data": {"seq": seq}}));
            bob.expect(&json!({"ev": "message", "seq": seq, "text": format!("{n}")}));
        }
        server.await_that("chinwag_connections", |_| written(&path).contains(READ));
    }
    let mut seqs = Vec::new();
    while seqs.len() < usize::try_from(rounds * each).expect("a number") {
        let event = stream.next().expect("an event");
        seqs.extend(event.data["seq"].as_u64().filter(|_| event.name == "message"));
    }
    assert!(seqs.is_sorted_by(|a, b| a + 1 == *b), "{seqs:?}");
    // Each file has the lines of its time, and no line is in two of them.
    for round in 1..rounds {
        let log = written(&path.with_extension(round.to_string()));
        assert_eq!(log.matches(READ).count(), 1, "{log}");
    }
}
