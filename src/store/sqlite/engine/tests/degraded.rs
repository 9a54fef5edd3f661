//! Writes that fail, and what is left when they work again.

use std::fs::{self, File};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::*;
use crate::chat::model::file_rows::FileOutcome;
use crate::store::sqlite::data_dir;
use crate::store::sqlite::files::FileChange;
use crate::store::sqlite::full_check::CheckOutcome;

impl Harness {
    fn change_files(&mut self, change: FileChange) -> Option<FileOutcome> {
        let (answer, answers) = sync_channel(1);
        self.engine.commit(self.now, vec![Op::File(Box::new(change), answer)]);
        answers.try_recv().ok()
    }
}

/// Whatever makes writes fail until the file is opened anew.
#[track_caller]
fn check_recovery(fail: impl Fn(&Engine), heal: impl Fn(&Path), expect: LogFault) {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", None)), 1);
    fail(&harness.engine);
    let big = "x".repeat(60_000);
    let ops = vec![
        Op::PutMeta(log, member(1)),
        harness.op(log, said("small", Some("c"))),
        harness.op(log, said(&big, None)),
        Op::PutMeta(log, RoomMeta::Topic("late".into(), None)),
        Op::Sync(Ticket(99), Level::Disk),
    ];
    let replies = harness.engine.commit(harness.now, ops);
    let refused = Appended::Refused(expect);
    assert_eq!(
        replies,
        [
            LogReply::Appended { ticket: Ticket(2), outcome: refused.clone() },
            LogReply::Appended { ticket: Ticket(3), outcome: refused.clone() },
            LogReply::Synced { ticket: Ticket(99), outcome: Err(expect) },
            LogReply::Health(Err(expect)),
        ]
    );
    // Degraded: refused at once, and metadata waits.
    assert_eq!(harness.append(log, said("small", Some("c"))), refused);
    harness.engine.queue_meta([Op::PutMeta(log, member(2))]);
    assert_eq!(harness.pass(Duration::from_millis(999)), []);
    heal(harness.folder.path());
    assert_eq!(harness.pass(Duration::from_millis(1)), [LogReply::Health(Ok(()))]);
    check_stored(&harness.append(log, said("small", Some("c"))), 2);
    let harness = harness.restart();
    assert_eq!((harness.rooms[0].head, harness.number("SELECT count(*) FROM record")), (2, 2));
    assert_eq!(harness.rooms[0].meta[1..], [RoomMeta::Topic("late".into(), None), member(2)]);
}

/// Has the file grow by some pages at most, until it is opened anew.
fn fill(engine: &Engine) {
    let pages: i64 = engine.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    engine.db.pragma_update(None, "max_page_count", pages + 2).unwrap();
}

#[test]
fn a_full_disk_refuses_what_it_cannot_hold_and_loses_nothing_else() {
    check_recovery(fill, |_| {}, LogFault::Full);
}

#[test]
fn on_a_full_disk_what_frees_space_is_done_until_the_reserve_is_acquired_again() {
    let mut harness = Harness::new();
    let retention = Retention { age: Some(Duration::from_hours(1)), ..Retention::default() };
    let log = harness.room_with(1, "lobby", Durability::Disk, retention);
    harness.batch(log, [said("one", None), said("two", None)]);
    harness.maintain();
    let data = harness.folder.path().to_owned();
    let reserve = data.join("chinwag.reserve");
    assert!(reserve.exists());
    let full =
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
    assert_eq!(harness.engine.enter_degraded(harness.now, &full), LogFault::Full);
    assert!(!reserve.exists(), "it was released");
    let refused = Appended::Refused(LogFault::Full);
    assert_eq!(harness.append(log, deletion(1)), refused);
    // The file works again, and there is no space for the reserve.
    harness.engine.reserve = DiskReserve::sized(&data, u64::MAX / 2);
    assert_eq!(harness.pass(Duration::from_secs(1)), []);
    assert_eq!(harness.append(log, said("more", None)), refused);
    check_stored(&harness.append(log, deletion(1)), 3);
    assert_eq!(harness.text(1), None);
    let ops = vec![Op::PutMeta(log, member(1)), Op::Sync(Ticket(77), Level::Disk)];
    let synced = LogReply::Synced { ticket: Ticket(77), outcome: Ok(()) };
    assert_eq!(harness.engine.commit(harness.now, ops), [synced]);
    assert_eq!(harness.pass(Duration::from_hours(2)), []);
    assert_eq!(harness.maintain(), [LogReply::Pruned { log, oldest: 4 }]);
    // There is room.
    harness.engine.reserve = DiskReserve::of(&data);
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    assert!(reserve.exists());
    check_stored(&harness.append(log, said("more", None)), 4);
}

