//! Whom a proxy speaks for: PROXY headers and forwarded fields, believed from proxies alone.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::json;

use crate::database_commands::done;
use crate::support::client::Lines;
use crate::support::tls::{Certificates, client};
use crate::support::ws::upgrade_head;
use crate::support::{Client, PATIENCE, Raw, RawWs, Server, Setup, http};

/// A server behind a proxy on loopback, both of whose ports begin with a PROXY header.
fn behind_a_proxy() -> Setup {
    Setup::default()
        .args(&["--listen", "proxy:127.0.0.1:0", "--tcp", "proxy:127.0.0.1:0"])
        .set("proxies", "127.0.0.1")
}

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n";

/// The same in version 2.
fn binary_header() -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
}

#[test]
fn behind_its_header_a_connection_is_as_any_other() {
    let server = behind_a_proxy().start();
    for header in [HEADER.to_vec(), binary_header(), b"PROXY UNKNOWN\r\n".to_vec()] {
        let mut raw = Raw::connect(server.http);
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        raw.send_bytewise(&[&header[..], request].concat());
        assert_eq!(http::read(&mut raw, true).status, 200);
        raw.assert_ended();
        let mut raw = Raw::connect(server.tcp);
        raw.send(&[&header[..], b"{\"op\":\"ping\",\"id\":1}\n"].concat());
        assert!(raw.line().unwrap().starts_with("{\"id\":1,"));
    }
}

#[test]
fn tls_follows_the_header() {
    let certificates = Certificates::of(&["localhost"]);
    let (certificate, key) = certificates.files();
    let server = Setup::default()
        .args(&["--listen", "127.0.0.1:0,proxy:tls:127.0.0.1:0"])
        .set("proxies", "127.0.0.0/8")
        .set("tls.certificate", &certificate)
        .set("tls.key", &key)
        .start();
    let https = server.announced.iter().find_map(|line| {
        line.strip_prefix("listening https://")?.strip_suffix(" (WebSocket at /ws)")?.parse().ok()
    });
    for together in [true, false] {
        let mut raw = Raw::connect(https.expect("an announced address"));
        let mut hello = client(&certificates.client(), "localhost");
        if together {
            let mut bytes = binary_header();
            hello.write_tls(&mut bytes).unwrap();
            raw.send_in_clear(&bytes);
        } else {
            raw.send_in_clear(&binary_header());
        }
        let mut raw = raw.with_tls(hello);
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(http::read(&mut raw, true).status, 200);
    }
}

#[test]
fn what_is_no_header_or_is_not_from_a_proxy_ends_the_connection() {
    let server = behind_a_proxy().set("timeouts.handshake", "300ms").start();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"PROXY TCP4 home 10.0.0.1 1 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\x01\x02\x03\x04",
        // What is not whole is waited for until the deadline.
        b"PROXY TCP4 192.0.2.7",
        b"",
    ] {
        let mut raw = Raw::connect(server.tcp);
        raw.send(bytes);
        assert!(raw.take_all().is_empty());
    }
    // A header comes once: another one is what anybody may have written.
    let server = behind_a_proxy().start();
    let mut raw = Raw::connect(server.tcp);
    raw.send(&[HEADER, HEADER].concat());
    assert!(raw.line().unwrap().contains("PROXY protocol"));
    raw.assert_ended();
    let stranger = behind_a_proxy().set("proxies", "10.0.0.0/8").start();
    for address in [stranger.http, stranger.tcp] {
        let mut raw = Raw::connect(address);
        raw.send(HEADER);
        assert!(raw.take_all().is_empty());
    }
    stranger.await_metric("chinwag_connections_refused_total{why=\"proxy\"}", 2.0);
    let log = stranger.log_when(|log| log.contains("from none of the proxies"));
    assert_eq!(log.matches("from none of the proxies").count(), 1, "a flood is one line");
}

#[test]
fn a_listener_for_proxies_needs_some() {
    let said = Setup::default().args(&["--tcp", "proxy:127.0.0.1:0"]).refused();
    assert!(said.contains("name them in proxies"), "{said}");
}

