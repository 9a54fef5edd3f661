//! Walks through a log: from every position, in every direction and size, everything that is kept
//! is met once, wherever it is.

use super::super::model::command::Page;
use super::super::model::load::Begun;
use super::super::model::log::Snapshot;
use super::super::model::meta::{MemberMeta, RoomMeta};
use super::super::model::name::{RoomName, UserName};
use super::super::model::policy::{Policies, Policy};
use super::super::model::reply::{Durability, Role};
use super::stored::{FakeStore, answer, harness, harness_of, lines_to, say_many};
use super::*;

/// The last seq of every log here.
const HEAD: u64 = 40;
const SIZES: [u32; 5] = [1, 2, 7, 39, 200];

/// How a log came to be as it is.
#[derive(Clone, Copy, Debug)]
struct History {
    durability: Durability,
    ring_records: usize,
    /// The first seq that retention has kept.
    oldest: u64,
    /// The server has begun anew since: the ring is empty.
    is_restarted: bool,
}

impl History {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for ring_records in [1, 7, 100] {
            let durability = Durability::Memory;
            let oldest = HEAD + 1 - HEAD.min(u64::try_from(ring_records).unwrap());
            all.push(Self { durability, ring_records, oldest, is_restarted: false });
            for oldest in [1, 2, 12, 37, HEAD, HEAD + 1] {
                let durability = Durability::Disk;
                let history = Self { durability, ring_records, oldest, is_restarted: false };
                all.extend([history, Self { is_restarted: true, ..history }]);
            }
        }
        all
    }

    /// A domain with such a log of the room `lobby`, of which `ann` is a member.
    fn harness(self) -> (Harness, FakeStore) {
        let Self { durability, ring_records, oldest, is_restarted } = self;
        let policies = Policies::uniform(Policy { durability, ..Policy::default() });
        let limits = Limits { ring_records, replay: 9, policies, ..Limits::default() };
        let (mut harness, shelf) = harness_of(limits.clone());
        if durability == Durability::Memory {
            harness = Harness::new(limits.clone());
        }
        harness.hello(0, "ann");
        harness.join(0, "lobby");
        say_many(&mut harness, 0, usize::try_from(HEAD).unwrap());
        let room = &harness.chat.rooms[harness.chat.rooms.named("lobby").unwrap()];
        let (log, epoch) = (room.log, room.epoch);
        if durability != Durability::Memory {
            shelf.0.borrow_mut().prune(log, oldest);
            harness.end_turn();
        }
        if is_restarted {
            harness = Harness::new(limits);
            harness.store = Box::new(shelf.clone());
            let name = RoomName::parse("lobby").unwrap();
            let meta = Vec::new();
            let kept = Begun { name, epoch, durability, head: HEAD, oldest, meta, kept: None };
            let snapshot = Snapshot { rooms: vec![kept], ..Snapshot::default() };
            harness.chat.restore(harness.now, snapshot);
            harness.end_turn();
            harness.hello(0, "ann");
            harness.join(0, "lobby");
            let room = &harness.chat.rooms[harness.chat.rooms.named("lobby").unwrap()];
            assert_eq!(room.log, log, "the log on the shelf is that of the room");
        }
        (harness, shelf)
    }
}

/// The seqs of a page, and whether the log has more.
#[track_caller]
fn page(harness: &mut Harness, page: Page, limit: u32) -> (Vec<u64>, bool) {
    let command = Command::History { room: "lobby".into(), page, limit: Some(limit), epoch: None };
    let said = harness.run(0, command);
    match answer(&said) {
        Some(Output::Reply { result: Ok(Reply::History { items, more, .. }), .. }) => {
            (items.iter().map(|record| record.seq).collect(), *more)
        }
        other => panic!("{page:?}: {other:?}"),
    }
}

