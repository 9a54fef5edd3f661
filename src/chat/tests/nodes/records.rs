//! Records of another node, and answers that only a shared log gives.

use super::super::super::model::reply::Role;
use super::*;

fn act(user: &str, command: ModerationCommand) -> Command<'_> {
    let (room, reason) = ("den".into(), "why".into());
    Command::Moderate { room, user: user.into(), command, reason, weight: 0 }
}

/// `ann` owns `den` at the first node; `bob` is in it at the second, and has said one thing.
fn den() -> Pair {
    let mut pair = Pair::in_lobby();
    pair.run(0, 0, create("den", false));
    pair.run(1, 1, join("den"));
    pair.run(1, 1, say("den", "first"));
    pair.wait(1_000);
    pair
}

#[test]
fn what_is_said_at_either_node_is_shown_at_both_in_one_order() {
    let mut pair = Pair::in_lobby();
    for (node, number, seq) in [(0, 0, 1), (1, 1, 2), (1, 1, 3), (0, 0, 4)] {
        let said = pair.run(node, number, say("lobby", "x"));
        assert_eq!(lines(&said[node], number), [format!("sent {seq}")]);
        let other = 1 - node;
        assert_eq!(lines(&said[other], other), [format!("#{seq}")]);
    }
    let rings = pair.nodes.each_ref().map(|node| {
        let room = node.chat.rooms.named("lobby").unwrap();
        node.chat.rooms[room].ring.from(0).cloned().collect::<Vec<_>>()
    });
    assert_eq!(rings[0], rings[1]);
}

#[test]
fn acts_of_another_node_take_effect_as_ones_own() {
    let muted = ModerationCommand::Mute(None);
    let (reader, moderator) = (Role::Reader, Role::Moderator);
    for (command, at_once, then) in [
        (act("bob", ModerationCommand::Kick), vec!["#2", "left kicked"], "no 3003"),
        (act("bob", ModerationCommand::Ban(None)), vec!["#2", "left banned"], "no 3005"),
        (act("bob", muted), vec!["#2"], "no 3006"),
        (act("bob", ModerationCommand::Role(reader)), vec!["#2"], "no 3007"),
        (act("bob", ModerationCommand::Role(moderator)), vec!["#2"], "sent 3"),
    ] {
        let mut pair = den();
        let said = pair.run(0, 0, command.clone());
        assert_eq!(lines(&said[1], 1), at_once, "{command:?}");
        let said = pair.run(1, 1, say("den", "y"));
        assert_eq!(lines(&said[1], 1), [then], "{command:?}");
    }
}

#[test]
fn who_was_made_a_moderator_elsewhere_keeps_order_here() {
    let mut pair = den();
    pair.come(1, 2, "cyd");
    pair.run(1, 2, join("den"));
    let refused = pair.run(1, 1, act("cyd", ModerationCommand::Kick));
    assert_eq!(lines(&refused[1], 1), ["no 3004"]);
    pair.run(0, 0, act("bob", ModerationCommand::Role(Role::Moderator)));
    let said = pair.run(1, 1, act("cyd", ModerationCommand::Kick));
    assert_eq!(lines(&said[1], 1), ["sent 3"]);
    assert_eq!(lines(&said[1], 2), ["#3", "left kicked"]);
    assert_eq!(lines(&said[0], 0), ["#3"]);
}

#[test]
fn edits_deletions_and_topics_of_another_node_change_what_is_shown_here() {
    let mut pair = den();
    let (room, text) = ("den".into(), "second".into());
    pair.run(1, 1, Command::Edit { room, target: 1, text, weight: 6 });
    let shown = |pair: &Pair| {
        let chat = &pair.nodes[0].chat;
        let room = &chat.rooms[chat.rooms.named("den").unwrap()];
        (room.ring.get(1).unwrap().body.text().map(str::to_owned), room.topic.to_string())
    };
    assert_eq!(shown(&pair), (Some("second".to_owned()), String::new()));
    pair.run(1, 1, Command::Delete { room: "den".into(), target: 1 });
    pair.run(0, 0, act("bob", ModerationCommand::Role(Role::Moderator)));
    pair.run(1, 1, Command::Topic { room: "den".into(), text: Some("tea".into()), weight: 3 });
    assert_eq!(shown(&pair), (None, "tea".to_owned()));
}

