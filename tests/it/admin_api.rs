//! The admin API: who may ask, and what is answered.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::admin::{TOKEN, ask, audit, bearer, get, start};
use crate::support::{Client, Server, Setup, http};

/// The paths of the description with their methods, and whether a token is needed.
fn routes(server: &Server) -> Vec<(String, String, bool)> {
    let document = http::get(server.admin, "/api/v1/openapi.json").text();
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut all = Vec::new();
    for (path, verbs) in paths {
        for (verb, operation) in verbs.as_object().expect("verbs") {
            all.push((path.clone(), verb.to_uppercase(), operation["security"].is_null()));
        }
    }
    assert!(all.len() >= 28, "{all:?}");
    all
}

#[test]
fn nobody_is_answered_without_the_token() {
    let server = start();
    for (path, verb, is_closed) in routes(&server) {
        let line = format!("{verb} {path}");
        let wrong = ["Bearer 0123456789abcdef-tesT", "Bearer a b", "Bearer", "Basic YTpi"];
        let fields = wrong.map(|value| format!("Authorization: {value}\r\n"));
        for fields in fields.iter().map(String::as_str).chain(["", "Cookie: a=b\r\n"]) {
            let response = ask(&server, &line, fields, "");
            let status = if is_closed { 401 } else { 200 };
            assert_eq!(response.status, status, "{line} {fields}");
            if is_closed {
                assert_eq!(response.header("WWW-Authenticate"), Some("Bearer"));
                let refused: Value = serde_json::from_str(&response.text()).expect("JSON");
                assert_eq!(refused["code"], 2001, "{refused}");
            }
        }
    }
    for path in ["/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/stats"] {
        assert_eq!(ask(&server, &format!("GET {path}"), &bearer(), "").status, 404, "{path}");
        assert_eq!(ask(&server, &format!("GET {path}"), "", "").status, 401, "{path}");
    }
    let log = server.log();
    assert!(!log.contains("0123456789abcdef"), "{log}");
}

/// A refusal does not send anybody to the doors of the chat, which are elsewhere.
#[track_caller]
fn assert_of_admin(said: &str) {
    assert!(said.contains("/api/v1/openapi.json"), "{said}");
    assert!(!said.contains("/ws") && !said.contains("/rooms/"), "{said}");
}

#[test]
fn nobody_is_answered_under_another_name_from_another_page_or_by_another_method() {
    let server = start();
    for (path, verb, _) in routes(&server) {
        let line = format!("{verb} {path}");
        let head = format!("{line} HTTP/1.1\r\nHost: evil.example\r\n{}\r\n", bearer());
        assert_eq!(http::request(server.admin, head.as_bytes()).status, 421, "{line}");
        let origin = format!("{}Origin: http://evil.example\r\n", bearer());
        assert_eq!(ask(&server, &line, &origin, "").status, 403, "{line}");
        for other in ["DELETE", "PUT", "OPTIONS"] {
            let response = ask(&server, &format!("{other} {path}"), &bearer(), "");
            assert_eq!(response.status, 405, "{other} {path}");
            assert_of_admin(&response.text());
            assert!(response.header("Allow").is_some_and(|allow| allow.contains(&verb)));
        }
    }
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    for (line, fields, status) in [
        ("POST /metrics", "", 405),
        ("DELETE /admin", "", 405),
        ("GET /ws", upgrade, 404),
        ("GET /metrics", upgrade, 404),
    ] {
        let response = ask(&server, line, fields, "");
        assert_eq!(response.status, status, "{line}");
        assert_of_admin(&response.text());
    }
}

