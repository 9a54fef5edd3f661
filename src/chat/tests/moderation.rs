//! Moderation: who may do it, what it does, and what is kept of it.

#![expect(clippy::disallowed_types, reason = "a test looks into the store that its harness owns")]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::super::model::command::Page;
use super::super::model::log::{
    Appended, Expiry, LogFault, LogReply, LogRequest, MemberMeta, Restriction, RestrictionMeta,
    RoomMeta, Suspensions,
};
use super::super::model::policy::{Policies, Policy};
use super::super::model::reply::{Durability, Role};
use super::*;

pub(super) fn act<'a>(user: &'a str, command: ModerationCommand, reason: &'a str) -> Command<'a> {
    let (room, reason) = ("den".into(), reason.into());
    Command::Moderate { room, user: user.into(), command, reason, weight: 0 }
}

fn invite(user: &str) -> Command<'_> {
    Command::Invite { room: "den".into(), user: user.into(), reason: "".into() }
}

fn say(text: &str) -> Command<'_> {
    message(Target::Room("den".into()), text, None)
}

/// The room `den` of `own`, with one of each role: connections 0 to 3; `out` is number 4 and no
/// member.
pub(super) fn den(limits: Limits, private: bool) -> Harness {
    let mut harness = Harness::new(limits);
    let names = ["own", "mod", "mem", "rea", "out"];
    for (number, name) in names.into_iter().enumerate() {
        harness.hello(number, name);
    }
    harness.run(0, create("den", private));
    for (number, name) in [(1, "mod"), (2, "mem"), (3, "rea")] {
        harness.run(0, invite(name));
        assert!(sent_to(&harness.join(number, "den"), number)[0].starts_with("joined"));
    }
    harness.run(0, act("mod", ModerationCommand::Role(Role::Moderator), ""));
    harness.run(0, act("rea", ModerationCommand::Role(Role::Reader), ""));
    harness.wait(1_000);
    harness
}

/// The first thing that one connection gets for its command.
pub(super) fn answer_to(harness: &mut Harness, number: usize, command: Command<'_>) -> String {
    let lines = sent_to(&harness.run(number, command), number);
    let is_told = |line: &String| !line.starts_with('#') && line != "wake";
    lines.into_iter().find(is_told).unwrap_or_default()
}

