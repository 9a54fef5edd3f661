//! What users say of themselves: over restarts, upgrades and erasures, and at a terminal.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database_commands::done;
use crate::support::terminal::converse;
use crate::support::{Client, Raw, Server, Setup};

fn whois(client: &mut Client, name: &str) -> Value {
    client.ask(&json!({"op": "whois", "users": [name]}))["profiles"].clone()
}

/// `ann`, with a profile, and `bob` in `lobby`.
fn scene(server: &Server) -> (Client, Client) {
    let mut ann = Client::ws(server).named("ann", Some("lobby"));
    let bob = Client::ws(server).named("bob", Some("lobby"));
    let all = json!({"display": "Ann \"Q\" Smith", "text": "tea", "color": "teal"});
    let mut asked = all.clone();
    asked["op"] = "profile".into();
    assert_eq!(ann.ask(&asked)["profiles"], json!({"ann": all}));
    (ann, bob)
}

#[test]
fn a_profile_is_told_outlives_a_kill_and_is_given_to_its_user() {
    let mut server = Server::start();
    let (_, mut bob) = scene(&server);
    let all = json!({"ann": {"display": "Ann \"Q\" Smith", "text": "tea", "color": "teal"}});
    bob.expect(&json!({"ev": "profiles", "room": "lobby", "profiles": all}));
    server.restart(Signal::KILL);
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    assert_eq!(whois(&mut bob, "ann"), all);
    assert_eq!(whois(&mut bob, "nobody"), json!({}));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let part = ann.ask(&json!({"op": "export"}));
    assert_eq!(part["public"], all["ann"]);
    ann.ask(&json!({"op": "profile", "text": "", "display": "", "color": ""}));
    bob.expect(&json!({"ev": "profiles", "room": "lobby", "profiles": {"ann": {}}}));
    server.restart(Signal::KILL);
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    assert_eq!(whois(&mut bob, "ann"), json!({"ann": {}}));
}

#[test]
fn a_display_name_that_is_the_name_of_a_stored_user_is_refused() {
    let mut server = Server::start();
    let (_, mut bob) = scene(&server);
    let taken = bob.refused(&json!({"op": "profile", "display": "ANN"}), 2005);
    assert!(taken.to_string().contains("another user, ann"), "{taken}");
    // Nobody of that name is in memory.
    server.restart(Signal::TERM);
    let mut eve = Client::ws(&server).named("eve", None);
    eve.refused(&json!({"op": "profile", "display": "Bob"}), 2005);
    eve.ask(&json!({"op": "profile", "display": "Eve Bobson"}));
}

#[test]
fn an_erasure_and_the_end_of_an_account_take_the_profile() {
    let mut server = Server::start();
    scene(&server);
    server.restart_after(Signal::TERM, |data| {
        let printed = done(data, &["export", "--user", "ann"]);
        assert!(printed.contains("Smith"), "{printed}");
        done(data, &["erase-user", "ann", "--yes"]);
        done(data, &["verify"]);
        let printed = done(data, &["export", "--user", "ann"]);
        assert!(!printed.contains("Smith") && !printed.contains("tea"), "{printed}");
        assert!(!printed.contains("teal"), "{printed}");
    });
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    assert_eq!(whois(&mut ann, "ann"), json!({"ann": {}}));

    let accounts = Setup::default().set("auth", "accounts").set("accounts.registration", "open");
    let server = accounts.start();
    let come = |name: &str| {
        let register = json!({"op": "register", "name": name, "password": "correct-horse-battery"});
        let token = Client::ws(&server).ask(&register)["token"].clone();
        let mut client = Client::ws(&server);
        client.ask(&json!({"op": "hello", "token": token}));
        client.ask(&json!({"op": "join", "room": "lobby"}));
        client
    };
    let (mut ann, mut bob) = (come("ann"), come("bob"));
    ann.ask(&json!({"op": "profile", "display": "Ann Smith"}));
    assert_eq!(whois(&mut bob, "ann"), json!({"ann": {"display": "Ann Smith"}}));
    done(&server.data(), &["user", "retire", "ann"]);
    assert_eq!(whois(&mut bob, "ann"), json!({"ann": {}}));
    let printed = done(&server.data(), &["export", "--user", "ann"]);
    assert!(!printed.contains("Smith"), "{printed}");
}

#[test]
fn a_profile_outlives_an_upgrade_also_where_nothing_is_stored() {
    let config = "[[room_policy]]\nmatch = \"*\"\ndurability = \"memory\"\n";
    let mut server = Setup::default().config(config).upgradable().start();
    let (mut ann, mut bob) = scene(&server);
    ann.ask(&json!({"op": "profile", "text": "cake", "for_ms": 3_600_000}));
    server.upgrade();
    let told = whois(&mut bob, "ann");
    assert_eq!((&told["ann"]["text"], &told["ann"]["color"]), (&json!("cake"), &json!("teal")));
    assert!(told["ann"]["until"].as_u64().is_some(), "{told}");
}

#[test]
fn a_person_at_a_terminal_says_what_it_is_called_and_does() {
    let server = Server::start();
    let mut raw = Raw::connect(server.tcp);
    converse(
        &mut raw,
        "> /nick ann
         < Welcome to chinwag …
         < Type /join lobby …
         > /display Ann Smith
         < -- ann is called Ann Smith --
         > /status 1h at lunch
         < -- ann is called Ann Smith: at lunch --
         > /status
         < -- ann is called Ann Smith: at lunch --
         > /display -
         < -- ann: at lunch --
         > /color teal
         < -- ann: at lunch (teal) --
         > /status -
         < -- ann (teal) --
         > /color mauve
         < ! the colour is …
         > /colour -
         < -- ann has no display name, no status and no colour --
         > /whois bob
         < -- you share no room with a user of this name --
         > /display ...
         < ! the display name is without a letter or digit; expected: a display name of one line, …
         > /status 2y at sea
         < ! a status lasts for up to a year; expected: a time such as that of /status 30d at sea",
    );
}
