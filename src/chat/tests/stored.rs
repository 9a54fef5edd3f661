//! Rooms whose records are in a store: what is written before it is answered, and what is read.

#![expect(
    clippy::disallowed_types,
    reason = "a store that a test looks into while the harness owns it"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::super::model::command::Page;
use super::super::model::load::{Begun, Found};
use super::super::model::log::{
    Answer, Appended, Draft, LogFault, LogId, LogReply, LogRequest, MemberMeta, Query, RoomMeta,
};
use super::super::model::policy::{Policies, Policy};
use super::super::model::record::Record;
use super::super::model::reply::{Durability, Role};
use super::super::model::thread::ThreadPage;
use super::mentions::inbox_found;
use super::moderation::without_joined;
use super::*;

/// A store that answers when it is told to, and what it has.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeStore(pub(super) Rc<RefCell<Contents>>);

#[derive(Debug, Default)]
pub(super) struct Contents {
    logs: BTreeMap<LogId, Vec<SharedRecord>>,
    pub(super) meta: Vec<RoomMeta>,
    replies: VecDeque<LogReply>,
    pub(super) reads: usize,
    /// Answers wait.
    pub(super) slow: bool,
    /// What is read waits, as it was when it was read.
    pub(super) reads_wait: bool,
    read: VecDeque<LogReply>,
    pub(super) fault: Option<LogFault>,
}

impl Logs for FakeStore {
    fn request(&mut self, now: Now, request: LogRequest) {
        self.0.borrow_mut().request(now, request);
    }

    fn flush(&mut self) {}

    fn poll(&mut self) -> Option<LogReply> {
        let mut contents = self.0.borrow_mut();
        if contents.slow {
            return None;
        }
        let read = if contents.reads_wait { None } else { contents.read.pop_front() };
        read.or_else(|| contents.replies.pop_front())
    }
}

fn is_retry(known: &Body, body: &Body) -> bool {
    let cid = |body: &Body| match body {
        Body::Message { cid, .. } => cid.clone(),
        _ => None,
    };
    cid(known) == cid(body)
}

impl Contents {
    fn request(&mut self, now: Now, request: LogRequest) {
        let reply = match request {
            LogRequest::Open { log, .. } => {
                self.logs.entry(log).or_default();
                return;
            }
            LogRequest::PutMeta { meta, .. } => return self.meta.push(without_joined(&meta)),
            LogRequest::Adopt { .. }
            | LogRequest::Drop { .. }
            | LogRequest::Close { .. }
            | LogRequest::Notice(_)
            | LogRequest::Tell(_)
            | LogRequest::Claim(..)
            | LogRequest::Session(_)
            | LogRequest::End { .. } => return,
            LogRequest::Append { log, ticket, draft } => {
                let outcome = self.append(now, log, draft);
                LogReply::Appended { ticket, outcome }
            }
            LogRequest::Sync { ticket, .. }
            | LogRequest::Settle { ticket, .. }
            | LogRequest::People { ticket, .. } => {
                let outcome = self.fault.map_or(Ok(()), Err);
                LogReply::Synced { ticket, outcome }
            }
            LogRequest::Read { ticket, query } => {
                self.reads += 1;
                let outcome = self.fault.map_or_else(|| Ok(self.read(query)), Err);
                return self.read.push_back(LogReply::Answer { ticket, outcome });
            }
        };
        self.replies.push_back(reply);
    }

    fn append(&mut self, now: Now, log: LogId, draft: Draft) -> Appended {
        if let Some(fault) = self.fault {
            return Appended::Refused(fault);
        }
        let records = self.logs.entry(log).or_default();
        if draft.is_question {
            let known = records.iter().find(|known| is_retry(&known.body, &draft.body));
            return known.map_or(Appended::Unknown, |known| Appended::Duplicate {
                seq: known.seq,
                at: known.at,
            });
        }
        let seq = records.last().map_or(0, |last| last.seq) + 1;
        let record = Record {
            seq,
            at: now.wall_ms,
            from: draft.from,
            body: draft.body,
            weight: draft.weight,
        };
        let record = SharedRecord::new(record);
        records.push(SharedRecord::clone(&record));
        Appended::Stored(record)
    }

