//! Golden lines, as a person sees them.

use std::sync::Arc;

use super::*;
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op};
use crate::chat::model::limits::RECORD_OVERHEAD;
use crate::chat::model::record::{Act, Body, Epoch, Record};
use crate::chat::model::reply::{Durability, Invitation};

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn lobby() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

fn direct() -> RoomName {
    RoomName::parse("@ann:bob").unwrap()
}

fn message(text: &str) -> Record {
    let body = Body::Message {
        text: text.into(),
        data: Some("{}".into()),
        cid: None,
        reply_to: None,
        thread: None,
        edited: None,
    };
    // 14:05:59 UTC.
    Record { seq: 1, at: 1_763_647_559_999, from: user("bob"), body, weight: 0 }
}

fn topic(text: &str) -> Record {
    Record { body: Body::Topic { text: text.into() }, ..message("") }
}

#[track_caller]
fn check(expect: &str, render: impl FnOnce(&mut Vec<u8>)) {
    let mut out = Vec::new();
    render(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expect);
}

#[track_caller]
fn check_reply(answer: &Reply, expect: &str) {
    check_answer(&note::hello(false), answer, expect);
}

#[test]
fn rooms_that_everybody_may_find_are_shown_a_line_each() {
    let row = |room: &str, members, topic: &str, by_invitation| ListedRoom {
        room: RoomName::parse(room).unwrap(),
        topic: topic.into(),
        members,
        at: 0,
        by_invitation,
    };
    let items = vec![row("den", 1, "", true), row("tea", 2, "five\no'clock", false)];
    let shown = "-- den, 1 member, by invitation --\n-- tea, 2 members: five o'clock --\n";
    check_reply(&Reply::Directory { items: items.clone(), next: None }, shown);
    check_reply(
        &Reply::Directory { items, next: Some(lobby()) },
        &format!("{shown}-- there are more; /list tea finds those of tea --\n"),
    );
    check_reply(&Reply::Directory { items: Vec::new(), next: None }, "-- no room was found --\n");
}

#[track_caller]
fn check_answer(request: &Request, answer: &Reply, expect: &str) {
    let ann = user("ann");
    let shown = Shown { request, server: "chinwag 0.1.0", viewer: Some(&ann) };
    check(expect, |out| reply(out, answer, &shown));
}

#[track_caller]
fn check_event(what: &Event, expect: &str) {
    check(expect, |out| event(out, what, None));
}

#[test]
fn what_is_said_names_room_and_speaker() {
    let live = |record: &Record, expect: &str| {
        check(expect, |out| record_event(out, &lobby(), record, None));
    };
    live(&message("hi"), "[lobby] bob: hi\n");
    live(&message("\u{1b}]0;x\u{7}\nyo"), "[lobby] bob: ?]0;x?\n| yo\n");
    live(&message(""), "[lobby] bob sent data\n");
    live(&topic("tea\ntime"), "[lobby] * bob changed the topic: tea time\n");
    live(&topic(""), "[lobby] * bob removed the topic\n");
    check("[@ann:bob] bob: psst\n", |out| record_event(out, &direct(), &message("psst"), None));
}

fn body(body: Body) -> Record {
    Record { seq: 9, body, ..message("") }
}

#[test]
fn a_message_that_something_is_done_to_is_named_by_its_words() {
    let long = message(&"see you tomorrow at ten ".repeat(9));
    let own = message("hi\n[lobby] eve: x");
    let sly = message("x\" with -1");
    let anns = Record { from: user("ann"), ..message("tea?") };
    let edit = body(Body::Edit { target: 1, text: Some("bye".into()) });
    let deletion = body(Body::Deletion { target: 1 });
    let reaction = |remove| body(Body::Reaction { target: 1, emoji: "\u{1f44d}".into(), remove });
    for (record, target, expect) in [
        (&edit, Some(&own), "bob changed \"hi [lobby] eve: x\" to: bye"),
        (&edit, None, "bob changed an earlier message to: bye"),
        (&deletion, Some(&anns), "bob deleted ann's \"tea?\""),
        (
            &deletion,
            Some(&long),
            "bob deleted \"see you tomorrow at ten see you tomorrow at ten…\"",
        ),
        (&reaction(false), Some(&anns), "bob reacted to ann's \"tea?\" with \u{1f44d}"),
        (&reaction(false), Some(&sly), "bob reacted to \"x' with -1\" with \u{1f44d}"),
        (&reaction(true), None, "bob took back a reaction to an earlier message: \u{1f44d}"),
        (&reaction(false), Some(&message("")), "bob reacted to a message of bob with \u{1f44d}"),
    ] {
        let expect = format!("[lobby] * {expect}\n");
        check(&expect, |out| record_event(out, &lobby(), record, target));
    }
}

