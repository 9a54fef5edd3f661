//! Every status that is answered over HTTP: brought about, and held against the table of the
//! documentation, in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::files::{fetch, place, say};
use crate::keys::add;
use crate::support::disk::NotedDisk;
use crate::support::http::{Response, read, request};
use crate::support::ws::upgrade_head;
use crate::support::{Client, PATIENCE, Raw, Server, Setup, assert_subset};

const BOOK: &str = include_str!("../../src/docs/http.md");

/// What was answered, and what may be.
struct Statuses {
    documented: BTreeMap<u16, BTreeSet<u64>>,
    seen: BTreeSet<u16>,
}

impl Statuses {
    /// By the table: each status with the codes in its row.
    fn new() -> Self {
        let rows = BOOK.lines().skip_while(|line| *line != "| status | when |").skip(2);
        let mut documented = BTreeMap::new();
        for row in rows.take_while(|line| line.starts_with('|')) {
            let mut cells = row.split('|').skip(1);
            let (statuses, when) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
            let codes = codes(when);
            for status in statuses.split(',') {
                let status = status.trim().parse().expect("a status");
                assert!(documented.insert(status, codes.clone()).is_none(), "{status} twice");
            }
        }
        Self { documented, seen: BTreeSet::new() }
    }

    /// Notes an answer, which has to be a documented one.
    #[track_caller]
    fn note(&mut self, what: &str, status: u16, response: &Response) {
        let text = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, status, "{what}: {text}");
        self.seen.insert(status);
        let codes = self.documented.get(&status);
        let codes = codes.unwrap_or_else(|| panic!("{what}: {status} is not documented"));
        if status >= 400
            && let Ok(refusal) = serde_json::from_str::<Value>(&text)
        {
            let code = refusal["code"].as_u64().expect("a code");
            assert!(codes.contains(&code), "{what}: {status} with {code} is not documented");
        }
        let is_later = matches!(status, 429 | 503 | 507);
        assert_eq!(response.header("Retry-After").is_some(), is_later, "{what}: {status}");
    }

    #[track_caller]
    fn ask(&mut self, address: SocketAddr, (line, fields, body): (&str, &str, &str), status: u16) {
        let length = format!("Content-Length: {}\r\n", body.len());
        let length = if line.starts_with('P') { length } else { String::new() };
        let host =
            if fields.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
        let head = format!("{line} HTTP/1.1\r\n{host}{length}{fields}\r\n{body}");
        self.note(line, status, &request(address, head.as_bytes()));
    }

    #[track_caller]
    fn raw(&mut self, address: SocketAddr, bytes: &str, status: u16) {
        self.note(bytes.get(..40).unwrap_or(bytes), status, &request(address, bytes.as_bytes()));
    }
}

/// The codes of a text: four digits, or a range of them.
fn codes(text: &str) -> BTreeSet<u64> {
    let mut codes = BTreeSet::new();
    let mut is_range = false;
    for word in text.split(|char: char| !char.is_alphanumeric()) {
        if let Some(code) = word.parse().ok().filter(|_| word.len() == 4) {
            let first = codes.last().copied().filter(|_| is_range).unwrap_or(code);
            codes.extend(first..=code);
        }
        is_range = word == "to";
    }
    codes
}

const JSON: &str = "Content-Type: application/json\r\n";
const POST: &str = "POST /rooms/lobby/messages?as=ann";