#[test]
fn the_dashboard_and_the_book_are_served_beside_it_and_nowhere_else() {
    let server = Server::start();
    for (path, part) in [
        ("/admin", "<title>Chinwag: dashboard"),
        ("/admin/admin.js", "sessionStorage"),
        ("/docs", "/docs/admin"),
        ("/docs/admin", "<h1"),
        ("/docs/admin.md", "# The admin API"),
        ("/llms.txt", "# Chinwag"),
    ] {
        let response = http::get(server.admin, path);
        assert_eq!(response.status, 200, "{path}");
        assert!(response.text().contains(part), "{path}");
        let policy = response.header("Content-Security-Policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert_eq!(http::get(server.http, path).status, 404, "{path}");
    }
    let printed = |what: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        let output = command.env_clear().args(["api", what]).output().expect("a program");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for what in ["openapi", "asyncapi"] {
        let served = http::get(server.admin, &format!("/api/v1/{what}.json")).text();
        assert_eq!(printed(what), served, "{what}");
    }
}

#[test]
fn the_book_is_served_to_everybody_as_the_page_is_if_the_operator_says_so() {
    let server = Setup::default().set("http.docs", "true").start();
    let page = http::get(server.http, "/");
    for (path, part) in [
        ("/docs", "/docs/protocol"),
        ("/docs/protocol", "<h1"),
        ("/docs/protocol.md", "# "),
        ("/docs/docs.css", "main {"),
        ("/llms.txt", "# Chinwag"),
    ] {
        let response = http::get(server.http, path);
        assert_eq!(response.status, 200, "{path}");
        assert!(response.text().contains(part), "{path}");
        assert!(!response.text().contains("href=\"/admin\""), "{path}");
        for name in [
            "Content-Security-Policy",
            "X-Content-Type-Options",
            "Referrer-Policy",
            "Cross-Origin-Opener-Policy",
            "Cross-Origin-Resource-Policy",
            "Permissions-Policy",
            "Cache-Control",
            "Vary",
        ] {
            assert!(page.header(name).is_some(), "{name}");
            assert_eq!(response.header(name), page.header(name), "{path} {name}");
        }
        let tag = response.header("ETag").expect("a tag");
        let ask = |fields: &str, host: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
            http::request(server.http, head.as_bytes())
        };
        assert_eq!(ask(&format!("If-None-Match: {tag}\r\n"), "localhost").status, 304, "{path}");
        let compressed = ask("Accept-Encoding: gzip\r\n", "localhost");
        assert_eq!(compressed.header("Content-Encoding"), Some("gzip"), "{path}");
        assert_eq!(ask("", "evil.example").status, 421, "{path}");
        let post = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(http::request(server.http, post.as_bytes()).status, 405, "{path}");
        assert_eq!(http::get(server.admin, path).status, 200, "{path}");
    }
    for path in ["/docs/", "/docs/nothing", "/admin", "/metrics", "/api/v1/openapi.json"] {
        assert_eq!(http::get(server.http, path).status, 404, "{path}");
    }
}

#[test]
fn without_a_configured_token_the_api_is_off_and_says_so() {
    let server = Server::start();
    let response = ask(&server, "GET /api/v1/stats", &bearer(), "");
    assert_eq!(response.status, 403);
    assert!(response.text().contains("set admin_token"), "{}", response.text());
    assert_eq!(http::get(server.admin, "/metrics").status, 200);
    // What is public has no such path at all.
    assert_eq!(http::get(server.http, "/api/v1/stats").status, 404);
}

