//! An invitation is state: kept until it is used, declined, withdrawn, over, or ended by a ban.

use super::super::model::limits::{INVITATIONS_OF_ROOM_MAX, INVITATIONS_OF_USER_MAX};
use super::super::model::log::{LogFault, Restriction};
use super::super::model::reply::Invitation;
use super::moderation::{act, answer_to, den, refusal};
use super::stored::{self, FakeStore};
use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn invite<'a>(room: &'a str, user: &'a str, reason: &'a str) -> Command<'a> {
    Command::Invite { room: room.into(), user: user.into(), reason: reason.into() }
}

fn uninvite(user: &str) -> Command<'_> {
    Command::Uninvite { room: "den".into(), user: user.into() }
}

fn leave() -> Command<'static> {
    Command::Leave { room: "den".into() }
}

/// The rooms into which the user of a connection is invited, as `rooms` lists them.
fn open_to(harness: &mut Harness, number: usize) -> Vec<Invitation> {
    let said = harness.run(number, Command::Rooms { since: None });
    let found = said.into_iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Inbox { invitations, .. }), .. } => Some(invitations),
        _ => None,
    });
    found.expect("an inbox")
}

/// Who is listed with what, and whether there is more.
fn listed(
    harness: &mut Harness,
    number: usize,
    (limit, after): (Option<u32>, Option<&str>),
) -> (Vec<(String, Restriction)>, bool) {
    let after = after.map(|after| after.to_owned().into());
    let said = harness.run(number, Command::Restrictions { room: "den".into(), limit, after });
    let found = said.into_iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Restrictions { items, more, .. }), .. } => {
            let items = items.into_iter().map(|(user, kind, _)| (user.as_str().to_owned(), kind));
            Some((items.collect(), more))
        }
        _ => None,
    });
    found.unwrap_or_default()
}

/// The private den of `own` on a shelf; `eve` is number 1.
fn shelved_den() -> (Harness, FakeStore) {
    let (mut harness, shelf) = stored::harness(4);
    harness.hello(0, "own");
    harness.hello(1, "eve");
    harness.run(0, create("den", true));
    (harness, shelf)
}

#[test]
fn who_was_away_finds_the_invitation_in_the_welcome_and_among_the_rooms() {
    let mut harness = den(Limits::default(), true);
    harness.run(1, invite("den", "zoe", "tea?"));
    let said = harness.hello_with(7, Some("zoe"), None);
    let Some(Output::Reply { result: Ok(Reply::Welcome { invitations, .. }), .. }) = said.first()
    else {
        panic!("{said:?}");
    };
    let [Invitation { room, by, at, reason }] = &**invitations else { panic!("{said:?}") };
    assert_eq!((room.as_str(), by.as_ref().map(UserName::as_str)), ("den", Some("mod")));
    assert_eq!((*at, &**reason), (Some(1_000), "tea?"));
    assert_eq!(open_to(&mut harness, 7), *invitations);
    assert_eq!(open_to(&mut harness, 2), [], "it is nobody else's");
    harness.join(7, "den");
    assert_eq!(open_to(&mut harness, 7), [], "it has served");
}

#[test]
fn the_welcome_says_if_there_are_more_invitations_than_it_has_room_for() {
    for (count, is_more) in [(1, false), (2, false), (10, true)] {
        let mut harness = Harness::new(Limits::default());
        harness.hello(1, "own");
        for number in 0..count {
            let room = format!("den{number}");
            harness.run(1, create(&room, true));
            harness.run(1, invite(&room, "zoe", "tea?"));
        }
        let said = harness.hello_with(7, Some("zoe"), None);
        let Some(Output::Reply {
            result: Ok(Reply::Welcome { invitations, more_invitations, .. }),
            ..
        }) = said.first()
        else {
            panic!("{said:?}");
        };
        assert_eq!(*more_invitations, is_more, "{count}");
        assert_eq!(invitations.len() < count, is_more, "{count}");
        assert_eq!(open_to(&mut harness, 7).len(), count, "`rooms` has all");
    }
}