#[test]
fn on_a_full_disk_files_that_nothing_refers_to_are_swept_and_of_others_the_reason_is_told() {
    let mut harness = Harness::new();
    let full =
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
    assert_eq!(harness.engine.enter_degraded(harness.now, &full), LogFault::Full);
    harness.engine.reserve = DiskReserve::sized(harness.folder.path(), u64::MAX / 2);
    let sweep = || FileChange::Sweep { before_ms: 1 };
    assert_eq!(harness.change_files(sweep()), Some(FileOutcome::NoSpace));
    // The file works again, and there is no space for the reserve.
    assert_eq!(harness.pass(Duration::from_secs(1)), []);
    assert_eq!(harness.change_files(sweep()), Some(FileOutcome::Swept(Vec::new(), false)));
    let again = FileChange::Again { hash: "a".into(), owner: "ann".into(), wall_ms: 1 };
    assert_eq!(harness.change_files(again), Some(FileOutcome::NoSpace));
}

#[test]
fn on_a_full_disk_a_known_cid_is_answered_and_after_a_fault_of_another_kind_it_is_not() {
    for (code, fault) in [
        (rusqlite::ffi::SQLITE_FULL, LogFault::Full),
        (rusqlite::ffi::SQLITE_IOERR_FSYNC, LogFault::Broken),
        (rusqlite::ffi::SQLITE_CORRUPT, LogFault::Corrupt),
    ] {
        let mut harness = Harness::new();
        let log = harness.room(1, "lobby", Durability::Disk);
        let stored = harness.append(log, said("one", Some("c")));
        let Appended::Stored(record) = stored else { panic!("{stored:?}") };
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert_eq!(harness.engine.enter_degraded(harness.now, &error), fault);
        harness.engine.reserve = DiskReserve::sized(harness.folder.path(), u64::MAX / 2);
        let refused = Appended::Refused(fault);
        let question = |cid| Draft { is_question: true, ..said("one", Some(cid)) };
        let answers = [
            (said("one", Some("c")), Appended::Duplicate { seq: 1, at: record.at }),
            (said("other", Some("c")), Appended::Conflict { seq: 1 }),
            (question("c"), Appended::Duplicate { seq: 1, at: record.at }),
            (question("d"), Appended::Unknown),
            (said("one", Some("d")), refused.clone()),
            (said("one", None), refused.clone()),
        ];
        // At first nothing is written; then what frees space is.
        for _ in 0..2 {
            for (draft, answer) in answers.clone() {
                let answer = if fault == LogFault::Full { &answer } else { &refused };
                assert_eq!(harness.append(log, draft), *answer, "{fault:?}");
            }
            harness.pass(Duration::from_secs(1));
            if fault == LogFault::Broken {
                break;
            }
        }
    }
}

#[test]
fn on_a_full_disk_the_cid_of_what_it_could_not_hold_is_not_known_and_earlier_ones_are() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("one", Some("c"))), 1);
    let reserve = DiskReserve::of(harness.folder.path());
    harness.engine.reserve = DiskReserve::sized(harness.folder.path(), u64::MAX / 2);
    fill(&harness.engine);
    let big = said(&"x".repeat(60_000), Some("d"));
    // One that the transaction has written before it fails, and the one that it fails with; among
    // them some that are known, or of which it would only be known with the first.
    let refused = Appended::Refused(LogFault::Full);
    let (one, small) = (said("one", Some("c")), said("small", Some("e")));
    let batch = [one.clone(), small.clone(), small, big.clone(), one];
    let answers = harness.batch(log, batch);
    let is_known = |answer: &Appended| matches!(answer, Appended::Duplicate { seq: 1, .. });
    assert!([&answers[0], &answers[4]].into_iter().all(is_known), "{answers:?}");
    assert_eq!(answers[1..4], [refused.clone(), refused.clone(), refused.clone()]);
    // At first nothing is written; then what frees space is.
    for _ in 0..2 {
        let again = harness.append(log, said("one", Some("c")));
        assert!(matches!(again, Appended::Duplicate { seq: 1, .. }), "{again:?}");
        for draft in [&big, &said("small", Some("e")), &said("other", Some("d"))] {
            assert_eq!(harness.append(log, draft.clone()), refused);
        }
        assert_eq!(harness.pass(Duration::from_secs(1)), []);
    }
    harness.engine.reserve = reserve;
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    check_stored(&harness.append(log, big), 2);
    check_stored(&harness.append(log, said("small", Some("e"))), 3);
}