#[test]
fn a_token_that_could_be_guessed_or_cannot_be_read_is_refused_at_the_start() {
    let said = Setup::default().config("admin_token = \"short\"\n").refused();
    assert!(said.contains("chinwag.toml:1:15") && said.contains("at least 16"), "{said}");
    assert!(!said.contains("short"), "{said}");
    let both = "admin_token = \"0123456789abcdef\"\nadmin_token_file = \"x\"\n";
    let said = Setup::default().config(both).refused();
    assert!(said.contains("both set"), "{said}");
    let said = Setup::default().set("admin_token_file", "/no/such/file").refused();
    assert!(said.contains("admin_token_file: /no/such/file: No such file"), "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    fs::write(&path, format!("{TOKEN}\n")).expect("a file");
    let setup = Setup::default().set("admin_token_file", &path.display().to_string());
    let server = setup.start();
    assert_eq!(get(&server, "stats")["ready"], "ok");
}

#[test]
fn the_state_of_the_server_and_its_connections_is_told() {
    let server = start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "hello"}));
    bob.expect(&json!({"ev": "message", "text": "hello"}));
    let stats = get(&server, "stats");
    assert_eq!((&stats["sessions"], &stats["records"]), (&json!(2), &json!(1)), "{stats}");
    assert_eq!(stats["connections"], 3, "with the one that asks: {stats}");
    let all = get(&server, "connections?sort=since");
    let rows = all["connections"].as_array().expect("rows");
    // The connection of the request before may still be closing.
    let rows: Vec<_> = rows.iter().filter(|row| row["listener"] != "admin").collect();
    let shown: Vec<_> = rows.iter().map(|row| (&row["user"], &row["protocol"])).collect();
    assert_eq!(shown.len(), 2, "{all}");
    assert!(shown.contains(&(&json!("ann"), &json!("websocket"))), "{all}");
    assert!(shown.contains(&(&json!("bob"), &json!("lines"))), "{all}");
    assert!(rows.iter().all(|row| row["rooms"] == 1 && row["lag"] == 0), "{all}");
    assert!(rows.iter().all(|row| row["address"] == "127.0.0.1"), "{all}");
    for sort in ["lag", "bytes", "idle"] {
        let one = get(&server, &format!("connections?sort={sort}&limit=1"));
        assert_eq!(one["connections"].as_array().map(Vec::len), Some(1), "{one}");
        assert!(one["total"].as_u64() >= Some(3), "with the one that asks: {one}");
    }
    let of_bob = get(&server, "connections?user=bob");
    assert_eq!(of_bob["connections"][0]["user"], "bob", "{of_bob}");
    drop(bob);
    server.await_metric("chinwag_sessions", 1.0);
    let closed = get(&server, "connections/closed?user=bob");
    // What it had not read decides which.
    let reason = closed["connections"][0]["reason"].as_str().unwrap_or_default();
    assert!(["bye", "reset"].contains(&reason), "{closed}");
    let by_reason = get(&server, "connections/closed?reason=http_done&limit=1");
    assert_eq!(by_reason["connections"][0]["listener"], "admin", "{by_reason}");
}

