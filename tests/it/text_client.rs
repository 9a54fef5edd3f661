//! A person with `nc` or telnet: what they type, and what they read.

use serde_json::json;

use crate::support::json::NUMBER;
use crate::support::terminal::converse;
use crate::support::{Client, Raw, Server, Setup};

/// Presence is told at once, so that it cannot come between later lines by chance.
fn server() -> Server {
    Setup::default().start()
}

/// A person at a terminal who has given a name.
fn person(server: &Server, name: &str) -> Raw {
    let mut raw = Raw::connect(server.tcp);
    converse(&mut raw, &format!("> /nick {name}\n< Welcome …\n< Type …"));
    raw
}

/// Waits until `client` has been told that `user` is there.
#[track_caller]
fn await_presence(client: &mut Client, user: &str) {
    loop {
        let event = client.expect(&json!({"ev": "presence", "room": "lobby"}));
        if event["on"].as_array().is_some_and(|on| on.contains(&json!(user))) {
            return;
        }
    }
}

#[test]
fn a_conversation_reads_well() {
    let server = server();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let mut ann = Raw::connect(server.tcp);
    converse(
        &mut ann,
        "> /nick ann
         < Welcome to chinwag …. You are ann.
         < Type /join lobby to join a room, /help for all commands.
         > hello?
         < ! you are not in a room; join one with /join lobby
         > /rooms
         < -- you are not in a room; join one with /join lobby --
         > /join lobby
         < -- you are in lobby, 2 members --
         > hello",
    );
    await_presence(&mut bob, "ann");
    converse(&mut ann, "> /who\n< -- 2 here: ann, bob --");
    bob.expect(&json!({"ev": "message", "from": "ann", "text": "hello", "seq": 1}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "hi ann"}));
    converse(&mut ann, "< [lobby] bob: hi ann");
    bob.ask(&json!({"op": "topic", "room": "lobby", "text": "tea"}));
    converse(
        &mut ann,
        "< [lobby] * bob changed the topic: tea\n> /topic\n< -- topic of lobby: tea --",
    );
    converse(&mut ann, "> /msg bob psst, bob\n< to bob: psst, bob");
    bob.expect(&json!({"ev": "message", "room": "@ann:bob", "text": "psst, bob"}));
    bob.ask(&json!({"op": "send", "to": "ann", "text": "what?"}));
    converse(
        &mut ann,
        "< [@ann:bob] bob: what?
         > /history 2
         < -- …, times in UTC --
         < [lobby] …:… bob: hi ann
         < [lobby] …:… * bob changed the topic: tea
         > /jion x
         < ! there is no /jion; did you mean /join; /help lists the commands
         > /join No
         < ! …; did you mean no
         > /join
         < ! it is written like this, for example: /join lobby
         > //not a command
         > /leave
         < -- you have left lobby --
         < -- you are in no room now; join one with /join lobby --
         > anybody?
         < ! you are not in a room; join one with /join lobby
         > /quit
         < -- goodbye --",
    );
    bob.expect(&json!({"ev": "message", "text": "/not a command"}));
    ann.assert_ended();
}

#[test]
fn who_says_nothing_of_a_name_is_a_guest_and_may_take_one_before_speaking() {
    let server = server();
    let mut raw = Raw::connect(server.tcp);
    converse(
        &mut raw,
        "> /help
         < Welcome to chinwag …. You are guest-…; choose a name with /nick ann.
         < Type /join lobby to join a room, /help for all commands.",
    );
    for command in ["nick", "join", "leave", "msg", "who", "rooms", "history"] {
        converse(&mut raw, &format!("< …/{command}…"));
    }
    for command in [
        "search", "topic", "away", "create", "invite", "kick", "mute", "ban", "block", "report",
        "role",
    ] {
        converse(&mut raw, &format!("< …/{command}…"));
    }
    converse(
        &mut raw,
        "< …/help…
         < …/quit…
         < Any other line is said in the room you joined last; // says a slash.
         < Times are …
         > /nick ann
         < -- you are ann now --
         > /join lobby
         < -- you are in lobby, 1 member --
         > /nick eve
         < ! others know you by this name; to take another, /quit and connect again
         > /nick
         < ! it is written like this, for example: /nick ann",
    );
}

