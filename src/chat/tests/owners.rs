//! Owned rooms have an owner, on every path, and nobody closes a room by accident.

use super::super::model::load::Begun;
use super::super::model::log::{LogFault, RoomMeta};
use super::super::model::reply::{Durability, Role};
use super::moderation::{act, answer_to, den, refusal, stored_den};
use super::stored::{self, FakeStore};
use super::*;

#[test]
fn the_only_owner_leaves_when_there_is_another_or_nobody_else() {
    let leave = || Command::Leave { room: "den".into() };
    let mut harness = den(Limits::default(), false);
    let refusal = refusal(&mut harness, 0, leave());
    assert_eq!(refusal.code, Code::Forbidden);
    assert!(refusal.message.contains("make another member an owner"), "{refusal:?}");
    assert!(
        answer_to(&mut harness, 0, act("mem", ModerationCommand::Role(Role::Owner), ""))
            .starts_with("sent")
    );
    assert!(answer_to(&mut harness, 0, leave()).starts_with("Left"));
    for number in [1, 3] {
        assert!(answer_to(&mut harness, number, leave()).starts_with("Left"));
    }
    assert!(answer_to(&mut harness, 2, leave()).starts_with("Left"), "nobody is left alone");
}

#[test]
fn who_is_about_to_leave_is_an_owner_no_more() {
    for (second, expect) in [
        (Command::Leave { room: "den".into() }, "no 3004"),
        (act("mem", ModerationCommand::Role(Role::Reader), ""), "no 3004"),
    ] {
        let (mut harness, watched) = stored_den(false);
        assert!(
            answer_to(&mut harness, 0, act("mem", ModerationCommand::Role(Role::Owner), ""))
                .starts_with("sent")
        );
        watched.0.borrow_mut().slow = true;
        let leave = Command::Leave { room: "den".into() };
        harness.run(0, leave);
        assert_eq!(answer_to(&mut harness, 2, second), expect);
        // Another of the same user's sessions.
        harness.hello(9, "own");
        let demote = act("mem", ModerationCommand::Role(Role::Member), "");
        assert_eq!(answer_to(&mut harness, 9, demote), "no 3004");
        watched.0.borrow_mut().slow = false;
        assert!(sent_to(&harness.end_turn(), 0).iter().any(|line| line == "left left"));
    }
}

#[test]
fn who_comes_in_while_the_only_owner_leaves_is_not_left_alone() {
    let (mut harness, watched) = stored_den(false);
    let leave = || Command::Leave { room: "den".into() };
    harness.run(2, leave());
    harness.hello(4, "out");
    watched.0.borrow_mut().slow = true;
    harness.run(0, leave());
    harness.join(4, "den");
    watched.0.borrow_mut().slow = false;
    let said = harness.end_turn();
    let lines = sent_to(&said, 0);
    assert!(lines.iter().any(|line| line == "no 3004"), "{lines:?}");
    assert!(sent_to(&said, 4).iter().any(|line| line.starts_with("joined")), "{said:?}");
}

#[test]
fn the_only_owner_stays_and_one_of_two_may_step_down() {
    let mut harness = den(Limits::default(), false);
    let step_down = || act("own", ModerationCommand::Role(Role::Member), "");
    assert_eq!(answer_to(&mut harness, 0, step_down()), "no 3004");
    assert!(
        answer_to(&mut harness, 0, act("mod", ModerationCommand::Role(Role::Owner), ""))
            .starts_with("sent")
    );
    // Both at once: the second one finds nobody who would be left.
    harness.chat.handle_command(harness.now, conn(0), request(Op::Ping), step_down());
    let other = act("mod", ModerationCommand::Role(Role::Reader), "");
    harness.chat.handle_command(harness.now, conn(1), request(Op::Ping), other);
    let said = harness.end_turn();
    assert!(sent_to(&said, 0).iter().any(|line| line.starts_with("sent")), "{said:?}");
    assert_eq!(sent_to(&said, 1)[0], "no 3004");
}

fn leave_den() -> Command<'static> {
    Command::Leave { room: "den".into() }
}

fn close_den() -> Command<'static> {
    Command::LeaveAndClose { room: "den".into() }
}

fn say(text: &str) -> Command<'_> {
    message(Target::Room("den".into()), text, None)
}

