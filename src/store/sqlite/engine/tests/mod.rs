//! The engine on files of its own.

mod bounds;
mod clock;
mod degraded;
mod effects;
mod tail;

use std::fs;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::chat::model::load::{Begun, Wanted};
use crate::chat::model::log::{Draft, MemberMeta, RoomMeta, TargetCheck, Ticket};
use crate::chat::model::name::RoomName;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Role;
use crate::store::sqlite::Options;
use crate::store::sqlite::load_rooms::load;
use crate::store::sqlite::open::{Opened, open};
use crate::store::sqlite::testing::user;
use crate::time::Tick;
use crate::time::clock::Clock;

/// An engine with its directory. Dropped without being closed, it leaves what a kill would.
struct Harness {
    engine: Engine,
    folder: TempDir,
    rooms: Vec<Begun>,
    now: Now,
    tickets: u64,
}

fn member(read: u64) -> RoomMeta {
    RoomMeta::Member(
        user("ann"),
        Some(MemberMeta { role: Role::Member, recv: read, read, joined: 4 }),
    )
}

fn said(text: &str, cid: Option<&str>) -> Draft {
    Draft::new(user("ann"), Body::plain(text, cid), 400)
}

fn touching(target: u64, body: Body) -> Draft {
    let check = Some(TargetCheck { target, others: false, not_before: 0, data_max: 9 });
    Draft { check, ..Draft::new(user("ann"), body, 400) }
}

fn edit(target: u64, text: &str) -> Draft {
    touching(target, Body::Edit { target, text: Some(text.into()) })
}

fn deletion(target: u64) -> Draft {
    touching(target, Body::Deletion { target })
}

/// All rooms, as they are loaded, by row id.
fn load_all(db: &Connection) -> Vec<Begun> {
    let mut wanted = Wanted::default();
    let mut find = db.prepare("SELECT name FROM room").unwrap();
    let names = find.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for name in names {
        wanted.add_room(RoomName::stored(&name.unwrap()).unwrap(), false);
    }
    let mut rooms = load(db, &wanted).unwrap().rooms;
    rooms.sort_by_key(|room| room.kept.map(|kept| kept.row));
    rooms
}

impl Harness {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(folder: TempDir) -> Self {
        Self::at_time(folder, 1_763_700_000_000)
    }

    fn at_time(folder: TempDir, wall_ms: u64) -> Self {
        let options = Options::new(folder.path().to_owned(), Arc::default());
        let Opened { db, reserve, .. } = open(&options, &Clock::start()).unwrap();
        let now = Now { tick: Tick::from_millis(1_000_000), wall_ms };
        let rooms = load_all(&db);
        Self { engine: Engine::new(db, reserve, now), folder, rooms, now, tickets: 0 }
    }

    /// The server is killed and started again.
    fn restart(self) -> Self {
        self.restart_at(1_763_700_000_000)
    }

    /// Likewise, when the wall clock shows this.
    fn restart_at(self, wall_ms: u64) -> Self {
        let Self { engine, folder, .. } = self;
        drop(engine);
        Self::at_time(folder, wall_ms)
    }

    /// Opens the room of this row id and name; it goes on if it is stored.
    fn room(&mut self, id: i64, name: &str, durability: Durability) -> LogId {
        self.room_with(id, name, durability, Retention::default())
    }

    fn room_with(
        &mut self,
        id: i64,
        name: &str,
        durability: Durability,
        retention: Retention,
    ) -> LogId {
        let stored = self.rooms.iter().find(|room| room.name.as_str() == name);
        let kept = stored.and_then(|room| room.kept);
        let is_stored = kept.is_some();
        let epoch = stored.map_or(Epoch(5), |room| room.epoch);
        let new = RoomRow { id, epoch, durability, counters: RoomCounters::default() };
        let slot = usize::try_from(id).unwrap();
        let log = LogId::new(slot, u64::try_from(id).unwrap());
        let row = kept.as_ref().map_or(new, RoomRow::of);
        let name = RoomName::parse(name).unwrap();
        let opening = Opening { name, epoch, durability, retention, row, is_stored };
        self.engine.queue_meta([Op::Open(log, Box::new(opening))]);
        log
    }

