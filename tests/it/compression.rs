//! permessage-deflate (RFC 7692) on a real socket: what is agreed upon, what is inflated, and its
//! bounds.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::{Value, json};

use crate::support::ws::upgrade_head;
use crate::support::{Frame, RawWs, Server, Setup, http};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A message compressed without context, as RFC 7692 section 7.2.1 has it.
fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + 64);
    let mut stream = Compress::new(Compression::best(), false);
    stream.compress_vec(plain, &mut out, FlushCompress::Sync).expect("a compressed message");
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
    out
}

fn inflate(compressed: &[u8], len_max: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len_max + 64);
    let bytes = [compressed, &TAIL].concat();
    let mut stream = Decompress::new(false);
    stream.decompress_vec(&bytes, &mut out, FlushDecompress::Sync).expect("an inflated message");
    assert_eq!(stream.total_in(), bytes.len() as u64, "not all was inflated");
    out
}

/// A compressed text message.
fn text(plain: &str) -> Frame {
    Frame { first: 0xc1, payload: deflate(plain.as_bytes()) }
}

/// The next message, inflated if it is compressed.
fn receive(ws: &mut RawWs) -> Value {
    let frame = ws.frame();
    let plain =
        if frame.first & 0x40 == 0 { frame.payload } else { inflate(&frame.payload, 1 << 20) };
    serde_json::from_slice(&plain).expect("JSON")
}

fn hello(server: &Server, name: &str) -> RawWs {
    let mut ws = RawWs::connect(server.http, "/ws", OFFER);
    ws.send_frame(&text(&json!({"op": "hello", "id": 1, "name": name}).to_string()));
    assert_eq!(receive(&mut ws)["code"], 0);
    ws
}

#[test]
fn each_offer_is_taken_declined_or_refused() {
    const TAKEN: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let server = Server::start();
    for (offer, answer) in [
        ("permessage-deflate", Some("")),
        ("permessage-deflate; client_max_window_bits", Some("")),
        ("permessage-deflate; server_max_window_bits=9", Some("; server_max_window_bits=9")),
        ("permessage-deflate ; client_max_window_bits = 12", Some("")),
        ("", None),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=010", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=x", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; unknown", None),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", Some("")),
        ("x-webkit-deflate-frame", None),
    ] {
        let ws =
            RawWs::connect(server.http, "/ws", &format!("Sec-WebSocket-Extensions: {offer}\r\n"));
        let expected = answer.map(|params| format!("{TAKEN}{params}"));
        assert_eq!(ws.response.header("Sec-WebSocket-Extensions"), expected.as_deref(), "{offer}");
    }
    for offer in
        ["permessage-deflate;", "permessage-deflate; server_max_window_bits==010", ";", ", ;"]
    {
        let head =
            upgrade_head(server.http, "/ws", &format!("Sec-WebSocket-Extensions: {offer}\r\n"));
        assert_eq!(http::request(server.http, head.as_bytes()).status, 400, "{offer}");
    }
    let server = Setup::default().set("compression.enabled", "false").start();
    let ws = RawWs::connect(server.http, "/ws", OFFER);
    assert_eq!(ws.response.header("Sec-WebSocket-Extensions"), None);
}

#[test]
fn large_events_are_compressed_small_ones_are_not_and_both_are_understood() {
    let server = Server::start();
    let mut ann = hello(&server, "ann");
    let mut bob = hello(&server, "bob");
    for ws in [&mut ann, &mut bob] {
        // A client may send any message compressed or not.
        ws.send_frame(&Frame::text("{\"op\":\"join\",\"id\":2,\"room\":\"lobby\"}"));
        assert_eq!(receive(ws)["id"], 2);
    }
    for (length, compressed) in [(10, false), (2_000, true), (16_000, true)] {
        let said = "chinwag ".repeat(length / 8);
        let request = json!({"op": "send", "room": "lobby", "text": said});
        ann.send_frame(&text(&request.to_string()));
        let frame = loop {
            let frame = bob.frame();
            if !frame.payload.starts_with(b"{\"ev\":\"presence\"") {
                break frame;
            }
        };
        assert_eq!(frame.first & 0x40 != 0, compressed, "{length}");
        let plain = if compressed { inflate(&frame.payload, 1 << 20) } else { frame.payload };
        let event: Value = serde_json::from_slice(&plain).expect("JSON");
        assert_eq!(event["text"], said, "{length}");
    }
}

