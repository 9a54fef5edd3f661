//! Rooms get other names, and end for all who are in them.

use super::moderation::{act, refusal};
use super::*;
use crate::chat::model::command::Page;
use crate::chat::model::limits::FORMER_NAMES_MAX;
use crate::chat::model::load::Begun;
use crate::chat::model::log::{LogRequest, MemberMeta, RoomMeta, Snapshot};
use crate::chat::model::people::{AuditedAct, PeopleChange, ROOM_CLOSED};
use crate::chat::model::policy::{Access, Policies, Policy, Rule};
use crate::chat::model::reply::{Durability, Lost, Role};

/// `u0` owns `den`, and `u1` is in it; both read it.
fn den(limits: Limits) -> Harness {
    let mut harness = Harness::new(limits);
    for number in 0..3 {
        harness.hello(number, &format!("u{number}"));
    }
    harness.run(0, create("den", false));
    harness.join(1, "den");
    harness.run(0, say("den", "first"));
    harness
}

fn say(room: &str, text: &str) -> Command<'static> {
    message(Target::Room(room.to_owned().into()), text, None).into_owned()
}

fn rename(room: &str, name: &str) -> Command<'static> {
    Command::Rename { room: room.to_owned().into(), name: name.to_owned().into() }
}

fn close(room: &'static str, sure: bool) -> Command<'static> {
    Command::Close { room: room.into(), reason: "moved".into(), sure }
}

fn lines(harness: &mut Harness, number: usize, command: Command<'_>, to: usize) -> Vec<String> {
    sent_to(&harness.run(number, command), to)
}

#[test]
fn readers_are_told_the_new_name_before_its_record_and_the_log_goes_on() {
    let mut harness = den(Limits::default());
    let said = harness.run(0, rename("den", "lair"));
    assert_eq!(sent_to(&said, 0), ["den is lair", "sent 2"]);
    assert_eq!(sent_to(&said, 1), ["den is lair", "#2"]);
    let fanned_out = said.iter().find_map(|output| match output {
        Output::Fanout(fanout) => Some(fanout),
        _ => None,
    });
    let fanned_out = fanned_out.unwrap();
    assert_eq!(fanned_out.room.as_str(), "lair");
    let Body::Rename { name, was } = &fanned_out.records[0].body else { panic!("{said:?}") };
    assert_eq!((name.as_str(), was.as_str()), ("lair", "den"));
    assert_eq!(lines(&mut harness, 1, say("lair", "by the new one"), 0), ["#3"]);
}

#[test]
fn the_name_of_before_leads_to_the_room_in_every_operation() {
    let mut harness = den(Limits::default());
    harness.run(0, rename("den", "lair"));
    harness.run(0, rename("lair", "hole"));
    for (seq, name) in (4..).zip(["den", "lair", "hole"]) {
        assert_eq!(lines(&mut harness, 1, say(name, "hi"), 0), [format!("#{seq}")], "{name}");
        let history =
            Command::History { room: name.into(), page: Page::Latest, limit: None, epoch: None };
        let answer = lines(&mut harness, 1, history, 1).concat();
        assert!(answer.contains("\"hole\""), "{answer}");
        let search = Command::Search {
            room: Some(name.into()),
            text: "hi".into(),
            before: None,
            limit: None,
        };
        assert!(lines(&mut harness, 1, search, 1).concat().contains("Found"), "{name}");
    }
    let joined = harness.join(2, "den");
    let Some(Output::Reply { result: Ok(Reply::Joined { room, rare, .. }), .. }) = joined.first()
    else {
        panic!("{joined:?}");
    };
    let former: Vec<_> = rare.former.iter().map(RoomName::as_str).collect();
    assert_eq!((room.as_str(), &*former), ("hole", &["den", "lair"][..]));
    harness.chat.debug_check();
}

#[test]
fn who_comes_back_with_the_name_of_before_goes_on_behind_its_position() {
    let mut harness = den(Limits::default());
    let key = harness.chat.rooms.named("den").unwrap();
    let epoch = harness.chat.rooms[key].epoch;
    harness.run(0, rename("den", "lair"));
    harness.run(0, say("lair", "meanwhile"));
    let said = harness.hello_with(11, Some("u1"), Some(("gone", &[("den", epoch, 1)])));
    let told = sent_to(&said, 11);
    assert!(told[0].contains("den is lair: From { from: 2, to: 3 }"), "{told:?}");
    assert!(told.contains(&"replay 2..=3".to_owned()), "{told:?}");
    let inbox = harness.run(11, Command::Rooms { since: None });
    let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. }) = inbox.first() else {
        panic!("{inbox:?}");
    };
    assert_eq!((rooms[0].room.as_str(), rooms[0].former[0].as_str()), ("lair", "den"));
}