    fn op(&mut self, log: LogId, draft: Draft) -> Op {
        self.tickets += 1;
        let level = Level::of(self.engine.room(log).unwrap().durability);
        let wall_ms = self.now.wall_ms;
        Op::Append(Append { log, ticket: Ticket(self.tickets), level, wall_ms, draft })
    }

    /// What becomes of the appends of one batch.
    fn batch(&mut self, log: LogId, drafts: impl IntoIterator<Item = Draft>) -> Vec<Appended> {
        let ops: Vec<_> = drafts.into_iter().map(|draft| self.op(log, draft)).collect();
        let outcome = |reply| match reply {
            LogReply::Appended { outcome, .. } => Some(outcome),
            _ => None,
        };
        self.engine.commit(self.now, ops).into_iter().filter_map(outcome).collect()
    }

    fn append(&mut self, log: LogId, draft: Draft) -> Appended {
        self.batch(log, [draft]).pop().unwrap()
    }

    /// Another connection to the file.
    fn connect(&self) -> Connection {
        Connection::open(self.folder.path().join("chinwag.db")).unwrap()
    }

    fn number(&self, sql: &str) -> i64 {
        self.connect().query_one(sql, [], |row| row.get(0)).unwrap()
    }

    fn text(&self, seq: u64) -> Option<String> {
        let sql = "SELECT text FROM record WHERE seq = ?1";
        self.connect().query_one(sql, [i64::try_from(seq).unwrap()], |row| row.get(0)).unwrap()
    }

    /// Does all maintenance: what the domain is told.
    fn maintain(&mut self) -> Vec<LogReply> {
        let mut told = Vec::new();
        for _ in 0..1000 {
            let step = self.engine.step(self.now, true);
            told.extend(step.replies);
            if !step.has_more {
                return told;
            }
        }
        panic!("it never ends");
    }

    /// Time passes, and what is due is tried.
    fn pass(&mut self, duration: Duration) -> Vec<LogReply> {
        self.now.tick = self.now.tick.after(duration);
        self.now.wall_ms += u64::try_from(duration.as_millis()).unwrap();
        self.engine.probe(self.now)
    }
}

#[track_caller]
fn check_stored(outcome: &Appended, seq: u64) {
    assert!(matches!(outcome, Appended::Stored(record) if record.seq == seq), "{outcome:?}");
}

#[test]
fn a_head_is_never_lowered_though_all_records_are_gone() {
    let mut harness = Harness::new();
    let retention = Retention { age: Some(Duration::from_hours(1)), ..Retention::default() };
    let log = harness.room_with(1, "lobby", Durability::Disk, retention);
    assert_eq!(harness.batch(log, (0..200).map(|_| said("hi", None))).len(), 200);
    assert_eq!(harness.maintain(), []);
    harness.pass(Duration::from_hours(2));
    let told = harness.maintain();
    assert_eq!(told.last(), Some(&LogReply::Pruned { log, oldest: 201 }));
    assert_eq!(harness.number("SELECT count(*) + (SELECT bytes FROM room) FROM record"), 0);
    let mut harness = harness.restart();
    assert_eq!((harness.rooms[0].head, harness.rooms[0].oldest), (200, 201));
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("on", None)), 201);
}