#[test]
fn what_another_node_has_done_is_not_written_again() {
    for (command, facts) in [
        (ModerationCommand::Mute(Some(50_000)), 0),
        (ModerationCommand::Role(Role::Reader), 0),
        (ModerationCommand::Role(Role::Moderator), 0),
        // Who is put out may have entered here meanwhile, and is taken out once more.
        (ModerationCommand::Ban(None), 1),
        (ModerationCommand::Kick, 1),
    ] {
        let mut pair = den();
        let before = pair.shared.borrow().facts[1];
        pair.run(0, 0, act("bob", command));
        assert_eq!(pair.shared.borrow().facts[1] - before, facts, "{command:?}");
        let meta = &pair.shared.borrow().rooms[&RoomName::parse("den").unwrap()].meta;
        let bob = UserName::parse("bob").unwrap();
        let is_bob = |meta: &RoomMeta| matches!(meta, RoomMeta::Member(user, _) if *user == bob);
        assert_eq!(meta.iter().any(is_bob), facts == 0, "{command:?}");
    }
}

#[test]
fn a_record_under_rights_that_have_changed_is_judged_once_more() {
    for (stale, expect) in [(1, "sent 2"), (2, "no 5004")] {
        let mut pair = den();
        for _ in 0..stale {
            pair.plan(Appended::Stale);
        }
        let said = pair.run(1, 1, say("den", "x"));
        assert_eq!(lines(&said[1], 1), [expect], "{stale} times");
        let seen: &[&str] = if stale == 1 { &["#2"] } else { &[] };
        assert_eq!(lines(&said[0], 0), seen);
    }
}

#[test]
fn a_repetition_whose_first_one_was_not_told_yet_is_to_be_tried_again() {
    let mut pair = den();
    pair.plan(Appended::Duplicate { seq: 9, at: 1 });
    let again = message(Target::Room("den".into()), "x", Some("c1"));
    assert_eq!(lines(&pair.run(1, 1, again)[1], 1), ["no 5004"]);
}

#[test]
fn who_may_not_any_more_is_refused_when_judged_once_more() {
    let mut pair = den();
    // The ban is in the log, and this node learns of it with the answer.
    let command = message(Target::Room("den".into()), "x", Some("c1"));
    pair.nodes[1].chat.handle_command(pair.nodes[1].now, conn(1), request(Op::Ping), command);
    pair.nodes[0].ask(0, act("bob", ModerationCommand::Ban(None)));
    pair.plan(Appended::Stale);
    let said = pair.end_turns();
    let told = lines(&said[1], 1);
    assert!(told.contains(&"left banned".to_owned()), "{told:?}");
    assert!(told.contains(&"no 3005".to_owned()), "{told:?}");
    assert_eq!(lines(&said[0], 0), ["sent 2"]);
}

#[test]
fn every_kind_of_record_can_be_asked_for_once_more() {
    let room = || "den".into();
    let topic = Command::Topic { room: room(), text: Some("tea".into()), weight: 3 };
    let react =
        Command::React { room: room(), target: 1, emoji: "+".into(), remove: false, weight: 1 };
    for command in [
        act("bob", ModerationCommand::Ban(Some(1_000))),
        act("bob", ModerationCommand::Mute(Some(1_000))),
        act("bob", ModerationCommand::Kick),
        act("bob", ModerationCommand::Role(Role::Reader)),
        Command::Delete { room: room(), target: 1 },
        topic,
        react,
    ] {
        let mut pair = den();
        pair.plan(Appended::Stale);
        let said = pair.run(0, 0, command.clone());
        assert_eq!(lines(&said[0], 0), ["sent 2"], "{command:?}");
        assert_eq!(lines(&said[1], 1).first().map(String::as_str), Some("#2"), "{command:?}");
    }
}

#[test]
fn what_is_not_known_is_repeated_and_there_once() {
    let mut pair = Pair::in_lobby();
    pair.plan(Appended::Undecided);
    let send = || message(Target::Room("lobby".into()), "x", Some("c1"));
    let said = pair.run(0, 0, send());
    assert_eq!(lines(&said[0], 0), ["no 5004", "#1"]);
    assert_eq!(lines(&said[1], 1), ["#1"]);
    let said = pair.run(0, 0, send());
    assert_eq!(lines(&said[0], 0), ["dup 1"]);
    assert_eq!(lines(&said[1], 1), [""; 0]);
}

#[test]
fn a_first_message_that_is_not_known_leaves_the_conversation_to_be_told() {
    let mut pair = Pair::in_lobby();
    pair.plan(Appended::Undecided);
    let send = || message(Target::User("bob".into()), "x", Some("c1"));
    let said = pair.run(0, 0, send());
    assert_eq!(lines(&said[0], 0), ["no 5004", "subscribed @ann:bob at 0", "#1"]);
    let said = pair.run(0, 0, send());
    assert_eq!(lines(&said[0], 0), ["dup 1"]);
    let room = &pair.shared.borrow().rooms[&RoomName::parse("@ann:bob").unwrap()];
    assert_eq!((room.records.len(), room.meta.len()), (1, 2), "both are members");
}