#[test]
fn nobodys_terminal_obeys_what_others_write() {
    let server = server();
    let mut ann = person(&server, "ann");
    converse(&mut ann, "> /join lobby\n< …");
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    for text in ["\u{1b}[2J", "a\u{7}b", "x\r[lobby] bob: fake", "\u{9b}31m", "\u{7f}"] {
        let refused = bob.refused(&json!({"op": "send", "room": "lobby", "text": text}), 1003);
        assert!(refused["data"]["offset"].is_u64(), "{refused}");
    }
    for text in ["\u{202e}evil", "a\tb", "\u{2066}x", "a\u{2028}b"] {
        bob.ask(&json!({"op": "send", "room": "lobby", "text": text}));
        let line = loop {
            let line = ann.line().expect("a line");
            if line.starts_with("[lobby] bob:") {
                break line;
            }
        };
        let bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!line.contains(bad), "{text:?} → {line:?}");
    }
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "one\n[lobby] eve: two"}));
    converse(&mut ann, "< [lobby] bob: one\n< …");
    converse(&mut ann, "> \u{1b}[A\n< ! the line has the control character U+001B at byte 0…");
}

#[test]
fn telnet_commands_nul_and_bad_bytes_are_no_words() {
    let server = server();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut ann = Raw::connect(server.tcp);
    // IAC WILL 31, in the middle of a line and split.
    ann.send(b"\xff\xfb\x1f/nick ann\r\n/jo\xff\xfb");
    ann.send(b"\x1fin lobby\r\0\nhi\r\n");
    bob.expect(&json!({"ev": "message", "from": "ann", "text": "hi"}));
    ann.send(b"bad \xc0\x80\r\nn\0ul\r\ngood\r\n");
    bob.expect(&json!({"ev": "message", "text": "good", "seq": 2}));
    let long = "x".repeat(17_000);
    ann.send(
        format!("{long}\n{long}{long}{long}{long}{long}{long}{long}\nstill here\n").as_bytes(),
    );
    bob.expect(&json!({"ev": "message", "text": "still here", "seq": 3}));
}

#[test]
fn the_last_line_is_said_though_nobody_ended_it() {
    let server = server();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut ann = Raw::connect(server.tcp);
    ann.send(b"/nick ann\n/join lobby\nfirst\nlast");
    ann.finish();
    bob.expect(&json!({"ev": "message", "text": "first"}));
    bob.expect(&json!({"ev": "message", "text": "last"}));
    let told = String::from_utf8(ann.take_all()).expect("UTF-8");
    assert!(told.contains("you are in lobby"), "{told}");
}

#[test]
fn a_browser_that_was_sent_here_by_another_page_says_nothing() {
    let server = server();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let target = format!("/{}", "x".repeat(200_000));
    let http = "this port takes lines, not HTTP; the page is on the HTTP port";
    for (request, why) in [
        ("GET / HTTP/1.1", http),
        ("POST / HTTP/1.1", http),
        ("POST /a HTTP/1.0", http),
        ("OPTIONS * HTTP/1.1", http),
        (
            &format!("POST {target} HTTP/1.1"),
            "the first line is too long; this port takes lines of text or JSON",
        ),
    ] {
        let mut browser = Raw::connect(server.tcp);
        browser.send(
            format!(
                "{request}\r\nHost: localhost\r\nContent-Type: text/plain\r\n\r\n\
                 /nick eve\n/join lobby\nspam\n/msg bob spam\n"
            )
            .as_bytes(),
        );
        let told = String::from_utf8(browser.take_all()).expect("UTF-8");
        assert_eq!(told, format!("! {why}\n"));
    }
    bob.assert_not_told(&json!({"ev": "message"}));
}

#[test]
fn all_that_is_pasted_is_done_at_the_rate_and_what_was_sent_before_the_end_is_answered() {
    let server =
        Setup::default().set("limits.rate_per_s", "100").set("limits.burst", "100").start();
    let mut ann = Raw::connect(server.tcp);
    let names = (0..200).map(|number| format!("/nick a{number}\n")).collect::<Vec<_>>().concat();
    ann.send(names.as_bytes());
    ann.finish();
    let told = String::from_utf8(ann.take_all()).expect("UTF-8");
    assert_eq!(told.to_lowercase().matches("you are a").count(), 200, "{told}");
    assert!(!told.contains("goodbye"), "{told}");
}

#[test]
fn what_is_pasted_at_once_is_done_in_its_order() {
    let server = server();
    let mut ann = person(&server, "ann");
    converse(
        &mut ann,
        "> /join lobby
         < -- you are in lobby, 1 member --",
    );
    for turn in 0..8 {
        ann.send(format!("hello {turn}\r\n/history 1\r\n").as_bytes());
        let shown = format!("< -- …, times in UTC --\n< [lobby] …:… ann: hello {turn}");
        converse(&mut ann, &shown);
    }
}

