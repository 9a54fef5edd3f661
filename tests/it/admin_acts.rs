//! The admin API: what is done by it, as those see it who are connected, and as the audit has it.

use std::fs;

use serde_json::json;

use crate::support::admin::{TOKEN, act, act_last, audit, bearer, get, post, post_with, start};
use crate::support::{Client, Raw, Setup, http};

#[test]
fn a_message_is_published_once_and_broadcast_to_each_room() {
    let server = start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    ann.ask(&json!({"op": "create", "room": "team", "private": true}));
    let body = json!({"room": "lobby", "text": "hello \"all\"", "data": {"a": [1]}});
    let fields = format!("{}Idempotency-Key: once\r\n", bearer());
    let (status, sent) = post_with(&server, "publish", &fields, &body);
    assert_eq!((status, &sent["seq"], &sent["durable"]), (201, &json!(1), &json!("disk")));
    ann.expect(
        &json!({"ev": "message", "from": "chinwag", "text": "hello \"all\"", "data": {"a": [1]}}),
    );
    let (_, again) = post_with(&server, "publish", &fields, &body);
    assert_eq!((&again["seq"], &again["dup"]), (&json!(1), &json!(true)), "{again}");
    let other = json!({"room": "lobby", "text": "other"});
    assert_eq!(post_with(&server, "publish", &fields, &other).0, 409);
    // A room of which the operator is no member, one that is made, and one that cannot be.
    let body = json!({"rooms": ["team", "new", "No"], "text": "news"});
    let (status, answer) = post(&server, "broadcast", &body);
    assert_eq!((status, &answer["messages"][1]["room"]), (201, &json!("new")), "{answer}");
    assert_eq!(answer["messages"][2]["code"], 1003, "{answer}");
}

#[test]
fn a_broadcast_answers_for_each_room() {
    let server = start();
    let mut ann = Client::lines(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "team", "private": true}));
    ann.ask(&json!({"op": "join", "room": "lobby"}));
    let answer = act(&server, "broadcast", &json!({"rooms": ["team", "lobby"], "text": "news"}));
    assert_eq!(answer["messages"][0]["room"], "team", "{answer}");
    assert_eq!(answer["messages"][1]["seq"], 1, "{answer}");
    ann.expect(&json!({"ev": "message", "room": "team", "text": "news", "from": "chinwag"}));
    ann.expect(&json!({"ev": "message", "room": "lobby", "text": "news"}));
    let members = get(&server, "members?room=team");
    let one = json!([{"user": "ann", "role": "owner", "presence": "online", "read": 0}]);
    assert_eq!(members["members"], one, "the operator is no member");
    let users = get(&server, "users");
    assert!(
        users["users"].as_array().is_some_and(|all| all.iter().any(|row| row["user"] == "ann"))
    );
}

#[test]
fn the_operators_name_is_nobody_elses() {
    let server = start();
    Client::lines(&server).refused(&json!({"op": "hello", "name": "chinwag"}), 2005);
    let server = Setup::default().set("admin_token", TOKEN).set("admin_name", "desk").start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    act(&server, "publish", &json!({"room": "lobby", "text": "hello"}));
    ann.expect(&json!({"ev": "message", "from": "desk"}));
}

#[test]
fn a_member_is_kicked_and_banned_whoever_owns_the_room() {
    let server = start();
    let mut ann = Client::lines(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "team"}));
    let mut bob = Client::lines(&server).named("bob", Some("team"));
    let body = json!({"room": "team", "user": "bob", "reason": "enough"});
    let (status, kicked) = post(&server, "rooms/kick", &body);
    assert_eq!((status, &kicked["seq"]), (201, &json!(1)), "{kicked}");
    bob.expect(&json!({"ev": "left", "room": "team", "reason": "kicked"}));
    ann.expect(&json!({"ev": "moderation", "from": "chinwag", "act": "kick", "target": "bob"}));
    bob.ask(&json!({"op": "join", "room": "team"}));
    act(&server, "rooms/ban", &json!({"room": "team", "user": "bob", "for_ms": 60_000}));
    bob.refused(&json!({"op": "join", "room": "team"}), 3005);
    act(&server, "rooms/unban", &json!({"room": "team", "user": "bob"}));
    bob.ask(&json!({"op": "join", "room": "team"}));
    // An owner, too, but not the only one; and in a room that has none.
    let only = json!({"room": "team", "user": "ann"});
    assert_eq!(post(&server, "rooms/kick", &only).1["code"], 3004);
    ann.ask(&json!({"op": "role", "room": "team", "user": "bob", "role": "owner"}));
    act(&server, "rooms/kick", &only);
    ann.ask(&json!({"op": "join", "room": "lobby"}));
    act(&server, "rooms/ban", &json!({"room": "lobby", "user": "ann"}));
    ann.refused(&json!({"op": "join", "room": "lobby"}), 3005);
    for (path, body, code) in [
        ("rooms/kick", json!({"room": "none", "user": "bob"}), 3001),
        ("rooms/kick", json!({"room": "team", "user": "zoe"}), 3010),
        ("rooms/kick", json!({"room": "team", "user": "Bob"}), 1003),
        ("rooms/ban", json!({"room": "team", "user": "bob", "for_ms": 0}), 1003),
    ] {
        let (_, refused) = post(&server, path, &body);
        assert_eq!(refused["code"], code, "{path} {body}: {refused}");
    }
    let noted = audit(&server);
    assert_eq!(noted.len(), 5, "{noted:?}");
    assert!(noted[0].contains("kick") && noted[0].contains("bob"), "{noted:?}");
}

