//! Names that look like others, and stored names that would be refused now.

use super::super::model::load::Begun;
use super::super::model::log::{MemberMeta, Restriction, RestrictionMeta, RoomMeta, Snapshot};
use super::super::model::reply::{Durability, Role};
use super::moderation::{act, answer_to, refusal};
use super::stored;
use super::*;

/// Cyrillic letters that look like `pay`.
const PAY: &str = "\u{440}\u{430}\u{443}";
/// Latin and Cyrillic: no new name.
const MIXED: &str = "\u{430}nn";

fn come(harness: &mut Harness, number: usize, name: &str) -> String {
    sent_to(&harness.hello_with(number, Some(name), None), number)[0].clone()
}

fn write_to(name: &str) -> Command<'_> {
    message(Target::User(name.into()), "hi", None)
}

#[test]
fn a_new_name_that_looks_like_that_of_another_user_is_taken() {
    let mut harness = Harness::new(Limits::default());
    for (number, name) in ["pay", "bill", "modern"].into_iter().enumerate() {
        harness.hello(number, name);
    }
    for name in [PAY, "bi11", "bi1l", "rnodern"] {
        assert_eq!(come(&mut harness, 9, name), "no 2005", "{name}");
        let refusal = refusal(&mut harness, 0, write_to(name));
        assert_eq!(refusal.code, Code::NameTaken, "{name}");
    }
    for name in ["b0b", "bob", "play", "pay"] {
        assert_eq!(come(&mut harness, 9, name), format!("welcome {name} false"));
        harness.chat.handle_closed(harness.now, conn(9));
    }
    // When the other one is forgotten, the name is free.
    harness.chat.handle_closed(harness.now, conn(1));
    harness.wait(1_000_000);
    assert_eq!(come(&mut harness, 9, "bi11"), "welcome bi11 false");
    assert_eq!(come(&mut harness, 8, "bill"), "no 2005");
}

#[test]
fn a_name_that_nobody_came_by_keeps_nobody_out() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.run(0, write_to("bi1l"));
    assert_eq!(come(&mut harness, 1, "bill"), "welcome bill false");
    assert_eq!(refusal(&mut harness, 0, write_to("bi11")).code, Code::NameTaken);
}

#[test]
fn a_room_is_not_made_whose_name_looks_like_that_of_another() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.hello(1, "eve");
    let join =
        |room: &str| Command::Join { room: room.to_owned().into(), after: None, epoch: None };
    harness.run(0, create("hall", false));
    harness.run(0, create("cellar", true));
    for (number, command, code, hint) in [
        (1, join("ha11"), Code::NoSuchRoom, Some("hall")),
        (1, create("ha11", false), Code::RoomExists, Some("hall")),
        (1, join("ce1lar"), Code::NoSuchRoom, None),
        (1, create("ce1lar", false), Code::RoomExists, None),
        (0, join("ce1lar"), Code::NoSuchRoom, Some("cellar")),
    ] {
        let shown = format!("{command:?}");
        let refusal = refusal(&mut harness, number, command);
        assert_eq!((refusal.code, refusal.hint.as_deref()), (code, hint), "{shown}");
    }
    assert_eq!(sent_to(&harness.join(1, "ha11/a"), 1), ["joined at 0 from 1"]);
    harness.run(0, Command::Leave { room: "hall".into() });
    assert_eq!(
        sent_to(&harness.join(1, "ha11"), 1),
        ["joined at 0 from 1"],
        "the other one is gone"
    );
}

#[test]
fn a_stored_name_stays_usable_though_it_would_be_refused_now() {
    let user = |name: &str| UserName::stored(name).unwrap();
    let room = RoomName::stored("den").unwrap();
    let member = |role, joined| MemberMeta { role, recv: 0, read: 0, joined };
    let ban = Some(RestrictionMeta::default());
    let banned = format!("{MIXED}x");
    let meta = vec![
        RoomMeta::Access { private: false, owned: true, policy: None },
        RoomMeta::Member(user("own"), Some(member(Role::Owner, 1))),
        RoomMeta::Member(user(MIXED), Some(member(Role::Member, 2))),
        RoomMeta::Restriction(user(&banned), Restriction::Banned, ban),
    ];
    let (epoch, durability) = (Epoch(7), Durability::Disk);
    let room = Begun { name: room, epoch, durability, head: 0, oldest: 1, meta, kept: None };
    let mut harness = stored::harness(4).0;
    let snapshot = Snapshot { rooms: vec![room], ..Snapshot::default() };
    harness.chat.restore(harness.now, snapshot);
    harness.hello(0, "own");
    assert_eq!(come(&mut harness, 1, MIXED), format!("welcome {MIXED} false"));
    assert_eq!(come(&mut harness, 2, &banned), "no 1003", "this one is nobody's");
    assert!(sent_to(&harness.run(0, write_to(MIXED)), 0).contains(&"sent 1".to_owned()));
    let direct = RoomName::direct(&user(MIXED), &user("own"));
    let join = Command::Join { room: direct.as_str().into(), after: None, epoch: None };
    assert_eq!(answer_to(&mut harness, 1, join), "joined at 1 from 1");
    let role = act(MIXED, ModerationCommand::Role(Role::Moderator), "");
    assert!(answer_to(&mut harness, 0, role).starts_with("sent"));
    assert!(
        answer_to(&mut harness, 0, act(&banned, ModerationCommand::Unban, "")).starts_with("sent")
    );
    let other = format!("{MIXED}y");
    assert_eq!(
        answer_to(&mut harness, 0, act(&other, ModerationCommand::Ban(None), "")),
        "no 1003"
    );
}
