//! Golden lines, as a person sees them.

use std::sync::Arc;

use super::*;
use crate::chat::model::code::Code;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Durability;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn lobby() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

fn direct() -> RoomName {
    RoomName::parse("@ann:bob").unwrap()
}

fn message(text: &str) -> Record {
    let body = Body::Message {
        text: text.into(),
        data: Some("{}".into()),
        cid: None,
        reply_to: None,
        thread: None,
        edited: None,
    };
    // 14:05:59 UTC.
    Record { seq: 1, at: 1_763_647_559_999, from: user("bob"), body, weight: 0 }
}

fn topic(text: &str) -> Record {
    Record { body: Body::Topic { text: text.into() }, ..message("") }
}

#[track_caller]
fn check(expect: &str, render: impl FnOnce(&mut Vec<u8>)) {
    let mut out = Vec::new();
    render(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expect);
}

#[track_caller]
fn check_reply(answer: &Reply, expect: &str) {
    check(expect, |out| reply(out, answer, "chinwag 0.1.0"));
}

#[track_caller]
fn check_event(what: &Event, expect: &str) {
    check(expect, |out| event(out, what));
}

#[test]
fn what_is_said_names_room_and_speaker() {
    let live =
        |record: &Record, expect: &str| check(expect, |out| record_event(out, &lobby(), record));
    live(&message("hi"), "[lobby] bob: hi\n");
    live(&message("\u{1b}]0;x\u{7}\nyo"), "[lobby] bob: ?]0;x?\n| yo\n");
    live(&message(""), "[lobby] bob sent data\n");
    live(&topic("tea\ntime"), "[lobby] * bob changed the topic: tea time\n");
    live(&topic(""), "[lobby] * bob removed the topic\n");
    check("[@ann:bob] bob: psst\n", |out| record_event(out, &direct(), &message("psst")));
}

#[test]
fn what_was_said_names_the_time_too() {
    let items = || vec![Arc::new(message("hi")), Arc::new(topic("tea"))];
    let lines = "[lobby] 14:05 bob: hi\n[lobby] 14:05 * bob changed the topic: tea\n";
    check_event(&Event::Replay { room: lobby(), items: items(), to: 2 }, lines);
    let history =
        |items| Reply::History { room: lobby(), epoch: Epoch(1), items, oldest: 1, more: false };
    check_reply(&history(items()), &format!("-- lobby, times in UTC --\n{lines}"));
    check_reply(&history(Vec::new()), "-- no messages yet in lobby --\n");
    let midnight = Record { at: 86_400_000, ..message("hi") };
    let replay = Event::Replay { room: lobby(), items: vec![Arc::new(midnight)], to: 2 };
    check_event(&replay, "[lobby] 00:00 bob: hi\n");
}

#[test]
fn a_room_says_who_is_there() {
    let joined = |topic: &str, members| Reply::Joined {
        room: lobby(),
        epoch: Epoch(1),
        seq: 1,
        oldest: 1,
        durable: Durability::Memory,
        role: Role::Member,
        read: 0,
        recv: 0,
        members,
        v: 1,
        topic: topic.into(),
        reset: false,
    };
    check_reply(&joined("", 1), "-- you are in lobby, 1 member --\n");
    check_reply(
        &joined("tea\u{202e}", 2),
        "-- you are in lobby, 2 members --\n-- topic of lobby: tea? --\n",
    );
    let users = vec![(user("ann"), Presence::Online), (user("bob"), Presence::Away)];
    let presence = |count, users| Reply::Presence { v: 1, count, users };
    check_reply(&presence(2, Some(users.clone())), "-- 2 here: ann, bob (away) --\n");
    check_reply(&presence(900, None), "-- 900 here --\n");
    let members = vec![(user("ann"), Role::Owner), (user("bob"), Role::Member)];
    let members = |more| Reply::Members { count: 3, users: members.clone(), more };
    check_reply(&members(true), "-- 3 members: ann (owner), bob, and more --\n");
    check_reply(&members(false), "-- 3 members: ann (owner), bob --\n");
    let change = |change| Event::Presence { room: lobby(), v: 2, count: 2, change };
    let delta = PresenceChange::Delta {
        on: vec![user("dan")],
        away: Vec::new(),
        off: vec![user("eve"), user("bob")],
    };
    check_event(&change(delta), "* dan is here (lobby)\n* eve, bob are gone (lobby)\n");
    check_event(&change(PresenceChange::State(users)), "-- in lobby: ann, bob (away) --\n");
    check_event(&change(PresenceChange::CountOnly), "");
}

