//! HTTP/1.1 as it is served: the page's files, and what is refused with which status.

use serde_json::json;

use crate::support::ws::upgrade_head;
use crate::support::{Client, Raw, Server, Setup, http};

/// A request line and fields besides `Host`, and the status of the answer. Whether the connection
/// goes on is in the last column.
const ANSWERS: &[(&str, &str, u16, bool)] = &[
    ("GET / HTTP/1.1", "", 200, true),
    ("HEAD / HTTP/1.1", "", 200, true),
    ("GET /?a=b HTTP/1.1", "", 200, true),
    ("GET http://localhost/ HTTP/1.1", "", 200, true),
    ("GET / HTTP/1.1", "Content-Length: 0\r\n", 200, true),
    ("GET / HTTP/1.1", "Connection: close\r\n", 200, false),
    ("GET / HTTP/1.0", "", 200, false),
    ("GET /nowhere HTTP/1.1", "", 404, true),
    ("GET /../etc/passwd HTTP/1.1", "", 404, true),
    ("GET /%2e%2e/ HTTP/1.1", "", 404, true),
    ("GET //  HTTP/1.1", "", 400, false),
    ("GET /metrics HTTP/1.1", "", 404, true),
    ("GET /echo HTTP/1.1", "", 404, true),
    ("POST / HTTP/1.1", "", 405, true),
    ("DELETE /healthz HTTP/1.1", "", 405, true),
    ("OPTIONS * HTTP/1.1", "", 405, true),
    ("CONNECT localhost:80 HTTP/1.1", "", 405, false),
    ("TRACE / HTTP/1.1", "", 405, true),
    ("POST /ws HTTP/1.1", "Upgrade: websocket\r\n", 405, false),
    ("GET /ws HTTP/1.1", "", 426, false),
    ("GET / HTTP/1.1", "Upgrade: h2c\r\nConnection: Upgrade\r\n", 200, false),
    ("POST / HTTP/1.1", "Content-Length: 5\r\n", 405, false),
    ("POST /nowhere HTTP/1.1", "Transfer-Encoding: chunked\r\n", 404, false),
    ("PUT / HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 5\r\n", 405, false),
    ("POST / HTTP/1.1", "Content-Length: 5, 5\r\n", 400, false),
    ("GET / HTTP/1.1", "Content-Length: +0\r\n", 400, false),
    ("GET / HTTP/1.1", "Content-Length: 0x0\r\n", 400, false),
    ("GET / HTTP/1.1", "Content-Length: 0\r\nContent-Length: 0\r\n", 400, false),
    ("GET / HTTP/1.1", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400, false),
    ("GET / HTTP/1.1", "Transfer-Encoding: chunked, chunked\r\n", 400, false),
    ("GET / HTTP/1.1", "Transfer-Encoding: gzip, chunked\r\n", 501, false),
    ("GET / HTTP/1.1", "Content-Encoding: gzip\r\n", 415, true),
    ("GET / HTTP/1.1", "Expect: 100-continue\r\n", 417, false),
    ("GET / HTTP/1.1", "Host: localhost\r\n", 400, false),
    ("GET / HTTP/1.1", "X : y\r\n", 400, false),
    ("GET / HTTP/1.1", "X: y\r\n z\r\n", 400, false),
    ("GET / HTTP/1.1", "X: y\n", 400, false),
    ("GET / HTTP/1.1", "X: a\rb\r\n", 400, false),
    ("GET / HTTP/1.1", "X: a\0b\r\n", 400, false),
    ("GET / HTTP/1.1", "no colon\r\n", 400, false),
    ("GET / HTTP/1.1", ": no name\r\n", 400, false),
    ("HEAD / HTTP/1.1", "X : y\r\n", 400, false),
    ("HEAD /a b HTTP/1.1", "", 400, false),
    ("GET / http/1.1", "", 400, false),
    ("GET / HTTP/1.2", "", 505, false),
    ("GET / HTTP/3.0", "", 505, false),
    ("GET /", "", 400, false),
    ("G\u{e9}T / HTTP/1.1", "", 400, false),
    (" GET / HTTP/1.1", "", 400, false),
];