#[test]
fn the_same_invitation_again_is_no_new_event() {
    for private in [true, false] {
        let mut harness = den(Limits::default(), private);
        assert_eq!(
            sent_to(&harness.run(0, invite("den", "out", "")), 4),
            ["invited to den by own"]
        );
        for by in [0, 1] {
            let said = harness.run(by, invite("den", "out", "again"));
            assert_eq!((sent_to(&said, by), sent_to(&said, 4)), (vec!["Done".to_owned()], vec![]));
        }
        assert_eq!(open_to(&mut harness, 4).len(), 1);
        assert_eq!(open_to(&mut harness, 4)[0].reason, "".into(), "the first one holds");
    }
}

#[test]
fn an_invitation_ends_by_declining_withdrawing_a_ban_and_time() {
    for way in ["declined", "withdrawn", "a ban", "time", "the room"] {
        let mut harness = den(Limits::default(), true);
        harness.run(0, invite("den", "out", ""));
        match way {
            "declined" => assert!(answer_to(&mut harness, 4, leave()).starts_with("Left")),
            "withdrawn" => assert_eq!(answer_to(&mut harness, 1, uninvite("out")), "Done"),
            "a ban" => {
                harness.run(0, act("out", ModerationCommand::Ban(Some(1)), ""));
                harness.now.wall_ms += 1;
            }
            "time" => {
                // Both clocks: one that was set would not be believed.
                harness.wait(30 * DAY_MS - 1);
                harness.now.wall_ms += 30 * DAY_MS - 1;
                assert_eq!(open_to(&mut harness, 4).len(), 1);
                harness.now.wall_ms += 1;
            }
            _ => {
                for number in [1, 2, 3, 0] {
                    harness.run(number, leave());
                }
                assert!(harness.chat.rooms.named("den").is_none());
            }
        }
        assert_eq!(open_to(&mut harness, 4), [], "{way}");
        assert_ne!(sent_to(&harness.join(4, "den"), 4), ["no 3008"], "{way}");
        if way != "the room" {
            assert_eq!(answer_to(&mut harness, 4, leave()), "no 3001", "{way}");
            assert_eq!(answer_to(&mut harness, 0, uninvite("out")), "no 3010", "{way}");
            let said = harness.run(0, invite("den", "out", ""));
            assert_eq!(sent_to(&said, 4), ["invited to den by own"], "{way}: it is a new one");
        }
    }
}

#[test]
fn who_has_invited_or_keeps_order_may_withdraw() {
    let mut harness = den(Limits::default(), true);
    harness.run(1, invite("den", "out", ""));
    assert_eq!(answer_to(&mut harness, 2, uninvite("out")), "no 3004");
    assert_eq!(answer_to(&mut harness, 4, uninvite("out")), "no 3003");
    assert_eq!(answer_to(&mut harness, 0, uninvite("Out")), "no 1003");
    assert_eq!(answer_to(&mut harness, 0, uninvite("out")), "Done");
    // In an open room members invite, too, and withdraw what is theirs.
    let mut harness = den(Limits::default(), false);
    harness.run(2, invite("den", "out", ""));
    assert_eq!(answer_to(&mut harness, 3, uninvite("out")), "no 3004");
    assert_eq!(answer_to(&mut harness, 2, uninvite("out")), "Done");
    assert_eq!(answer_to(&mut harness, 2, uninvite("out")), "no 3010");
}