#[test]
fn a_room_keeps_as_many_records_and_bytes_as_it_may() {
    let text = "x".repeat(10);
    for (retention, oldest) in [
        (Retention { records: Some(30), ..Retention::default() }, 71),
        (Retention { bytes: Some(205), ..Retention::default() }, 81),
        (Retention { records: Some(0), ..Retention::default() }, 101),
        (Retention { records: Some(100), bytes: Some(1000), ..Retention::default() }, 1),
    ] {
        let mut harness = Harness::new();
        let log = harness.room_with(1, "lobby", Durability::Os, retention);
        harness.batch(log, (0..100).map(|_| said(&text, None)));
        harness.maintain();
        assert_eq!(harness.engine.room(log).unwrap().counters.oldest, oldest, "{retention:?}");
        let left = harness.number("SELECT count(*) FROM record");
        assert_eq!(left, 101 - i64::try_from(oldest).unwrap(), "{retention:?}");
        heads::book(&harness.engine.db).unwrap();
        assert_eq!(harness.number("SELECT bytes FROM room"), left * 10, "{retention:?}");
    }
}

#[test]
fn a_cid_is_known_over_restarts_and_deletions_until_its_time_is_over() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    let at = harness.now.wall_ms;
    let batch = [said("hi", Some("c")), said("hi", Some("c")), said("ho", Some("c"))];
    let outcomes = harness.batch(log, batch);
    check_stored(&outcomes[0], 1);
    assert_eq!(outcomes[1], Appended::Duplicate { seq: 1, at });
    assert_eq!(outcomes[2], Appended::Conflict { seq: 1 });
    let mut harness = harness.restart();
    let log = harness.room(1, "lobby", Durability::Disk);
    harness.now.wall_ms += 9;
    assert_eq!(harness.append(log, said("hi", Some("c"))), Appended::Duplicate { seq: 1, at });
    check_stored(&harness.append(log, deletion(1)), 2);
    assert_eq!(harness.append(log, said("hi", Some("c"))), Appended::Duplicate { seq: 1, at });
    assert_eq!(harness.append(log, said("ho", Some("c"))), Appended::Conflict { seq: 1 });
    harness.pass(Duration::from_hours(6 * 24));
    harness.maintain();
    assert_eq!(harness.append(log, said("hi", Some("c"))), Appended::Duplicate { seq: 1, at });
    harness.pass(Duration::from_hours(24));
    harness.maintain();
    check_stored(&harness.append(log, said("hi", Some("c"))), 3);
}

#[test]
fn an_edit_and_a_deletion_change_their_target_and_nothing_else_does() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    harness.batch(log, [said("one", Some("c")), said("two", None)]);
    harness.maintain();
    check_stored(&harness.append(log, edit(1, "uno")), 3);
    assert_eq!((harness.text(1), harness.text(3)), (Some("uno".into()), Some("uno".into())));
    check_stored(&harness.append(log, edit(1, "ein Wort")), 4);
    assert_eq!((harness.text(3), harness.text(4)), (None, Some("ein Wort".into())));
    check_stored(&harness.append(log, deletion(1)), 5);
    assert_eq!([1, 3, 4, 5].map(|seq| harness.text(seq)), [const { None }; 4]);
    assert_eq!(harness.text(2).as_deref(), Some("two"));
    assert_eq!(harness.number("SELECT count(*) FROM record WHERE cid IS NOT NULL"), 0);
    assert_eq!(harness.number("SELECT bytes FROM room"), 3);
    assert_eq!(
        harness.number("SELECT count(*) FROM word WHERE word MATCH 'one OR uno OR wort'"),
        0
    );
    for (draft, expect) in [
        (edit(1, "again"), Appended::NoSuchMessage),
        (edit(3, "an edit"), Appended::NoSuchMessage),
        (deletion(9), Appended::NoSuchMessage),
        (Draft { from: user("bob"), ..edit(2, "not mine") }, Appended::NotYours),
        (
            Draft {
                check: Some(TargetCheck {
                    target: 2,
                    others: true,
                    not_before: u64::MAX,
                    data_max: 0,
                }),
                ..edit(2, "late")
            },
            Appended::TooOld,
        ),
    ] {
        assert_eq!(harness.append(log, draft.clone()), expect, "{draft:?}");
    }
    assert_eq!(harness.text(2).as_deref(), Some("two"));
    assert_eq!(harness.number("SELECT head FROM room"), 5);
}

