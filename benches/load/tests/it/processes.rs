//! One run by several processes: the sums are exact, and who ends too early is missed.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use chinwag_bench::spawn::Server;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::scenarios::{number, results, run};
use super::{assert_has, await_connections, bench, generator, outcome_of, target};

/// The children of a process.
fn children_of(parent: u32) -> Vec<i32> {
    let line = format!("PPid:\t{parent}");
    let all = std::fs::read_dir("/proc").expect("processes");
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |pid: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|it| it == line)
    };
    pids.filter(is_child).collect()
}

/// A process that is killed when it is dropped, so that a test that fails leaves none behind.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A run of two processes that goes on for long, once all of its six connections are there.
fn long_run(server: &Server) -> Run {
    let words = "fanout --connections 6 --rooms 2 --processes 2 --seconds 600 --json - --target";
    let mut command = generator();
    command.args(words.split(' ')).arg(format!("ws://{}", server.http()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let run = Run(command.spawn().expect("a program that can be started"));
    await_connections(server, 6);
    run
}

#[test]
fn what_two_processes_count_adds_up() {
    let results = run("fanout --connections 13 --rooms 4 --window 2 --processes 2");
    let settings = json!({"connections": 13, "rooms": 4, "window": 2});
    let expect = json!({
        "connections": 13, "handshakes": 13, "settings": settings, "generator": {"processes": 2},
    });
    assert_has(&results, &expect);
    for path in ["/server/cpu_us", "/server/rss_after", "/generator/cpu_us", "/handshakes_per_s"] {
        assert!(number(&results, path) > 0.0, "{path}: {results}");
    }
    // Rooms of three, and one of four; what is under way at either end of a window is at most that
    // of each sender.
    let (deliveries, sends) = (number(&results, "/deliveries"), number(&results, "/sends"));
    assert!(sends > 0.0 && deliveries >= 3.0 * sends - 52.0, "{deliveries} of {sends}");
    assert!(deliveries <= 4.0 * sends + 52.0, "{deliveries} of {sends}");
    let series = results["series"].as_array().expect("a series");
    assert!(series.iter().any(|it| it["connections"] == json!(13)), "{series:?}");
}

#[test]
fn every_scenario_that_can_be_split_may_be() {
    let results = run("idle --connections 9 --rooms 3 --processes 3");
    assert_has(&results, &json!({"connections": 9, "deliveries": 0, "sends": 0}));
    assert!(number(&results, "/server/user_bytes_per_connection") > 0.0);
    for line in
        ["direct --connections 10", "echo --connections 5", "fanout -c 8 --rooms 2 --no-echo"]
    {
        let results = run(&format!("{line} --processes 2"));
        assert!(number(&results, "/deliveries") > 0.0, "{line}");
    }
    let results = run("handshake --at-a-time 4 --processes 2");
    assert!(number(&results, "/handshakes") > 10.0);
    let results = run("fanout --connections 8 --rooms 2 --rate 500 --processes 2");
    let sends = number(&results, "/sends");
    assert!((sends - 200.0).abs() <= 40.0, "{sends} in 0.4 s");
}

#[test]
fn who_has_too_few_descriptors_takes_as_many_processes_as_it_needs() {
    let server = target();
    let line = "fanout --connections 40 --rooms 4 --warm-up 0.1 --seconds 0.4 --json -";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_chinwag-bench")]);
    command.args(line.split(' ')).arg(format!("--target=ws://{}", server.http()));
    let results = results(&outcome_of(command));
    assert_has(&results, &json!({"connections": 40, "generator": {"processes": 2}}));
}

#[test]
fn a_process_that_is_killed_fails_the_run() {
    let server = target();
    let mut run = long_run(&server);
    let children = children_of(run.0.id());
    assert_eq!(children.len(), 2, "{children:?}");
    let child = children[1];
    kill_process(Pid::from_raw(child).expect("a number"), Signal::KILL).expect("a process");
    let mut printed = String::new();
    let mut stdout = run.0.stdout.take().expect("a piped standard output");
    stdout.read_to_string(&mut printed).expect("results");
    assert_eq!(run.0.wait().expect("an end").code(), Some(1));
    let results: Value = serde_json::from_str(&printed).expect("JSON");
    let failure = results["failures"][0].as_str().expect("a failure");
    assert!(failure.contains(&format!("of 2 (pid {child}) ended")), "{failure}");
    assert!(failure.contains("SIGKILL"), "{failure}");
    assert_eq!(results["ok"], json!(false));
    // The other one has ended, too.
    await_connections(&server, 0);
}

#[test]
fn nobody_goes_on_when_the_first_process_is_killed() {
    let server = target();
    drop(long_run(&server));
    await_connections(&server, 0);
}

#[test]
fn what_one_process_cannot_do_is_said_with_its_number() {
    let gone =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it");
    let line = "fanout --connections 4 --rooms 2 --processes 2 --json -";
    let ran = bench(&format!("{line} --target ws://{gone}"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let results: Value = serde_json::from_str(&ran.printed).expect("JSON");
    let failure = results["failures"][0].as_str().expect("a failure");
    assert!(failure.contains(" of 2: cannot connect to"), "{failure}");
}