#[test]
fn a_file_that_was_moved_away_with_all_that_is_beside_it_stays_open_until_it_is_back() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("one", None)), 1);
    harness.engine.poll_commands(harness.now);
    let data = harness.folder.path().to_owned();
    let away = tempfile::tempdir_in(&data).unwrap();
    let names = ["chinwag.db", "chinwag.db-wal", "chinwag.db-shm"];
    let rename = |from: &Path, to: &Path| {
        for name in names {
            fs::rename(from.join(name), to.join(name)).unwrap();
        }
    };
    rename(&data, away.path());
    let why = harness.engine.db.check_place().unwrap_err().to_string();
    assert!(why.starts_with("the file or its -wal was moved or removed"), "{why}");
    let refused = Appended::Refused(LogFault::Broken);
    assert_eq!(harness.append(log, said("two", None)), refused);
    for _ in 0..2 {
        assert_eq!(harness.pass(Duration::from_secs(1)), []);
        assert_eq!(harness.engine.poll_commands(harness.now), []);
        assert!(!harness.engine.db.is_closed() && !harness.engine.path().exists());
    }
    rename(away.path(), &data);
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    check_stored(&harness.append(log, said("two", None)), 2);
}

#[test]
fn free_space_within_the_file_replaces_the_reserve() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("one", None)), 1);
    let full =
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
    harness.engine.enter_degraded(harness.now, &full);
    harness.engine.reserve = DiskReserve::sized(harness.folder.path(), u64::MAX / 2);
    assert_eq!(harness.pass(Duration::from_secs(1)), []);
    let sql = "CREATE TABLE big AS SELECT zeroblob(9000000) AS x; DROP TABLE big";
    harness.connect().execute_batch(sql).unwrap();
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    check_stored(&harness.append(log, said("two", None)), 2);
}

#[test]
fn records_of_a_room_that_was_not_removed_are_never_taken_away() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("one", None)), 1);
    harness.connect().execute_batch("DELETE FROM room").unwrap();
    harness.maintain();
    assert_eq!(harness.number("SELECT count(*) FROM record"), 1);
}

#[test]
fn a_disk_that_cannot_be_written_is_tried_again_until_it_can() {
    let spoil = |engine: &Engine| engine.db.pragma_update(None, "query_only", true).unwrap();
    check_recovery(spoil, |_| {}, LogFault::Broken);
}

#[test]
fn a_probe_that_fails_leaves_everything_as_it_was() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", None)), 1);
    let file = harness.engine.path().to_owned();
    let away = file.with_extension("away");
    fs::rename(&file, &away).unwrap();
    let refused = Appended::Refused(LogFault::Broken);
    assert_eq!(harness.append(log, said("now", None)), refused);
    assert_eq!(harness.pass(Duration::from_secs(1)), []);
    assert_eq!(harness.append(log, said("now", None)), refused);
    fs::rename(&away, &file).unwrap();
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    check_stored(&harness.append(log, said("now", None)), 2);
}

#[test]
fn records_that_come_up_above_the_head_that_was_told_are_removed() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", None)), 1);
    harness.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(harness.append(log, said("lost", None)), Appended::Refused(LogFault::Broken));
    let sql = "INSERT INTO record (room, seq, at, sender, kind, weight, sum) VALUES (1, 2, 0, 'ann', 1, 0, 0); \
               UPDATE room SET head = 2";
    harness.connect().execute_batch(sql).unwrap();
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    assert_eq!(harness.number("SELECT count(*) + (SELECT head FROM room) FROM record"), 2);
    check_stored(&harness.append(log, said("new", None)), 2);
}

