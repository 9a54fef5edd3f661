//! What is done to messages: edited, deleted, reacted to.

use std::time::Duration;

use super::super::model::command::Page;
use super::super::model::reply::Role;
use super::*;

fn delete(target: u64) -> Command<'static> {
    Command::Delete { room: "lobby".into(), target }
}

fn react(target: u64) -> Command<'static> {
    let (room, emoji) = ("lobby".into(), "+1".into());
    Command::React { room, target, emoji, remove: false, weight: 2 }
}

fn role(user: &'static str, role: Role) -> Command<'static> {
    moderate("lobby", user, ModerationCommand::Role(role))
}

/// The lobby of `u0`, its owner, with `u1` and `u2`.
fn owned(limits: Limits) -> Harness {
    let mut harness = Harness::new(limits);
    harness.hello(0, "u0");
    harness.run(0, create("lobby", false));
    for number in 1..3 {
        harness.hello(number, &format!("u{number}"));
        harness.join(number, "lobby");
    }
    harness.wait(1_000);
    harness
}

/// What the room shows of each record.
fn shown(harness: &mut Harness) -> Vec<String> {
    let page =
        Command::History { room: "lobby".into(), page: Page::Latest, limit: None, epoch: None };
    let said = harness.run(0, page);
    let Some(Output::Reply { result: Ok(Reply::History { items, .. }), .. }) = said.first() else {
        panic!("{said:?}");
    };
    let line = |record: &SharedRecord| match &record.body {
        Body::Message { text, edited: None, .. } => format!("{text}"),
        Body::Message { text, edited: Some(at), .. } => format!("{text} at {at}"),
        Body::Deleted => "deleted".to_owned(),
        Body::Edit { target, text } => format!("edit {target} {text:?}"),
        Body::Deletion { target } => format!("deletion {target}"),
        Body::Reaction { target, emoji, .. } => format!("{emoji} to {target}"),
        other => format!("{other:?}"),
    };
    items.iter().map(line).collect()
}

#[test]
fn an_edited_message_shows_its_present_text_and_a_deleted_one_nothing() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.run(0, message(Target::Room("lobby".into()), "tae", Some("c1")));
    harness.now.wall_ms = 5_000;
    let said = harness.run(0, edit(1, "tea"));
    assert_eq!((sent_to(&said, 0), sent_to(&said, 1)), (vec!["sent 2".into()], vec!["#2".into()]));
    assert_eq!(shown(&mut harness), ["tea at 5000", "edit 1 Some(\"tea\")"]);
    harness.run(0, edit(1, &"long ".repeat(100)));
    harness.run(1, react(1));
    assert_eq!(sent_to(&harness.run(0, delete(1)), 1), ["#5"]);
    let erased = ["deleted", "edit 1 None", "edit 1 None", "+1 to 1", "deletion 1"];
    assert_eq!(shown(&mut harness), erased);
    let bytes = harness.chat.sizes()[3];
    assert!(bytes < 6 * weight(4), "what is erased takes no more room: {bytes}");
    // The message is remembered by its cid all the same.
    let again = harness.run(0, message(Target::Room("lobby".into()), "tae", Some("c1")));
    assert_eq!(sent_to(&again, 0), ["dup 1"]);
}

#[test]
fn only_a_message_that_is_there_can_be_touched() {
    let mut harness = Harness::with_lobby(Limits { ring_records: 4, ..Limits::default() }, 1);
    for text in ["a", "b", "c"] {
        harness.say(0, text);
    }
    harness.run(0, delete(2));
    for (command, expect) in [
        (edit(2, "x"), "no 4002"),
        (delete(2), "no 4002"),
        (react(2), "no 4002"),
        (react(4), "no 4002"),
        (edit(0, "x"), "no 4002"),
        (delete(9), "no 4002"),
        (edit(u64::MAX, "x"), "no 4002"),
        (edit(1, "x"), "sent 5"),
        // It has left the ring, which is all there is.
        (edit(1, "x"), "no 4002"),
        (react(3), "sent 6"),
    ] {
        let shown = format!("{command:?}");
        assert_eq!(sent_to(&harness.run(0, command), 0), [expect], "{shown}");
    }
}

#[test]
fn what_one_turn_asks_for_counts_in_its_order() {
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    harness.say(0, "a");
    harness.end_turn();
    for command in [delete(1), delete(1), edit(1, "back"), react(1)] {
        harness.chat.handle_command(harness.now, conn(0), request(Op::Ping), command);
    }
    let mut heard = sent_to(&harness.end_turn(), 0);
    heard.sort();
    assert_eq!(heard, ["no 4002", "no 4002", "no 4002", "sent 2"]);
    assert_eq!(shown(&mut harness), ["deleted", "deletion 1"]);
}

#[test]
fn others_messages_are_deleted_by_moderators_and_edited_by_nobody() {
    for (actor, their_role, expect) in [
        (0, None, ["no 3004", "sent 3", "no 4002"]),
        (2, Some(Role::Moderator), ["no 3004", "sent 4", "no 4002"]),
        (2, Some(Role::Member), ["no 3004", "no 3004", "sent 3"]),
        (2, Some(Role::Reader), ["no 3007", "no 3007", "no 3007"]),
    ] {
        let mut harness = owned(Limits::default());
        harness.say(1, "hi");
        harness.run(1, message(Target::Room("lobby".into()), "ho", None));
        if let Some(their_role) = their_role {
            harness.run(0, role("u2", their_role));
        }
        for (command, expect) in [edit(1, "x"), delete(1), react(1)].into_iter().zip(expect) {
            let shown = format!("{their_role:?} {command:?}");
            assert_eq!(sent_to(&harness.run(actor, command), actor), [expect], "{shown}");
        }
    }
}

#[test]
fn nobody_keeps_order_in_a_room_without_an_owner() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.say(0, "hi");
    harness.end_turn();
    assert_eq!(sent_to(&harness.run(1, delete(1)), 1), ["no 3004"]);
    assert_eq!(sent_to(&harness.run(1, role("u0", Role::Reader)), 1), ["no 3004"]);
}

#[test]
fn a_message_may_be_edited_for_a_time_and_deleted_for_ever() {
    let window = Some(Duration::from_secs(10));
    let mut harness = Harness::with_lobby(Limits { edit_window: window, ..Limits::default() }, 1);
    harness.say(0, "hi");
    let said_at = harness.now.wall_ms;
    harness.now.wall_ms = said_at + 10_000;
    assert_eq!(sent_to(&harness.run(0, edit(1, "ho")), 0), ["sent 1", "sent 2"]);
    harness.now.wall_ms = said_at + 10_001;
    assert_eq!(sent_to(&harness.run(0, edit(1, "hm")), 0), ["no 4006"]);
    assert_eq!(sent_to(&harness.run(0, delete(1)), 0), ["sent 3"]);
}
