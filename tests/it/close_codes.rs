//! Every reason for which a connection ends: the close code that the client is told, and what is
//! counted.
//!
//! The list is whole: a reason without a line here fails the test, and so does a line whose
//! scenario no longer ends a connection for that reason and with that code.

use std::collections::BTreeSet;

use chinwag::net::CloseReason;
use chinwag::wire::close_code;
use rustix::process::Signal;
use serde_json::json;

use crate::support::tls::Certificates;
use crate::support::{Client, Frame, Raw, RawWs, Server, Setup, http};

/// How it is known that a connection ends for a reason.
enum Proof {
    /// This scenario ends one, and returns the close code that its client was told.
    Told(fn() -> (u16, Server)),
    /// This scenario has one refused, which is told but is counted among those that never were
    /// open.
    Refused(fn() -> (u16, Server)),
    /// This scenario ends one whose client cannot be told.
    Counted(fn() -> Server),
    /// It cannot be produced here, for this reason.
    NotHere(&'static str),
}

use CloseReason as Reason;
use Proof::{Counted, NotHere, Refused, Told};

const NO_TOKENS: &str = "there are no tokens yet (auth = jwt)";
const KEEPS_FIRST: &str = "a connection that is closing keeps the reason that it has";

/// Each reason with its code. Reasons with several codes have a line for each.
const ENDINGS: &[(Reason, u16, Proof)] = &[
    (Reason::Bye, 1000, Told(|| closed_after(&Frame::close(1000, "")))),
    (Reason::PeerGone, 1001, Counted(peer_gone)),
    (Reason::Reset, 1001, Counted(reset)),
    (Reason::SocketError, 1001, NotHere("it takes a socket that breaks otherwise than by a reset")),
    (Reason::HttpDone, 1001, Counted(http_done)),
    (Reason::HttpRefused, 1001, Counted(http_refused)),
    (Reason::HeadTimeout, 1001, Counted(head_timeout)),
    (Reason::HandshakeTimeout, 1001, Counted(handshake_timeout)),
    (Reason::TlsBroken, 1001, Counted(tls_broken)),
    (Reason::KeepAliveTimeout, 1001, Counted(keep_alive_timeout)),
    (Reason::CloseTimeout, 1001, NotHere(KEEPS_FIRST)),
    (Reason::Violation, 1002, Told(|| closed_after(&frame(0xc1, b"")))),
    (Reason::Violation, 1003, Told(|| closed_after(&frame(0x82, b"{}")))),
    (Reason::Violation, 1007, Told(|| closed_after(&frame(0x81, b"\xff")))),
    (Reason::TokenExpired, 1008, NotHere("`tokens` sees it, in the time of a token")),
    (Reason::BadToken, 1008, NotHere(NO_TOKENS)),
    (Reason::TooBig, 1009, Told(|| closed_after(&frame(0x81, &vec![b' '; 1 << 20])))),
    (Reason::Internal, 1011, NotHere("a bug would have to be known")),
    (Reason::BadToken, 4000, NotHere(NO_TOKENS)),
    (
        Reason::Banned,
        4005,
        NotHere("it takes the operator's command: tests/it/database_commands.rs"),
    ),
    (Reason::LoginEnded, 4006, NotHere("it takes an account: tests/it/accounts.rs")),
    (Reason::HelloTimeout, 4008, Told(hello_timeout)),
    (Reason::Replaced, 4010, Told(replaced)),
    (Reason::Stalled, 4101, Counted(stalled)),
    (Reason::Flooding, 4102, Told(too_many_errors)),
    (Reason::Unread, 4102, Told(unread)),
    (Reason::NoPong, 4103, Told(no_pong)),
    (Reason::Overloaded, 4104, Refused(overloaded)),
    (Reason::Shutdown, 4201, Told(shutdown)),
    (Reason::Rebalance, 4202, NotHere("an operator disconnects: tests/it/admin_acts.rs")),
];

fn frame(first: u8, payload: &[u8]) -> Frame {
    Frame { first, payload: payload.to_vec() }
}

/// The close code that follows `frame`.
fn closed_after(frame: &Frame) -> (u16, Server) {
    let server = Server::start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    client.send_frame(frame);
    (told_code(&mut client), server)
}

/// Receives frames up to the close frame, answers it, and returns its code.
fn told_code(client: &mut RawWs) -> u16 {
    loop {
        let frame = client.frame();
        if let Some(code) = frame.close_code() {
            client.send_frame(&frame);
            client.raw.assert_ended();
            return code;
        }
    }
}

fn peer_gone() -> Server {
    let server = Server::start();
    drop(RawWs::connect(server.http, "/ws", ""));
    server
}

fn reset() -> Server {
    let server = Server::start();
    RawWs::connect(server.http, "/ws", "").raw.reset();
    server
}

fn http_done() -> Server {
    let server = Server::start();
    assert_eq!(http::get(server.http, "/healthz").status, 200);
    server
}

fn http_refused() -> Server {
    let server = Server::start();
    assert_eq!(http::request(server.http, b"nonsense\r\n\r\n").status, 400);
    server
}

fn head_timeout() -> Server {
    let server = Setup::default().set("timeouts.head", "50ms").start();
    assert_eq!(http::request(server.http, b"GET / HT").status, 408);
    server
}

fn keep_alive_timeout() -> Server {
    let server = Setup::default().set("timeouts.keep_alive", "50ms").start();
    let mut raw = Raw::connect(server.http);
    raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(http::read(&mut raw, true).status, 200);
    raw.assert_ended();
    server
}

fn hello_timeout() -> (u16, Server) {
    let server = Setup::default().set("timeouts.hello", "50ms").start();
    let code = told_code(&mut RawWs::connect(server.http, "/ws", ""));
    (code, server)
}

fn replaced() -> (u16, Server) {
    let server = Server::start();
    let mut first = RawWs::connect(server.http, "/ws", "");
    first.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    let reply: serde_json::Value = serde_json::from_slice(&first.frame().payload).expect("JSON");
    let resume = json!({"session": reply["data"]["session"], "rooms": {}});
    let mut second = Client::lines(&server);
    second.ask(&json!({"op": "hello", "name": "ann", "resume": resume}));
    (told_code(&mut first), server)
}

/// A server with TLS to which somebody says `bytes`, in clear, and waits for the end.
fn told_in_clear(setup: Setup, bytes: &[u8]) -> Server {
    let server = setup.tls(&Certificates::of(&["localhost"])).start();
    let mut raw = Raw::connect(server.https);
    raw.send(bytes);
    raw.take_all();
    server
}

fn handshake_timeout() -> Server {
    told_in_clear(Setup::default().set("timeouts.handshake", "100ms"), b"\x16\x03")
}

fn tls_broken() -> Server {
    told_in_clear(Setup::default(), b"\x16\x03\x01\xff\xff")
}

/// A client sends FIN behind more than is kept for its turn.
fn unread() -> (u16, Server) {
    let server = Setup::default().set("limits.read_ahead", "1KiB").start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    client.send_frame(&Frame::text("{\"op\":\"hello\",\"name\":\"ann\"}"));
    client.raw.send(&Frame::text("{\"op\":\"ping\",\"id\":1}").encode().repeat(200));
    client.raw.finish();
    (told_code(&mut client), server)
}

/// A client that does not read is cut off in the middle of what waits for it.
fn stalled() -> Server {
    let server = Setup::default()
        .set("timeouts.stall", "200ms")
        .set("timeouts.pong", "200ms")
        .set("limits.rate_per_s", "off")
        .start();
    let mut silent = RawWs::connect(server.http, "/ws", "");
    silent.raw.shrink(4096);
    silent.send_frame(&Frame::text("{\"op\":\"hello\",\"name\":\"bob\"}"));
    silent.send_frame(&Frame::text("{\"op\":\"join\",\"id\":1,\"room\":\"lobby\"}"));
    silent.frame();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let text = "x".repeat(16_000);
    for _ in 0..64 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    // Reading earlier would end the stall. Ann, and the connection that asks, are still there.
    server.await_metric("chinwag_connections", 2.0);
    let rest = silent.raw.take_all();
    assert!(rest.len() < 64 * text.len(), "{} bytes came: it was not cut off", rest.len());
    server
}

fn too_many_errors() -> (u16, Server) {
    let server = Server::start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    client.send_frame(&Frame::text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}"));
    for _ in 0..32 {
        client.send_frame(&Frame::text("{\"op\":\"dance\"}"));
    }
    (told_code(&mut client), server)
}

fn no_pong() -> (u16, Server) {
    let config = "[timeouts]\nping_after = \"100ms\"\npong = \"100ms\"\n";
    let server = Setup::default().config(config).start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    client.send_frame(&Frame::text("{\"op\":\"hello\",\"name\":\"ann\"}"));
    (told_code(&mut client), server)
}

fn overloaded() -> (u16, Server) {
    let server = Setup::default()
        .set("limits.per_address", "1")
        .set("limits.per_address_loopback", "true")
        .start();
    let _first = Client::lines(&server).named("ann", None);
    let bye = Client::lines(&server).expect(&json!({"ev": "bye"}));
    let code = bye["close"].as_u64().expect("a close code");
    (u16::try_from(code).expect("a small number"), server)
}

fn shutdown() -> (u16, Server) {
    let mut server = Server::start();
    let mut client = RawWs::connect(server.http, "/ws", "");
    server.signal(Signal::TERM);
    let code = told_code(&mut client);
    drop(client);
    server.assert_left_in_order();
    (code, server)
}

#[test]
fn every_reason_has_a_line_with_its_code() {
    let listed: BTreeSet<_> = ENDINGS.iter().map(|(reason, code, _)| (reason, *code)).collect();
    for reason in Reason::ALL {
        let code = close_code(*reason);
        assert!(listed.contains(&(reason, code)), "no line for {reason:?} with {code}");
    }
}

#[test]
fn a_connection_ends_for_every_reason_and_is_told_its_code() {
    for (reason, code, proof) in ENDINGS {
        println!("{reason:?}, {code}");
        let (told, server) = match proof {
            Told(scenario) | Refused(scenario) => {
                let (told, server) = scenario();
                (Some(told), server)
            }
            Counted(scenario) => (None, scenario()),
            NotHere(why) => {
                println!("  not here: {why}");
                continue;
            }
        };
        assert!(told.is_none_or(|told| told == *code), "{reason:?}: {told:?} instead of {code}");
        if matches!(proof, Refused(_)) {
            server.await_metric("chinwag_connections_refused_total{why=\"address\"}", 1.0);
        } else if !server.has_ended() {
            // A server that has stopped has no metrics page any more.
            let label = reason.label();
            let series = format!("chinwag_connections_closed_total{{reason=\"{label}\"}}");
            server.await_that(&series, |count| count > 0.5);
        }
    }
}
