//! Users, sessions, presence, typing, receipts, and what is forgotten.

use super::super::model::log::LogFault;
use super::*;

#[test]
fn presence_is_gathered_and_told_as_one_change() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    harness.hello(1, "bob");
    harness.join(1, "lobby");
    let said = harness.wait(60);
    let all = "presence 1 2 Delta { on: [\"ann\", \"bob\"], away: [], off: [] }";
    assert_eq!(sent_to(&said, 0), [all]);
    harness.run(1, Command::Status { away: true });
    let said = harness.wait(1_000);
    assert_eq!(sent_to(&said, 0), ["presence 2 2 Delta { on: [], away: [\"bob\"], off: [] }"]);
}

#[test]
fn what_a_session_has_said_of_itself_holds_after_a_resume() {
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    let first = harness.hello(1, "bob");
    harness.join(1, "lobby");
    harness.run(1, Command::Status { away: true });
    harness.wait(2_000);
    let presence = |harness: &mut Harness| {
        harness.wait(2_000);
        let said = harness.run(0, Command::Presence { room: "lobby".into() });
        let line = sent_to(&said, 0).pop().unwrap();
        line.contains("(\"bob\", Away)")
    };
    let secret = |said: &[Output]| match said.iter().rev().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Welcome { session, .. }), .. } => Some(session),
        _ => None,
    }) {
        Some(session) => session.to_string(),
        None => panic!("{said:?}"),
    };
    // Over a lost connection, and over one that is still there.
    harness.chat.handle_closed(harness.now, conn(1));
    let second = secret(&harness.hello_with(2, Some("bob"), Some((&first, &[]))));
    assert!(presence(&mut harness));
    let third = secret(&harness.hello_with(3, Some("bob"), Some((&second, &[]))));
    assert!(presence(&mut harness));
    // Another session speaks for itself, and so does this one when it changes its mind.
    harness.hello(4, "bob");
    assert!(!presence(&mut harness));
    harness.chat.handle_closed(harness.now, conn(4));
    harness.run(3, Command::Status { away: false });
    harness.chat.handle_closed(harness.now, conn(3));
    harness.hello_with(5, Some("bob"), Some((&third, &[])));
    assert!(!presence(&mut harness));
}

#[test]
fn who_asks_at_once_is_there() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    let said = harness.run(0, Command::Presence { room: "lobby".into() });
    let delta = "presence 1 1 Delta { on: [\"ann\"], away: [], off: [] }";
    let state = "Presence { v: 1, count: 1, users: Some([(\"ann\", Online)]) }";
    assert_eq!(sent_to(&said, 0), [delta, state]);
}

#[test]
fn who_comes_back_within_the_grace_was_never_gone() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.chat.handle_closed(harness.now, conn(1));
    assert_eq!(sent_to(&harness.wait(14_000), 0), [""; 0]);
    harness.hello(5, "u1");
    assert_eq!(sent_to(&harness.wait(60_000), 0), [""; 0]);
    harness.chat.handle_closed(harness.now, conn(5));
    let said = harness.wait(16_000);
    assert_eq!(sent_to(&said, 0), ["presence 2 1 Delta { on: [], away: [], off: [\"u1\"] }"]);
}

#[test]
fn who_comes_and_goes_all_the_time_is_told_once_and_noted_a_bounded_number_of_times() {
    let mut harness = Harness::with_lobby(Limits::default(), 3);
    let leave = || Command::Leave { room: "lobby".into() };
    for _ in 0..1_000 {
        // Keys of memberships change hands, within the room and with another.
        harness.run(1, leave());
        harness.run(2, leave());
        harness.join(2, "lobby");
        harness.join(1, "lobby");
        harness.join(1, "other");
        harness.run(1, Command::Leave { room: "other".into() });
        harness.chat.debug_check();
    }
    harness.run(2, leave());
    for (key, _) in harness.chat.rooms.table.iter() {
        let noted = harness.chat.ephemeral.changes(key);
        assert!(noted <= 2 * 3 + 65, "{noted}");
    }
    let said = harness.wait(1_100);
    assert_eq!(sent_to(&said, 0), ["presence 2 2 Delta { on: [\"u1\"], away: [], off: [\"u2\"] }"]);
}

