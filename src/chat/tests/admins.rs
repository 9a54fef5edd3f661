//! Administrators in rooms that are not theirs.

use super::super::model::account::{Account, Hidden};
use super::super::model::command::Page;
use super::super::model::identity::Source;
use super::super::model::reply::Role;
use super::moderation::{act, answer_to, den};
use super::*;

const OWN: usize = 0;
const MOD: usize = 1;
const MEM: usize = 2;
const OUT: usize = 4;

/// Makes `out`, who is in no room, an administrator, or no longer.
fn admin(harness: &mut Harness, is_admin: bool) {
    let name = UserName::parse("out").unwrap();
    let user = harness.chat.directory.user_named("out").unwrap();
    harness.chat.directory[user].source = Source::Account;
    let account = Account { name, hash: Hidden::new(""), is_admin };
    harness.chat.accounts.put_account(account);
}

fn owners(harness: &Harness) -> Vec<String> {
    let key = harness.chat.rooms.named("den").unwrap();
    let owners = harness.chat.rooms.members(key).filter(|row| row.role == Role::Owner);
    owners.map(|row| harness.chat.directory[row.user].name.to_string()).collect()
}

#[test]
fn an_administrator_acts_in_any_room_and_neither_reads_nor_speaks_there() {
    for private in [false, true] {
        let mut harness = den(Limits::default(), private);
        admin(&mut harness, true);
        let said = harness.run(MEM, message(Target::Room("den".into()), "spam", None));
        assert!(sent_to(&said, MEM)[0].starts_with("sent"), "{said:?}");
        let seq = harness.chat.rooms[harness.chat.rooms.named("den").unwrap()].head;
        let delete = Command::Delete { room: "den".into(), target: seq };
        assert!(answer_to(&mut harness, OUT, delete).starts_with("sent"));
        let mute = act("mem", ModerationCommand::Mute(None), "");
        assert!(answer_to(&mut harness, OUT, mute).starts_with("sent"));
        let list = Command::Restrictions { room: "den".into(), limit: None, after: None };
        assert!(answer_to(&mut harness, OUT, list).contains("Muted"));
        let hidden = if private { "no 3001" } else { "no 3003" };
        let page = Page::Latest;
        let history = Command::History { room: "den".into(), page, limit: None, epoch: None };
        assert_eq!(answer_to(&mut harness, OUT, history), hidden);
        let send = message(Target::Room("den".into()), "hi", None);
        assert_eq!(answer_to(&mut harness, OUT, send), hidden);
    }
}

#[test]
fn an_administrator_never_leaves_a_room_without_an_owner() {
    let mut harness = den(Limits::default(), false);
    admin(&mut harness, true);
    for command in [
        ModerationCommand::Kick,
        ModerationCommand::Ban(None),
        ModerationCommand::Role(Role::Member),
    ] {
        assert_eq!(answer_to(&mut harness, OUT, act("own", command, "")), "no 3004", "{command:?}");
    }
    let promote = act("mod", ModerationCommand::Role(Role::Owner), "");
    assert!(answer_to(&mut harness, OUT, promote).starts_with("sent"));
    // In one turn: the second finds the first under way.
    harness.ask(OUT, act("own", ModerationCommand::Kick, ""));
    harness.ask(OUT, act("mod", ModerationCommand::Kick, ""));
    harness.end_turn();
    assert_eq!(owners(&harness), ["mod"]);
    let ban = act("mod", ModerationCommand::Ban(None), "");
    assert_eq!(answer_to(&mut harness, OUT, ban), "no 3004");
}

#[test]
fn in_a_room_without_an_owner_an_administrator_keeps_order_and_gives_no_roles() {
    let mut harness = den(Limits::default(), false);
    admin(&mut harness, true);
    for number in [OWN, MEM] {
        harness.join(number, "lobby");
    }
    let kick = moderate("lobby", "mem", ModerationCommand::Kick);
    assert_eq!(answer_to(&mut harness, OWN, kick.clone()), "no 3004");
    assert!(answer_to(&mut harness, OUT, kick).starts_with("sent"));
    let role = moderate("lobby", "own", ModerationCommand::Role(Role::Owner));
    assert_eq!(answer_to(&mut harness, OUT, role), "no 3004");
    let ban = moderate("lobby", "mem", ModerationCommand::Ban(None));
    assert!(answer_to(&mut harness, OUT, ban).starts_with("sent"));
    assert_eq!(
        answer_to(
            &mut harness,
            MEM,
            Command::Join { room: "lobby".into(), after: None, epoch: None }
        ),
        "no 3005"
    );
}

#[test]
fn conversations_of_two_are_nobody_elses_and_a_right_that_ends_is_over_at_once() {
    let mut harness = den(Limits::default(), false);
    admin(&mut harness, true);
    harness.run(MEM, message(Target::User("mod".into()), "psst", None));
    let delete = Command::Delete { room: "@mem:mod".into(), target: 1 };
    assert_eq!(answer_to(&mut harness, OUT, delete), "no 3001");
    let kick = moderate("@mem:mod", "mem", ModerationCommand::Kick);
    assert_eq!(answer_to(&mut harness, OUT, kick), "no 3001");
    assert_eq!(answer_to(&mut harness, MOD, act("mem", ModerationCommand::Unban, "")), "no 3010");
    admin(&mut harness, false);
    let kick = act("mem", ModerationCommand::Kick, "");
    assert_eq!(answer_to(&mut harness, OUT, kick), "no 3003");
}