    /// Drops what is below `oldest`, and says so.
    pub(super) fn prune(&mut self, log: LogId, oldest: u64) {
        self.logs.entry(log).or_default().retain(|record| record.seq >= oldest);
        self.replies.push_back(LogReply::Pruned { log, oldest });
    }

    fn read(&self, query: Query) -> Answer {
        match query {
            Query::Page { log, from, to, limit } => {
                let records = self.logs[&log].iter();
                let records = records.filter(|record| (from..=to).contains(&record.seq));
                let records = records.take(usize::try_from(limit).unwrap());
                Answer::Records { records: records.cloned().collect(), as_of: 0 }
            }
            Query::Below { log, seq, limit } => {
                let below = self.logs[&log].iter().rev().filter(|record| record.seq < seq);
                let mut records: Vec<_> =
                    below.take(usize::try_from(limit).unwrap()).cloned().collect();
                records.reverse();
                Answer::Records { records, as_of: 0 }
            }
            Query::Inbox { user, rows } => {
                let found = rows.iter().map(|row| inbox_found(&self.logs[&row.log], &user, row));
                Answer::Inbox(found.collect())
            }
            Query::Directory(_) => Answer::Rooms { rooms: Vec::new(), next: None },
            Query::Audit { .. } => Answer::Acts { acts: Vec::new(), more: false },
            Query::Thread(_) => Answer::Thread(ThreadPage::default()),
            Query::Threads { .. } => Answer::Threads(Vec::new()),
            Query::Written { user, .. } => {
                let mine = self.logs.values().flatten().filter(|record| record.from == user);
                let lobby = || RoomName::parse("lobby").expect("a name");
                let items = mine.map(|record| (lobby(), SharedRecord::clone(record))).collect();
                Answer::Written { items, next: None }
            }
            Query::Search { logs, text, .. } => {
                let records = logs.iter().flat_map(|log| self.logs[log].iter().map(|r| (*log, r)));
                let found = records.filter(|(_, record)| match &record.body {
                    Body::Message { text: said, .. } => said.contains(&*text),
                    _ => false,
                });
                let items = found.map(|(log, record)| (log, SharedRecord::clone(record)));
                Answer::Found { items: items.collect(), next: None }
            }
            Query::Load(_) => Answer::Loaded(Found::default()),
        }
    }
}

/// A harness whose rooms are on a shelf, with rings of so many records.
pub(super) fn harness(ring_records: usize) -> (Harness, FakeStore) {
    let policy = Policy { durability: Durability::Disk, ..Policy::default() };
    let policies = Policies::uniform(policy);
    harness_of(Limits { ring_records, policies, ..Limits::default() })
}

/// A harness with its stored rooms on a shelf.
pub(super) fn harness_of(limits: Limits) -> (Harness, FakeStore) {
    let mut harness = Harness::new(limits);
    let shelf = FakeStore::default();
    harness.store = Box::new(shelf.clone());
    (harness, shelf)
}

pub(super) fn say_many(harness: &mut Harness, number: usize, count: usize) {
    for _ in 0..count {
        harness.say(number, "x");
        harness.end_turn();
    }
}

/// What one connection gets, but for being told that it may go on.
pub(super) fn lines_to(said: &[Output], number: usize) -> Vec<String> {
    let mut lines = sent_to(said, number);
    lines.retain(|line| line != "wake");
    lines
}

#[test]
fn a_membership_is_written_before_the_join_is_answered() {
    let (mut harness, shelf) = harness(8);
    harness.hello(0, "ann");
    shelf.0.borrow_mut().slow = true;
    assert_eq!(lines_to(&harness.join(0, "lobby"), 0), [""; 0]);
    shelf.0.borrow_mut().slow = false;
    assert_eq!(lines_to(&harness.end_turn(), 0), ["joined at 0 from 1"]);
    shelf.0.borrow_mut().slow = true;
    assert_eq!(
        lines_to(&harness.join(0, "lobby"), 0),
        ["joined at 0 from 1"],
        "who is one is answered"
    );
}