#[test]
fn each_request_is_answered_with_its_status_and_the_connection_goes_on_or_ends() {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut canary = Client::ws(&server).named("canary", None);
    for (line, fields, status, goes_on) in ANSWERS {
        let what = format!("{line:?} {fields:?}");
        let mut raw = Raw::connect(server.http);
        raw.send(format!("{line}\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
        let response = http::read(&mut raw, !line.starts_with("HEAD"));
        assert_eq!(response.status, *status, "{what}: {response:?}");
        assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"), "{what}");
        let date = response.header("Date").unwrap_or_default();
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{what}: {response:?}");
        if *status == 405 {
            assert!(response.header("Allow").is_some_and(|allow| allow.contains("GET")), "{what}");
        }
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if *goes_on {
            assert_eq!(http::read(&mut raw, true).status, 200, "{what}");
        } else {
            assert_eq!(
                response.header("Connection").map(|told| told.contains("close")),
                Some(true)
            );
            raw.assert_ended();
        }
        canary.ask(&json!({"op": "ping"}));
    }
}

#[test]
fn a_host_that_could_have_been_rebound_finds_nothing() {
    let setup = Setup::default().config("[http]\nhosts = [\"chat.example.org\"]\n");
    let server = setup.set("insecure", "true").start();
    for (host, status) in [
        ("localhost", 200),
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("chat.example.org", 200),
        ("CHAT.example.org:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("chat.example.org.evil.example", 421),
        ("localhost.", 421),
        ("2130706433", 421),
        ("", 400),
        ("a b", 400),
        ("localhost:99999", 400),
        ("user@localhost", 400),
        ("localhost/", 400),
    ] {
        for (target, good) in [("/", 200), ("/healthz", 200), ("/ws", 426), ("/nowhere", 404)] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let expected = if status == 200 { good } else { status };
            let response = http::request(server.http, head.as_bytes());
            assert_eq!(response.status, expected, "{host:?} {target}");
        }
    }
    let metrics = |host: &str| {
        let head = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
        http::request(server.admin, head.as_bytes()).status
    };
    assert_eq!((metrics("localhost"), metrics("evil.example")), (200, 421));
}

#[test]
fn only_pages_of_the_right_origin_may_connect() {
    let config = "[http]\norigins = [\"https://app.example.org\"]\n";
    let server = Setup::default().config(config).start();
    let own = server.http;
    for (origin, status) in [
        (format!("http://{own}"), 101),
        (format!("https://{own}"), 101),
        ("https://app.example.org".to_owned(), 101),
        ("http://app.example.org".to_owned(), 403),
        ("https://app.example.org.evil.example".to_owned(), 403),
        ("https://evil.example".to_owned(), 403),
        ("null".to_owned(), 403),
        (String::new(), 403),
        (format!("HTTP://{own}"), 403),
        (format!("http://{own}/"), 403),
        (format!("http://{own}."), 403),
        (format!("http://ok@{own}"), 403),
        (format!("http://{own}@evil.example"), 403),
        (format!("http://{}", own.ip()), 403),
        (format!("http://{own}\r\nOrigin: http://{own}"), 403),
    ] {
        let head = upgrade_head(own, "/ws", &format!("Origin: {origin}\r\n"));
        let response = http::request(own, head.as_bytes());
        assert_eq!(response.status, status, "{origin:?}");
    }
}

#[test]
fn where_an_origin_is_required_only_browsers_connect() {
    let server = Setup::default().set("http.require_origin", "true").start();
    let head = upgrade_head(server.http, "/ws", "");
    assert_eq!(http::request(server.http, head.as_bytes()).status, 403);
    let own = format!("Origin: http://{}\r\n", server.http);
    let head = upgrade_head(server.http, "/ws", &own);
    assert_eq!(http::request(server.http, head.as_bytes()).status, 101);
    assert_eq!(http::get(server.http, "/").status, 200);
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = Server::start();
    let mut raw = Raw::connect(server.http);
    let mut ask = |method: &str, target: &str, fields: &str| {
        raw.send(
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes(),
        );
        http::read(&mut raw, method != "HEAD")
    };
    for (target, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/actions.js", "text/javascript; charset=utf-8"),
        ("/client.js", "text/javascript; charset=utf-8"),
        ("/dom.js", "text/javascript; charset=utf-8"),
        ("/log-entry.js", "text/javascript; charset=utf-8"),
        ("/moderation.js", "text/javascript; charset=utf-8"),
        ("/personal.js", "text/javascript; charset=utf-8"),
        ("/search.js", "text/javascript; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml"),
    ] {
        let whole = ask("GET", target, "");
        assert_eq!((whole.status, whole.header("Content-Type")), (200, Some(content_type)));
        let length = whole.body.len().to_string();
        let head = ask("HEAD", target, "");
        assert_eq!(head.header("Content-Length"), Some(length.as_str()));
        let tag = whole.header("ETag").expect("a tag");
        assert_eq!(head.header("ETag"), Some(tag));
        for (known, status) in [
            (tag.to_owned(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"x\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"x\"".to_owned(), 200),
        ] {
            for method in ["GET", "HEAD"] {
                let told = ask(method, target, &format!("If-None-Match: {known}\r\n"));
                assert_eq!(told.status, status, "{method} {target} {known}");
                assert_eq!(told.header("ETag"), Some(tag));
            }
        }
    }
}

#[test]
fn a_request_is_understood_wherever_it_is_split_and_byte_by_byte() {
    let server = Server::start();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n";
    for cut in 0..=request.len() {
        let mut raw = Raw::connect(server.http);
        raw.send(&request[..cut]);
        raw.send(&request[cut..]);
        assert_eq!(http::read(&mut raw, true).status, 200, "split at {cut}");
    }
    // As large a head as there may be.
    let head = upgrade_head(server.http, "/ws", "");
    let filler = format!("X: {}\r\n\r\n", "y".repeat(8192 - head.len() - 5));
    let largest = head.trim_end().to_owned() + "\r\n" + &filler;
    assert_eq!(largest.len(), 8192);
    let mut raw = Raw::connect(server.http);
    raw.send_bytewise(largest.as_bytes());
    assert_eq!(http::read(&mut raw, true).status, 101);
    let mut raw = Raw::connect(server.http);
    raw.send(largest.replacen("X: ", "X: y", 1).as_bytes());
    assert_eq!(http::read(&mut raw, true).status, 431);
}

#[test]
fn a_head_of_any_size_that_can_be_set_passes() {
    let largest = 1 << 20;
    let server = Setup::default().set("http.head_bytes", "1MiB").start();
    for size in [70_000, 200_000, largest] {
        let empty = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: \r\n\r\n";
        let filler = "x".repeat(size - empty.len());
        let head = empty.replace("Cookie: ", &format!("Cookie: {filler}"));
        assert_eq!(head.len(), size);
        assert_eq!(http::request(server.http, head.as_bytes()).status, 200, "{size}");
    }
    let head = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(largest));
    assert_eq!(http::request(server.http, head.as_bytes()).status, 431);
}

#[test]
fn a_long_target_and_many_fields_have_bounds_of_their_own() {
    let server = Setup::default().set("http.fields", "16").start();
    for (request, status) in [
        (format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(7000)), 414),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(15)), 200),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(16)), 431),
        (upgrade_head(server.http, "/ws", &"X: y\r\n".repeat(20)), 431),
    ] {
        let response = http::request(server.http, request.as_bytes());
        assert_eq!(response.status, status, "{response:?}");
    }
}