fn ask_about_messages(statuses: &mut Statuses, server: &Server) {
    let http = server.http;
    let key = add(server, &["ci", "--rooms", "alerts"]);
    let key = format!("Authorization: Bearer {key}\r\n");
    let long = "x".repeat(20_000);
    for (line, fields, body, status) in [
        ("GET /rooms?as=ann", "", "", 200),
        (POST, "Idempotency-Key: c\r\n", "hi", 201),
        (POST, JSON, "{", 400),
        (POST, "", " ", 400),
        ("POST /rooms/lobby/messages", "", "hi", 401),
        ("POST /rooms/lobby/messages", "Authorization: Bearer cwk_x\r\n", "hi", 401),
        ("POST /rooms/lobby/messages", &*key, "hi", 403),
        (POST, "Origin: https://evil.example\r\n", "hi", 403),
        ("GET /rooms/nowhere/messages?as=ann", "", "", 404),
        ("GET /nowhere", "", "", 404),
        ("GET /rooms/lobby/messages/1/files/cwf_x?as=ann", "", "", 400),
        ("GET /rooms/lobby/events?as=ann&after=99", "", "", 404),
        ("DELETE /rooms/lobby/messages?as=ann", "", "", 405),
        ("POST /", "", "hi", 405),
        (POST, "Idempotency-Key: c\r\n", "other", 409),
        ("GET /rooms?as=ci", "", "", 409),
        ("GET /rooms/lobby/messages?as=ann&epoch=other&after=1", "", "", 409),
        (POST, "", &long, 413),
        ("GET /rooms?as=ann", "Content-Length: 2\r\n", "hi", 413),
        (POST, "Content-Type: text/xml\r\n", "hi", 415),
        (POST, "Content-Encoding: gzip\r\n", "hi", 415),
        (POST, "Expect: more\r\n", "hi", 417),
        ("GET /", "Host: evil.example\r\n", "", 421),
        ("GET /ws", "", "", 426),
        (POST, "If-None-Match: *\r\n", "hi", 501),
    ] {
        statuses.ask(http, (line, fields, body), status);
    }
    let host = format!("Host: {http}\r\n");
    statuses.raw(http, &format!("{POST} HTTP/1.1\r\n{host}\r\n"), 411);
    let coded = format!("{POST} HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n");
    statuses.raw(http, &coded, 501);
    let path = "x".repeat(20_000);
    statuses.raw(http, &format!("GET /{path} HTTP/1.1\r\n{host}\r\n"), 414);
    let fields = "X: y\r\n".repeat(1_000);
    statuses.raw(http, &format!("GET / HTTP/1.1\r\n{host}{fields}\r\n"), 431);
    statuses.raw(http, &format!("GET / HTTP/2.1\r\n{host}\r\n"), 505);
    statuses.raw(http, &upgrade_head(http, "/ws", ""), 101);
    let post = |n| format!("{POST}&n={n} HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\nhi");
    let refused = (0..2_000).map(|n| request(http, post(n).as_bytes()));
    let refused = refused.into_iter().find(|response| response.status != 201);
    statuses.note("too many", 429, &refused.expect("a refusal"));
}

fn ask_about_files(statuses: &mut Statuses, server: &Server) {
    let http = server.http;
    let mut bob = Client::ws(server).named("bob", Some("den"));
    let head =
        format!("POST /files?as=bob HTTP/1.1\r\nHost: {http}\r\nContent-Length: 5\r\n\r\nhello");
    let stored = request(http, head.as_bytes());
    statuses.note("a file", 201, &stored);
    let stored: Value = serde_json::from_slice(&stored.body).expect("JSON");
    let id = stored["id"].as_str().expect("an id");
    let seq = say(&mut bob, "den", id, "a.txt");
    let place = place("den", &seq, id, "bob");
    let tag = fetch(http, &place, "").header("ETag").expect("a tag").to_owned();
    for (fields, status) in [
        ("Range: bytes=1-2\r\n", 206),
        ("Range: bytes=9-\r\n", 416),
        (&*format!("If-None-Match: {tag}\r\n"), 304),
        ("If-Match: \"other\"\r\n", 412),
    ] {
        statuses.note(fields, status, &fetch(http, &place, fields));
    }
    statuses.note("no such message", 404, &fetch(http, &place.replace("/1/", "/9/"), ""));
}

