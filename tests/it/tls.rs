//! TLS on both kinds of listeners, as a client of rustls' sees it.

use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use rustls::client::Resumption;
use rustls::{HandshakeKind, ProtocolVersion};
use serde_json::json;

use crate::support::client::{Framed, Lines};
use crate::support::tls::{Certificates, client};
use crate::support::{Client, Raw, RawWs, Server, Setup, http};

const NAME: &str = "localhost";

fn start() -> (Server, Certificates) {
    let certificates = Certificates::of(&[NAME]);
    (Setup::default().tls(&certificates).start(), certificates)
}

fn ws(server: &Server, certificates: &Certificates) -> Client {
    let raw = certificates.connect(server.https, NAME);
    let protocol = "Sec-WebSocket-Protocol: chinwag.v1\r\n";
    Client::over(RawWs::over(raw, server.https, "/ws", protocol))
}

#[test]
fn people_talk_over_tls_and_in_clear_alike() {
    let (server, certificates) = start();
    let connect = |address| certificates.connect(address, NAME);
    let clients = [
        ws(&server, &certificates),
        Client::over(Lines(connect(server.tls))),
        Client::over(Framed(connect(server.tls))),
        Client::ws(&server),
    ];
    let mut clients: Vec<_> = clients
        .into_iter()
        .zip(["ann", "bob", "cid", "dan"])
        .map(|(client, name)| client.named(name, Some("lobby")))
        .collect();
    for nth in 0..clients.len() {
        let text = format!("from {nth}");
        clients[nth].ask(&json!({"op": "send", "room": "lobby", "text": text}));
        for (other, client) in clients.iter_mut().enumerate() {
            if other != nth {
                client.expect(&json!({"ev": "message", "text": text}));
            }
        }
    }
    server.await_metric("chinwag_tls_handshakes_total", 3.0);
}

#[test]
fn the_page_comes_over_tls_in_both_versions() {
    let (server, certificates) = start();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut config = certificates.client_of(&[version]);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut raw = Raw::connect(server.https).with_tls(client(&config, NAME));
        raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let response = http::read(&mut raw, true);
        assert_eq!(response.status, 200);
        assert!(response.text().contains("<html"));
        raw.assert_ended();
        let expect = match version.version {
            ProtocolVersion::TLSv1_3 => ProtocolVersion::TLSv1_3,
            _ => ProtocolVersion::TLSv1_2,
        };
        assert_eq!(raw.tls().protocol_version(), Some(expect));
    }
}