#[test]
fn who_was_away_is_told_that_a_room_is_gone_by_the_name_that_it_knows() {
    let mut harness = den(Limits::default());
    let ask = |harness: &mut Harness, since| {
        let inbox = harness.run(1, Command::Rooms { since });
        let Some(Output::Reply { result: Ok(Reply::Inbox { rev, gone, .. }), .. }) = inbox.first()
        else {
            panic!("{inbox:?}");
        };
        (*rev, gone.iter().map(|room| room.as_str().to_owned()).collect::<Vec<_>>())
    };
    let (rev, _) = ask(&mut harness, None);
    harness.run(0, rename("den", "lair"));
    harness.run(0, act("u1", ModerationCommand::Kick, ""));
    assert_eq!(ask(&mut harness, Some(rev)).1, ["den", "lair"]);
    harness.join(1, "den");
    assert!(ask(&mut harness, Some(rev)).1.is_empty(), "it has come back");
}

#[test]
fn only_an_owner_gives_a_name_and_only_one_that_is_free() {
    let limits = Limits { policies: policies(), ..Limits::default() };
    let mut harness = den(limits);
    harness.run(2, create("other", false));
    harness.run(2, create("bi11", false));
    harness.run(2, rename("other", "another"));
    for (number, from, to, code) in [
        (1, "den", "lair", Code::Forbidden),
        (2, "den", "lair", Code::NotMember),
        (2, "nowhere", "lair", Code::NoSuchRoom),
        (0, "den", "Lair", Code::BadField),
        (0, "den", "@u0:u1", Code::BadField),
        (0, "den", "another", Code::RoomExists),
        (0, "den", "other", Code::RoomExists),
        (0, "den", "bill", Code::RoomExists),
        (0, "den", "closed/den", Code::Forbidden),
    ] {
        let refused = refusal(&mut harness, number, rename(from, to));
        assert_eq!(refused.code, code, "{from} {to}");
    }
    assert_eq!(lines(&mut harness, 0, rename("den", "den"), 0), ["dup 1"], "no effect, no record");
    assert_eq!(lines(&mut harness, 2, say("den", "x"), 2), ["no 3003"]);
    assert_eq!(lines(&mut harness, 2, create("den", false), 2), ["no 3002"]);
    harness.run(0, rename("den", "lair"));
    assert_eq!(lines(&mut harness, 2, create("den", false), 2), ["no 3002"], "it leads to lair");
    assert_eq!(lines(&mut harness, 0, rename("lair", "den"), 0).last().unwrap(), "sent 3", "back");
    assert_eq!(harness.chat.rooms[harness.chat.rooms.named("lair").unwrap()].name.as_str(), "den");
    harness.chat.debug_check();
}

fn policies() -> Policies {
    let closed = Policy { access: Access::Invite, ..Policy::default() };
    let rule = Rule { name: None, pattern: Some("closed/*".into()), policy: closed };
    Policies { rules: vec![rule], ..Policies::uniform(Policy::default()) }
}

#[test]
fn a_room_keeps_so_many_names_and_can_go_back_to_each() {
    let mut harness = den(Limits::default());
    let mut name = "den".to_owned();
    for nth in 0..FORMER_NAMES_MAX {
        let next = format!("den{nth}");
        assert!(lines(&mut harness, 0, rename(&name, &next), 0)[1].starts_with("sent"), "{nth}");
        name = next;
    }
    let refused = refusal(&mut harness, 0, rename(&name, "one-more"));
    let limit = u64::try_from(FORMER_NAMES_MAX).ok();
    assert_eq!((refused.code, refused.limit), (Code::TooLarge, limit));
    assert!(lines(&mut harness, 0, rename(&name, "den"), 0)[1].starts_with("sent"));
    harness.chat.debug_check();
}

#[test]
fn names_of_before_are_free_when_their_room_ends() {
    let mut harness = den(Limits::default());
    harness.run(0, rename("den", "lair"));
    harness.run(0, close("lair", true));
    for name in ["den", "lair"] {
        assert_eq!(
            lines(&mut harness, 2, create(name, false), 2)[0],
            "joined at 0 from 1",
            "{name}"
        );
    }
    harness.chat.debug_check();
}

#[test]
fn who_closes_a_room_is_first_told_what_is_lost_and_for_how_many() {
    let mut harness = den(Limits::default());
    let refused = refusal(&mut harness, 0, close("den", false));
    assert_eq!(
        (refused.code, refused.lost.as_deref()),
        (Code::Forbidden, Some(&Lost { messages: 1, members: Some(2) }))
    );
    assert_eq!(refused.message, "closing this room ends it for 2 members, and 1 message with it");
    assert_eq!(lines(&mut harness, 1, say("den", "still here"), 0), ["#2"]);
    assert_eq!(refusal(&mut harness, 1, close("den", true)).code, Code::Forbidden);
    assert_eq!(refusal(&mut harness, 2, close("den", true)).code, Code::NotMember);
}

