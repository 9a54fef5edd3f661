//! Keys for programs: made and ended beside a running server, and good for what they say.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, RawWs, Server, Setup};

/// Runs `chinwag key` beside the server: whether it went well, and what it printed.
pub(crate) fn chinwag_key(server: &Server, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--data").arg(server.data()).arg("key").args(args);
    let output = command.output().expect("a program that can be started");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("UTF-8"))
}

/// Makes a key, which the server then takes.
#[track_caller]
pub(crate) fn add(server: &Server, args: &[&str]) -> String {
    let (done, said) = chinwag_key(server, &[&["add"], args].concat());
    assert!(done, "{said}");
    let secret = said.lines().next().unwrap_or_default().to_owned();
    assert!(secret.starts_with("cwk_") && secret.len() == 47, "{said}");
    assert_ne!(hello(server, &secret)["code"], 2001);
    secret
}

fn hello(server: &Server, token: &str) -> Value {
    Client::lines(server).request(&json!({"op": "hello", "token": token}))
}

#[track_caller]
fn program(server: &Server, key: &str) -> Client {
    let mut client = Client::lines(server);
    assert_eq!(client.ask(&json!({"op": "hello", "token": key}))["user"], "ci");
    client
}

#[test]
fn a_key_says_what_it_may_where_it_may_without_being_a_member_or_seen() {
    for auth in ["none", "accounts,none"] {
        let server = Setup::default().set("auth", auth).start();
        let mut ann = Client::ws(&server).named("ann", Some("alerts/disk"));
        let key = add(&server, &["ci", "--rooms", "alerts/*"]);
        let mut ci = program(&server, &key);
        let send = |room: &str| json!({"op": "send", "room": room, "text": "disk full"});
        assert_eq!(ci.ask(&send("alerts/disk"))["seq"], 1);
        ann.expect(&json!({"ev": "message", "from": "ci", "text": "disk full"}));
        assert_eq!(ci.ask(&send("alerts/new"))["seq"], 1, "an open room is made");
        for room in ["lobby", "alerts", "@ann:ci", "no such"] {
            let refused = ci.refused(&send(room), 3004);
            let words = refused["message"].as_str().unwrap_or_default();
            assert_eq!(words, "this key may send in alerts/*, and nothing else");
        }
        for op in ["join", "history", "members", "presence", "typing", "ack", "invite", "kick"] {
            ci.refused(&json!({"op": op, "room": "alerts/disk", "user": "ann", "read": 1}), 3004);
        }
        for op in ["rooms", "logins", "invite_link"] {
            ci.refused(&json!({"op": op}), 3004);
        }
        ci.refused(&json!({"op": "accept", "invite": format!("cwi_{}", "a".repeat(43))}), 3004);
        let members = ann.ask(&json!({"op": "members", "room": "alerts/disk"}));
        assert_eq!(members["count"], 1, "{members}");
        let present = ann.ask(&json!({"op": "presence", "room": "alerts/disk"}));
        assert_eq!(present["count"], 1, "{present}");
        ann.assert_not_told(&json!({"ev": "presence", "on": ["ci"]}));
    }
}

#[test]
fn a_key_that_may_read_is_told_what_is_said_and_resumes_where_it_was() {
    let mut server = Setup::default().start();
    let key = add(&server, &["ci", "--rooms", "team", "--can", "read,send"]);
    let mut ann = Client::lines(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "team", "private": true}));
    let mut ci = program(&server, &key);
    let joined = ci.ask(&json!({"op": "join", "room": "team"}));
    assert_eq!((&joined["members"], &joined["role"]), (&json!(1), &json!("reader")));
    let say = |text: &str| json!({"op": "send", "room": "team", "text": text});
    ann.ask(&say("one"));
    ci.expect(&json!({"ev": "message", "seq": 1, "text": "one"}));
    assert_eq!(ci.ask(&say("two"))["seq"], 2);
    ann.expect(&json!({"ev": "message", "seq": 2, "from": "ci"}));
    ci.ask(&json!({"op": "edit", "room": "team", "target": 2, "text": "2"}));
    server.restart(Signal::KILL);
    let position = json!({"session": "s", "rooms": {"team": [joined["epoch"], 1]}});
    let mut ci = Client::lines(&server);
    let welcome = ci.ask(&json!({"op": "hello", "token": key, "resume": position}));
    assert_eq!(welcome["rooms"]["team"]["from"], 2, "{welcome}");
    ci.expect(&json!({"ev": "replay", "room": "team"}));
    let page = ci.ask(&json!({"op": "history", "room": "team"}));
    assert_eq!(page["items"].as_array().map(Vec::len), Some(3), "{page}");
    let mut ann = Client::lines(&server).named("ann", None);
    let members = ann.ask(&json!({"op": "members", "room": "team"}));
    assert_eq!(members["users"], json!([["ann", "owner"]]));
    ann.ask(&json!({"op": "ban", "room": "team", "user": "ci"}));
    ci.expect(&json!({"ev": "left", "room": "team", "reason": "banned"}));
    ci.refused(&say("three"), 3005);
}