#[test]
fn a_walk_from_any_position_meets_everything_that_is_kept_once() {
    for history in History::all() {
        let (mut harness, _shelf) = history.harness();
        for (from, limit) in (0..=HEAD + 3).flat_map(|from| SIZES.map(|limit| (from, limit))) {
            let context = format!("{history:?} from {from} by {limit}");
            let (mut seen, mut at, mut goes_on) = (Vec::new(), from, true);
            while goes_on {
                let (seqs, more) = page(&mut harness, Page::After(at), limit);
                assert!(!more || !seqs.is_empty(), "{context}: an empty page, and more");
                at = seqs.last().copied().unwrap_or(at);
                seen.extend(seqs);
                goes_on = more;
            }
            let expect: Vec<u64> = (history.oldest.max(from + 1)..=HEAD).collect();
            assert_eq!(seen, expect, "{context} up");

            let (mut seen, mut at, mut goes_on) = (Vec::new(), from, true);
            while goes_on {
                let (seqs, more) = page(&mut harness, Page::Before(at), limit);
                assert!(!more || !seqs.is_empty(), "{context}: an empty page, and more");
                at = seqs.first().copied().unwrap_or(at);
                seen.extend(seqs.into_iter().rev());
                goes_on = more;
            }
            let expect: Vec<u64> = (history.oldest..from.min(HEAD + 1)).rev().collect();
            assert_eq!(seen, expect, "{context} down");
        }
    }
}

#[test]
fn a_page_around_any_position_has_as_many_as_were_asked_for() {
    for history in History::all() {
        let (mut harness, _shelf) = history.harness();
        let kept = HEAD + 1 - history.oldest;
        for (at, limit) in (0..=HEAD + 3).flat_map(|at| SIZES.map(|limit| (at, limit))) {
            let context = format!("{history:?} around {at} by {limit}");
            let (seqs, more) = page(&mut harness, Page::Around(at), limit);
            let count = kept.min(u64::from(limit));
            assert_eq!(u64::try_from(seqs.len()), Ok(count), "{context}");
            assert_eq!(more, count < kept, "{context}");
            if let (Some(&first), Some(&last)) = (seqs.first(), seqs.last()) {
                assert_eq!(seqs, (first..=last).collect::<Vec<_>>(), "{context}");
                assert!(first >= history.oldest && last <= HEAD, "{context}: {seqs:?}");
                let nearest = at.clamp(history.oldest, HEAD);
                assert!(seqs.contains(&nearest), "{context}: {seqs:?}");
            }
        }
    }
}

/// The seqs of a line as [`told`] gives it.
fn seqs_of(line: &str, word: &str) -> Option<std::ops::RangeInclusive<u64>> {
    let (from, to) = line.strip_prefix(word)?.trim_start().split_once("..=")?;
    let to = to.split(' ').next()?;
    Some(from.parse().ok()?..=to.parse().ok()?)
}

#[test]
fn a_cursor_from_any_position_is_told_of_everything_or_that_it_is_gone() {
    for history in History::all() {
        let (mut harness, _shelf) = history.harness();
        let room = harness.chat.rooms.named("lobby").unwrap();
        let epoch = harness.chat.rooms[room].epoch;
        harness.hello(1, "bob");
        harness.join(1, "lobby");
        for after in 0..=HEAD {
            let context = format!("{history:?} after {after}");
            harness.run(1, Command::Leave { room: "lobby".into() });
            let join = Command::Join { room: "lobby".into(), after: Some(after), epoch: None };
            let joined = lines_to(&harness.run(1, join), 1);
            let number = 2 + usize::try_from(after).unwrap();
            let returning = Some(("gone", &[("lobby", epoch, after)][..]));
            let resumed = lines_to(&harness.hello_with(number, Some("ann"), returning), number);
            harness.chat.handle_closed(harness.now, conn(number));
            for said in [joined, resumed] {
                let (up_to, gone) = told_from(&said, after);
                assert_eq!(up_to, HEAD, "{context}: {said:?}");
                // Only what is pruned, or more than a resume may ask for, is not told.
                let kept_back = history.oldest.max((HEAD + 1) - 9) - 1;
                assert_eq!(gone, after.max(kept_back), "{context}: {said:?}");
            }
        }
    }
}

