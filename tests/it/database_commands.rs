//! The commands about the database: beside a running server, and in its place.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::process::Process;
use crate::support::{Client, Server, Setup};

/// How a command of the binary ended: its exit code, and what it printed.
struct Outcome {
    code: Option<i32>,
    out: String,
    error: String,
}

/// Runs `chinwag --data DATA` with these arguments.
#[track_caller]
fn chinwag(data: &Path, args: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let errors = folder.path().join("errors");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--data").arg(data).args(args);
    command.stderr(File::create(&errors).expect("a file for what it says"));
    let process = Process::start(&mut command);
    let mut out = String::new();
    while let Some(line) = process.line() {
        out.push_str(&line);
        out.push('\n');
    }
    let code = process.end().code();
    Outcome { code, out, error: fs::read_to_string(&errors).expect("what it said") }
}

/// Runs a command that must succeed, and returns what it printed.
#[track_caller]
pub(crate) fn done(data: &Path, args: &[&str]) -> String {
    let Outcome { code, out, error } = chinwag(data, args);
    assert_eq!(code, Some(0), "{args:?} printed:\n{out}{error}");
    out
}

/// Runs a command that must fail with 1 and says on standard output why.
#[track_caller]
pub(crate) fn refused_output(data: &Path, args: &[&str]) -> String {
    let Outcome { code, out, error } = chinwag(data, args);
    assert_eq!(code, Some(1), "{args:?} printed:\n{out}{error}");
    out
}

/// Runs a command that must fail with 1, and returns its standard error.
#[track_caller]
fn refused(data: &Path, args: &[&str]) -> String {
    let Outcome { code, out, error } = chinwag(data, args);
    assert_eq!(code, Some(1), "{args:?} printed:\n{out}{error}");
    assert!(error.starts_with("error: ") && error.lines().count() == 1, "{error}");
    error
}

/// The reply's code for a user who is banned from the whole server.
const SUSPENDED: u16 = 2004;

fn durable() -> Server {
    Setup::default().args(&["--durability", "disk"]).start()
}

#[track_caller]
fn say(client: &mut Client, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        client.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
}

#[track_caller]
fn history(client: &mut Client) -> Vec<Value> {
    let page = client.ask(&json!({"op": "history", "room": "lobby", "after": 0, "limit": 100}));
    page["items"].as_array().expect("items").clone()
}

fn numbered(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("hello {number}"))
}

#[test]
fn a_backup_of_a_running_server_is_restored_with_another_epoch() {
    let mut server = durable();
    let copies = tempfile::tempdir().expect("a folder for temporary files");
    let file = copies.path().join("copy.db");
    let file = file.to_str().expect("a path in UTF-8");
    let mut ann = Client::ws(&server).named("ann", None);
    let epoch = ann.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].clone();
    say(&mut ann, numbered(0..20));
    let said = done(&server.data(), &["backup", file]);
    assert!(said.contains("1 rooms, 20 records"), "{said}");
    // The copy is verified by itself, wherever the server's database is.
    let elsewhere = copies.path().join("nowhere");
    assert!(done(&elsewhere, &["verify", file]).contains("1 rooms, 20 records, 0 faults"));
    assert!(refused(&server.data(), &["backup", file]).contains("never overwritten"));
    say(&mut ann, numbered(20..30));
    assert!(done(&server.data(), &["verify"]).contains("1 rooms, 30 records, 0 faults"));
    let taken = refused(&server.data(), &["restore", file]);
    assert!(taken.contains("stop it"), "{taken}");
    drop(ann);
    server.restart_after(Signal::KILL, |data| {
        let said = done(data, &["restore", file]);
        assert!(said.contains("20 records") && said.contains("chinwag.db.20"), "{said}");
        assert!(done(data, &["verify"]).contains("20 records, 0 faults"));
    });
    let mut ann = Client::ws(&server).named("ann", None);
    let position = json!({"op": "join", "room": "lobby", "epoch": epoch, "after": 30});
    let joined = ann.ask(&position);
    assert_eq!((&joined["seq"], &joined["reset"]), (&json!(20), &json!(true)), "{joined}");
    assert_ne!(joined["epoch"], epoch);
    let texts: Vec<_> = history(&mut ann).into_iter().map(|item| item["text"].clone()).collect();
    assert_eq!(texts, numbered(0..20).map(Value::from).collect::<Vec<_>>());
}

