//! Exports: a user is given what is kept of it, by the server and by the operator.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database_commands::done;
use crate::support::http::request;
use crate::support::{Client, Server, Setup};

/// All parts of what is kept of the client's user.
fn parts(client: &mut Client) -> Vec<Value> {
    let (mut parts, mut after) = (Vec::new(), json!(null));
    loop {
        let part = client.ask(&json!({"op": "export", "after": after}));
        after = part["after"].clone();
        let is_last = part["more"] == json!(false);
        parts.push(part);
        if is_last {
            return parts;
        }
    }
}

/// The texts of all records, in their order, with their rooms.
fn texts(parts: &[Value]) -> Vec<(String, String)> {
    let records = parts.iter().filter(|part| part["part"] == "records");
    let items = records.flat_map(|part| part["items"].as_array().expect("a list"));
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    items.map(|item| (text(&item["room"]), text(&item["text"]))).collect()
}

/// What `ann` has done beside `bob`.
fn scene(server: &Server) -> Client {
    let mut bob = Client::ws(server).named("bob", None);
    let mut ann = Client::ws(server).named("ann", None);
    for client in [&mut ann, &mut bob] {
        client.ask(&json!({"op": "join", "room": "lobby"}));
        client.ask(&json!({"op": "join", "room": "tea"}));
    }
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "mine"}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "theirs"}));
    bob.ask(&json!({"op": "send", "to": "ann", "text": "to ann"}));
    ann.ask(&json!({"op": "send", "to": "bob", "text": "to bob"}));
    let gone = ann.ask(&json!({"op": "send", "room": "tea", "text": "deleted"}));
    ann.ask(&json!({"op": "delete", "room": "tea", "target": gone["seq"]}));
    ann.ask(&json!({"op": "send", "room": "tea", "text": "left"}));
    ann.ask(&json!({"op": "leave", "room": "tea"}));
    ann.ask(&json!({"op": "ack", "room": "lobby", "read": 2}));
    ann.ask(&json!({"op": "report", "user": "eve", "reason": "rude"}));
    ann.ask(&json!({"op": "block", "user": "eve"}));
    ann
}

fn expected() -> Vec<(String, String)> {
    let row = |(room, text): (&str, &str)| (room.to_owned(), text.to_owned());
    let rows = [
        ("lobby", "mine"),
        ("@ann:bob", "to ann"),
        ("@ann:bob", "to bob"),
        ("tea", "-"),
        ("tea", "-"),
        ("tea", "left"),
    ];
    rows.map(row).to_vec()
}

#[test]
fn a_user_gets_all_that_is_kept_of_it_and_nothing_of_others() {
    let mut server = Server::start();
    scene(&server);
    for _ in 0..2 {
        let mut ann = Client::ws(&server).named("ann", None);
        let parts = parts(&mut ann);
        let names: Vec<_> = parts.iter().map(|part| part["part"].clone()).collect();
        assert_eq!(names[..3], [json!("profile"), json!("rooms"), json!("reports")]);
        assert_eq!(parts[0]["blocked"][0]["user"], "eve");
        let lobby = json!({"room": "lobby", "role": "member", "recv": 2, "read": 2});
        let rooms = parts[1]["items"].as_array().unwrap();
        assert!(rooms.contains(&lobby) && rooms.len() == 2, "{rooms:?}");
        assert_eq!(parts[2]["items"][0]["user"], "eve");
        assert_eq!(texts(&parts), expected());
        server.restart(Signal::KILL);
    }
}

#[test]
fn the_operator_prints_the_same_beside_a_running_server() {
    let server = Server::start();
    scene(&server);
    let printed = done(Path::new(&server.data()), &["export", "--user", "ann"]);
    let parts: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(texts(&parts), expected());
    assert_eq!((&parts[0]["user"], &parts[0]["part"]), (&json!("ann"), &json!("profile")));
    assert_eq!(parts[0]["blocked"][0]["user"], "eve");
    let nobody = done(Path::new(&server.data()), &["export", "--user", "nobody"]);
    assert_eq!(nobody.lines().count(), 3, "{nobody}");
}

#[test]
fn much_comes_in_many_short_answers() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "join", "room": "lobby"}));
    let long = "x".repeat(8_000);
    for _ in 0..12 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": long}));
    }
    let parts = parts(&mut ann);
    let sizes: Vec<usize> = parts.iter().map(|part| part.to_string().len()).collect();
    assert!(sizes.iter().all(|size| *size < 64 * 1024), "{sizes:?}");
    assert_eq!(texts(&parts).len(), 12);
    assert!(parts.len() > 5, "{sizes:?}");
}

#[test]
fn by_http_the_same_is_given_part_by_part_and_to_nobody_else() {
    let server = Server::start();
    let mut ann = scene(&server);
    let ask = |query: &str| {
        let head = format!("GET /me/export{query} HTTP/1.1\r\nHost: {}\r\n\r\n", server.http);
        request(server.http, head.as_bytes())
    };
    let (mut given, mut query) = (Vec::new(), "?as=ann".to_owned());
    loop {
        let response = ask(&query);
        assert_eq!(response.status, 200, "{}", response.text());
        let part: Value = serde_json::from_str(&response.text()).expect("JSON");
        query = format!("?as=ann&after={}", part["after"]);
        let is_last = part["more"] == json!(false);
        given.push(part);
        if is_last {
            break;
        }
    }
    assert_eq!(given, parts(&mut ann));
    assert_eq!(texts(&given), expected());
    assert_eq!(ask("").status, 401, "nobody says who asks");
    assert_eq!(ask("?as=ann&after=x").status, 400);
}