#[test]
fn those_inside_are_told_by_whom_and_why_a_room_ends() {
    let mut harness = den(Limits::default());
    let said = harness.run(0, close("den", true));
    for number in [0, 1] {
        let told = sent_to(&said, number);
        assert!(told.contains(&"den was closed by u0: moved".to_owned()), "{told:?}");
        assert!(told.contains(&"left closed".to_owned()), "{told:?}");
    }
    assert!(sent_to(&said, 0).iter().any(|line| line.starts_with("Left")));
    assert!(sent_to(&said, 2).is_empty());
    assert!(harness.chat.rooms.named("den").is_none());
    assert_eq!(lines(&mut harness, 1, say("den", "x"), 1), ["no 3001"]);
    harness.chat.debug_check();
}

/// A stored room of `u0`, as it is read at a start.
fn stored_den(access: RoomMeta) -> Snapshot {
    let room = |name: &str| RoomName::parse(name).unwrap();
    let member = MemberMeta { role: Role::Owner, recv: 1, read: 1, joined: 1 };
    let user = UserName::parse("u0").unwrap();
    let names = RoomMeta::Name(room("lair"), vec![room("den")]);
    let begun = Begun {
        name: room("lair"),
        epoch: Epoch(7),
        durability: Durability::Disk,
        head: 1,
        oldest: 1,
        meta: vec![access, names, RoomMeta::Member(user, Some(member))],
        kept: None,
    };
    Snapshot { rooms: vec![begun], ..Snapshot::default() }
}

#[test]
fn a_start_finds_the_names_of_before_and_ends_what_was_about_to_end() {
    let access = |private, owned| RoomMeta::Access { private, owned, policy: None };
    for (ends, meta) in [(false, access(true, true)), (true, access(true, false))] {
        let mut harness = Harness::new(Limits::default());
        harness.chat.restore(harness.now, stored_den(meta));
        let named = ["den", "lair"].map(|name| harness.chat.rooms.named(name).is_some());
        assert_eq!(named, [!ends; 2]);
        let is_dropped = std::iter::from_fn(|| harness.chat.poll_request())
            .any(|request| matches!(request, LogRequest::Drop { .. }));
        assert_eq!(is_dropped, ends);
        harness.chat.debug_check();
    }
}

/// Nothing is passed on to the log before the turn ends.
fn at_once(harness: &mut Harness, number: usize, command: Command<'_>) {
    harness.chat.handle_command(harness.now, conn(number), request(Op::Ping), command);
}

#[test]
fn what_is_said_while_a_room_ends_is_refused_and_what_was_said_before_is_answered() {
    let mut harness = den(Limits::default());
    at_once(&mut harness, 1, say("den", "before"));
    at_once(&mut harness, 0, close("den", true));
    at_once(&mut harness, 1, say("den", "after"));
    let told = sent_to(&harness.end_turn(), 1);
    assert_eq!(told.iter().filter(|line| *line == "sent 2").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|line| *line == "no 5004").count(), 1, "{told:?}");
    assert!(harness.chat.rooms.named("den").is_none());
    harness.chat.debug_check();
}

#[test]
fn nobody_gets_a_name_that_looks_like_one_that_a_room_is_about_to_get() {
    let mut harness = den(Limits::default());
    at_once(&mut harness, 0, rename("den", "bill"));
    at_once(&mut harness, 2, create("bi11", false));
    let told = sent_to(&harness.end_turn(), 2);
    assert_eq!(told, ["no 5004"]);
    assert!(harness.chat.rooms.named("bi11").is_none());
}

#[test]
fn a_room_that_ends_as_it_is_empty_takes_what_was_noted_off_its_names() {
    let mut harness = den(Limits::default());
    harness.run(0, rename("den", "lair"));
    // Of this one nothing was noted.
    harness.run(2, create("quiet", false));
    harness.run(2, say("quiet", "hello"));
    for (number, room) in [(1, "lair"), (0, "lair"), (2, "quiet")] {
        harness.run(number, Command::Leave { room: room.into() });
    }
    let mut noted = Vec::new();
    while !harness.chat.rooms.table.is_empty() {
        harness.now.tick = harness.chat.next_deadline().max(harness.now.tick);
        harness.chat.handle_timers(harness.now);
        while let Some(request) = harness.chat.poll_request() {
            if let LogRequest::People { changes, .. } = &request {
                noted.extend(changes.iter().map(|change| match change {
                    PeopleChange::Audit(AuditedAct { by, act, room, .. }) => {
                        (by.clone(), act.to_string(), room.as_ref().unwrap().to_string())
                    }
                    change => panic!("{change:?}"),
                }));
            }
            harness.store.request(harness.now, request);
        }
        harness.end_turn();
    }
    let ended = |room: &str| (None, ROOM_CLOSED.to_owned(), room.to_owned());
    noted.sort();
    assert_eq!(noted, [ended("den"), ended("lair")]);
}
