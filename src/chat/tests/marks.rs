//! How far users have read: kept before it is told, and told to whom it concerns.

use super::super::model::load::Begun;
use super::super::model::log::{LogFault, MemberMeta, RoomMeta};
use super::super::model::reply::{Durability, ReadMarks, Role};
use super::stored::{FakeStore, harness, say_many};
use super::*;

fn ack(read: u64) -> Command<'static> {
    Command::Ack { room: "lobby".into(), recv: None, read: Some(read), epoch: None }
}

/// The receipts that a connection is told.
fn receipts(said: &[Output], number: usize) -> Vec<String> {
    let mut lines = sent_to(said, number);
    lines.retain(|line| line.contains("receipt"));
    lines
}

#[test]
fn a_mark_is_told_when_it_is_kept_and_not_before() {
    let (mut harness, shelf) = harness(4);
    harness.enter(["ann", "bob", "bob"]);
    say_many(&mut harness, 0, 3);
    harness.wait(5_000);
    shelf.0.borrow_mut().slow = true;
    harness.run(1, ack(2));
    let mut said = harness.run(1, Command::Rooms { since: None });
    said.extend(harness.run(2, Command::Rooms { since: None }));
    said.extend(harness.wait(5_000));
    let read = |number: usize, said: &[Output]| {
        let lines = sent_to(said, number);
        let read = |line: &String| line.contains("Inbox").then(|| line.contains("read: 2"));
        (lines.iter().filter_map(read).collect::<Vec<_>>(), receipts(said, number))
    };
    assert_eq!(read(0, &said), (vec![], vec![]));
    assert_eq!(read(1, &said), (vec![], vec![]), "who asks after an ack waits for it");
    assert_eq!(read(2, &said), (vec![], vec![]), "and so does the user's other connection");
    shelf.0.borrow_mut().slow = false;
    let mut said = harness.end_turn();
    assert_eq!(sent_to(&said, 1)[0], "Acked { room: \"lobby\", recv: 2, read: 2 }");
    assert_eq!(read(1, &said), (vec![true], vec![]));
    assert_eq!(read(2, &said), (vec![true], vec!["own receipt 2".to_owned()]));
    said = harness.wait(2_000);
    assert_eq!(receipts(&said, 0), ["receipts [(\"bob\", 2)]"]);
    assert_eq!(receipts(&said, 1), [""; 0]);
}

#[test]
fn an_inbox_waits_for_the_marks_before_it_and_not_for_those_after_it() {
    let (mut harness, shelf) = harness(4);
    harness.enter(["ann", "bob", "bob"]);
    say_many(&mut harness, 0, 3);
    harness.wait(5_000);
    shelf.0.borrow_mut().slow = true;
    harness.run(1, ack(1));
    harness.run(1, Command::Rooms { since: None });
    harness.wait(1_000);
    harness.run(2, ack(2));
    shelf.0.borrow_mut().slow = false;
    let said = sent_to(&harness.end_turn(), 1);
    assert!(said.iter().any(|line| line.contains("Inbox")), "{said:?}");
}

#[test]
fn a_mark_that_cannot_be_kept_is_refused_and_told_to_nobody() {
    let (mut harness, shelf) = harness(4);
    harness.enter(["ann", "bob", "bob"]);
    say_many(&mut harness, 0, 3);
    harness.wait(5_000);
    shelf.0.borrow_mut().fault = Some(LogFault::Full);
    harness.run(1, ack(3));
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, 1), ["no 5005"]);
    assert_eq!((receipts(&said, 0), receipts(&said, 2)), (vec![], vec![]));
    shelf.0.borrow_mut().fault = None;
    harness.run(1, ack(3));
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, 1), ["Acked { room: \"lobby\", recv: 3, read: 3 }"]);
    assert_eq!(receipts(&said, 2), ["own receipt 3"]);
}

#[test]
fn no_other_change_of_a_membership_takes_a_mark_back() {
    let (mut harness, shelf) = harness(4);
    harness.enter_owned();
    say_many(&mut harness, 0, 3);
    harness.wait(5_000);
    shelf.0.borrow_mut().slow = true;
    harness.run(1, ack(3));
    harness.wait(1_000);
    harness.run(0, moderate("lobby", "bob", ModerationCommand::Role(Role::Moderator)));
    shelf.0.borrow_mut().slow = false;
    let mut said = harness.end_turn();
    said.extend(harness.wait(2_000));
    assert_eq!(sent_to(&said, 1)[0], "Acked { room: \"lobby\", recv: 3, read: 3 }");
    assert_eq!(kept_of_bob(&shelf), (Role::Moderator, 3));
    // Nor one that the log could not write, and writes when it can.
    say_many(&mut harness, 0, 1);
    shelf.0.borrow_mut().fault = Some(LogFault::Full);
    harness.run(1, ack(5));
    assert!(sent_to(&harness.wait(2_000), 1).contains(&"no 5005".to_owned()));
    shelf.0.borrow_mut().fault = None;
    harness.run(0, moderate("lobby", "bob", ModerationCommand::Role(Role::Member)));
    assert_eq!(kept_of_bob(&shelf), (Role::Member, 5));
}