/// Up to which seq a cursor behind `after` is told of everything without a hole, and up to which of
/// that it is only told that it is gone.
#[track_caller]
fn told_from(said: &[String], after: u64) -> (u64, u64) {
    let (mut up_to, mut gone) = (after, after);
    for line in said {
        // What a resume misses stands in the welcome.
        let gap = line.split_once("Gap { gap: (").and_then(|(_, gap)| gap.split_once(')'));
        let gap = gap.map(|(gap, _)| format!("gap {}", gap.replace(", ", "..=")));
        let gap = seqs_of(gap.as_deref().unwrap_or(line), "gap");
        if let Some(seqs) = gap.clone().or_else(|| seqs_of(line, "replay")) {
            assert_eq!(*seqs.start(), up_to + 1, "{said:?}");
            up_to = *seqs.end();
        }
        gone = gap.map_or(gone, |seqs| *seqs.end());
    }
    (up_to, gone)
}

#[test]
fn the_inbox_is_the_same_wherever_the_ring_begins() {
    let (mut harness, _) = harness(4);
    harness.enter(["ann", "bob"]);
    // What bob has said himself is not unread to him.
    for seq in 1..=10 {
        harness.say(usize::from(seq % 3 == 1), "x");
        harness.end_turn();
    }
    let row = |harness: &mut Harness| {
        let said = harness.run(1, Command::Rooms { since: None });
        let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. }) = answer(&said)
        else {
            panic!("{said:?}");
        };
        (rooms[0].unread, rooms[0].last.as_ref().map(|record| record.seq))
    };
    for read in 1..=10 {
        let ack = Command::Ack { room: "lobby".into(), recv: None, read: Some(read), epoch: None };
        harness.run(1, ack);
        harness.wait(1_000);
        let unread = (read + 1..=10).filter(|seq| seq % 3 != 1).count();
        assert_eq!(row(&mut harness), (u64::try_from(unread).unwrap(), Some(10)), "{read}");
    }
    // The ring has edits only: the last message is below it.
    for text in ["a", "b", "c", "d"] {
        harness.run(1, edit(10, text));
    }
    assert_eq!(row(&mut harness).1, Some(10));
}

#[test]
fn what_retention_takes_is_gone_from_history_inbox_and_edits_at_once() {
    let policies = Policies::uniform(Policy { durability: Durability::Disk, ..Policy::default() });
    let (mut harness, shelf) = harness_of(Limits { policies, ..Limits::default() });
    harness.enter(["ann", "bob"]);
    say_many(&mut harness, 0, 9);
    for target in [4, 9] {
        harness.run(0, edit(target, "said"));
    }
    let room = harness.chat.rooms.named("lobby").unwrap();
    let log = harness.chat.rooms[room].log;
    let mut rev = 0;
    for (oldest, unread, last) in [(1, 9, Some(9)), (7, 3, Some(9)), (10, 0, None), (12, 0, None)] {
        shelf.0.borrow_mut().prune(log, oldest);
        harness.end_turn();
        let said = harness.run(1, Command::Rooms { since: Some(rev) });
        let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, rev: now, .. }), .. }) =
            answer(&said)
        else {
            panic!("{said:?}");
        };
        rev = *now;
        let row = rooms.first().expect("a room that is pruned has changed");
        let shown = row.last.as_ref().map(|record| record.seq);
        assert_eq!((row.unread, shown), (unread, last), "from {oldest}");
        assert_eq!(page(&mut harness, Page::After(0), 99).0, (oldest..=11).collect::<Vec<_>>());
        let ring = &harness.chat.rooms[room].ring;
        for (seq, target) in [(10, 4), (11, 9)] {
            let Some(record) = ring.get(seq) else { continue };
            let text = (target >= oldest).then(|| "said".into());
            assert_eq!(record.body, Body::Edit { target, text }, "from {oldest}");
        }
    }
}