#[test]
fn a_membership_that_cannot_be_written_does_not_begin_and_one_that_cannot_be_ended_stays() {
    let (mut harness, shelf) = harness(8);
    harness.hello(0, "ann");
    shelf.0.borrow_mut().fault = Some(LogFault::Full);
    assert_eq!(lines_to(&harness.join(0, "lobby"), 0), ["no 5005"]);
    shelf.0.borrow_mut().fault = None;
    assert_eq!(lines_to(&harness.join(0, "lobby"), 0), ["joined at 0 from 1"]);
    shelf.0.borrow_mut().fault = Some(LogFault::Broken);
    let leave = || Command::Leave { room: "lobby".into() };
    assert_eq!(lines_to(&harness.run(0, leave()), 0), ["no 5004"]);
    shelf.0.borrow_mut().fault = None;
    harness.say(0, "still here");
    assert_eq!(lines_to(&harness.end_turn(), 0), ["sent 1"]);
    let left = ["Left { room: \"lobby\" }", "left left"];
    assert_eq!(lines_to(&harness.run(0, leave()), 0), left);
}

#[test]
fn nobody_hears_of_a_record_before_the_log_has_it() {
    let (mut harness, shelf) = harness(8);
    harness.enter(["ann", "bob"]);
    shelf.0.borrow_mut().slow = true;
    harness.say(0, "hi");
    assert_eq!(lines_to(&harness.end_turn(), 1), [""; 0]);
    assert_eq!(harness.chat.pending_of(conn(0)), 1);
    shelf.0.borrow_mut().slow = false;
    let said = harness.end_turn();
    assert_eq!(
        (lines_to(&said, 0), lines_to(&said, 1)),
        (vec!["sent 1".into()], vec!["#1".into()])
    );
}

#[test]
fn a_cursor_that_is_behind_the_ring_reads_pages_that_others_share() {
    let (mut harness, shelf) = harness(4);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 150);
    for number in 1..=5 {
        harness.hello(number, &format!("u{number}"));
        let join = Command::Join { room: "lobby".into(), after: Some(0), epoch: None };
        let said = lines_to(&harness.run(number, join), number);
        let expect = [
            "joined at 150 from 1",
            "replay 1..=64",
            "replay 65..=128",
            "replay 129..=150",
            "live 150",
        ];
        assert_eq!(said, expect);
    }
    assert_eq!(shelf.0.borrow().reads, 3, "each page once");
}

#[test]
fn a_cursor_waits_for_a_page_that_cannot_be_read_and_others_go_on() {
    let (mut harness, shelf) = harness(4);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 20);
    harness.hello(1, "bob");
    harness.join(1, "lobby");
    shelf.0.borrow_mut().fault = Some(LogFault::Broken);
    let join = Command::Join { room: "lobby".into(), after: Some(0), epoch: None };
    assert_eq!(lines_to(&harness.run(1, join), 1), ["joined at 20 from 1"]);
    assert!(!lines_to(&harness.wait(5_000), 1).iter().any(|line| line.starts_with("replay")));
    shelf.0.borrow_mut().fault = None;
    let said = lines_to(&harness.wait(2_000), 1);
    assert_eq!(said[..2], ["replay 1..=20", "live 20"]);
}

#[test]
fn what_was_pruned_is_told_as_a_gap() {
    let (mut harness, _) = harness(4);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 20);
    let log = harness.chat.rooms[harness.chat.rooms.named("lobby").unwrap()].log;
    harness.chat.on_log_reply(harness.now, LogReply::Pruned { log, oldest: 11 });
    harness.hello(1, "bob");
    let join = Command::Join { room: "lobby".into(), after: Some(5), epoch: None };
    let said = lines_to(&harness.run(1, join), 1);
    let expect = ["joined at 20 from 11", "gap 6..=10 pruned", "replay 11..=20"];
    assert_eq!(said[..3], expect);
}