#[test]
fn a_large_room_is_told_counts_only_and_seldom() {
    let members = PRESENCE_NAMES_MAX + 1;
    let mut harness = Harness::with_lobby(Limits::default(), members);
    harness.chat.handle_closed(harness.now, conn(3));
    let said = harness.wait(20_000);
    let heard = sent_to(&said, 0);
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].ends_with(&format!("{} CountOnly", members - 1)), "{heard:?}");
}

#[test]
fn nobody_is_told_that_they_are_typing_themselves() {
    let mut harness = Harness::with_lobby(Limits::default(), 3);
    harness.run(0, Command::Typing { room: "lobby".into() });
    let said = harness.wait(100);
    assert_eq!(sent_to(&said, 0), [""; 0]);
    assert_eq!(sent_to(&said, 1), ["typing [\"u0\"]"]);
    harness.run(1, Command::Typing { room: "lobby".into() });
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, 0), ["typing [\"u1\"]"]);
    assert_eq!(sent_to(&said, 1), ["typing [\"u0\"]"]);
    assert_eq!(sent_to(&said, 2), ["typing [\"u0\", \"u1\"]"]);
    // Who has said it does not type any more.
    harness.say(0, "hi");
    harness.end_turn();
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, 2), ["typing [\"u1\"]"]);
    let said = harness.wait(10_000);
    assert_eq!(sent_to(&said, 2).last().map(String::as_str), Some("typing []"));
}

#[test]
fn a_slow_typist_is_not_told_who_else_is_typing_until_it_is_in_step() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.run(1, Command::Typing { room: "lobby".into() });
    harness.wait(1_000);
    harness.chat.handle_blocked(conn(1), Limits::default().outbound_soft);
    harness.run(0, Command::Typing { room: "lobby".into() });
    assert_eq!(sent_to(&harness.wait(1_500), 1), [""; 0]);
    harness.chat.handle_drained(harness.now, conn(1));
    let told = sent_to(&harness.end_turn(), 1);
    assert!(told.contains(&"typing [\"u0\"]".to_owned()), "{told:?}");
}

#[test]
fn receipts_rise_and_are_told_to_the_others() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.say(0, "a");
    harness.say(0, "b");
    harness.end_turn();
    let ack =
        |read| Command::Ack { room: "lobby".into(), recv: None, read: Some(read), epoch: None };
    for read in [2, 1] {
        let said = harness.run(1, ack(read));
        let expect = "Acked { room: \"lobby\", recv: 2, read: 2 }";
        assert_eq!(sent_to(&said, 1), [expect]);
    }
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, 0), ["receipts [(\"u1\", 2)]"]);
    assert_eq!(sent_to(&said, 1), [""; 0]);
    assert_eq!(sent_to(&harness.run(1, ack(3)), 1), ["no 4003"]);
}

#[test]
fn who_was_given_much_in_one_turn_is_told_the_state_in_the_next() {
    let limits = Limits { outbound_soft: 6 * weight(0), ..Limits::default() };
    let mut harness = Harness::with_lobby(limits, 2);
    harness.hello(2, "u2");
    harness.join(2, "lobby");
    harness.now.tick = Tick::from_millis(harness.now.tick.as_millis() + 60);
    for _ in 0..4 {
        harness.say(0, "");
    }
    // This hands over what was said before it.
    harness.ask(1, Command::Join { room: "lobby".into(), after: None, epoch: None });
    harness.chat.handle_timers(harness.now);
    let expect = ["#1", "#2", "#3", "#4", "joined at 4 from 1", "wake"];
    assert_eq!(sent_to(&harness.end_turn(), 1), expect);
    harness.chat.handle_drained(harness.now, conn(1));
    let told = sent_to(&harness.end_turn(), 1);
    assert!(told.iter().any(|line| line.starts_with("presence 2 3 State")), "{told:?}");
}