pub(super) fn refusal(harness: &mut Harness, number: usize, command: Command<'_>) -> Refusal {
    let said = harness.run(number, command);
    let found = said.iter().find_map(|said| match said {
        Output::Reply { result: Err(refusal), .. } => Some(refusal.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{said:?}"))
}

#[test]
fn what_each_role_may_do_to_each_other() {
    let measures = [
        ModerationCommand::Role(Role::Member),
        ModerationCommand::Kick,
        ModerationCommand::Mute(None),
        ModerationCommand::Ban(None),
        ModerationCommand::Unban,
    ];
    let names = ["own", "mod", "mem", "rea", "out"];
    // By actor and target, in the order of the measures: `.` is done, `=` is so already, `x` is
    // 3004, `n` is 3010.
    let table = [
        ["xxxxx", "....n", "=...n", "....n", "nn..n"],
        ["xxxxn", "xxxxx", "x...n", "x...n", "xn..n"],
        ["xxxxx", "xxxxx", "xxxxx", "xxxxx", "xxxxx"],
        ["xxxxx", "xxxxx", "xxxxx", "xxxxx", "xxxxx"],
    ];
    for (actor, row) in table.into_iter().enumerate() {
        for (target, expect) in names.into_iter().zip(row) {
            for (command, expect) in measures.into_iter().zip(expect.chars()) {
                let mut harness = den(Limits::default(), false);
                let told = answer_to(&mut harness, actor, act(target, command, ""));
                let what = format!("{} {command:?} {target}: {told}", names[actor]);
                match expect {
                    '.' => assert!(told.starts_with("sent"), "{what}"),
                    '=' => assert!(told.starts_with("dup"), "{what}"),
                    'x' => assert_eq!(told, "no 3004", "{what}"),
                    _ => assert_eq!(told, "no 3010", "{what}"),
                }
            }
        }
    }
}

#[test]
fn who_is_put_out_is_told_and_hears_nothing_more() {
    for (command, reason, again) in [
        (ModerationCommand::Kick, "left kicked", "joined"),
        (ModerationCommand::Ban(None), "left banned", "no 3005"),
    ] {
        let mut harness = den(Limits::default(), false);
        harness.hello(9, "mem");
        let said = harness.run(1, act("mem", command, ""));
        let lines = sent_to(&said, 2);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with('#'), "the record comes first: {lines:?}");
        assert_eq!(lines[1], reason);
        assert_eq!(sent_to(&said, 9), [reason], "all sessions are told");
        let said = harness.run(0, say("gone?"));
        assert_eq!(sent_to(&said, 2), [""; 0]);
        let after = if again == "joined" { "no 3003" } else { "no 3005" };
        assert_eq!(answer_to(&mut harness, 2, say("no")), after);
        assert!(sent_to(&harness.join(2, "den"), 2)[0].starts_with(again));
    }
}

#[test]
fn a_ban_holds_for_everything_until_its_time_and_gives_its_reason() {
    let mut harness = den(Limits::default(), false);
    harness.run(1, act("mem", ModerationCommand::Ban(Some(5_000)), "spam"));
    let page = Page::Latest;
    let epoch = None;
    for command in [
        say("x"),
        Command::Join { room: "den".into(), after: None, epoch: None },
        Command::Join { room: "den".into(), after: Some(0), epoch: None },
        Command::Leave { room: "den".into() },
        Command::History { room: "den".into(), page, limit: None, epoch },
        Command::Typing { room: "den".into() },
        Command::Presence { room: "den".into() },
        Command::Members { room: "den".into(), limit: None, after: None },
        Command::Search { room: Some("den".into()), text: "x".into(), before: None, limit: None },
        Command::Topic { room: "den".into(), text: None, weight: 0 },
        Command::Delete { room: "den".into(), target: 1 },
        invite("out"),
        act("rea", ModerationCommand::Kick, ""),
    ] {
        let shown = format!("{command:?}");
        let refusal = refusal(&mut harness, 2, command);
        assert_eq!(refusal.code, Code::Banned, "{shown}");
        assert_eq!(refusal.retry_after_ms, Some(5_000), "{shown}");
        assert!(refusal.message.contains("spam"), "{refusal:?}");
    }
    harness.now.wall_ms += 5_000;
    assert!(sent_to(&harness.join(2, "den"), 2)[0].starts_with("joined"));
}

#[test]
fn a_resume_from_before_a_ban_is_cut() {
    for (private, before, after) in [(false, "From", "Banned"), (true, "From", "Banned")] {
        let mut harness = den(Limits::default(), private);
        let epoch = harness.chat.rooms.table.iter().next().unwrap().1.epoch;
        let back = |harness: &mut Harness| {
            let said = harness.hello_with(7, Some("mem"), Some(("gone", &[("den", epoch, 1)])));
            let line = sent_to(&said, 7)[0].clone();
            harness.chat.handle_closed(harness.now, conn(7));
            line
        };
        assert!(back(&mut harness).contains(before));
        harness.run(0, act("mem", ModerationCommand::Ban(None), ""));
        assert!(back(&mut harness).contains(after));
        assert!(
            answer_to(&mut harness, 0, act("mem", ModerationCommand::Unban, ""))
                .starts_with("sent")
        );
        assert!(back(&mut harness).contains("NotMember"), "a removal outlives the ban");
        harness.hello(7, "mem");
        assert!(sent_to(&harness.join(7, "den"), 7)[0].starts_with("joined"), "but one may join");
        harness.chat.handle_closed(harness.now, conn(7));
        assert!(back(&mut harness).contains(before));
    }
}

#[test]
fn a_private_room_stays_hidden_from_those_who_never_knew_it() {
    let mut harness = den(Limits::default(), true);
    harness.run(0, act("out", ModerationCommand::Ban(Some(1_000)), ""));
    assert_eq!(sent_to(&harness.join(4, "den"), 4), ["no 3001"]);
    harness.now.wall_ms += 1_000;
    assert_eq!(sent_to(&harness.join(4, "den"), 4), ["no 3001"]);
    harness.run(0, act("mem", ModerationCommand::Kick, ""));
    assert_eq!(sent_to(&harness.join(2, "den"), 2), ["no 3001"]);
}

#[test]
fn who_is_muted_has_no_voice_until_its_time() {
    let mut harness = den(Limits::default(), false);
    let speak = || {
        [
            say("x"),
            Command::Edit { room: "den".into(), target: 1, text: "x".into(), weight: 1 },
            Command::Typing { room: "den".into() },
        ]
    };
    harness.run(1, act("mem", ModerationCommand::Mute(Some(700)), "calm down"));
    for command in speak() {
        let refusal = refusal(&mut harness, 2, command);
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Muted, Some(700)));
        assert!(refusal.message.contains("calm down"), "{refusal:?}");
    }
    // It is about the user, member or not.
    harness.run(2, Command::Leave { room: "den".into() });
    harness.join(2, "den");
    assert_eq!(answer_to(&mut harness, 2, say("x")), "no 3006");
    harness.now.wall_ms += 700;
    assert!(answer_to(&mut harness, 2, say("x")).starts_with("sent"));
    harness.run(1, act("mem", ModerationCommand::Mute(None), ""));
    assert_eq!(refusal(&mut harness, 2, say("x")).retry_after_ms, None);
    assert!(
        answer_to(&mut harness, 1, act("mem", ModerationCommand::Mute(Some(0)), ""))
            .starts_with("sent")
    );
    assert!(answer_to(&mut harness, 2, say("x")).starts_with("sent"));
    assert_eq!(
        answer_to(&mut harness, 1, act("mem", ModerationCommand::Mute(Some(0)), "")),
        "no 3010"
    );
}

