//! Every scenario in small, against a server of its own or one that runs: all is counted, and all
//! is well.

#![expect(clippy::float_cmp, reason = "counts are exact in a float")]

use serde_json::{Value, json};

use super::{Ran, assert_has, await_connections, bench, bench_with, target};

/// The results of a run that went well.
#[track_caller]
pub(super) fn results(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let results: Value = serde_json::from_str(&ran.printed).expect("JSON on standard output");
    let faults = json!({
        "gaps": 0, "duplicates": 0, "reordered": 0, "lost": 0, "unexpected": 0, "disconnected": 0,
    });
    assert_has(&results, &json!({"ok": true, "failures": [], "faults": faults}));
    results
}

/// Runs a scenario briefly.
#[track_caller]
pub(super) fn run(line: &str) -> Value {
    results(&bench(&format!("{line} --warm-up 0.1 --seconds 0.4 --json - --no-pin")))
}

#[track_caller]
pub(super) fn number(results: &Value, path: &str) -> f64 {
    let value = results.pointer(path).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("no number at {path} in {results}"))
}

/// A figure that only this scenario has.
#[track_caller]
fn figure(results: &Value, name: &str) -> f64 {
    let all = results["extra"].as_array().expect("figures");
    let found = all.iter().find(|figure| figure["name"] == name);
    found
        .and_then(|figure| figure["value"].as_f64())
        .unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

#[test]
fn a_fan_out_is_counted_and_both_ends_are_measured() {
    let results = run("fanout --connections 20 --rooms 2 --window 4");
    let settings = json!({
        "connections": 20, "rooms": 2, "senders": "one", "window": 4, "rate": null, "text_len": 64,
        "echo": true, "protocol": "chinwag.v1",
    });
    let expect = json!({
        "scenario": "fanout", "connections": 20, "handshakes": 20, "settings": settings,
        "generator": {"processes": 1},
    });
    assert_has(&results, &expect);
    for path in [
        "/deliveries",
        "/deliveries_per_s",
        "/sends",
        "/handshakes_per_s",
        "/latency_us/p50",
        "/latency_us/max",
        "/server/cpu_us_per_delivery",
        "/server/rss_after",
        "/server/descriptors",
        "/server/cpu_us_per_handshake",
        "/generator/cpu_us_per_delivery",
        "/machine/cores",
    ] {
        assert!(number(&results, path) > 0.0, "{path}: {results}");
    }
    // What is under way at either end of the window is at most a window of each sender's.
    let (deliveries, sends) = (number(&results, "/deliveries"), number(&results, "/sends"));
    assert!((deliveries - 10.0 * sends).abs() <= 2.0 * 80.0, "{deliveries} of {sends}");
    assert!(!results["series"].as_array().expect("a series").is_empty());
}

#[test]
fn everybody_may_send_and_be_answered_instead_of_echoed_to() {
    for (senders, echo) in [("one", ""), ("one", "--no-echo"), ("all", ""), ("all", "--no-echo")] {
        let line = format!("fanout --connections 12 --rooms 3 --senders {senders} {echo}");
        let results = run(&line);
        assert_eq!(results["settings"]["echo"], json!(echo.is_empty()), "{line}");
        assert!(number(&results, "/deliveries") > 0.0, "{line}");
    }
    // Rooms of one: nobody to compare with.
    run("fanout --connections 5 --rooms 5");
}

#[test]
fn all_but_the_senders_may_listen_to_server_sent_events() {
    let results = run("fanout --connections 20 --rooms 2 --events");
    let settings = json!({"events": true, "echo": false, "senders": "one"});
    assert_has(&results, &json!({"connections": 20, "handshakes": 20, "settings": settings}));
    let (deliveries, sends) = (number(&results, "/deliveries"), number(&results, "/sends"));
    assert!((deliveries - 9.0 * sends).abs() <= 2.0 * 160.0, "{deliveries} of {sends}");
}

#[test]
fn a_schedule_is_kept_and_every_message_of_it_is_timed() {
    let results = run("fanout --connections 10 --rooms 1 --rate 500");
    let (sends, timed) = (number(&results, "/sends"), number(&results, "/latency_us/count"));
    assert!((sends - 200.0).abs() <= 40.0, "{sends} in 0.4 s");
    // Those that were due in the window, whenever they came; it began and ended within a turn.
    assert!((timed - 2_000.0).abs() <= 100.0, "{timed}");
}

#[test]
fn texts_may_be_of_any_length() {
    for text_len in [1, 9, 10, 11, 8_000] {
        let results = run(&format!("fanout --connections 4 --rooms 2 --text-len {text_len}"));
        assert_eq!(number(&results, "/settings/text_len"), f64::from(text_len));
        assert!(number(&results, "/deliveries") > 0.0);
    }
}

#[test]
fn echoes_handshakes_and_idling_are_measured() {
    let results = run("echo --connections 5 --window 2");
    assert!(number(&results, "/deliveries") >= number(&results, "/sends") - 10.0);
    let results = run("handshake --at-a-time 4");
    assert!(number(&results, "/handshakes") > 10.0);
    assert!(number(&results, "/server/cpu_us_per_handshake") > 0.0);
    let results = run("idle --connections 30");
    assert_has(&results, &json!({"connections": 30, "deliveries": 0, "sends": 0}));
    assert!(number(&results, "/server/user_bytes_per_connection") > 0.0);
}

#[test]
fn pairs_are_timed_apart_from_a_busy_room() {
    let line = "direct --connections 10 --background 30 --background-rate 100";
    let results = run(line);
    assert_eq!(number(&results, "/connections"), 40.0);
    assert_eq!(figure(&results, "direct messages"), number(&results, "/latency_us/count"));
    // 100 messages a second to 30, in 0.4 s.
    let background = figure(&results, "background deliveries");
    assert!((background - 1_200.0).abs() <= 200.0, "{background}");
}

#[test]
fn lives_pages_and_a_mixed_crowd_go_well() {
    let results = run("churn --at-a-time 6");
    assert!(figure(&results, "lives") > 0.0);
    let results = run("history --connections 5 --rooms 2");
    assert!(figure(&results, "pages") > 0.0);
    let per_page = figure(&results, "items") / figure(&results, "pages");
    assert!((per_page - 50.0).abs() < 0.01, "{per_page}");
    let results = run("mixed --connections 40 --rooms 8 --rate 2000 --seed 7");
    for name in ["spoke", "read", "whispered", "changed state", "looked"] {
        assert!(figure(&results, name) > 0.0, "{name}: {results}");
    }
}

#[test]
fn slow_readers_are_told_what_they_missed_and_the_others_notice_nothing() {
    let line =
        "slow --connections 10 --slow 2 --crawlers 1 --crawl 20000 --rate 1000 --text-len 2000";
    let ran = bench(&format!("{line} --stall 1 --warm-up 0.1 --seconds 2.5 --json - --no-pin"));
    let results = results(&ran);
    // The other one reads a little.
    assert_eq!(figure(&results, "slow readers cut"), 1.0, "{results}");
    assert_eq!(figure(&results, "slow readers returned"), 1.0);
    assert_eq!(figure(&results, "sessions resumed"), 1.0);
    assert!(figure(&results, "messages told to be gone") > 0.0, "{results}");
    assert!(figure(&results, "messages replayed") > 0.0, "{results}");
    assert!(figure(&results, "p99 without slow readers") > 0.0);
}

#[test]
fn after_an_outage_everybody_returns_and_goes_on() {
    let results = run("storm --connections 30 --rooms 3 --rate 200");
    assert_eq!(figure(&results, "returned"), 30.0, "{results}");
    assert_eq!(figure(&results, "rooms begun again"), 30.0);
    assert!(figure(&results, "all back after") > 0.0);
}

#[test]
fn a_server_that_runs_may_be_the_target_by_websocket_and_by_lines() {
    let server = target();
    let (http, tcp) = (server.http(), server.tcp().expect("an address"));
    let pid = server.pid().expect("a process");
    for target in [format!("ws://{http}"), format!("ws://{http}/ws"), format!("tcp://{tcp}")] {
        let results =
            run(&format!("fanout --connections 6 --rooms 2 --target {target} --pid {pid}"));
        assert!(number(&results, "/deliveries") > 0.0, "{target}");
        assert!(number(&results, "/server/cpu_us") > 0.0, "{target}");
        await_connections(&server, 0);
    }
}

#[test]
fn results_go_where_they_are_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (json, page) = (path("results.json"), path("page.html"));
    let mut args: Vec<_> =
        "fanout --connections 4 --rooms 1 --warm-up 0 --seconds 0.2".split(' ').collect();
    args.extend(["--json", &json, "--report", &page]);
    let ran = bench_with(&args);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.printed.contains("ok"), "{ran:#?}");
    let results: Value =
        serde_json::from_slice(&std::fs::read(&json).expect("a file")).expect("JSON");
    assert_eq!(results["ok"], json!(true));
    assert!(results["command"].as_str().is_some_and(|it| it.starts_with("chinwag-bench fanout")));
    assert!(std::fs::read_to_string(&page).expect("a page").contains("</html>"));
    args.push("--quiet");
    assert_eq!(bench_with(&args).printed, "");
}

