//! What a commit writes, and what is booked later: no kill in between loses any of it.

use super::*;
use crate::store::sqlite::meta_table::{self, BOOKED};
use crate::store::sqlite::search::index;
use crate::store::sqlite::tail::LOT_RECORDS;

/// Bytes of a frame of the WAL: a page and what is in front of it.
const FRAME_BYTES: u64 = 4096 + 24;

/// Frames of the WAL that this writes.
fn frames(harness: &mut Harness, write: impl FnOnce(&mut Harness)) -> u64 {
    let count = |harness: &Harness| {
        let file = harness.folder.path().join("chinwag.db-wal");
        let bytes = fs::metadata(file).unwrap().len().saturating_sub(32);
        assert_eq!(bytes % FRAME_BYTES, 0);
        bytes / FRAME_BYTES
    };
    let before = count(harness);
    write(harness);
    count(harness) - before
}

fn cid_of(number: u64) -> String {
    format!("cid-{number}")
}

/// Messages with `cid`s, in batches, so many that the tail is long enough to be booked.
fn fill(harness: &mut Harness, log: LogId) -> u64 {
    let all = u64::try_from(LOT_RECORDS).unwrap();
    for first in (0..all).step_by(512) {
        let drafts = (first..first + 512).map(|n| said("words to find", Some(&cid_of(n))));
        assert_eq!(harness.batch(log, drafts).len(), 512);
    }
    all
}

#[test]
fn a_lone_message_writes_two_pages_whatever_else_there_is_to_do_for_it() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    // The first ones make pages.
    for number in 0..3 {
        harness.append(log, said(&"x".repeat(100), Some(&cid_of(number))));
        harness.maintain();
    }
    let written = frames(&mut harness, |harness| {
        for number in 3..103 {
            let draft = said(&"x".repeat(100), Some(&cid_of(number)));
            check_stored(&harness.append(log, draft), number + 1);
            assert_eq!(harness.maintain(), []);
        }
    });
    // A hundred of them fill four pages of records.
    assert!((200..=212).contains(&written), "{written}");
}

#[test]
fn a_kill_at_any_step_of_booking_loses_no_head_no_cid_and_no_word() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    let all = fill(&mut harness, log);
    let bytes = i64::try_from(all).unwrap() * 13;
    let (mut images, mut booked) = (0, 0);
    // Steps of all tasks take turns.
    let mut has_more = true;
    while has_more {
        has_more = harness.engine.step(harness.now, true).has_more;
        images += 1;
        if has_more && images % 4 != 1 {
            continue;
        }
        let image = tempfile::tempdir().unwrap();
        for file in ["chinwag.db", "chinwag.db-wal"] {
            fs::copy(harness.folder.path().join(file), image.path().join(file)).unwrap();
        }
        let mut killed = Harness::at(image);
        booked += i64::from(meta_table::get(&killed.engine.db, BOOKED).unwrap() != Some(0));
        assert_eq!(killed.rooms[0].head, all, "image {images}");
        assert_eq!(killed.number("SELECT bytes FROM room"), bytes, "image {images}");
        let log = killed.room(1, "lobby", Durability::Disk);
        let at = killed.now.wall_ms;
        for number in (0..all).step_by(97).chain([all - 1]) {
            let again = killed.append(log, said("words to find", Some(&cid_of(number))));
            assert_eq!(again, Appended::Duplicate { seq: number + 1, at }, "image {images}");
            let other = killed.append(log, said("others", Some(&cid_of(number))));
            assert_eq!(other, Appended::Conflict { seq: number + 1 }, "image {images}");
        }
        while index::fill(&killed.engine.db, 1_000).unwrap() {}
        let found = killed.number("SELECT count(*) FROM word WHERE word MATCH 'find'");
        assert_eq!(found, i64::try_from(all).unwrap(), "image {images}");
        check_stored(&killed.append(log, said("on", Some("new"))), all + 1);
    }
    assert!(images > 16, "{images}");
    assert!(booked > 0, "the last of the images is booked");
    assert_eq!(harness.number("SELECT count(*) FROM cid"), i64::try_from(all).unwrap());
}

