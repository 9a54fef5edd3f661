//! Whoever else touches the files, the clock or the process: backup tools, cleaning scripts,
//! operators in a hurry, time servers.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::clock::MovedClock;
use crate::support::disk::NotedDisk;
use crate::support::process::Process;
use crate::support::{Client, Server, Setup, http};

/// What a send is answered with when nothing can be stored.
const STORE_FAILS: u16 = 5004;

fn setup() -> Setup {
    Setup::default().set("limits.rate_per_s", "off")
}

#[track_caller]
fn say(client: &mut Client, count: usize) {
    for number in 0..count {
        client.ask(&json!({"op": "send", "room": "lobby", "text": format!("hello {number}")}));
    }
}

/// Joins the lobby: its epoch and head.
#[track_caller]
fn join(server: &Server, name: &str) -> (Value, u64) {
    let mut client = Client::ws(server).named(name, None);
    let joined = client.ask(&json!({"op": "join", "room": "lobby"}));
    (joined["epoch"].clone(), joined["seq"].as_u64().expect("a seq"))
}

fn database(data: &Path) -> Connection {
    Connection::open(data.join("chinwag.db")).expect("the database")
}

/// Runs chinwag on these files: whether it succeeded, and what it said.
#[track_caller]
fn chinwag(data: &Path, args: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let errors = folder.path().join("errors");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--data").arg(data).args(args);
    for listener in ["--listen", "--tcp", "--admin"] {
        command.args([listener, "127.0.0.1:0"]);
    }
    command.stderr(File::create(&errors).expect("a file for what it says"));
    let process = Process::start(&mut command);
    let mut said: String = std::iter::from_fn(|| process.line()).map(|line| line + "\n").collect();
    let status = process.end();
    said += &fs::read_to_string(&errors).expect("what it said");
    (status.success(), said)
}

/// Runs a command that must succeed.
#[track_caller]
fn done(data: &Path, args: &[&str]) -> String {
    let (is_done, said) = chinwag(data, args);
    assert!(is_done, "{args:?}: {said}");
    said
}

#[test]
fn a_lock_of_another_process_is_waited_for_also_beside_a_reader() {
    let server = setup().start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    say(&mut ann, 1);
    let reader = database(&server.data());
    reader.execute_batch("BEGIN; SELECT count(*) FROM record").expect("a reader");
    let writer = database(&server.data());
    writer.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    ann.say(&json!({"op": "send", "id": 7, "room": "lobby", "text": "patience"}));
    server.log_when(|log| log.contains("another process has locked the file"));
    assert_eq!(http::get(server.admin, "/readyz").status, 200, "a lock is no failure");
    writer.execute_batch("ROLLBACK").expect("the end of the lock");
    ann.expect(&json!({"id": 7, "code": 0}));
    say(&mut ann, 1);
    server.await_that("chinwag_store_lock_waits_total", |waits| waits > 0.5);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[test]
fn a_log_that_is_removed_after_a_kill_gives_rooms_a_new_epoch_and_is_said() {
    let mut server = setup().start();
    let (before, _) = join(&server, "ann");
    server.restart(Signal::TERM);
    say(&mut Client::lines(&server).named("ann", Some("lobby")), 20);
    assert_eq!(join(&server, "ann").0, before, "a restart in good order keeps the epoch");
    server.restart_after(Signal::KILL, |data| {
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(data.join(format!("chinwag.db{suffix}"))).expect("a file");
        }
    });
    let (after, head) = join(&server, "ann");
    assert!(after != before && head == 0, "{after} {head}");
    server.log_when(|log| log.contains("the write-ahead log of a server that was killed is gone"));
}