#[test]
fn what_was_written_last_is_checked_before_service_returns() {
    for damage in [
        "UPDATE record SET text = 'forged' WHERE seq = 2",
        "UPDATE record SET room = 5 WHERE seq = 2",
        "DELETE FROM room",
    ] {
        let mut harness = Harness::new();
        let log = harness.room(1, "lobby", Durability::Disk);
        harness.batch(log, [said("one", None), said("two", Some("c"))]);
        harness.engine.db.pragma_update(None, "query_only", true).unwrap();
        let refused = Appended::Refused(LogFault::Broken);
        assert_eq!(harness.append(log, said("no", None)), refused, "{damage}");
        harness.connect().execute_batch(damage).unwrap();
        let told = harness.pass(Duration::from_secs(1));
        assert_eq!(told, [LogReply::Health(Err(LogFault::Corrupt))], "{damage}");
        assert_eq!(harness.pass(Duration::from_hours(1)), [], "{damage}");
        let refused = Appended::Refused(LogFault::Corrupt);
        assert_eq!(harness.append(log, said("no", None)), refused, "{damage}");
    }
}

#[test]
fn after_a_recovery_the_whole_file_is_checked_and_damage_is_final() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", None)), 1);
    assert_eq!(harness.engine.check_at(), Tick::MAX);
    harness.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(harness.append(log, said("no", None)), Appended::Refused(LogFault::Broken));
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    assert_eq!(harness.engine.check_at(), harness.now.tick);
    assert_eq!(harness.engine.on_check(harness.now, &CheckOutcome::Sound), None);
    let aborted = CheckOutcome::Aborted("too much".to_owned());
    assert_eq!(harness.engine.on_check(harness.now, &aborted), None);
    assert!(harness.engine.check_at() > harness.now.tick);
    check_stored(&harness.append(log, said("on", None)), 2);
    let told = harness.engine.on_check(harness.now, &CheckOutcome::Damaged("a page".to_owned()));
    assert_eq!(told, Some(LogReply::Health(Err(LogFault::Corrupt))));
    assert_eq!(harness.append(log, said("no", None)), Appended::Refused(LogFault::Corrupt));
}

#[test]
fn a_head_that_was_told_is_not_given_again_though_its_records_are_lost() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Os);
    harness.batch(log, (0..5).map(|_| said("hi", None)));
    harness.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(harness.append(log, said("no", None)), Appended::Refused(LogFault::Broken));
    harness
        .connect()
        .execute_batch("DELETE FROM record WHERE seq > 3; UPDATE room SET head = 3")
        .unwrap();
    let told = harness.pass(Duration::from_secs(1));
    assert_eq!(told, [LogReply::Pruned { log, oldest: 6 }, LogReply::Health(Ok(()))]);
    check_stored(&harness.append(log, said("on", None)), 6);
    harness.maintain();
    assert_eq!(harness.number("SELECT count(*) FROM record"), 1);
}

#[test]
fn a_damaged_file_is_left_alone() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    harness.append(log, said("before", None));
    let damaged = rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        None,
    );
    assert_eq!(harness.engine.enter_degraded(harness.now, &damaged), LogFault::Corrupt);
    assert_eq!(harness.pass(Duration::from_hours(1)), []);
    let refused = Appended::Refused(LogFault::Corrupt);
    assert_eq!(harness.append(log, said("after", None)), refused);
}

#[test]
fn a_damaged_record_is_not_edited_and_the_store_goes_on() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    harness.append(log, said("before", None));
    harness.connect().execute_batch("UPDATE record SET text = 'forged'").unwrap();
    assert_eq!(harness.append(log, edit(1, "new")), Appended::Refused(LogFault::Corrupt));
    check_stored(&harness.append(log, said("after", None)), 2);
}

#[test]
fn a_kill_in_the_midst_of_a_commit_leaves_all_of_the_batch_or_nothing() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", None)), 1);
    // The cache is so small that the transaction is written to the file before it is committed.
    harness.engine.db.pragma_update(None, "cache_size", 1).unwrap();
    harness.engine.db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut counters = harness.engine.room(log).unwrap().counters;
    for _ in 0..200 {
        let draft = Draft { meta: vec![member(9)], ..said(&"x".repeat(500), None) };
        let mut tail = Tail::load(&harness.engine.db).unwrap();
        let db = &harness.engine.db;
        let mut statements = Statements::prepare(db).unwrap();
        let appended = append((db, &mut statements, &mut tail), 1, &mut counters, 0, draft);
        assert!(matches!(appended, Ok(Appended::Stored(_))), "{appended:?}");
    }
    let image = tempfile::tempdir().unwrap();
    for file in ["chinwag.db", "chinwag.db-wal"] {
        fs::copy(harness.folder.path().join(file), image.path().join(file)).unwrap();
    }
    let log_len = fs::metadata(image.path().join("chinwag.db-wal")).unwrap().len();
    assert!(log_len > 100_000, "{log_len}");
    let harness = Harness::at(image);
    assert_eq!((harness.rooms[0].head, harness.rooms[0].meta.len()), (1, 1));
    assert_eq!(harness.number("SELECT count(*) FROM record"), 1);
}

