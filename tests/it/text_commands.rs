//! Each command of a person with `nc`, with arguments that are wrong or at the edge: the answers
//! are words for people.

use serde_json::{Value, json};

use crate::support::terminal::converse;
use crate::support::{Client, Raw, Server, Setup};

/// All names of commands, those last that end where the person is. Not `quit`.
const COMMANDS: &[&str] = &[
    "nick",
    "join",
    "msg",
    "who",
    "rooms",
    "history",
    "search",
    "topic",
    "away",
    "create",
    "invite",
    "kick",
    "mute",
    "ban",
    "block",
    "report",
    "role",
    "login",
    "help",
    "members",
    "reply",
    "thread",
    "back",
    "whois",
    "display",
    "status",
    "unmute",
    "unban",
    "uninvite",
    "bans",
    "unblock",
    "blocked",
    "reports",
    "settle",
    "audit",
    "rename",
    "say",
    "me",
    "register",
    "password",
    "logins",
    "endlogin",
    "invite-link",
    "accept",
    "list",
    "edit",
    "delete",
    "react",
    "color",
    "jion",
    "",
    "close",
    "leave",
    "end",
];

const ARGUMENTS: &[&str] = &[
    "",
    "x",
    "@",
    "#",
    "@x",
    "#x",
    "@ann:x",
    "0",
    "-1",
    "3",
    "2147483648",
    "9007199254740992",
    "99999999999999999999",
    "...",
    "\u{202e}x",
    "\u{200b}",
    "\u{ff22}ob hi",
    "bob",
    "bob hi",
    "bob: hi",
    "ann hi",
    "bob 0m",
    "bob 10",
    "bob 10m",
    "bob 99999999999y",
    "bob king",
    "bob owner",
    "0s at sea",
    "2y at sea",
    "99999999999y at sea",
    "30d at sea",
    "9y",
    "tea 20000",
    "tea 5 9y",
    "5 tea 7d",
    "\"see you\" yes",
    "\"see you",
    "den private",
    "den what",
    "sure it is over",
    "unsure",
    "cwi_x",
    "others",
    "everything",
    "all",
    "old newer",
    "a b c",
];

/// What only a program has use for.
const OF_PROGRAMS: &[&str] = &[
    "_ms",
    "millis",
    "json",
    "2^53",
    "integer",
    "string",
    "seq",
    "cid",
    "null",
    "true",
    "false",
    "field",
    "\"op\"",
    "hello first",
    "before hello",
    "out of range",
    "token",
];

/// What is answered up to the answer to a second line, which waits for nothing: to the line itself,
/// or to one before.
fn answers(raw: &mut Raw, typed: &str) -> Vec<String> {
    raw.send(format!("{typed}\n/help quit\n").as_bytes());
    let lines =
        std::iter::from_fn(|| Some(raw.line().unwrap_or_else(|| panic!("the end: {typed:?}"))));
    lines.take_while(|line| !line.starts_with("  /quit ")).collect()
}

fn check(server: &Server, begin: &str) {
    let mut raw = Raw::connect(server.tcp);
    converse(&mut raw, begin);
    let long = "x".repeat(700);
    let mut refused = 0;
    for command in COMMANDS {
        for argument in ARGUMENTS.iter().chain([&&*long]) {
            // Where one is an owner, and alone. All logins are one's own, too.
            let typed = format!("/{command} {argument}");
            if typed == "/endlogin all" {
                continue;
            }
            let mut told = answers(&mut raw, "/create own");
            told.extend(answers(&mut raw, "/join own"));
            told.extend(answers(&mut raw, &typed));
            // A secret may have any letters.
            for line in told.iter().filter(|line| !line.contains("cwi_")) {
                let found = OF_PROGRAMS.iter().find(|word| line.to_lowercase().contains(**word));
                assert_eq!(found, None, "{typed:?} is answered with {line:?}");
            }
            refused += usize::from(told.last().is_some_and(|line| line.starts_with("! ")));
        }
    }
    assert!(refused > 500, "{refused} were refused");
    raw.send(b"/back\n");
    while raw.line().expect("the answer to the last line") != "-- you are shown as online --" {}
}

#[test]
fn no_wrong_argument_is_answered_with_the_words_of_programs() {
    let setup = Setup::default().set("limits.rate_per_s", "off").set("limits.joins_per_s", "off");
    let server = setup.start();
    check(&server, "> /nick ann\n< Welcome …\n< Type …");
}

#[test]
fn nor_is_one_where_there_are_accounts() {
    let setup = Setup::default().set("limits.rate_per_s", "off").set("limits.joins_per_s", "off");
    let setup = setup.set("auth", "accounts").set("accounts.registration", "open");
    let server = setup.set("accounts.invites", "anyone").start();
    check(&server, "> /register ann secret of ann\n< Welcome …\n< Type …");
}

#[test]
fn a_person_is_told_who_else_comes_and_goes_and_nothing_of_itself() {
    let server = Setup::default().start();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let mut ann = Raw::connect(server.tcp);
    converse(
        &mut ann,
        "> /nick ann\n< Welcome …\n< Type …\n> /join lobby\n< -- you are in lobby, …",
    );
    // A program is told of everybody.
    let is_of_ann =
        |event: &Value| event["on"].as_array().is_some_and(|on| on.contains(&json!("ann")));
    while !is_of_ann(&bob.expect(&json!({"ev": "presence", "room": "lobby"}))) {}
    let _eve = Client::ws(&server).named("eve", Some("lobby"));
    let mut told = Vec::new();
    while told.last().is_none_or(|line: &String| !line.contains("eve")) {
        told.push(ann.line().expect("who has come"));
    }
    assert!(!told.iter().any(|line| line.contains("ann")), "{told:?}");
}