#[test]
fn an_export_is_a_line_of_json_for_each_record() {
    let server = durable();
    let mut ann = Client::ws(&server).named("ann", None);
    let epoch = ann.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].clone();
    say(&mut ann, ["one\nline".to_owned(), "two \u{2028} \"".to_owned()]);
    ann.ask(&json!({"op": "topic", "room": "lobby", "text": "tea"}));
    let exported = done(&server.data(), &["export", "--room", "lobby"]);
    let lines: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut expected = history(&mut ann);
    for item in &mut expected {
        item["room"] = json!("lobby");
        item["epoch"] = epoch.clone();
    }
    assert_eq!(lines, expected);
    assert_eq!(lines.len(), 3);
    let nowhere = refused(&server.data(), &["export", "--room", "lobbi"]);
    assert!(nowhere.contains("no room lobbi"), "{nowhere}");
}

#[test]
fn an_erased_user_has_said_nothing() {
    let mut server = durable();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    say(&mut bob, ["a secret of bob's".to_owned()]);
    bob.ask(&json!({"op": "send", "to": "ann", "text": "another secret"}));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    say(&mut ann, ["hello".to_owned()]);
    let taken = refused(&server.data(), &["erase-user", "bob", "--yes"]);
    assert!(taken.contains("stop it"), "{taken}");
    drop((ann, bob));
    server.restart_after(Signal::TERM, |data| {
        let unconfirmed = chinwag(data, &["erase-user", "bob"]);
        assert_eq!(unconfirmed.code, Some(1));
        assert!(unconfirmed.out.ends_with("nothing was changed\n"), "{}", unconfirmed.out);
        let said = done(data, &["erase-user", "bob", "--yes"]);
        assert!(said.starts_with("bob: 2 messages") && said.contains("erased-"), "{said}");
        assert!(done(data, &["verify"]).contains("3 records, 0 faults"));
        let file = fs::read(data.join("chinwag.db")).expect("the database");
        assert!(!file.windows(6).any(|part| part == b"secret"));
    });
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let items = history(&mut ann);
    assert_eq!(items.len(), 2, "{items:?}");
    assert_eq!((&items[0]["deleted"], &items[0]["text"]), (&json!(true), &json!(null)));
    assert!(items[0]["from"].as_str().is_some_and(|from| from.starts_with("erased-")));
    assert_eq!(items[1]["text"], "hello");
}

#[test]
fn a_running_server_learns_of_a_ban_and_of_its_end() {
    let server = durable();
    drop(Client::ws(&server).named("ann", Some("lobby")));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let data = server.data();
    assert_eq!(done(&data, &["bans"]), "nobody is banned\n");
    let said = done(&data, &["ban", "user", "bob", "--for", "1d", "--reason", "spam"]);
    assert!(said.starts_with("banned user bob until 2"), "{said}");
    let hello = json!({"op": "hello", "name": "bob"});
    let told = Client::lines(&server).request(&hello);
    assert!(told["code"] == SUSPENDED && told.to_string().contains("spam"), "{told}");
    done(&data, &["ban", "address", "192.0.2.7"]);
    bob.expect(&json!({"ev": "bye", "close": 4005}));
    bob.forget();
    assert_eq!(bob.next(), None, "something was said after the farewell");
    let bans = done(&data, &["bans"]);
    assert!(bans.contains("user bob until 2") && bans.contains(": spam\n"), "{bans}");
    assert!(bans.contains("address 192.0.2.7 until unban\n"), "{bans}");
    done(&data, &["unban", "user", "bob"]);
    Client::lines(&server).ask(&hello);
    let twice = refused(&data, &["unban", "user", "bob"]);
    assert!(twice.contains("was not banned"), "{twice}");
}

