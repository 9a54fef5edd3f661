//! Accounts: who logs in is who, and what is left of it in files.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, RawWs, Server, Setup};

/// A password that is looked for in files.
const PASSWORD: &str = "marker-correct-horse-battery";

/// A server with accounts, where everybody may register.
fn open() -> Server {
    setup("open").start()
}

fn setup(registration: &str) -> Setup {
    Setup::default().set("auth", "accounts").set("accounts.registration", registration)
}

fn register(server: &Server, name: &str) -> String {
    let data = Client::ws(server)
        .ask(&json!({"op": "register", "name": name, "password": PASSWORD, "agent": "test"}));
    assert_eq!(data["user"], name);
    data["token"].as_str().expect("as it should be").to_owned()
}

fn login(server: &Server, name: &str, password: &str) -> Value {
    let login = json!({"op": "login", "name": name, "password": password});
    Client::lines(server).request(&login)
}

fn hello(server: &Server, token: &str) -> Client {
    let mut client = Client::lines(server);
    client.ask(&json!({"op": "hello", "token": token}));
    client
}

/// The close code that a client is told.
fn close_of(client: &mut Client) -> u64 {
    client.expect(&json!({"ev": "bye"}))["close"].as_u64().expect("as it should be")
}

fn is_no_good(server: &Server, token: &str) {
    Client::ws(server).refused(&json!({"op": "hello", "token": token}), 2001);
}

/// Runs a command beside the server, with a line on its standard input.
fn chinwag(server: &Server, args: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--data").arg(server.data()).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("a program that can be started");
    process
        .stdin
        .take()
        .expect("as it should be")
        .write_all(input.as_bytes())
        .expect("as it should be");
    let output = process.wait_with_output().expect("as it should be");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("as it should be"))
}

/// Whether a text is in any file of a directory.
fn is_in_files(folder: &Path, text: &str) -> bool {
    let files = fs::read_dir(folder)
        .expect("as it should be")
        .map(|entry| entry.expect("as it should be").path());
    let contains = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    files.filter(|path| path.is_file()).any(|path| contains(&path))
}

#[test]
fn who_registers_logs_in_and_is_the_same_user_on_each_device_and_after_a_restart() {
    let mut server = open();
    let first = register(&server, "ann");
    let mut ann = hello(&server, &first);
    ann.ask(&json!({"op": "join", "room": "team"}));
    let second = login(&server, "ann", PASSWORD)["data"]["token"].as_str().unwrap().to_owned();
    assert!(first.starts_with("cwl_") && first != second);
    let mut other = hello(&server, &second);
    assert_eq!(other.ask(&json!({"op": "rooms"}))["rooms"][0]["room"], "team");
    server.restart(Signal::KILL);
    for token in [&first, &second] {
        let welcome = Client::ws(&server).ask(&json!({"op": "hello", "token": token}));
        assert_eq!(welcome["user"], "ann");
        assert_eq!(
            (&welcome["auth"], &welcome["registration"]),
            (&json!(["accounts"]), &json!("open"))
        );
    }
    Client::ws(&server).refused(&json!({"op": "hello", "name": "ann"}), 2001);
    Client::ws(&server).refused(&json!({"op": "hello", "name": "bob", "token": first}), 1003);
}

#[test]
fn an_unknown_name_and_a_wrong_password_are_answered_alike() {
    let server = open();
    register(&server, "ann");
    let strip = |mut reply: Value| {
        reply["id"] = Value::Null;
        reply
    };
    let wrong = strip(login(&server, "ann", "not the password"));
    assert_eq!(wrong["code"], 2001);
    for name in ["nobody", "not a name", "ANN", ""] {
        assert_eq!(strip(login(&server, name, "not the password")), wrong, "{name}");
    }
}

#[test]
fn a_login_renews_a_hash_of_another_cost_and_ends_no_other_login() {
    let mut server = setup("open").set("memory", "256MB").start();
    let token = register(&server, "ann");
    register(&server, "bob");
    server.restart_with(Signal::TERM, ("memory", "64MB"));
    let costs = |server: &Server| -> Vec<String> {
        let db = Connection::open(server.data().join("chinwag.db")).expect("a database");
        let sql = "SELECT name || substr(hash, 15, instr(substr(hash, 16), '$')) FROM account \
                   ORDER BY name";
        let mut statement = db.prepare(sql).expect("a table of accounts");
        let rows = statement.query_map([], |row| row.get(0)).expect("accounts");
        rows.map(|row| row.expect("a text")).collect()
    };
    assert_eq!(login(&server, "ann", "not the password")["code"], 2001);
    assert_eq!(costs(&server), ["ann$m=19456,t=2,p=1", "bob$m=19456,t=2,p=1"]);
    for _ in 0..2 {
        assert_eq!(login(&server, "ann", PASSWORD)["code"], 0);
        assert_eq!(costs(&server), ["ann$m=7168,t=5,p=1", "bob$m=19456,t=2,p=1"]);
    }
    assert_eq!(login(&server, "ann", "not the password")["code"], 2001);
    hello(&server, &token);
    server.restart(Signal::KILL);
    assert_eq!(login(&server, "ann", PASSWORD)["code"], 0);
    hello(&server, &token);
}

