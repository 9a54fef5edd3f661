//! What is not kept any more: it is gone from every page, count, search and file.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::clock::MovedClock;
use crate::support::process::Process;
use crate::support::raw::Patience;
use crate::support::{Client, Setup};

/// A server whose rooms keep so many records.
fn keeping(records: u64) -> Setup {
    let setup = Setup::default().set("limits.rate_per_s", "off");
    setup.set("rooms.keep_records", &records.to_string())
}

fn say_many(client: &mut Client, room: &str, text: &str, count: usize) {
    for number in 0..count {
        client.send(room, &format!("{text} {number}"));
    }
}

fn history(client: &mut Client, room: &str, page: &Value) -> Value {
    let mut request = json!({"op": "history", "room": room});
    let fields = page.as_object().expect("fields").clone();
    request.as_object_mut().expect("an object").extend(fields);
    client.ask(&request)
}

/// Waits until the room begins at `oldest`.
#[track_caller]
fn await_oldest(client: &mut Client, room: &str, oldest: u64) {
    let patience = Patience::begin();
    loop {
        let page = history(client, room, &json!({"limit": 1}));
        if page["oldest"] == oldest {
            return;
        }
        assert!(patience.is_left(), "{page}");
    }
}

/// Waits until search finds as many messages.
#[track_caller]
fn await_found(client: &mut Client, text: &str, count: usize) {
    let patience = Patience::begin();
    loop {
        let found = client.ask(&json!({"op": "search", "text": text}));
        if found["items"].as_array().map(Vec::len) == Some(count) {
            return;
        }
        assert!(patience.is_left(), "{text}: {found}");
    }
}

fn seqs(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["seq"].as_u64().expect("a seq")).collect()
}

#[test]
fn pages_begin_at_the_oldest_record_before_and_after_a_restart() {
    let mut server = keeping(60).set("limits.ring_records", "10").start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    say_many(&mut ann, "lobby", "text", 90);
    await_oldest(&mut ann, "lobby", 31);
    for when in ["running", "restarted"] {
        for (page, expect) in [
            (json!({"after": 0, "limit": 20}), 31..=50),
            (json!({"after": 25, "limit": 20}), 31..=50),
            (json!({"around": 1, "limit": 20}), 31..=50),
            (json!({"around": 9_000, "limit": 20}), 71..=90),
            (json!({"before": 9_000, "limit": 20}), 71..=90),
        ] {
            let found = history(&mut ann, "lobby", &page);
            assert_eq!(seqs(&found), expect.collect::<Vec<_>>(), "{when}: {page}");
            assert_eq!((&found["more"], &found["oldest"]), (&json!(true), &json!(31)), "{page}");
        }
        if when == "running" {
            drop(ann);
            server.restart(Signal::KILL);
            ann = Client::lines(&server).named("ann", Some("lobby"));
        }
    }
}

#[test]
fn unread_counts_last_messages_search_and_history_agree_on_what_is_gone() {
    let server = keeping(10).start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let row = |bob: &mut Client| bob.ask(&json!({"op": "rooms"}))["rooms"][0].take();
    say_many(&mut ann, "lobby", "word", 60);
    await_oldest(&mut ann, "lobby", 51);
    assert_eq!((&row(&mut bob)["unread"], &row(&mut bob)["last"]["seq"]), (&json!(10), &json!(60)));
    await_found(&mut bob, "word", 10);
    for number in 0..20 {
        bob.ask(&json!({"op": "topic", "room": "lobby", "text": number.to_string()}));
    }
    await_oldest(&mut ann, "lobby", 71);
    let row = row(&mut bob);
    assert_eq!((&row["unread"], &row["last"]), (&json!(0), &json!(null)), "{row}");
    await_found(&mut bob, "word", 0);
}

/// The words of which there is a trace in the files of a folder. Each is one word, and looked for
/// without its first letter, which an index may share with the word before.
fn traces<'a>(folder: &Path, words: &[&'a str]) -> Vec<&'a str> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let files = files.filter(|path| path.is_file());
    let files: Vec<Vec<u8>> = files.map(|path| fs::read(path).expect("its bytes")).collect();
    let is_there = |word: &str| {
        let tail = &word.as_bytes()[1..];
        files.iter().any(|bytes| bytes.windows(tail.len()).any(|part| part == tail))
    };
    words.iter().copied().filter(|word| is_there(word)).collect()
}

