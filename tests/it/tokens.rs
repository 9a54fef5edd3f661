//! Identity by signed tokens, and by a trusted proxy's field.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::ws::upgrade_head;
use crate::support::{Client, Raw, RawWs, Server, Setup, http};

/// A server that takes tokens, and no names.
pub(crate) const CONFIG: &str = r#"
auth = "jwt"
[jwt]
audience = ["chat"]
[[jwt.key]]
issuer = "app"
kid = "1"
algorithm = "HS256"
secret = "a secret of more than 32 bytes, known to two"
"#;

fn server() -> Server {
    Setup::default().config(CONFIG).start()
}

/// What a `chinwag token` command with these arguments ends with, and prints.
fn chinwag(args: &[&str], input: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("chinwag.toml");
    std::fs::write(&config, CONFIG).expect("a file");
    run(&config, args, input)
}

fn run(config: &Path, args: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.args(["token"]).args(args).arg("--config").arg(config).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program that can be started");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).expect("room for the input");
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

/// A token of `subject` with these claims besides.
#[track_caller]
pub(crate) fn token(subject: &str, claims: &[&str]) -> String {
    let args = ["mint", subject].into_iter().chain(claims.iter().flat_map(|c| ["--claim", *c]));
    let (code, said) = chinwag(&args.collect::<Vec<_>>(), "");
    assert_eq!(code, Some(0), "{said}");
    said.trim().to_owned()
}

fn hello(token: &str) -> Value {
    json!({"op": "hello", "token": token})
}

/// The wall clock in seconds, as the process that mints has it.
pub(crate) fn now_s() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a clock after 1970").as_secs()
}

#[test]
fn a_token_says_who_its_bearer_is_wherever_it_comes() {
    let server = server();
    let token = token("ann", &[]);
    assert_eq!(Client::ws(&server).ask(&hello(&token))["user"], "ann");
    assert_eq!(Client::lines(&server).ask(&hello(&token))["user"], "ann");
    for field in [
        format!("Authorization: Bearer {token}\r\n"),
        format!("Sec-WebSocket-Protocol: chinwag.v1, bearer.{token}\r\n"),
    ] {
        let mut client = Client::over(RawWs::connect(server.http, "/ws", &field));
        assert_eq!(client.ask(&json!({"op": "hello"}))["user"], "ann");
    }
}

