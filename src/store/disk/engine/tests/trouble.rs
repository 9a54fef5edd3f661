//! Writes that fail, and what is left when they work again.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::store::disk::check::Found;

/// Whatever makes writes fail until the file is opened anew.
#[track_caller]
fn check_recovery(fail: impl Fn(&Engine), heal: impl Fn(&Path), expect: LogFault) {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("before", None)), 1);
    fail(&bench.engine);
    let big = "x".repeat(60_000);
    let ops = vec![
        Op::PutMeta(log, member(1)),
        bench.op(log, said("small", Some("c"))),
        bench.op(log, said(&big, None)),
        Op::PutMeta(log, RoomMeta::Topic("late".into())),
        Op::Sync(Ticket(99), Level::Disk),
    ];
    let replies = bench.engine.commit(bench.now, ops);
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
    // In trouble: refused at once, and facts wait.
    assert_eq!(bench.append(log, said("small", Some("c"))), refused);
    bench.engine.take_up_all([Op::PutMeta(log, member(2))]);
    assert_eq!(bench.pass(Duration::from_millis(999)), []);
    heal(bench.folder.path());
    assert_eq!(bench.pass(Duration::from_millis(1)), [LogReply::Health(Ok(()))]);
    check_stored(&bench.append(log, said("small", Some("c"))), 2);
    let bench = bench.restart();
    assert_eq!((bench.kept[0].head, bench.number("SELECT count(*) FROM record")), (2, 2));
    assert_eq!(bench.kept[0].meta[1..], [RoomMeta::Topic("late".into()), member(2)]);
}

#[test]
fn a_full_disk_refuses_what_it_cannot_hold_and_loses_nothing_else() {
    let fill = |engine: &Engine| {
        let pages: i64 =
            engine.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        engine.db.pragma_update(None, "max_page_count", pages + 2).unwrap();
    };
    check_recovery(fill, |_| {}, LogFault::Full);
}

#[test]
fn on_a_full_disk_what_makes_room_is_done_until_the_reserve_is_taken_again() {
    let mut bench = Bench::new();
    let retention = Retention { age: Some(Duration::from_hours(1)), ..Retention::default() };
    let log = bench.room_kept(1, "lobby", Durability::Disk, retention);
    bench.batch(log, [said("one", None), said("two", None)]);
    bench.tidy();
    let data = bench.folder.path().to_owned();
    let reserve = data.join("chinwag.reserve");
    assert!(reserve.exists());
    let full =
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
    assert_eq!(bench.engine.begin_trouble(bench.now, &full), LogFault::Full);
    assert!(!reserve.exists(), "it was given");
    let refused = Appended::Refused(LogFault::Full);
    assert_eq!(bench.append(log, deletion(1)), refused);
    // The file works again, and there is no room for the reserve.
    bench.engine.reserve = Reserve::sized(&data, u64::MAX / 2);
    assert_eq!(bench.pass(Duration::from_secs(1)), []);
    assert_eq!(bench.append(log, said("more", None)), refused);
    check_stored(&bench.append(log, deletion(1)), 3);
    assert_eq!(bench.text(1), None);
    let ops = vec![Op::PutMeta(log, member(1)), Op::Sync(Ticket(77), Level::Disk)];
    let synced = LogReply::Synced { ticket: Ticket(77), outcome: Ok(()) };
    assert_eq!(bench.engine.commit(bench.now, ops), [synced]);
    assert_eq!(bench.pass(Duration::from_hours(2)), []);
    assert_eq!(bench.tidy(), [LogReply::Pruned { log, oldest: 4 }]);
    // There is room.
    bench.engine.reserve = Reserve::of(&data);
    assert_eq!(bench.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    assert!(reserve.exists());
    check_stored(&bench.append(log, said("more", None)), 4);
}

#[test]
fn room_in_the_file_itself_does_for_the_reserve() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("one", None)), 1);
    let full =
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
    bench.engine.begin_trouble(bench.now, &full);
    bench.engine.reserve = Reserve::sized(bench.folder.path(), u64::MAX / 2);
    assert_eq!(bench.pass(Duration::from_secs(1)), []);
    let sql = "CREATE TABLE big AS SELECT zeroblob(9000000) AS x; DROP TABLE big";
    bench.look().execute_batch(sql).unwrap();
    assert_eq!(bench.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    check_stored(&bench.append(log, said("two", None)), 2);
}