#[test]
fn an_idle_connection_is_kept_for_a_while_and_then_ended_without_a_word() {
    let server = Setup::default().set("timeouts.keep_alive", "100ms").start();
    let mut raw = Raw::connect(server.http);
    raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(http::read(&mut raw, true).status, 200);
    raw.assert_ended();
    server.assert_no_connection_left();
}

#[test]
fn a_head_that_stays_unfinished_is_answered_with_408() {
    let server = Setup::default().set("timeouts.head", "100ms").start();
    let after = " / HTTP/1.1\r\nHost: localhost\r\n";
    for begun in ["", "G", &format!("GET{after}"), &format!("\r\nHEAD{after}")] {
        let mut raw = Raw::connect(server.http);
        raw.send(begun.as_bytes());
        assert_eq!(http::read(&mut raw, !begun.contains("HEAD")).status, 408, "{begun:?}");
        raw.assert_ended();
    }
    // The deadline of a later request counts from its first byte.
    let server = Setup::default().set("timeouts.head", "1s").start();
    let mut raw = Raw::connect(server.http);
    raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET");
    assert_eq!(http::read(&mut raw, true).status, 200);
    assert_eq!(http::read(&mut raw, true).status, 408);
    raw.assert_ended();
}

#[test]
fn a_full_server_says_when_to_come_back() {
    let server = Setup::default().set("limits.connections", "2").start();
    let ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    let mut late = Raw::connect(server.http);
    let response = http::read(&mut late, true);
    assert_eq!(response.status, 503);
    assert!(response.header("Retry-After").is_some_and(|after| after.parse::<u32>().is_ok()));
    late.assert_ended();
    Client::lines(&server).expect_next(&json!({"ev": "bye", "close": 4104}));
    // The operator gets in all the same, and so does the next one when there is room.
    assert_eq!(http::get(server.admin, "/healthz").status, 200);
    bob.ask(&json!({"op": "ping"}));
    drop(ann);
    // One client, and the operator who asks.
    server.await_metric("chinwag_connections", 2.0);
    Client::ws(&server).named("cat", None);
}
