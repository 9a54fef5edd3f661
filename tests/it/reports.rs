//! Reports: over restarts and erasures, by the operator, and at a terminal.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database_commands::done;
use crate::support::terminal::converse;
use crate::support::{Client, Raw, Server, Setup};

/// A room of `own`, in which `bob` has said something that `ann` has reported.
fn reported(server: &Server) -> Client {
    let mut own = Client::ws(server).named("own", None);
    own.ask(&json!({"op": "create", "room": "den"}));
    let mut ann = Client::ws(server).named("ann", None);
    let mut bob = Client::ws(server).named("bob", None);
    for client in [&mut ann, &mut bob] {
        client.ask(&json!({"op": "join", "room": "den"}));
    }
    let said = bob.ask(&json!({"op": "send", "room": "den", "text": "marker-of-bob"}));
    ann.ask(
        &json!({"op": "report", "room": "den", "target": said["seq"], "reason": "marker-of-ann"}),
    );
    own.expect(&json!({"ev": "reported", "room": "den"}));
    bob.assert_not_told(&json!({"ev": "reported"}));
    own
}

fn reports(client: &mut Client) -> Value {
    client.ask(&json!({"op": "reports"}))["items"].clone()
}

/// The owner of the new `den` finds nothing of the old one.
#[track_caller]
fn assert_nothing_is_left(eve: &mut Client) {
    assert_eq!(reports(eve), json!([]));
    let acts = eve.ask(&json!({"op": "audit", "room": "den"}));
    assert_eq!(acts["items"], json!([]));
}

/// The operator still judges by the report and the acts.
#[track_caller]
fn assert_operator_is_told(server: &Server) {
    let told = done(Path::new(&server.data()), &["reports"]);
    assert!(told.contains("ann reports bob") && told.contains("marker-of-bob"), "{told}");
    let acts = done(Path::new(&server.data()), &["audit", "--room", "den"]);
    assert!(acts.contains("kick") && acts.contains("close"), "{acts}");
}

#[test]
fn who_makes_a_room_of_a_free_name_finds_no_report_and_no_act_of_the_one_before() {
    let mut server = Server::start();
    let mut own = reported(&server);
    own.ask(&json!({"op": "kick", "room": "den", "user": "bob"}));
    own.ask(&json!({"op": "close", "room": "den", "sure": true}));
    let mut eve = Client::ws(&server).named("eve", None);
    eve.ask(&json!({"op": "create", "room": "den"}));
    for is_killed in [false, true] {
        if is_killed {
            server.restart(Signal::KILL);
            eve = Client::ws(&server).named("eve", None);
        }
        assert_nothing_is_left(&mut eve);
    }
    assert_operator_is_told(&server);
}

#[test]
fn a_room_of_memory_that_a_restart_has_ended_leaves_its_name_and_nothing_else() {
    let policy = "[[room_policy]]\nmatch = \"den\"\ndurability = \"memory\"\n";
    let mut server = Setup::default().config(policy).start();
    let mut own = reported(&server);
    own.ask(&json!({"op": "kick", "room": "den", "user": "bob"}));
    for signal in [Signal::TERM, Signal::KILL] {
        server.restart(signal);
        let mut eve = Client::ws(&server).named("eve", None);
        eve.ask(&json!({"op": "create", "room": "den"}));
        assert_nothing_is_left(&mut eve);
    }
    assert_operator_is_told(&server);
}

#[test]
fn a_report_outlives_a_kill_and_is_settled_once() {
    let mut server = Server::start();
    reported(&server);
    server.restart(Signal::KILL);
    let mut own = Client::ws(&server).named("own", None);
    let items = reports(&mut own);
    let report = &items[0];
    assert_eq!(items.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&report["by"], &report["user"], &report["room"], &report["text"], &report["reason"]),
        (
            &json!("ann"),
            &json!("bob"),
            &json!("den"),
            &json!("marker-of-bob"),
            &json!("marker-of-ann")
        )
    );
    own.ask(&json!({"op": "settle", "report": report["id"]}));
    own.refused(&json!({"op": "settle", "report": report["id"]}), 1003);
    assert_eq!(reports(&mut own), json!([]));
    let audit = done(Path::new(&server.data()), &["audit"]);
    assert!(audit.contains("own settle report bob in den"), "{audit}");
    server.restart(Signal::KILL);
    assert_eq!(reports(&mut Client::ws(&server).named("own", None)), json!([]));
}

