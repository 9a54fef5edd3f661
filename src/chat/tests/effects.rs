//! A record has an effect: what is so already is answered with the seq since which it is. Here in
//! rooms in memory, where the ring is all there is.

use super::super::model::reply::Role;
use super::*;

fn react(emoji: &'static str, remove: bool) -> Command<'static> {
    let room = "lobby".into();
    Command::React { room, target: 1, emoji: emoji.into(), remove, weight: 4 }
}

fn topic(text: &'static str) -> Command<'static> {
    Command::Topic { room: "lobby".into(), text: Some(text.into()), weight: 4 }
}

fn changes() -> Vec<(usize, Command<'static>, &'static str)> {
    vec![
        (0, react("+1", true), "dup 1"),
        (0, react("+1", false), "sent 2"),
        (0, react("+1", false), "dup 2"),
        (1, react("+1", false), "sent 3"),
        (0, react("+1", true), "sent 4"),
        (0, react("+1", true), "dup 4"),
        (0, react("+1", false), "sent 5"),
        (0, edit(1, "one"), "dup 1"),
        (0, edit(1, "two"), "sent 6"),
        (0, edit(1, "two"), "dup 6"),
        (0, edit(1, "one"), "sent 7"),
        (0, topic(""), "dup 7"),
        (1, topic("tea"), "sent 8"),
        (0, topic("tea"), "dup 8"),
        (0, topic("rum"), "sent 9"),
        (0, topic("tea"), "sent 10"),
    ]
}

#[test]
fn a_change_without_effect_is_no_record() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.say(0, "one");
    harness.end_turn();
    for (number, command, expect) in changes() {
        let shown = format!("{command:?}");
        let told = sent_to(&harness.run(number, command), number);
        assert_eq!(told, [expect], "{shown}");
    }
}

#[test]
fn changes_that_are_asked_for_at_once_see_each_other() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.say(0, "one");
    harness.end_turn();
    for (number, command, _) in changes() {
        // Nothing is passed on before all are asked for.
        harness.chat.handle_command(harness.now, conn(number), request(Op::Ping), command);
    }
    harness.end_turn();
    let room = &harness.chat.rooms[harness.chat.rooms.named("lobby").unwrap()];
    assert_eq!(room.head, 10);
}

#[test]
fn a_lagging_cursor_is_shown_the_record_before_the_answer_that_names_it() {
    let limits = Limits { outbound_soft: 2 * weight(0), ..Limits::default() };
    let mut harness = Harness::with_lobby(limits, 2);
    harness.chat.handle_blocked(conn(1), 2 * weight(0));
    harness.say(0, "");
    assert_eq!(sent_to(&harness.end_turn(), 1), [""; 0]);
    harness.run(1, react("+1", true));
    harness.chat.handle_drained(harness.now, conn(1));
    let told = sent_to(&harness.end_turn(), 1);
    assert_eq!(told, ["replay 1..=1", "dup 1", "live 1"]);
}

#[test]
fn a_message_refers_to_messages_that_are_there() {
    let mut harness = Harness::with_lobby(Limits { ring_records: 5, ..Limits::default() }, 1);
    for text in ["pruned", "gone", "one"] {
        harness.say(0, text);
    }
    harness.run(0, Command::Delete { room: "lobby".into(), target: 2 });
    harness.run(
        0,
        Command::React {
            room: "lobby".into(),
            target: 3,
            emoji: "+1".into(),
            remove: false,
            weight: 4,
        },
    );
    harness.say(0, "two");
    harness.end_turn();
    let mut refer = |reply_to, thread| {
        let Command::Send(send) = message(Target::Room("lobby".into()), "re", None) else {
            panic!("a send");
        };
        sent_to(&harness.run(0, Command::Send(Send { reply_to, thread, ..send })), 0)
    };
    for seq in [1, 2, 4, 5, 7, 0] {
        assert_eq!(refer(Some(seq), None), ["no 4002"], "{seq}");
        assert_eq!(refer(None, Some(seq)), ["no 4002"], "{seq}");
    }
    assert_eq!(refer(Some(3), Some(6)), ["sent 7"]);
}

#[test]
fn an_act_of_moderation_that_changes_nothing_is_no_record() {
    let mut harness = Harness::new(Limits::default());
    for (number, name) in [(0, "own"), (1, "mem")] {
        harness.hello(number, name);
    }
    harness.run(0, create("den", false));
    harness.join(1, "den");
    let act = |command, reason: &'static str| Command::Moderate {
        room: "den".into(),
        user: "mem".into(),
        command,
        reason: reason.into(),
        weight: 9,
    };
    for (command, reason, expect) in [
        (ModerationCommand::Role(Role::Member), "", "dup 0"),
        (ModerationCommand::Role(Role::Reader), "", "sent 1"),
        (ModerationCommand::Role(Role::Reader), "", "dup 1"),
        (ModerationCommand::Mute(None), "why", "sent 2"),
        (ModerationCommand::Mute(None), "why", "dup 2"),
        (ModerationCommand::Mute(None), "other", "sent 3"),
        (ModerationCommand::Mute(Some(5_000)), "other", "sent 4"),
        (ModerationCommand::Ban(None), "why", "sent 5"),
        (ModerationCommand::Ban(None), "why", "dup 5"),
    ] {
        let said = harness.run(0, act(command, reason));
        assert_eq!(sent_to(&said, 0).first().map(String::as_str), Some(expect), "{command:?}");
    }
}