#[test]
fn what_cannot_be_done_is_said_and_told_by_the_exit_code() {
    let gone =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it");
    let ran = bench(&format!("fanout --connections 3 --target ws://{gone} --json -"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let results: Value = serde_json::from_str(&ran.printed).expect("JSON");
    assert_eq!(results["ok"], json!(false));
    assert!(
        results["failures"][0].as_str().is_some_and(|it| it.contains("no process listens")),
        "{results}"
    );
    for (line, hint) in [
        ("fanuot", "fanout"),
        ("fanout --target http://127.0.0.1:1", "ws://HOST:PORT"),
        ("fanout --window 0", "--window"),
        ("fanout --window 1 --rate 5", "--rate"),
        ("fanout --message {n}", "--plain"),
        ("fanout --plain --no-echo", "--no-echo"),
        ("fanout --plain --text-len 3 --target ws://127.0.0.1:1", "too short"),
        ("fanout --lines --target ws://127.0.0.1:1", "tcp://"),
        ("fanout --durability tape", "disk, os, memory"),
        ("fanout --durability disk --target ws://127.0.0.1:1", "--durability"),
        ("storm --window 3", "--rate"),
        ("storm --target ws://127.0.0.1:1", "--restart-command"),
        ("slow --connections 4 --slow 4", "--slow 4"),
        ("storm --processes 2", "--processes"),
        ("fanout --rooms 1 --processes 2 --target ws://127.0.0.1:1", "rooms (1)"),
        ("direct --background 5 --processes 2", "--background"),
    ] {
        let ran = bench(line);
        assert_eq!(ran.code, Some(2), "{line}: {ran:#?}");
        assert!(ran.complained.contains(hint), "no {hint} for {line}: {ran:#?}");
        assert_eq!(ran.printed, "", "{line}");
    }
    let help = bench("--help");
    assert_eq!(help.code, Some(0));
    assert!(help.printed.lines().all(|line| line.chars().count() <= 100), "{}", help.printed);
    for scenario in ["idle", "direct", "churn", "slow", "storm", "history", "mixed"] {
        assert!(help.printed.contains(scenario), "{}", help.printed);
    }
}