#[test]
fn the_operator_lists_and_settles_beside_a_running_server() {
    let server = Server::start();
    let mut own = reported(&server);
    let listed = done(Path::new(&server.data()), &["reports"]);
    assert!(listed.contains("ann reports bob in den message"), "{listed}");
    assert!(listed.contains("marker-of-bob") && listed.contains("marker-of-ann"), "{listed}");
    assert_eq!(
        done(Path::new(&server.data()), &["reports", "--room", "other"]),
        "nothing is reported\n"
    );
    let number = listed.split(' ').next().unwrap();
    done(Path::new(&server.data()), &["reports", "--settle", number]);
    assert_eq!(reports(&mut own), json!([]));
    assert_eq!(done(Path::new(&server.data()), &["reports"]), "nothing is reported\n");
}

#[test]
fn an_erasure_takes_the_words_that_a_report_has_kept() {
    for name in ["ann", "bob"] {
        let mut server = Server::start();
        reported(&server);
        server.restart_after(Signal::TERM, |data| {
            done(data, &["erase-user", name, "--yes"]);
            done(data, &["verify"]);
            let file = std::fs::read(data.join("chinwag.db")).unwrap();
            let marker = format!("marker-of-{name}");
            let is_there = file.windows(marker.len()).any(|part| part == marker.as_bytes());
            assert!(!is_there, "{marker} is in the file");
        });
        assert_eq!(reports(&mut Client::ws(&server).named("own", None)), json!([]));
    }
}

#[test]
fn an_owner_at_a_terminal_is_told_of_a_report_lists_it_and_settles_it() {
    let server = Server::start();
    let [mut own, mut ann, mut bob] = ["own", "ann", "bob"].map(|name| {
        let mut raw = Raw::connect(server.tcp);
        converse(&mut raw, &format!("> /nick {name}\n< Welcome …\n< Type …"));
        raw
    });
    converse(
        &mut own,
        "> /create den
         < -- you are in den as owner, 1 member --
         > /reports
         < -- nothing is reported --
         > /audit
         < -- nothing was done over others --",
    );
    converse(&mut ann, "> /join den\n< -- you are in den, 2 members --");
    converse(&mut bob, "> /join den\n< -- you are in den, 3 members --");
    converse(
        &mut ann,
        "> /report @bob he  shouts
         < -- it is reported to the moderators or administrators --
         > /report ann
         < ! this would report yourself…
         > /settle 1
         < ! there is no report of this id that you may settle…",
    );
    converse(&mut own, "< -- something was reported in den: /reports --\n> /reports");
    // Who is present is told now and then.
    let mut lines = std::iter::repeat_with(|| own.line().expect("a row"));
    let row = lines.find(|line| !line.starts_with("* ")).expect("a row");
    let (number, what) = row.trim_start().split_once("  ").expect("a number");
    assert_eq!(what, "ann reports bob in den: he  shouts");
    converse(&mut own, "< -- /settle and the number ends one --");
    converse(
        &mut bob,
        &format!(
            "> /reports
             < -- nothing is reported --
             > /settle {number}
             < ! there is no report of this id that you may settle…
             > /report own
             < -- it is reported to the moderators or administrators --"
        ),
    );
    converse(
        &mut own,
        &format!(
            "> /settle {number}
             < -- report {number} is settled --
             > /settle {number}
             < ! there is no report of this id that you may settle…
             > /settle
             < ! it is written like this, for example: /settle 3
             > /reports
             < -- nothing is reported --
             > /audit
             <   …-…-… …:…  own: settle report bob in den"
        ),
    );
}

#[test]
fn who_keeps_no_order_at_a_terminal_reports_and_settles_nothing() {
    let server = Server::start();
    let mut own = reported(&server);
    let mut raw = Raw::connect(server.tcp);
    converse(
        &mut raw,
        "> /nick cat
         < Welcome to chinwag …
         < Type /join lobby …
         > /reports
         < -- nothing is reported --
         > /report bob he shouts
         < -- it is reported to the moderators or administrators --
         > /report
         < ! it is written like this, for example: /report bob spam
         > /settle 1
         < ! there is no report of this id that you may settle; expected: a number that /reports lists",
    );
    assert_eq!(reports(&mut own).as_array().map(Vec::len), Some(1), "not in this room");
}