#[test]
fn open_invitations_are_bounded_for_a_room_and_for_a_user_and_take_no_place_of_a_ban() {
    let mut harness = den(Limits::default(), false);
    for number in 0..INVITATIONS_OF_ROOM_MAX {
        // Asked for without waiting for any answer.
        harness.ask(0, invite("den", &format!("x{number}"), ""));
        if number % 40 == 39 {
            harness.end_turn();
        }
    }
    harness.end_turn();
    let full = refusal(&mut harness, 0, invite("den", "out", ""));
    assert_eq!((full.code, full.limit), (Code::RateLimited, Some(100)));
    assert_eq!(full.retry_after_ms, Some(30 * DAY_MS));
    assert_eq!(answer_to(&mut harness, 0, invite("den", "x7", "")), "Done", "it is open already");
    assert!(
        answer_to(&mut harness, 0, act("out", ModerationCommand::Ban(None), ""))
            .starts_with("sent")
    );
    harness.run(0, uninvite("x7"));
    assert_eq!(answer_to(&mut harness, 0, invite("den", "x100", "")), "Done");

    let mut harness = Harness::new(Limits::default());
    for (number, name) in ["ann", "vic"].into_iter().enumerate() {
        harness.hello(number, name);
    }
    let rooms: Vec<String> = (0..=INVITATIONS_OF_USER_MAX).map(|room| format!("r{room}")).collect();
    for room in &rooms {
        harness.join(0, room);
    }
    for room in &rooms[1..] {
        assert_eq!(sent_to(&harness.run(0, invite(room, "vic", "")), 0), ["Done"], "{room}");
    }
    let full = refusal(&mut harness, 0, invite("r0", "vic", ""));
    assert_eq!((full.code, full.limit), (Code::RateLimited, Some(50)));
    harness.run(1, Command::Leave { room: "r9".into() });
    assert_eq!(sent_to(&harness.run(0, invite("r0", "vic", "")), 0), ["Done"]);
    assert_eq!(open_to(&mut harness, 1).len(), INVITATIONS_OF_USER_MAX);
}

#[test]
fn what_could_not_be_written_of_an_invitation_is_as_it_was() {
    let (mut harness, shelf) = shelved_den();
    let broken = |broken: bool| shelf.0.borrow_mut().fault = broken.then_some(LogFault::Broken);
    broken(true);
    assert_eq!(answer_to(&mut harness, 0, invite("den", "eve", "")), "no 5004");
    broken(false);
    assert_eq!(open_to(&mut harness, 1), []);
    harness.run(0, invite("den", "eve", "tea"));
    let before = open_to(&mut harness, 1);
    assert_eq!(before.len(), 1);
    broken(true);
    assert_eq!(answer_to(&mut harness, 0, uninvite("eve")), "no 5004");
    assert_eq!(answer_to(&mut harness, 1, leave()), "no 5004");
    broken(false);
    assert_eq!(open_to(&mut harness, 1), before);
    assert!(answer_to(&mut harness, 1, leave()).starts_with("Left"));
}

#[test]
fn restrictions_are_listed_for_those_who_may_end_them() {
    let mut harness = den(Limits::default(), true);
    for user in ["b", "a", "c"] {
        harness.run(0, act(user, ModerationCommand::Ban(None), ""));
        harness.run(0, act(user, ModerationCommand::Mute(None), ""));
    }
    harness.run(0, act("gone", ModerationCommand::Ban(Some(5)), ""));
    harness.run(0, act("mem", ModerationCommand::Ban(None), ""));
    harness.now.wall_ms += 5;
    harness.run(0, invite("den", "out", ""));
    let row = |user: &str, kind| (user.to_owned(), kind);
    let (ban, mute) = (Restriction::Banned, Restriction::Muted);
    let all = [
        row("a", ban),
        row("a", mute),
        row("b", ban),
        row("b", mute),
        row("c", ban),
        row("c", mute),
        row("mem", ban),
        row("out", Restriction::Invited),
        row("rea", Restriction::Reader),
    ];
    assert_eq!(listed(&mut harness, 1, (None, None)), (all.to_vec(), false));
    let first = (all[..4].to_vec(), true);
    assert_eq!(listed(&mut harness, 1, (Some(3), None)), first, "a user is on one page");
    assert_eq!(listed(&mut harness, 1, (Some(4), None)), first);
    assert_eq!(listed(&mut harness, 1, (Some(5), Some("b"))), (all[4..].to_vec(), false));
    let list = || Command::Restrictions { room: "den".into(), limit: None, after: None };
    assert_eq!(answer_to(&mut harness, 3, list()), "no 3004");
    assert_eq!(answer_to(&mut harness, 2, list()), "no 3005");
    assert_eq!(answer_to(&mut harness, 4, list()), "no 3003");
}