#[test]
fn after_a_stop_no_file_has_what_was_deleted_replaced_pruned_or_erased() {
    let mut server = keeping(20).start();
    let mut ann = Client::lines(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "den", "topic": "bfirsttopic"}));
    let mut bob = Client::lines(&server).named("bob", Some("den"));
    bob.ask(&json!({"op": "send", "room": "den", "text": "cprunedtext", "data": "dpruneddata"}));
    let pruned = ann.send("den", "eprunedfirst");
    await_found(&mut ann, "eprunedfirst", 1);
    let edit = |client: &mut Client, target: u64, text: &str| {
        client.ask(&json!({"op": "edit", "room": "den", "target": target, "text": text}))
    };
    edit(&mut ann, pruned, "fprunedsecond");
    say_many(&mut ann, "den", "filler", 17);
    // Its message will be pruned, and this edit of it not.
    edit(&mut ann, pruned, "gprunedthird");
    let ban = json!({"op": "ban", "room": "den", "user": "zed", "reason": "hbanreason"});
    ann.ask(&ban);
    let mute = json!({"op": "mute", "room": "den", "user": "bob", "reason": "imutereason"});
    ann.ask(&mute);
    ann.ask(&json!({"op": "mute", "room": "den", "user": "bob", "for_ms": 0}));
    let deleted = bob.send("den", "jdeletedtext");
    await_found(&mut bob, "jdeletedtext", 1);
    bob.ask(&json!({"op": "delete", "room": "den", "target": deleted}));
    let edited = bob.send("den", "kreplacedfirst");
    await_found(&mut bob, "kreplacedfirst", 1);
    edit(&mut bob, edited, "lreplacedsecond");
    await_found(&mut bob, "lreplacedsecond", 1);
    edit(&mut bob, edited, "mlasttext");
    ann.send("den", "nanntext");
    ann.ask(&json!({"op": "react", "room": "den", "target": edited, "emoji": "oannemoji"}));
    await_found(&mut bob, "mlasttext", 1);
    await_oldest(&mut ann, "den", 12);
    drop((ann, bob));
    let gone = [
        "cprunedtext",
        "dpruneddata",
        "eprunedfirst",
        "fprunedsecond",
        "gprunedthird",
        "jdeletedtext",
        "kreplacedfirst",
        "lreplacedsecond",
    ];
    let of_ann = ["bfirsttopic", "hbanreason", "imutereason", "nanntext", "oannemoji"];
    server.restart_after(Signal::TERM, |data| {
        assert_eq!(traces(data, &gone), [""; 0], "after a stop in good order");
        assert_eq!(traces(data, &["mlasttext"]), ["mlasttext"], "what is there is found");
        assert_eq!(traces(data, &of_ann), of_ann, "what is there is found");
        let wal = fs::metadata(data.join("chinwag.db-wal")).map_or(0, |wal| wal.len());
        assert_eq!(wal, 0, "the write-ahead log is empty");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.env_clear().args(["erase-user", "ann", "--yes", "--data"]).arg(data);
        assert!(Process::start(&mut command).end().success());
        assert_eq!(traces(data, &of_ann), [""; 0], "after the erasure");
        assert_eq!(traces(data, &["mlasttext"]), ["mlasttext"], "what is of others stays");
    });
}

#[test]
fn what_is_too_old_goes_when_the_clock_says_so_and_a_clock_that_jumped_harms_nothing() {
    const DAY: i64 = 24 * 60 * 60;
    let clock = MovedClock::new();
    let setup = Setup::default().set("limits.rate_per_s", "off").set("rooms.keep_for", "7d");
    let mut server = clock.of(setup).start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    ann.send("lobby", "first");
    drop(ann);
    // The server was off for days: its clock is believed.
    server.restart_after(Signal::TERM, |_| clock.set(6 * DAY));
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    let second = ann.ask(&json!({"op": "send", "room": "lobby", "text": "second"}));
    let first = history(&mut ann, "lobby", &json!({}))["items"][0]["at"].as_i64().expect("a time");
    assert!(second["at"].as_i64().expect("a time") >= first + 6 * DAY * 1_000 - 60_000);
    assert_eq!(seqs(&history(&mut ann, "lobby", &json!({}))), [1, 2]);
    drop(ann);
    // A start looks at once for what has become too old; after that it is looked for each minute.
    server.restart_after(Signal::TERM, |_| clock.set(8 * DAY));
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    await_oldest(&mut ann, "lobby", 2);
    // The clock was ahead, and is set right: what is said now is dated now, nothing is lost by it.
    clock.set(0);
    let third = ann.ask(&json!({"op": "send", "room": "lobby", "text": "third"}));
    let time = |sent: &Value| sent["at"].as_i64().expect("a time");
    assert!(time(&third) < time(&second) - 5 * DAY * 1_000, "it is dated days ahead");
    drop(ann);
    server.restart(Signal::TERM);
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    assert_eq!(seqs(&history(&mut ann, "lobby", &json!({}))), [2, 3]);
}