#[test]
fn who_enters_a_room_is_shown_what_was_said_lately_and_that_is_read() {
    let server = server();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    for number in 0..30 {
        bob.ask(&json!({"op": "send", "room": "lobby", "text": format!("old {number}")}));
    }
    let mut ann = person(&server, "ann");
    converse(
        &mut ann,
        "> /join lobby
         < -- you are in lobby, 2 members --
         < -- …day …-…-…, times in UTC --",
    );
    for number in 20..30 {
        converse(&mut ann, &format!("< [lobby] …:… bob: old {number}"));
    }
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "new"}));
    converse(&mut ann, "< [lobby] bob: new");
    bob.expect(&json!({"ev": "receipts", "room": "lobby", "read": {"ann": 31}}));
    // Whoever is there already is not shown it again.
    converse(
        &mut ann,
        "> /join lobby
         < -- you are in lobby, 2 members --
         > /join tea
         < -- you are in tea, 1 member --
         > /leave
         < -- you have left tea --
         < -- what you type goes to lobby now --
         > back
         > /quit
         < -- goodbye --",
    );
    bob.expect(&json!({"ev": "message", "room": "lobby", "text": "back"}));
}

#[test]
fn who_comes_back_is_told_what_is_unread() {
    let server = server();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let mut ann = person(&server, "ann");
    converse(
        &mut ann,
        "> /join lobby
         < -- you are in lobby, 2 members --
         > /quit
         < -- goodbye --",
    );
    ann.assert_ended();
    for text in ["one", "two"] {
        bob.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    bob.ask(&json!({"op": "send", "to": "ann", "text": "psst"}));
    let mut ann = person(&server, "ann");
    converse(
        &mut ann,
        "< -- unread: 1 from bob (/msg bob), 2 in lobby (/join lobby) --
         > /msg bob
         < -- what you type goes to bob alone now --
         < -- …, times in UTC --
         < [@ann:bob] …:… bob: psst
         > hi
         < to bob: hi
         > /quit
         < -- goodbye --",
    );
    bob.expect(&json!({"ev": "message", "room": "@ann:bob", "from": "ann", "text": "hi"}));
    // That it was read counts once it is kept.
    bob.expect(&json!({"ev": "receipts", "room": "@ann:bob", "read": {"ann": NUMBER}}));
    let mut ann = person(&server, "ann");
    converse(&mut ann, "< -- unread: 2 in lobby (/join lobby) --");
}

#[test]
fn what_is_done_to_a_message_is_told_by_its_words() {
    let server = server();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let mut ann = person(&server, "ann");
    converse(
        &mut ann,
        "> /join lobby
         < -- you are in lobby, 2 members --
         > hi all",
    );
    bob.expect(&json!({"ev": "message", "text": "hi all", "seq": 1}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "helo wrld"}));
    bob.ask(&json!({"op": "react", "room": "lobby", "target": 1, "emoji": "+"}));
    bob.ask(&json!({"op": "edit", "room": "lobby", "target": 2, "text": "hello world"}));
    bob.ask(&json!({"op": "delete", "room": "lobby", "target": 2}));
    converse(
        &mut ann,
        "< [lobby] bob: helo wrld
         < [lobby] * bob reacted to ann's \"hi all\" with +
         < [lobby] * bob changed \"helo wrld\" to: hello world
         < [lobby] * bob deleted \"hello world\"
         > /history
         < -- …
         < [lobby] …:… ann: hi all
         < [lobby] …:… * a message of bob was deleted
         < [lobby] …:… * bob reacted to ann's \"hi all\" with +",
    );
}