#[test]
fn the_bound_holds_for_what_is_inflated_exactly() {
    // A slow machine is longer at compressing than a silent client may be.
    let server =
        Setup::default().set("timeouts.ping_after", "2m").set("timeouts.pong", "2m").start();
    let mut ws = RawWs::connect(server.http, "/ws", OFFER);
    ws.send_frame(&text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    let limit = receive(&mut ws)["data"]["limits"]["request_bytes"].as_u64().expect("a bound");
    let limit = usize::try_from(limit).expect("a size");
    let padded = |id: usize, length: usize| {
        let request = format!("{{\"op\":\"ping\",\"id\":{id}}}");
        let blanks = " ".repeat(length - request.len());
        request + &blanks
    };
    for length in [limit - 1, limit] {
        ws.send_frame(&text(&padded(length, length)));
        assert_eq!(receive(&mut ws)["id"], length);
        ws.send_frame(&Frame::text(&padded(length, length)));
        assert_eq!(receive(&mut ws)["id"], length);
    }
    for length in [limit + 1, limit + 2, 1000 * limit] {
        let mut ws = hello(&server, "bob");
        ws.send_frame(&text(&padded(7, length)));
        ws.assert_closed(1009);
    }
    let mut plain = hello(&server, "bob");
    plain.send_frame(&Frame::text(&padded(7, limit + 1)));
    plain.assert_closed(1009);
    // In fragments of some bytes each, and before anybody has said hello.
    let bomb = deflate(&vec![b' '; 50 * limit]);
    let mut ws = RawWs::connect(server.http, "/ws", OFFER);
    let mut first = 0x41;
    for piece in bomb.chunks(16) {
        ws.send_frame(&Frame { first, payload: piece.to_vec() });
        first = 0x00;
    }
    ws.send_frame(&Frame { first: 0x80, payload: Vec::new() });
    ws.assert_closed(1009);
}

#[test]
fn what_cannot_be_inflated_ends_the_connection_with_its_code() {
    let server = Server::start();
    let utf8 = deflate(&[0xc0, 0x80]);
    for (what, frame, code) in [
        ("garbage", Frame { first: 0xc1, payload: vec![0xff; 8] }, 1002),
        ("text that is not UTF-8", Frame { first: 0xc1, payload: utf8 }, 1007),
        ("a compressed ping", Frame { first: 0xc9, payload: vec![] }, 1002),
        ("a compressed continuation", Frame { first: 0xc0, payload: vec![] }, 1002),
        ("another reserved bit", Frame { first: 0xe1, payload: vec![] }, 1002),
    ] {
        println!("{what}");
        let mut ws = hello(&server, "ann");
        ws.send_frame(&frame);
        let told = loop {
            let frame = ws.frame();
            if let Some(code) = frame.close_code() {
                break code;
            }
        };
        assert!(told == code || (what == "garbage" && told == 1007), "{what}: {told}");
        ws.raw.finish();
        ws.raw.assert_ended();
    }
}

#[test]
fn the_echo_gives_back_what_it_got_up_to_its_bounds() {
    let server = Setup::default().args(&["--echo"]).start();
    let mut ws = RawWs::connect(server.http, "/echo", OFFER);
    let long = vec![0; 70_000];
    for payload in [&b""[..], b"x", &long, b"chinwag \xe2\x98\x95"] {
        ws.send_frame(&Frame { first: 0xc2, payload: deflate(payload) });
        let frame = ws.frame();
        assert_eq!(frame.first & 0x0f, 2);
        let plain =
            if frame.first & 0x40 == 0 { frame.payload } else { inflate(&frame.payload, 1 << 18) };
        assert_eq!(plain, payload);
    }
    // A bomb of 16 MiB is within the bound, one byte more is not.
    let bytes = 16 << 20;
    ws.send_frame(&Frame { first: 0xc2, payload: deflate(&vec![0; bytes]) });
    let frame = ws.frame();
    assert_eq!(inflate(&frame.payload, bytes).len(), bytes);
    ws.send_frame(&Frame { first: 0xc2, payload: deflate(&vec![0; bytes + 1]) });
    ws.assert_closed(1009);
}