#[test]
fn a_token_that_is_not_taken_is_refused_alike_whoever_has_made_it() {
    let server = server();
    let mut client = Client::ws(&server);
    client.refused(&json!({"op": "hello", "name": "ann"}), 2001);
    let good = token("ann", &[]);
    let (message, _) = good.rsplit_once('.').expect("a token");
    let mut said = Vec::new();
    for forged in [
        "x",
        "a.b.c",
        good.get(1..).expect("a token"),
        &format!("{message}.AAAA"),
        &"a.".repeat(5_000),
    ] {
        let mut refused = client.refused(&hello(forged), 2001);
        refused["id"].take();
        said.push(refused.to_string());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:#?}");
    let expired = token("ann", &[&format!("exp={}", now_s() - 3_600)]);
    client.refused(&hello(&expired), 2002);
    client.refused(&hello(&token("ann", &["aud=mail"])), 2003);
    client.refused(&hello(&token("ann", &["exp=\"soon\""])), 2003);
    let refused = client.refused(&hello(&token("ann", &["rooms=[]"])), 2003);
    let expected = refused["data"]["expected"].as_str().unwrap_or_default();
    assert!(expected.contains("[jwt] rooms_claim"), "the setting that chooses it: {refused}");
    // The connection goes on, and a good one is still taken.
    assert_eq!(client.ask(&hello(&good))["user"], "ann");
    for bad in ["a.b.c", &expired] {
        let head = upgrade_head(server.http, "/ws", &format!("Authorization: Bearer {bad}\r\n"));
        let mut raw = Raw::connect(server.http);
        raw.send(head.as_bytes());
        assert_eq!(http::read(&mut raw, true).status, 401);
        raw.assert_ended();
    }
}

#[test]
fn a_subject_that_is_no_name_is_given_one_for_ever() {
    let mut server = server();
    // The second one is a name, and for guests only.
    let tokens = ["auth0|17", "guest-17"].map(|subject| token(subject, &[]));
    let names = |server: &Server| {
        tokens.each_ref().map(|token| Client::ws(server).ask(&hello(token))["user"].clone())
    };
    let users = names(&server);
    for user in &users {
        assert!(user.as_str().is_some_and(|name| name.starts_with("user-")), "{user}");
    }
    assert_eq!(names(&server), users);
    server.restart(Signal::TERM);
    assert_eq!(names(&server), users);
}

#[test]
fn a_token_for_some_rooms_sees_nothing_of_others() {
    let server = server();
    let mut bob = Client::ws(&server);
    bob.ask(&hello(&token("bob", &[])));
    for room in ["lobby", "news", "support/a"] {
        bob.ask(&json!({"op": "join", "room": room}));
        bob.ask(&json!({"op": "send", "room": room, "text": "a word"}));
    }
    // A member of all of them, by a token for all of them.
    let mut whole = Client::ws(&server);
    whole.ask(&hello(&token("ann", &[])));
    for room in ["lobby", "news", "support/a"] {
        whole.ask(&json!({"op": "join", "room": room}));
    }
    let mut ann = Client::ws(&server);
    ann.ask(&hello(&token("ann", &[r#"rooms={"support/*":"rw","news":"r"}"#])));
    for request in [
        json!({"op": "join", "room": "lobby"}),
        json!({"op": "send", "room": "lobby", "text": "hi"}),
        json!({"op": "send", "to": "bob", "text": "hi"}),
        json!({"op": "history", "room": "lobby"}),
        json!({"op": "search", "room": "lobby", "text": "word"}),
        json!({"op": "presence", "room": "lobby"}),
        json!({"op": "members", "room": "lobby"}),
        json!({"op": "typing", "room": "lobby"}),
        json!({"op": "ack", "room": "lobby", "read": 1}),
        json!({"op": "create", "room": "mine"}),
    ] {
        ann.refused(&request, 3001);
    }
    ann.ask(&json!({"op": "join", "room": "news"}));
    ann.refused(&json!({"op": "send", "room": "news", "text": "hi"}), 3007);
    ann.ask(&json!({"op": "join", "room": "support/a"}));
    ann.ask(&json!({"op": "send", "room": "support/a", "text": "hi"}));
    let rooms = ann.ask(&json!({"op": "rooms"}));
    assert!(!rooms.to_string().contains("lobby"), "{rooms}");
    let found = ann.ask(&json!({"op": "search", "text": "word"}));
    assert!(!found.to_string().contains("lobby"), "{found}");
    bob.ask(&json!({"op": "send", "to": "ann", "text": "psst"}));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "hush"}));
    bob.ask(&json!({"op": "send", "room": "news", "text": "late"}));
    let news = ann.expect(&json!({"ev": "message", "room": "news"}));
    assert_eq!(news["text"], "late");
    ann.assert_not_told(&json!({"room": "@ann:bob"}));
    ann.assert_not_told(&json!({"room": "lobby"}));
    whole.expect(&json!({"room": "@ann:bob", "text": "psst"}));
    let mut none = Client::ws(&server);
    none.ask(&hello(&token("ann", &["rooms={}"])));
    none.refused(&json!({"op": "join", "room": "news"}), 3001);
}

#[test]
fn a_connection_is_told_before_its_token_expires_and_ends_when_it_does() {
    let server = server();
    let token = |in_s: u64| token("ann", &[&format!("exp={}", now_s() + in_s)]);
    let mut ann = Client::lines(&server);
    // To mint it and to come with it takes some of that.
    ann.ask(&hello(&token(5)));
    let told = ann.expect(&json!({"ev": "expires"}));
    assert!(told["in_ms"].as_u64().is_some_and(|ms| ms <= 5_000), "{told}");
    ann.expect(&json!({"code": 2002, "id": null}));
    ann.expect(&json!({"ev": "bye", "close": 1008}));
    assert_eq!(ann.next(), None);
    // It is told a minute before, and neither at once nor in the last moment.
    let mut bob = Client::lines(&server);
    bob.ask(&hello(&token(62)));
    let told = bob.expect(&json!({"ev": "expires"}));
    assert!(told["in_ms"].as_u64().is_some_and(|ms| (55_000..=60_000).contains(&ms)), "{told}");
}

#[test]
fn another_token_of_the_same_user_renews_and_one_of_another_changes_nothing() {
    let server = server();
    let mut ann = Client::lines(&server);
    ann.refused(&json!({"op": "refresh", "token": token("ann", &[])}), 1004);
    ann.ask(&hello(&token("ann", &[&format!("exp={}", now_s() + 30)])));
    ann.expect(&json!({"ev": "expires"}));
    ann.refused(&json!({"op": "refresh", "token": token("eve", &[])}), 2003);
    ann.refused(&json!({"op": "refresh", "token": "x.y.z"}), 2001);
    ann.ask(&json!({"op": "refresh", "token": token("ann", &[&format!("exp={}", now_s() + 50)])}));
    // Renewed for less than a minute, so that this is seen to end with the second one.
    ann.expect(&json!({"ev": "expires"}));
    ann.ask(&json!({"op": "refresh", "token": token("ann", &[])}));
    ann.ask(&json!({"op": "join", "room": "lobby"}));
}

#[test]
fn a_token_that_was_revoked_ends_its_connections_and_is_not_taken_again() {
    let server = server();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("chinwag.toml");
    let data = format!("data = {:?}\n{CONFIG}", server.data().display().to_string());
    std::fs::write(&config, data).expect("a file");
    let (one, two) = (token("ann", &["jti=one"]), token("ann", &["jti=two"]));
    let mut first = Client::lines(&server);
    let mut second = Client::lines(&server);
    first.ask(&hello(&one));
    second.ask(&hello(&two));
    let (code, said) = run(&config, &["revoke", "--jti", "one"], "");
    assert_eq!((code, said.trim()), (Some(0), "revoked jti one"));
    Client::lines(&server).refused(&hello(&one), 2001);
    first.expect(&json!({"code": 2001, "id": null}));
    first.expect(&json!({"ev": "bye", "close": 4000}));
    second.refused(&json!({"op": "refresh", "token": one}), 2001);
    second.ask(&json!({"op": "ping"}));
    let (code, _) = run(&config, &["revoke", "--user", "ann"], "");
    assert_eq!(code, Some(0));
    Client::lines(&server).refused(&hello(&two), 2001);
    second.expect(&json!({"ev": "bye", "close": 4000}));
    let later = token("ann", &[&format!("iat={}", now_s() + 5)]);
    assert_eq!(Client::lines(&server).ask(&hello(&later))["user"], "ann");
}

#[test]
fn what_is_minted_is_inspected_and_nothing_secret_is_shown() {
    let minted = token("ann", &[r#"rooms={"news":"r"}"#]);
    let (code, said) = chinwag(&["inspect"], &minted);
    assert_eq!(code, Some(0), "{said}");
    for part in ["header: {", "\"sub\":\"ann\"", "key: HS256 of the issuer \"app\"", "user: ann"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(said.contains("rooms: news (read)") && !said.contains("known to two"), "{said}");
    let (code, said) = chinwag(&["inspect"], &token("ann", &["exp=5"]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("refused: it has expired (exp) (a client gets 2002)"), "{said}");
    let (code, said) = chinwag(&["inspect", "x"], "");
    assert!(code == Some(1) && said.contains("three parts"), "{said}");
}

#[test]
fn a_key_that_cannot_be_used_ends_the_start_with_its_table() {
    let bad = CONFIG.replace("a secret of more than 32 bytes, known to two", "hush");
    let said = Setup::default().config(&bad).refused();
    assert!(said.contains("jwt.key 1: the secret has 4 bytes") && !said.contains("hush"), "{said}");
}

#[test]
fn a_name_by_a_proxy_counts_only_from_a_proxy_and_only_for_a_page_of_ours() {
    let fields = |server: &Server, user: &str, origin: &str| {
        format!("X-Forwarded-User: {user}\r\n{}", origin.replace("OURS", &server.http.to_string()))
    };
    let setup = |proxies: &str| {
        Setup::default().set("auth", "header").set("proxies", proxies).set("http.origins", "null")
    };
    let server = setup("127.0.0.0/8").start();
    let ours = "Origin: http://OURS\r\n";
    let extra = fields(&server, "ann", ours);
    let mut ann = Client::over(RawWs::connect(server.http, "/ws", &extra));
    assert_eq!(ann.ask(&json!({"op": "hello"}))["user"], "ann");
    Client::ws(&server).refused(&json!({"op": "hello", "name": "ann"}), 2001);
    let stranger = setup("192.0.2.1").start();
    for (server, user, origin, status) in [
        (&server, "ann", "", 403),
        (&server, "ann", "Origin: null\r\n", 403),
        (&server, "ann", "Origin: file://\r\n", 403),
        (&server, "", ours, 400),
        (&server, "ann\r\nX-Forwarded-User: eve", ours, 400),
        (&server, "ann\r\nX_Forwarded_User: eve", ours, 400),
        (&stranger, "ann", ours, 403),
        (&stranger, "ann\r\nX-A: b", "", 403),
    ] {
        let mut raw = Raw::connect(server.http);
        raw.send(upgrade_head(server.http, "/ws", &fields(server, user, origin)).as_bytes());
        let response = http::read(&mut raw, true);
        assert_eq!(response.status, status, "{user:?} {origin:?}: {response:?}");
        raw.assert_ended();
    }
    for name in ["X-Forwarded-User", "x_forwarded_user", "X_Forwarded-USER"] {
        let get = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{name}: ann\r\n\r\n");
        assert_eq!(http::request(stranger.http, get.as_bytes()).status, 403, "{name}");
        // What a proxy leaves of its client's when it removes the one field that it knows.
        let expect = if name.contains('_') { 400 } else { 200 };
        assert_eq!(http::request(server.http, get.as_bytes()).status, expect, "{name}");
    }
}