#[test]
fn a_limit_for_each_address_speaks_of_the_client_behind_the_header() {
    let server = behind_a_proxy().set("limits.per_address", "2").start();
    let connect = |last: u8| {
        let mut raw = Raw::connect(server.tcp);
        raw.send(format!("PROXY TCP4 192.0.2.{last} 10.0.0.1 1 2\r\n").as_bytes());
        raw.send(b"{\"op\":\"ping\",\"id\":1}\n");
        raw
    };
    let mut kept: Vec<_> = [1, 1, 2, 2].into_iter().map(connect).collect();
    for raw in &mut kept {
        assert!(raw.line().unwrap().starts_with("{\"id\":1,"));
    }
    let mut third = connect(1);
    assert!(third.line().unwrap().contains("too many connections from your address"));
    third.assert_ended();
    drop(kept.remove(0));
    server.await_metric("chinwag_connections", 4.0);
    assert!(connect(1).line().unwrap().starts_with("{\"id\":1,"));
}

#[test]
fn a_ban_of_a_network_is_of_the_clients_behind_proxies() {
    let server = behind_a_proxy().start();
    let connect = |last: u8| {
        let mut raw = Raw::connect(server.tcp);
        raw.send(format!("PROXY TCP4 192.0.2.{last} 10.0.0.1 1 2\r\n").as_bytes());
        raw
    };
    let mut ann = Client::over(Lines(connect(1))).named("ann", None);
    let mut bob = Client::over(Lines(connect(200))).named("bob", None);
    done(&server.data(), &["ban", "address", "192.0.2.0/25"]);
    ann.expect(&json!({"ev": "bye", "close": 4005}));
    assert!(connect(2).line().unwrap().contains("4005"));
    bob.ask(&json!({"op": "ping"}));
    Client::over(Lines(connect(201))).named("cid", None);
}

/// An upgrade that says whom it is for.
fn forwarded(server: &Server, fields: &str) -> RawWs {
    RawWs::connect(server.http, "/ws", fields)
}

#[test]
fn forwarded_fields_are_believed_from_proxies_alone() {
    let open = || Setup::default().set("insecure", "true").set("limits.per_address", "1");
    let server = open().set("proxies", "127.0.0.1").start();
    let mut first = forwarded(&server, "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n");
    let _second = forwarded(&server, "Forwarded: for=192.0.2.8\r\n");
    // What a client has put in front of the proxy's word changes nothing.
    let mut third = forwarded(&server, "X-Forwarded-For: 192.0.2.9, 192.0.2.7\r\n");
    third.assert_closed(4104);
    first.send_frame(&crate::support::Frame::text("{\"op\":\"ping\",\"id\":1}"));
    first.frame();
    done(&server.data(), &["ban", "address", "192.0.2.7"]);
    first.assert_closed(4005);
    let head = upgrade_head(server.http, "/ws", "X-Forwarded-For: 192.0.2.7\r\n");
    let mut raw = Raw::connect(server.http);
    raw.send(head.as_bytes());
    assert_eq!(http::read(&mut raw, true).status, 403);

    let stranger = open().start();
    let _clients: Vec<_> =
        (0..3).map(|_| forwarded(&stranger, "X-Forwarded-For: 192.0.2.7\r\n")).collect();
}

#[test]
fn a_socket_in_the_file_system_serves_and_is_gone_with_the_server() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("http.sock");
    let both = format!("127.0.0.1:0,unix:{}", path.display());
    let mut server = Setup::default()
        .args(&["--listen", &both])
        .set("proxies", "127.0.0.1")
        .set("insecure", "true")
        .set("limits.per_address", "1")
        .start();
    assert!(server.announced.iter().any(|line| line.contains(&format!("unix:{}", path.display()))));
    let connect = |fields: &str| {
        let mut stream = UnixStream::connect(&path).expect("a server that accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        let address = server.http;
        stream.write_all(upgrade_head(address, "/ws", fields).as_bytes()).expect("a request");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 101");
        stream
    };
    // Who connects so is on this machine, and a proxy if that is one.
    let clients = [connect(""), connect(""), connect("X-Forwarded-For: 192.0.2.7\r\n")];
    server.await_metric("chinwag_connections", 4.0);
    drop(clients);
    server.restart(Signal::KILL);
    server.signal(Signal::TERM);
    server.assert_left_in_order();
    assert!(!path.exists());
}
