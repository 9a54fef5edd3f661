//! What somebody hears who asks for an upgrade.

use std::io::{BufRead as _, BufReader};

use rustix::process::Signal;
use serde_json::json;

use crate::live_upgrade::start;
use crate::support::{Client, RawWs, Setup};

#[test]
fn a_configuration_that_is_wrong_is_said_where_the_upgrade_was_asked_for() {
    let mut server = start(Setup::default().config("[limits]\nrooms = 7\n"));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    server.write_config("[limits]\nroms = 8\n");
    let (is_done, said) = server.try_upgrade();
    assert!(!is_done && said.contains("roms"), "{said}");
    ann.ask(&json!({"op": "ping"}));
    server.write_config("[limits]\nrooms = 8\n");
    server.upgrade();
    let welcome = Client::ws(&server).ask(&json!({"op": "hello", "name": "bob"}));
    assert_eq!(welcome["limits"]["rooms"], 8, "the new process has read the file");
    ann.ask(&json!({"op": "ping"}));
}

#[test]
fn a_server_that_is_stopping_is_not_upgraded() {
    let mut server = start(Setup::default().set("timeouts.close", "2s"));
    let silent = RawWs::connect(server.http, "/ws", "");
    server.signal(Signal::TERM);
    server.log_when(|log| log.contains("stopping"));
    server.signal(Signal::USR2);
    server.log_when(|log| log.contains("SIGUSR2: the server is stopping"));
    drop(silent);
    server.assert_left_in_order();
}

#[test]
fn without_a_server_there_is_nothing_to_upgrade() {
    let server = start(Setup::default().args(&["--durability", "memory"]));
    let (is_done, said) = server.try_upgrade();
    assert!(!is_done && said.contains("no server has its database in"), "{said}");
}

#[test]
fn who_asks_a_server_that_hangs_is_told_what_is_waited_for() {
    let mut server = start(Setup::default());
    server.signal(Signal::STOP);
    let mut asked = server.begin_upgrade();
    let mut line = String::new();
    let said = asked.stderr.as_mut().expect("its standard error");
    BufReader::new(said).read_line(&mut line).expect("a line");
    server.signal(Signal::CONT);
    assert!(line.starts_with("waiting for process"), "{line}");
    assert!(asked.wait().expect("its end").success(), "it was upgraded nevertheless");
    server.follow();
}