#[test]
fn who_guesses_is_slowed_down_by_name_and_told_when_to_come_back() {
    let server = open();
    register(&server, "ann");
    let codes: Vec<u64> = (0..25)
        .map(|_| login(&server, "ann", "wrong password"))
        .map(|reply| reply["code"].as_u64().unwrap())
        .collect();
    assert!(codes.starts_with(&[2001]) && codes.ends_with(&[5001]), "{codes:?}");
    let refused = login(&server, "ann", PASSWORD);
    assert!(refused["data"]["retry_after_ms"].as_u64().unwrap() > 0, "{refused}");
    assert_eq!(login(&server, "bob", "wrong password")["code"], 2001, "another name");
}

#[test]
fn who_guesses_through_a_proxy_slows_down_nobody_else_behind_it() {
    let server = setup("open").set("proxies", "127.0.0.1").start();
    let from = |address: &str| {
        let fields = format!("X-Forwarded-For: {address}\r\n");
        Client::over(RawWs::connect(server.http, "/ws", &fields))
    };
    let guess = |client: &mut Client, nth: u32| {
        let name = format!("nobody{nth}");
        let login = json!({"op": "login", "name": name, "password": "wrong password"});
        client.request(&login)["code"].as_u64().unwrap()
    };
    // A connection ends after so many errors in a row.
    let codes = (0..4).flat_map(|nth| {
        let mut client = from("192.0.2.7");
        (0..20).map(|more| guess(&mut client, nth * 20 + more)).collect::<Vec<_>>()
    });
    assert_eq!(codes.last(), Some(5001), "an address that guesses is slowed down");
    assert_eq!(guess(&mut from("192.0.2.8"), 99), 2001, "another one is not");
}

#[test]
fn a_bad_registration_says_what_would_be_right() {
    let server = open();
    register(&server, "ann");
    let mut client = Client::ws(&server);
    for (name, password, code, field) in [
        ("bob", "short", 1003, "password"),
        ("bob", &*"x".repeat(257), 1003, "password"),
        ("longname", "longname", 1003, "password"),
        ("Bob", PASSWORD, 1003, "name"),
        ("ann", PASSWORD, 2005, ""),
        ("guest-bob", PASSWORD, 2005, "name"),
    ] {
        let register = json!({"op": "register", "name": name, "password": password});
        let refused = client.refused(&register, code);
        assert_eq!(refused["data"]["field"].as_str().unwrap_or_default(), field, "{refused}");
    }
    let closed = setup("closed").start();
    let register = json!({"op": "register", "name": "bob", "password": PASSWORD});
    let refused = Client::ws(&closed).refused(&register, 2001);
    assert!(refused["data"]["expected"].as_str().unwrap().contains("chinwag user add"));
    let names = Setup::default().start();
    Client::ws(&names).refused(&register, 9002);
}

#[test]
fn of_two_who_register_one_name_at_once_one_has_it() {
    let server = open();
    let register = json!({"op": "register", "id": "r", "name": "ann", "password": PASSWORD});
    let mut clients: Vec<Client> = (0..4).map(|_| Client::ws(&server)).collect();
    for client in &mut clients {
        client.say(&register);
    }
    let replies: Vec<Value> =
        clients.iter_mut().map(|client| client.expect(&json!({"id": "r"}))).collect();
    let codes: Vec<u64> = replies.iter().map(|reply| reply["code"].as_u64().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 2005).count(), 3, "{codes:?}");
}

#[test]
fn a_login_that_is_ended_is_over_on_all_of_its_connections_and_for_good() {
    let mut server = open();
    let (first, second) = (register(&server, "ann"), login(&server, "ann", PASSWORD));
    let second = second["data"]["token"].as_str().unwrap();
    let (mut one, mut other) = (hello(&server, &first), hello(&server, second));
    let listed = one.ask(&json!({"op": "logins"}));
    let logins = listed["logins"].as_array().unwrap();
    assert_eq!(logins.len(), 2, "{listed}");
    assert_eq!((&logins[0]["current"], &logins[0]["agent"]), (&json!(true), &json!("test")));
    one.ask(&json!({"op": "end_login", "login": logins[1]["id"]}));
    assert_eq!(close_of(&mut other), 4006);
    is_no_good(&server, second);
    one.refused(&json!({"op": "end_login", "login": 4711}), 1003);
    one.ask(&json!({"op": "end_login", "login": "all"}));
    assert_eq!(close_of(&mut one), 4006);
    server.restart(Signal::KILL);
    is_no_good(&server, &first);
}