#[test]
fn commands_between_a_kill_and_the_start_leave_the_epochs_as_they_were() {
    let mut server = setup().start();
    say(&mut Client::lines(&server).named("ann", Some("lobby")), 5);
    let (before, _) = join(&server, "ann");
    let copies = tempfile::tempdir().expect("a folder for temporary files");
    let copy = copies.path().join("copy");
    let copy = copy.to_str().expect("a path in UTF-8");
    let commands: [&[&str]; 8] = [
        &["verify"],
        &["export", "lobby"],
        &["bans"],
        &["backup", copy],
        &["ban", "user", "mallory"],
        &["owner", "lobby", "ann"],
        &["compact"],
        &["erase-user", "nobody", "--yes"],
    ];
    for command in commands {
        server.restart_after(Signal::KILL, |data| drop(chinwag(data, command)));
        assert_eq!(join(&server, "ann"), (before.clone(), 5), "{command:?}");
    }
    assert!(!server.log().contains("is gone"), "{}", server.log());
}

#[test]
fn a_file_that_is_put_in_place_by_hand_beside_the_log_of_another_is_refused() {
    let mut server = setup().start();
    say(&mut Client::lines(&server).named("ann", Some("lobby")), 30);
    let copies = tempfile::tempdir().expect("a folder for temporary files");
    let backup = copies.path().join("backup");
    done(&server.data(), &["backup", backup.to_str().expect("a path in UTF-8")]);
    let mut kept = Vec::new();
    server.restart_after(Signal::TERM, |data| {
        kept = fs::read(data.join("chinwag.db")).expect("the database");
    });
    say(&mut Client::lines(&server).named("bob", Some("lobby")), 30);
    server.restart_after(Signal::KILL, |data| {
        let place = data.join("chinwag.db");
        let right = fs::read(&place).expect("the database");
        // A backup, and the file itself as it was when the server was stopped the last time.
        for wrong in [fs::read(&backup).expect("the backup"), kept] {
            fs::write(&place, wrong).expect("another file in its place");
            let (is_done, said) = chinwag(data, &["serve"]);
            assert!(!is_done && said.contains("is the write-ahead log of another"), "{said}");
        }
        // The right one goes on.
        fs::write(&place, right).expect("the right one");
    });
    assert_eq!(join(&server, "ann").1, 60);
}

type Files = Vec<(PathBuf, Vec<u8>)>;

/// All files of a directory.
fn files_of(data: &Path) -> Files {
    let entries = fs::read_dir(data).expect("the directory");
    let paths = entries.map(|entry| entry.expect("a file").path());
    // The folder of what people have sent is empty.
    paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(&path).expect("its bytes")))
        .collect()
}

/// Writes those of the files that are meant, which are as they were at an earlier stop.
fn put_back(kept: &Files, is_meant: fn(&Path) -> bool) {
    for (path, bytes) in kept.iter().filter(|(path, _)| is_meant(path)) {
        fs::write(path, bytes).expect("a copy");
    }
}

