//! Files that are put under the SHA-256 of what is in them: once, whole, and gone on with by it.

use std::net::SocketAddr;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::database_commands::done;
use crate::files::{GIF, await_kept, fetch, folder, head, kept, object, place, say};
use crate::support::http::{Response, get, read, read_head, request};
use crate::support::{Client, PATIENCE, Raw, Setup, assert_subset};

/// Where what is in these bytes is put.
fn target(contents: &[u8], user: &str) -> String {
    format!("/files/{:x}?as={user}", Sha256::digest(contents))
}

/// Puts these bytes there.
#[track_caller]
fn put(address: SocketAddr, target: &str, fields: &str, body: &[u8]) -> Response {
    let head = head(address, &format!("PUT {target}"), fields, body.len());
    request(address, &[&head, body].concat())
}

#[test]
fn what_is_put_twice_is_there_once_and_told_again_as_it_was() {
    let server = Setup::default().set("files.bytes", "60").set("files.per_user", "60").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let first = object(&put(server.http, &target(GIF, "ann"), "", GIF), 201);
    assert_subset(&first, &json!({"type": "image/gif", "size": GIF.len(), "w": 1, "h": 1}));
    // A second one would be more than the user may have.
    assert!(2 * GIF.len() > 60);
    for _ in 0..2 {
        let again = object(&put(server.http, &target(GIF, "ann"), "", GIF), 200);
        assert_eq!(again, first);
        assert_eq!(object(&get(server.http, &target(GIF, "ann")), 200), first);
        let id = first["id"].as_str().unwrap();
        let seq = say(&mut ann, "lobby", id, "cat.gif");
        assert_eq!(fetch(server.http, &place("lobby", &seq, id, "bob"), "").body, GIF);
    }
    assert_eq!(kept(&folder(&server)).len(), 1);
}

#[test]
fn conditions_hold_for_what_is_read_and_nothing_is_put_under_one() {
    let server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for condition in ["If-None-Match: *\r\n", "If-Match: \"a\"\r\n"] {
        assert_eq!(put(server.http, &target(GIF, "ann"), condition, GIF).status, 501);
    }
    assert_eq!(object(&get(server.http, &target(GIF, "ann")), 200), json!({"offset": 0}));
    let id = object(&put(server.http, &target(GIF, "ann"), "", GIF), 201)["id"].clone();
    let id = id.as_str().unwrap();
    let seq = say(&mut ann, "lobby", id, "cat.gif");
    let place = place("lobby", &seq, id, "bob");
    let tag = fetch(server.http, &place, "").header("ETag").expect("a tag").to_owned();
    let other = "If-Match: \"a\"\r\n";
    for (conditions, status) in [
        (&*format!("If-Match: \"a\", {tag}\r\n"), 200),
        (other, 412),
        (&*format!("If-None-Match: {tag}\r\n{other}"), 412),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200),
    ] {
        assert_eq!(fetch(server.http, &place, conditions).status, status, "{conditions}");
    }
}

#[test]
fn what_others_have_is_not_found_by_its_hash() {
    let server = Setup::default().start();
    let of_ann = object(&put(server.http, &target(GIF, "ann"), "", GIF), 201);
    assert_eq!(object(&get(server.http, &target(GIF, "bob")), 200), json!({"offset": 0}));
    let of_bob = object(&put(server.http, &target(GIF, "bob"), "", GIF), 201);
    assert_ne!(of_ann["id"], of_bob["id"]);
    assert_eq!(kept(&folder(&server)).len(), 1);
}