#[test]
fn a_changed_password_ends_the_other_logins_and_the_old_one_is_wrong() {
    let server = open();
    let first = register(&server, "ann");
    let second = login(&server, "ann", PASSWORD)["data"]["token"].as_str().unwrap().to_owned();
    let (mut one, mut other) = (hello(&server, &first), hello(&server, &second));
    let change = |old: &str, new: &str| json!({"op": "password", "old": old, "new": new});
    one.refused(&change("wrong password", "another password"), 2001);
    one.refused(&change(PASSWORD, "short"), 1003);
    one.ask(&change(PASSWORD, "another password"));
    assert_eq!(close_of(&mut other), 4006);
    one.ask(&json!({"op": "ping"}));
    assert_eq!(login(&server, "ann", PASSWORD)["code"], 2001);
    assert_eq!(login(&server, "ann", "another password")["code"], 0);
}

#[test]
fn a_link_leads_into_a_room_for_as_long_as_who_has_made_it_may_invite_there() {
    let server = setup("open").set("accounts.invites", "anyone").start();
    let enter = |name| hello(&server, &register(&server, name));
    let (mut own, mut max, mut ann) = (enter("own"), enter("max"), enter("ann"));
    own.ask(&json!({"op": "create", "room": "den", "private": true}));
    own.ask(&json!({"op": "invite", "room": "den", "user": "max"}));
    max.ask(&json!({"op": "join", "room": "den"}));
    own.ask(&json!({"op": "role", "room": "den", "user": "max", "role": "moderator"}));
    let link = max.ask(&json!({"op": "invite_link", "uses": 9, "rooms": ["den"]}));
    let accept = json!({"op": "accept", "invite": link["invite"]});
    ann.ask(&accept);
    ann.ask(&json!({"op": "join", "room": "den"}));
    ann.ask(&json!({"op": "leave", "room": "den"}));
    own.ask(&json!({"op": "kick", "room": "den", "user": "max"}));
    for who in [&mut max, &mut ann] {
        who.ask(&accept);
        who.refused(&json!({"op": "join", "room": "den"}), 3001);
    }
}

#[test]
fn an_invite_link_lets_as_many_in_as_it_says_and_no_more() {
    let mut server = setup("invite").start();
    let (done, said) = chinwag(&server, &["invite", "--uses", "1", "--room", "team"], "");
    assert!(done, "{said}");
    let secret = said.lines().next().unwrap().strip_prefix("/#invite=").unwrap().to_owned();
    let register = |name: &str, invite: Value| json!({"op": "register", "id": name, "name": name, "password": PASSWORD, "invite": invite});
    Client::ws(&server).refused(&register("eve", Value::Null), 2001);
    Client::ws(&server).refused(&register("eve", json!("cwi_x")), 2001);
    let (mut ann, mut bob) = (Client::ws(&server), Client::ws(&server));
    ann.say(&register("ann", json!(secret)));
    bob.say(&register("bob", json!(secret)));
    let replies = [ann.expect(&json!({"id": "ann"})), bob.expect(&json!({"id": "bob"}))];
    let mut codes: Vec<_> = replies.iter().map(|reply| reply["code"].as_u64().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 2001], "{replies:?}");
    let in_rooms = replies.iter().any(|reply| reply["data"]["rooms"] == json!(["team"]));
    assert!(in_rooms, "{replies:?}");
    server.restart(Signal::KILL);
    Client::ws(&server).refused(&register("eve", json!(secret)), 2001);
}

#[test]
fn the_first_administrator_comes_in_by_a_link_that_is_printed_until_it_is_used() {
    let mut server = setup("closed").start();
    let link = |server: &Server| {
        let line = server.announced.iter().find_map(|line| line.split_once("/#invite="));
        line.map(|(_, rest)| rest.split(' ').next().unwrap().to_owned())
    };
    let old = link(&server).expect("a link at the first start");
    server.restart(Signal::TERM);
    let new = link(&server).expect("a link at the second start");
    let register = |invite: &str| json!({"op": "register", "name": "root", "password": PASSWORD, "invite": invite});
    Client::ws(&server).refused(&register(&old), 2001);
    let token = Client::ws(&server).ask(&register(&new))["token"].as_str().unwrap().to_owned();
    let mut root = hello(&server, &token);
    let made = root.ask(&json!({"op": "invite_link", "uses": 2}));
    assert!(made["path"].as_str().unwrap().starts_with("/#invite=cwi_"), "{made}");
    server.restart(Signal::TERM);
    assert_eq!(link(&server), None, "there is an administrator");
    let (_, said) = chinwag(&server, &["user", "list"], "");
    assert!(said.contains("root account administrator"), "{said}");
}

