//! What real clients rely on although no RFC promises it. Each was found by a client that broke
//! elsewhere, so none may change by accident.

use serde_json::json;

use crate::support::ws::upgrade_head;
use crate::support::{Client, Frame, RawWs, Server, Setup, http};

/// Bytes up to which a message is one frame: small clients put no fragments together.
const WHOLE_LEN: usize = 32 * 1024;

#[test]
fn messages_are_whole_and_pings_are_empty() {
    let server =
        Setup::default().set("timeouts.ping_after", "1s").set("timeouts.pong", "1s").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = RawWs::connect(server.http, "/ws", "");
    bob.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"bob\"}"));
    bob.send_frame(&Frame::text("{\"op\":\"join\",\"id\":2,\"room\":\"lobby\"}"));
    while !bob.frame().payload.starts_with(b"{\"id\":2") {}
    for length in [1, 125, 126, 16_384] {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": "x".repeat(length)}));
    }
    let (mut messages, mut pings) = (0, 0);
    while messages < 4 || pings < 2 {
        let frame = bob.frame();
        match frame.first {
            0x89 => {
                assert!(frame.payload.is_empty(), "a ping says {:?}", frame.payload);
                bob.send_frame(&Frame { first: 0x8a, payload: Vec::new() });
                pings += 1;
            }
            0x81 => messages += usize::from(frame.payload.starts_with(b"{\"ev\":\"message\"")),
            first => {
                assert!(frame.payload.len() >= WHOLE_LEN, "a fragment: {first:#x}");
            }
        }
        // Ann has to read, too, so that pings to it are answered.
        ann.ask(&json!({"op": "ping"}));
    }
}

#[test]
fn nobody_is_sent_elsewhere() {
    let server = Server::start();
    for target in ["/", "/ws", "/ws/", "//ws", "/WS", "/index.html", "/client.js/", "/.", "/?a=1"] {
        let plain = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", server.http);
        for head in [plain, upgrade_head(server.http, target, "")] {
            let response = http::request(server.http, head.as_bytes());
            assert!(!(300..400).contains(&response.status), "{target}: {response:?}");
            assert_eq!(response.header("Location"), None, "{target}");
        }
    }
}

#[test]
fn what_comes_after_the_servers_own_close_is_read_so_that_the_close_arrives() {
    let server = Server::start();
    let mut ann = RawWs::connect(server.http, "/ws", "");
    ann.send_frame(&Frame { first: 0x82, payload: b"{}".to_vec() });
    // Unread bytes would make the kernel reset the connection, and the Close would be lost.
    for _ in 0..20 {
        ann.send_frame(&Frame::text(&format!("{{\"op\":\"ping\"}}{}", " ".repeat(10_000))));
    }
    ann.assert_closed(1003);
    server.assert_no_connection_left();
}
