//! A shell script plays the server: what it says and whether it ends is the test's to choose.

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use chinwag::time::clock::Clock;

const LISTENS: &str = "echo 'listening http://127.0.0.1:4001 (WebSocket at /ws)'\n\
                       echo 'listening admin http://127.0.0.1:4002'\n";
/// Waits for a signal as long as its output is open; sleeping children are not left behind.
const STAYS: &str = "exec sleep 1000\n";

/// A program with its folder.
struct Script {
    _folder: TempDir,
    path: PathBuf,
}

impl Script {
    fn new(body: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server");
        fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{body}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self { _folder: folder, path }
    }

    fn options(&self) -> Options {
        Options { program: Some(self.path.clone()), no_pin: true, ..Options::default() }
    }

    fn start(&self, patience_ms: u64) -> Result<Server, SpawnError> {
        Server::start_within(&self.options(), Duration::from_millis(patience_ms))
    }
}

/// Whether there is such a process that has not ended.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[track_caller]
fn check_refused(body: &str, patience_ms: u64, expect: &str) {
    let error = Script::new(body).start(patience_ms).map(drop).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[test]
fn it_is_ready_when_it_has_said_where_it_listens() {
    let script = Script::new(&format!("{LISTENS}{STAYS}"));
    let mut server = script.start(20_000).unwrap();
    assert_eq!(server.http().to_string(), "127.0.0.1:4001");
    assert_eq!((server.tcp(), server.admin().port()), (None, 4002));
    let pid = server.pid().unwrap();
    assert!(is_alive(pid));
    assert_eq!(server.stop().unwrap().code(), None, "ended by a signal");
    assert!(!is_alive(pid));
    assert!(matches!(server.stop(), Err(SpawnError::NotRunning)));
    assert!(matches!(server.pid(), Err(SpawnError::NotRunning)));
}

#[test]
fn it_comes_back_where_it_was() {
    // Says the address that it is told, unless the system is to choose.
    let body = format!(
        "case \"$5\" in *:0) at=127.0.0.1:4001;; *) at=$5;; esac\n\
         echo \"listening http://$at (WebSocket at /ws)\"\n\
         echo \"listening admin http://127.0.0.1:4002\"\n{STAYS}"
    );
    let script = Script::new(&body);
    let mut server = script.start(20_000).unwrap();
    let first = server.pid().unwrap();
    server.kill();
    assert!(!is_alive(first));
    server.restart().unwrap();
    assert_eq!(server.http().port(), 4001);
    let second = server.pid().unwrap();
    server.restart().unwrap();
    assert!(!is_alive(second), "a restart ends the one before");
}

#[test]
fn dropping_it_leaves_neither_process_nor_files() {
    let script = Script::new(&format!("{LISTENS}{STAYS}"));
    let server = script.start(20_000).unwrap();
    let (pid, folder) = (server.pid().unwrap(), server.folder.path(""));
    assert!(folder.join("chinwag.toml").is_file());
    drop(server);
    assert!(!is_alive(pid) && !folder.exists());
}

#[test]
fn a_server_that_fails_says_why() {
    check_refused(
        "echo 'error: no sockets today' >&2; exit 3",
        20_000,
        "the server ended before it said where it listens; its log ends with\n\
         error: no sockets today",
    );
    check_refused("exit 0", 20_000, "the server ended before it said where it listens");
    let error = Script { path: "/nowhere/at/all".into(), ..Script::new("") }.start(1).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/at/all: "), "{error}");
}

#[test]
fn a_server_that_says_nothing_or_nonsense_is_not_awaited_for_ever() {
    let clock = Clock::start();
    check_refused(STAYS, 50, "the server kept silent before it said where it listens");
    check_refused(
        "printf 'listening http'; exec sleep 1000",
        50,
        "the server kept silent before it said where it listens",
    );
    check_refused(
        "while :; do printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'; done",
        20_000,
        "the server said something endless before it said where it listens",
    );
    check_refused(
        &format!("echo 'hello, world'; {STAYS}"),
        20_000,
        "the server said \"hello, world\" at its start",
    );
    assert!(clock.micros() < 15_000_000);
}

#[test]
fn a_server_that_does_not_stop_is_killed() {
    check_stuck("sleep 0.05");
    check_stuck("echo 'and another thing'");
}

/// Does something again and again when it should stop.
#[track_caller]
fn check_stuck(does: &str) {
    let script =
        Script::new(&format!("trap '' TERM\n{LISTENS}echo 'busy' >&2\nwhile :; do {does}; done"));
    let mut server = script.start(20_000).unwrap();
    server.patience = Duration::from_millis(100);
    let pid = server.pid().unwrap();
    let error = server.stop().unwrap_err().to_string();
    assert!(
        error.starts_with("the server did not stop within") && error.ends_with("busy"),
        "{error}"
    );
    assert!(!is_alive(pid));
}

#[test]
fn the_end_of_a_long_log_is_passed_on() {
    let body = format!("seq 1 5000 >&2\n{LISTENS}{STAYS}");
    let server = Script::new(&body).start(20_000).unwrap();
    let log = server.log();
    assert!(log.len() <= LOG_TAIL && log.ends_with("\n5000\n"), "{log}");
}

#[test]
fn its_configuration_is_for_load_with_the_settings_on_top() {
    let settings = [
        ("log_level", "info"),
        ("limits.rate_per_s", "5"),
        ("timeouts.ping_after", "5m"),
        ("echo", "true"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let table: toml::Table = config(&settings).parse().unwrap();
    assert_eq!(table["log_level"].as_str(), Some("info"));
    assert_eq!(table["echo"].as_bool(), Some(true));
    assert_eq!(table["limits"]["rate_per_s"].as_integer(), Some(5));
    assert_eq!(table["limits"]["per_address"].as_str(), Some("off"));
    assert_eq!(table["timeouts"]["ping_after"].as_str(), Some("5m"));
}

#[test]
fn the_two_cores_are_different_ones() {
    if let Some(cores) = Cores::two() {
        assert_ne!(cores.server, cores.generator);
    }
}
