//! Blocks: who has blocked somebody hears nothing of them, and they do not learn of it.

use super::super::model::people::{Block, People};
use super::stored::lines_to;
use super::*;

const ANN: usize = 0;
const BOB: usize = 1;
const CAT: usize = 2;

fn block(user: &'static str, on: bool) -> Command<'static> {
    Command::Block { user: user.into(), on }
}

fn to(user: &'static str, text: &'static str) -> Command<'static> {
    message(Target::User(user.into()), text, None)
}

fn invite(room: &'static str, user: &'static str) -> Command<'static> {
    Command::Invite { room: room.into(), user: user.into(), reason: "".into() }
}

/// `ann`, `bob` and `cat`, all of them in `lobby`.
fn harness() -> Harness {
    let mut harness = Harness::new(Limits::default());
    for (number, name) in [(ANN, "ann"), (BOB, "bob"), (CAT, "cat")] {
        harness.hello(number, name);
        harness.join(number, "lobby");
    }
    harness.wait(10_000);
    harness
}

/// What everybody but the asker gets while it does this, and for ten seconds after.
fn what_others_hear(harness: &mut Harness, requester: usize, command: Command<'_>) -> Vec<String> {
    let mut said = harness.run(requester, command);
    said.extend(harness.wait(10_000));
    let others = [ANN, BOB, CAT].into_iter().filter(|&number| number != requester);
    others.flat_map(|number| lines_to(&said, number)).collect()
}

#[test]
fn the_blocked_is_answered_in_the_same_words_as_by_somebody_who_has_left() {
    let commands = || {
        vec![
            to("ann", "are you there?"),
            message(Target::Room("@ann:bob".into()), "hello?", None),
            Command::Members { room: "@ann:bob".into(), limit: None, after: None },
            Command::Presence { room: "@ann:bob".into() },
            Command::Typing { room: "@ann:bob".into() },
            Command::Ack { room: "@ann:bob".into(), recv: None, read: Some(1), epoch: None },
            Command::Join { room: "@ann:bob".into(), after: None, epoch: None },
            create("den", true),
            invite("den", "ann"),
            invite("den", "ann"),
            Command::Restrictions { room: "den".into(), limit: None, after: None },
            Command::Uninvite { room: "den".into(), user: "ann".into() },
        ]
    };
    let answers = |is_blocked: bool, had_talked: bool| {
        let mut harness = harness();
        if had_talked {
            harness.run(BOB, to("ann", "hi"));
        }
        if is_blocked {
            harness.run(ANN, block("bob", true));
        } else if had_talked {
            harness.run(ANN, Command::Leave { room: "@ann:bob".into() });
        }
        // Who is away for good is there for nobody, blocked or not.
        harness.chat.handle_closed(harness.now, conn(ANN));
        harness.wait(60_000);
        let mut lines = Vec::new();
        for command in commands() {
            let said = harness.run(BOB, command);
            lines.extend(lines_to(&said, BOB));
        }
        lines
    };
    assert_eq!(answers(true, true).len(), answers(false, true).len());
    let strip = |lines: Vec<String>| {
        // A conversation that is there still is not announced again, whoever has left it.
        lines.into_iter().filter(|line| !line.starts_with("subscribed")).collect::<Vec<_>>()
    };
    for had_talked in [false, true] {
        let (blocked, not) = (answers(true, had_talked), answers(false, had_talked));
        assert_eq!(strip(blocked), strip(not), "{had_talked}");
    }
}

#[test]
fn who_has_blocked_hears_no_message_invitation_typing_receipt_or_presence() {
    let mut harness = harness();
    harness.run(BOB, to("ann", "hi"));
    let left = harness.run(ANN, block("bob", true));
    assert_eq!(lines_to(&left, ANN)[..2], ["Done", "left left"]);
    harness.wait(10_000);
    let mut said = Vec::new();
    for command in [
        to("ann", "are you there?"),
        create("den", true),
        invite("den", "ann"),
        Command::Typing { room: "lobby".into() },
        Command::Status { away: true },
    ] {
        said.extend(harness.run(BOB, command));
        said.extend(harness.wait(3_000));
    }
    let lines = lines_to(&said, ANN);
    assert!(!lines.iter().any(|line| line.contains("bob") || line.contains('#')), "{lines:?}");
    assert!(lines_to(&said, CAT).iter().any(|line| line.contains("bob")), "others are told");
    let inbox = lines_to(&harness.run(ANN, Command::Rooms { since: None }), ANN);
    assert!(!inbox.concat().contains("bob") && !inbox.concat().contains("den"), "{inbox:?}");
    let here = lines_to(&harness.run(ANN, Command::Presence { room: "lobby".into() }), ANN);
    assert!(here.concat().contains("count: 2") && !here.concat().contains("bob"), "{here:?}");
    assert!(lines_to(&harness.run(ANN, to("bob", "hm")), ANN).contains(&"no 3004".to_owned()));
}

#[test]
fn messages_in_common_rooms_stay() {
    let mut harness = harness();
    harness.run(ANN, block("bob", true));
    let heard =
        what_others_hear(&mut harness, BOB, message(Target::Room("lobby".into()), "x", None));
    assert_eq!(heard, ["#1", "#1"]);
}

