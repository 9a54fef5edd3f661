//! What takes a right away is kept by name: nobody ends it by leaving, coming or being forgotten.

use super::super::model::limits::RESTRICTIONS_MAX;
use super::super::model::policy::{Access, Policies, Policy};
use super::super::model::reply::{Resumption, Role};
use super::moderation::{act, answer_to, den, refusal, stored_den};
use super::*;

fn join() -> Command<'static> {
    Command::Join { room: "den".into(), after: None, epoch: None }
}

fn leave() -> Command<'static> {
    Command::Leave { room: "den".into() }
}

fn say() -> Command<'static> {
    message(Target::Room("den".into()), "x", None)
}

/// The role that the reply to a join names.
fn role_of(said: &[Output]) -> Option<Role> {
    said.iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Joined { role, .. }), .. } => Some(*role),
        _ => None,
    })
}

#[test]
fn who_is_a_reader_stays_one_whatever_it_does() {
    for private in [false, true] {
        for way in ["leaves", "is kicked", "is forgotten", "is banned for a time"] {
            let mut harness = den(Limits::default(), private);
            match way {
                "leaves" => drop(harness.run(3, leave())),
                "is kicked" => drop(harness.run(0, act("rea", ModerationCommand::Kick, ""))),
                "is banned for a time" => {
                    harness.run(0, act("rea", ModerationCommand::Ban(Some(5)), ""));
                    harness.now.wall_ms += 5;
                }
                _ => {
                    harness.run(3, leave());
                    harness.chat.handle_closed(harness.now, conn(3));
                    harness.wait(10_000_000);
                    assert!(harness.chat.directory.user_named("rea").is_none(), "is forgotten");
                    harness.hello(3, "rea");
                }
            }
            harness.run(
                0,
                Command::Invite { room: "den".into(), user: "rea".into(), reason: "".into() },
            );
            let said = harness.run(3, join());
            assert_eq!(role_of(&said), Some(Role::Reader), "{private} {way}: {said:?}");
            assert_eq!(answer_to(&mut harness, 3, say()), "no 3007", "{private} {way}");
            assert_eq!(
                answer_to(&mut harness, 3, act("mem", ModerationCommand::Kick, "")),
                "no 3004"
            );
            let voice = act("rea", ModerationCommand::Role(Role::Member), "");
            assert!(answer_to(&mut harness, 0, voice).starts_with("sent"), "{way}");
            harness.run(3, leave());
            harness.run(
                0,
                Command::Invite { room: "den".into(), user: "rea".into(), reason: "".into() },
            );
            assert_eq!(role_of(&harness.run(3, join())), Some(Role::Member), "{private} {way}");
        }
    }
}

#[test]
fn the_voice_is_given_back_to_a_reader_that_has_left_and_nothing_else() {
    let mut harness = den(Limits::default(), false);
    harness.run(3, leave());
    harness.run(2, leave());
    let role = |user, role| act(user, ModerationCommand::Role(role), "");
    assert_eq!(answer_to(&mut harness, 0, role("mem", Role::Member)), "no 3010");
    assert_eq!(answer_to(&mut harness, 0, role("rea", Role::Moderator)), "no 3010");
    assert!(answer_to(&mut harness, 0, role("rea", Role::Member)).starts_with("sent"));
    assert_eq!(answer_to(&mut harness, 0, role("rea", Role::Member)), "no 3010", "it was given");
    assert_eq!(role_of(&harness.run(3, join())), Some(Role::Member));
}

#[test]
fn a_reader_in_the_making_that_leaves_and_joins_meanwhile_is_one() {
    let (mut harness, watched) = stored_den(false);
    watched.0.borrow_mut().slow = true;
    harness.run(0, act("mem", ModerationCommand::Role(Role::Reader), ""));
    harness.run(2, leave());
    harness.hello(9, "mem");
    harness.run(9, join());
    watched.0.borrow_mut().slow = false;
    harness.end_turn();
    assert_eq!(role_of(&harness.run(2, join())), Some(Role::Reader));
    assert_eq!(answer_to(&mut harness, 2, say()), "no 3007");
}

