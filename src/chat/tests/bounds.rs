//! Answers are of a bounded size, and what they leave out can be asked for.

use super::super::model::command::Page;
use super::super::model::file::{FILES_PER_MESSAGE_MAX, FileId};
use super::super::model::limits::{
    INBOX_BYTES_MAX, INBOX_ROW_OVERHEAD, PAGE_BYTES_MAX, SEARCH_BYTES_MAX,
};
use super::super::model::policy::{Policies, Policy};
use super::super::model::reply::{Durability, Presence};
use super::stored::{answer, harness, harness_of};
use super::*;

/// The seqs in the answer, and what they weigh together.
#[track_caller]
fn seqs(said: &[Output]) -> (Vec<u64>, usize) {
    let items: Vec<SharedRecord> = match answer(said) {
        Some(Output::Reply { result: Ok(Reply::History { items, .. }), .. }) => items.clone(),
        Some(Output::Reply { result: Ok(Reply::Found { items, .. }), .. }) => {
            items.iter().map(|(_, record)| SharedRecord::clone(record)).collect()
        }
        other => panic!("{other:?}"),
    };
    let bytes = items.iter().map(|record| usize::try_from(record.weight).unwrap()).sum();
    (items.iter().map(|record| record.seq).collect(), bytes)
}

#[test]
fn a_page_around_a_seq_holds_what_a_page_holds_in_memory_and_from_the_store() {
    for (ring_records, durability) in [(256, Durability::Memory), (2, Durability::Disk)] {
        let policies = Policies::uniform(Policy { durability, ..Policy::default() });
        let message_bytes = 1 << 20;
        let base = Limits { message_bytes, policies, ..Limits::default() };
        let limits = Limits { ring_records, ring_bytes: 1 << 20, ..base };
        let (mut harness, _shelf) = harness_of(limits);
        harness.hello(0, "ann");
        harness.join(0, "lobby");
        for (len, expect) in
            [(10, (1..=20).collect()), (5_000, vec![27, 28, 29, 30, 31, 32]), (40_000, vec![50])]
        {
            for _ in 0..20 {
                harness.say(0, &"x".repeat(len));
                harness.end_turn();
            }
            let head = harness.chat.rooms[harness.chat.rooms.named("lobby").unwrap()].head;
            let page = Page::Around(head - 10);
            let said = harness.run(
                0,
                Command::History { room: "lobby".into(), page, limit: Some(20), epoch: None },
            );
            let (seqs, bytes) = seqs(&said);
            assert!(bytes <= PAGE_BYTES_MAX || seqs.len() == 1, "{bytes}");
            assert_eq!(seqs, expect, "{ring_records} {len}");
        }
    }
}

#[test]
fn what_is_found_in_memory_weighs_no_more_than_its_share_of_a_page() {
    let mut harness = Harness::new(Limits { ring_bytes: 1 << 20, ..Limits::default() });
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    for _ in 0..12 {
        harness.say(0, &"word ".repeat(1_000));
        harness.end_turn();
    }
    let search = Command::Search { room: None, text: "word".into(), before: None, limit: Some(20) };
    let (seqs, bytes) = seqs(&harness.run(0, search));
    assert_eq!(seqs, [12, 11, 10]);
    assert!(bytes <= SEARCH_BYTES_MAX);
}

#[test]
fn an_inbox_of_very_many_rooms_is_told_in_parts() {
    let mut harness = Harness::new(Limits { rooms_per_user: 2_000, ..Limits::default() });
    harness.hello(0, "ann");
    for number in 0..1_000 {
        harness.join(0, &format!("r{number:04}"));
    }
    let (mut since, mut told) = (None, Vec::new());
    let fitting = INBOX_BYTES_MAX / (INBOX_ROW_OVERHEAD + "r0000".len());
    for expect in [(fitting, true), (fitting, true), (1_000 - 2 * fitting, false), (0, false)] {
        let said = harness.run(0, Command::Rooms { since });
        let Some(Output::Reply { result: Ok(Reply::Inbox { rev, rooms, more, .. }), .. }) =
            answer(&said)
        else {
            panic!("{said:?}");
        };
        assert_eq!((rooms.len(), *more), expect);
        told.extend(rooms.iter().map(|row| row.room.to_string()));
        since = Some(*rev);
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 1_000);
}

#[test]
fn an_inbox_is_told_whole_when_more_has_ended_than_is_remembered() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    harness.join(0, "lobby");
    let ask = |harness: &mut Harness, since| {
        let said = harness.run(0, Command::Rooms { since });
        let Some(Output::Reply { result: Ok(Reply::Inbox { rev, rooms, gone, full, .. }), .. }) =
            answer(&said)
        else {
            panic!("{said:?}");
        };
        (*rev, rooms.len(), gone.len(), *full)
    };
    let (rev, rows, gone, full) = ask(&mut harness, None);
    assert_eq!((rows, gone, full), (1, 0, true));
    for (more, expect) in [(10, (0, 0, false)), (60, (1, 0, true))] {
        // Another one's come and go: they are no affair of ann's, but for the places.
        for _ in 0..more {
            harness.join(1, "attic");
            harness.run(1, Command::Leave { room: "attic".into() });
        }
        let (_, rows, gone, full) = ask(&mut harness, Some(rev));
        assert_eq!((rows, gone, full), expect);
    }
}