#[test]
fn a_user_and_an_address_are_banned_from_the_server_at_once() {
    let server = start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    act(&server, "ban", &json!({"user": "ann", "for_ms": 60_000, "reason": "spam"}));
    ann.expect(&json!({"ev": "bye", "close": 4005}));
    let mut again = Client::lines(&server);
    let refused = again.refused(&json!({"op": "hello", "name": "ann"}), 2004);
    assert!(refused["message"].as_str().is_some(), "{refused}");
    let bans = get(&server, "bans");
    assert_eq!((&bans["bans"][0]["user"], &bans["total"]), (&json!("ann"), &json!(1)));
    act(&server, "ban", &json!({"address": "192.0.2.0/24", "reason": "scanner"}));
    assert_eq!(get(&server, "bans")["total"], 2);
    act(&server, "unban", &json!({"user": "ann"}));
    Client::lines(&server).named("ann", None);
    let (status, refused) = post(&server, "unban", &json!({"user": "ann"}));
    assert_eq!((status, &refused["code"]), (404, &json!(3010)), "{refused}");
    for body in [json!({}), json!({"user": "a", "address": "::1"}), json!({"address": "home"})] {
        assert_eq!(post(&server, "ban", &body).0, 400, "{body}");
    }
    act(&server, "ban", &json!({"address": "127.0.0.1"}));
    // The listener of the operator stays open to it.
    assert_eq!(get(&server, "bans")["total"], 2);
    let mut late = Raw::connect(server.http);
    late.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(http::read(&mut late, true).status, 403);
    assert_eq!(audit(&server).len(), 4, "{:?}", audit(&server));
}

#[test]
fn connections_are_closed_by_name_and_by_user_and_may_come_back() {
    let server = start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    let mut two = Client::lines(&server).named("ann", Some("lobby"));
    let listed = get(&server, "sessions?user=ann");
    let id = listed["connections"][0]["id"].clone();
    assert_eq!(act(&server, "disconnect", &json!({"connection": id}))["closed"], 1);
    ann.expect(&json!({"ev": "bye", "close": 4202}));
    assert_eq!(post(&server, "disconnect", &json!({"connection": id})).0, 404);
    assert_eq!(act(&server, "disconnect", &json!({"user": "ann"}))["closed"], 1);
    two.expect(&json!({"ev": "bye", "close": 4202}));
    assert_eq!(post(&server, "disconnect", &json!({"user": "zoe"})).0, 404);
    for body in [json!({}), json!({"user": "ann", "connection": "c1@1"})] {
        assert_eq!(post(&server, "disconnect", &body).0, 400);
    }
    drop((ann, two));
    server.assert_no_connection_left();
    let closed = get(&server, "connections/closed?user=ann&reason=rebalance");
    assert_eq!(closed["connections"].as_array().map(Vec::len), Some(2), "{closed}");
    Client::lines(&server).named("ann", Some("lobby"));
    // What was noted is written before anything that is stored later.
    act(&server, "publish", &json!({"room": "lobby", "text": "after all that"}));
    assert_eq!(audit(&server).len(), 2, "{:?}", audit(&server));
}

#[test]
fn all_sessions_of_a_user_end() {
    let server = start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    act(&server, "sessions/end", &json!({"user": "ann"}));
    ann.expect(&json!({"ev": "bye", "close": 4006}));
    assert_eq!(post(&server, "sessions/end", &json!({"user": "zoe"})).0, 404);
    assert!(audit(&server).iter().all(|line| line.contains("end sessions")));
}