#[test]
fn a_direct_message_subscribes_all_live_sessions_of_both() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    harness.hello(2, "bob");
    harness.hello(3, "eve");
    let said = harness.run(0, message(Target::User("bob".into()), "psst", None));
    assert_eq!(sent_to(&said, 0), ["subscribed @ann:bob at 0", "sent 1"]);
    assert_eq!(sent_to(&said, 1), ["subscribed @ann:bob at 0", "#1"]);
    assert_eq!(sent_to(&said, 2), ["subscribed @ann:bob at 0", "#1"]);
    for command in [
        Command::Join { room: "@ann:bob".into(), after: None, epoch: None },
        message(Target::Room("@ann:bob".into()), "hi", None),
        Command::Presence { room: "@ann:bob".into() },
        Command::Typing { room: "@ann:bob".into() },
    ] {
        assert_eq!(sent_to(&harness.run(3, command), 3), ["no 3001"]);
    }
    let again = harness.run(1, message(Target::Room("@ann:bob".into()), "yo", None));
    assert_eq!(sent_to(&again, 0), ["#2"]);
    assert_eq!(sent_to(&again, 2), ["#2"]);
}

#[test]
fn a_conversation_is_found_whether_its_two_are_in_few_rooms_or_in_many() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    let say = |harness: &mut Harness, from, to: &str| {
        let said = harness.run(from, message(Target::User(to.into()), "psst", None));
        sent_to(&said, from).pop()
    };
    assert_eq!(say(&mut harness, 0, "bob").as_deref(), Some("sent 1"));
    assert_eq!(say(&mut harness, 1, "ann").as_deref(), Some("sent 2"));
    assert_eq!(say(&mut harness, 0, "bo").as_deref(), Some("sent 1"), "of another one");
    for number in 0..8 {
        harness.join(0, &format!("room{number}"));
        let sent = format!("sent {}", 3 + number);
        assert_eq!(say(&mut harness, 0, "bob"), Some(sent), "in {number} more");
    }
    // Who has left is brought back by the next message, from either side.
    harness.run(1, Command::Leave { room: "@ann:bob".into() });
    assert_eq!(say(&mut harness, 0, "bob").as_deref(), Some("sent 11"));
    harness.run(0, Command::Leave { room: "@ann:bob".into() });
    assert_eq!(say(&mut harness, 1, "ann").as_deref(), Some("sent 12"));
}

#[test]
fn a_direct_message_waits_for_who_is_not_there_yet() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.run(0, message(Target::User("bob".into()), "psst", None));
    harness.hello(1, "bob");
    let join = Command::Join { room: "@ann:bob".into(), after: Some(0), epoch: None };
    let said = harness.run(1, join);
    assert_eq!(sent_to(&said, 1), ["joined at 1 from 1", "replay 1..=1", "live 1"]);
}

#[test]
fn the_same_session_again_replaces_the_old_connection() {
    let mut harness = Harness::new(Limits::default());
    let secret = harness.hello(0, "ann");
    let said = harness.hello_with(1, Some("ann"), Some((&secret, &[])));
    assert_eq!(sent_to(&said, 0), ["close Replaced"]);
    assert_eq!(sent_to(&said, 1), ["welcome ann true"]);
    let said = harness.hello_with(2, Some("bob"), Some((&secret, &[])));
    assert_eq!(sent_to(&said, 2), ["welcome bob false"]);
}