#[test]
fn the_end_is_said_in_tls_and_heard() {
    let (server, certificates) = start();
    let mut raw = certificates.connect(server.https, NAME);
    raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(http::read(&mut raw, true).status, 200);
    raw.assert_ended();
    // The end of the connection alone would be an error here.
    assert!(raw.tls().process_new_packets().unwrap().peer_has_closed());

    // One half is closed, and the answers still come.
    let mut raw = certificates.connect(server.tls, NAME);
    for nth in 0..22 {
        raw.send(format!("{{\"op\":\"ping\",\"id\":{nth}}}\n").as_bytes());
    }
    raw.tls().send_close_notify();
    raw.push_tls();
    let answers = String::from_utf8(raw.take_all()).unwrap();
    assert_eq!(answers.lines().count(), 22, "{answers}");
    assert!(raw.tls().process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn a_line_that_was_cut_off_is_not_taken_for_a_whole_one() {
    let (server, certificates) = start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    let mut raw = certificates.connect(server.tls, NAME);
    raw.send(b"{\"op\":\"hello\",\"name\":\"bob\"}\n{\"op\":\"join\",\"room\":\"lobby\"}\n");
    ann.expect(&json!({"ev": "presence", "count": 2}));
    raw.send(b"{\"op\":\"send\",\"room\":\"lobby\",\"text\":\"cut\"}");
    // FIN without the goodbye of TLS, which anybody on the way can send.
    raw.finish();
    drop(raw);
    server.await_metric("chinwag_connections", 2.0);
    ann.assert_not_told(&json!({"ev": "message"}));
}

#[test]
fn who_speaks_in_clear_to_a_tls_port_is_told_what_to_do() {
    let (server, _certificates) = start();
    let head = b"GET / HTTP/1.1\r\nHost: chat.example:8443\r\n\r\n";
    let response = http::request(server.https, head);
    assert_eq!(response.status, 400);
    assert_eq!(response.text(), "This port speaks HTTPS. Use https://chat.example:8443/\n");
    let response = http::request(server.https, b"GET / HTTP/1.0\r\n\r\n");
    assert!(response.text().contains("https://"), "{}", response.text());
    let mut raw = Raw::connect(server.tls);
    raw.send(b"{\"op\":\"ping\"}\n");
    let line = raw.line().unwrap();
    assert!(line.contains("this port speaks TLS"), "{line}");
    raw.assert_ended();
}

#[test]
fn a_tls_hello_to_a_port_in_clear_ends_clearly() {
    let (server, certificates) = start();
    for address in [server.http, server.tcp] {
        assert!(!certificates.begin(address, NAME).shake_hands());
    }
}

#[test]
fn each_name_has_its_certificate() {
    let certificates = Certificates::of(&["one.example", "*.two.example"]);
    let server = Setup::default().tls(&certificates).start();
    for (name, is_good) in
        [("one.example", true), ("a.two.example", true), ("three.example", false)]
    {
        let mut raw = certificates.begin(server.https, name);
        assert_eq!(raw.shake_hands(), is_good, "{name}");
    }
}

#[test]
fn a_client_that_speaks_only_other_protocols_is_refused() {
    let (server, certificates) = start();
    for (address, protocol, is_good) in [
        (server.https, "http/1.1", true),
        (server.https, "h2", false),
        // So that a browser which was sent to the wrong port does not talk there.
        (server.tls, "http/1.1", false),
        (server.tls, "chinwag", true),
    ] {
        let mut config = certificates.client();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let mut raw = Raw::connect(address).with_tls(client(&config, NAME));
        assert_eq!(raw.shake_hands(), is_good, "{protocol} at {address}");
    }
}

#[test]
fn a_connection_is_resumed_by_its_ticket_even_after_a_reload() {
    let (server, mut certificates) = start();
    let mut config = certificates.client();
    config.resumption = Resumption::in_memory_sessions(8);
    for (nth, expect) in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]
        .into_iter()
        .enumerate()
    {
        if nth == 2 {
            certificates.renew(0, NAME);
            server.signal(Signal::HUP);
            server.log_when(|log| log.contains("the certificates were read again"));
        }
        let mut raw = Raw::connect(server.https).with_tls(client(&config, NAME));
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(http::read(&mut raw, true).status, 200);
        raw.assert_ended();
        assert_eq!(raw.tls().handshake_kind(), Some(expect), "connection {nth}");
    }
    server.await_metric("chinwag_tls_handshakes_resumed_total", 2.0);
}

#[test]
fn a_new_certificate_is_taken_and_a_bad_one_changes_nothing() {
    let (server, mut certificates) = start();
    let mut ann = ws(&server, &certificates).named("ann", Some("lobby"));
    let before = certificates.client();
    let is_good = |config: &rustls::ClientConfig| {
        Raw::connect(server.https).with_tls(client(config, NAME)).shake_hands()
    };
    assert!(is_good(&before));
    certificates.write(0, "no certificate", "no key");
    server.signal(Signal::HUP);
    let words = "the certificates from before stay in use";
    server.log_when(|log| log.contains(words) && log.contains("cert0.pem has no certificate"));
    assert!(is_good(&before));
    // Without a signal, by the time of the files.
    certificates.renew(0, NAME);
    server.log_when(|log| log.contains("the certificates were read again"));
    assert!(is_good(&certificates.client()));
    assert!(!is_good(&before));
    ann.ask(&json!({"op": "ping"}));
}

#[test]
fn a_flood_of_handshakes_waits_and_those_who_are_there_are_served() {
    let certificates = Certificates::of(&[NAME]);
    let setup = Setup::default().tls(&certificates).set("tls.handshakes", "4");
    let server = setup.set("timeouts.handshake", "3s").start();
    let mut canary = ws(&server, &certificates).named("ann", Some("lobby"));
    // Each says the beginning of a hello and no more.
    let flood: Vec<_> = (0..40)
        .map(|_| {
            let mut raw = Raw::connect(server.https);
            raw.send(&[22, 3, 1, 2, 0, 1]);
            raw
        })
        .collect();
    server.await_metric("chinwag_tls_handshaking", 4.0);
    server.await_metric("chinwag_tls_handshakes_waiting", 36.0);
    for _ in 0..10 {
        canary.ask(&json!({"op": "ping"}));
    }
    // All are cut at their deadline, and then there is room.
    server.await_metric("chinwag_connections_closed_total{reason=\"handshake_timeout\"}", 40.0);
    server.await_metric("chinwag_tls_handshakes_waiting", 0.0);
    certificates.connect(server.https, NAME);
    drop(flood);
}

#[test]
fn handshakes_that_are_odd_end_or_succeed_and_leave_nothing() {
    let (server, certificates) = start();
    let hello = {
        let mut bytes = Vec::new();
        client(&certificates.client(), NAME).write_tls(&mut bytes).unwrap();
        bytes
    };
    let bytewise = hello[5..].iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect::<Vec<_>>();
    let goodbye = [&hello[..], &[21, 3, 3, 0, 2, 1, 0]].concat();
    let twice = [&hello[..], &hello].concat();
    for (what, bytes) in [
        ("in records of one byte", &bytewise),
        ("a goodbye after it", &goodbye),
        ("the same again", &twice),
    ] {
        let mut raw = Raw::connect(server.https);
        raw.send(bytes);
        raw.finish();
        let answer = raw.take_all();
        assert!(matches!(answer.first(), Some(21 | 22)), "{what}: {answer:?}");
    }
    for garbage in [&b"\x16"[..], b"\x16\x03\x01\xff\xff", b"\x80\x2e\x01\x03\x01", b"\0", &[]] {
        let mut raw = Raw::connect(server.https);
        raw.send(garbage);
        raw.finish();
        raw.take_all();
    }
}

#[test]
fn a_slow_reader_over_tls_gets_every_byte() {
    let certificates = Certificates::of(&[NAME]);
    let server =
        Setup::default().tls(&certificates).set("limits.rate_per_s", "off").bounded().start();
    let raw = certificates.connect(server.tls, NAME);
    raw.shrink(crate::support::SMALL_BUFFER);
    let mut slow = Client::over(Lines(raw)).named("ann", Some("lobby"));
    let mut fast = Client::ws(&server).named("bob", Some("lobby"));
    let text = "x".repeat(8_000);
    for _ in 0..100 {
        fast.ask(&json!({"op": "send", "room": "lobby", "text": text}));
    }
    let mut seen = 0;
    while seen < 100 {
        let event = slow.next().expect("an event");
        // Whoever lags is shown what it has missed in pages.
        let records = match event["ev"].as_str() {
            Some("message") => vec![event.clone()],
            Some("replay") => event["items"].as_array().expect("a list").clone(),
            _ => Vec::new(),
        };
        for record in records {
            seen += 1;
            assert_eq!((&record["seq"], &record["text"]), (&json!(seen), &json!(text)));
        }
    }
    slow.ask(&json!({"op": "ping"}));
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let certificates = Certificates::of(&[NAME, "other.example"]);
    let (files, _) = certificates.files();
    let (certificate, other) = files.split_once(',').unwrap();
    let start = |certificate: &str, key: &str| {
        Setup::default()
            .args(&["--listen", "tls:127.0.0.1:0"])
            .set("tls.certificate", certificate)
            .set("tls.key", key)
            .refused()
    };
    let said = start(certificate, "/nowhere/key.pem");
    assert!(said.contains("cannot read /nowhere/key.pem"), "{said}");
    let said = start(certificate, other);
    assert!(said.contains("has no key"), "{said}");
    let said = start(certificate, "");
    assert!(said.contains("each certificate needs its key"), "{said}");
    let said = Setup::default().args(&["--listen", "tls:127.0.0.1:0"]).refused();
    assert!(said.contains("needs a certificate and its key"), "{said}");
}

#[test]
fn it_is_said_until_when_each_certificate_is_good_and_in_time_when_one_is_not_any_more() {
    const DAY: Duration = Duration::from_hours(24);
    let mut certificates = Certificates::of(&["one.example", "two.example", "three.example"]);
    // Half a day more, so that no midnight comes in between.
    let (now, half) = (SystemTime::now(), DAY / 2);
    certificates.renew_until(0, "one.example", now + DAY * 400 + half);
    certificates.renew_until(1, "two.example", now + DAY * 13 + half);
    certificates.renew_until(2, "three.example", now - half);
    let (certificate, key) = certificates.files();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().args(["check", "--listen", "tls:127.0.0.1:0"]);
    command.env("CHINWAG_TLS_CERTIFICATE", &certificate).env("CHINWAG_TLS_KEY", key);
    let output = command.output().expect("a program that can be started");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = said.lines().filter(|line| line.contains("certificate /")).collect();
    let expected = [
        ("certificate ", " is good until ", ", for 400 days"),
        ("warning: certificate ", " expires on ", ", in 13 days: renew it"),
        ("warning: certificate ", " has expired on ", ": renew it"),
    ];
    assert_eq!(lines.len(), expected.len(), "{said}");
    for ((line, (begins, says, ends)), file) in
        lines.iter().zip(expected).zip(certificate.split(','))
    {
        assert!(
            line.starts_with(&format!("{begins}{file}{says}")) && line.ends_with(ends),
            "{line}"
        );
    }
    let server = Setup::default().tls(&certificates).start();
    server.log_when(|log| log.contains("in 13 days: renew it") && log.contains("has expired on"));
}