#[test]
fn whoever_keeps_order_at_a_terminal_sees_what_was_done() {
    let server = server();
    let mut ann = person(&server, "ann");
    converse(
        &mut ann,
        "> /create den
         < -- you are in den as owner, 1 member --
         > /invite bob
         < -- bob is invited to den --",
    );
    let mut bob = Raw::connect(server.tcp);
    converse(
        &mut bob,
        "> /nick bob
         < Welcome …
         < Type …
         < -- ann invites you: /join den --
         > /join tea
         < -- you are in tea, 1 member --
         > /join den
         < -- you are in den, 2 members --",
    );
    for (typed, told) in [
        ("/mute bob 10m spam", "* bob was muted for 10 minutes by ann: spam"),
        ("/unmute bob", "* bob may speak again: the mute was ended by ann"),
        ("/role bob moderator", "* bob was made a moderator by ann"),
        ("/topic tea", "* ann changed the topic: tea"),
        ("/topic -", "* ann removed the topic"),
        ("/kick bob rude", "* bob was removed by ann: rude"),
    ] {
        converse(&mut ann, &format!("> {typed}\n< [den] {told}"));
        converse(&mut bob, &format!("< [den] {told}"));
    }
    // The rest of a sentence is not said elsewhere.
    converse(
        &mut bob,
        "< -- you were removed from den --
         < -- to go on in tea, type /join tea --
         > you all are
         < ! this was not said; to go on in tea, type /join tea
         > /join den
         < -- you are in den, 2 members --
         < -- …",
    );
    converse(
        &mut ann,
        "> /ban bob 1w
         < [den] * bob was banned for 1 week by ann
         > /bans
         < -- restrictions in den: bob (ban) --
         > /unban bob
         < [den] * bob may come back: the ban was ended by ann
         > /invite eve
         < -- eve is invited to den --
         > /uninvite eve
         < -- eve is not invited to den now --
         > /mute bob 10
         < ! how long is this?; expected: a whole number with a unit …
         > /away
         < -- you are shown as away; /back ends it --
         > /back
         < -- you are shown as online --",
    );
}

#[test]
fn ones_last_message_is_changed_and_deleted_and_others_get_reactions() {
    let server = server();
    let [mut ann, mut bob] = ["ann", "bob"].map(|name| person(&server, name));
    for person in [&mut ann, &mut bob] {
        converse(person, "> /join lobby\n< -- you are in lobby, …");
    }
    converse(&mut ann, "> teh cake");
    converse(&mut bob, "< [lobby] ann: teh cake\n> /edit mine\n< ! no message of lately …");
    converse(&mut ann, "> /edit the cake\n< [lobby] * ann changed … to: the cake");
    converse(
        &mut bob,
        "< [lobby] * ann changed … to: the cake
         > /react ann 👍
         < [lobby] * bob reacted to ann's \"the cake\" with 👍",
    );
    converse(
        &mut ann,
        "< [lobby] * bob reacted to ann's \"the cake\" with 👍
         > /delete
         < [lobby] * ann deleted …
         > /delete
         < ! no message of lately is meant by this; /history shows them",
    );
    converse(&mut bob, "< [lobby] * ann deleted …");
}

#[test]
fn what_is_a_habit_elsewhere_is_understood_or_answered_with_what_is_meant() {
    let server = server();
    let mut ann = Raw::connect(server.tcp);
    converse(
        &mut ann,
        "> help
         < Welcome …
         < Type …
         < …/nick…",
    );
    while ann.line().expect("a line") != "Times are 30s, 10m, 2h, 1d, 1w or 1y." {}
    for (typed, told) in [
        ("/nick Ann", "! Ann is not a name; …; did you mean ann"),
        ("quit", "! you are not in a room; join one with /join lobby, or did you mean /quit"),
        ("/list", "-- no room was found --"),
        ("/away lunch", "! /away has no words; …"),
        ("/finger bob", "-- you share no room with a user of this name --"),
        ("/help mute", "  /mute bob 10m spam  keeps bob from speaking; /unmute ends it"),
        ("/j lobby", "-- you are in lobby, 1 member --"),
        ("/list LOB", "-- lobby, 1 member --"),
        ("/delete", "! no message of lately is meant by this; /history shows them"),
        ("   ", "! a message needs more than blanks"),
        ("/qiut", "! there is no /qiut; did you mean /quit; /help lists the commands"),
        ("/part", "-- you have left lobby --"),
        ("/exit", "-- you are in no room now; join one with /join lobby --"),
    ] {
        converse(&mut ann, &format!("> {typed}\n< {told}"));
    }
    converse(&mut ann, "< -- goodbye --");
    ann.assert_ended();
}

#[test]
fn the_last_member_of_a_private_room_ends_it_with_close() {
    converse(
        &mut Raw::connect(server().tcp),
        "> /nick ann
         < …
         < …
         > /create den private
         < -- you are in den as owner, 1 member --
         > secret
         > /leave
         < ! you are the last member; leaving ends this room, and 1 message with it; /close does so
         > /close
         < -- you have left den…
         < -- you are in no room now…
         > /join den
         < -- you are in den, 1 member --",
    );
}