#[test]
fn records_of_a_room_that_was_not_removed_are_never_taken_away() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("one", None)), 1);
    bench.look().execute_batch("DELETE FROM room").unwrap();
    bench.tidy();
    assert_eq!(bench.number("SELECT count(*) FROM record"), 1);
}

#[test]
fn a_disk_that_cannot_be_written_is_tried_again_until_it_can() {
    let spoil = |engine: &Engine| engine.db.pragma_update(None, "query_only", true).unwrap();
    check_recovery(spoil, |_| {}, LogFault::Broken);
}

#[test]
fn a_probe_that_fails_leaves_everything_as_it_was() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("before", None)), 1);
    // Another process holds the file, for longer than anybody waits.
    let other = bench.look();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = Appended::Refused(LogFault::Broken);
    assert_eq!(bench.append(log, said("now", None)), refused);
    assert_eq!(bench.pass(Duration::from_secs(1)), []);
    assert_eq!(bench.append(log, said("now", None)), refused);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(bench.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    check_stored(&bench.append(log, said("now", None)), 2);
}

#[test]
fn records_that_come_up_above_the_head_that_was_told_are_removed() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("before", None)), 1);
    bench.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(bench.append(log, said("lost", None)), Appended::Refused(LogFault::Broken));
    let sql = "INSERT INTO record (room, seq, at, sender, kind, weight, sum) VALUES (1, 2, 0, 'ann', 1, 0, 0); \
               UPDATE room SET head = 2";
    bench.look().execute_batch(sql).unwrap();
    assert_eq!(bench.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    assert_eq!(bench.number("SELECT count(*) + (SELECT head FROM room) FROM record"), 2);
    check_stored(&bench.append(log, said("new", None)), 2);
}

#[test]
fn what_was_written_last_is_looked_at_before_the_file_is_trusted_again() {
    for damage in [
        "UPDATE record SET text = 'forged' WHERE seq = 2",
        "UPDATE record SET room = 5 WHERE seq = 2",
        "DELETE FROM room",
    ] {
        let mut bench = Bench::new();
        let log = bench.room(1, "lobby", Durability::Disk);
        bench.batch(log, [said("one", None), said("two", Some("c"))]);
        bench.engine.db.pragma_update(None, "query_only", true).unwrap();
        let refused = Appended::Refused(LogFault::Broken);
        assert_eq!(bench.append(log, said("no", None)), refused, "{damage}");
        bench.look().execute_batch(damage).unwrap();
        let told = bench.pass(Duration::from_secs(1));
        assert_eq!(told, [LogReply::Health(Err(LogFault::Corrupt))], "{damage}");
        assert_eq!(bench.pass(Duration::from_hours(1)), [], "{damage}");
        let refused = Appended::Refused(LogFault::Corrupt);
        assert_eq!(bench.append(log, said("no", None)), refused, "{damage}");
    }
}

#[test]
fn after_a_recovery_the_whole_file_is_to_be_looked_at_and_its_damage_is_final() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("before", None)), 1);
    assert_eq!(bench.engine.look_at(), Tick::MAX);
    bench.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(bench.append(log, said("no", None)), Appended::Refused(LogFault::Broken));
    assert_eq!(bench.pass(Duration::from_secs(1)), [LogReply::Health(Ok(()))]);
    assert_eq!(bench.engine.look_at(), bench.now.tick);
    assert_eq!(bench.engine.looked(bench.now, &Found::Sound), None);
    let broken_off = Found::BrokenOff("too much".to_owned());
    assert_eq!(bench.engine.looked(bench.now, &broken_off), None);
    assert!(bench.engine.look_at() > bench.now.tick);
    check_stored(&bench.append(log, said("on", None)), 2);
    let told = bench.engine.looked(bench.now, &Found::Damaged("a page".to_owned()));
    assert_eq!(told, Some(LogReply::Health(Err(LogFault::Corrupt))));
    assert_eq!(bench.append(log, said("no", None)), Appended::Refused(LogFault::Corrupt));
}