#[test]
fn a_file_is_a_link_within_the_weight_of_its_message() {
    let longest = "\u{4e00}".repeat(10);
    for (name, room) in [("a.png", "lobby"), ("<\\u202e\u{4e00}\\n>", &*longest)] {
        let room = RoomName::stored(room).unwrap();
        let id = |letter: &str| format!("cwf_{}", letter.repeat(32));
        let data = format!(r#"[{{"id":"{}","name":"{name}"}},{{"id":"{}"}}]"#, id("a"), id("b"));
        let body = Body::Message {
            text: "x".into(),
            data: Some(data.clone().into()),
            cid: None,
            reply_to: None,
            thread: None,
            edited: None,
        };
        let record = Record { seq: (1 << 53) - 1, at: 1, from: user("bob"), body, weight: 0 };
        let mut out = Vec::new();
        record_event(&mut out, &room, &record, None);
        let said = String::from_utf8(out.clone()).unwrap();
        let link = format!("/messages/{}/files/{}] [ {}]\n", record.seq, id("a"), id("b"));
        assert!(said.ends_with(&link), "{said}");
        assert!(!said.trim_end().contains(['\n', '\u{202e}']), "{said}");
        let weight = RECORD_OVERHEAD + room.as_str().len() + 3 + 1 + data.len();
        assert!(out.len() <= weight, "{} of {weight}: {said}", out.len());
    }
}

#[test]
fn the_longest_quote_fits_the_weight_of_the_least_record() {
    let name = "\u{5d0}".repeat(16);
    let room = RoomName::direct(&user(&name), &user(&name));
    let longest = Record { from: user(&name), ..message(&"\u{1f44d}".repeat(99)) };
    for change in [
        Body::Reaction { target: 1, emoji: "".into(), remove: true },
        Body::Deletion { target: 1 },
        Body::Edit { target: 1, text: Some("".into()) },
        Body::Message {
            text: "".into(),
            data: None,
            cid: None,
            reply_to: Some(1),
            thread: None,
            edited: Some(1),
        },
        Body::Message {
            text: "".into(),
            data: None,
            cid: None,
            reply_to: Some(1),
            thread: Some(1),
            edited: Some(1),
        },
    ] {
        let mut out = Vec::new();
        let record = Record { from: user(&"\u{5d1}".repeat(16)), ..body(change) };
        record_event(&mut out, &room, &record, Some(&longest));
        let weight = RECORD_OVERHEAD + room.as_str().len() + record.from.as_str().len();
        assert!(out.len() <= weight, "{} of {weight}", out.len());
    }
}

#[test]
fn an_act_says_who_did_what_to_whom_for_how_long_and_why() {
    let at = message("").at;
    let act = |act, reason: &str, expect: &str| {
        let what = Body::Moderation { act, target: user("eve"), reason: reason.into() };
        let expect = format!("[lobby] * eve {expect}\n");
        check(&expect, |out| record_event(out, &lobby(), &body(what), None));
    };
    let soon = Some(at + 600_000);
    act(Act::Mute { until: soon }, "spam", "was muted for 10 minutes by bob: spam");
    act(Act::Mute { until: None }, "", "was muted by bob");
    act(Act::Ban { until: Some(at + 86_400_000) }, "a\nb", "was banned for 1 day by bob: a b");
    act(Act::Kick, "spam", "was removed by bob: spam");
    act(Act::Unmute, "", "may speak again: the mute was ended by bob");
    act(Act::Unban, "", "may come back: the ban was ended by bob");
    act(Act::Role(Role::Moderator), "", "was made a moderator by bob");
    act(Act::Role(Role::Owner), "", "was made an owner by bob");
}

#[test]
fn what_was_said_names_the_day_and_the_time_too() {
    let at = |at, record: Record| Arc::new(Record { at, ..record });
    let (evening, morning) = (1_763_675_940_000, 1_763_676_300_000);
    let items =
        || vec![at(evening, message("hi")), at(evening, topic("tea")), at(morning, message("yo"))];
    let lines = "-- Thursday 2025-11-20, times in UTC --\n\
                 [lobby] 21:59 bob: hi\n[lobby] 21:59 * bob changed the topic: tea\n\
                 [lobby] 22:05 bob: yo\n";
    check_event(&Event::Replay { room: lobby(), items: items(), to: 2 }, lines);
    let history =
        |items| Reply::History { room: lobby(), epoch: Epoch(1), items, oldest: 1, more: false };
    check_reply(&history(items()), lines);
    check_reply(&history(Vec::new()), "-- no messages yet in lobby --\n");
    check_answer(&note::aside(Op::History, None), &history(Vec::new()), "");
    let (late, midnight) = (at(86_399_999, message("hi")), at(86_400_000, message("hi")));
    let replay = Event::Replay { room: lobby(), items: vec![late, midnight], to: 2 };
    check_event(
        &replay,
        "-- Thursday 1970-01-01, times in UTC --\n[lobby] 23:59 bob: hi\n\
         -- Friday 1970-01-02, times in UTC --\n[lobby] 00:00 bob: hi\n",
    );
}

#[test]
fn what_is_unread_above_what_is_shown_is_pointed_at() {
    let items = vec![Arc::new(Record { seq: 21, ..message("hi") })];
    let history = Reply::History { room: lobby(), epoch: Epoch(1), items, oldest: 1, more: true };
    let shown = "-- Thursday 2025-11-20, times in UTC --\n[lobby] 14:05 bob: hi\n";
    let more = format!("-- more is unread: /history 18 --\n{shown}");
    check_answer(&note::aside(Op::History, Some(3)), &history, &more);
    check_answer(&note::aside(Op::History, Some(20)), &history, shown);
    check_reply(&history, shown);
}

#[test]
fn who_has_not_talked_with_somebody_yet_is_told_how_to_begin() {
    let unknown = Refusal::new(Code::NoSuchRoom, "there is no such room");
    let begin = "! you have not talked with ann yet; begin with /msg ann hi\n";
    check(begin, |out| refused(out, &unknown, &note::talk("ann")));
    check("! there is no such room\n", |out| refused(out, &unknown, &note::hello(false)));
}

#[test]
fn who_reads_it_for_the_first_time_sees_a_message_as_it_is_now() {
    let items = vec![
        Arc::new(Record { seq: 1, body: Body::Deleted, ..message("") }),
        Arc::new(body(Body::Deletion { target: 1 })),
    ];
    let history = Reply::History { room: lobby(), epoch: Epoch(1), items, oldest: 1, more: false };
    check_reply(
        &history,
        "-- Thursday 2025-11-20, times in UTC --\n[lobby] 14:05 * a message of bob was deleted\n",
    );
}

#[test]
fn a_room_says_who_is_there() {
    let joined = |topic: &str, members| Reply::Joined {
        room: lobby(),
        epoch: Epoch(1),
        seq: 1,
        oldest: 1,
        durable: Durability::Memory,
        role: if members == 1 { Role::Owner } else { Role::Member },
        read: 0,
        recv: 0,
        members,
        v: 1,
        topic: topic.into(),
        private: false,
        rare: Box::default(),
        reset: false,
        marks: Vec::new(),
    };
    check_reply(&joined("", 1), "-- you are in lobby as owner, 1 member --\n");
    check_reply(
        &joined("tea\u{202e}", 2),
        "-- you are in lobby, 2 members --\n-- topic of lobby: tea? --\n",
    );
    let users = vec![(user("ann"), Presence::Online), (user("bob"), Presence::Away)];
    let presence = |count, users| Reply::Presence { v: 1, count, users };
    check_reply(&presence(2, Some(users.clone())), "-- 2 here: ann, bob (away) --\n");
    check_reply(&presence(900, None), "-- 900 here --\n");
    let members = vec![(user("ann"), Role::Owner), (user("bob"), Role::Member)];
    let members = |more| Reply::Members { count: 3, users: members.clone(), more };
    check_reply(&members(true), "-- 3 members: ann (owner), bob, and more --\n");
    check_reply(&members(false), "-- 3 members: ann (owner), bob --\n");
    let change = |change| Event::Presence { room: lobby(), v: 2, count: 2, change };
    let delta = PresenceChange::Delta {
        on: vec![user("dan")],
        away: Vec::new(),
        off: vec![user("eve"), user("bob")],
    };
    check_event(&change(delta.clone()), "* dan is here (lobby)\n* eve, bob are gone (lobby)\n");
    for (viewer, expect) in [
        ("dan", "* eve, bob are gone (lobby)\n"),
        ("eve", "* dan is here (lobby)\n* bob is gone (lobby)\n"),
    ] {
        check(expect, |out| event(out, &change(delta.clone()), Some(&user(viewer))));
    }
    check_event(&change(PresenceChange::State(users)), "-- in lobby: ann, bob (away) --\n");
    check_event(&change(PresenceChange::CountOnly), "");
}

#[test]
fn what_a_terminal_has_no_place_for_is_not_said() {
    check_event(&Event::Typing { room: lobby(), users: vec![user("bob")] }, "");
    check_event(&Event::Receipts { room: lobby(), read: Vec::new() }, "");
    check_event(&Event::Live { room: lobby(), seq: 1 }, "");
    check_event(&Event::Joined { room: direct(), epoch: Epoch(1), seq: 0 }, "");
    check_reply(&Reply::Pong { time: 1 }, "");
}

#[test]
fn what_happened_to_a_room_is_said() {
    let gap = |from, why| Event::Gap { room: lobby(), from, to: 12, why };
    check_event(&gap(1, GapWhy::Pruned), "-- 12 older messages are no longer kept (lobby) --\n");
    check_event(&gap(12, GapWhy::Limit), "-- 1 older message is left out (lobby) --\n");
    check_event(
        &Event::Joined { room: lobby(), epoch: Epoch(1), seq: 0 },
        "-- you are in lobby --\n",
    );
    let left = |reason| Event::Left { room: lobby(), reason };
    check_event(&left(LeftReason::Left), "-- you have left lobby --\n");
    check_event(&left(LeftReason::Kicked), "-- you were removed from lobby --\n");
    check_event(&left(LeftReason::Banned), "-- you are banned from lobby --\n");
    check_event(&left(LeftReason::Closed), "-- you are no longer in lobby --\n");
    let den = || RoomName::parse("den").unwrap();
    check_event(&Event::Renamed { room: den(), name: lobby() }, "-- den is called lobby now --\n");
    let gone = |reason: &str| {
        let from = UserName::parse("ann").unwrap();
        Event::Gone { room: lobby(), from, reason: reason.into() }
    };
    check_event(&gone(""), "-- ann has closed lobby --\n");
    check_event(&gone("a\nb"), "-- ann has closed lobby: a b --\n");
    let renamed = Body::Rename { name: lobby(), was: den() };
    let renamed = Record { body: renamed, ..message("") };
    check("[lobby] * bob renamed the room, which was den\n", |out| {
        record_event(out, &lobby(), &renamed, None);
    });
    check_reply(&Reply::Left { room: lobby() }, "");
    let topic = |text: &str| Reply::Topic { room: lobby(), text: text.into() };
    check_reply(&topic("tea"), "-- topic of lobby: tea --\n");
    check_reply(&topic(""), "-- lobby has no topic --\n");
    check_event(
        &Event::Drain { reconnect_after_ms: 7_350, window_ms: 20_000, reason: "restart" },
        "-- the server stops (restart); come back in 8 seconds --\n",
    );
}

#[test]
fn the_inbox_counts_what_is_unread() {
    let row = |room, unread| InboxRow {
        room,
        former: Box::default(),
        epoch: Epoch(1),
        seq: 9,
        recv: 0,
        read: 0,
        unread,
        mentions: 0,
        in_threads: 0,
        last: None,
    };
    let rooms = vec![InboxRow { mentions: 2, ..row(lobby(), 3) }, row(direct(), 0)];
    check_reply(
        &Reply::Inbox {
            rev: 1,
            rooms,
            more: false,
            invitations: Vec::new(),
            gone: Vec::new(),
            full: true,
        },
        "-- your rooms: lobby (3 unread, 2 for you), @ann:bob --\n",
    );
    check_reply(
        &Reply::Inbox {
            rev: 1,
            rooms: Vec::new(),
            more: false,
            invitations: Vec::new(),
            gone: Vec::new(),
            full: true,
        },
        "-- you are not in a room; join one with /join lobby --\n",
    );
}

#[test]
fn who_comes_back_is_told_what_is_unread_and_how_to_read_it() {
    let row = |room, unread| InboxRow {
        room,
        former: Box::default(),
        epoch: Epoch(1),
        seq: 9,
        recv: 0,
        read: 0,
        unread,
        mentions: 0,
        in_threads: 0,
        last: None,
    };
    let inbox = |rooms| Reply::Inbox {
        rev: 1,
        rooms,
        more: false,
        invitations: Vec::new(),
        gone: Vec::new(),
        full: true,
    };
    let aside = note::aside(Op::Rooms, None);
    check_answer(
        &aside,
        &inbox(vec![row(lobby(), 3), row(direct(), 1)]),
        "-- unread: 3 in lobby (/join lobby), 1 from bob (/msg bob) --\n",
    );
    check_answer(&aside, &inbox(vec![row(lobby(), 0)]), "");
    let invitation = |by| Invitation { room: lobby(), by, at: None, reason: "tea".into() };
    let invitations = vec![invitation(Some(user("bob"))), invitation(None)];
    let invited = Reply::Inbox {
        rev: 1,
        rooms: Vec::new(),
        more: false,
        invitations,
        gone: Vec::new(),
        full: true,
    };
    let told =
        "-- bob invites you: /join lobby (tea) --\n-- you are invited: /join lobby (tea) --\n";
    check_answer(&aside, &invited, told);
    check_answer(&aside, &inbox(Vec::new()), "");
}

#[test]
fn what_has_no_data_to_show_says_what_was_done() {
    let invite = Command::Invite { room: "den".into(), user: "bob".into(), reason: "".into() };
    check_answer(&note::typed(Op::Invite, &invite), &Reply::Done, "-- bob is invited to den --\n");
    let away = Command::Status { away: true };
    let said = "-- you are shown as away; /back ends it --\n";
    check_answer(&note::typed(Op::Status, &away), &Reply::Done, said);
}

#[test]
fn a_refusal_says_what_helps() {
    let refusal = |refusal: &Refusal, expect| check(expect, |out| super::refusal(out, refusal));
    refusal(&Refusal::new(Code::NoSuchRoom, "there is no such room"), "! there is no such room\n");
    refusal(
        &Refusal::new(Code::BadField, "room is \u{1b}X")
            .field("room", "a name")
            .hint(Some("x".to_owned())),
        "! room is ?X; expected: a name; did you mean x\n",
    );
    refusal(
        &Refusal::new(Code::RateLimited, "too fast").retry_after_ms(1_001),
        "! too fast; try again in 2 seconds\n",
    );
}