#[test]
fn rooms_are_listed_page_by_page_in_each_order() {
    let server = start();
    let mut ann = Client::ws(&server).named("ann", None);
    for n in 0..7 {
        ann.ask(&json!({"op": "join", "room": format!("room{n}")}));
    }
    ann.ask(&json!({"op": "send", "room": "room3", "text": "hello"}));
    for sort in ["name", "members", "subscribers", "seq"] {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let page = get(&server, &format!("rooms?sort={sort}&limit=3{after}"));
            assert_eq!(page["total"], 7);
            let rooms = page["rooms"].as_array().expect("rooms").clone();
            names.extend(rooms.iter().map(|row| row["room"].as_str().expect("a name").to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={}", next.replace('@', "%40"));
        }
        let first = if sort == "seq" { "room3" } else { "room0" };
        assert_eq!((names.len(), names[0].as_str()), (7, first), "{sort}: {names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 7, "{sort}: each once");
    }
}

#[test]
fn what_is_asked_wrongly_is_refused_with_what_would_be_right() {
    let server = start();
    for (target, part) in [
        ("connections?sort=size", r#"one of \"lag\", \"bytes\""#),
        ("members", "room is missing"),
        ("connections?limit=0", "between 1 and 1000"),
        ("connections?limit=1001", "between 1 and 1000"),
        ("connections?limit=-1", "not a number"),
        ("connections?limit=", "not a number"),
        ("connections?limit=1&limit=2", "given twice"),
        ("connections?colour=red", "is no parameter of this; there are sort, limit, user"),
        ("connections?user=%ff", "not UTF-8"),
        ("connections/closed?reason=boredom", "hello_timeout"),
        ("rooms?after=lobby", "the next of the page before"),
        ("stats?x=1", "takes no parameters"),
    ] {
        let response = ask(&server, &format!("GET /api/v1/{target}"), &bearer(), "");
        assert_eq!(response.status, 400, "{target}: {}", response.text());
        let refused: Value = serde_json::from_str(&response.text()).expect("JSON");
        assert_eq!(
            (&refused["code"], &refused["data"]["error"]),
            (&json!(1003), &json!("bad_field"))
        );
        assert!(response.text().contains(part), "{target}: {}", response.text());
    }
}

#[test]
fn a_body_that_is_wrong_is_refused_in_words_about_its_fields() {
    let server = start();
    for (path, body, message, field, expected) in [
        ("rooms/kick", r#"{"room":"a"}"#, "user is missing", "user", "a string"),
        ("rooms/kick", r#"{"room":1,"user":"b"}"#, "room is a number", "room", "a string"),
        ("rooms/kick", r#"{"room":null,"user":"b"}"#, "room is missing", "room", "a string"),
        ("rooms/kick", r#"{"room":"a","room":"b"}"#, "room is given twice", "room", "a string"),
        (
            "ban",
            r#"{"user":"a","for_ms":0}"#,
            "for_ms is 0",
            "for_ms",
            "a whole number between 1 and 9007199254740991",
        ),
        (
            "keys",
            r#"{"name":"a","rooms":["b",2]}"#,
            "rooms is wrong: entry 2 is a number",
            "rooms",
            "a list of 1 to 16 strings",
        ),
        (
            "keys",
            r#"{"name":"a","rooms":["b"],"can":"fly"}"#,
            r#"can is unknown: "fly""#,
            "can",
            r#"one of "send", "read", "read,send""#,
        ),
    ] {
        let response = ask(&server, &format!("POST /api/v1/{path}"), &bearer(), body);
        let refused: Value = serde_json::from_str(&response.text()).expect("JSON");
        let expect = json!({
            "code": 1003,
            "message": message,
            "data": {"error": "bad_field", "field": field, "expected": expected},
        });
        assert_eq!((response.status, refused), (400, expect), "{body}");
    }
    for (body, words) in [
        (r#"{"room":"a","user":"b","why":"c"}"#, "there are room, user, reason"),
        (r#"{"room":"a","#, r#""offset":11"#),
        ("[]", "not one JSON object"),
    ] {
        let response = ask(&server, "POST /api/v1/rooms/kick", &bearer(), body);
        assert_eq!(response.status, 400, "{body}");
        assert!(response.text().contains(words), "{body}: {}", response.text());
    }
}

#[test]
fn a_body_that_is_not_as_it_must_be_is_refused_before_anything_happens() {
    let server = start();
    for (path, verb, _) in routes(&server) {
        let line = format!("{verb} {path}");
        if verb == "GET" {
            // A body that nobody asked for is read over or refused; it never is an act.
            let status = ask(&server, &line, &bearer(), "{}").status;
            assert!([200, 400, 413].contains(&status), "{line}: {status}");
            continue;
        }
        for body in ["[]", "1", "null", "{", "{}x", r#"{"colour":"red"}"#, r#"{"room":1,"room":2}"#]
        {
            let response = ask(&server, &line, &bearer(), body);
            assert_eq!(response.status, 400, "{line} {body}: {}", response.text());
            let refused: Value = serde_json::from_str(&response.text()).expect("JSON");
            assert!(refused["code"] == 1001 || refused["code"] == 1003, "{line}: {refused}");
        }
        let response = ask(&server, &format!("{line}?a=b"), &bearer(), "{}");
        assert_eq!(response.status, 400, "{line}?a=b");
        if !["/api/v1/reload", "/api/v1/drain"].contains(&path.as_str()) {
            let text = bearer().replace("application/json", "text/plain");
            assert_eq!(ask(&server, &line, &text, "{}").status, 415, "{line}");
        }
    }
    assert_eq!(get(&server, "stats")["ready"], "ok");
    assert_eq!(audit(&server), Vec::<String>::new());
}
