//! Who is let in, and how fast: what strangers cost before anybody knows who they are.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::json;

use crate::database_commands::done;
use crate::support::raw::Patience;
use crate::support::tls::{Certificates, client};
use crate::support::ws::upgrade_head;
use crate::support::{Client, Raw, RawWs, Server, Setup, http};

/// A server that counts what comes from this machine as if it came from elsewhere.
fn counting() -> Setup {
    Setup::default().set("limits.per_address_loopback", "true")
}

fn healthz(raw: &mut Raw) -> http::Response {
    raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    http::read(raw, true)
}

/// A connection with TLS, unless the server shakes no hands.
fn shake_hands(address: SocketAddr, certificates: &Certificates) -> Option<Raw> {
    let mut raw = Raw::connect(address).with_tls(client(&certificates.client(), "localhost"));
    raw.shake_hands().then_some(raw)
}

#[test]
fn with_who_is_banned_no_hands_are_shaken() {
    let certificates = Certificates::of(&["localhost"]);
    let server = Setup::default().tls(&certificates).start();
    let mut before = certificates.connect(server.https, "localhost");
    assert_eq!(healthz(&mut before).status, 200);
    done(&server.data(), &["ban", "address", "127.0.0.0/8"]);
    let shaken = server.metric("chinwag_tls_handshakes_total");
    for address in [server.https, server.tls] {
        assert!(shake_hands(address, &certificates).is_none());
    }
    assert_eq!(http::read(&mut before, true).status, 403);
    before.assert_ended();
    server.await_metric("chinwag_connections_refused_total{why=\"banned\"}", 2.0);
    assert!((server.metric("chinwag_tls_handshakes_total") - shaken).abs() < 0.5);
    // Where it costs nothing, one is told.
    let mut told = Raw::connect(server.http);
    assert_eq!(http::read(&mut told, true).status, 403);
    done(&server.data(), &["unban", "address", "127.0.0.0/8"]);
    assert!(shake_hands(server.https, &certificates).is_some(), "still banned");
}

#[test]
fn an_address_has_only_so_many_connections_that_have_not_shown_who_they_are() {
    let server = counting().set("limits.half_open_per_address", "3").start();
    let mut silent: Vec<_> = (0..3).map(|_| Raw::connect(server.http)).collect();
    server.await_metric("chinwag_connections", 4.0);
    let mut fourth = Raw::connect(server.http);
    let refused = http::read(&mut fourth, true);
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("half_open_per_address"), "{}", refused.text());
    let mut line = Raw::connect(server.tcp);
    assert!(line.line().unwrap().contains("half_open_per_address"));
    // A whole request, or a hello, makes place for another.
    assert_eq!(healthz(&mut silent[0]).status, 200);
    let ann = Client::ws(&server).named("ann", None);
    let bob = Client::lines(&server).named("bob", None);
    let mut another = Raw::connect(server.http);
    assert_eq!(healthz(&mut another).status, 200);
    // So does one that goes.
    drop(silent.remove(1));
    server.await_metric("chinwag_connections", 6.0);
    let _more: Vec<_> = (0..2).map(|_| Raw::connect(server.http)).collect();
    server.await_metric("chinwag_connections", 8.0);
    let mut over = Raw::connect(server.http);
    assert_eq!(http::read(&mut over, true).status, 429);
    drop((ann, bob));
}

#[test]
fn handshakes_that_are_not_finished_count_for_their_address() {
    let certificates = Certificates::of(&["localhost"]);
    let server = counting().set("limits.half_open_per_address", "2").tls(&certificates).start();
    let silent = [Raw::connect(server.https), Raw::connect(server.tls)];
    let refused = "chinwag_connections_refused_total{why=\"half_open\"}";
    let mut third = Raw::connect(server.https);
    third.assert_ended();
    server.await_metric(refused, 1.0);
    drop(silent);
    let patience = Patience::begin();
    let mut shaken = loop {
        if let Some(raw) = shake_hands(server.https, &certificates) {
            break raw;
        }
        assert!(patience.is_left(), "no place was given back");
    };
    assert_eq!(healthz(&mut shaken).status, 200);
}

