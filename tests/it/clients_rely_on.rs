//! What some clients rely on, although RFC 6455 and RFC 7692 would allow otherwise.

use serde_json::json;

use crate::support::ws::upgrade_head;
use crate::support::{Client, Frame, RawWs, Server, Setup, http};

const HELLO: &str = "{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}";

#[test]
fn a_ping_is_empty() {
    let setup = Setup::default().set("timeouts.ping_after", "1s");
    let server = setup.set("timeouts.pong", "1s").start();
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.send_frame(&Frame::text(HELLO));
    assert_eq!(ws.frame().first, 0x81);
    let ping = ws.frame();
    assert_eq!((ping.first, ping.payload.len()), (0x89, 0));
}

/// Longer than any buffer that could make a server cut it into fragments.
#[test]
fn a_message_is_one_frame_however_long_it_is() {
    let server = Setup::default()
        .set("limits.message_bytes", "200KiB")
        .set("limits.outbound_hard_bytes", "4MiB")
        .set("limits.ring_bytes", "1MiB")
        .start();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.send_frame(&Frame::text(HELLO));
    ws.send_frame(&Frame::text("{\"op\":\"join\",\"id\":2,\"room\":\"lobby\"}"));
    while !ws.frame().payload.starts_with(b"{\"id\":2,\"code\":0") {}
    for len in [10, 40_000, 150_000] {
        bob.ask(&json!({"op": "send", "room": "lobby", "text": "x".repeat(len)}));
        loop {
            let frame = ws.frame();
            assert_eq!(frame.first, 0x81, "a whole text message");
            if frame.payload.starts_with(b"{\"ev\":\"message\"") {
                assert!(frame.payload.len() > len, "{}", frame.payload.len());
                break;
            }
        }
    }
}

#[test]
fn the_answer_to_an_offer_of_compression_names_no_window_of_the_client_and_keeps_no_context() {
    let server = Server::start();
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=15",
        "permessage-deflate; client_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits",
    ] {
        let head =
            upgrade_head(server.http, "/ws", &format!("Sec-WebSocket-Extensions: {offer}\r\n"));
        let response = http::request(server.http, head.as_bytes());
        let answer = response.header("Sec-WebSocket-Extensions").expect("compression");
        assert!(!answer.contains("client_max_window_bits"), "{offer:?} → {answer:?}");
        for each in ["server_no_context_takeover", "client_no_context_takeover"] {
            assert!(answer.contains(each), "{offer:?} → {answer:?}");
        }
    }
}

/// Caddy does so when it reloads its configuration.
#[test]
fn a_close_frame_of_a_proxy_is_no_violation_of_the_clients() {
    let server = Setup::default().set("log_level", "debug").start();
    let gone = "chinwag_connections_closed_total{reason=\"peer_gone\"}";
    for (nth, frame) in (1..).zip([&b"\x88\x02\x03\xe9"[..], b"\x88\x05\x03\xe9bye"]) {
        let mut ws = RawWs::connect(server.http, "/ws", "");
        ws.send_frame(&Frame::text(HELLO));
        assert_eq!(ws.frame().first, 0x81);
        ws.raw.send(frame);
        ws.raw.assert_ended();
        server.await_metric(gone, f64::from(nth));
    }
    let log = server.log_when(|log| log.matches("a proxy closed it").count() == 2);
    assert!(!log.contains("violation"), "{log}");
    // Another unmasked frame is the client's.
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.raw.send(b"\x88\x02\x03\xe8");
    ws.assert_closed(1002);
    Client::ws(&server).named("ann", None);
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