#[test]
fn after_unblock_a_message_brings_the_conversation_back() {
    let mut harness = harness();
    harness.run(ANN, block("bob", true));
    harness.run(BOB, to("ann", "1"));
    harness.run(ANN, block("bob", false));
    let said = harness.run(BOB, to("ann", "2"));
    assert_eq!(lines_to(&said, ANN), ["subscribed @ann:bob at 1", "#2"]);
    let said = harness.run(ANN, Command::Blocked);
    assert_eq!(lines_to(&said, ANN), ["Blocked { users: [] }"]);
}

#[test]
fn a_block_of_oneself_or_of_no_name_and_one_too_many_are_refused() {
    let mut harness = harness();
    for (user, expect) in [("ann", "no 1003"), ("A B", "no 1003"), ("never-came", "Done")] {
        let said = harness.run(ANN, block(user, true));
        assert_eq!(lines_to(&said, ANN), [expect], "{user}");
    }
    for number in 0..255 {
        let user = format!("x{number}");
        harness.now.tick = harness.now.tick.after(std::time::Duration::from_mins(1));
        let command = Command::Block { user: user.into(), on: true };
        assert_eq!(lines_to(&harness.run(ANN, command), ANN), ["Done"], "{number}");
    }
    harness.now.tick = harness.now.tick.after(std::time::Duration::from_mins(1));
    assert_eq!(lines_to(&harness.run(ANN, block("more", true)), ANN), ["no 4001"]);
    assert_eq!(lines_to(&harness.run(ANN, block("x7", true)), ANN), ["Done"], "it is so already");
}

#[test]
fn invitations_by_the_blocked_crowd_out_no_others() {
    let mut harness = harness();
    harness.run(ANN, block("bob", true));
    let many = usize::try_from(50).unwrap();
    for number in 0..=many {
        harness.now.tick = harness.now.tick.after(std::time::Duration::from_mins(1));
        let room = format!("den{number}");
        harness.run(BOB, create(&room, true));
        let invite = Command::Invite { room: room.into(), user: "ann".into(), reason: "".into() };
        let expect = if number < many { "Done" } else { "no 5001" };
        assert_eq!(lines_to(&harness.run(BOB, invite), BOB), [expect], "as without a block");
    }
    harness.run(CAT, create("cats", true));
    let said = harness.run(CAT, invite("cats", "ann"));
    assert_eq!(lines_to(&said, ANN), ["invited to cats by cat"]);
}

#[test]
fn what_is_blocked_at_another_node_holds_here_and_what_was_ended_there_does_not() {
    let mut harness = harness();
    harness.run(ANN, block("bob", true));
    assert_eq!(what_others_hear(&mut harness, BOB, to("ann", "one")), [""; 0]);
    let [user, blocked] = ["cat", "bob"].map(|name| UserName::parse(name).unwrap());
    let people = People { blocks: vec![Block { user, blocked, at: 1 }], ..People::default() };
    harness.chat.on_log_reply(harness.now, LogReply::People(Box::new(people)));
    harness.end_turn();
    assert_eq!(what_others_hear(&mut harness, BOB, to("cat", "two")), [""; 0]);
    let heard = what_others_hear(&mut harness, BOB, to("ann", "three"));
    assert!(heard.contains(&"#2".to_owned()), "{heard:?}");
}

#[test]
fn who_has_blocked_does_not_look_into_the_conversation_again_and_so_writes_nothing_there() {
    let mut harness = harness();
    harness.run(BOB, to("ann", "hi"));
    harness.run(ANN, block("bob", true));
    let join = || Command::Join { room: "@ann:bob".into(), after: None, epoch: None };
    let say = || message(Target::Room("@ann:bob".into()), "hm", None);
    let answers = [join(), say()].map(|command| lines_to(&harness.run(ANN, command), ANN));
    assert_eq!(answers, [["no 3004"], ["no 3001"]]);
    assert_eq!(what_others_hear(&mut harness, BOB, to("ann", "are you there?")), [""; 0]);
    harness.run(ANN, block("bob", false));
    assert_eq!(lines_to(&harness.run(ANN, join()), ANN), ["joined at 2 from 1"]);
}

#[test]
fn a_mark_of_the_blocked_and_that_they_leave_is_told_to_everybody_else() {
    let mut harness = harness();
    harness.run(ANN, block("bob", true));
    harness.run(CAT, message(Target::Room("lobby".into()), "x", None));
    let ack = Command::Ack { room: "lobby".into(), recv: None, read: Some(1), epoch: None };
    harness.run(BOB, ack);
    harness.wait(10_000);
    let mut marks = |number| match harness.join(number, "lobby").first() {
        Some(Output::Reply { result: Ok(Reply::Joined { marks, .. }), .. }) => marks.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((marks(CAT), marks(ANN)), (1, 0));
    let mut said = harness.run(BOB, Command::Leave { room: "lobby".into() });
    said.extend(harness.wait(10_000));
    let is_about_bob = |number| lines_to(&said, number).concat().contains("bob");
    assert!(is_about_bob(CAT) && !is_about_bob(ANN), "{:?}", lines_to(&said, ANN));
}
