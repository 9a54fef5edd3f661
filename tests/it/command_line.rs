//! The command line, the configuration file and the environment.

use std::process::Command;

use crate::support::process::Process;
use crate::support::{Client, Setup, http};

/// What the binary prints for `args`, and whether it left with success.
fn run(args: &[&str]) -> (bool, String) {
    let process = Process::start(Command::new(env!("CARGO_BIN_EXE_chinwag")).args(args));
    let mut printed = String::new();
    while let Some(line) = process.line() {
        printed.push_str(&line);
        printed.push('\n');
    }
    (process.end().success(), printed)
}

#[test]
fn it_says_what_it_is_and_what_it_can() {
    let (success, version) = run(&["--version"]);
    assert!(success && version.starts_with("chinwag "), "{version}");
    let (success, help) = run(&["--help"]);
    assert!(success, "{help}");
    for flag in ["--config", "--listen", "--tcp", "--admin", "--data", "--durability", "--echo"] {
        assert!(help.contains(flag), "no {flag} in:\n{help}");
    }
}

#[test]
fn its_default_configuration_is_accepted_by_itself() {
    let (success, defaults) = run(&["check", "--defaults"]);
    assert!(success && defaults.contains("listen"), "{defaults}");
    let server = Setup::default().config(&defaults).start();
    assert_eq!(http::get(server.http, "/healthz").status, 200);
}

#[test]
fn a_key_that_does_not_exist_is_refused_with_its_place() {
    let said = Setup::default().config("lissten = \"127.0.0.1:0\"\n").refused();
    for hint in ["lissten", "listen", "1"] {
        assert!(said.contains(hint), "no {hint} in:\n{said}");
    }
}

#[test]
fn the_environment_is_read_and_a_flag_outweighs_it() {
    let server = Setup::default()
        .environment("CHINWAG_LOG_FORMAT", "json")
        .environment("CHINWAG_LISTEN", "192.0.2.1:1")
        .start();
    drop(Client::ws(&server).named("ann", None));
    let log = server.log_when(|log| log.contains('\n'));
    let first = log.lines().next().expect("a line of log");
    assert!(serde_json::from_str::<serde_json::Value>(first).is_ok(), "{first}");
    // Nobody could listen at the address that the environment names.
    assert!(server.http.ip().is_loopback(), "{}", server.http);
}
