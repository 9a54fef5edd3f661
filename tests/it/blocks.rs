//! Blocks: over restarts, beside an erasure, and at a terminal.

use rustix::process::Signal;
use serde_json::json;

use crate::database_commands::done;
use crate::support::terminal::converse;
use crate::support::{Client, Raw, Server};

fn names(client: &mut Client) -> Vec<String> {
    let data = client.ask(&json!({"op": "blocked"}));
    let users = data["users"].as_array().expect("a list");
    assert!(users.iter().all(|row| row["at"].as_u64().is_some_and(|at| at > 0)), "{data}");
    users.iter().map(|row| row["user"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_block_outlives_a_kill_and_a_message_of_the_blocked_is_stored_and_not_shown() {
    let mut server = Server::start();
    let mut bob = Client::ws(&server).named("bob", None);
    let mut ann = Client::ws(&server).named("ann", None);
    bob.ask(&json!({"op": "send", "to": "ann", "text": "one"}));
    ann.expect(&json!({"ev": "message", "text": "one"}));
    ann.ask(&json!({"op": "block", "user": "bob"}));
    ann.expect(&json!({"ev": "left", "room": "@ann:bob"}));
    server.restart(Signal::KILL);
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::ws(&server).named("bob", None);
    assert_eq!(names(&mut ann), ["bob"]);
    let sent = bob.ask(&json!({"op": "send", "to": "ann", "text": "two", "cid": "c"}));
    assert_eq!((&sent["seq"], &sent["durable"]), (&json!(2), &json!("disk")));
    let again = bob.ask(&json!({"op": "send", "to": "ann", "text": "two", "cid": "c"}));
    assert_eq!(again["dup"], true);
    let page = bob.ask(&json!({"op": "history", "room": "@ann:bob"}));
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(ann.ask(&json!({"op": "rooms"}))["rooms"], json!([]));
    ann.assert_not_told(&json!({"text": "two"}));
    ann.refused(&json!({"op": "history", "room": "@ann:bob"}), 3001);
    let refused = ann.refused(&json!({"op": "send", "to": "bob", "text": "hm"}), 3004);
    assert!(refused.to_string().contains("unblock"), "{refused}");
    ann.ask(&json!({"op": "unblock", "user": "bob"}));
    ann.ask(&json!({"op": "send", "to": "bob", "text": "three"}));
    bob.expect(&json!({"ev": "message", "text": "three"}));
    assert_eq!(names(&mut ann), Vec::<String>::new());
}

#[test]
fn an_erasure_takes_the_blocks_of_a_user_and_those_by_others() {
    let mut server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::ws(&server).named("bob", None);
    ann.ask(&json!({"op": "block", "user": "bob"}));
    ann.ask(&json!({"op": "block", "user": "cat"}));
    bob.ask(&json!({"op": "block", "user": "ann"}));
    server.restart_after(Signal::TERM, |data| {
        done(data, &["erase-user", "bob", "--yes"]);
        done(data, &["verify"]);
    });
    assert_eq!(names(&mut Client::ws(&server).named("ann", None)), ["cat"]);
    assert_eq!(names(&mut Client::ws(&server).named("bob", None)), Vec::<String>::new());
}

#[test]
fn a_person_at_a_terminal_blocks_and_is_told_what_it_does() {
    let server = Server::start();
    let mut raw = Raw::connect(server.tcp);
    converse(
        &mut raw,
        "> /nick ann
         < Welcome to chinwag …
         < Type /join lobby …
         > /blocked
         < -- blocked: nobody --
         > /block @bob
         < -- you hear nothing of bob any more; /unblock bob ends that --
         > /msg bob hi
         < ! you have blocked bob; unblock ends that
         > /blocked
         < -- blocked: bob --
         > /unblock bob
         < -- bob is not blocked now --
         > /block
         < ! it is written like this, for example: /block bob
         > /block ann
         < ! this is your own name; expected: the name of another user",
    );
    let told = Client::ws(&server).named("cat", None).ask(&json!({"op": "blocked"}));
    assert_eq!(told, json!({"users": []}), "of nobody else's");
}