#[test]
fn a_command_that_the_server_does_not_apply_says_so_and_what_it_changed_is_stored() {
    let server = durable();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let data = server.data();
    server.signal(Signal::STOP);
    let said = refused(&data, &["ban", "user", "bob"]);
    assert!(said.contains("stored") && said.contains(&server.pid().to_string()), "{said}");
    server.signal(Signal::CONT);
    bob.expect(&json!({"ev": "bye", "close": 4005}));
    assert_eq!(done(&data, &["bans"]), "user bob until unban\n");
    // Later ones are not held up by it.
    done(&data, &["unban", "user", "bob"]);
    drop(Client::lines(&server).named("bob", None));
}

#[test]
fn a_secret_that_is_stored_is_shown_though_the_server_has_not_applied_it() {
    let server = durable();
    let data = server.data();
    let webhook = ["webhook", "add", "w", "--url", "https://hooks.example.org/", "--rooms", "*"];
    done(&data, &webhook);
    server.signal(Signal::STOP);
    let commands: [&[&str]; 5] = [
        &["key", "add", "ci", "--rooms", "*"],
        &["hook", "add", "alerts"],
        &["invite"],
        &["webhook", "rotate", "w"],
        &["webhook", "add", "v", "--url", "https://hooks.example.org/", "--rooms", "*"],
    ];
    // At once, since each waits for as long as a server may take.
    let said: Vec<_> = std::thread::scope(|scope| {
        let begun = commands.map(|args| scope.spawn(|| refused_output(&data, args)));
        begun.into_iter().map(|command| command.join().expect("its output")).collect()
    });
    server.signal(Signal::CONT);
    for (said, secret) in
        said.iter().zip(["cwk_", "/hooks/cwh_", "/#invite=cwi_", "whsec_", "whsec_"])
    {
        assert!(said.lines().next().is_some_and(|line| line.contains(secret)), "{said}");
    }
    // What it is waited for comes behind all of them.
    done(&data, &["ban", "address", "192.0.2.7"]);
    let hello = json!({"op": "hello", "token": said[0].lines().next()});
    assert_eq!(Client::lines(&server).ask(&hello)["user"], "ci");
}

/// How `chinwag --data DATA verify` ends whose standard output is this, and what it says.
fn verify_to(data: &Path, out: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--data").arg(data).arg("verify").stdin(Stdio::null());
    let ended = command.stdout(out).stderr(Stdio::piped()).output().expect("its end");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn an_output_that_cannot_be_written_is_told_as_that_and_hides_no_damage() {
    let mut server = durable();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    say(&mut ann, numbered(0..3));
    drop(ann);
    server.restart_after(Signal::TERM, |data| {
        let full = || File::options().write(true).open("/dev/full").expect("a full disk");
        // Whoever was to read it has ended.
        let closed = || std::io::pipe().expect("a pipe").1;
        let (code, said) = verify_to(data, full());
        assert!(said.starts_with("error: cannot write to standard output: No space"), "{said}");
        assert_eq!(code, Some(1));
        assert_eq!(verify_to(data, closed()), (Some(0), String::new()));
        let db = Connection::open(data.join("chinwag.db")).expect("the database");
        db.execute("UPDATE record SET text = 'forged!' WHERE seq = 3", []).expect("a change");
        db.close().expect("a closed database");
        assert_eq!(verify_to(data, closed()), (Some(1), String::new()));
    });
}

#[test]
fn what_is_damaged_is_named_and_the_rest_is_served() {
    let mut server = durable();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    say(&mut ann, numbered(0..3));
    drop(ann);
    server.restart_after(Signal::TERM, |data| {
        let db = Connection::open(data.join("chinwag.db")).expect("the database");
        db.execute("UPDATE record SET text = 'forged!' WHERE seq = 3", []).expect("a change");
        db.close().expect("a closed database");
        let outcome = chinwag(data, &["verify"]);
        assert_eq!(outcome.code, Some(1));
        let named = outcome.out.starts_with("room lobby, record 3: its checksum does not match\n");
        assert!(named, "{}", outcome.out);
        let exported = chinwag(data, &["export", "--room", "lobby"]);
        assert_eq!((exported.code, exported.out.lines().count()), (Some(1), 2));
        assert!(!exported.out.contains("forged"), "{}", exported.out);
    });
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let texts: Vec<_> = history(&mut ann).into_iter().map(|item| item["text"].clone()).collect();
    assert_eq!(texts, [json!("hello 0"), json!("hello 1")]);
}

#[test]
fn without_a_database_or_with_a_newer_one_each_command_says_so() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let data = folder.path();
    let file = data.join("copy");
    let file = file.to_str().expect("a path in UTF-8");
    let commands: [&[&str]; 7] = [
        &["backup", file],
        &["export", "--room", "lobby"],
        &["erase-user", "ann", "--yes"],
        &["verify"],
        &["ban", "user", "ann"],
        &["unban", "user", "ann"],
        &["bans"],
    ];
    for command in commands {
        let said = refused(data, command);
        assert!(said.contains("no database") && said.contains("--data"), "{command:?}: {said}");
    }
    assert!(!data.join("chinwag.db").exists());
    let mut server = durable();
    drop(Client::ws(&server).named("ann", Some("lobby")));
    server.restart_after(Signal::TERM, |from| {
        fs::copy(from.join("chinwag.db"), data.join("chinwag.db")).expect("a copy");
    });
    let db = Connection::open(data.join("chinwag.db")).expect("the database");
    db.pragma_update(None, "user_version", 99).expect("a change");
    drop(db);
    for command in commands {
        let said = refused(data, command);
        assert!(said.contains("version 99") && said.contains("later"), "{command:?}: {said}");
    }
}