#[test]
fn an_invitation_is_told_lets_in_once_and_is_not_used_up_by_a_refusal() {
    let mut harness = den(Limits::default(), true);
    assert_eq!(answer_to(&mut harness, 2, invite("out")), "no 3004");
    let said = harness.run(1, invite("out"));
    assert_eq!(sent_to(&said, 1), ["Done"]);
    assert_eq!(sent_to(&said, 4), ["invited to den by mod"]);
    assert_eq!(answer_to(&mut harness, 4, say("hi")), "no 3003");
    let join = Command::Join { room: "den".into(), after: Some(99), epoch: None };
    assert_eq!(sent_to(&harness.run(4, join), 4), ["no 4003"]);
    assert!(sent_to(&harness.join(4, "den"), 4)[0].starts_with("joined"));
    assert_eq!(sent_to(&harness.run(1, invite("out")), 4), [""; 0], "who is in needs none");
    harness.run(4, Command::Leave { room: "den".into() });
    assert_eq!(sent_to(&harness.join(4, "den"), 4), ["no 3001"]);
    assert_eq!(answer_to(&mut harness, 1, invite("mod")), "no 3004");
    harness.run(1, act("mem", ModerationCommand::Ban(None), ""));
    assert_eq!(answer_to(&mut harness, 0, invite("mem")), "no 3004");
}

#[test]
fn anybody_may_be_told_of_an_open_room() {
    let mut harness = den(Limits::default(), false);
    assert_eq!(sent_to(&harness.run(3, invite("out")), 4), ["invited to den by rea"]);
    assert_eq!(answer_to(&mut harness, 3, invite("Out")), "no 1003");
}

/// A store that keeps a note of what it is asked, answers when it may, and refuses when it must.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(pub(super) Rc<RefCell<Notes>>);