#[test]
fn commands_beside_a_running_server_add_users_and_change_them() {
    let server = setup("closed").start();
    let (done, said) = chinwag(&server, &["user", "add", "ann"], &format!("{PASSWORD}\n"));
    assert!(done && !said.contains(PASSWORD), "{said}");
    let token = login(&server, "ann", PASSWORD)["data"]["token"].as_str().unwrap().to_owned();
    let mut ann = hello(&server, &token);
    let (done, said) = chinwag(&server, &["user", "add", "ann"], "");
    assert!(!done && said.contains("somebody's"), "{said}");
    let (done, said) = chinwag(&server, &["user", "passwd", "ann"], "");
    assert!(done, "{said}");
    let made = said.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(login(&server, "ann", PASSWORD)["code"], 2001, "the former password is taken");
    is_no_good(&server, &token);
    assert_eq!(close_of(&mut ann), 4006, "its logins are over");
    assert_eq!(login(&server, "ann", made)["code"], 0);
    let (done, said) = chinwag(&server, &["user", "retire", "ann"], "");
    assert!(done, "{said}");
    assert_eq!(login(&server, "ann", made)["code"], 2001, "its account has ended");
    let (done, said) = chinwag(&server, &["user", "add", "ann"], "");
    assert!(!done && said.contains("not given again"), "{said}");
    let (_, said) = chinwag(&server, &["audit"], "");
    for act in ["operator add ann", "operator password ann", "operator retire ann"] {
        assert!(said.contains(act), "{said}");
    }
}

#[test]
fn a_user_of_before_is_locked_until_it_is_claimed() {
    let mut server = Server::start();
    Client::ws(&server).named("ann", Some("team"));
    server.restart_with(Signal::TERM, ("auth", "accounts"));
    let (done, said) = chinwag(&server, &["user", "add", "ann"], "");
    assert!(!done && said.contains("claim"), "{said}");
    let (done, said) = chinwag(&server, &["user", "claim", "ann"], &format!("{PASSWORD}\n"));
    assert!(done, "{said}");
    server.restart(Signal::TERM);
    let token = login(&server, "ann", PASSWORD)["data"]["token"].as_str().unwrap().to_owned();
    let rooms = hello(&server, &token).ask(&json!({"op": "rooms"}));
    assert_eq!(rooms["rooms"][0]["room"], "team", "{rooms}");
}

#[test]
fn the_name_of_who_was_erased_is_given_to_nobody_else() {
    let mut server = open();
    register(&server, "ann");
    server.restart_after(Signal::TERM, |data| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.env_clear().args(["erase-user", "ann", "--yes", "--data"]).arg(data);
        assert!(command.stdout(Stdio::null()).status().expect("a program").success());
    });
    assert_eq!(login(&server, "ann", PASSWORD)["code"], 2001);
    let request = json!({"op": "register", "name": "ann", "password": PASSWORD});
    Client::ws(&server).refused(&request, 2005);
}

#[test]
fn who_is_banned_learns_so_only_with_the_right_password() {
    let server = open();
    let token = register(&server, "ann");
    let mut ann = hello(&server, &token);
    let (done, said) = chinwag(&server, &["ban", "user", "ann"], "");
    assert!(done, "{said}");
    Client::ws(&server).refused(&json!({"op": "hello", "token": token}), 2004);
    assert_eq!(close_of(&mut ann), 4005);
    assert_eq!(login(&server, "ann", "wrong password")["code"], 2001);
    assert_eq!(login(&server, "ann", PASSWORD)["code"], 2004);
}

#[test]
fn no_password_and_no_secret_is_in_a_file_or_in_the_log() {
    let mut server = Setup::default()
        .set("auth", "accounts")
        .set("accounts.registration", "open")
        .set("log_level", "trace")
        .start();
    let token = register(&server, "ann");
    login(&server, "ann", "marker-wrong-password");
    hello(&server, &token).ask(&json!({"op": "ping"}));
    let log = server.log();
    server.restart(Signal::KILL);
    for secret in [PASSWORD, "marker-wrong-password", &token] {
        assert!(!is_in_files(&server.data(), secret), "{secret}");
        assert!(!log.contains(secret), "{secret}");
    }
    assert!(is_in_files(&server.data(), "$argon2id$v=19$m=19456,t=2,p=1$"), "what is kept");
}
