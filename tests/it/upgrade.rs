//! The way in by HTTP: what is upgraded, what is refused, and with which status.

use serde_json::json;

use crate::support::ws::upgrade_head;
use crate::support::{Client, Frame, Raw, RawWs, Server, Transport, assert_subset, http};

/// A change to a good upgrade request, and the status that it must be answered with.
const REFUSED: &[(&str, &str, u16)] = &[
    ("GET /ws", "POST /ws", 405),
    ("GET /ws", "GET /nowhere", 404),
    ("Host: ", "Hosts: ", 400),
    ("Host: ", "Host: evil.example\r\nHost: ", 400),
    ("Host: ", "Host : ", 400),
    ("Host: 127.0.0.1", "Host: evil.example", 421),
    ("Host: ", "Origin: http://evil.example\r\nHost: ", 403),
    ("Host: ", "Origin: null\r\nHost: ", 403),
    ("Upgrade: websocket", "Upgrade: h2c", 426),
    ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 777", 426),
    ("Sec-WebSocket-Version: 13\r\n", "", 426),
    ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
    ("dGhlIHNhbXBsZSBub25jZQ==", "", 400),
    ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nContent-Length: 4\r\n", 413),
    ("Upgrade: websocket\r\n", "Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n", 413),
    ("Upgrade: websocket\r\n", "Upgrade: websocket\n", 400),
    ("Upgrade: websocket\r\n", "Upgrade: websocket\r\n folded\r\n", 400),
    ("HTTP/1.1", "HTTP/2.0", 505),
    ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nSec-WebSocket-Protocol: v9\r\n", 400),
];

#[test]
fn what_is_wrong_is_refused_with_the_right_status_and_the_connection_ends() {
    let server = Server::start();
    let mut wrong = Vec::new();
    for (good, bad, status) in REFUSED {
        let head = upgrade_head(server.http, "/ws", "").replacen(good, bad, 1);
        let mut raw = Raw::connect(server.http);
        // What follows a refused upgrade must never be answered: it may have been smuggled.
        raw.send(format!("{head}GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.http).as_bytes());
        let response = http::read(&mut raw, true);
        raw.assert_ended();
        if response.status != *status {
            wrong.push(format!("{good:?} as {bad:?}: {}, not {status}", response.status));
            continue;
        }
        if *status == 426 {
            let (upgrade, version) =
                (response.header("Upgrade"), response.header("Sec-WebSocket-Version"));
            assert!(upgrade == Some("websocket") || version == Some("13"), "{response:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Server::start();
    let many = "X: y\r\n".repeat(200);
    let long = format!("X: {}\r\n", "y".repeat(64 * 1024));
    for extra in [many, long] {
        let response =
            http::request(server.http, upgrade_head(server.http, "/ws", &extra).as_bytes());
        assert_eq!(response.status, 431, "{response:?}");
    }
}

#[test]
fn frames_in_the_segment_of_the_head_are_not_lost_wherever_it_is_split() {
    let server = Server::start();
    let head = upgrade_head(server.http, "/ws", "");
    let hello = Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}").encode();
    let bytes = [head.as_bytes(), &hello].concat();
    for cut in 0..=bytes.len() {
        let mut raw = Raw::connect(server.http);
        raw.send(&bytes[..cut]);
        raw.send(&bytes[cut..]);
        let response = http::read(&mut raw, true);
        assert_eq!(response.status, 101, "split at {cut}: {response:?}");
        let text = RawWs { raw, response }.receive_text().expect("a reply");
        assert_subset(&serde_json::from_str(&text).expect("JSON"), &json!({"id": 1, "code": 0}));
    }
}

#[test]
fn the_subprotocol_is_chosen_when_it_is_offered() {
    let server = Server::start();
    for (offer, chosen) in [
        ("", None),
        ("Sec-WebSocket-Protocol: chinwag.v1\r\n", Some("chinwag.v1")),
        ("Sec-WebSocket-Protocol: v9, chinwag.v1\r\n", Some("chinwag.v1")),
    ] {
        let ws = RawWs::connect(server.http, "/ws", offer);
        assert_eq!(ws.response.header("Sec-WebSocket-Protocol"), chosen, "{offer:?}");
    }
}

#[test]
fn the_page_is_served_with_its_guards() {
    let server = Server::start();
    let page = http::get(server.http, "/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
    let policy = page.header("Content-Security-Policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let tag = page.header("ETag").expect("a tag");
    let again = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n",
        server.http
    );
    assert_eq!(http::request(server.http, again.as_bytes()).status, 304);
    let head = format!("HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.http);
    let mut raw = Raw::connect(server.http);
    raw.send(head.as_bytes());
    assert_eq!(http::read(&mut raw, false).status, 200);
    raw.assert_ended();
    assert_eq!(http::get(server.http, "/healthz").status, 200);
    assert_eq!(http::get(server.admin, "/healthz").status, 200);
    assert_eq!(http::get(server.http, "/metrics").status, 404);
}

#[test]
fn requests_in_one_segment_are_answered_in_their_order() {
    let server = Server::start();
    let mut raw = Raw::connect(server.http);
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", server.http);
    raw.send([request("/healthz"), request("/nowhere"), request("/")].concat().as_bytes());
    for status in [200, 404, 200] {
        assert_eq!(http::read(&mut raw, true).status, status);
    }
}

#[test]
fn what_is_no_http_at_all_ends_that_connection_only() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
    ] {
        let mut raw = Raw::connect(server.http);
        raw.send(garbage);
        raw.finish();
        let told = String::from_utf8_lossy(&raw.take_all()).into_owned();
        assert!(
            told.is_empty() || told.starts_with("HTTP/1.1 4") || told.starts_with("HTTP/1.1 505"),
            "{told}"
        );
        canary.ask(&json!({"op": "ping"}));
    }
}