#[test]
fn a_message_that_leaves_the_ring_of_a_memory_room_takes_the_text_of_its_edit_along() {
    let mut harness = Harness::with_lobby(Limits { ring_records: 4, ..Limits::default() }, 1);
    say_many(&mut harness, 0, 4);
    let (room, target) = ("lobby".into(), 2);
    harness.run(0, Command::Edit { room, target, text: "said".into(), weight: 4 });
    let key = harness.chat.rooms.named("lobby").unwrap();
    let edit = |harness: &Harness| harness.chat.rooms[key].ring.get(5).unwrap().body.clone();
    assert_eq!(edit(&harness), Body::Edit { target, text: Some("said".into()) });
    say_many(&mut harness, 0, 1);
    assert_eq!(edit(&harness), Body::Edit { target, text: None });
}

#[test]
fn a_rev_of_another_start_at_the_same_wall_time_gives_the_whole_inbox() {
    let start = |random: u128| {
        let mut harness = Harness::new(Limits::default());
        harness.chat.vary_epochs(random);
        harness.hello(0, "ann");
        harness.join(0, "lobby");
        harness.join(0, "hall");
        harness
    };
    let inbox = |harness: &mut Harness, since: u64| {
        let said = harness.run(0, Command::Rooms { since: Some(since) });
        let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, rev, .. }), .. }) = answer(&said)
        else {
            panic!("{said:?}");
        };
        (rooms.len(), *rev)
    };
    let (mut first, mut second) = (start(1 << 100), start(1 << 101));
    let (_, rev) = inbox(&mut first, 0);
    assert_eq!(inbox(&mut first, rev).0, 0, "nothing is new");
    assert_eq!(inbox(&mut second, rev).0, 2);
}

#[test]
fn a_rev_of_before_a_restart_is_none_of_this_start_whoever_was_a_member_then() {
    let joined = |harness: &Harness, room: &str| {
        let room = harness.chat.rooms.named(room).unwrap();
        harness.chat.rooms[harness.chat.rooms[room].members[0]].joined()
    };
    let inbox = |harness: &mut Harness, since| {
        let said = harness.run(0, Command::Rooms { since: Some(since) });
        let Some(Output::Reply { result: Ok(Reply::Inbox { rev, full, .. }), .. }) = answer(&said)
        else {
            panic!("{said:?}");
        };
        (*rev, *full)
    };
    let mut first = Harness::new(Limits::default());
    first.chat.vary_epochs(1 << 101);
    first.hello(0, "ann");
    first.join(0, "lobby");
    let (rev, _) = inbox(&mut first, 0);

    // The random bits are lower this time, and the membership is that of before.
    let mut second = Harness::new(Limits::default());
    second.chat.vary_epochs(1 << 100);
    let (role, joined_before) = (Role::Member, joined(&first, "lobby"));
    let member = MemberMeta { role, recv: 0, read: 0, joined: joined_before };
    let kept = Begun {
        name: RoomName::parse("lobby").unwrap(),
        epoch: Epoch(7),
        durability: Durability::Disk,
        head: 0,
        oldest: 1,
        meta: vec![RoomMeta::Member(UserName::parse("ann").unwrap(), Some(member))],
        kept: None,
    };
    second.store = Box::new(FakeStore::default());
    second.chat.restore(second.now, Snapshot { rooms: vec![kept], ..Snapshot::default() });
    second.hello(0, "ann");
    for number in 0..9 {
        second.join(0, &format!("room-{number}"));
    }
    assert!(inbox(&mut second, rev).1, "what has changed since is not known");
    assert_eq!(joined(&second, "lobby"), joined_before);
    assert!(joined(&second, "room-0") > joined_before);
}