/// The private den of `own` alone, on a shelf, with rings of four records.
fn shelved_den() -> (Harness, FakeStore) {
    let (mut harness, shelf) = stored::harness(4);
    harness.hello(0, "own");
    harness.hello(1, "bob");
    harness.run(0, create("den", true));
    (harness, shelf)
}

#[test]
fn the_last_member_of_a_private_room_loses_its_messages_only_by_close() {
    for count in [3, 4, 9] {
        let (mut harness, shelf) = shelved_den();
        for number in 0..count {
            harness.run(0, say(&number.to_string()));
        }
        let refusal = refusal(&mut harness, 0, leave_den());
        let expect = (Code::Forbidden, Some("close"), u32::try_from(count).ok());
        assert_eq!(
            (refusal.code, refusal.field, refusal.lost.as_ref().map(|lost| lost.messages)),
            expect
        );
        assert!(refusal.message.contains(&format!("{count} messages")), "{refusal:?}");
        assert_eq!(shelf.0.borrow().reads, usize::from(count > 4), "the ring has it, or the store");
        assert_eq!(answer_to(&mut harness, 0, create("den", true)), "no 3002");
        assert!(answer_to(&mut harness, 0, close_den()).starts_with("Left"));
        assert_eq!(answer_to(&mut harness, 0, say("gone")), "no 3001");
        assert!(
            answer_to(&mut harness, 1, create("den", true)).starts_with("joined at 0"),
            "the name is free"
        );
    }
}

#[test]
fn a_private_room_without_a_message_ends_with_its_last_member() {
    let (mut harness, _shelf) = shelved_den();
    assert!(answer_to(&mut harness, 0, leave_den()).starts_with("Left"));
    assert!(answer_to(&mut harness, 0, create("den", true)).starts_with("joined at 0"));
    let topic = Command::Topic { room: "den".into(), text: Some("tea".into()), weight: 3 };
    harness.run(0, topic);
    harness.run(0, say("x"));
    harness.run(0, Command::Delete { room: "den".into(), target: 2 });
    assert!(answer_to(&mut harness, 0, leave_den()).starts_with("Left"), "nothing is lost");
    assert!(answer_to(&mut harness, 1, create("den", false)).starts_with("joined at 0"));
}

#[test]
fn close_is_for_the_last_member_of_a_private_room() {
    let mut harness = den(Limits::default(), true);
    for number in [0, 2] {
        assert_eq!(answer_to(&mut harness, number, close_den()), "no 3004", "others are there");
    }
    assert_eq!(answer_to(&mut harness, 4, close_den()), "no 3001");
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    let close = |room: &str| Command::LeaveAndClose { room: room.to_owned().into() };
    assert_eq!(answer_to(&mut harness, 0, close("lobby")), "no 3004", "an open room stays");
    harness.hello(1, "bob");
    harness.run(0, message(Target::User("bob".into()), "hi", None));
    let direct = "@bob:u0";
    assert_eq!(answer_to(&mut harness, 0, close(direct)), "no 3004");
    for number in [0, 1] {
        let leave = Command::Leave { room: direct.into() };
        assert!(
            answer_to(&mut harness, number, leave).starts_with("Left"),
            "it is not asked for more"
        );
    }
    let again = message(Target::User("bob".into()), "again", None);
    assert!(sent_to(&harness.run(0, again), 0).contains(&"sent 2".to_owned()), "nothing is lost");
}

#[test]
fn a_room_that_could_not_be_ended_is_as_it_was() {
    let (mut harness, shelf) = shelved_den();
    harness.run(0, say("x"));
    shelf.0.borrow_mut().fault = Some(LogFault::Broken);
    assert_eq!(answer_to(&mut harness, 0, close_den()), "no 5004");
    shelf.0.borrow_mut().fault = None;
    let access = |owned| RoomMeta::Access { private: true, owned, policy: None };
    let metas = shelf.0.borrow().meta.clone();
    let kept: Vec<_> =
        metas.iter().filter(|meta| matches!(meta, RoomMeta::Access { .. })).collect();
    assert_eq!(kept, [&access(true), &access(false), &access(true)]);
    let topic = Command::Topic { room: "den".into(), text: Some("tea".into()), weight: 3 };
    assert_eq!(answer_to(&mut harness, 0, topic), "sent 2");
}

