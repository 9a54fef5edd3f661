//! Files over HTTP: sent, referred to by messages, read by who may read these, and gone with them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database_commands::{done, refused_output};
use crate::keys::add;
use crate::support::http::{Response, get, read, read_head, request};
use crate::support::{Client, PATIENCE, Raw, Server, Setup, assert_subset};

/// A GIF of one pixel, whole.
pub(crate) const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0abcdef\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x4c\x01\0\x3b";

pub(crate) fn head(address: SocketAddr, line: &str, fields: &str, len: usize) -> Vec<u8> {
    let fields = format!("Host: {address}\r\nContent-Length: {len}\r\n{fields}");
    format!("{line} HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

/// Sends a file as this user.
#[track_caller]
fn post(address: SocketAddr, target: &str, fields: &str, body: &[u8]) -> Response {
    let head = head(address, &format!("POST {target}"), fields, body.len());
    request(address, &[&head, body].concat())
}

#[track_caller]
pub(crate) fn object(response: &Response, status: u16) -> Value {
    let text = response.text();
    assert_eq!(response.status, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Sends a file as this user: its id.
#[track_caller]
fn upload(address: SocketAddr, user: &str, body: &[u8]) -> String {
    let stored = object(&post(address, &format!("/files?as={user}"), "", body), 201);
    stored["id"].as_str().expect("an id").to_owned()
}

/// A request for a file of a message.
#[track_caller]
pub(crate) fn fetch(address: SocketAddr, place: &str, fields: &str) -> Response {
    request(address, format!("GET {place} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n").as_bytes())
}

pub(crate) fn place(room: &str, seq: &Value, id: &str, user: &str) -> String {
    format!("/rooms/{room}/messages/{seq}/files/{id}?as={user}")
}

fn refer(id: &str, name: &str) -> Value {
    json!({"files": [{"id": id, "name": name}]})
}

/// Says in the room that there is this file: the seq.
#[track_caller]
pub(crate) fn say(client: &mut Client, room: &str, id: &str, name: &str) -> Value {
    let send = json!({"op": "send", "room": room, "text": "see", "data": refer(id, name)});
    client.ask(&send)["seq"].clone()
}

pub(crate) fn folder(server: &Server) -> PathBuf {
    server.data().join("files")
}

/// What is in the folder, without what is being sent.
pub(crate) fn kept(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.len() == 2))
        .flat_map(|path| fs::read_dir(path).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    all.sort();
    all
}

/// Waits until so many files are kept.
#[track_caller]
pub(crate) fn await_kept(folder: &Path, count: usize) {
    let deadline = std::time::Instant::now() + 2 * PATIENCE;
    while kept(folder).len() != count {
        assert!(std::time::Instant::now() < deadline, "{:?}", kept(folder));
        std::thread::yield_now();
    }
}

#[test]
fn a_file_is_sent_and_read_by_who_may_read_its_message() {
    let server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let stored = object(&post(server.http, "/files?as=ann", "", GIF), 201);
    assert_subset(&stored, &json!({"type": "image/gif", "size": GIF.len(), "w": 1, "h": 1}));
    let id = stored["id"].as_str().unwrap();
    let seq = say(&mut ann, "lobby", id, "cat \"1\".gif");
    bob.expect(&json!({"ev": "message", "data": refer(id, "cat \"1\".gif")}));
    let got = fetch(server.http, &place("lobby", &seq, id, "bob"), "");
    assert_eq!((got.status, &*got.body), (200, GIF));
    for (name, value) in [
        ("Content-Type", "image/gif"),
        ("Content-Disposition", "inline; filename*=UTF-8''cat%20%221%22.gif"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("Cache-Control", "private, max-age=31536000, immutable"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Accept-Ranges", "bytes"),
    ] {
        assert_eq!(got.header(name), Some(value));
    }
}

#[test]
fn a_file_is_read_in_parts_and_not_again_by_who_has_it() {
    let server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let id = &upload(server.http, "ann", GIF);
    let seq = say(&mut ann, "lobby", id, "cat.gif");
    let got = fetch(server.http, &place("lobby", &seq, id, "bob"), "");
    let tag = got.header("ETag").expect("a tag");
    let known = format!("If-None-Match: {tag}\r\n");
    assert_eq!(fetch(server.http, &place("lobby", &seq, id, "bob"), &known).status, 304);
    let part = fetch(server.http, &place("lobby", &seq, id, "bob"), "Range: bytes=0-5\r\n");
    assert_eq!((part.status, &*part.body), (206, &b"GIF89a"[..]));
    let expect = format!("bytes 0-5/{}", GIF.len());
    assert_eq!(part.header("Content-Range"), Some(&*expect));
    let beyond = fetch(server.http, &place("lobby", &seq, id, "bob"), "Range: bytes=99-\r\n");
    assert_eq!(beyond.status, 416);
    let mut raw = Raw::connect(server.http);
    let target = place("lobby", &seq, id, "bob");
    let text = format!("HEAD {target} HTTP/1.1\r\nHost: {}\r\n\r\n", server.http);
    raw.send(text.as_bytes());
    let only = read(&mut raw, false);
    assert_eq!(only.header("Content-Length"), Some(&*GIF.len().to_string()));
    // The connection goes on after a file as after everything else.
    raw.send(text.replace("HEAD", "GET").as_bytes());
    assert_eq!(read(&mut raw, true).body, GIF);
    raw.send(text.replace("HEAD", "GET").as_bytes());
    assert_eq!(read(&mut raw, true).body, GIF);
}

#[test]
fn who_may_not_read_the_message_may_not_read_its_file() {
    let server = Setup::default().set("auth", "accounts,none").start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "den", "private": true}));
    let id = upload(server.http, "ann", b"only for us");
    let seq = say(&mut ann, "den", &id, "us.txt");
    assert_eq!(fetch(server.http, &place("den", &seq, &id, "ann"), "").status, 200);
    assert_eq!(fetch(server.http, &place("den", &seq, &id, "eve"), "").status, 404);
    let nobody = format!("/rooms/den/messages/{seq}/files/{id}");
    assert_eq!(fetch(server.http, &nobody, "").status, 401);
    // By another message, of another room, or by no message.
    ann.ask(&json!({"op": "join", "room": "lobby"}));
    let other = ann.ask(&json!({"op": "send", "room": "lobby", "text": "x"}))["seq"].clone();
    for (room, seq) in [("lobby", other), ("den", json!(99)), ("lobby", json!(0))] {
        let refused = fetch(server.http, &place(room, &seq, &id, "ann"), "");
        assert!([400, 404].contains(&refused.status), "{room} {seq}: {}", refused.status);
    }
    // Who is put out may not read it any more.
    ann.ask(&json!({"op": "invite", "room": "den", "user": "bob"}));
    let mut bob = Client::ws(&server).named("bob", Some("den"));
    assert_eq!(fetch(server.http, &place("den", &seq, &id, "bob"), "").status, 200);
    ann.ask(&json!({"op": "kick", "room": "den", "user": "bob"}));
    bob.expect(&json!({"ev": "left"}));
    assert_eq!(fetch(server.http, &place("den", &seq, &id, "bob"), "").status, 404);
    let key = add(&server, &["reader", "--rooms", "lobby", "--can", "read"]);
    let bearer = format!("Authorization: Bearer {key}\r\n");
    assert_eq!(fetch(server.http, &nobody, &bearer).status, 403, "the key is not for this room");
    assert_eq!(post(server.http, "/files", &bearer, b"x").status, 403, "it may not send");
}

#[test]
fn only_who_has_sent_a_file_may_refer_to_it() {
    let server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let id = upload(server.http, "ann", b"mine");
    let unknown = format!("cwf_{}", "a".repeat(32));
    for (who, file) in [(&mut bob, &id), (&mut ann, &unknown)] {
        let send = json!({"op": "send", "room": "lobby", "text": "x", "data": refer(file, "x")});
        let refused = who.refused(&send, 4002);
        assert_subset(&refused, &json!({"data": {"field": "data"}}));
    }
    let many: Vec<String> =
        (0..21).map(|n| format!("cwf_{}{}", "a".repeat(31), char::from(b'a' + n))).collect();
    let send = json!({"op": "send", "room": "lobby", "text": "x", "data": many});
    ann.refused(&send, 1003);
    say(&mut ann, "lobby", &id, "mine.txt");
}

#[test]
fn a_file_goes_with_its_last_message_and_without_one_it_is_not_read() {
    let server = Setup::default().set("durability", "disk").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let id = upload(server.http, "ann", b"gone soon");
    let again = upload(server.http, "ann", b"gone soon");
    assert_ne!(id, again);
    assert_eq!(kept(&folder(&server)).len(), 1, "what is the same is kept once");
    let (one, two) = (say(&mut ann, "lobby", &id, "a"), say(&mut ann, "lobby", &id, "b"));
    let three = say(&mut ann, "lobby", &again, "c");
    for seq in [&one, &two] {
        ann.ask(&json!({"op": "delete", "room": "lobby", "target": seq}));
        assert_eq!(fetch(server.http, &place("lobby", seq, &id, "ann"), "").status, 404);
    }
    assert_eq!(fetch(server.http, &place("lobby", &three, &again, "ann"), "").body, b"gone soon");
    ann.ask(&json!({"op": "delete", "room": "lobby", "target": three}));
    await_kept(&folder(&server), 0);
}

#[test]
fn what_is_sent_in_parts_goes_on_where_it_was_lost() {
    let server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let whole: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    let target = "/files?as=ann&upload=0123456789abcdef";
    let mut raw = Raw::connect(server.http);
    raw.send(&head(server.http, &format!("POST {target}"), "", whole.len()));
    raw.send(&whole[..1_000_000]);
    drop(raw);
    let progress = || object(&get(server.http, target), 200)["offset"].as_u64().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    // All that was sent is kept, sooner or later.
    while progress() != 1_000_000 {
        assert!(std::time::Instant::now() < deadline, "{}", progress());
    }
    let foreign = get(server.http, "/files?as=bob&upload=0123456789abcdef");
    assert_eq!(object(&foreign, 200)["offset"], 0, "nobody else's");
    let wrong = format!("{target}&offset=5&size={}", whole.len());
    let refused = object(&post(server.http, &wrong, "", &whole[5..]), 409);
    assert_subset(&refused, &json!({"code": 4005, "data": {"expected": "1000000"}}));
    let rest = format!("{target}&offset=1000000&size={}", whole.len());
    let stored = object(&post(server.http, &rest, "", &whole[1_000_000..]), 201);
    assert_eq!(stored["size"], whole.len());
    let id = stored["id"].as_str().unwrap();
    let seq = say(&mut ann, "lobby", id, "numbers");
    let got = fetch(server.http, &place("lobby", &seq, id, "ann"), "");
    assert_eq!(got.header("Content-Type"), Some("application/octet-stream"));
    assert!(got.header("Content-Disposition").unwrap().starts_with("attachment"));
    assert!(got.body == whole, "the same bytes");
}

#[test]
fn what_a_file_may_not_be_is_refused_in_words() {
    let setup = Setup::default()
        .set("files.bytes", "1000")
        .set("files.per_user", "1500")
        .set("files.total", "2000");
    let server = setup.start();
    let exif = [&GIF[..19], b"\x21\xfe\x04home\0", &GIF[19..]].concat();
    let both = [GIF, b"<script>alert(1)</script>"].concat();
    for (body, status, words) in [
        (&[b'x'; 1001][..], 413, "1000"),
        (b"", 400, "nothing in the file"),
        (&exif, 400, "the picture has a comment, which may say who took it, and where"),
        (&both, 400, "something follows its end"),
    ] {
        let refused = post(server.http, "/files?as=ann", "", body);
        assert_eq!(refused.status, status, "{}", refused.text());
        assert!(refused.text().contains(words), "{}", refused.text());
    }
    upload(server.http, "ann", &[b'a'; 900]);
    let refused = object(&post(server.http, "/files?as=ann", "", &[b'b'; 601]), 507);
    assert_subset(
        &refused,
        &json!({"code": 5005, "message": "you may send 600 bytes more ([files] per_user)"}),
    );
    upload(server.http, "bob", &[b'c'; 1000]);
    assert_eq!(post(server.http, "/files?as=eve", "", &[b'd'; 101]).status, 507);
    // In chunks nobody knows before how much it will be.
    let chunked = format!(
        "POST /files?as=eve HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n",
        server.http
    );
    assert_eq!(object(&request(server.http, chunked.as_bytes()), 201)["size"], 5);
    assert_eq!(kept(&folder(&server)).len(), 3);
}

#[test]
fn what_is_refused_leaves_nothing_and_so_does_a_request_that_is_malformed() {
    let server = Setup::default().start();
    assert_eq!(post(server.http, "/files?as=ann", "", b"GIF89a and no more").status, 400);
    let parts = fs::read_dir(folder(&server).join("parts")).unwrap().count();
    assert_eq!(parts, 0, "nothing is left of what was refused");
    for target in ["/files?as=ann&upload=short", "/files?as=ann&offset=5", "/files?as=ann&size=x"] {
        assert_eq!(post(server.http, target, "", b"x").status, 400, "{target}");
    }
    assert_eq!(post(server.http, "/files", "", b"x").status, 401);
    let form = "Content-Type: Multipart/Form-Data; boundary=b\r\n";
    let refused = post(server.http, "/files?as=ann", form, b"--b--\r\n");
    assert_eq!((refused.status, refused.text().contains("--data-binary @FILE")), (415, true));
    let origin = "Origin: https://evil.example\r\n";
    assert_eq!(post(server.http, "/files?as=ann", origin, b"x").status, 403);
}

#[test]
fn what_could_run_is_never_called_what_it_is() {
    let server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for (name, body) in [
        ("a.html", &b"<!doctype html><script>alert(1)</script>"[..]),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("<img src=x onerror=alert(1)>.png\r\nSet-Cookie: a=b", b"\x7fELF\0"),
        ("../../etc/passwd", b"%PDF-1.4 app.alert(1)"),
    ] {
        let id = upload(server.http, "ann", body);
        let seq = say(&mut ann, "lobby", &id, &name.replace("\r\n", " "));
        let got = fetch(server.http, &place("lobby", &seq, &id, "ann"), "");
        let kind = got.header("Content-Type").unwrap();
        let inert = ["text/plain; charset=utf-8", "application/octet-stream", "application/pdf"];
        assert!(inert.contains(&kind), "{name}: {kind}");
        let how = got.header("Content-Disposition").unwrap();
        let called = how.strip_prefix("attachment; filename*=UTF-8''").expect("saved, not shown");
        assert!(!called.contains(['<', '>', '"', '/', ' ', ';', '\r']), "{how}");
        assert_eq!(got.header("X-Content-Type-Options"), Some("nosniff"));
        assert!(got.header("Content-Security-Policy").unwrap().ends_with("sandbox"));
    }
}

#[test]
fn who_waits_to_be_told_sends_nothing_for_nothing() {
    let server =
        Setup::default().set("files.bytes", "100000").set("files.per_user", "100000").start();
    let ask = |len: usize| {
        let mut raw = Raw::connect(server.http);
        raw.send(&head(server.http, "POST /files?as=ann", "Expect: 100-continue\r\n", len));
        raw
    };
    let mut raw = ask(100_000);
    assert_eq!(raw.take_until("\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
    raw.send(&vec![b'x'; 100_000]);
    object(&read(&mut raw, true), 201);
    let mut raw = ask(1);
    assert_eq!(read(&mut raw, true).status, 507);
}

#[test]
fn a_restart_keeps_files_and_removes_what_a_kill_has_left() {
    let mut server = Setup::default().set("durability", "disk").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let id = upload(server.http, "ann", b"kept");
    let seq = say(&mut ann, "lobby", &id, "kept.txt");
    let unreferenced = upload(server.http, "ann", b"waits for its message");
    drop(ann);
    let files = folder(&server);
    let orphan = "ab".repeat(32);
    // As after a kill between the renaming and the database, and in the middle of a part.
    server.restart_after(Signal::KILL, |_| {
        fs::create_dir_all(files.join("ab")).unwrap();
        fs::write(files.join("ab").join(&orphan), "unknown").unwrap();
        fs::write(files.join("parts").join("7"), "half").unwrap();
    });
    let got = fetch(server.http, &place("lobby", &seq, &id, "ann"), "");
    assert_eq!(got.body, b"kept");
    await_kept(&files, 2);
    assert!(!files.join("ab").join(&orphan).exists());
    assert_eq!(fs::read_dir(files.join("parts")).unwrap().count(), 0);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    say(&mut ann, "lobby", &unreferenced, "later.txt");
}

/// A request on a connection of its own, to a server that may be killed meanwhile.
fn attempt(address: SocketAddr, target: &str, kind: &str, body: &[u8]) -> Option<Value> {
    let mut socket = TcpStream::connect(address).ok()?;
    let fields = format!("Content-Type: {kind}\r\nConnection: close\r\n");
    socket.write_all(&head(address, &format!("POST {target}"), &fields, body.len())).ok()?;
    socket.write_all(body).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 201").then(|| serde_json::from_str(body).ok())?
}

/// Sends files and messages that refer to them until the server is gone, and tells what was
/// acknowledged.
fn send_until_it_is_gone(
    address: SocketAddr,
    round: usize,
    told: &Sender<(Value, String, String)>,
) {
    for number in 0.. {
        let contents = format!("file {number} of round {round}");
        let stored = attempt(address, "/files?as=ann", "text/plain", contents.as_bytes());
        let Some(stored) = stored else { return };
        let id = stored["id"].as_str().expect("an id").to_owned();
        let message = json!({"text": "x", "data": refer(&id, "x")}).to_string();
        let target = "/rooms/lobby/messages?as=ann";
        let sent = attempt(address, target, "application/json", message.as_bytes());
        let Some(sent) = sent else { return };
        _ = told.send((sent["seq"].clone(), id, contents));
    }
}

#[test]
fn a_kill_at_any_moment_leaves_no_reference_without_a_file_and_no_file_for_ever() {
    let mut server =
        Setup::default().set("durability", "disk").set("limits.rate_per_s", "off").start();
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let (tell, told) = channel();
        let address = server.http;
        let sender = std::thread::spawn(move || send_until_it_is_gone(address, round, &tell));
        // At another step each time.
        for _ in 0..3 + 5 * round {
            acknowledged.push(told.recv_timeout(PATIENCE).expect("what was acknowledged"));
        }
        server.restart(Signal::KILL);
        sender.join().expect("what it sent");
        acknowledged.extend(told.try_iter());
    }
    for (seq, id, contents) in &acknowledged {
        let got = fetch(server.http, &place("lobby", seq, id, "ann"), "");
        assert_eq!((got.status, got.text()), (200, contents.clone()));
    }
    assert!(done(&server.data(), &["verify"]).contains(", 0 faults"));
    let db = Connection::open(server.data().join("chinwag.db")).expect("the database");
    let sql = "SELECT count(DISTINCT hash) FROM file";
    let known: u32 = db.query_one(sql, [], |row| row.get(0)).expect("a number");
    let known = usize::try_from(known).expect("a small number");
    assert!(known >= acknowledged.len());
    await_kept(&folder(&server), known);
}

#[test]
fn a_backup_has_the_files_and_an_erased_user_has_none() {
    let mut server = Setup::default().set("durability", "disk").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    let (a, b) = (upload(server.http, "ann", b"of ann"), upload(server.http, "bob", b"of bob"));
    let (one, two) = (say(&mut ann, "lobby", &a, "a"), say(&mut bob, "lobby", &b, "b"));
    let folder_of_backup = tempfile::tempdir().expect("a folder");
    let backup = folder_of_backup.path().join("backup.db");
    let backup = backup.to_str().expect("UTF-8");
    done(&server.data(), &["backup", backup]);
    assert_eq!(kept(Path::new(&format!("{backup}.files"))).len(), 2);
    assert!(done(&server.data(), &["verify", backup]).contains(", 0 faults"));
    ann.ask(&json!({"op": "delete", "room": "lobby", "target": one}));
    await_kept(&folder(&server), 1);
    drop((ann, bob));
    let data = server.data();
    server.restart_after(Signal::TERM, |_| _ = done(&data, &["restore", backup]));
    let got = fetch(server.http, &place("lobby", &one, &a, "ann"), "");
    assert_eq!(got.body, b"of ann");
    server.restart_after(Signal::TERM, |_| {
        done(&data, &["erase-user", "ann", "--yes"]);
        assert_eq!(kept(&data.join("files")).len(), 1);
        // What is missing is found.
        let bobs = kept(&data.join("files")).remove(0);
        let contents = fs::read(&bobs).expect("the file");
        fs::write(&bobs, "of eve").expect("another");
        let said = refused_output(&data, &["verify"]);
        assert!(said.contains("is not what was sent"), "{said}");
        fs::write(&bobs, contents).expect("as before");
    });
    assert_eq!(fetch(server.http, &place("lobby", &one, &a, "bob"), "").status, 404);
    assert_eq!(fetch(server.http, &place("lobby", &two, &b, "bob"), "").body, b"of bob");
}

#[test]
fn without_rooms_that_are_stored_or_where_they_are_off_no_files_are_taken() {
    for setup in [Setup::default().in_memory(), Setup::default().set("files.enabled", "false")] {
        let server = setup.start();
        assert_eq!(post(server.http, "/files?as=ann", "", b"x").status, 501);
        let mut ann = Client::ws(&server);
        let welcome = ann.ask(&json!({"op": "hello", "name": "ann"}));
        assert_eq!(welcome["limits"]["file_bytes"], Value::Null);
    }
}

#[test]
fn a_slow_reader_of_a_file_costs_no_memory_and_gets_all_of_it() {
    let server = Setup::default().bounded().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let whole = vec![0_u8; 8 << 20];
    let id = upload(server.http, "ann", &whole);
    let seq = say(&mut ann, "lobby", &id, "zeros");
    let mut raw = Raw::connect(server.http);
    let target = place("lobby", &seq, &id, "ann");
    raw.send(format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", server.http).as_bytes());
    let head = read_head(&mut raw);
    assert_eq!(head.header("Content-Length"), Some("8388608"));
    // The others go on while it takes nothing.
    for _ in 0..20 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": "x"}));
    }
    assert!(raw.take(8 << 20) == whole);
}