/// What the store was told of bob's membership last: the role, and up to where he has read.
fn kept_of_bob(shelf: &FakeStore) -> (Role, u64) {
    let shelf = shelf.0.borrow();
    let kept = shelf.meta.iter().rev().find_map(|meta| match meta {
        RoomMeta::Member(user, member) if user.as_str() == "bob" => *member,
        _ => None,
    });
    kept.map(|MemberMeta { role, read, .. }| (role, read)).unwrap()
}

#[test]
fn marks_that_are_being_written_when_their_log_is_lost_are_refused_and_count_for_nothing() {
    let (mut harness, shelf) = harness(4);
    harness.enter(["ann", "bob"]);
    say_many(&mut harness, 0, 3);
    harness.wait(5_000);
    shelf.0.borrow_mut().slow = true;
    harness.run(1, ack(3));
    harness.wait(1_000);
    let key = harness.chat.rooms.named("lobby").unwrap();
    let room = &harness.chat.rooms[key];
    let (name, epoch, log) = (room.name.clone(), Epoch(room.epoch.0 + 1), room.log);
    let member = MemberMeta { role: Role::Member, recv: 0, read: 0, joined: 0 };
    let member = |name| RoomMeta::Member(UserName::parse(name).unwrap(), Some(member));
    let meta = ["ann", "bob"].map(member).to_vec();
    let (durability, kept) = (Durability::Disk, None);
    let begun = Box::new(Begun { name, epoch, durability, head: 1, oldest: 1, meta, kept });
    harness.chat.on_log_reply(harness.now, LogReply::Renewed { log, begun });
    shelf.0.borrow_mut().slow = false;
    let said = sent_to(&harness.end_turn(), 1);
    assert!(said.contains(&"no 4004".to_owned()), "{said:?}");
    assert!(harness.chat.rooms.members(key).all(|row| row.marks().read == 0));
}

#[test]
fn what_is_read_on_one_device_is_told_on_the_others_at_once_in_rooms_of_any_size() {
    for users in [2, 60] {
        let mut harness = Harness::with_lobby(Limits::default(), users);
        // One that is in the room, and one that only knows of it.
        harness.hello(100, "u1");
        harness.join(100, "lobby");
        harness.hello(101, "u1");
        say_many(&mut harness, 0, 3);
        harness.wait(5_000);
        let said = harness.run(1, ack(2));
        for number in [100, 101] {
            assert_eq!(receipts(&said, number), ["own receipt 2"], "{users} users");
        }
        let later = harness.wait(5_000);
        for number in [1, 100, 101] {
            assert_eq!(receipts(&later, number), [""; 0], "{users} users");
        }
        assert_eq!(receipts(&said, 1), [""; 0]);
        assert_eq!(receipts(&harness.run(100, ack(1)), 1), [""; 0], "it does not go back");
        // A slow one is told when it is in step again.
        harness.chat.handle_blocked(conn(100), Limits::default().outbound_soft);
        assert_eq!(receipts(&harness.run(1, ack(3)), 100), [""; 0]);
        harness.chat.handle_drained(harness.now, conn(100));
        assert!(receipts(&harness.end_turn(), 100).contains(&"own receipt 3".to_owned()));
    }
}

#[test]
fn others_marks_come_with_a_join_and_with_each_resumed_room_where_they_are_told_at_all() {
    for (users, is_told) in [(49, true), (60, false)] {
        let mut harness = Harness::with_lobby(Limits::default(), users);
        say_many(&mut harness, 0, 3);
        harness.run(1, ack(2));
        let epoch = harness.chat.rooms.table.iter().next().unwrap().1.epoch;
        let mine = |marks: &ReadMarks| {
            marks.iter().map(|(name, read)| format!("{name} {read}")).collect::<Vec<_>>()
        };
        let expect: &[&str] = if is_told { &["u1 2"] } else { &[] };
        harness.hello(100, "u0");
        let said = harness.join(100, "lobby");
        let Some(Output::Reply { result: Ok(Reply::Joined { marks, .. }), .. }) = said.first()
        else {
            panic!("{said:?}");
        };
        assert_eq!(mine(marks), expect);
        let said = harness.hello_with(101, Some("u0"), Some(("gone", &[("lobby", epoch, 3)])));
        let Some(Output::Reply { result: Ok(Reply::Welcome { rooms, .. }), .. }) = said.first()
        else {
            panic!("{said:?}");
        };
        assert_eq!(mine(&rooms[0].marks), expect);
    }
}

