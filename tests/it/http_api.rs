//! Messages over HTTP: what a program posts and reads with a key, a token or a name.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::keys::{add, chinwag_key};
use crate::support::http::{Response, read, request};
use crate::support::{Client, PATIENCE, Raw, Server, Setup, assert_subset};

/// A request of this method, target, fields and body, on a connection of its own.
#[track_caller]
fn ask(address: SocketAddr, line: &str, fields: &str, body: &str) -> Response {
    request(address, head(address, line, fields, body).as_bytes())
}

fn head(address: SocketAddr, line: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    let length = if line.starts_with("POST") {
        format!("Content-Length: {length}\r\n")
    } else {
        String::new()
    };
    format!("{line} HTTP/1.1\r\nHost: {address}\r\n{length}{fields}\r\n{body}")
}

#[track_caller]
fn object(response: &Response, status: u16) -> Value {
    let text = response.text();
    assert_eq!(response.status, status, "{text}");
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

#[test]
fn what_curl_posts_with_a_key_is_said_in_the_room() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let mut ann = Client::ws(&server).named("ann", Some("alerts"));
    let key = bearer(&add(&server, &["ci", "--rooms", "alerts*"]));
    let post = "POST /rooms/alerts/messages";
    let curl = format!("{key}Content-Type: application/x-www-form-urlencoded\r\n");
    let sent = object(&ask(server.http, post, &curl, "disk full"), 201);
    assert_subset(&sent, &json!({"room": "alerts", "seq": 1, "durable": "disk"}));
    ann.expect(&json!({"ev": "message", "from": "ci", "text": "disk full"}));
    let json = format!("{key}Content-Type: application/json; charset=utf-8\r\n");
    let sent = object(&ask(server.http, post, &json, r#"{"text":"hi","data":{"a":1}}"#), 201);
    assert_eq!(sent["seq"], 2);
    ann.expect(&json!({"ev": "message", "text": "hi", "data": {"a": 1}}));
    let once = format!("{key}Idempotency-Key: \"c-1\"\r\n");
    for dup in [Value::Null, json!(true)] {
        let sent = object(&ask(server.http, post, &once, "once\n"), 201);
        assert_eq!((&sent["seq"], &sent["dup"]), (&json!(3), &dup));
    }
    assert_eq!(object(&ask(server.http, post, &once, "other"), 409)["code"], 4005);
    let two = r#"[{"text":"x"},{"text":"y","cid":"c-2"}]"#;
    let sent = object(&ask(server.http, post, &json, two), 201);
    assert_eq!((&sent["messages"][0]["seq"], &sent["messages"][1]["seq"]), (&json!(4), &json!(5)));
    let sent = object(&ask(server.http, post, &json, r#"{"messages":[{"text":"z"},{}]}"#), 400);
    assert_subset(&sent, &json!({"messages": [{"seq": 6}, {"code": 1003}]}));
    let other = "POST /rooms/alerts%2Fdisk/messages";
    assert_eq!(object(&ask(server.http, other, &key, "new"), 201)["room"], "alerts/disk");
    let members = ann.ask(&json!({"op": "members", "room": "alerts"}));
    assert_eq!(members["count"], 1, "nobody has joined by it");
}

#[test]
fn a_request_that_changes_something_under_a_condition_is_refused_and_does_nothing() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let key = bearer(&add(&server, &["ci", "--rooms", "alerts"]));
    let post = "POST /rooms/alerts/messages";
    for condition in ["If-None-Match: *", "If-Match: \"a\""] {
        let fields = format!("{key}{condition}\r\n");
        assert_eq!(ask(server.http, post, &fields, "no").status, 501, "{condition}");
    }
    let sent = object(&ask(server.http, post, &key, "yes"), 201);
    assert_eq!(sent["seq"], 1);
    let page = ask(server.http, "GET /rooms/alerts/messages?limit=ten", &key, "");
    let refused = object(&page, 400);
    assert_subset(&refused, &json!({"code": 1003, "data": {"field": "limit"}}));
    assert!(refused["message"].as_str().is_some_and(|it| it.contains("limit is not a number")));
}

#[test]
fn who_may_not_is_told_with_the_status_and_the_protocols_own_words() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let key = bearer(&add(&server, &["ci", "--rooms", "alerts"]));
    let bad = bearer(&format!("cwk_{}", "x".repeat(43)));
    let post = "POST /rooms/alerts/messages";
    let xml = format!("{key}Content-Type: text/xml\r\n");
    let long = "x".repeat(20_000);
    for (line, fields, body, status, code) in [
        (post, "", "hi", 401, 2001),
        (post, &*bad, "hi", 401, 2001),
        ("POST /rooms/lobby/messages", &key, "hi", 403, 3004),
        ("GET /rooms/alerts/messages", &key, "", 403, 3004),
        ("GET /rooms", &key, "", 403, 3004),
        (post, &xml, "<a/>", 415, 1003),
        (post, &key, " \n", 400, 1003),
        (post, &key, &*long, 413, 4001),
        ("POST /rooms/alerts/messages?as=ann", "Origin: https://evil.example\r\n", "hi", 403, 0),
        ("POST /rooms/No%20Such/messages?as=ann", "", "hi", 400, 1003),
        ("POST /rooms/%ff/messages?as=ann", "", "hi", 400, 1003),
        // Nobody becomes a guest by a name that cannot be read, nor somebody by one of two.
        ("POST /rooms/alerts/messages?as=%ff", "", "hi", 400, 1003),
        ("POST /rooms/alerts/messages?as=ann&as=bob", "", "hi", 400, 1003),
        ("GET /rooms/alerts/messages?as=ann&before=5&before=6", "", "", 400, 1003),
        ("GET /rooms/nowhere/messages?as=ann", "", "", 404, 3001),
        ("GET /rooms/nowhere/messages?as=ann&before=-1", "", "", 400, 1003),
        ("GET /rooms?as=ci", "", "", 409, 2005),
    ] {
        let response = ask(server.http, line, fields, body);
        assert_eq!(response.status, status, "{line}: {}", response.text());
        if code > 0 {
            assert_eq!(object(&response, status)["code"], code, "{line}");
        }
        let challenge = (status == 401).then_some("Bearer");
        assert_eq!(response.header("WWW-Authenticate"), challenge, "{line}");
    }
    let response = ask(server.http, "DELETE /rooms/alerts/messages", &key, "");
    assert_eq!(response.header("Allow"), Some("GET, HEAD, POST"));
    assert_eq!(object(&response, 405)["code"], 1003);
    let head = format!("{post} HTTP/1.1\r\nHost: {}\r\n{key}\r\n", server.http);
    object(&request(server.http, head.as_bytes()), 411);
}

#[test]
fn a_person_reads_and_says_over_http_what_a_join_would_let_it_without_joining() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    for text in ["one", "two", "three"] {
        let sent = ask(server.http, "POST /rooms/lobby/messages?as=bob", "", text);
        object(&sent, 201);
        ann.expect(&json!({"ev": "message", "from": "bob", "text": text}));
    }
    let page = ask(server.http, "GET /rooms/lobby/messages?as=bob&before=3&limit=1", "", "");
    let page = object(&page, 200);
    assert_subset(&page, &json!({"items": [{"seq": 2, "text": "two"}], "more": true}));
    let members = object(&ask(server.http, "GET /rooms/lobby/members?as=bob", "", ""), 200);
    assert_eq!(members["users"], json!([["ann", "member"]]));
    let present = object(&ask(server.http, "GET /rooms/lobby/presence?as=bob", "", ""), 200);
    assert_eq!(present["users"], json!([["ann", "online"]]));
    let inbox = object(&ask(server.http, "GET /rooms?as=ann", "", ""), 200);
    assert_eq!(inbox["rooms"].as_array().map(Vec::len), Some(2), "{inbox}");
    object(&ask(server.http, "GET /rooms/den/messages?as=bob", "", ""), 404);
    object(&ask(server.http, "GET /rooms/den/messages?as=ann", "", ""), 200);
    ann.ask(&json!({"op": "create", "room": "team"}));
    Client::lines(&server).named("bob", Some("team"));
    ann.ask(&json!({"op": "ban", "room": "team", "user": "bob"}));
    let refused = ask(server.http, "POST /rooms/team/messages?as=bob", "", "hi");
    assert_eq!(object(&refused, 403)["code"], 3005);
    // A name may have digits only; a number may not be anything else.
    Client::lines(&server).named("2024", Some("lobby"));
    let page = object(&ask(server.http, "GET /rooms/lobby/members?as=bob&after=1999", "", ""), 200);
    assert_eq!(page["users"], json!([["2024", "member"], ["ann", "member"]]));
    let page = object(&ask(server.http, "GET /rooms/lobby/members?as=bob&after=2024", "", ""), 200);
    assert_eq!(page["users"], json!([["ann", "member"]]));
    for query in ["/rooms/lobby/members?limit=x", "/rooms?since=x", "/me/export?after=x"] {
        let refused = ask(server.http, &format!("GET {query}&as=bob"), "", "");
        let words = object(&refused, 400)["message"].to_string();
        assert!(words.contains("is not a number"), "{query}: {words}");
    }
    let head = ask(server.http, "HEAD /rooms/lobby/members?as=bob", "", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_connection_goes_on_after_each_answer_and_after_a_refusal_whose_body_is_small() {
    let server = Server::start();
    let address = server.http;
    let mut raw = Raw::connect(address);
    let post = "POST /rooms/lobby/messages?as=bob";
    let good = head(address, post, "", "one");
    let bad = head(address, "POST /rooms/lobby/messages", "", "GET / HTTP/1.1\r\n\r\n");
    let chunks = format!(
        "{post} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\ntw\r\n1;a=b\r\no\r\n0\r\nA: b\r\n\r\n"
    );
    // All at once, and byte by byte.
    let all = [&*good, &bad, &chunks, &good].concat();
    for pieces in [vec![all.as_bytes()], all.as_bytes().chunks(1).collect()] {
        for piece in pieces {
            raw.send(piece);
        }
        for status in [201, 401, 201, 201] {
            assert_eq!(read(&mut raw, true).status, status);
        }
    }
    raw.send(format!("{post} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").as_bytes());
    assert_eq!(raw.take_until("\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
    raw.send(b"hi");
    assert_eq!(read(&mut raw, true).status, 201);
    let mut refused = Raw::connect(address);
    let chunked = "HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n";
    refused.send(format!("POST /nowhere {chunked}{}", "x".repeat(1 << 17)).as_bytes());
    assert_eq!(read(&mut refused, true).status, 404, "what was known before");
    for bad in ["x\r\n", "5\nhello", "ffffff\r\n"] {
        let mut raw = Raw::connect(address);
        let head = format!(
            "{post} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n{bad}"
        );
        raw.send(head.as_bytes());
        let response = read(&mut raw, true);
        assert!(response.status == 400 || response.status == 413, "{}", response.text());
        assert_eq!(response.header("Connection"), Some("close"));
    }
    let mut raw = Raw::connect(address);
    raw.send(good.as_bytes());
    raw.finish();
    assert_eq!(read(&mut raw, true).status, 201, "what was asked before FIN is answered");
    raw.assert_ended();
}

#[test]
fn what_is_refused_costs_nobody_the_next_request_whatever_its_method() {
    let server = Server::start();
    let address = server.http;
    let mut raw = Raw::connect(address);
    let post = "POST /rooms/lobby/messages?as=bob";
    let good = head(address, post, "", "one");
    for (line, status) in [
        ("PATCH /rooms/lobby/messages?as=bob", 405),
        ("DELETE /rooms/lobby/messages", 405),
        ("PROPFIND /", 405),
        ("POST /", 405),
        ("POST /nowhere", 404),
        ("PUT /healthz", 405),
        ("GET /", 413),
        ("HEAD /", 413),
        ("OPTIONS /rooms", 413),
        ("GET /rooms/lobby/messages?as=bob", 413),
    ] {
        let body = good.len();
        for framing in [
            format!("Content-Length: {body}\r\n\r\n{good}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{body:x}\r\n{good}\r\n0\r\n\r\n"),
        ] {
            let fields = format!("HTTP/1.1\r\nHost: {address}\r\n{framing}");
            raw.send(format!("{line} {fields}{good}").as_bytes());
            assert_eq!(read(&mut raw, !line.starts_with("HEAD")).status, status, "{line}");
            assert_eq!(read(&mut raw, true).status, 201, "behind {line}");
        }
    }
    let no_length = format!("{post} HTTP/1.1\r\nHost: {address}\r\n\r\n{good}");
    raw.send(no_length.as_bytes());
    for status in [411, 201] {
        assert_eq!(read(&mut raw, true).status, status);
    }
}

#[test]
fn who_speaks_http_1_0_is_not_told_to_go_on() {
    let server = Server::start();
    let post = "POST /rooms/lobby/messages?as=ann HTTP/1.0\r\n";
    let fields = "Host: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n";
    assert_eq!(request(server.http, format!("{post}{fields}\r\nhi").as_bytes()).status, 201);
    let refused = request(server.http, format!("{post}{fields}{fields}\r\n").as_bytes());
    assert_eq!(refused.status, 400);
    assert!(!refused.text().contains("no body is accepted"), "{}", refused.text());
}

/// Posts such forms to a hook by this request line.
#[track_caller]
fn assert_forms_of_parts_are_said(server: &Server, line: &str, ann: &mut Client) {
    let parts = "Content-Type: multipart/form-data; boundary=--b\r\n";
    let part = |name: &str, value: &str| {
        format!("----b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let kuma = part("data", r#"{"monitor":{"name":"web"},"msg":"[web] [DOWN] timeout"}"#);
    for (form, status) in [
        (kuma + "----b--\r\n", 200),
        (part("title", "T") + &part("message", "M") + "----b--", 200),
        (part("title", "T"), 400),
        (part("other", "T") + "----b--", 400),
    ] {
        assert_eq!(ask(server.http, line, parts, &form).status, status, "{form}");
    }
    for text in ["[web] [DOWN] timeout", "T\nM"] {
        ann.expect(&json!({"ev": "message", "text": text}));
    }
}

#[test]
fn a_hook_says_what_monitors_and_chats_send() {
    let server = Setup::default().set("log.level", "debug").start();
    let mut ann = Client::ws(&server).named("ann", Some("alerts"));
    let add = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.env_clear().arg("--data").arg(server.data()).args(["hook", "add"]).args(args);
        let output = command.output().expect("its end");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8")
    };
    let said = add(&["@ann:bob", "--name", "spy"]);
    assert!(said.contains("in a conversation only its two speak"), "{said}");
    let said = add(&["alerts"]);
    let path = said.lines().next().unwrap_or_default().to_owned();
    assert!(path.starts_with("/hooks/cwh_") && said.contains("alerts-hook may send"), "{said}");
    let line = format!("POST {path}");
    let json = "Content-Type: application/json\r\n";
    while ask(server.http, &line, json, "{}").status == 404 {}
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let long = format!("Idempotency-Key: {}\r\n", "0f".repeat(64));
    let alert = r#"{"alerts":[{"status":"firing","labels":{"alertname":"Disk"}}]}"#;
    for (fields, body, text) in [
        (json, r#"{"text":"hi"}"#, "hi"),
        (form, "payload=%7B%22text%22%3A%22a+b%22%7D", "a b"),
        (json, alert, "[FIRING] Disk"),
        ("", "plain", "plain"),
        (&long, "of a key that is no cid", "of a key that is no cid"),
        (&long, "of the same", "of the same"),
    ] {
        let response = ask(server.http, &line, fields, body);
        assert_eq!((response.status, &*response.text()), (200, "ok"), "{body}");
        ann.expect(&json!({"ev": "message", "from": "alerts-hook", "text": text}));
    }
    assert_forms_of_parts_are_said(&server, &line, &mut ann);
    let once = "Idempotency-Key: \"delivery-1\"\r\n";
    for (body, status) in [("once", 200), ("once", 200), ("another", 409)] {
        assert_eq!(ask(server.http, &line, once, body).status, status, "{body}");
    }
    assert_eq!(ask(server.http, &line, "", "next").status, 200);
    ann.expect(&json!({"ev": "message", "seq": 9, "text": "once"}));
    ann.expect(&json!({"ev": "message", "seq": 10, "text": "next"}));
    assert_eq!(object(&ask(server.http, &line, json, "{}"), 400)["code"], 1003);
    assert_eq!(ask(server.http, &format!("GET {path}"), "", "").status, 405);
    assert_eq!(ask(server.http, "POST /hooks/cwh_x", json, r#"{"text":"hi"}"#).status, 404);
    let secret = path.trim_start_matches("/hooks/");
    let refused = ask(server.http, "GET /rooms", &bearer(secret), "");
    assert_eq!(refused.status, 401, "it is good for nothing else");
    let (_, keys) = chinwag_key(&server, &["list"]);
    assert_eq!(keys, "there is no key yet\n");
    assert!(!server.log().contains(secret));
}

#[test]
fn what_is_repeated_by_another_door_or_after_a_kill_is_said_once() {
    let token = "an-admin-token-of-32-bytes-or-so";
    let mut server = Setup::default().set("admin_token", token).start();
    let json = "Content-Type: application/json\r\n";
    let operator = format!("{}{json}Idempotency-Key: op-1\r\n", bearer(token));
    let posted = |server: &Server, (line, fields, body): (&str, &str, &str), status| {
        object(&ask(server.http, line, fields, body), status)
    };
    let one = ("POST /rooms/lobby/messages?as=ann", "Idempotency-Key: c-1\r\n", "one");
    let list = r#"[{"text":"two","cid":"c-2"},{"text":""},{"text":"three","cid":"c-3"}]"#;
    let list = ("POST /rooms/lobby/messages?as=ann", json, list);
    let publish = r#"{"room":"lobby","text":"four"}"#;
    let publish = |server: &Server| {
        object(&ask(server.admin, "POST /api/v1/publish", &operator, publish), 201)
    };
    posted(&server, one, 201);
    assert_eq!(posted(&server, list, 400)["messages"][2]["seq"], 3);
    assert_eq!(publish(&server)["seq"], 4);
    for signal in [None, Some(Signal::KILL), Some(Signal::TERM)] {
        if let Some(signal) = signal {
            server.restart(signal);
        }
        assert_subset(&posted(&server, one, 201), &json!({"seq": 1, "dup": true}));
        let again = posted(&server, list, 400);
        let expect = json!({"messages": [{"seq": 2, "dup": true}, {"code": 1003},
                                         {"seq": 3, "dup": true}]});
        assert_subset(&again, &expect);
        assert_subset(&publish(&server), &json!({"seq": 4, "dup": true}));
        let mut ann = Client::lines(&server).named("ann", Some("lobby"));
        let send = json!({"op": "send", "room": "lobby", "text": "one", "cid": "c-1"});
        assert_subset(&ann.ask(&send), &json!({"seq": 1, "dup": true}));
        // Of another user, and in another room, it is another message.
        let other = ("POST /rooms/other/messages?as=ann", one.1, one.2);
        assert_eq!(posted(&server, other, 201)["dup"].as_bool(), signal.map(|_| true));
    }
    let bob = ("POST /rooms/lobby/messages?as=bob", one.1, one.2);
    let sent = posted(&server, bob, 201);
    assert_eq!((&sent["seq"], &sent["dup"]), (&json!(5), &Value::Null));
}

#[test]
fn who_posts_more_than_is_allowed_by_many_connections_is_told_when_to_come_back() {
    let server = Setup::default().set("limits.user_per_s", "1").set("limits.user_burst", "40");
    let server = server.start();
    let post = |who: &str| ask(server.http, &format!("POST /rooms/a/messages?as={who}"), "", "hi");
    let refused = (0..500).map(|_| post("ann")).find(|response| response.status != 201);
    let refused = refused.expect("a refusal");
    assert_subset(&object(&refused, 429), &json!({"code": 5001}));
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(post("bob").status, 201, "it is nobody else's rate");
}

#[test]
fn a_list_that_is_longer_than_the_burst_is_said_to_its_end_when_it_is_repeated() {
    let server = Setup::default().set("limits.user_per_s", "10").set("limits.user_burst", "10");
    let server = server.start();
    let json = "Content-Type: application/json\r\n";
    let list = |from: u32, count: u32| {
        let messages = (from..from + count).map(|n| json!({"text": "x", "cid": n.to_string()}));
        Value::from(messages.collect::<Vec<_>>()).to_string()
    };
    let post = |body: &str| ask(server.http, "POST /rooms/a/messages?as=bob", json, body);
    let body = list(0, 64);
    let first = post(&body);
    assert_eq!(object(&first, 429)["messages"][9]["seq"], 10);
    assert_eq!(first.header("Retry-After"), Some("1"));
    // Repeated at once, again and again: what is there already must not take what the rest needs.
    let begin = std::time::Instant::now();
    let whole = loop {
        let answer = post(&body);
        if answer.status == 201 {
            break answer;
        }
        assert!(begin.elapsed() < PATIENCE, "all of it");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    };
    assert_eq!(whole.header("Retry-After"), None);
    let whole = object(&whole, 201);
    let seqs: Vec<_> = whole["messages"].as_array().expect("a list").iter().collect();
    assert!(seqs.iter().enumerate().all(|(at, it)| it["seq"] == at + 1), "{seqs:?}");
    assert_eq!(post(&body).text().matches("dup").count(), 64);
}

#[test]
fn nothing_that_is_sent_to_a_door_is_in_the_log() {
    let token = "marker-of-the-operator-of-32-bytes";
    let server = Setup::default().set("log_level", "trace").set("admin_token", token);
    let server = server.set("auth", "accounts,none").start();
    let key = add(&server, &["ci", "--rooms", "alerts*"]);
    let (json, form) = (
        "Content-Type: application/json\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
    );
    let key_field = bearer(&key);
    let with_key = |fields: &str| format!("{key_field}{fields}Idempotency-Key: marker-cid\r\n");
    let operator = format!("{}{json}", bearer(token));
    let hook = r#"{"room":"alerts","name":"by-hook"}"#;
    let hook = object(&ask(server.admin, "POST /api/v1/hooks", &operator, hook), 201);
    let path = hook["path"].as_str().expect("its path").to_owned();
    let text = r#"{"text":"marker-text","data":{"a":"marker-data"}}"#;
    let post = "POST /rooms/alerts/messages";
    let hooked = format!("POST {path}");
    for (line, fields, body, status) in [
        (post, &*with_key(json), text, 201),
        (post, &with_key(""), "marker-other", 409),
        (post, &key_field, "marker-plain", 201),
        (post, &with_key("Content-Type: marker/type\r\n"), "marker-body", 415),
        (post, "Authorization: Bearer marker-token\r\n", "marker-body", 401),
        (post, &with_key(json), r#"{"text":"marker-half"#, 400),
        ("POST /rooms/marker-room?token=marker-query/messages", "", "marker-body", 404),
        ("POST /rooms/alerts/messages?token=marker-query", "", "marker-body", 401),
        ("GET /rooms/alerts/messages?as=%00marker-name", "", "", 400),
        ("GET /rooms/alerts/events?as=ann", "Last-Event-ID: marker-id\r\n", "", 400),
        (&hooked, json, text, 200),
        (&hooked, form, "payload=%7B%22text%22%3A%22marker-form%22%7D", 200),
        (&hooked, json, "marker-no-json", 400),
        ("POST /hooks/cwh_marker-secret", json, text, 404),
        ("POST /files?as=ann", "Content-Type: text/plain\r\n", "marker-file", 201),
    ] {
        let response = ask(server.http, line, fields, body);
        assert_eq!(response.status, status, "{line}: {}", response.text());
    }
    let publish = r#"{"room":"alerts","text":"marker-published"}"#;
    object(&ask(server.admin, "POST /api/v1/publish", &operator, publish), 201);
    let wrong = bearer("marker-of-somebody-else-of-32-bytes");
    object(&ask(server.admin, "GET /api/v1/stats", &wrong, ""), 401);
    let last = r#"{"level":"trace"}"#;
    object(&ask(server.admin, "POST /api/v1/log-level", &operator, last), 200);
    let log = server.log_when(|log| log.contains("whom=trace"));
    for secret in [&key, path.trim_start_matches("/hooks/"), "marker"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
