//! The load generator from its command line to its exit code: against the real server, and against
//! servers that lie.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "tests may wait, start threads and fail"
)]

mod liar;
mod lies;
mod processes;
mod scenarios;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chinwag_bench::spawn::{Options, Server};
use serde_json::Value;

/// How long a server may take to have the connections that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it ended, and what it printed.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    printed: String,
    complained: String,
}

/// Runs the generator with the words of `line`.
fn bench(line: &str) -> Ran {
    let words: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
    bench_with(&words)
}

fn bench_with(args: &[&str]) -> Ran {
    let mut command = generator();
    command.args(args);
    outcome_of(command)
}

/// The generator, without arguments yet.
fn generator() -> Command {
    Command::new(env!("CARGO_BIN_EXE_chinwag-bench"))
}

/// Runs a command to its end.
fn outcome_of(mut command: Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().expect("a program that can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        code: output.status.code(),
        printed: text(output.stdout),
        complained: text(output.stderr),
    }
}

/// A server that is the target of generators.
fn target() -> Server {
    let program = Some(env!("CARGO_BIN_EXE_chinwag-bench").into());
    let options = Options { program, tcp: true, no_pin: true, ..Options::default() };
    Server::start(&options).expect("a server")
}

/// Waits until the server has so many connections of clients.
#[track_caller]
fn await_connections(server: &Server, expected: u32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = connections(server);
        if found == Some(expected) {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?} connections, not {expected}");
    }
}

/// The connections that the server has, as its metrics say: the one that asks is not a client's.
fn connections(server: &Server) -> Option<u32> {
    let mut stream = TcpStream::connect(server.admin()).expect("a connection");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("metrics");
    // The connection that asks is counted, too.
    let value = page.lines().find_map(|line| line.strip_prefix("chinwag_connections "))?;
    value.parse::<u32>().ok()?.checked_sub(1)
}

/// Fails unless `found` has every field of `expected`, at any depth, with the same value.
#[track_caller]
fn assert_has(found: &Value, expected: &Value) {
    match expected {
        Value::Object(fields) => {
            for (name, value) in fields {
                assert_has(&found[name], value);
            }
        }
        _ => assert_eq!(found, expected),
    }
}