#[derive(Debug, Default)]
pub(super) struct Notes {
    store: MemoryStore,
    meta: Vec<RoomMeta>,
    pub(super) slow: bool,
    fault: Option<LogFault>,
}

impl Logs for Watched {
    fn request(&mut self, now: Now, request: LogRequest) {
        let mut notes = self.0.borrow_mut();
        match &request {
            LogRequest::Append { draft, .. } => {
                notes.meta.extend(draft.meta.iter().map(without_joined));
            }
            LogRequest::PutMeta { meta, .. } => notes.meta.push(without_joined(meta)),
            _ => {}
        }
        notes.store.request(now, request);
    }

    fn flush(&mut self) {}

    fn poll(&mut self) -> Option<LogReply> {
        let mut notes = self.0.borrow_mut();
        if notes.slow {
            return None;
        }
        let fault = notes.fault;
        notes.store.poll().map(|reply| match (reply, fault) {
            (LogReply::Appended { ticket, .. }, Some(fault)) => {
                LogReply::Appended { ticket, outcome: Appended::Refused(fault) }
            }
            (reply, _) => reply,
        })
    }
}

/// What is kept, without when a membership began.
pub(super) fn without_joined(meta: &RoomMeta) -> RoomMeta {
    match meta {
        RoomMeta::Member(user, Some(member)) => {
            RoomMeta::Member(user.clone(), Some(MemberMeta { joined: 0, ..*member }))
        }
        meta => meta.clone(),
    }
}

/// The den in a store that is watched.
pub(super) fn stored_den(private: bool) -> (Harness, Watched) {
    let policy = Policy { durability: Durability::Disk, ..Policy::default() };
    let limits = Limits { policies: Policies::uniform(policy), ..Limits::default() };
    let watched = Watched::default();
    let mut harness = Harness::new(limits);
    harness.store = Box::new(watched.clone());
    for (number, name) in [(0, "own"), (2, "mem")] {
        harness.hello(number, name);
    }
    let topic = Some("tea".into());
    harness.run(0, Command::Create { room: "den".into(), topic, private, policy: None });
    harness.run(0, invite("mem"));
    harness.join(2, "den");
    harness.wait(1_000);
    (harness, watched)
}