#[test]
fn history_is_read_from_the_store_where_the_ring_ends() {
    let (mut harness, _) = harness(4);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 100);
    for (page, limit, first, last, more) in [
        (Page::Latest, 4, 97, 100, true),
        (Page::Latest, 5, 96, 100, true),
        (Page::Before(50), 10, 40, 49, true),
        (Page::Before(5), 10, 1, 4, false),
        (Page::After(0), 10, 1, 10, true),
        (Page::After(95), 10, 96, 100, false),
        (Page::Around(50), 10, 45, 54, true),
        (Page::Around(1), 10, 1, 10, true),
        (Page::Around(100), 10, 91, 100, true),
    ] {
        let room = "lobby".into();
        let command = Command::History { room, page, limit: Some(limit), epoch: None };
        let said = harness.run(0, command);
        let Some(Output::Reply { result: Ok(Reply::History { items, more: tail, .. }), .. }) =
            answer(&said)
        else {
            panic!("{page:?}: {said:?}");
        };
        let ends = (items.first().unwrap().seq, items.last().unwrap().seq);
        assert_eq!((ends, *tail), ((first, last), more), "{page:?}");
    }
}

#[test]
fn the_inbox_counts_in_the_store_what_the_ring_does_not_have() {
    let (mut harness, _) = harness(4);
    harness.enter(["ann", "bob"]);
    say_many(&mut harness, 0, 30);
    let said = harness.run(1, Command::Rooms { since: None });
    let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. }) = answer(&said) else {
        panic!("{said:?}");
    };
    assert_eq!((rooms[0].unread, rooms[0].last.as_ref().unwrap().seq), (30, 30));
}

#[test]
fn receipts_are_written_in_a_while_and_once() {
    let (mut harness, shelf) = harness(4);
    harness.enter(["ann", "bob"]);
    say_many(&mut harness, 0, 3);
    shelf.0.borrow_mut().meta.clear();
    for read in 1..=3 {
        let (room, read) = ("lobby".into(), Some(read));
        harness.run(1, Command::Ack { room, recv: None, read, epoch: None });
    }
    harness.wait(1_000);
    let bob = UserName::parse("bob").unwrap();
    let member = MemberMeta { role: Role::Member, recv: 3, read: 3, joined: 0 };
    assert_eq!(shelf.0.borrow().meta, [RoomMeta::Member(bob, Some(member))]);
}

#[test]
fn what_was_kept_is_there_after_a_restart_and_a_resume_goes_on() {
    let (mut first, shelf) = harness(4);
    first.hello(0, "ann");
    first.join(0, "lobby");
    say_many(&mut first, 0, 10);
    let room = first.chat.rooms.named("lobby").unwrap();
    let (epoch, log) = (first.chat.rooms[room].epoch, first.chat.rooms[room].log);
    let records = shelf.0.borrow_mut().logs.remove(&log).unwrap();
    let (mut second, shelf) = harness(4);
    let member = MemberMeta { role: Role::Member, recv: 7, read: 6, joined: 0 };
    let user = |name: &str| UserName::parse(name).unwrap();
    let kept = Begun {
        name: RoomName::parse("lobby").unwrap(),
        epoch,
        durability: Durability::Disk,
        head: 10,
        oldest: 1,
        meta: vec![
            RoomMeta::Topic("tea".into(), None),
            RoomMeta::Member(user("ann"), Some(member)),
            RoomMeta::Member(user("guest-1"), Some(member)),
        ],
        kept: None,
    };
    second.chat.restore(second.now, Snapshot { rooms: vec![kept], ..Snapshot::default() });
    second.end_turn();
    let room = second.chat.rooms.named("lobby").unwrap();
    let log = second.chat.rooms[room].log;
    shelf.0.borrow_mut().logs.insert(log, records);

    let said = second.hello_with(0, Some("ann"), Some(("gone", &[("lobby", epoch, 4)])));
    let welcome = "welcome ann false lobby: From { from: 5, to: 10 } [(\"guest-1\", 6)]";
    let expect = [welcome, "replay 5..=10", "live 10"];
    assert_eq!(lines_to(&said, 0), expect);
    let said = second.run(0, Command::Rooms { since: Some(0) });
    let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. }) = answer(&said) else {
        panic!("{said:?}");
    };
    let row = &rooms[0];
    assert_eq!((row.recv, row.read, row.seq, row.epoch), (7, 6, 10, epoch));
    second.say(0, "on");
    assert!(lines_to(&second.end_turn(), 0)[0].starts_with("sent"));
    // A clock that was ahead in an earlier life of the server.
    let since = Some(second.chat.context.rev + 1);
    let said = second.run(0, Command::Rooms { since });
    let Some(Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. }) = answer(&said) else {
        panic!("{said:?}");
    };
    assert_eq!(rooms.len(), 1);
}