#[test]
fn what_a_terminal_has_no_place_for_is_not_said() {
    check_event(&Event::Typing { room: lobby(), users: vec![user("bob")] }, "");
    check_event(&Event::Receipts { room: lobby(), read: Vec::new() }, "");
    check_event(&Event::Live { room: lobby(), seq: 1 }, "");
    check_event(&Event::Joined { room: direct(), epoch: Epoch(1), seq: 0 }, "");
    check_reply(&Reply::Done, "");
    check_reply(&Reply::Pong { time: 1 }, "");
}

#[test]
fn what_happened_to_a_room_is_said() {
    let gap = |from, why| Event::Gap { room: lobby(), from, to: 12, why };
    check_event(&gap(1, GapWhy::Pruned), "-- 12 older messages are no longer kept (lobby) --\n");
    check_event(&gap(12, GapWhy::Limit), "-- 1 older message is left out (lobby) --\n");
    check_event(
        &Event::Joined { room: lobby(), epoch: Epoch(1), seq: 0 },
        "-- you are in lobby --\n",
    );
    let left = |reason| Event::Left { room: lobby(), reason };
    check_event(&left(LeftReason::Left), "-- you have left lobby --\n");
    check_event(&left(LeftReason::Kicked), "-- you were removed from lobby --\n");
    check_event(&left(LeftReason::Banned), "-- you are banned from lobby --\n");
    check_reply(&Reply::Left { room: lobby() }, "");
    let topic = |text: &str| Reply::Topic { room: lobby(), text: text.into() };
    check_reply(&topic("tea"), "-- topic of lobby: tea --\n");
    check_reply(&topic(""), "-- lobby has no topic --\n");
    check_event(
        &Event::Drain { reconnect_after_ms: 7_350, window_ms: 20_000, reason: "restart" },
        "-- the server stops (restart); come back in 8 s --\n",
    );
}

#[test]
fn the_inbox_counts_what_is_unread() {
    let row = |room, unread| InboxRow {
        room,
        epoch: Epoch(1),
        seq: 9,
        recv: 0,
        read: 0,
        unread,
        last: None,
    };
    let rooms = vec![row(lobby(), 3), row(direct(), 0)];
    check_reply(
        &Reply::Inbox { rev: 1, rooms, more: false, invitations: Vec::new() },
        "-- your rooms: lobby (3 unread), @ann:bob --\n",
    );
    check_reply(
        &Reply::Inbox { rev: 1, rooms: Vec::new(), more: false, invitations: Vec::new() },
        "-- you are not in a room; join one with /join lobby --\n",
    );
}

#[test]
fn a_refusal_says_what_helps() {
    let refusal = |refusal: &Refusal, expect| check(expect, |out| super::refusal(out, refusal));
    refusal(&Refusal::new(Code::NoSuchRoom, "there is no such room"), "! there is no such room\n");
    refusal(
        &Refusal::new(Code::BadField, "room is \u{1b}X")
            .field("room", "a name")
            .hint(Some("x".to_owned())),
        "! room is ?X; expected: a name; did you mean x\n",
    );
    refusal(
        &Refusal::new(Code::RateLimited, "too fast").retry_after_ms(1_001),
        "! too fast; try again in 2 s\n",
    );
}