#[test]
fn a_key_that_is_ended_closes_its_connections_and_can_be_made_again() {
    let server = Setup::default().set("auth", "none,accounts").start();
    let key = add(&server, &["ci", "--rooms", "*"]);
    let (mut one, mut two) = (program(&server, &key), program(&server, &key));
    let (done, said) = chinwag_key(&server, &["end", "ci"]);
    assert!(done && said == "ci has no key now\n", "{said}");
    assert_eq!(hello(&server, &key)["code"], 2001);
    for client in [&mut one, &mut two] {
        assert_eq!(client.expect(&json!({"ev": "bye"}))["close"], 4006);
    }
    Client::lines(&server).refused(&json!({"op": "hello", "name": "ci"}), 2005);
    let again = add(&server, &["ci", "--rooms", "*", "--for", "1h"]);
    assert_ne!(again, key);
    assert_eq!(hello(&server, &key)["code"], 2001);
    program(&server, &again).ask(&json!({"op": "send", "room": "lobby", "text": "back"}));
}

#[test]
fn a_key_expires_when_it_was_to() {
    let server = Setup::default().start();
    let (done, said) = chinwag_key(&server, &["add", "ci", "--rooms", "*", "--for", "4s"]);
    assert!(done, "{said}");
    let key = said.lines().next().unwrap_or_default().to_owned();
    let mut client = loop {
        let mut client = Client::lines(&server);
        let reply = client.request(&json!({"op": "hello", "token": key}));
        match reply["code"].as_u64() {
            Some(0) => break client,
            code => assert_eq!(code, Some(2001), "{reply}"),
        }
    };
    client.expect(&json!({"ev": "expires"}));
    client.expect(&json!({"code": 2002}));
    assert_eq!(client.expect(&json!({"ev": "bye"}))["close"], 1008);
    assert_eq!(hello(&server, &key)["code"], 2002);
}

#[test]
fn a_key_comes_with_the_upgrade_too_and_a_bad_one_is_401() {
    let server = Setup::default().start();
    let key = add(&server, &["ci", "--rooms", "*"]);
    let fields = format!("Authorization: Bearer {key}\r\n");
    let mut client = Client::over(RawWs::connect(server.http, "/ws", &fields));
    assert_eq!(client.ask(&json!({"op": "hello"}))["user"], "ci");
    let bad = format!("Authorization: Bearer cwk_{}\r\n", "a".repeat(43));
    let head = crate::support::ws::upgrade_head(server.http, "/ws", &bad);
    assert_eq!(crate::support::http::request(server.http, head.as_bytes()).status, 401);
}

#[test]
fn a_name_that_is_somebodys_is_no_programs_and_the_other_way_round() {
    let server = Setup::default().start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "hi"}));
    let (done, said) = chinwag_key(&server, &["add", "ann", "--rooms", "*"]);
    assert!(!done && said.contains("this name is somebody's"), "{said}");
    add(&server, &["ci", "--rooms", "*"]);
    let (done, said) = chinwag_key(&server, &["add", "ci", "--rooms", "*"]);
    assert!(!done && said.contains("there is a key of this name"), "{said}");
    Client::lines(&server).refused(&json!({"op": "hello", "name": "ci"}), 2005);
    let (done, said) = chinwag_key(&server, &["end", "nobody"]);
    assert!(!done && said.contains("there is no key of this name"), "{said}");
}

#[test]
fn a_key_is_listed_and_noted_and_its_secret_is_nowhere() {
    let server = Setup::default().set("log.level", "debug").start();
    let key = add(&server, &["ci", "--rooms", "alerts/*", "--rooms", "ops", "--can", "read"]);
    program(&server, &key);
    let (_, list) = chinwag_key(&server, &["list"]);
    assert_eq!(list, "ci may read in alerts/* ops\n");
    let hook = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.env_clear().arg("--data").arg(server.data()).arg("hook").args(args);
        command.output().expect("its end").status.success()
    };
    assert!(!hook(&["end", "ci"]), "it is a key");
    assert!(hook(&["add", "ops"]) && !chinwag_key(&server, &["end", "ops-hook"]).0);
    assert!(hook(&["end", "ops-hook"]));
    chinwag_key(&server, &["end", "ci"]);
    assert_eq!(chinwag_key(&server, &["list"]).1, "there is no key yet\n");
    let mut audit = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    audit.env_clear().arg("--data").arg(server.data()).arg("audit");
    let audit = String::from_utf8(audit.output().expect("its end").stdout).expect("UTF-8");
    for act in ["key ci", "end key ci", "hook ops-hook", "end hook ops-hook"] {
        assert!(audit.contains(&format!(" operator {act}\n")), "{act}: {audit}");
    }
    assert!(!server.log().contains(&key));
    for entry in fs::read_dir(server.data()).expect("a folder") {
        let bytes = fs::read(entry.expect("a file").path()).unwrap_or_default();
        assert!(!bytes.windows(key.len()).any(|part| part == key.as_bytes()));
    }
}

#[test]
fn a_key_that_makes_no_sense_is_refused_in_words() {
    let server = Setup::default().start();
    for (args, words) in [
        (&["add", "ci"][..], "--rooms"),
        (&["add", "ci", "--rooms", "a b"], "must be the name of a room"),
        (&["add", "ci", "--rooms", "a,b"], "give --rooms several times"),
        (&["add", "guest-ci", "--rooms", "*"], "are for guests"),
        (&["add", "ci", "--rooms", "*", "--can", "write"], "must be send, read, or read,send"),
        (&["add", "Ci", "--rooms", "*"], "did you mean ci?"),
        (&["add", "ci", "--rooms", "*", "--for", "0s"], "a time is"),
    ] {
        let (done, said) = chinwag_key(&server, args);
        assert!(!done && said.contains(words), "{args:?}: {said}");
    }
}
