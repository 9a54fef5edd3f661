//! Pages of a room's log, and the inbox.

use serde_json::{Value, json};

use crate::support::json::{NUMBER, STRING};
use crate::support::{Client, Server, Setup, assert_subset};

/// A room with ten messages, "1" to "10".
fn ten() -> (Server, Client) {
    let server = Setup::default().set("limits.rate_per_s", "off").start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for n in 1..=10 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": n.to_string()}));
    }
    (server, ann)
}

#[test]
fn each_kind_of_page_is_ascending_and_says_what_it_holds() {
    let (_server, mut ann) = ten();
    let page = |fields: Value, first: u64, last: u64, more: bool| (fields, first, last, more);
    for (fields, first, last, more) in [
        page(json!({}), 1, 10, false),
        page(json!({"limit": 3}), 8, 10, true),
        page(json!({"before": 8, "limit": 3}), 5, 7, true),
        page(json!({"before": 4, "limit": 3}), 1, 3, false),
        page(json!({"before": 4}), 1, 3, false),
        page(json!({"before": 100, "limit": 1}), 10, 10, true),
        page(json!({"after": 0, "limit": 4}), 1, 4, true),
        page(json!({"after": 6, "limit": 4}), 7, 10, false),
        page(json!({"after": 9}), 10, 10, false),
        page(json!({"around": 5, "limit": 4}), 3, 6, true),
        page(json!({"around": 1, "limit": 4}), 1, 4, true),
    ] {
        let mut request = json!({"op": "history", "room": "lobby"});
        request
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().cloned().unwrap_or_default());
        let answer = ann.ask(&request);
        let expected = json!({"room": "lobby", "epoch": STRING, "first": first, "last": last,
                              "oldest": 1, "more": more});
        assert_subset(&answer, &expected);
        let items = answer["items"].as_array().expect("items");
        assert_eq!(items.len() as u64, last - first + 1, "{request} → {answer}");
        for (item, seq) in items.iter().zip(first..) {
            let expected = json!({"ev": "message", "seq": seq, "from": "ann", "at": NUMBER,
                                  "text": seq.to_string()});
            assert_subset(item, &expected);
            assert!(item.get("room").is_none(), "an item has no room: {item}");
        }
    }
}

