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

/// What the binary prints for `line` in an empty folder, and its exit code: standard output and
/// standard error together.
#[track_caller]
fn in_empty_folder(line: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().current_dir(folder.path()).args(line.split_whitespace());
    let errors = folder.path().join("errors");
    command.stderr(std::fs::File::create(&errors).expect("a file for what it says"));
    let process = Process::start(&mut command);
    let printed = std::iter::from_fn(|| process.line()).collect::<Vec<_>>().join("\n");
    let code = process.end().code().expect("an exit code");
    let place = folder.path().canonicalize().expect("a folder");
    let said = std::fs::read_to_string(&errors).expect("what it said");
    (code, format!("{printed}{said}").replace(&place.display().to_string(), "HERE"))
}

#[test]
fn a_newcomer_s_line_is_done_or_answered_with_what_is_meant() {
    for (line, code, answer) in [
        ("help", 0, "Usage: chinwag"),
        ("help ban", 0, "chinwag ban user bob --for 1d"),
        ("ban --help", 0, "s, m, h, d, w or y"),
        ("ban bob", 2, "such as: user bob, or address 203.0.113.7"),
        ("ban user bob --for 10", 2, "(s, m, h, d, w, y), such as 30m or 1d"),
        ("ban user bob --for 1w", 1, "there is no database HERE/chinwag-data/chinwag.db; name"),
        ("bans", 1, "HERE/chinwag-data/chinwag.db; name the server's directory with --data"),
        ("bans --data .", 1, "there is no database HERE/chinwag.db"),
        ("verify", 1, "there is no database HERE/chinwag-data/chinwag.db"),
        ("import nowhere postgres://u@h/d", 1, "in nowhere: name the directory of the server that"),
        ("verify nothing", 1, "nothing is not a backup: there is no such file"),
        ("verify errors", 1, "errors is not a backup: it is empty"),
        ("verify .", 1, "there is no database HERE/chinwag.db"),
        ("export lobby", 1, "there is no database HERE"),
        ("export", 2, "--user <NAME>"),
        ("check nofile.toml", 2, "cannot read the configuration file nofile.toml"),
        ("chek", 2, "'check'"),
        ("--lisen x", 2, "'--listen'"),
        ("stop", 2, "hint: a server ends on Ctrl-C or SIGTERM"),
        ("status", 2, "/healthz"),
        ("serve --port 80", 2, "hint: write --listen"),
        ("chinwag.toml", 2, "hint: a file of settings is given with --config chinwag.toml"),
    ] {
        let (ended, printed) = in_empty_folder(line);
        assert_eq!(ended, code, "{line}:\n{printed}");
        assert!(printed.contains(answer), "no {answer:?} for {line:?} in:\n{printed}");
    }
}

#[test]
fn chat_and_top_are_there_or_say_how_they_are_built() {
    for line in ["chat 127.0.0.1:1 --room lobby", "top 127.0.0.1:1"] {
        let (code, printed) = in_empty_folder(line);
        if cfg!(feature = "terminal") {
            assert!(code == 1 && printed.contains("127.0.0.1:1: "), "{code}: {printed}");
        } else {
            assert!(code == 2 && printed.contains("--features terminal"), "{code}: {printed}");
        }
    }
}