#[test]
fn what_is_wrong_on_the_command_line_is_said_with_what_would_be_right() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    for (args, hint) in [
        (&["ban", "user", "ann", "--for", "1"][..], "30m"),
        (&["ban", "group", "ann"], "address"),
        (&["export", "--room", "Lobby"], "did you mean lobby?"),
        (&["erase-user", "Ann"], "did you mean ann?"),
        (&["backup"], "<FILE>"),
    ] {
        let Outcome { code, error, .. } = chinwag(folder.path(), args);
        assert_eq!(code, Some(2), "{args:?}: {error}");
        assert!(error.contains(hint), "{args:?}: {error}");
    }
}

#[test]
fn a_room_whose_only_owner_is_erased_goes_to_the_oldest_member_or_to_whom_an_administrator_names() {
    let mut server = durable();
    let [mut ann, mut zoe, mut bob] =
        ["ann", "zoe", "bob"].map(|name| Client::ws(&server).named(name, None));
    for room in ["team", "board"] {
        ann.ask(&json!({"op": "create", "room": room, "private": true}));
        for (client, user) in [(&mut zoe, "zoe"), (&mut bob, "bob")] {
            ann.ask(&json!({"op": "invite", "room": room, "user": user}));
            client.ask(&json!({"op": "join", "room": room}));
        }
    }
    for user in ["zoe", "bob"] {
        ann.ask(&json!({"op": "role", "room": "board", "user": user, "role": "reader"}));
    }
    let running = refused(&server.data(), &["owner", "board", "bob"]);
    assert!(running.contains("stop it"), "{running}");
    drop((ann, zoe, bob));
    server.restart_after(Signal::TERM, |data| {
        let said = done(data, &["erase-user", "ann", "--yes"]);
        assert!(said.contains("zoe is the owner of team now"), "{said}");
        assert!(said.contains("chinwag owner board USER"), "{said}");
        assert!(refused(data, &["owner", "bored", "bob"]).contains("bored"));
        assert!(refused(data, &["owner", "@bob:zoe", "bob"]).contains("direct"));
        assert!(refused(data, &["owner", "board", "bobb"]).contains("nobody is known as bobb"));
        assert_eq!(done(data, &["owner", "board", "bob"]), "bob is an owner of board\n");
        assert!(done(data, &["verify"]).ends_with("0 faults\n"));
    });
    let mut zoe = Client::ws(&server).named("zoe", None);
    zoe.ask(&json!({"op": "invite", "room": "team", "user": "eve"}));
    zoe.refused(&json!({"op": "send", "room": "board", "text": "x"}), 3007);
    let mut bob = Client::ws(&server).named("bob", None);
    bob.refused(&json!({"op": "invite", "room": "team", "user": "eve"}), 3004);
    bob.ask(&json!({"op": "role", "room": "board", "user": "zoe", "role": "member"}));
    zoe.ask(&json!({"op": "send", "room": "board", "text": "x"}));
}