#[test]
fn restrictions_under_way_count_against_their_bound() {
    let (mut harness, watched) = stored_den(false);
    let ban = |user| act(user, ModerationCommand::Ban(None), "");
    let names: Vec<String> = (0..=RESTRICTIONS_MAX).map(|number| format!("x{number}")).collect();
    for names in names[..RESTRICTIONS_MAX - 1].chunks(45) {
        for name in names {
            harness.ask(0, ban(name));
        }
        harness.end_turn();
    }
    watched.0.borrow_mut().slow = true;
    assert_eq!(sent_to(&harness.run(0, ban(&names[RESTRICTIONS_MAX - 1])), 0), [""; 0]);
    for command in [
        ban(&names[RESTRICTIONS_MAX]),
        act("mem", ModerationCommand::Mute(None), ""),
        act("mem", ModerationCommand::Role(Role::Reader), ""),
    ] {
        let refusal = refusal(&mut harness, 0, command);
        assert_eq!((refusal.code, refusal.limit), (Code::TooLarge, Some(4_096)));
    }
    // Who is banned already takes no further place, and neither does an end.
    harness.run(0, act("x1", ModerationCommand::Ban(None), "again"));
    harness.run(0, act("x2", ModerationCommand::Unban, ""));
    harness.run(0, act(&names[RESTRICTIONS_MAX - 1], ModerationCommand::Ban(None), "again"));
    watched.0.borrow_mut().slow = false;
    let lines = sent_to(&harness.end_turn(), 0);
    assert_eq!(lines.iter().filter(|line| line.starts_with("sent")).count(), 4, "{lines:?}");
    assert!(answer_to(&mut harness, 0, ban(&names[RESTRICTIONS_MAX])).starts_with("sent"));
    assert_eq!(answer_to(&mut harness, 0, ban("another")), "no 4001");
}

#[test]
fn a_ban_that_is_over_is_not_listed() {
    let (mut harness, _) = stored_den(false);
    harness.run(0, act("x1", ModerationCommand::Ban(Some(1_000)), ""));
    let listed = |harness: &mut Harness| {
        let command = Command::Restrictions { room: "den".into(), limit: None, after: None };
        answer_to(harness, 0, command).contains("x1")
    };
    assert!(listed(&mut harness));
    // By the clock, also before its timer has gone off.
    harness.now.wall_ms += 2_000;
    assert!(!listed(&mut harness));
}

/// What a position in a room is answered with: a refusal's code, or how the cursor begins.
#[track_caller]
fn resumed(
    harness: &mut Harness,
    number: usize,
    (name, session): (&str, &str),
    at: (&str, Epoch),
) -> String {
    let said = harness.hello_with(number, Some(name), Some((session, &[(at.0, at.1, 1)])));
    let Some(Output::Reply { result: Ok(Reply::Welcome { rooms, .. }), .. }) = said.first() else {
        panic!("{said:?}");
    };
    match &rooms[0].resumption {
        Resumption::Refused(refusal) => refusal.code.number().to_string(),
        Resumption::Reset { .. } => "reset".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_position_makes_a_member_only_where_the_membership_was_lost_with_its_log() {
    let former = Epoch(1);
    let mut harness = Harness::new(Limits::default());
    harness.hello(1, "bob");
    harness.join(1, "lobby");
    let now = harness.chat.rooms.table.iter().next().unwrap().1.epoch;
    // Of a room that is not there any more, and of one that others have made anew.
    assert_eq!(resumed(&mut harness, 2, ("ann", ""), ("gone", former)), "reset");
    assert_eq!(resumed(&mut harness, 3, ("eve", ""), ("lobby", former)), "reset");
    // It has left since, or was never in it.
    harness.run(3, Command::Leave { room: "lobby".into() });
    assert_eq!(resumed(&mut harness, 4, ("eve", ""), ("lobby", former)), "3003");
    assert_eq!(resumed(&mut harness, 5, ("dan", ""), ("lobby", now)), "3003");
    // A conversation is made by a message alone, and one that was left stays left.
    assert_eq!(resumed(&mut harness, 6, ("dan", ""), ("@dan:zoe", former)), "3001");
    harness.run(2, message(Target::User("bob".into()), "hi", None));
    harness.run(2, Command::Leave { room: "@ann:bob".into() });
    assert_eq!(resumed(&mut harness, 7, ("ann", ""), ("@ann:bob", former)), "3001");
    // A ban that is over has made nobody a member who claims to have been one.
    harness.run(1, create("own", false));
    for command in [ModerationCommand::Ban(None), ModerationCommand::Unban] {
        harness.run(1, moderate("own", "max", command));
    }
    assert_eq!(resumed(&mut harness, 11, ("max", ""), ("own", former)), "3003");
    // A session that is known knows of what its user is a member.
    let session = harness.hello(8, "kim");
    harness.chat.handle_closed(harness.now, conn(8));
    assert_eq!(resumed(&mut harness, 9, ("kim", &session), ("other", former)), "3001");
    let invite = Policies::uniform(Policy { access: Access::Invite, ..Policy::default() });
    let mut harness = Harness::new(Limits { policies: invite, ..Limits::default() });
    assert_eq!(resumed(&mut harness, 1, ("ann", ""), ("gone", former)), "3001");
}