#[test]
fn users_and_rooms_that_lose_nothing_make_room_and_others_do_not() {
    let policy = Policy { durability: Durability::Disk, ..Policy::default() };
    let policies = Policies::uniform(policy);
    let limits = Limits { users: 3, rooms: 3, policies, ..Limits::default() };
    let mut harness = Harness::new(limits);
    harness.store = Box::new(FakeStore::default());
    // One who has made a room in which something was said, one who has only read it, and one who
    // has a silent one.
    for (number, name) in ["ann", "bob", "cyd"].into_iter().enumerate() {
        harness.hello(number, name);
    }
    harness.run(0, create("hers", false));
    harness.run(0, message(Target::Room("hers".into()), "x", None));
    harness.join(1, "hers");
    harness.join(2, "silent");
    harness.join(2, "second");
    assert_eq!(lines_to(&harness.join(1, "third"), 1), ["no 5004"], "cyd is there");
    for number in 0..3 {
        harness.chat.handle_closed(harness.now, conn(number));
    }
    harness.wait(20_000);
    let come = |harness: &mut Harness, number, name| {
        lines_to(&harness.hello_with(number, Some(name), None), number)
    };
    assert_eq!(come(&mut harness, 3, "dan"), ["welcome dan false"]);
    let names = |harness: &Harness| -> Vec<_> {
        let rooms = harness.chat.rooms.table.iter().map(|(_, room)| room.name.to_string());
        let mut rooms: Vec<_> = rooms.collect();
        rooms.sort();
        rooms
    };
    assert_eq!(names(&harness), ["hers", "second", "silent"]);
    assert!(
        harness.chat.directory.user_named("bob").is_none(),
        "bob was absent for longest of those that may go"
    );
    assert_eq!(lines_to(&harness.join(3, "fourth"), 3), ["joined at 0 from 1"]);
    assert_eq!(names(&harness), ["fourth", "hers", "second"]);
    harness.chat.debug_check();
    assert_eq!(come(&mut harness, 4, "eve"), ["welcome eve false"]);
    assert_eq!(
        come(&mut harness, 5, "fay"),
        ["no 5004"],
        "ann owns a room where something was said"
    );
    assert!(harness.chat.directory.user_named("ann").is_some());
}

#[test]
fn who_asks_faster_than_the_log_answers_is_told_when_to_go_on() {
    let (mut harness, shelf) = harness(256);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    shelf.0.borrow_mut().slow = true;
    for _ in 0..65 {
        harness.say(0, "x");
    }
    assert_eq!(sent_to(&harness.end_turn(), 0), [""; 0]);
    assert_eq!(harness.chat.owed(conn(0)), 65);
    shelf.0.borrow_mut().slow = false;
    let said = sent_to(&harness.end_turn(), 0);
    assert_eq!(said.iter().filter(|line| *line == "wake").count(), 1);
    assert_eq!(harness.chat.owed(conn(0)), 0);
}

/// What a request was answered with, whatever was said besides.
pub(super) fn answer(said: &[Output]) -> Option<&Output> {
    said.iter().find(|said| matches!(said, Output::Reply { .. }))
}
