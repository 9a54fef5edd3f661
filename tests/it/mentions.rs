//! `@name` and `@room`: told to every client, stream and webhook alike, and counted in the inbox.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::client::TRANSPORTS;
use crate::support::terminal::converse;
use crate::support::{Client, Raw, Server, Setup, assert_subset};

fn say(client: &mut Client, text: &str) -> Value {
    client.ask(&json!({"op": "send", "room": "lobby", "text": text}))
}

/// Unread messages and mentions in `lobby`.
#[track_caller]
fn counts(client: &mut Client) -> (u64, u64) {
    let inbox = client.ask(&json!({"op": "rooms"}));
    let row = &inbox["rooms"][0];
    assert_eq!(row["room"], "lobby", "{inbox}");
    (row["unread"].as_u64().expect("a count"), row["mentions"].as_u64().expect("a count"))
}

#[test]
fn whom_a_message_names_is_told_with_it_everywhere() {
    for (what, connect) in TRANSPORTS {
        println!("{what}");
        let server = Server::start();
        let mut ann = connect(&server).named("ann", Some("lobby"));
        let mut bob = connect(&server).named("bob", Some("lobby"));
        let sent = say(&mut bob, "@Ann, @zoe and @room: see `@eve`, ann@example.org");
        assert_eq!(sent["not_members"], json!(["zoe"]), "{sent}");
        let named = json!(["ann", "zoe", "@room"]);
        let event = ann.expect(&json!({"ev": "message", "seq": 1}));
        assert_eq!(event["mentions"], named, "{event}");
        let page = ann.ask(&json!({"op": "history", "room": "lobby"}));
        assert_eq!(page["items"][0]["mentions"], named, "{page}");
        let found = ann.ask(&json!({"op": "search", "text": "zoe"}));
        assert_eq!(found["items"][0]["mentions"], named, "{found}");
        bob.ask(&json!({"op": "edit", "room": "lobby", "target": 1, "text": "for @eve"}));
        let edit = ann.expect(&json!({"ev": "edit", "target": 1}));
        assert_eq!(edit["mentions"], json!(["eve"]), "{edit}");
        let sent = say(&mut bob, "names nobody: @, `@ann`");
        assert!(sent.get("not_members").is_none(), "{sent}");
        let event = ann.expect(&json!({"ev": "message", "seq": 3}));
        assert!(event.get("mentions").is_none(), "{event}");
    }
}

#[test]
fn a_message_sent_again_names_the_same_and_is_there_once() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let again = json!({"op": "send", "room": "lobby", "text": "@zoe", "cid": "c1"});
    assert_subset(&ann.ask(&again), &json!({"seq": 1, "not_members": ["zoe"]}));
    assert_subset(&ann.ask(&again), &json!({"seq": 1, "dup": true}));
}

#[test]
fn the_inbox_counts_mentions_over_edits_deletions_and_a_kill_of_the_server() {
    // So few in memory that most are counted in the file.
    let setup = Setup::default().set("limits.ring_records", "4").set("limits.rate_per_s", "off");
    let mut server = setup.start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    for number in 1..=20 {
        say(&mut bob, if number % 2 == 0 { "for @ann" } else { "for @cat" });
    }
    say(&mut bob, "all of you, @room");
    assert_eq!(counts(&mut ann), (21, 11));
    bob.ask(&json!({"op": "edit", "room": "lobby", "target": 2, "text": "for nobody"}));
    bob.ask(&json!({"op": "edit", "room": "lobby", "target": 3, "text": "and @ann"}));
    bob.ask(&json!({"op": "delete", "room": "lobby", "target": 4}));
    assert_eq!(counts(&mut ann), (20, 10));
    server.restart(Signal::KILL);
    let mut ann = Client::ws(&server).named("ann", None);
    assert_eq!(counts(&mut ann), (20, 10), "after a kill");
    ann.ask(&json!({"op": "ack", "room": "lobby", "read": 19}));
    assert_eq!(counts(&mut ann), (2, 2));
    ann.ask(&json!({"op": "ack", "room": "lobby", "read": 21}));
    assert_eq!(counts(&mut ann), (0, 0));
}

#[test]
fn what_retention_has_dropped_is_counted_no_more() {
    let setup = Setup::default().set("rooms.keep_records", "5").set("limits.rate_per_s", "off");
    let server = setup.start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    for _ in 0..3 {
        say(&mut bob, "for @ann");
    }
    for _ in 0..4 {
        say(&mut bob, "for nobody");
    }
    // Dropped from behind: what is counted is what is there.
    let page = loop {
        let page = ann.ask(&json!({"op": "history", "room": "lobby"}));
        if page["oldest"] != 1 {
            break page;
        }
    };
    let left = page["items"].as_array().expect("items");
    let named = left.iter().filter(|item| item.get("mentions").is_some()).count();
    assert_eq!(counts(&mut ann).1, u64::try_from(named).expect("few"));
}

#[test]
fn a_room_of_moderators_is_called_by_them_alone() {
    let server = Setup::default().set("rooms.mention_room", "moderators").start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "lobby"}));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let refused = bob.refused(&json!({"op": "send", "room": "lobby", "text": "@room!"}), 3004);
    assert_subset(&refused["data"], &json!({"error": "forbidden", "field": "text"}));
    say(&mut bob, "`@room`!");
    say(&mut ann, "@room!");
    assert_eq!(counts(&mut bob), (1, 1));
}

#[test]
fn a_person_at_a_terminal_answers_by_a_name_or_by_words_and_sees_what_is_answered() {
    let server = Server::start();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    say(&mut bob, "who brings the cake?");
    say(&mut bob, "and the \"tea\"?");
    let mut ann = Raw::connect(server.tcp);
    converse(
        &mut ann,
        "> /nick ann
         < Welcome to chinwag …. You are ann.
         < Type /join lobby to join a room, /help for all commands.
         > /reply bob I do
         < ! you are not in a room; join one with /join lobby
         > /join lobby
         < -- you are in lobby, 2 members --
         < -- …, times in UTC --
         < [lobby] … bob: who brings the cake?
         < [lobby] … bob: and the \"tea\"?
         > /reply bob I do
         > /reply \"brings the CAKE\" me, too
         > /reply \"nothing like it\" no
         < ! no message of lately is meant by this; /history shows them
         > /reply bob
         < ! it is written like this, for example: /reply bob yes",
    );
    bob.expect(&json!({"ev": "message", "from": "ann", "text": "I do", "reply_to": 2}));
    bob.expect(&json!({"ev": "message", "from": "ann", "text": "me, too", "reply_to": 1}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "good", "reply_to": 3}));
    converse(&mut ann, "< [lobby] bob to ann's \"I do\": good");
}
