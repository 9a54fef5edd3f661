//! The audit, asked of the server: by owners of their rooms, by administrators of all.

use std::path::Path;

use serde_json::json;

use crate::database_commands::done;
use crate::support::{Client, Raw, Server, Setup};

#[test]
fn owners_see_what_was_done_in_their_rooms_and_administrators_all_of_it() {
    let server =
        Setup::default().set("auth", "accounts").set("accounts.registration", "open").start();
    let register = |name: &str| {
        let account = json!({"op": "register", "name": name, "password": "long enough"});
        let token = Client::ws(&server).ask(&account)["token"].clone();
        let mut client = Client::ws(&server);
        client.ask(&json!({"op": "hello", "token": token}));
        client
    };
    let (mut own, mut bob, mut root) = (register("own"), register("bob"), register("root"));
    own.ask(&json!({"op": "create", "room": "den"}));
    bob.ask(&json!({"op": "join", "room": "den"}));
    root.refused(&json!({"op": "kick", "room": "den", "user": "bob"}), 3003);
    root.refused(&json!({"op": "audit"}), 3004);
    done(Path::new(&server.data()), &["user", "admin", "root"]);
    root.ask(&json!({"op": "audit"}));
    let welcome = register("eve").request(&json!({"op": "audit", "room": "den"}));
    assert_eq!(welcome["code"], 3003);
    own.ask(&json!({"op": "kick", "room": "den", "user": "bob"}));
    bob.ask(&json!({"op": "join", "room": "den"}));
    root.ask(&json!({"op": "ban", "room": "den", "user": "bob"}));
    root.refused(&json!({"op": "ban", "room": "den", "user": "own"}), 3004);
    bob.ask(&json!({"op": "create", "room": "other"}));
    // Written behind the act: asked until both are there.
    let audit = json!({"op": "audit", "room": "den", "limit": 1});
    let last = loop {
        let page = own.request(&audit)["data"].clone();
        if page["items"][0]["act"] == "ban" {
            break page;
        }
        own.ask(&json!({"op": "ping"}));
    };
    assert_eq!((&last["items"][0]["by"], &last["more"]), (&json!("root"), &json!(true)));
    let before = last["items"][0]["id"].clone();
    let first = own.ask(&json!({"op": "audit", "room": "den", "before": before}));
    let acts: Vec<_> = first["items"].as_array().unwrap().iter().map(|act| &act["act"]).collect();
    assert_eq!((acts, &first["more"]), (vec![&json!("kick")], &json!(false)));
    own.refused(&json!({"op": "audit", "room": "other"}), 3003);
    own.refused(&json!({"op": "audit"}), 3004);
    let all = root.ask(&json!({"op": "audit"}));
    let operator = all["items"].as_array().unwrap().iter().find(|act| act["by"].is_null());
    assert_eq!(
        operator.map(|act| (&act["act"], &act["user"])),
        Some((&json!("admin"), &json!("root")))
    );
}

#[test]
fn at_a_terminal_an_owner_sees_what_was_done_and_a_member_does_not() {
    let server = Server::start();
    let mut own = Client::ws(&server).named("own", None);
    own.ask(&json!({"op": "create", "room": "den"}));
    let mut bob = Client::ws(&server).named("bob", Some("den"));
    own.ask(&json!({"op": "kick", "room": "den", "user": "bob"}));
    bob.ask(&json!({"op": "join", "room": "den"}));
    // Written behind the act.
    while own.ask(&json!({"op": "audit", "room": "den"}))["items"] == json!([]) {}
    for (name, line, expect) in [
        ("own", "/audit", "own: kick bob in den"),
        ("own", "/audit all", "! only administrators see what was done everywhere"),
        ("bob", "/audit", "! only the owners of a room see what was done there"),
        ("bob", "/audit den", "! it is written like this, for example: /audit"),
    ] {
        let mut raw = Raw::connect(server.tcp);
        raw.send(format!("/nick {name}\n/join den\n{line}\n").as_bytes());
        let mut said = Vec::new();
        while !said.iter().any(|line: &String| line.contains(expect)) {
            let next = raw.line();
            said.push(next.unwrap_or_else(|| panic!("{name} {line}: {said:#?}")));
            assert!(said.len() < 20, "{name} {line}: {said:#?}");
        }
    }
}