#[test]
fn unwritten_metadata_is_written_when_a_store_that_could_recover_is_closed() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", None)), 1);
    harness.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(harness.append(log, said("no", None)), Appended::Refused(LogFault::Broken));
    harness.engine.queue_meta([Op::PutMeta(log, member(1))]);
    let Harness { engine, folder, now, .. } = harness;
    engine.close(now);
    let harness = Harness::at(folder);
    assert_eq!(harness.rooms[0].meta[1..], [member(1)]);
    assert_eq!(harness.rooms[0].head, 1);
}

#[test]
fn a_file_or_wal_that_was_cut_short_is_written_to_no_more_and_not_damaged_further() {
    for name in ["chinwag.db", "chinwag.db-wal"] {
        let mut harness = Harness::new();
        let log = harness.room(1, "lobby", Durability::Disk);
        check_stored(&harness.append(log, said("one", None)), 1);
        // What others shorten in good order is no fault.
        let shorten = "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
        harness.connect().execute_batch(shorten).unwrap();
        for (seq, text) in [(2, "two"), (3, "three")] {
            check_stored(&harness.append(log, said(text, None)), seq);
        }
        let file = File::options().write(true).open(harness.folder.path().join(name)).unwrap();
        file.set_len(0).unwrap();
        let refused = Appended::Refused(LogFault::Corrupt);
        assert_eq!(harness.append(log, said("four", None)), refused, "{name}");
        assert_eq!(file.metadata().unwrap().len(), 0, "nothing more was written to {name}");
    }
}

#[test]
fn what_another_process_has_shortened_and_made_longer_again_is_no_damage_and_a_missing_page_is() {
    let junk = |name: &str, pages: u32| {
        format!("CREATE TABLE {name} (x); INSERT INTO {name} VALUES (zeroblob({pages} * 4096));")
    };
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE);";
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    let other = harness.connect();
    let path = harness.folder.path().join("chinwag.db");
    let pages = || path.metadata().unwrap().len() / 4096;
    other.execute_batch(&(junk("long", 90) + checkpoint)).unwrap();
    check_stored(&harness.append(log, said("one", None)), 1);
    let before = pages();
    let shorten = format!("DROP TABLE long; VACUUM; {checkpoint} {}", junk("short", 60));
    other.execute_batch(&shorten).unwrap();
    let needed = other
        .pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))
        .unwrap()
        .cast_unsigned();
    assert!(pages() < needed && needed < before, "{} {needed} {before}", pages());
    check_stored(&harness.append(log, said("two", None)), 2);
    // In the WAL and in the file, which is what is read then.
    other.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    check_stored(&harness.append(log, said("three", None)), 3);
    other.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len((pages() - 1) * 4096).unwrap();
    assert_eq!(harness.append(log, said("four", None)), Appended::Refused(LogFault::Corrupt));
}

#[test]
fn a_lock_that_was_removed_is_taken_again_and_where_another_has_it_nothing_is_written() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("one", None)), 1);
    let (data, lock) =
        (harness.folder.path().to_owned(), harness.folder.path().join("chinwag.lock"));
    fs::remove_file(&lock).unwrap();
    check_stored(&harness.append(log, said("two", None)), 2);
    assert!(data_dir::lock(&data).is_err(), "it is held");
    fs::remove_file(&lock).unwrap();
    let other = data_dir::lock(&data).unwrap();
    let refused = Appended::Refused(LogFault::Broken);
    assert_eq!(harness.append(log, said("three", None)), refused);
    assert_eq!(harness.pass(Duration::from_secs(1)), []);
    drop(other);
    assert_eq!(harness.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    check_stored(&harness.append(log, said("three", None)), 3);
}