#[test]
fn a_turn_ends_so_many_absences_and_the_next_one_the_others() {
    const COUNT: usize = 2 * TIMER_WORK_MAX;
    let mut harness = Harness::with_lobby(Limits::default(), COUNT);
    for number in 0..COUNT {
        harness.chat.handle_closed(harness.now, conn(number));
    }
    harness.end_turn();
    harness.now.tick = harness.now.tick.after(harness.chat.limits().leave_grace);
    let present = |harness: &Harness| {
        let users = harness.chat.directory.users();
        users.filter(|(_, user)| user.presence != Presence::Off).count()
    };
    let mut left = Vec::new();
    while harness.chat.next_deadline() <= harness.now.tick && present(&harness) > 0 {
        harness.chat.handle_timers(harness.now);
        left.push(present(&harness));
    }
    assert_eq!(left, [COUNT - TIMER_WORK_MAX, 0]);
}

#[test]
fn a_room_that_is_joined_and_left_for_ever_is_listed_as_empty_once() {
    let (mut harness, _shelf) = harness(8);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    harness.say(0, "x");
    for _ in 0..3_000 {
        harness.run(0, Command::Leave { room: "lobby".into() });
        let said = harness.join(0, "lobby");
        assert!(matches!(answer(&said), Some(Output::Reply { result: Ok(_), .. })), "{said:?}");
    }
    assert!(harness.chat.rooms.empty_len() < 1_100);
}

/// What ann is told when she writes to bob.
fn write_to_bob(harness: &mut Harness) -> Vec<String> {
    sent_to(&harness.run(0, message(Target::User("bob".into()), "hi", None)), 0)
}

#[test]
fn a_conversation_for_whose_other_end_there_is_no_place_leaves_nothing_behind() {
    let mut harness = Harness::new(Limits { memberships: 1, ..Limits::default() });
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    assert_eq!(write_to_bob(&mut harness), ["no 5004"]);
    assert_eq!((harness.chat.rooms.table.len(), harness.chat.rooms.memberships.len()), (0, 0));
}

#[test]
fn a_join_that_is_refused_leaves_no_room_behind() {
    let mut harness = Harness::new(Limits { rooms_per_user: 1, ..Limits::default() });
    harness.hello(0, "ann");
    for (room, expect) in [("lobby", "joined"), ("attic", "no 3011")] {
        assert!(sent_to(&harness.join(0, room), 0)[0].starts_with(expect), "{room}");
    }
    assert_eq!(harness.chat.rooms.table.len(), 1);
}

#[test]
fn a_conversation_takes_the_place_of_a_room_of_the_very_user_who_is_written_to() {
    let mut harness = Harness::new(Limits { rooms: 1, ..Limits::default() });
    harness.hello(1, "bob");
    harness.join(1, "lobby");
    harness.run(1, message(Target::Room("lobby".into()), "to be forgotten", None));
    harness.chat.handle_closed(harness.now, conn(1));
    harness.wait(60_000);
    harness.hello(0, "ann");
    assert_eq!(write_to_bob(&mut harness).last().map(String::as_str), Some("sent 1"));
    harness.hello(1, "bob");
    let rows = harness.run(1, Command::Rooms { since: None });
    let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. }) = answer(&rows) else {
        panic!("{rows:?}");
    };
    let rooms: Vec<&str> = rooms.iter().map(|row| row.room.as_str()).collect();
    assert_eq!(rooms, ["@ann:bob"]);
}

#[test]
fn a_message_refers_to_so_many_files_and_to_none_where_none_are_kept() {
    let most = u8::try_from(FILES_PER_MESSAGE_MAX).unwrap();
    for (mut harness, files, expect) in [
        (Harness::new(Limits::default()), 0, "sent 1"),
        (Harness::new(Limits::default()), 1, "no 1003"),
        (harness(4).0, most + 1, "no 1003"),
        (harness(4).0, most, "sent 1"),
    ] {
        harness.enter(["ann"]);
        let ids = (0..files).map(|number| FileId::of([number; 20]).as_str().to_owned());
        let mut command = message(Target::Room("lobby".into()), "look", None);
        if let Command::Send(send) = &mut command {
            send.data = Some(format!("{:?}", ids.collect::<Vec<_>>()).into());
        }
        assert_eq!(sent_to(&harness.run(0, command), 0), [expect], "{files} files");
    }
}