#[test]
fn who_may_not_return_yet_can_return_later() {
    let mut harness = Harness::new(Limits { sessions_per_user: 2, ..Limits::default() });
    let secret = harness.hello(0, "ann");
    harness.chat.handle_closed(harness.now, conn(0));
    harness.hello(1, "ann");
    harness.hello(3, "ann");
    assert_eq!(sent_to(&harness.hello_with(2, None, Some((&secret, &[]))), 2), ["no 3012"]);
    harness.chat.handle_closed(harness.now, conn(1));
    let said = harness.hello_with(2, None, Some((&secret, &[])));
    assert_eq!(sent_to(&said, 2), ["welcome ann true"]);
}

#[test]
fn nobody_converses_with_themselves() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    assert_eq!(sent_to(&harness.join(0, "@ann:ann"), 0), ["no 3001"]);
    let said = harness.run(0, message(Target::User("ann".into()), "hm", None));
    assert_eq!(sent_to(&said, 0), ["no 1003"]);
}

#[test]
fn guests_are_forgotten_in_time_and_so_are_rooms_without_members() {
    let mut harness = Harness::new(Limits::default());
    harness.hello_with(0, None, None);
    harness.join(0, "lobby");
    harness.say(0, "hi");
    harness.end_turn();
    harness.chat.handle_closed(harness.now, conn(0));
    harness.wait(500_000);
    assert_eq!(harness.chat.sizes()[..3], [1, 1, 1]);
    harness.wait(800_000);
    assert_eq!(harness.chat.sizes(), [0, 0, 0, 0]);
    assert_eq!(harness.chat.next_deadline(), Tick::MAX);
}

#[test]
fn a_named_member_keeps_its_place_until_it_is_needed() {
    let mut harness = Harness::new(Limits { users: 2, ..Limits::default() });
    for number in 0..2 {
        harness.hello(number, &format!("u{number}"));
        harness.join(number, "lobby");
    }
    let busy = harness.hello_with(2, Some("u2"), None);
    assert_eq!(sent_to(&busy, 2), ["no 5004"]);
    harness.chat.handle_closed(harness.now, conn(0));
    harness.wait(14_000);
    assert_eq!(sent_to(&harness.hello_with(2, Some("u2"), None), 2), ["no 5004"]);
    assert_eq!(harness.chat.sizes()[2], 2);
    harness.wait(2_000);
    assert_eq!(sent_to(&harness.hello_with(2, Some("u2"), None), 2), ["welcome u2 false"]);
    assert_eq!(harness.chat.sizes()[2], 1);
}

#[test]
fn a_known_session_does_not_bring_back_a_room_that_was_left() {
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    let secret = harness.hello(1, "ann");
    harness.hello(2, "ann");
    harness.join(1, "lobby");
    harness.chat.handle_closed(harness.now, conn(1));
    harness.run(2, Command::Leave { room: "lobby".into() });
    let said = harness.hello_with(3, Some("ann"), Some((&secret, &[("lobby", Epoch(1), 0)])));
    let heard = sent_to(&said, 3);
    assert!(heard[0].contains("welcome ann true lobby: Refused"), "{heard:?}");
}

#[test]
fn each_bound_refuses_in_its_own_code() {
    let limits = Limits {
        rooms: 3,
        rooms_per_user: 2,
        members_per_room: 1,
        sessions_per_user: 1,
        ..Limits::default()
    };
    let mut harness = Harness::new(limits);
    harness.hello(0, "ann");
    harness.join(0, "a");
    harness.join(0, "b");
    assert_eq!(sent_to(&harness.join(0, "c"), 0), ["no 3011"]);
    harness.hello(1, "bob");
    assert_eq!(sent_to(&harness.join(1, "a"), 1), ["no 3009"]);
    harness.join(1, "c");
    assert_eq!(sent_to(&harness.join(1, "d"), 1), ["no 5004"]);
    assert_eq!(sent_to(&harness.hello_with(2, Some("ann"), None), 2), ["no 3012"]);
    assert_eq!(sent_to(&harness.join(1, "A"), 1), ["no 1003"]);
}