#[test]
fn a_cid_stays_known_when_its_message_changes_or_goes_booked_or_not() {
    for is_booked in [false, true] {
        let mut harness = Harness::new();
        let retention = Retention { records: Some(5_000), ..Retention::default() };
        let log = harness.room_with(1, "lobby", Durability::Disk, retention);
        let at = harness.now.wall_ms;
        for (number, text) in [(0, "edited"), (1, "deleted"), (2, "pruned")] {
            check_stored(&harness.append(log, said(text, Some(&cid_of(number)))), number + 1);
        }
        if is_booked {
            let filler = (0..LOT_RECORDS).map(|_| said("filler", None));
            harness.batch(log, filler);
            harness.maintain();
            assert_eq!(harness.number("SELECT count(*) FROM cid"), 3);
        }
        harness.append(log, edit(1, "otherwise"));
        harness.append(log, deletion(2));
        let mut harness = harness.restart();
        let retention = Retention { records: Some(1), ..Retention::default() };
        let log = harness.room_with(1, "lobby", Durability::Disk, retention);
        harness.maintain();
        assert_eq!(harness.number("SELECT count(*) FROM record"), 1);
        assert_eq!(harness.number("SELECT count(*) FROM cid"), 0, "booked: {is_booked}");
        for _ in 0..2 {
            for (number, text) in [(0, "edited"), (1, "deleted"), (2, "pruned")] {
                let again = harness.append(log, said(text, Some(&cid_of(number))));
                let expect = Appended::Duplicate { seq: number + 1, at };
                assert_eq!(again, expect, "booked: {is_booked}");
                let other = harness.append(log, said("more", Some(&cid_of(number))));
                assert_eq!(other, Appended::Conflict { seq: number + 1 }, "booked: {is_booked}");
            }
            harness.pass(Duration::from_hours(6 * 24));
            harness.maintain();
        }
        harness.maintain();
        let head = harness.engine.room(log).unwrap().counters.head;
        check_stored(&harness.append(log, said("edited", Some(&cid_of(0)))), head + 1);
    }
}

#[test]
fn what_a_failed_commit_has_taken_is_not_known() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", Some("a"))), 1);
    harness.engine.db.pragma_update(None, "query_only", true).unwrap();
    let refused = Appended::Refused(LogFault::Broken);
    assert_eq!(harness.append(log, said("no", Some("b"))), refused);
    harness.now.tick = harness.now.tick.after(Duration::from_secs(2));
    assert!(harness.engine.probe(harness.now).contains(&LogReply::Health(Ok(()))));
    check_stored(&harness.append(log, said("no", Some("b"))), 2);
    let known = harness.append(log, said("before", Some("a")));
    assert!(matches!(known, Appended::Duplicate { seq: 1, .. }), "{known:?}");
}

#[test]
fn the_tail_is_booked_at_the_pace_of_the_senders_and_when_it_is_old() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    // Maintenance gets no turn.
    let mut longest = 0;
    for first in (0..4 * 4096).step_by(512) {
        let drafts = (first..first + 512).map(|n| said("x", Some(&cid_of(n))));
        harness.batch(log, drafts);
        harness.engine.keep_up(harness.now, 512);
        let sql = "SELECT max(id) - (SELECT value FROM meta WHERE key = 'booked') FROM record";
        longest = longest.max(harness.number(sql));
    }
    assert!((LOT_RECORDS..=2 * LOT_RECORDS).contains(&longest), "{longest}");
    harness.maintain();
    check_stored(&harness.append(log, said("x", Some("last"))), 4 * 4096 + 1);
    harness.maintain();
    assert!(harness.number("SELECT head FROM room") <= 4 * 4096, "a lone message is not booked");
    harness.now.tick = harness.now.tick.after(Duration::from_mins(6));
    harness.maintain();
    assert_eq!(harness.number("SELECT head FROM room"), 4 * 4096 + 1);
}

#[test]
fn a_lock_that_is_waited_for_in_vain_takes_no_cid_and_no_id_back() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    for number in 0..3 {
        harness.append(log, said("hi", Some(&cid_of(number))));
    }
    harness.engine.db.busy_timeout(Duration::ZERO).unwrap();
    let other = harness.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = Appended::Refused(LogFault::Busy);
    assert_eq!(harness.append(log, said("late", Some("late"))), refused);
    other.execute_batch("COMMIT").unwrap();
    for number in 0..3 {
        let again = harness.append(log, said("hi", Some(&cid_of(number))));
        assert!(matches!(again, Appended::Duplicate { seq, .. } if seq == number + 1), "{again:?}");
    }
    check_stored(&harness.append(log, said("late", Some("late"))), 4);
    let ids = "SELECT group_concat(seq || ':' || id, ' ') FROM (SELECT * FROM record ORDER BY id)";
    let ids: String = harness.connect().query_one(ids, [], |row| row.get(0)).unwrap();
    assert_eq!(ids, "1:1 2:2 3:3 4:4");
}
