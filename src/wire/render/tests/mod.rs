//! Literal lines of the protocol, and the weight of a record.

mod help;
mod longest;
mod moderation;
mod rooms;
mod threads;
mod weights;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::chat::model::code::Code;
use crate::chat::model::color::Color;
use crate::chat::model::command::{Op, RequestId};
use crate::chat::model::event::{Event, LeftReason, PresenceChange};
use crate::chat::model::limits::RECORD_OVERHEAD;
use crate::chat::model::listed_rooms::ListedRoom;
use crate::chat::model::name::RoomName;
use crate::chat::model::output::Request;
use crate::chat::model::policy::Retention;
use crate::chat::model::profile::PublicProfile;
use crate::chat::model::record::{Act, Body, Epoch, Record, SharedRecord};
use crate::chat::model::reply::{
    Durability, GapWhy, InboxRow, Invitation, Presence, Rare, Refusal, Reply, ResumedRoom,
    Resumption, Role,
};
use crate::wire::Refused;
use crate::wire::encoded_len_max;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn room() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

fn den() -> RoomName {
    RoomName::parse("den").unwrap()
}

fn epoch() -> Epoch {
    Epoch::parse("k3f9").unwrap()
}

fn request(id: Option<&str>, op: Op) -> Request {
    Request { id: id.map(|id| RequestId(id.into())), op }
}

fn message(text: &str) -> Record {
    let body = Body::plain(text, Some("c-1"));
    Record { seq: 123, at: 1_763_700_002_001, from: user("bob"), body, weight: 300 }
}

fn full_message() -> Record {
    let body = Body::Message {
        text: "a\"\n\u{1b}\u{2028}é".into(),
        data: Some("{\"a\":\r\n[1]}".into()),
        cid: Some("c\\1".into()),
        reply_to: Some(7),
        thread: Some(0),
        edited: None,
    };
    Record { body, ..message("") }
}

fn topic(text: &str) -> Record {
    Record { body: Body::Topic { text: text.into() }, ..message("") }
}

/// Compares with the literal line, which has to be JSON on one line.
#[track_caller]
fn check(expect: &str, render: impl FnOnce(&mut Vec<u8>)) {
    let mut out = b"before".to_vec();
    render(&mut out);
    let line = str::from_utf8(&out).unwrap().strip_prefix("before").unwrap();
    assert_eq!(line, expect);
    let value: Value = serde_json::from_str(line).unwrap();
    assert!(value.is_object());
    assert!(!line.contains(['\n', '\r']));
}

#[track_caller]
fn check_reply(id: &str, answer: &Reply, expect: &str) {
    let (viewer, limits) = (user("bob"), Limits::default());
    let (stated, server) = (&*stated_limits(&limits), "chinwag 0.1.0");
    let context = Context { viewer: Some(&viewer), limits: &limits, stated, server };
    check(expect, |out| assert!(reply(out, &request(Some(id), Op::Ping), answer, &context)));
    let mut out = Vec::new();
    assert!(!reply(&mut out, &request(None, Op::Ping), answer, &context));
    assert!(out.is_empty(), "a reply to nothing");
}

#[track_caller]
fn check_event(what: &Event, expect: &str) {
    check(expect, |out| event(out, what, Some(&user("bob"))));
}

