//! Who posts over HTTP with the token of a login, a signed token, or a program's key: taken where a
//! WebSocket would take it, and refused in the same words.

use serde_json::{Value, json};

use crate::keys::{add, chinwag_key};
use crate::support::http::request;
use crate::support::{Client, Server, Setup};
use crate::tokens::{CONFIG, now_s, token};

const PASSWORD: &str = "correct horse battery";

/// Posts to a room, and returns the status and the answer.
fn post(server: &Server, room: &str, bearer: &str) -> (u16, Value) {
    let fields = format!("Host: {}\r\nContent-Length: 2\r\n", server.http);
    let fields = format!("{fields}Authorization: Bearer {bearer}\r\n");
    let line = format!("POST /rooms/{room}/messages HTTP/1.1");
    let response = request(server.http, format!("{line}\r\n{fields}\r\nhi").as_bytes());
    let challenge = (response.status == 401).then_some("Bearer");
    assert_eq!(response.header("WWW-Authenticate"), challenge);
    let body = serde_json::from_slice(&response.body).expect("JSON");
    (response.status, body)
}

#[track_caller]
fn said(server: &Server, room: &str, bearer: &str) -> Value {
    let (status, body) = post(server, room, bearer);
    assert_eq!(status, 201, "{body}");
    body["seq"].clone()
}

#[track_caller]
fn refused(server: &Server, room: &str, bearer: &str, expected: (u16, u64)) {
    let (status, body) = post(server, room, bearer);
    assert_eq!((status, body["code"].as_u64()), (expected.0, Some(expected.1)), "{body}");
}

#[test]
fn a_login_a_signed_token_and_a_key_are_good_for_a_post_as_for_a_websocket_and_no_longer() {
    let config = CONFIG.replace(r#"auth = "jwt""#, r#"auth = ["accounts", "jwt"]"#);
    let server = Setup::default().config(&config).set("accounts.registration", "open").start();
    let mut reader = Client::ws(&server);
    reader.ask(&json!({"op": "hello", "token": token("bob", &[])}));
    reader.ask(&json!({"op": "join", "room": "lobby"}));
    let heard = |reader: &mut Client, from: &str| {
        reader.expect(&json!({"ev": "message", "room": "lobby", "from": from, "text": "hi"}));
    };

    // A login, until it is ended.
    let mut device = Client::ws(&server);
    let register = json!({"op": "register", "name": "ann", "password": PASSWORD});
    let login = device.ask(&register)["token"].as_str().expect("a token").to_owned();
    assert_eq!(said(&server, "lobby", &login), 1);
    heard(&mut reader, "ann");
    refused(&server, "lobby", login.get(..login.len() - 1).expect("a part"), (401, 2001));
    device.ask(&json!({"op": "hello", "token": login}));
    device.ask(&json!({"op": "end_login", "login": "all"}));
    refused(&server, "lobby", &login, (401, 2001));

    // A signed token, for whom and where it says, until its time.
    assert_eq!(said(&server, "lobby", &token("eve", &[])), 2);
    heard(&mut reader, "eve");
    let only = r#"rooms={"news":"r","alerts/*":"rw"}"#;
    assert_eq!(said(&server, "alerts/disk", &token("eve", &[only])), 1);
    refused(&server, "lobby", &token("eve", &[only]), (404, 3001));
    refused(&server, "news", &token("eve", &[only]), (403, 3007));
    let expired = token("eve", &[&format!("exp={}", now_s() - 3_600)]);
    refused(&server, "lobby", &expired, (401, 2002));
    refused(&server, "lobby", &token("eve", &["aud=mail"]), (401, 2003));
    refused(&server, "lobby", "a.b.c", (401, 2001));

    // A key, for the rooms that it names, until it is ended.
    let key = add(&server, &["ci", "--rooms", "lobby", "--can", "send"]);
    assert_eq!(said(&server, "lobby", &key), 3);
    heard(&mut reader, "ci");
    refused(&server, "alerts/disk", &key, (403, 3004));
    assert!(chinwag_key(&server, &["end", "ci"]).0);
    // The server looks for what commands have done at intervals.
    let patience = std::time::Instant::now();
    while post(&server, "lobby", &key).0 != 401 {
        assert!(patience.elapsed() < crate::support::PATIENCE, "an ended key is good");
    }
    refused(&server, "lobby", &key, (401, 2001));
    // Nobody who is named only, where names are not believed.
    let by_name =
        format!("POST /rooms/lobby/messages?as=ann HTTP/1.1\r\nHost: {}\r\n", server.http);
    let by_name = format!("{by_name}Content-Length: 2\r\n\r\nhi");
    assert_eq!(request(server.http, by_name.as_bytes()).status, 401);
}
