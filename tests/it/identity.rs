//! Who is who: whose names are believed, and where.

use std::process::{Command, Stdio};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::keys::chinwag_key;
use crate::support::{Client, RawWs, Server, Setup, http};

/// What a server says that believes names and is asked by somebody else than this machine.
const WORDS: [&str; 3] = ["auth = \"none\"", "\"accounts\"", "insecure = true"];

/// How a command ends with these settings, and what it prints.
fn run(command: &str, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut chinwag = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    chinwag.arg(command).env_clear().envs(settings.iter().copied()).stdin(Stdio::null());
    let output = chinwag.output().expect("a program that can be started");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn a_server_that_believes_names_does_not_start_where_others_can_connect() {
    for (setting, address) in [
        ("CHINWAG_LISTEN", "0.0.0.0:0"),
        ("CHINWAG_LISTEN", "127.0.0.1:0,[::]:0"),
        ("CHINWAG_TCP", "192.0.2.1:9000"),
    ] {
        for command in ["check", "serve"] {
            let (code, said) = run(command, &[(setting, address)]);
            assert_eq!(code, Some(2), "{said}");
            for word in WORDS.into_iter().chain([setting, "Listen on 127.0.0.1"]) {
                assert!(said.contains(word), "no {word:?} in {said}");
            }
        }
        for (other, value) in [("CHINWAG_INSECURE", "true"), ("CHINWAG_AUTH", "accounts")] {
            let (code, said) = run("check", &[(setting, address), (other, value)]);
            assert_eq!(code, Some(0), "{said}");
        }
    }
}

#[test]
fn a_request_by_a_proxy_or_for_another_host_is_refused_where_names_are_believed() {
    let get = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n");
    let server = Setup::default().set("http.hosts", "chat.example.org").start();
    let insecure = Setup::default().set("http.hosts", "chat.example.org");
    let insecure = insecure.set("insecure", "true").start();
    for fields in [
        "Host: localhost\r\nVia: 1.1 a",
        "Host: localhost\r\nforwarded: for=192.0.2.1",
        "Host: localhost\r\nX-Forwarded-For: 192.0.2.1",
        "Host: localhost\r\nx-forwarded-proto: https",
        "Host: chat.example.org",
        "Host: 192.0.2.1:8080",
        "Host: [2001:db8::1]",
    ] {
        let response = http::request(server.http, get(fields).as_bytes());
        assert_eq!(response.status, 403, "{fields}: {response:?}");
        for word in WORDS {
            assert!(response.text().contains(word), "{response:?}");
        }
        assert_eq!(http::request(insecure.http, get(fields).as_bytes()).status, 200, "{fields}");
    }
    for fields in ["Host: localhost", "Host: chat.localhost:1", "Host: 127.1.2.3", "Host: [::1]"] {
        assert_eq!(http::request(server.http, get(fields).as_bytes()).status, 200, "{fields}");
    }
}

#[test]
fn who_proves_nothing_is_told_what_is_expected_or_is_a_guest_of_a_name_of_its_own() {
    let server = Setup::default().set("auth", "accounts").start();
    let refused = Client::ws(&server).refused(&json!({"op": "hello", "name": "ann"}), 2001);
    assert_eq!(refused["data"]["field"], "token", "{refused}");
    assert!(refused["data"]["expected"].as_str().unwrap_or_default().contains("login"));
    let setup = Setup::default().set("auth", "accounts").set("accounts.guests", "true");
    let server = setup.start();
    let hello = |name: &str| json!({"op": "hello", "name": name});
    let mut ann = Client::ws(&server);
    let welcome = ann.ask(&hello("ann"));
    assert_eq!(welcome["user"], "guest-ann", "{welcome}");
    for name in ["ann", "guest-ann"] {
        Client::ws(&server).refused(&hello(name), 2005);
    }
    drop(ann);
    let resume = json!({"session": welcome["session"], "rooms": {}});
    let back = Client::ws(&server).ask(&json!({"op": "hello", "resume": resume}));
    assert_eq!((&back["user"], &back["resumed"]), (&json!("guest-ann"), &json!(true)), "{back}");
    let none = Client::ws(&server).ask(&json!({"op": "hello"}));
    assert!(none["user"].as_str().unwrap_or_default().starts_with("guest-"), "{none}");
}

/// The first `hello` of a name waits for the store, and what is sent behind it waits, too.
#[test]
fn what_follows_a_hello_that_waits_for_the_store_is_done_after_it() {
    for kind in [Client::ws, Client::lines] {
        let server = Setup::default().set("auth", "accounts,none").start();
        let mut ann = kind(&server);
        ann.say(&json!({"op": "hello", "id": "h", "name": "ann"}));
        ann.say(&json!({"op": "join", "id": "j", "room": "team"}));
        ann.say(&json!({"op": "send", "id": "s", "room": "team", "text": "hi"}));
        for id in ["h", "j", "s"] {
            ann.expect(&json!({"id": id, "code": 0}));
        }
    }
}

#[test]
fn names_of_before_stay_those_of_their_users_whoever_says_later_who_is_who() {
    let mut server = Server::start();
    Client::ws(&server).named("ann", Some("team"));
    server.restart_with(Signal::TERM, ("auth", "accounts,none"));
    Client::ws(&server).named("ann", None);
    Client::ws(&server).named("new", Some("team"));
    server.restart_with(Signal::KILL, ("auth", "accounts"));
    let hello = |name: &str| json!({"op": "hello", "name": name});
    Client::ws(&server).refused(&hello("ann"), 2001);
    let db = Connection::open(server.data().join("chinwag.db")).unwrap();
    let sql =
        "SELECT group_concat(name || ' ' || source) FROM (SELECT * FROM identity ORDER BY name)";
    let names: String = db.query_one(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(names, "ann 0,new 0");
    server.restart_with(Signal::TERM, ("auth", "none"));
    Client::ws(&server).named("ann", None);
}

/// Accounts, tokens of two issuers, and a proxy's field, side by side.
const ALL_SOURCES: &str = r#"
auth = ["accounts", "jwt", "header"]
insecure = true
proxies = ["127.0.0.1"]
[accounts]
registration = "open"
[jwt]
audience = ["chat"]
[[jwt.key]]
issuer = "one"
algorithm = "HS256"
secret = "a secret of more than 32 bytes, known to two"
[[jwt.key]]
issuer = "two"
algorithm = "HS256"
secret = "another secret of more than 32 bytes, as well"
"#;

/// Each source of names. Nothing is proved by the last one.
const SOURCES: [&str; 6] = ["account", "one", "two", "header", "key", "none"];

/// How one who comes from a source is answered that wants a name.
fn code_of(server: &Server, source: &str, name: &str) -> u64 {
    let reply: Value = match source {
        "account" => Client::ws(server)
            .request(&json!({"op": "register", "name": name, "password": "of eight or more"})),
        "header" => {
            let fields = format!("X-Forwarded-User: {name}\r\nOrigin: http://{}\r\n", server.http);
            let mut client = Client::over(RawWs::connect(server.http, "/ws", &fields));
            client.request(&json!({"op": "hello"}))
        }
        "key" => match chinwag_key(server, &["add", name, "--rooms", "*"]) {
            (true, _) => json!({"code": 0}),
            (false, said) => {
                let is_taken = said.contains("this name is somebody's");
                json!({"code": if is_taken { 2005 } else { 9999 }, "said": said})
            }
        },
        "none" => Client::ws(server).request(&json!({"op": "hello", "name": name})),
        issuer => {
            let token = token_of(issuer, name);
            Client::ws(server).request(&json!({"op": "hello", "token": token}))
        }
    };
    reply["code"].as_u64().expect("a code")
}

/// A token of an issuer of [`ALL_SOURCES`].
fn token_of(issuer: &str, subject: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let config = folder.path().join("chinwag.toml");
    std::fs::write(&config, ALL_SOURCES).expect("a file that can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().args(["token", "mint", subject, "--issuer", issuer, "--config"]);
    let output = command.arg(&config).output().expect("a program that can be started");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

#[test]
fn a_name_of_one_source_is_given_to_no_other_now_or_under_another_configuration() {
    let mut server = Setup::default().config(ALL_SOURCES).start();
    server.restart_with(Signal::TERM, ("auth", "none"));
    assert_eq!(code_of(&server, "none", "of-none"), 0);
    // Who is in a room is remembered.
    Client::ws(&server).named("of-none", Some("team"));
    server.restart_with(Signal::TERM, ("auth", "accounts,jwt,header"));
    for source in &SOURCES[..5] {
        assert_eq!(code_of(&server, source, &format!("of-{source}")), 0, "{source}");
    }
    for auth in ["accounts,jwt,header", "none", "accounts,jwt,header,none"] {
        server.restart_with(Signal::KILL, ("auth", auth));
        let are_there = |source: &&&str| match **source {
            "none" => auth.contains("none"),
            "key" => true,
            _ => auth != "none",
        };
        for source in SOURCES.iter().filter(are_there) {
            for other in SOURCES.iter().filter(|other| *other != source) {
                let code = code_of(&server, source, &format!("of-{other}"));
                assert_eq!(code, 2005, "{source} takes the name of {other} where auth = {auth}");
            }
        }
    }
    // Each is still whom it was.
    for source in ["one", "two", "header", "none"] {
        assert_eq!(code_of(&server, source, &format!("of-{source}")), 0, "{source}");
    }
}
