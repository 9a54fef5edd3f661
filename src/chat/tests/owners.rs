//! A room does not lose its only owner.

use super::super::model::command::ModerationCommand;
use super::super::model::reply::Role;
use super::moderation::{act, den, refusal, stored_den, told};
use super::*;

#[test]
fn the_only_owner_leaves_when_there_is_another_or_nobody_else() {
    let leave = || Command::Leave { room: "den".into() };
    let mut harness = den(Limits::default(), false);
    let refusal = refusal(&mut harness, 0, leave());
    assert_eq!(refusal.code, Code::Forbidden);
    assert!(refusal.message.contains("make another member an owner"), "{refusal:?}");
    assert!(
        told(&mut harness, 0, act("mem", ModerationCommand::Role(Role::Owner), ""))
            .starts_with("sent")
    );
    assert!(told(&mut harness, 0, leave()).starts_with("Left"));
    for number in [1, 3] {
        assert!(told(&mut harness, number, leave()).starts_with("Left"));
    }
    assert!(told(&mut harness, 2, leave()).starts_with("Left"), "nobody is left alone");
}

#[test]
fn who_is_about_to_leave_is_an_owner_no_more() {
    for (second, expect) in [
        (Command::Leave { room: "den".into() }, "no 3004"),
        (act("mem", ModerationCommand::Role(Role::Reader), ""), "no 3004"),
    ] {
        let (mut harness, watched) = stored_den(false);
        assert!(
            told(&mut harness, 0, act("mem", ModerationCommand::Role(Role::Owner), ""))
                .starts_with("sent")
        );
        watched.0.borrow_mut().slow = true;
        let leave = Command::Leave { room: "den".into() };
        harness.run(0, leave);
        assert_eq!(told(&mut harness, 2, second), expect);
        // Another of the same user's sessions.
        harness.hello(9, "own");
        let demote = act("mem", ModerationCommand::Role(Role::Member), "");
        assert_eq!(told(&mut harness, 9, demote), "no 3004");
        watched.0.borrow_mut().slow = false;
        assert!(heard(&harness.settle(), 0).iter().any(|line| line == "left left"));
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
    let said = harness.settle();
    let lines = heard(&said, 0);
    assert!(lines.iter().any(|line| line == "no 3004"), "{lines:?}");
    assert!(heard(&said, 4).iter().any(|line| line.starts_with("joined")), "{said:?}");
}

#[test]
fn the_only_owner_stays_and_one_of_two_may_step_down() {
    let mut harness = den(Limits::default(), false);
    let step_down = || act("own", ModerationCommand::Role(Role::Member), "");
    assert_eq!(told(&mut harness, 0, step_down()), "no 3004");
    assert!(
        told(&mut harness, 0, act("mod", ModerationCommand::Role(Role::Owner), ""))
            .starts_with("sent")
    );
    // Both at once: the second one finds nobody who would be left.
    harness.chat.handle_command(harness.now, conn(0), request(Op::Ping), step_down());
    let other = act("mod", ModerationCommand::Role(Role::Reader), "");
    harness.chat.handle_command(harness.now, conn(1), request(Op::Ping), other);
    let said = harness.settle();
    assert!(heard(&said, 0).iter().any(|line| line.starts_with("sent")), "{said:?}");
    assert_eq!(heard(&said, 1)[0], "no 3004");
}