#[test]
fn who_waits_to_be_told_does_not_send_what_is_there() {
    let server = Setup::default().start();
    let ask = || {
        let mut raw = Raw::connect(server.http);
        let line = format!("PUT {}", target(GIF, "ann"));
        raw.send(&head(server.http, &line, "Expect: 100-continue\r\n", GIF.len()));
        raw
    };
    let mut raw = ask();
    assert_eq!(raw.take_until("\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
    raw.send(GIF);
    let first = object(&read(&mut raw, true), 201);
    assert_eq!(object(&read(&mut ask(), true), 200), first);
}

#[test]
fn who_is_overtaken_by_a_connection_of_its_own_is_answered_whatever_it_has_sent() {
    let server = Setup::default().start();
    let target = "/files?as=ann&upload=0123456789abcdef";
    for sent in [0, 6] {
        let mut before = Raw::connect(server.http);
        let line = format!("POST {target}");
        before.send(&head(server.http, &line, "Expect: 100-continue\r\n", GIF.len()));
        assert_eq!(before.take_until("\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
        before.send(&GIF[..sent]);
        object(
            &request(server.http, &[&head(server.http, &line, "", GIF.len()), GIF].concat()),
            201,
        );
        let refused = object(&read(&mut before, true), 409);
        assert_subset(&refused, &json!({"code": 4005, "data": {"field": "upload"}}));
    }
}

#[test]
fn what_has_another_hash_is_refused_and_leaves_nothing() {
    let server = Setup::default().start();
    let refused = object(&put(server.http, &target(b"this", "ann"), "", b"that"), 400);
    assert_subset(&refused, &json!({"code": 1003, "data": {"field": "body"}}));
    assert!(refused["message"].as_str().unwrap().contains("another SHA-256"), "{refused}");
    assert_eq!(kept(&folder(&server)).len(), 0);
    assert_eq!(object(&get(server.http, &target(b"this", "ann")), 200), json!({"offset": 0}));
    let upper = target(b"this", "ann").replace("?as", "F?as");
    for path in ["/files/?as=ann", "/files/abc?as=ann", "/files/../x?as=ann", &upper] {
        let refused = object(&put(server.http, path, "", b"this"), 400);
        assert_eq!(refused["data"]["field"], "hash", "{path}");
    }
    let part = "Content-Range: bytes 0-3/9\r\n";
    let refused = object(&put(server.http, &target(b"this", "ann"), part, b"this"), 400);
    assert_eq!(refused["data"]["field"], "Content-Range");
    let nobody = target(b"this", "");
    assert_eq!(put(server.http, &nobody, "", b"this").status, 401);
    let evil = "Origin: https://evil.example\r\n";
    assert_eq!(put(server.http, &target(b"this", "ann"), evil, b"this").status, 403);
    let posted = head(server.http, &format!("POST {}", target(b"this", "ann")), "", 0);
    let posted = request(server.http, &posted);
    assert_eq!((posted.status, posted.header("Allow")), (405, Some("GET, HEAD, PUT")));
    let to_all = put(server.http, "/files?as=ann", "", b"this");
    assert_eq!((to_all.status, to_all.header("Allow")), (405, Some("GET, HEAD, POST")));
}

#[test]
fn what_was_lost_on_its_way_goes_on_by_its_hash() {
    let server = Setup::default().start();
    let whole: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let target = target(&whole, "ann");
    let mut raw = Raw::connect(server.http);
    raw.send(&head(server.http, &format!("PUT {target}"), "", whole.len()));
    raw.send(&whole[..250_000]);
    drop(raw);
    let progress = || object(&get(server.http, &target), 200)["offset"].as_u64().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while progress() != 250_000 {
        assert!(std::time::Instant::now() < deadline, "{}", progress());
    }
    let behind = |offset: usize| format!("{target}&offset={offset}&size={}", whole.len());
    let refused = object(&put(server.http, &behind(7), "", &whole[7..]), 409);
    assert_subset(&refused, &json!({"code": 4005, "data": {"expected": "250000"}}));
    let stored = object(&put(server.http, &behind(250_000), "", &whole[250_000..]), 201);
    assert_eq!(stored["size"], whole.len());
    assert_eq!(object(&get(server.http, &target), 200)["id"], stored["id"]);
}

#[test]
fn what_went_with_its_last_message_is_put_again_as_another_file() {
    let server = Setup::default().set("durability", "disk").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let contents = b"said, and taken back";
    let target = target(contents, "ann");
    let first = object(&put(server.http, &target, "", contents), 201);
    let seq = say(&mut ann, "lobby", first["id"].as_str().unwrap(), "a.txt");
    ann.ask(&json!({"op": "delete", "room": "lobby", "target": seq}));
    await_kept(&folder(&server), 0);
    assert_eq!(object(&get(server.http, &target), 200), json!({"offset": 0}));
    let again = object(&put(server.http, &target, "", contents), 201);
    assert_ne!(again["id"], first["id"]);
    let seq = say(&mut ann, "lobby", again["id"].as_str().unwrap(), "a.txt");
    let got = fetch(server.http, &place("lobby", &seq, again["id"].as_str().unwrap(), "ann"), "");
    assert_eq!(got.body, contents);
}

/// The answer to a request whose client says that nothing more comes.
#[track_caller]
fn cut(address: SocketAddr, line: &str, len: usize, body: &[u8]) -> Value {
    let mut raw = Raw::connect(address);
    raw.send(&[&head(address, line, "", len), body].concat());
    raw.finish();
    object(&read(&mut raw, true), 400)
}

#[test]
fn a_body_that_ends_too_early_is_answered_and_kept_where_it_can_be_gone_on_with() {
    let server = Setup::default().start();
    let by_key = "/files?as=ann&upload=0123456789abcdef";
    for target in [&target(GIF, "ann"), by_key] {
        let method = if target == by_key { "POST" } else { "PUT" };
        let refused = cut(server.http, &format!("{method} {target}"), GIF.len(), &GIF[..6]);
        assert_subset(&refused, &json!({"code": 1003, "data": {"field": "body"}}));
        let words = refused["message"].as_str().unwrap();
        assert!(words.contains("6 bytes of the file have come"), "{words}");
        assert_eq!(object(&get(server.http, target), 200), json!({"offset": 6}));
        // Also if it is the length of the whole that says so.
        let more = format!("{target}&offset=6&size={}", GIF.len());
        let line = format!("{method} {more}");
        let part = [&head(server.http, &line, "", 2), &GIF[6..8]].concat();
        let refused = object(&request(server.http, &part), 400);
        assert!(refused["message"].as_str().unwrap().contains("8 bytes"), "{refused}");
        let line = line.replace("offset=6", "offset=8");
        let rest = [&head(server.http, &line, "", GIF.len() - 8), &GIF[8..]].concat();
        object(&request(server.http, &rest), 201);
    }
    let nothing = cut(server.http, "POST /files?as=ann", 100, b"");
    assert!(nothing["message"].as_str().unwrap().starts_with("0 bytes"), "{nothing}");
    // Without a name nobody can go on with it.
    cut(server.http, "POST /files?as=ann", 100, b"half");
    let parts = std::fs::read_dir(folder(&server).join("parts")).unwrap().count();
    assert_eq!(parts, 0);
    let mut raw = Raw::connect(server.http);
    raw.send(&head(server.http, "POST /rooms/lobby/messages?as=ann", "", 100));
    raw.send(b"half");
    raw.finish();
    let refused = read(&mut raw, true);
    assert!(refused.status == 400 && refused.text().contains("ends before"), "{}", refused.text());
}

#[test]
fn what_ends_the_connection_leaves_no_word_in_the_file_that_is_being_sent() {
    let server = Setup::default().start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    // More than the sockets take before somebody reads.
    let bytes = vec![b'x'; 8 << 20];
    let stored = object(&put(server.http, &target(&bytes, "ann"), "", &bytes), 201);
    let id = stored["id"].as_str().expect("an id");
    let place = place("lobby", &say(&mut ann, "lobby", id, "x"), id, "ann");
    let mut raw = Raw::connect_small(server.http, 4_096);
    raw.send(format!("GET {place} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    assert_eq!(read_head(&mut raw).status, 200);
    done(&server.data(), &["ban", "address", "127.0.0.1"]);
    let rest = raw.take_all();
    assert!(rest.len() < bytes.len(), "it was not cut off");
    assert!(rest.iter().all(|byte| *byte == b'x'), "something else is in it");
}

#[test]
fn who_is_banned_while_a_file_comes_is_told_so_and_not_that_its_address_is() {
    let server = Setup::default().start();
    let mut raw = Raw::connect(server.http);
    raw.send(&head(server.http, "POST /files?as=ann", "Expect: 100-continue\r\n", 100));
    assert_eq!(read_head(&mut raw).status, 100);
    raw.send(b"half");
    done(&server.data(), &["ban", "user", "ann"]);
    let refused = object(&read(&mut raw, true), 403);
    assert_subset(&refused, &json!({"code": 2004, "message": "you are banned"}));
    // The address is another matter.
    Client::lines(&server).named("bob", None);
}
