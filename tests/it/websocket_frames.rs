//! Hostile WebSocket frames: each ends its own connection with the right code, and nobody else's.

use serde_json::json;

use crate::support::{Client, Frame, RawWs, Server};

/// A whole frame, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    Frame { first, payload: payload.to_vec() }.encode()
}

/// Bytes that are sent after the upgrade, what they are, and the close code that must follow.
fn hostile() -> Vec<(&'static str, Vec<u8>, u16)> {
    let mut table = vec![
        ("a frame that is not masked", vec![0x81, 0x02, b'h', b'i'], 1002),
        ("a length of 5 in 16 bits", vec![0x81, 0xfe, 0, 5], 1002),
        ("a length of 5 in 64 bits", vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5], 1002),
        ("a length of 2^63", vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002),
        ("a length of 2^63 - 1", [&[0x81, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat(), 1009),
        ("a length of 2^64 - 1", [&[0x81][..], &[0xff; 9]].concat(), 1002),
        ("a ping of 126 bytes", frame(0x89, &[b'x'; 126]), 1002),
        ("a ping in two parts", frame(0x09, b"x"), 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        ("a message inside another", [frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
        ("a close of one byte", frame(0x88, b"x"), 1002),
        ("a close whose reason is not UTF-8", frame(0x88, &[0x03, 0xe8, 0xff]), 1007),
        ("binary where text is due", frame(0x82, b"{}"), 1003),
        ("text that is not UTF-8", frame(0x81, &[0xc0, 0x80]), 1007),
        ("an unfinished fragment that is not UTF-8", frame(0x01, &[0xed, 0xa0, 0x80]), 1007),
        ("text that ends inside a character", frame(0x81, &[0xe2, 0x82]), 1007),
        ("compression that was not agreed", frame(0xc1, &[0xaa, 0, 0]), 1002),
        ("a message above the limit", frame(0x81, &vec![b' '; 1 << 20]), 1009),
    ];
    let without_end = [frame(0x01, b" "), frame(0x00, b" ").repeat(100_000)].concat();
    table.push(("fragments of one byte without end", without_end, 1009));
    let empty = [frame(0x01, b""), frame(0x00, b"").repeat(100_000)].concat();
    table.push(("empty fragments without end", empty, 1009));
    for first in [0x83, 0x87, 0x8b, 0x8f, 0xa1, 0x91] {
        table.push(("a reserved opcode or bit", frame(first, b"x"), 1002));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1016, 2999, 5000] {
        table.push(("a close code that must not be sent", frame(0x88, &code.to_be_bytes()), 1002));
    }
    table
}

#[test]
fn each_violation_ends_its_own_connection_with_the_right_code() {
    let server = Server::start();
    let mut canary = Client::ws(&server).named("canary", None);
    for (what, bytes, code) in hostile() {
        println!("{what}");
        let mut ws = RawWs::connect(server.http, "/ws", "");
        ws.raw.send(&bytes);
        ws.assert_closed(code);
        canary.ask(&json!({"op": "ping"}));
    }
}

#[test]
fn good_close_codes_are_echoed() {
    let server = Server::start();
    for code in [1000, 1001, 1011, 3000, 4999] {
        let mut ws = RawWs::connect(server.http, "/ws", "");
        ws.send_frame(&Frame::close(code, "bye"));
        let told = ws.frame();
        assert_eq!(told.close_code(), Some(code), "{told:?}");
        ws.raw.assert_ended();
    }
}

#[test]
fn a_ping_is_answered_between_the_fragments_of_a_message() {
    let server = Server::start();
    let mut ws = RawWs::connect(server.http, "/ws", "");
    let hello = b"{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}";
    ws.raw.send(&frame(0x01, &hello[..10]));
    ws.raw.send(&frame(0x89, b"are you there?"));
    ws.raw.send(&frame(0x80, &hello[10..]));
    let pong = ws.frame();
    assert_eq!((pong.first, &pong.payload[..]), (0x8a, &b"are you there?"[..]));
    assert_eq!(ws.frame().first, 0x81);
}

#[test]
fn a_frame_is_understood_wherever_it_is_split() {
    let server = Server::start();
    let request = frame(0x81, b"{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}");
    for cut in 0..=request.len() {
        let mut ws = RawWs::connect(server.http, "/ws", "");
        ws.raw.send(&request[..cut]);
        ws.raw.send(&request[cut..]);
        assert_eq!(ws.frame().first, 0x81, "split at {cut}");
    }
}

#[test]
fn a_connection_may_vanish_at_any_byte() {
    let server = Server::start();
    let request = frame(0x81, b"{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}");
    for cut in 0..=request.len() {
        let mut ws = RawWs::connect(server.http, "/ws", "");
        ws.raw.send(&request[..cut]);
        ws.raw.reset();
    }
    server.assert_no_connection_left();
}
