//! One budget of memory, kept by a real process under slow readers.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::support::client::Lines;
use crate::support::{Client, Raw, Server, Setup};

/// Bytes of anonymous memory: what the process has made, without its program.
fn anonymous(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

const MEMORY: u64 = 64_000_000;
const CONNECTIONS: usize = 2_000;
const SLOW: usize = 100;
const QUICK: usize = 10;
const MESSAGES: u64 = 1_500;
/// What each of the connections may take in the kernel: its socket and its buffers.
const IN_KERNEL: u64 = 17 * 1024;

/// Sends hello and join at once, and returns when both are answered.
fn member(server: &Server, name: &str, room: &str) -> Raw {
    let mut raw = Raw::connect(server.tcp);
    let hello = json!({"op": "hello", "name": name});
    let join = json!({"op": "join", "id": "joined", "room": room});
    raw.send(format!("{hello}\n{join}\n").as_bytes());
    loop {
        let line = raw.line().expect("an answer");
        if line.contains("\"joined\"") {
            assert!(line.contains("\"code\":0"), "{line}");
            return raw;
        }
    }
}

/// The next seqs that a member is told, as messages or in replays.
fn seqs(event: &Value) -> Vec<u64> {
    match event["ev"].as_str() {
        Some("message") => event["seq"].as_u64().into_iter().collect(),
        Some("replay") => {
            let items = event["items"].as_array().expect("items");
            items.iter().filter_map(|item| item["seq"].as_u64()).collect()
        }
        Some("gap") => panic!("{event}"),
        _ => Vec::new(),
    }
}

/// Reads until the member has everything, and nothing twice.
fn catch_up(client: &mut Client, seen: &mut u64, to: u64) {
    while *seen < to {
        let event = client.next().expect("what it missed");
        for seq in seqs(&event) {
            assert_eq!(seq, *seen + 1, "{event}");
            *seen = seq;
        }
    }
}

#[test]
fn a_server_of_64_megabytes_keeps_to_them_with_2000_connections_and_slow_readers() {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("a higher limit");
    let server = Setup::default()
        .set("memory", "64MB")
        .set("limits.rate_per_s", "off")
        .set("timeouts.stall", "10m")
        .start();
    let said =
        server.log_when(|log| log.contains("part=\"disk queue\"") || log.contains("disk queue"));
    assert!(said.contains("limits.connections"), "the account is told at the start: {said}");
    let mut others = Vec::new();
    for n in 0..CONNECTIONS - SLOW - QUICK - 2 {
        others.push(member(&server, &format!("idle{n}"), &format!("hall{}", n / 20)));
    }
    let slow: Vec<_> = (0..SLOW).map(|n| member(&server, &format!("slow{n}"), "busy")).collect();
    let mut quick: Vec<_> = (0..QUICK)
        .map(|n| Client::over(Lines(member(&server, &format!("quick{n}"), "busy"))))
        .collect();
    let mut ann = Client::lines(&server).named("ann", Some("busy"));
    let text = "x".repeat(600);
    let (mut seen, mut peak) = ([0; QUICK], 0);
    for sent in (10..=MESSAGES).step_by(10) {
        for id in sent - 9..=sent {
            ann.say(&json!({"op": "send", "id": id, "room": "busy", "text": text}));
        }
        for (client, seen) in quick.iter_mut().zip(&mut seen) {
            catch_up(client, seen, sent);
        }
        for id in sent - 9..=sent {
            ann.expect(&json!({"id": id, "code": 0}));
        }
        peak = peak.max(anonymous(&server));
        let kernel = IN_KERNEL * u64::try_from(CONNECTIONS).expect("a number");
        let bound = MEMORY - kernel;
        assert!(peak <= bound + bound / 8, "{peak} bytes after {sent} messages, above {bound}");
    }
    let lagging = server.metric("chinwag_cursors_lagging");
    assert!(lagging > 50.0, "{lagging} lag: the readers were not slow");
    println!("{peak} bytes at most");
    // Nobody has lost anything.
    for raw in slow {
        catch_up(&mut Client::over(Lines(raw)), &mut 0, MESSAGES);
        assert!(anonymous(&server) <= MEMORY, "while they catch up");
    }
}
