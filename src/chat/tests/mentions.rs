//! `@name` and `@room`: who is told to be no member, who may call a room, what the inbox counts.

use std::rc::Rc;

use super::super::model::limits::CALLED_BY_ALL_MAX;
use super::super::model::log::{InboxFound, InboxQuery};
use super::super::model::mentions::names;
use super::super::model::policy::{Policies, Policy, RoomCallers};
use super::super::model::reply::{Durability, InboxRow};
use super::stored::FakeStore;
use super::*;

fn to_lobby(text: &str) -> Command<'_> {
    message(Target::Room("lobby".into()), text, None)
}

/// Whom the answer to a message names as no members.
#[track_caller]
fn not_members(said: &[Output]) -> Vec<String> {
    let mut replies = said.iter().filter_map(|output| match output {
        Output::Reply { result: Ok(reply), .. } => Some(reply.clone()),
        Output::Fanout(fanout) => fanout.partial.iter().find_map(|(_, part)| match part {
            Part::Sent(_, index, named) => fanout.sent(*index, named),
            Part::Records(_) => None,
        }),
        _ => None,
    });
    match replies.next() {
        Some(Reply::Sent { not_members, .. }) => {
            not_members.iter().map(ToString::to_string).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_answer_says_who_is_named_and_no_member() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.hello(2, "zoe");
    for (text, expect) in [
        ("hi @u1", &[][..]),
        ("hi @zoe", &["zoe"]),
        ("@room, see @nobody-here and @zoe and @u0", &["nobody-here", "zoe"]),
        ("`@zoe`", &[]),
    ] {
        let said = harness.run(0, to_lobby(text));
        assert_eq!(not_members(&said), expect, "{text}");
    }
}

#[test]
fn who_has_blocked_the_sender_is_not_told_to_be_missing() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.run(1, Command::Block { user: "u0".into(), on: true });
    let said = harness.run(0, message(Target::User("u1".into()), "hey @u1, and @zoe", None));
    assert_eq!(not_members(&said), ["zoe"]);
}

#[test]
fn a_room_is_called_by_whom_its_policy_lets() {
    let with = |mention_room| {
        let policies = Policies::uniform(Policy { mention_room, ..Policy::default() });
        Limits { policies, ..Limits::default() }
    };
    for (callers, members, owner, member) in [
        (RoomCallers::BySize, 3, true, true),
        (RoomCallers::BySize, CALLED_BY_ALL_MAX, true, true),
        (RoomCallers::BySize, CALLED_BY_ALL_MAX + 1, true, false),
        (RoomCallers::Anyone, CALLED_BY_ALL_MAX + 1, true, true),
        (RoomCallers::Moderators, 3, true, false),
        (RoomCallers::Nobody, 3, false, false),
    ] {
        let mut harness = Harness::new(with(callers));
        harness.hello(0, "u0");
        harness.run(0, create("lobby", false));
        for number in 1..members {
            harness.hello(number, &format!("u{number}"));
            harness.join(number, "lobby");
        }
        for (number, may) in [(0, owner), (1, member)] {
            harness.run(number, to_lobby("`@room` is a word"));
            let said = harness.run(number, to_lobby("lunch, @room?"));
            let expect = if may { "sent" } else { "no 3004" };
            let line = sent_to(&said, number).concat();
            assert!(line.contains(expect), "{callers:?} {members} {number}: {line}");
        }
        // Neither may it be put in afterwards.
        harness.run(1, to_lobby("lunch?"));
        let last = harness.chat.rooms[harness.chat.rooms.named("lobby").unwrap()].head;
        let line = sent_to(&harness.run(1, edit(last, "lunch, @room?")), 1).concat();
        assert_eq!(line.contains("no 3004"), !member, "{callers:?}: {line}");
    }
}

/// What a store finds of a room for the inbox of a user.
pub(super) fn inbox_found(
    records: &[SharedRecord],
    user: &UserName,
    row: &InboxQuery,
) -> InboxFound {
    let is_unread = |record: &&SharedRecord| {
        record.seq > row.read && record.seq <= row.head && record.from != *user
    };
    let unread: Vec<_> = records.iter().filter(is_unread).collect();
    let texts = unread.iter().filter_map(|record| record.body.text());
    let mentions = texts.filter(|text| names(text, user)).count();
    let messages = |record: &&SharedRecord| matches!(record.body, Body::Message { .. });
    let last = records.iter().rev().find(messages).filter(|_| row.last).cloned();
    let count = |count| u64::try_from(count).unwrap();
    InboxFound { unread: count(unread.len()), mentions: count(mentions), in_threads: 0, last }
}

/// What the inbox of u0 counts in `lobby`: unread, and mentions.
#[track_caller]
fn counted(harness: &mut Harness) -> (u64, u64) {
    let mut said = harness.run(0, Command::Rooms { since: None });
    // Perhaps what was read is written first.
    said.extend(harness.wait(1_000));
    let rooms = said.iter().find_map(|output| match output {
        Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. } => Some(rooms),
        _ => None,
    });
    match rooms.map(Vec::as_slice) {
        Some([InboxRow { unread, mentions, .. }]) => (*unread, *mentions),
        other => panic!("{other:?}"),
    }
}

/// The inbox counts the same, whether the messages are in the ring or in the store alone.
#[test]
fn the_inbox_counts_mentions_as_they_are_now() {
    for ring_records in [100, 2] {
        let shelf = FakeStore::default();
        let policy = Policy { durability: Durability::Disk, ..Policy::default() };
        let policies = Policies::uniform(policy);
        let mut harness = Harness::new(Limits { ring_records, policies, ..Limits::default() });
        harness.store = Box::new(FakeStore(Rc::clone(&shelf.0)));
        for number in [0, 1] {
            harness.hello(number, &format!("u{number}"));
            harness.join(number, "lobby");
        }
        for text in ["hi @u0", "@u1 is me", "lunch, @room?", "nothing", "```\n@u0\n```"] {
            harness.run(1, to_lobby(text));
        }
        harness.run(0, to_lobby("@u0 is me"));
        assert_eq!(counted(&mut harness), (5, 2), "{ring_records}");
        let read =
            |read| Command::Ack { room: "lobby".into(), recv: None, read: Some(read), epoch: None };
        harness.run(0, read(1));
        assert_eq!(counted(&mut harness), (4, 1), "{ring_records}");
        if ring_records == 100 {
            // The shelf does not change what it has; the real stores have tests of their own.
            harness.run(1, edit(4, "something, @u0"));
            assert_eq!(counted(&mut harness), (4, 2));
            harness.run(1, edit(3, "dinner, anyone?"));
            assert_eq!(counted(&mut harness), (4, 1));
            harness.run(1, Command::Delete { room: "lobby".into(), target: 4 });
            assert_eq!(counted(&mut harness), (3, 0));
        }
    }
}
