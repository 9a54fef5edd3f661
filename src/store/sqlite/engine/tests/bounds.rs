//! Bounds that somebody has the duty of: the length of the WAL, what rooms keep.

use super::*;
use rusqlite::wal::CheckpointMode;

/// A batch that writes about 3 MB.
fn write_much(harness: &mut Harness, log: LogId) {
    let text = "x".repeat(16_000);
    let stored = harness.batch(log, (0..200).map(|_| said(&text, None)));
    assert!(stored.iter().all(|outcome| matches!(outcome, Appended::Stored(_))));
}

/// Pages in the WAL that are not in the file.
fn unmoved(harness: &Harness) -> i32 {
    let counted = harness.engine.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP);
    let (pages, moved) = counted.unwrap();
    pages - moved
}

#[test]
fn beside_somebody_who_reads_for_long_there_is_nothing_to_do_at_once() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    write_much(&mut harness, log);
    harness.maintain();
    let reader = harness.connect();
    reader.execute_batch("BEGIN; SELECT count(*) FROM record").unwrap();
    for _ in 0..4 {
        write_much(&mut harness, log);
    }
    // What comes before the reader can be moved, and the rest waits for a while.
    harness.maintain();
    let left = unmoved(&harness);
    assert!(left > 2_000, "{left}");
    for _ in 0..3 {
        assert!(!harness.engine.step(harness.now, true).has_more);
        assert!(harness.engine.round_at() > harness.now.tick, "the writer would not sleep");
        harness.pass(Duration::from_millis(300));
    }
    reader.execute_batch("COMMIT").unwrap();
    harness.pass(Duration::from_secs(1));
    harness.maintain();
    assert_eq!(unmoved(&harness), 0);
}

#[test]
fn the_log_begins_anew_while_batches_come_without_a_pause() {
    const BOUND: u64 = 64 * 1024 * 1024;
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Os);
    let (mut written, mut longest) = (0, 0);
    for _ in 0..32 {
        write_much(&mut harness, log);
        written += 200 * 16_000;
        // No step of maintenance gets its turn.
        harness.engine.bound_wal(harness.now, 200);
        longest = longest.max(fs::metadata(harness.engine.wal_path()).unwrap().len());
    }
    assert!(written > BOUND && longest < BOUND, "{written} {longest}");
}

#[test]
fn a_room_stays_near_its_limit_though_its_senders_leave_no_time() {
    let mut harness = Harness::new();
    let retention = Retention { records: Some(500), ..Retention::default() };
    let log = harness.room_with(1, "lobby", Durability::Os, retention);
    for _ in 0..40 {
        assert_eq!(harness.batch(log, (0..100).map(|_| said("hi", None))).len(), 100);
        // No step of maintenance gets its turn.
        harness.engine.keep_up(harness.now, 100);
        let kept = harness.number("SELECT count(*) FROM record");
        assert!(kept < 1_000, "{kept}");
    }
}