pub(super) fn name(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

#[test]
fn each_act_is_kept_with_its_facts() {
    let (by, at) = (Some(name("own")), Some(1_000));
    let term = |until, reason: &str| {
        let expiry = Expiry { until, reason: reason.into() };
        Some(RestrictionMeta { by: by.clone(), at, expiry })
    };
    let member = |role| MemberMeta { role, recv: 0, read: 0, joined: 0 };
    let standing = |what, term| RoomMeta::Restriction(name("mem"), what, term);
    let (mut harness, watched) = stored_den(true);
    let forever = || Some(RestrictionMeta::default());
    let owner = RoomMeta::Member(name("own"), Some(member(Role::Owner)));
    let joined = RoomMeta::Member(name("mem"), Some(member(Role::Member)));
    let access = RoomMeta::Access { private: true, owned: true, policy: None };
    let invited = standing(Restriction::Invited, term(Some(2_592_001_000), ""));
    let used = standing(Restriction::Invited, None);
    let topic_at_first = RoomMeta::Topic("tea".into(), Some(name("own")));
    let begun = [owner, access, topic_at_first, invited, joined, used];
    assert_eq!(std::mem::take(&mut watched.0.borrow_mut().meta), begun);
    let until = Some(harness.now.wall_ms + 50);
    let gone = RoomMeta::Member(name("mem"), None);
    let reader = RoomMeta::Member(name("mem"), Some(member(Role::Reader)));
    let topic = Command::Topic { room: "den".into(), text: Some("rum".into()), weight: 3 };
    for (command, expect) in [
        (topic, vec![RoomMeta::Topic("rum".into(), Some(name("own")))]),
        (
            act("mem", ModerationCommand::Role(Role::Reader), ""),
            vec![reader.clone(), standing(Restriction::Reader, term(None, "")), reader],
        ),
        (
            act("mem", ModerationCommand::Mute(Some(50)), "why"),
            vec![standing(Restriction::Muted, term(until, "why"))],
        ),
        (
            act("mem", ModerationCommand::Mute(Some(0)), ""),
            vec![standing(Restriction::Muted, None)],
        ),
        (
            act("mem", ModerationCommand::Ban(None), ""),
            vec![
                gone,
                standing(Restriction::MayReturn, forever()),
                standing(Restriction::Invited, None),
                standing(Restriction::Banned, term(None, "")),
            ],
        ),
        (act("mem", ModerationCommand::Unban, ""), vec![standing(Restriction::Banned, None)]),
    ] {
        let shown = format!("{command:?}");
        assert!(answer_to(&mut harness, 0, command).starts_with("sent"), "{shown}");
        assert_eq!(std::mem::take(&mut watched.0.borrow_mut().meta), expect, "{shown}");
    }
}

#[test]
fn an_act_counts_from_when_it_is_asked_for_and_is_taken_back_if_it_is_refused() {
    for (act_command, command, during) in [
        (ModerationCommand::Ban(None), say("x"), "no 3005"),
        (ModerationCommand::Kick, say("x"), "no 3003"),
        (
            ModerationCommand::Kick,
            Command::Join { room: "den".into(), after: None, epoch: None },
            "no 5004",
        ),
        (ModerationCommand::Mute(None), say("x"), "no 3006"),
        (ModerationCommand::Role(Role::Reader), say("x"), "no 3007"),
    ] {
        let shown = format!("{command:?}");
        let (mut harness, watched) = stored_den(false);
        watched.0.borrow_mut().slow = true;
        assert_eq!(sent_to(&harness.run(0, act("mem", act_command, "")), 0), [""; 0]);
        assert_eq!(sent_to(&harness.run(2, command), 2), [during], "{shown}");
        let ack = Command::Ack { room: "den".into(), recv: None, read: Some(0), epoch: None };
        harness.run(2, ack);
        {
            let mut notes = watched.0.borrow_mut();
            (notes.slow, notes.fault) = (false, Some(LogFault::Full));
        }
        assert_eq!(sent_to(&harness.end_turn(), 0), ["no 5005"]);
        watched.0.borrow_mut().fault = None;
        assert!(answer_to(&mut harness, 2, say("x")).starts_with("sent"), "{shown} is taken back");
        let last = watched
            .0
            .borrow()
            .meta
            .iter()
            .rev()
            .find(|meta| matches!(meta, RoomMeta::Member(user, _) if *user == name("mem")))
            .cloned();
        let member = MemberMeta { role: Role::Member, recv: 0, read: 0, joined: 0 };
        assert_eq!(last, Some(RoomMeta::Member(name("mem"), Some(member))), "{shown}");
    }
}

#[test]
fn who_is_suspended_is_sent_away_and_not_let_in_until_the_time_is_over() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    let term = Expiry { until: Some(harness.now.wall_ms + 900), reason: "spam".into() };
    let forever = Expiry { until: None, reason: "".into() };
    let users = vec![(name("zoe"), forever.clone()), (name("u1"), term), (name("eve"), forever)];
    let suspended = Arc::new(Suspensions { users, ..Suspensions::default() });
    harness.chat.on_log_reply(harness.now, LogReply::Suspended(suspended));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["close Banned"]);
    assert_eq!(sent_to(&said, 0), [""; 0]);
    for user in ["u1", "eve", "zoe"] {
        assert_eq!(sent_to(&harness.hello_with(5, Some(user), None), 5), ["no 2004"], "{user}");
    }
    harness.now.wall_ms += 900;
    assert_eq!(sent_to(&harness.hello_with(5, Some("u1"), None), 5), ["welcome u1 false"]);
    harness.chat.on_log_reply(harness.now, LogReply::Suspended(Arc::default()));
    assert_eq!(sent_to(&harness.hello_with(6, Some("eve"), None), 6), ["welcome eve false"]);
}