#[test]
fn the_welcome_states_every_limit() {
    let welcome = |rooms| Reply::Welcome {
        user: user("ann"),
        session: "s9f".into(),
        time: 1_763_700_000_123,
        resumed: false,
        rooms,
        may_invite: false,
        is_admin: false,
        invitations: Vec::new(),
        more_invitations: false,
    };
    check_reply(
        "1",
        &welcome(Vec::new()),
        concat!(
            r#"{"id":1,"code":0,"message":"ok","data":{"user":"ann","session":"s9f","#,
            r#""server":"chinwag 0.1.0","time":1763700000123,"resumed":false,"invitations":[],"limits":{"#,
            r#""message_bytes":16384,"request_bytes":106496,"frame_bytes":62976,"rooms":256,"sessions":16,"#,
            r#""members":100000,"rate_per_s":20,"burst":40,"read_ahead":65536,"#,
            r#""history_page":200,"ping_ms":25000,"#,
            r#""replay":10000,"id_bytes":64,"cid_bytes":64,"name_bytes":32,"topic_bytes":512,"#,
            r#""emoji_bytes":64,"reason_bytes":256,"search_bytes":256,"#,
            r#""agent_bytes":128,"data_levels":32,"presence_names":200,"receipts_members":50,"#,
            r#""typing_ms":6000,"standings":4096,"room_invitations":100,"#,
            r#""user_invitations":50,"edit_ms":null,"file_bytes":null}}}"#,
        ),
    );
    let limits = Limits { rate_per_s: None, ..Limits::default() };
    let context =
        Context { viewer: None, limits: &limits, stated: &stated_limits(&limits), server: "" };
    let mut out = Vec::new();
    assert!(reply(&mut out, &request(Some("1"), Op::Hello), &welcome(Vec::new()), &context));
    assert!(String::from_utf8(out).unwrap().contains(r#""rate_per_s":null,"burst":null,"#));
}

#[test]
fn the_directory_tells_of_each_room_what_there_is() {
    let row = |name: &str, topic: &str| ListedRoom {
        room: RoomName::parse(name).unwrap(),
        topic: topic.into(),
        members: 3,
        at: if topic.is_empty() { 0 } else { 7 },
        by_invitation: topic.is_empty(),
    };
    let items = vec![row("jam", ""), row("tea", "\"hot\"")];
    check_reply(
        "2",
        &Reply::Directory { items, next: None },
        concat!(
            r#"{"id":2,"code":0,"message":"ok","data":{"items":["#,
            r#"{"room":"jam","members":3,"by_invitation":true},"#,
            r#"{"room":"tea","members":3,"at":7,"topic":"\"hot\""}],"more":false}}"#,
        ),
    );
    let next = Some(RoomName::parse("tea").unwrap());
    check_reply(
        "2",
        &Reply::Directory { items: Vec::new(), next },
        r#"{"id":2,"code":0,"message":"ok","data":{"items":[],"after":"tea","more":true}}"#,
    );
}

#[test]
fn a_joined_room_says_where_its_log_stands() {
    let day = Duration::from_hours(24);
    let retention = Retention { age: Some(day), records: Some(1_000), bytes: None };
    let joined = |topic: &str, reset| Reply::Joined {
        room: room(),
        epoch: epoch(),
        seq: 121,
        oldest: 1,
        durable: Durability::Disk,
        role: Role::Member,
        read: 112,
        recv: 115,
        members: 37,
        v: 41,
        topic: topic.into(),
        private: reset,
        rare: Box::new(if reset {
            Rare { retention, former: [den()].into() }
        } else {
            Rare::default()
        }),
        reset,
        marks: if reset { vec![(user("bob"), 120), (user("eve"), 7)] } else { Vec::new() },
    };
    check_reply(
        "2",
        &joined("", false),
        concat!(
            r#"{"id":2,"code":0,"message":"ok","data":{"room":"lobby","epoch":"k3f9","seq":121,"#,
            r#""oldest":1,"durable":"disk","role":"member","read":112,"recv":115,"members":37,"v":41}}"#,
        ),
    );
    check_reply(
        "2",
        &joined("\"tea\"", true),
        concat!(
            r#"{"id":2,"code":0,"message":"ok","data":{"room":"lobby","epoch":"k3f9","seq":121,"#,
            r#""oldest":1,"durable":"disk","role":"member","read":112,"recv":115,"members":37,"v":41,"#,
            r#""topic":"\"tea\"","private":true,"former":["den"],"keep_for_ms":86400000,"keep_records":1000,"reset":true,"marks":{"bob":120,"eve":7}}}"#,
        ),
    );
}

#[test]
fn a_sent_message_is_answered_with_its_seq() {
    let sent = |dup| Reply::Sent {
        room: room(),
        seq: 122,
        at: 1_763_700_001_456,
        durable: Durability::Memory,
        dup,
        not_members: Box::default(),
    };
    check_reply(
        "\"a\\n\"",
        &sent(false),
        r#"{"id":"a\n","code":0,"message":"ok","data":{"room":"lobby","seq":122,"at":1763700001456,"durable":"memory"}}"#,
    );
    check_reply(
        "-4",
        &sent(true),
        r#"{"id":-4,"code":0,"message":"ok","data":{"room":"lobby","seq":122,"at":1763700001456,"durable":"memory","dup":true}}"#,
    );
}

#[test]
fn pages_and_inboxes_hold_items_and_ones_own_carry_their_cid() {
    let other = Record { from: user("ann"), seq: 124, ..message("yo") };
    let items: Vec<SharedRecord> = vec![Arc::new(message("hi")), Arc::new(other)];
    let history =
        |items| Reply::History { room: room(), epoch: epoch(), items, oldest: 1, more: true };
    check_reply(
        "5",
        &history(items),
        concat!(
            r#"{"id":5,"code":0,"message":"ok","data":{"room":"lobby","epoch":"k3f9","items":["#,
            r#"{"ev":"message","seq":123,"from":"bob","at":1763700002001,"text":"hi","cid":"c-1"},"#,
            r#"{"ev":"message","seq":124,"from":"ann","at":1763700002001,"text":"yo"}],"#,
            r#""first":123,"last":124,"oldest":1,"more":true}}"#,
        ),
    );
    check_reply(
        "5",
        &history(Vec::new()),
        concat!(
            r#"{"id":5,"code":0,"message":"ok","data":{"room":"lobby","epoch":"k3f9","items":[],"#,
            r#""first":null,"last":null,"oldest":1,"more":true}}"#,
        ),
    );
    let row = |last| InboxRow {
        room: room(),
        former: Box::default(),
        epoch: epoch(),
        seq: 9,
        recv: 8,
        read: 7,
        unread: 2,
        mentions: 1,
        in_threads: 0,
        last,
    };
    check_reply(
        "6",
        &Reply::Inbox {
            rev: 3,
            rooms: vec![row(None), row(Some(Arc::new(topic("tea"))))],
            more: false,
            gone: vec![room()],
            full: false,
            invitations: vec![Invitation {
                room: RoomName::parse("den").unwrap(),
                by: Some(user("ann")),
                at: Some(5),
                reason: "tea".into(),
            }],
        },
        concat!(
            r#"{"id":6,"code":0,"message":"ok","data":{"rev":3,"gone":["lobby"],"rooms":["#,
            r#"{"room":"lobby","epoch":"k3f9","seq":9,"recv":8,"read":7,"unread":2,"mentions":1,"last":null},"#,
            r#"{"room":"lobby","epoch":"k3f9","seq":9,"recv":8,"read":7,"unread":2,"mentions":1,"last":"#,
            r#"{"ev":"topic","seq":123,"from":"bob","at":1763700002001,"text":"tea"}}],"#,
            r#""invitations":[{"room":"den","by":"ann","at":5,"reason":"tea"}]}}"#,
        ),
    );
}

#[test]
fn the_other_replies_stand_as_the_protocol_has_them() {
    let check = |reply: &Reply, data: &str| {
        check_reply("7", reply, &format!(r#"{{"id":7,"code":0,"message":"ok","data":{data}}}"#));
    };
    check(&Reply::Pong { time: 5 }, r#"{"time":5}"#);
    check(&Reply::Left { room: room() }, r#"{"room":"lobby"}"#);
    check(
        &Reply::Acked { room: room(), recv: 5, read: 4 },
        r#"{"room":"lobby","recv":5,"read":4}"#,
    );
    check(&Reply::Done, "{}");
    let users = vec![(user("ann"), Presence::Online), (user("bob"), Presence::Away)];
    check(
        &Reply::Presence { v: 41, count: 37, users: Some(users) },
        r#"{"v":41,"count":37,"users":[["ann","online"],["bob","away"]]}"#,
    );
    check(&Reply::Presence { v: 41, count: 370, users: None }, r#"{"v":41,"count":370}"#);
    check(
        &Reply::Members { count: 1, users: vec![(user("ann"), Role::Owner)], more: false },
        r#"{"count":1,"users":[["ann","owner"]],"more":false}"#,
    );
    check(&Reply::Topic { room: room(), text: "a\tb".into() }, r#"{"room":"lobby","text":"a\tb"}"#);
}

#[test]
fn a_refusal_says_what_helps() {
    let bare = Refusal::new(Code::Busy, "the server is busy").retry_after_ms(250);
    check(
        r#"{"id":7,"code":5004,"message":"the server is busy","data":{"error":"busy","retry_after_ms":250}}"#,
        |out| refusal(out, &request(Some("7"), Op::Send), &bare),
    );
    let full = Refusal {
        epoch: Some(epoch()),
        offset: Some(3),
        ..Refusal::new(Code::BadField, "room is \"\"")
            .field("room", "a name")
            .hint(Some("a\"b".to_owned()))
            .limit(32)
    };
    check(
        concat!(
            r#"{"id":null,"op":"join","code":1003,"message":"room is \"\"","data":{"error":"bad_field","#,
            r#""field":"room","expected":"a name","hint":"a\"b","epoch":"k3f9","limit":32,"offset":3}}"#,
        ),
        |out| refusal(out, &request(None, Op::Join), &full),
    );
    let unknown = |op: Option<&'static str>, id: Option<&str>| Refused {
        id: id.map(|id| RequestId(id.into())),
        op: op.map(Into::into),
        refusal: Refusal::new(Code::BadJson, "no"),
    };
    let data = r#""code":1001,"message":"no","data":{"error":"bad_json"}}"#;
    check(&format!(r#"{{"id":null,"op":null,{data}"#), |out| refused(out, &unknown(None, None)));
    check(&format!(r#"{{"id":null,"op":"a\nb",{data}"#), |out| {
        refused(out, &unknown(Some("a\nb"), None));
    });
    check(&format!(r#"{{"id":9,{data}"#), |out| refused(out, &unknown(Some("x"), Some("9"))));
}

#[test]
fn an_unknown_operation_is_answered_with_all_of_them() {
    let mut out = Vec::new();
    refusal(&mut out, &request(None, Op::Ping), &Refusal::new(Code::UnknownOp, "no"));
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["data"]["ops"].as_array().unwrap().len(), Op::ALL.len());
}

#[test]
fn a_record_is_live_with_its_room_and_an_item_without() {
    check(
        r#"{"ev":"message","room":"lobby","seq":123,"from":"bob","at":1763700002001,"text":"yo"}"#,
        |out| record_event(out, &room(), &message("yo")),
    );
    let text = r#""text":"a\"\n?"#.to_owned() + "\u{2028}é\"";
    let rest = format!(r#"{text},"reply_to":7,"thread":0,"data":{{"a":  [1]}}"#);
    let head = r#""seq":123,"from":"bob","at":1763700002001"#;
    check(&format!(r#"{{"ev":"message","room":"lobby",{head},{rest}}}"#), |out| {
        record_event(out, &room(), &full_message());
    });
    check(&format!(r#"{{"ev":"message",{head},{rest},"cid":"c\\1"}}"#), |out| {
        item(out, &full_message(), Some(&user("bob")));
    });
    check(&format!(r#"{{"ev":"message",{head},{rest}}}"#), |out| {
        item(out, &full_message(), Some(&user("ann")));
    });
    check(&format!(r#"{{"ev":"message",{head},{rest}}}"#), |out| {
        item(out, &full_message(), None);
    });
    check(&format!(r#"{{"ev":"topic","room":"lobby",{head},"text":""}}"#), |out| {
        record_event(out, &room(), &topic(""));
    });
}

#[test]
fn events_stand_as_the_protocol_has_them() {
    let items = vec![Arc::new(message("hi"))];
    check_event(
        &Event::Replay { room: room(), items, to: 140 },
        concat!(
            r#"{"ev":"replay","room":"lobby","items":[{"ev":"message","seq":123,"from":"bob","#,
            r#""at":1763700002001,"text":"hi","cid":"c-1"}],"to":140}"#,
        ),
    );
    check_event(
        &Event::Live { room: room(), seq: 140 },
        r#"{"ev":"live","room":"lobby","seq":140}"#,
    );
    check_event(
        &Event::Gap { room: room(), from: 1, to: 9, why: GapWhy::Limit },
        r#"{"ev":"gap","room":"lobby","from":1,"to":9,"why":"limit"}"#,
    );
    check_event(
        &Event::Joined { room: RoomName::parse("@ann:bob").unwrap(), epoch: epoch(), seq: 0 },
        r#"{"ev":"joined","room":"@ann:bob","epoch":"k3f9","seq":0}"#,
    );
    check_event(
        &Event::Left { room: room(), reason: LeftReason::Kicked },
        r#"{"ev":"left","room":"lobby","reason":"kicked"}"#,
    );
    check_event(
        &Event::Typing { room: room(), users: vec![user("bob"), user("eve")] },
        r#"{"ev":"typing","room":"lobby","users":["bob","eve"]}"#,
    );
    check_event(
        &Event::Receipts { room: room(), read: vec![(user("bob"), 122), (user("eve"), 123)] },
        r#"{"ev":"receipts","room":"lobby","read":{"bob":122,"eve":123}}"#,
    );
    let (display, text) = ("Ann \"A\"".into(), "tea".into());
    let ann = PublicProfile { display, text, until: Some(9), color: Color::Teal };
    check_event(
        &Event::Profiles {
            room: room(),
            users: vec![(user("ann"), ann), (user("bob"), PublicProfile::default())],
        },
        r#"{"ev":"profiles","room":"lobby","profiles":{"ann":{"display":"Ann \"A\"","text":"tea","color":"teal","until":9},"bob":{}}}"#,
    );
    check_event(
        &Event::ReadElsewhere { room: room(), user: user("ann"), read: 123 },
        r#"{"ev":"receipts","room":"lobby","read":{"ann":123},"own":true}"#,
    );
    check_event(
        &Event::Thread { room: room(), thread: 7, following: true, read: Some(9) },
        r#"{"ev":"thread","room":"lobby","thread":7,"following":true,"read":9}"#,
    );
    check_event(
        &Event::Thread { room: room(), thread: 7, following: false, read: None },
        r#"{"ev":"thread","room":"lobby","thread":7,"following":false}"#,
    );
    check_event(
        &Event::Receipts { room: room(), read: Vec::new() },
        r#"{"ev":"receipts","room":"lobby","read":{}}"#,
    );
    check_event(
        &Event::Drain { reconnect_after_ms: 7350, window_ms: 20_000, reason: "restart" },
        r#"{"ev":"drain","reconnect_after_ms":7350,"window_ms":20000,"reason":"restart"}"#,
    );
    check(r#"{"ev":"bye","close":4101,"reason":"stalled"}"#, |out| bye(out, 4101, "stalled"));
    check(r#"{"ev":"ping"}"#, ping);
}

#[test]
fn presence_is_told_as_a_change_as_a_state_or_as_a_count() {
    let event = |change| Event::Presence { room: room(), v: 42, count: 37, change };
    let delta =
        PresenceChange::Delta { on: vec![user("dan")], away: Vec::new(), off: vec![user("eve")] };
    check_event(
        &event(delta),
        r#"{"ev":"presence","room":"lobby","v":42,"on":["dan"],"away":[],"off":["eve"],"count":37}"#,
    );
    check_event(
        &event(PresenceChange::State(vec![(user("dan"), Presence::Online)])),
        r#"{"ev":"presence","room":"lobby","v":42,"users":[["dan","online"]],"count":37}"#,
    );
    check_event(
        &event(PresenceChange::CountOnly),
        r#"{"ev":"presence","room":"lobby","v":42,"count":37}"#,
    );
}