/// A way to put files back: its name, how the server was ended, and what is done.
type Way = (&'static str, Signal, fn(&Path, &Files));

#[test]
fn a_file_or_a_directory_that_is_copied_back_gives_rooms_new_epochs_and_is_said() {
    let mut server = setup().start();
    say(&mut Client::lines(&server).named("ann", Some("lobby")), 5);
    let mut kept = Vec::new();
    server.restart_after(Signal::TERM, |data| kept = files_of(data));
    let mut epochs = vec![join(&server, "ann").0];
    let ways: [Way; 4] = [
        ("the file over the present one", Signal::TERM, |_, kept| {
            put_back(kept, |path| path.ends_with("chinwag.db"));
        }),
        ("the file, and the log of a killed server is removed", Signal::KILL, |data, kept| {
            put_back(kept, |path| path.ends_with("chinwag.db"));
            for suffix in ["-wal", "-shm"] {
                fs::remove_file(data.join(format!("chinwag.db{suffix}"))).expect("a file");
            }
        }),
        ("the directory over the present one", Signal::TERM, |_, kept| {
            put_back(kept, |_| true);
        }),
        ("the directory in place of the present one", Signal::KILL, |data, kept| {
            fs::remove_dir_all(data).expect("removed");
            fs::create_dir(data).expect("made anew");
            put_back(kept, |_| true);
        }),
    ];
    for (times, (way, signal, copy_back)) in ways.into_iter().enumerate() {
        say(&mut Client::lines(&server).named("bob", Some("lobby")), 3);
        server.restart_after(signal, |data| copy_back(data, &kept));
        let (epoch, head) = join(&server, "ann");
        assert!(head == 5 && !epochs.contains(&epoch), "{way}: {epoch} {head}");
        epochs.push(epoch);
        server.log_when(|log| log.matches("the database was copied here").count() > times);
        server.restart(Signal::KILL);
        assert_eq!(join(&server, "ann").0, epochs[times + 1], "{way}: from then on it is ours");
    }
}

#[test]
fn the_files_are_for_their_owner_alone() {
    let server = setup().start();
    say(&mut Client::lines(&server).named("ann", Some("lobby")), 1);
    let data = server.data();
    let backup = data.join("backup");
    done(&data, &["backup", backup.to_str().expect("a path in UTF-8")]);
    let mut looked_at = 0;
    for entry in fs::read_dir(&data).expect("the directory") {
        let entry = entry.expect("a file");
        let mode = entry.metadata().expect("its mode").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", entry.path().display());
        looked_at += 1;
    }
    assert!(looked_at >= 5, "{looked_at}");
    let mode = fs::metadata(&data).expect("its mode").permissions().mode();
    assert_eq!(mode & 0o077, 0, "the directory");
}

#[test]
fn a_server_that_cannot_store_is_alive_and_not_ready_until_it_can() {
    let server = setup().start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    say(&mut ann, 1);
    let (place, away) = (server.data().join("chinwag.db"), server.data().join("away"));
    fs::rename(&place, &away).expect("the file moved away");
    ann.refused(&json!({"op": "send", "room": "lobby", "text": "x"}), STORE_FAILS);
    let ready = http::get(server.admin, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(!ready.text().is_empty(), "the reason");
    assert_eq!(http::get(server.admin, "/healthz").status, 200);
    server.await_metric("chinwag_store_trouble", 1.0);
    fs::rename(&away, &place).expect("the file moved back");
    server.await_metric("chinwag_store_trouble", 0.0);
    assert_eq!(http::get(server.admin, "/readyz").status, 200);
    say(&mut ann, 1);
}

#[test]
fn a_clock_that_is_ten_years_ahead_for_a_while_deletes_nothing_and_dates_nothing_later() {
    const TEN_YEARS: i64 = 10 * 365 * 24 * 60 * 60;
    let clock = MovedClock::new();
    let mut server = clock.of(setup().set("rooms.keep_for", "90d")).start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    say(&mut ann, 3);
    done(&server.data(), &["ban", "user", "mallory", "--for", "1d"]);
    clock.set(TEN_YEARS);
    server.log_when(|log| log.contains("the wall clock was set"));
    say(&mut ann, 1);
    clock.set(0);
    server.log_when(|log| log.matches("the wall clock was set").count() > 1);
    let sent = ann.ask(&json!({"op": "send", "room": "lobby", "text": "now"}));
    let now = ann.ask(&json!({"op": "send", "room": "lobby", "text": "later"}))["at"].as_i64();
    let ahead = now.expect("a time") - sent["at"].as_i64().expect("a time");
    assert!((0..60_000).contains(&ahead), "{ahead}");
    let page = ann.ask(&json!({"op": "history", "room": "lobby", "after": 0, "limit": 9}));
    let items = page["items"].as_array().expect("items");
    let wrong = items[3]["at"].as_i64().expect("a time");
    assert!(wrong - now.expect("a time") > TEN_YEARS * 900, "what a wrong clock has dated");
    drop(ann);
    // What is too old is looked for at a start, at once.
    server.restart(Signal::TERM);
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    let page = ann.ask(&json!({"op": "history", "room": "lobby", "after": 0, "limit": 9}));
    let seqs: Vec<_> = page["items"].as_array().expect("items").iter().map(|i| &i["seq"]).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    assert!(done(&server.data(), &["bans"]).contains("mallory"));
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_or_the_new_messages_or_refuses_the_start() {
    let mut server = setup().start();
    say(&mut Client::lines(&server).named("ann", Some("lobby")), 10);
    let copies = tempfile::tempdir().expect("a folder for temporary files");
    let backup = copies.path().join("backup");
    done(&server.data(), &["backup", backup.to_str().expect("a path in UTF-8")]);
    say(&mut Client::lines(&server).named("ann", Some("lobby")), 10);
    server.restart_after(Signal::KILL, |data| {
        // As it is between two of its steps: the new file is whole, the old one is moved away.
        for name in ["chinwag.db", "chinwag.db-wal"] {
            fs::rename(data.join(name), data.join(format!("{name}.old"))).expect("moved away");
        }
        fs::copy(&backup, data.join("chinwag.db.part")).expect("the new file");
        let (is_done, said) = chinwag(data, &["serve"]);
        assert!(!is_done && said.contains("repeat `chinwag restore`"), "{said}");
        done(data, &["restore", backup.to_str().expect("a path in UTF-8")]);
    });
    assert_eq!(join(&server, "ann").1, 10);
}

#[test]
fn a_start_a_stop_and_a_message_ask_the_disk_no_more_than_they_must() {
    let disk = NotedDisk::new();
    let mut server = disk.of(setup()).start();
    let first = disk.take();
    // The last two are for the key of pushes: they may come when the server is up already.
    assert!(first.len() <= 7, "a first start: {first}");
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    say(&mut ann, 2);
    disk.take();
    say(&mut ann, 8);
    let sent = disk.take();
    assert!(sent.len() <= 9 && sent.len() >= 8, "eight messages: {sent}");
    assert!(!sent.contains('f'), "the data is synced, without the times of the file: {sent}");
    drop(ann);
    let mut stop = String::new();
    server.restart_after(Signal::TERM, |_| stop = disk.take());
    assert!(stop.len() <= 4, "a stop: {stop}");
    let again = disk.take();
    assert!(again.len() <= 5, "a start: {again}");
}

#[test]
fn few_descriptors_are_enough_for_a_few_people() {
    let server = setup().descriptors(48).start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    say(&mut ann, 1);
    assert!(done(&server.data(), &["verify"]).contains("1 records, 0 faults"));
}

#[test]
fn an_erasure_that_is_killed_is_said_at_the_next_start_and_goes_on() {
    let mut server = setup().start();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    say(&mut bob, 3);
    drop(bob);
    server.restart_after(Signal::TERM, |data| {
        // The first transaction of an erasure.
        let sql = "INSERT INTO meta VALUES ('erase bob', 'erased-0123456789abc')";
        database(data).execute(sql, []).expect("a change");
    });
    server.log_when(|log| log.contains("an erasure of this user was cut off"));
    server.restart_after(Signal::TERM, |data| {
        let said = done(data, &["erase-user", "bob", "--yes"]);
        assert!(said.contains("was cut off") && said.contains("erased-0123456789abc"), "{said}");
    });
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    let page = ann.ask(&json!({"op": "history", "room": "lobby", "after": 0, "limit": 9}));
    let items = page["items"].as_array().expect("items");
    assert!(items.len() == 3 && items.iter().all(|item| item["from"] == "erased-0123456789abc"));
    server.restart_after(Signal::TERM, |data| {
        let log = fs::read_to_string(data.join("../log")).expect("the log");
        assert_eq!(log.matches("was cut off").count(), 1, "{log}");
    });
}

#[test]
fn a_disk_is_measured_and_nothing_of_it_stays() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let said = done(folder.path(), &["check"]);
    assert!(said.contains("a sync takes") && said.contains("messages a second"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}
