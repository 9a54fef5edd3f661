//! What a connection speaks.

use super::{Harness, UPGRADE, ids, ping, text};
use crate::net::{CloseReason, Ending};
use crate::session::ListenerKind;
use crate::ws::Opcode;

const HELLO: &str = r#"{"op":"hello","id":1,"name":"ann"}"#;

#[test]
fn the_first_byte_decides_how_a_plain_connection_is_spoken_to() {
    let lengths = [&[0, 0, 0, 34], HELLO.as_bytes()].concat();
    assert_eq!(HELLO.len(), 34);
    let cases: [(&[u8], &[u8], &[u8]); 3] = [
        (b"{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}\n", b"{\"id\":1,\"code\":0,", b"}}\n"),
        (&lengths, b"\0\0", b"}}"),
        (
            b"hello\n",
            b"Welcome to chinwag",
            b"! you are not in a room; join one with /join lobby\n",
        ),
    ];
    for (input, begins, ends) in cases {
        let mut harness = Harness::new();
        let conn = harness.open(ListenerKind::Tcp);
        // However it is split.
        for byte in input {
            harness.receive(conn, std::slice::from_ref(byte));
        }
        let sent = harness.take(conn);
        let shown = String::from_utf8_lossy(&sent).into_owned();
        assert!(sent.starts_with(begins) && sent.ends_with(ends), "{shown}");
        assert_eq!(harness.closed(conn), None, "{shown}");
    }
}

#[test]
fn what_follows_an_upgrade_in_the_same_read_is_the_first_message() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Http);
    harness.receive(conn, &[UPGRADE.as_bytes(), &text(HELLO)].concat());
    let sent = harness.take(conn);
    let end = sent.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(sent.starts_with(b"HTTP/1.1 101 "));
    harness.see(conn).sent = sent[end..].to_vec();
    assert_eq!(ids(&harness.frames(conn)), [1]);
}

#[test]
fn a_request_before_hello_is_refused_and_the_connection_goes_on() {
    let mut harness = Harness::new();
    let conn = harness.open_websocket();
    harness.receive(conn, &text(r#"{"op":"join","id":7,"room":"lobby"}"#));
    let frames = harness.frames(conn);
    assert!(frames[0].contains(r#""error":"hello_first""#), "{frames:?}");
    harness.receive(conn, &text(HELLO));
    assert_eq!(ids(&harness.frames(conn)), [1]);
    assert_eq!(harness.closed(conn), None);
}

#[test]
fn a_browser_that_is_made_to_send_http_to_the_plain_port_is_cut_off() {
    for input in ["POST / HTTP/1.1\r\nHost: x\r\n\r\n/join lobby\nspam\n", "GET / HTTP/1.0\n"] {
        let mut harness = Harness::new();
        let conn = harness.open(ListenerKind::Tcp);
        harness.receive(conn, input.as_bytes());
        assert_eq!(harness.closed(conn), Some((CloseReason::Violation, Ending::Linger)));
        assert_eq!(harness.chat.sizes()[..2], [0, 0], "nobody came, and nothing was joined");
    }
}

#[test]
fn a_keep_alive_connection_answers_one_request_after_the_other() {
    let mut harness = Harness::new();
    let conn = harness.open(ListenerKind::Http);
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    harness.receive(conn, request.repeat(3).as_bytes());
    let answers = String::from_utf8(harness.take(conn)).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 3, "{answers}");
    let last = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    harness.receive(conn, last.as_bytes());
    assert_eq!(harness.closed(conn), Some((CloseReason::HttpDone, Ending::Linger)));
}

#[test]
fn a_batch_of_frames_is_answered_in_its_order() {
    let mut harness = Harness::new();
    let conn = harness.enter("ann");
    let lines = [ping(12), String::new(), r#"{"op":"help","id":13}"#.into(), ping(14)].join("\n");
    let batch = [
        text(&ping(10)),
        text(r#"{"op":"nothing","id":11}"#),
        text(&lines),
        super::frame(Opcode::Ping, b"are you there"),
        text(&ping(15)),
    ];
    harness.receive(conn, &batch.concat());
    let frames = harness.frames(conn);
    assert_eq!(ids(&frames), [10, 11, 12, 13, 14, 15], "{frames:?}");
    assert_eq!(frames[5], "Pong are you there");
}