#[test]
fn a_private_room_does_not_exist_for_strangers() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    let create = || Command::Create {
        room: "den".into(),
        topic: Some("hush".into()),
        private: true,
        policy: None,
    };
    harness.run(0, create());
    assert_eq!(sent_to(&harness.run(1, create()), 1), ["no 3002"]);
    assert_eq!(sent_to(&harness.join(1, "den"), 1), ["no 3001"]);
    assert_eq!(sent_to(&harness.run(1, Command::Leave { room: "den".into() }), 1), ["no 3001"]);
}

#[test]
fn who_stops_takes_no_record_and_says_when_to_come_back() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.chat.stop(harness.now);
    harness.say(0, "late");
    assert_eq!(sent_to(&harness.end_turn(), 0), ["no 5006"]);
    harness.chat.drain(conn(1), (5_000, 20_000));
    assert_eq!(sent_to(&harness.end_turn(), 1), ["drain 5000"]);
}

#[test]
fn who_has_left_a_conversation_is_brought_back_by_the_next_message() {
    for target in [Target::User("bob".into()), Target::Room("@ann:bob".into())] {
        let mut harness = Harness::new(Limits::default());
        harness.hello(0, "ann");
        harness.hello(1, "bob");
        harness.run(0, message(Target::User("bob".into()), "hi", None));
        harness.run(1, Command::Leave { room: "@ann:bob".into() });
        let said = harness.run(0, message(target.clone(), "still there?", None));
        let heard = sent_to(&said, 1);
        assert_eq!(heard, ["subscribed @ann:bob at 1", "#2"], "{target:?}");
    }
}

#[test]
fn a_message_that_is_refused_leaves_no_conversation_behind() {
    let long = "x".repeat(Limits::default().message_bytes + 1);
    let cases = [(&*long, None, "no 4001"), ("hi", Some(LogFault::Full), "no 5005")];
    let (mut harness, shelf) = stored::harness(4);
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    let check = |text: &str, expect: &str, harness: &mut Harness| {
        let said = harness.run(0, message(Target::User("bob".into()), text, None));
        assert_eq!(sent_to(&said, 0), [expect]);
        assert_eq!(harness.chat.rooms.table.iter().count(), 0, "{expect}");
    };
    for (text, fault, expect) in cases {
        shelf.0.borrow_mut().fault = fault;
        check(text, expect, &mut harness);
    }
    harness.chat.stop(harness.now);
    check("hi", "no 5006", &mut harness);
}

#[test]
fn of_two_first_messages_the_one_that_is_taken_keeps_the_conversation() {
    let (mut harness, shelf) = stored::harness(4);
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    shelf.0.borrow_mut().slow = true;
    for fault in [Some(LogFault::Full), None] {
        shelf.0.borrow_mut().fault = fault;
        harness.run(0, message(Target::User("bob".into()), "hi", None));
    }
    shelf.0.borrow_mut().slow = false;
    let said = harness.end_turn();
    let lines = |number| {
        let mut lines = sent_to(&said, number);
        lines.retain(|line| !line.starts_with("subscribed"));
        lines
    };
    assert_eq!((lines(0), lines(1)), (vec!["no 5005".into(), "sent 1".into()], vec!["#1".into()]));
}

#[test]
fn a_name_that_is_written_to_is_kept_as_long_as_the_log_owes_an_answer() {
    let (mut harness, shelf) = stored::harness(4);
    harness.hello(0, "ann");
    shelf.0.borrow_mut().slow = true;
    harness.run(0, message(Target::User("zoe".into()), "hi", None));
    // Longer than who is absent is waited for.
    harness.wait(60_000);
    shelf.0.borrow_mut().slow = false;
    assert!(sent_to(&harness.end_turn(), 0).contains(&"sent 1".to_owned()));
    harness.hello(1, "zoe");
    let said = harness.run(1, Command::Rooms { since: None });
    assert!(format!("{said:?}").contains("@ann:zoe"), "{said:?}");
}