#[test]
fn marks_that_are_too_many_for_a_welcome_are_told_afterwards() {
    let mut harness = Harness::new(Limits::default());
    let rooms: Vec<String> = (0..30).map(|number| format!("r{number}")).collect();
    for number in 0..50 {
        harness.hello(number, &format!("u{number}"));
        for room in &rooms {
            harness.join(number, room);
        }
    }
    for room in &rooms {
        harness.run(0, message(Target::Room(room.as_str().into()), "hi", None));
        for number in 1..50 {
            let room = room.as_str().into();
            let ack = Command::Ack { room, recv: None, read: Some(1), epoch: None };
            harness.run(number, ack);
        }
    }
    harness.wait(5_000);
    let epoch = |room: &String| {
        let key = harness.chat.rooms.named(room).unwrap();
        harness.chat.rooms[key].epoch
    };
    let positions: Vec<_> = rooms.iter().map(|room| (&**room, epoch(room), 1)).collect();
    let said = harness.hello_with(60, Some("u0"), Some(("gone", &positions)));
    let Some(Output::Reply { result: Ok(Reply::Welcome { rooms: told, .. }), .. }) = said.first()
    else {
        panic!("no welcome");
    };
    let in_welcome = told.iter().filter(|row| row.marks.len() == 49).count();
    assert!((5..rooms.len()).contains(&in_welcome), "{in_welcome}");
    assert!(sent_to(&said, 60).contains(&"wake".to_owned()));
    let mut afterwards = Vec::new();
    while afterwards.len() < 2 * (rooms.len() - in_welcome) {
        harness.chat.handle_drained(harness.now, conn(60));
        let told = receipts(&harness.end_turn(), 60);
        assert!(!told.is_empty(), "{afterwards:?}");
        afterwards.extend(told);
    }
}

#[test]
fn who_acknowledges_twice_before_the_marks_are_kept_is_told_neither() {
    let (mut harness, _) = harness(4);
    harness.enter(["ann", "bob", "bob"]);
    say_many(&mut harness, 0, 3);
    harness.wait(5_000);
    for read in [1, 2] {
        let quiet = Request { id: None, op: Op::Ack };
        harness.chat.handle_command(harness.now, conn(1), quiet, ack(read));
    }
    let said = harness.wait(2_000);
    assert_eq!(receipts(&said, 1), [""; 0]);
    assert_eq!(receipts(&said, 2), ["own receipt 2"]);
}

#[test]
fn a_mark_waits_while_an_act_about_its_member_is_under_way() {
    let (mut harness, shelf) = harness(4);
    harness.enter_owned();
    say_many(&mut harness, 0, 3);
    harness.wait(5_000);
    shelf.0.borrow_mut().slow = true;
    harness.run(0, moderate("lobby", "bob", ModerationCommand::Role(Role::Moderator)));
    harness.run(1, ack(3));
    harness.wait(1_000);
    shelf.0.borrow_mut().slow = false;
    let mut said = harness.end_turn();
    said.extend(harness.wait(2_000));
    let acked = "Acked { room: \"lobby\", recv: 3, read: 3 }";
    assert!(sent_to(&said, 1).iter().any(|line| line == acked), "{said:?}");
}

#[test]
fn marks_are_kept_in_batches_and_at_once_when_the_server_stops() {
    let (mut harness, _) = harness(4);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 4);
    harness.wait(5_000);
    let mut acked = |read, millis, stops| {
        if stops {
            harness.chat.stop(harness.now);
        }
        let mut said = harness.run(0, ack(read));
        said.extend(harness.wait(millis));
        sent_to(&said, 0).iter().any(|line| line.contains(&format!("read: {read}")))
    };
    assert!(acked(1, 10, false), "nothing was kept of late");
    assert!(!acked(2, 10, false), "the next batch has to wait");
    assert!(acked(3, 250, false));
    assert!(acked(4, 0, true), "there may be no later");
}
