//! Who is turned away at the door is told the cause, the setting that says so, and what to do.

use std::process::Command;

use serde_json::json;

use crate::support::{Client, Raw, Server, Setup, http};

/// Sends a request and expects this status, and these words in the answer.
#[track_caller]
fn check(server: &Server, request: &str, status: u16, words: &[&str]) {
    let response = http::request(server.http, request.as_bytes());
    assert_eq!(response.status, status, "{request:?}: {response:?}");
    let said = response.text();
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said:?}");
    }
}

#[test]
fn a_refused_host_or_origin_is_told_the_setting_that_would_let_it_in() {
    let server = Setup::default().set("http.require_origin", "true").start();
    let get = |fields: &str| format!("GET /ws HTTP/1.1\r\n{fields}\r\n");
    check(&server, &get("Host: evil.example\r\n"), 421, &["[http] hosts"]);
    let foreign = get("Host: localhost\r\nOrigin: https://evil.example\r\n");
    check(&server, &foreign, 403, &["[http] origins"]);
    let none = get("Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    check(&server, &none, 403, &["[http] require_origin"]);
}

#[test]
fn a_head_that_is_too_large_is_told_the_setting() {
    let server = Setup::default().set("http.fields", "16").start();
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    check(&server, &get("X: y\r\n".repeat(16).as_str()), 431, &["[http] fields"]);
    check(&server, &get(&format!("X: {}\r\n", "y".repeat(9000))), 431, &["[http] head_bytes"]);
}

/// What is in the body is not taken for a request: it is read over, or ends the connection.
#[test]
fn what_is_posted_is_told_that_the_path_takes_no_posts_and_how_one_speaks() {
    let server = Server::start();
    let body = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", body.len());
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (framing, body, goes_on) in [
        (length.clone(), body.to_owned(), true),
        (format!("{length}Expect: 100-continue\r\n"), String::new(), false),
        (format!("{length}Content-Encoding: gzip\r\n"), body.to_owned(), true),
        ("Transfer-Encoding: chunked\r\n".to_owned(), chunked, true),
        ("Content-Length: 1000000\r\n".to_owned(), "x".repeat(1_000_000), false),
    ] {
        for (method, path, status) in
            [("POST", "/", 405), ("PUT", "/ws", 405), ("POST", "/api/messages", 404)]
        {
            let mut raw = Raw::connect(server.http);
            let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n");
            raw.send(head.as_bytes());
            raw.send(body.as_bytes());
            let response = http::read(&mut raw, true);
            assert_eq!(response.status, status, "{head:?}");
            assert!(response.text().contains("/ws"), "{response:?}");
            if goes_on {
                raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
                assert_eq!(http::read(&mut raw, true).status, 200, "{head:?}");
            } else {
                assert_eq!(response.header("Connection"), Some("close"));
                raw.assert_ended();
            }
        }
    }
}

#[test]
fn where_a_proxy_has_taken_the_upgrade_away_it_is_said_that_a_proxy_did() {
    let server = Setup::default().set("insecure", "true").start();
    let get = |fields: &str| format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    for proxied in ["Via: 1.1 a", "Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1"] {
        check(&server, &get(&format!("{proxied}\r\n")), 426, &["a proxy", "taken Upgrade away"]);
    }
    let response = http::request(server.http, get("").as_bytes());
    assert_eq!(response.status, 426);
    assert!(!response.text().contains("proxy"), "{response:?}");
}

#[test]
fn an_address_with_too_many_connections_is_told_so_and_not_that_the_server_is_full() {
    let setup = Setup::default().set("limits.per_address", "1");
    let server = setup.set("limits.per_address_loopback", "true").start();
    let mut ann = Client::ws(&server).named("ann", None);
    let mut raw = Raw::connect(server.http);
    let response = http::read(&mut raw, true);
    assert_eq!(response.status, 429);
    assert!(response.header("Retry-After").is_some() && response.header("Date").is_some());
    let said = response.text();
    assert!(said.contains("[limits] per_address") && !said.contains("full"), "{said}");
    raw.assert_ended();
    let bye = Client::lines(&server).expect_next(&json!({"ev": "bye", "close": 4104}));
    let said = bye["reason"].as_str().unwrap_or_default();
    assert!(said.contains("[limits] per_address") && !said.contains("full"), "{said}");
    ann.ask(&json!({"op": "ping"}));
}

#[test]
fn a_full_server_names_its_limit() {
    let server = Setup::default().set("limits.connections", "1").start();
    let mut ann = Client::ws(&server).named("ann", None);
    let response = http::read(&mut Raw::connect(server.http), true);
    assert_eq!(response.status, 503);
    assert!(response.text().contains("[limits] connections"), "{response:?}");
    ann.ask(&json!({"op": "ping"}));
}

#[test]
fn a_banned_address_is_told_so_and_why_by_http_too() {
    let server = Server::start();
    Client::ws(&server).named("ann", None);
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    let ban = ["ban", "address", "127.0.0.1", "--reason", "sent spam"];
    command.env_clear().arg("--data").arg(server.data()).args(ban);
    assert!(command.output().expect("a command that runs").status.success());
    // The running server looks for bans now and then, and ends whom it finds.
    let mut bob = Client::lines(&server);
    while bob.next().is_some_and(|message| message["ev"] != "bye") {}
    let response = http::read(&mut Raw::connect(server.http), true);
    assert_eq!((response.status, response.header("Connection")), (403, Some("close")));
    let said = "your address is banned from this server: sent spam";
    assert!(response.text().contains(said), "{response:?}");
}