#[test]
fn who_comes_while_a_room_is_closed_keeps_it() {
    let (mut harness, shelf) = shelved_den();
    harness.run(0, say("x"));
    harness.run(0, Command::Invite { room: "den".into(), user: "bob".into(), reason: "".into() });
    shelf.0.borrow_mut().slow = true;
    harness.run(0, close_den());
    harness.join(1, "den");
    shelf.0.borrow_mut().slow = false;
    let said = harness.end_turn();
    assert!(sent_to(&said, 0).contains(&"no 3004".to_owned()), "{said:?}");
    assert_eq!(answer_to(&mut harness, 1, say("y")), "sent 2");
    assert!(harness.chat.rooms.table.iter().all(|(_, room)| room.owned));
}

#[test]
fn a_room_that_was_closed_before_a_crash_does_not_come_back() {
    for (private, owned, names) in
        [(true, false, &[][..]), (true, true, &["den"]), (false, true, &["den"])]
    {
        let mut harness = stored::harness(4).0;
        let room = Begun {
            name: RoomName::parse("den").unwrap(),
            epoch: Epoch(7),
            durability: Durability::Disk,
            head: 3,
            oldest: 1,
            meta: vec![RoomMeta::Access { private, owned, policy: None }],
            kept: None,
        };
        let snapshot = Snapshot { rooms: vec![room], ..Snapshot::default() };
        harness.chat.restore(harness.now, snapshot);
        harness.end_turn();
        let rooms = harness.chat.rooms.table.iter();
        let rooms: Vec<_> = rooms.map(|(_, room)| room.name.as_str().to_owned()).collect();
        assert_eq!(rooms, names, "{private} {owned}");
    }
}

#[test]
fn an_open_room_that_all_have_left_is_anybodys() {
    let (mut harness, shelf) = stored::harness(4);
    harness.hello(0, "own");
    harness.hello(1, "bob");
    harness.run(0, create("den", false));
    harness.run(0, say("x"));
    assert!(answer_to(&mut harness, 0, leave_den()).starts_with("Left"));
    let last = shelf.0.borrow().meta.last().cloned();
    let access = RoomMeta::Access { private: false, owned: false, policy: None };
    assert_eq!(last, Some(access), "also after a restart");
    harness.join(1, "den");
    let topic = Command::Topic { room: "den".into(), text: Some("tea".into()), weight: 3 };
    assert_eq!(answer_to(&mut harness, 1, topic), "sent 2");
    assert_eq!(answer_to(&mut harness, 1, act("own", ModerationCommand::Ban(None), "")), "no 3004");
}

/// What the roles of a room are once its only owner, a guest, was forgotten.
fn heirs(then: &[Command<'static>]) -> Vec<(String, Role)> {
    let mut harness = Harness::new(Limits::default());
    harness.hello_with(0, None, None);
    harness.run(0, create("den", false));
    for (number, name) in [(1, "zoe"), (2, "bob"), (3, "ann")] {
        harness.hello(number, name);
        harness.join(number, "den");
    }
    for command in then {
        assert!(answer_to(&mut harness, 0, command.clone()).starts_with("sent"), "{command:?}");
    }
    harness.chat.handle_closed(harness.now, conn(0));
    harness.wait(700_000);
    let command = Command::Members { room: "den".into(), limit: None, after: None };
    match harness.run(1, command).first() {
        Some(Output::Reply { result: Ok(Reply::Members { users, .. }), .. }) => {
            let users = users.iter().filter(|(_, role)| *role != Role::Member);
            users.map(|(user, role)| (user.as_str().to_owned(), *role)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_oldest_moderator_or_member_with_a_voice_follows_a_forgotten_owner() {
    let role = |user, role| act(user, ModerationCommand::Role(role), "");
    let mute = |user, for_ms| act(user, ModerationCommand::Mute(for_ms), "");
    let (owner, reader) = (Role::Owner, Role::Reader);
    let pairs = |pairs: &[(&str, Role)]| -> Vec<_> {
        pairs.iter().map(|&(user, role)| (user.to_owned(), role)).collect()
    };
    assert_eq!(heirs(&[]), pairs(&[("zoe", owner)]), "who joined first");
    let moderator = [role("ann", Role::Moderator)];
    assert_eq!(heirs(&moderator), pairs(&[("ann", owner)]));
    let restricted = [role("zoe", reader), mute("bob", None)];
    assert_eq!(heirs(&restricted), pairs(&[("ann", owner), ("zoe", reader)]));
    let nobody = [role("zoe", reader), mute("bob", None), mute("ann", None)];
    assert_eq!(heirs(&nobody), pairs(&[("zoe", reader)]), "an administrator decides");
}