#[test]
fn keys_and_hooks_are_made_used_listed_and_ended() {
    let server = start();
    let mut ann = Client::lines(&server).named("ann", Some("alerts/disk"));
    let body = json!({"name": "ci", "rooms": ["alerts/*"], "can": "read,send"});
    let made = act(&server, "keys", &body);
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    let mut ci = Client::lines(&server);
    ci.ask(&json!({"op": "hello", "token": secret}));
    ci.ask(&json!({"op": "send", "room": "alerts/disk", "text": "full"}));
    ann.expect(&json!({"ev": "message", "from": "ci", "text": "full"}));
    assert_eq!(post(&server, "keys", &body).1["code"], 2005, "there is one of this name");
    let of_ann = json!({"name": "ann", "rooms": ["*"]});
    assert_eq!(post(&server, "keys", &of_ann).1["code"], 2005, "the name is a person's");
    let of_admin = json!({"name": "chinwag", "rooms": ["*"]});
    assert_eq!(post(&server, "keys", &of_admin).1["code"], 2005, "it is the admin API's own");
    let listed = json!({"name": "x", "rooms": ["a"], "can": ["send"]});
    assert_eq!(post(&server, "keys", &listed).1["code"], 1003, "it is JSON");
    let hook = act(&server, "hooks", &json!({"room": "alerts/disk"}));
    assert_eq!(hook["name"], "alerts-disk-hook");
    let line = format!("POST {} HTTP/1.1", hook["path"].as_str().expect("a path"));
    let text = r#"{"text":"from a hook"}"#;
    let head = format!(
        "{line}\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    assert_eq!(http::request(server.http, head.as_bytes()).status, 200);
    ann.expect(&json!({"ev": "message", "from": "alerts-disk-hook", "text": "from a hook"}));
    let keys = get(&server, "keys");
    let shown = (&keys["total"], &keys["keys"][0]["name"], &keys["keys"][0]["can"]);
    assert_eq!(shown, (&json!(1), &json!("ci"), &json!("read,send")));
    assert_eq!(get(&server, "hooks")["keys"][0]["rooms"], json!(["alerts/disk"]));
    assert_eq!(post(&server, "hooks/end", &json!({"name": "ci"})).0, 404, "it is no hook");
    act(&server, "keys/end", &json!({"name": "ci"}));
    ci.expect(&json!({"ev": "bye", "close": 4006}));
    Client::lines(&server).refused(&json!({"op": "hello", "token": secret}), 2001);
    act(&server, "hooks/end", &json!({"name": "alerts-disk-hook"}));
    assert_eq!(http::request(server.http, head.as_bytes()).status, 404);
    for rooms in [json!([]), json!(["Alerts"]), json!(["a,b"]), json!([""])] {
        let key = post(&server, "keys", &json!({"name": "x", "rooms": rooms})).0;
        // One for a conversation of others.
        let hook = post(&server, "hooks", &json!({"room": "@ann:bob", "name": "spy"})).0;
        assert_eq!((key, hook), (400, 400));
    }
    let noted = audit(&server);
    assert_eq!(noted.len(), 4, "{noted:?}");
    let log = server.log();
    assert!(!log.contains(&secret) && !log.contains("/hooks/cwh_"), "{log}");
}

#[test]
fn the_configuration_is_read_again_and_what_came_of_it_is_answered() {
    let config = format!("admin_token = \"{TOKEN}\"\n[limits]\nrooms = 8\n");
    let server = Setup::default().config(&config).start();
    let path = server.data().with_file_name("chinwag.toml");
    let none = act(&server, "reload", &json!({}));
    assert_eq!((&none["changed"], &none["needs_restart"]), (&json!([]), &json!([])));
    // As `curl -X POST` asks, which says nothing of a body.
    let fields = format!("Host: {}\r\nAuthorization: Bearer {TOKEN}", server.admin);
    for (call, status) in [("reload", 200), ("log-level", 411)] {
        let head = format!(
            "POST /api/v1/{call} HTTP/1.1\r\n{fields}\r\nContent-Type: application/json\r\n\r\n"
        );
        assert_eq!(http::request(server.admin, head.as_bytes()).status, status, "{call}");
    }
    let other = config.replace("rooms = 8", "rooms = 1\nmessage_bytes = \"8KiB\"");
    fs::write(&path, &other).expect("a file");
    let answer = act(&server, "reload", &json!({}));
    assert_eq!(answer["changed"], json!([{"name": "limits.rooms", "from": "8", "to": "1"}]));
    assert_eq!(answer["needs_restart"][0]["name"], "limits.message_bytes", "{answer}");
    fs::write(&path, other.replace("rooms = 1", "rooms = \"many\"")).expect("a file");
    let (status, refused) = post(&server, "reload", &json!({}));
    let words = refused["message"].as_str().unwrap_or_default();
    assert!(status == 400 && words.contains("chinwag.toml:3:9"), "{refused}");
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    ann.refused(&json!({"op": "join", "room": "other"}), 3011);
    assert_eq!(audit(&server).len(), 4);
}

#[test]
fn the_log_says_more_from_now_on() {
    let server = start();
    assert_eq!(get(&server, "log-level")["level"], "info");
    assert_eq!(
        act(&server, "log-level", &json!({"level": "info,session=debug"}))["level"],
        "info,session=debug"
    );
    drop(Client::lines(&server).named("ann", None));
    server.log_when(|log| log.contains("DEBUG"));
    assert_eq!(get(&server, "log-level")["level"], "info,session=debug");
    assert_eq!(post(&server, "log-level", &json!({"level": "loud"})).0, 400);
    let log = server.log();
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn a_drain_answers_and_then_stops_the_server_in_good_order() {
    let mut server = start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    assert_eq!(act_last(&server, "drain"), json!({"done": true}));
    ann.expect(&json!({"ev": "drain"}));
    ann.expect(&json!({"ev": "bye", "close": 4201}));
    drop(ann);
    server.assert_left_in_order();
}