#[test]
fn a_head_that_was_told_is_not_given_again_though_its_records_are_lost() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Os);
    bench.batch(log, (0..5).map(|_| said("hi", None)));
    bench.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(bench.append(log, said("no", None)), Appended::Refused(LogFault::Broken));
    bench
        .look()
        .execute_batch("DELETE FROM record WHERE seq > 3; UPDATE room SET head = 3")
        .unwrap();
    let told = bench.pass(Duration::from_secs(1));
    assert_eq!(told, [LogReply::Pruned { log, oldest: 6 }, LogReply::Health(Ok(()))]);
    check_stored(&bench.append(log, said("on", None)), 6);
    bench.tidy();
    assert_eq!(bench.number("SELECT count(*) FROM record"), 1);
}

#[test]
fn a_damaged_file_is_left_alone() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    bench.append(log, said("before", None));
    let damaged = rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        None,
    );
    assert_eq!(bench.engine.begin_trouble(bench.now, &damaged), LogFault::Corrupt);
    assert_eq!(bench.pass(Duration::from_hours(1)), []);
    let refused = Appended::Refused(LogFault::Corrupt);
    assert_eq!(bench.append(log, said("after", None)), refused);
}

#[test]
fn a_damaged_record_is_not_edited_and_the_store_goes_on() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    bench.append(log, said("before", None));
    bench.look().execute_batch("UPDATE record SET text = 'forged'").unwrap();
    assert_eq!(bench.append(log, edit(1, "new")), Appended::Refused(LogFault::Corrupt));
    check_stored(&bench.append(log, said("after", None)), 2);
}

#[test]
fn a_kill_in_the_midst_of_a_commit_leaves_all_of_the_batch_or_nothing() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("before", None)), 1);
    // So little is kept in memory that the transaction comes to the file before it is committed.
    bench.engine.db.pragma_update(None, "cache_size", 1).unwrap();
    bench.engine.db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut tail = bench.engine.room(log).unwrap().tail;
    for _ in 0..200 {
        let draft = Draft { meta: vec![member(9)], ..said(&"x".repeat(500), None) };
        let appended = append(&bench.engine.db, 1, &mut tail, 0, draft);
        assert!(matches!(appended, Ok(Appended::Stored(_))), "{appended:?}");
    }
    let image = tempfile::tempdir().unwrap();
    for file in ["chinwag.db", "chinwag.db-wal"] {
        fs::copy(bench.folder.path().join(file), image.path().join(file)).unwrap();
    }
    let log_len = fs::metadata(image.path().join("chinwag.db-wal")).unwrap().len();
    assert!(log_len > 100_000, "{log_len}");
    let bench = Bench::at(image);
    assert_eq!((bench.kept[0].head, bench.kept[0].meta.len()), (1, 1));
    assert_eq!(bench.number("SELECT count(*) FROM record"), 1);
}

#[test]
fn what_is_pending_is_written_when_the_store_is_closed_in_trouble_that_is_over() {
    let mut bench = Bench::new();
    let log = bench.room(1, "lobby", Durability::Disk);
    check_stored(&bench.append(log, said("before", None)), 1);
    bench.engine.db.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(bench.append(log, said("no", None)), Appended::Refused(LogFault::Broken));
    bench.engine.take_up_all([Op::PutMeta(log, member(1))]);
    let Bench { engine, folder, now, _lock: lock, .. } = bench;
    engine.close(now);
    drop(lock);
    let bench = Bench::at(folder);
    assert_eq!(bench.kept[0].meta[1..], [member(1)]);
    assert_eq!(bench.kept[0].head, 1);
}