#[test]
fn metadata_is_written_with_the_first_record_after_it_and_with_its_own() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    harness.engine.queue_meta([Op::PutMeta(log, member(3)), Op::PutMeta(log, member(4))]);
    let draft = Draft { meta: vec![RoomMeta::Topic("tea".into(), None)], ..said("hi", None) };
    check_stored(&harness.append(log, draft), 1);
    let harness = harness.restart();
    assert_eq!(harness.rooms[0].meta[1..], [RoomMeta::Topic("tea".into(), None), member(4)]);
}

#[test]
fn the_later_of_metadata_alone_and_with_a_record_stays() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    let leaving = Draft { meta: vec![RoomMeta::Member(user("ann"), None)], ..said("bye", None) };
    let (first, second) = (harness.op(log, leaving), harness.op(log, said("hi", None)));
    let ops = vec![Op::PutMeta(log, member(1)), first, Op::PutMeta(log, member(2)), second];
    assert_eq!(harness.engine.commit(harness.now, ops).len(), 2);
    let harness = harness.restart();
    assert_eq!(harness.rooms[0].meta[1..], [member(2)]);
}

#[test]
fn the_time_of_a_room_never_goes_back() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    harness.append(log, said("hi", None));
    let mut harness = harness.restart();
    let log = harness.room(1, "lobby", Durability::Disk);
    let before = harness.now.wall_ms;
    harness.now.wall_ms -= 1000;
    let outcome = harness.append(log, said("hi", None));
    assert!(matches!(outcome, Appended::Stored(record) if record.at == before));
}

#[test]
fn only_what_the_machine_may_have_lost_begins_a_new_epoch() {
    let set_boot = "UPDATE meta SET value = 'another' WHERE key = 'boot'";
    for (closed, other_boot, expect_os) in
        [(false, false, 5), (true, true, 5), (true, false, 5), (false, true, 0)]
    {
        let mut harness = Harness::new();
        let os = harness.room(1, "os", Durability::Os);
        let disk = harness.room(2, "disk", Durability::Disk);
        harness.append(os, said("hi", None));
        harness.append(disk, said("hi", None));
        if other_boot {
            harness.connect().execute_batch(set_boot).unwrap();
        }
        let Harness { engine, folder, now, .. } = harness;
        if closed {
            engine.close(now);
        } else {
            drop(engine);
        }
        let harness = Harness::at(folder);
        let epochs: Vec<_> = harness.rooms.iter().map(|room| room.epoch.0).collect();
        assert_eq!(epochs[1], 5);
        let is_same = epochs[0] == 5;
        assert_eq!(is_same, expect_os == 5, "closed {closed}, other boot {other_boot}");
        assert!(harness.rooms.iter().all(|room| room.head == 1));
    }
}

#[test]
fn what_is_not_synced_is_known_until_it_is() {
    let mut harness = Harness::new();
    let os = harness.room(1, "os", Durability::Os);
    let disk = harness.room(2, "disk", Durability::Disk);
    harness.append(disk, said("hi", None));
    assert!(!harness.engine.has_unsynced());
    harness.append(os, said("hi", None));
    assert!(harness.engine.has_unsynced());
    assert_eq!(harness.engine.sync(harness.now), []);
    assert!(!harness.engine.has_unsynced());
    harness.append(os, said("hi", None));
    harness.append(disk, said("hi", None));
    assert!(!harness.engine.has_unsynced());
}