#[test]
fn an_empty_page_is_said_to_be_one() {
    let (_server, mut ann) = ten();
    for fields in [json!({"after": 10}), json!({"before": 1}), json!({"before": 0})] {
        let mut request = json!({"op": "history", "room": "lobby"});
        request
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().cloned().unwrap_or_default());
        let answer = ann.ask(&request);
        assert_subset(&answer, &json!({"items": [], "more": false, "oldest": 1}));
        assert_eq!((&answer["first"], &answer["last"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn paging_backwards_meets_every_record_once() {
    let server =
        Setup::default().set("limits.history_page", "7").set("limits.rate_per_s", "off").start();
    let mut ann = Client::lines(&server).named("ann", Some("lobby"));
    for n in 1..=50 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": n.to_string()}));
    }
    let (mut seen, mut before) = (Vec::new(), Value::Null);
    loop {
        let page =
            ann.ask(&json!({"op": "history", "room": "lobby", "before": before, "limit": 1000}));
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 7, "more than the limit: {}", items.len());
        seen.extend(items.iter().rev().map(|item| item["seq"].as_u64().expect("a seq")));
        before = page["first"].clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(seen, (1..=50).rev().collect::<Vec<_>>());
}

#[test]
fn what_the_ring_of_a_room_in_memory_has_let_go_is_gone_and_on_disk_it_is_not() {
    for (setup, first) in [(Setup::default().in_memory(), 7), (Setup::default(), 1)] {
        let small = setup.set("limits.ring_records", "4").set("limits.rate_per_s", "off");
        let server = small.start();
        let mut ann = Client::lines(&server).named("ann", Some("lobby"));
        for n in 1..=10 {
            ann.ask(&json!({"op": "send", "room": "lobby", "text": n.to_string()}));
        }
        let page = ann.ask(&json!({"op": "history", "room": "lobby"}));
        assert_subset(&page, &json!({"first": first, "last": 10, "oldest": first, "more": false}));
    }
}

#[test]
fn another_epoch_is_refused_with_the_present_one() {
    let (_server, mut ann) = ten();
    let epoch = ann.ask(&json!({"op": "history", "room": "lobby"}))["epoch"].take();
    ann.ask(&json!({"op": "history", "room": "lobby", "epoch": epoch}));
    ann.ask(&json!({"op": "ack", "room": "lobby", "read": 1, "epoch": epoch}));
    for request in [
        json!({"op": "history", "room": "lobby", "after": 1, "epoch": "another"}),
        json!({"op": "ack", "room": "lobby", "read": 1, "epoch": "another"}),
    ] {
        let refused = ann.refused(&request, 4004);
        assert_eq!(refused["data"]["epoch"], epoch, "{refused}");
    }
    let joined = ann.ask(&json!({"op": "join", "room": "lobby", "after": 3, "epoch": "another"}));
    assert_subset(&joined, &json!({"reset": true, "epoch": epoch, "seq": 10}));
}

#[test]
fn the_inbox_tells_what_changed_since_a_revision() {
    let server = Server::start();
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    bob.ask(&json!({"op": "join", "room": "attic"}));
    let mut rooms = |since: &Value| bob.ask(&json!({"op": "rooms", "since": since}));
    let all = rooms(&Value::Null);
    let names = |inbox: &Value| -> Vec<String> {
        let rows = inbox["rooms"].as_array().expect("rooms").iter();
        rows.map(|row| row["room"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&all), ["attic", "lobby"]);
    assert_eq!(names(&rooms(&all["rev"])), [""; 0]);
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "hi", "cid": "c"}));
    let changed = rooms(&all["rev"]);
    let row = json!({"room": "lobby", "epoch": STRING, "seq": 1, "recv": 0, "read": 0, "unread": 1,
                     "last": {"ev": "message", "seq": 1, "from": "ann", "text": "hi"}});
    assert_subset(&changed["rooms"], &json!([row]));
    assert_eq!(names(&rooms(&changed["rev"])), [""; 0]);
}

#[test]
fn acknowledgements_only_rise_and_read_implies_received() {
    let (server, mut ann) = ten();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    // Who joins has read what was before.
    for n in 11..=13 {
        ann.ask(&json!({"op": "send", "room": "lobby", "text": n.to_string()}));
    }
    for (marks, recv, read, unread) in [
        (json!({"recv": 11}), 11, 10, 3),
        (json!({"read": 12}), 12, 12, 1),
        (json!({"read": 11}), 12, 12, 1),
        (json!({"recv": 1, "read": 0}), 12, 12, 1),
        (json!({"recv": 13, "read": 13}), 13, 13, 0),
    ] {
        let mut request = json!({"op": "ack", "room": "lobby"});
        request
            .as_object_mut()
            .expect("an object")
            .extend(marks.as_object().cloned().unwrap_or_default());
        let acked = bob.ask(&request);
        assert_subset(&acked, &json!({"room": "lobby", "recv": recv, "read": read}));
        let inbox = bob.ask(&json!({"op": "rooms"}));
        let row = json!([{"room": "lobby", "recv": recv, "read": read, "unread": unread}]);
        assert_subset(&inbox["rooms"], &row);
    }
    bob.refused(&json!({"op": "ack", "room": "lobby", "read": 14}), 4003);
    // They are the user's: another session reads them back.
    let joined =
        Client::ws(&server).named("bob", None).ask(&json!({"op": "join", "room": "lobby"}));
    assert_subset(&joined, &json!({"read": 13, "recv": 13}));
}