#[test]
fn each_status_is_documented_and_each_documented_one_comes() {
    let mut statuses = Statuses::new();
    assert_eq!(codes("1001, 3003 to 3005, and 12"), BTreeSet::from([1001, 3003, 3004, 3005]));
    let disk = NotedDisk::new();
    let setup = Setup::default().set("auth", "accounts,none").set("limits.user_per_s", "5");
    let server = disk.of(setup.set("limits.user_burst", "40")).start();
    ask_about_files(&mut statuses, &server);
    ask_about_messages(&mut statuses, &server);
    disk.set_full(true);
    statuses.ask(server.http, ("POST /rooms/lobby/messages?as=eve", "", "hi"), 507);
    disk.set_full(false);
    let without_files = Setup::default().set("files.enabled", "false").start();
    statuses.ask(without_files.http, ("POST /files?as=ann", "", "x"), 501);
    let few = Setup::default().set("limits.connections", "1").start();
    let held = Client::lines(&few).named("bob", None);
    statuses.note("no place", 503, &read(&mut Raw::connect(few.http), true));
    drop(held);
    let slow = Setup::default().set("timeouts.head", "100ms").start();
    statuses.raw(slow.http, "GET / HTTP/1.1\r\n", 408);
    let head = format!("{POST} HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\n", slow.http);
    statuses.raw(slow.http, &head, 408);
    let documented: BTreeSet<_> = statuses.documented.into_keys().collect();
    assert_eq!(statuses.seen, documented);
}

/// Sends the file of these three letters.
fn put_abc(server: &Server) -> Response {
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let line = format!("PUT /files/{hash}?as=ann HTTP/1.1");
    let fields = format!("Host: {}\r\nContent-Length: 3", server.http);
    request(server.http, format!("{line}\r\n{fields}\r\n\r\nabc").as_bytes())
}

#[test]
fn a_full_disk_is_told_to_programs_and_service_returns_by_itself() {
    let disk = NotedDisk::new();
    let server = disk.of(Setup::default()).start();
    let post = |room: &str, key: &str| {
        let line = format!("POST /rooms/{room}/messages?as=ann HTTP/1.1");
        let fields =
            format!("Host: {}\r\nIdempotency-Key: {key}\r\nContent-Length: 2", server.http);
        request(server.http, format!("{line}\r\n{fields}\r\n\r\nhi").as_bytes())
    };
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    assert_eq!(post("lobby", "a").status, 201);
    assert_eq!(put_abc(&server).status, 201);
    disk.set_full(true);
    let refused = post("lobby", "b");
    let body: Value = serde_json::from_slice(&refused.body).expect("JSON");
    assert_subset(&body, &json!({"code": 5005, "data": {"error": "storage_full"}}));
    assert_eq!((refused.status, refused.header("Retry-After").is_some()), (507, true));
    assert_eq!(post("new", "c").status, 507, "nor is a room made");
    // The file is there, and what would have to be written is until when.
    let refused = put_abc(&server);
    assert_eq!(refused.status, 507, "{}", refused.text());
    // What is there already needs no space.
    let again = post("lobby", "a");
    assert_eq!(again.status, 201, "{}", again.text());
    let again: Value = serde_json::from_slice(&again.body).expect("JSON");
    assert_subset(&again, &json!({"seq": 1, "dup": true}));
    let send = json!({"op": "send", "room": "lobby", "text": "hi", "cid": "a"});
    assert_subset(&ann.ask(&send), &json!({"seq": 1, "dup": true}));
    assert_eq!(bob.ask(&json!({"op": "history", "room": "lobby"}))["last"], 1);
    disk.set_full(false);
    let patience = std::time::Instant::now();
    while post("lobby", "b").status != 201 {
        assert!(patience.elapsed() < PATIENCE, "it is full for ever");
    }
    let page = bob.ask(&json!({"op": "history", "room": "lobby"}));
    assert_eq!(page["last"], 2, "once, however often it was asked for");
}