#[test]
fn the_records_of_a_room_that_is_gone_go_too_also_after_a_restart() {
    let mut harness = Harness::new();
    let gone = harness.room(1, "gone", Durability::Disk);
    let stays = harness.room(2, "stays", Durability::Disk);
    harness.batch(gone, (0..100).map(|_| said("hi", None)));
    harness.append(stays, said("hi", None));
    harness.engine.commit(harness.now, vec![Op::Drop(gone), Op::Sync(Ticket(0), Level::Disk)]);
    assert_eq!(harness.number("SELECT count(*) FROM record"), 101);
    let mut harness = harness.restart();
    assert_eq!(harness.rooms.len(), 1);
    harness.room(2, "stays", Durability::Disk);
    harness.maintain();
    assert_eq!(harness.number("SELECT count(*) + sum(room) FROM record"), 3);
}

#[test]
fn an_append_to_a_room_that_is_not_open_is_refused() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    let late = harness.op(log, said("late", None));
    let replies = harness.engine.commit(harness.now, vec![Op::Drop(log), late]);
    let outcome = Appended::Refused(LogFault::Broken);
    assert_eq!(replies, [LogReply::Appended { ticket: Ticket(1), outcome }]);
}

#[test]
fn starts_with_a_wrong_clock_delete_nothing_until_it_has_held_for_a_day() {
    const DAY: Duration = Duration::from_hours(24);
    let retention = Retention { age: Some(90 * DAY), ..Retention::default() };
    for (wrong_ms, left_in_the_end) in
        [(1_763_700_000_000 + 10 * 365 * 86_400_000, 2), (100_000, 3)]
    {
        let mut harness = Harness::new();
        let log = harness.room_with(1, "lobby", Durability::Disk, retention);
        harness.append(log, said("as it was right", None));
        harness.maintain();
        // The second start finds what the first has dated.
        for start in 2..4 {
            harness = harness.restart_at(wrong_ms + start * 1_000);
            let log = harness.room_with(1, "lobby", Durability::Disk, retention);
            harness.maintain();
            harness.append(log, said("as it was wrong", None));
            harness.maintain();
            let count = harness.number("SELECT count(*) FROM record");
            assert_eq!(u64::try_from(count).unwrap(), start, "{wrong_ms}");
        }
        // The clock was not wrong, or nobody has set it right.
        harness.pass(DAY);
        harness.maintain();
        let count = harness.number("SELECT count(*) FROM record");
        assert_eq!(count, left_in_the_end, "{wrong_ms}");
        let mut harness = harness.restart();
        harness.room_with(1, "lobby", Durability::Disk, retention);
        harness.maintain();
        assert_eq!(harness.number("SELECT count(*) FROM record"), count, "{wrong_ms}: right again");
    }
}

#[test]
fn a_suspension_lasts_as_long_as_it_was_to_last_though_the_clock_is_set() {
    let mut harness = Harness::new();
    let until = harness.now.wall_ms + 1_000;
    let sql =
        format!("INSERT INTO suspension VALUES ('user eve', {until}, ''), ('user bob', NULL, '')");
    harness.connect().execute_batch(&sql).unwrap();
    harness.now.tick = harness.now.tick.after(Duration::from_secs(1));
    harness.now.wall_ms += 100_001_000;
    let told = harness.engine.look_at_clock(harness.now);
    let Some(LogReply::Suspended(told)) = told else { panic!("{told:?}") };
    let until = until + 100_000_000;
    let ends: Vec<_> = told.users.iter().map(|(_, expiry)| expiry.until).collect();
    assert_eq!(ends, [None, Some(until)], "the domain goes by these");
    let sql = "SELECT until FROM suspension WHERE who = 'user eve'";
    assert_eq!(harness.number(sql), i64::try_from(until).unwrap());
    // Killed before any maintenance: the start knows that they have been moved.
    let wall_ms = harness.now.wall_ms + 5_000;
    let kept = meta_table::clock(&harness.engine.db).unwrap().unwrap();
    assert_eq!(WallWatch::set_while_off(Now { wall_ms, ..harness.now }, kept.seen_ms), None);
}