/// Says hello; the code of the answer, and when to come back.
fn hello(client: &mut Client, name: &str) -> (u64, u64) {
    let answer = client.request(&json!({"op": "hello", "name": name}));
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    (number(&answer["code"]), number(&answer["data"]["retry_after_ms"]))
}

#[test]
fn when_many_come_at_once_each_is_told_its_own_time_and_is_let_in_then() {
    let server =
        counting().set("limits.hellos_per_s", "10").set("limits.hellos_burst", "10").start();
    let mut waiting: Vec<(Client, String, u64)> = Vec::new();
    let mut inside = Vec::new();
    for nth in 0..20 {
        let mut client = Client::ws(&server);
        let name = format!("user{nth}");
        match hello(&mut client, &name) {
            (0, _) => inside.push(client),
            (5004, wait) => waiting.push((client, name, wait)),
            other => panic!("{other:?}"),
        }
    }
    assert!(inside.len() >= 10 && !waiting.is_empty(), "{} are in at once", inside.len());
    let waits: BTreeSet<u64> = waiting.iter().map(|(_, _, wait)| *wait).collect();
    assert!(waits.iter().all(|wait| (1..=3_000).contains(wait)), "{waits:?}");
    assert!(waits.len() * 2 > waiting.len(), "they would all come back together: {waits:?}");
    // Who is in is served meanwhile, and whoever waits is let in on the same connection.
    inside[0].ask(&json!({"op": "ping"}));
    let (mut client, name, _) = waiting.remove(0);
    let patience = Patience::begin();
    while hello(&mut client, &name).0 != 0 {
        assert!(patience.is_left(), "never let in");
        inside[0].ask(&json!({"op": "ping"}));
    }
}

/// An upgrade that a proxy has passed on for this client.
fn forwarded(server: &Server, client: &str) -> RawWs {
    RawWs::connect(server.http, "/ws", &format!("X-Forwarded-For: {client}\r\n"))
}

#[test]
fn limits_of_an_address_are_the_clients_and_not_the_proxys() {
    let server = counting()
        .set("insecure", "true")
        .set("proxies", "127.0.0.1")
        .set("limits.per_address", "2")
        .set("limits.connects_per_s", "1")
        .set("limits.connects_burst", "2")
        .set("log_level", "debug")
        .start();
    // The proxy has as many connections as it needs, as fast as it needs them.
    let mut clients: Vec<_> =
        (1..9).map(|last| forwarded(&server, &format!("192.0.2.{last}"))).collect();
    server.await_metric("chinwag_connections", 9.0);
    let log = server.log_when(|log| log.contains("192.0.2.8"));
    assert!(log.contains("a proxy speaks for it"), "{log}");
    // One of its clients does not.
    drop(clients.remove(0));
    server.await_metric("chinwag_connections", 8.0);
    let again = forwarded(&server, "192.0.2.1");
    drop(again);
    let mut third = forwarded(&server, "192.0.2.1");
    third.assert_closed(4104);
    server.await_metric("chinwag_connections_refused_total{why=\"connects\"}", 1.0);
}

#[test]
fn a_request_that_is_not_whole_is_no_request_that_was_answered() {
    let server = counting().set("limits.half_open_per_address", "1").start();
    let mut slow = Raw::connect(server.http);
    slow.send(&upgrade_head(server.http, "/ws", "").as_bytes()[..40]);
    server.await_metric("chinwag_connections", 2.0);
    let mut second = Raw::connect(server.http);
    assert_eq!(http::read(&mut second, true).status, 429);
    drop(slow);
    server.await_metric("chinwag_connections", 1.0);
    // An upgrade alone shows nobody either.
    let upgraded = RawWs::connect(server.http, "/ws", "");
    let mut second = Raw::connect(server.http);
    assert_eq!(http::read(&mut second, true).status, 429);
    drop(upgraded);
}
