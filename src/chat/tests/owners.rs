//! A room does not lose its only owner.

use super::super::model::command::ModerationCommand;
use super::super::model::reply::Role;
use super::moderate::{act, den, refusal, stored_den, told};
use super::*;

#[test]
fn the_only_owner_leaves_when_there_is_another_or_nobody_else() {
    let leave = || Command::Leave { room: "den".into() };
    let mut town = den(Limits::default(), false);
    let refusal = refusal(&mut town, 0, leave());
    assert_eq!(refusal.code, Code::Forbidden);
    assert!(refusal.message.contains("make another member an owner"), "{refusal:?}");
    assert!(
        told(&mut town, 0, act("mem", ModerationCommand::Role(Role::Owner), ""))
            .starts_with("sent")
    );
    assert!(told(&mut town, 0, leave()).starts_with("Left"));
    for number in [1, 3] {
        assert!(told(&mut town, number, leave()).starts_with("Left"));
    }
    assert!(told(&mut town, 2, leave()).starts_with("Left"), "nobody is left alone");
}

#[test]
fn who_is_about_to_leave_is_an_owner_no_more() {
    for (second, expect) in [
        (Command::Leave { room: "den".into() }, "no 3004"),
        (act("mem", ModerationCommand::Role(Role::Reader), ""), "no 3004"),
    ] {
        let (mut town, watched) = stored_den(false);
        assert!(
            told(&mut town, 0, act("mem", ModerationCommand::Role(Role::Owner), ""))
                .starts_with("sent")
        );
        watched.0.borrow_mut().slow = true;
        let leave = Command::Leave { room: "den".into() };
        town.run(0, leave);
        assert_eq!(told(&mut town, 2, second), expect);
        // Another of the same user's sessions.
        town.hello(9, "own");
        let demote = act("mem", ModerationCommand::Role(Role::Member), "");
        assert_eq!(told(&mut town, 9, demote), "no 3004");
        watched.0.borrow_mut().slow = false;
        assert!(heard(&town.settle(), 0).iter().any(|line| line == "left left"));
    }
}

#[test]
fn who_comes_in_while_the_only_owner_leaves_is_not_left_alone() {
    let (mut town, watched) = stored_den(false);
    let leave = || Command::Leave { room: "den".into() };
    town.run(2, leave());
    town.hello(4, "out");
    watched.0.borrow_mut().slow = true;
    town.run(0, leave());
    town.join(4, "den");
    watched.0.borrow_mut().slow = false;
    let said = town.settle();
    let lines = heard(&said, 0);
    assert!(lines.iter().any(|line| line == "no 3004"), "{lines:?}");
    assert!(heard(&said, 4).iter().any(|line| line.starts_with("joined")), "{said:?}");
}
