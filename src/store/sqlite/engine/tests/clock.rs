//! A wall clock that is set, and one that is right.

use super::*;
use crate::chat::model::log::{Restriction, RestrictionMeta};
use crate::chat::model::suspensions::Expiry;

#[test]
fn what_a_lock_keeps_from_being_moved_when_the_clock_is_set_is_moved_later() {
    let mut harness = Harness::new();
    let until = harness.now.wall_ms + 1_000;
    let other = harness.connect();
    let sql = format!(
        "INSERT INTO suspension VALUES ('user eve', {until}, ''); \
         INSERT INTO invite VALUES (x'00', 1, {until}, '', NULL, 0); \
         INSERT INTO file VALUES ('a', 'a', 'ann', 1, 0, {until})"
    );
    other.execute_batch(&sql).unwrap();
    let find = "SELECT min(until) FROM (SELECT until FROM suspension UNION ALL \
                SELECT until FROM invite UNION ALL SELECT loose FROM file)";
    let before_ms = harness.now.wall_ms;
    harness.maintain();
    let step_ms = 40 * 86_400_000;
    harness.now.wall_ms += step_ms;
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    harness.engine.db.busy_timeout(Duration::ZERO).unwrap();
    assert!(harness.engine.look_at_clock(harness.now).is_none());
    // A start that comes before it is moved finds it to be done.
    let kept = harness.engine.kept_clock(harness.now);
    assert_eq!(kept.seen_ms, before_ms);
    assert!(WallWatch::set_while_off(harness.now, kept.seen_ms).is_some());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(harness.number(find), i64::try_from(until).unwrap());
    harness.now.tick = harness.now.tick.after(Duration::from_mins(1));
    harness.maintain();
    assert_eq!(harness.number(find), i64::try_from(until + step_ms).unwrap());
    assert_eq!(harness.engine.kept_clock(harness.now).seen_ms, harness.now.wall_ms);
}

#[test]
fn what_is_written_before_the_terms_are_moved_has_the_new_time_already() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("before", None)), 1);
    harness.maintain();
    let until = harness.now.wall_ms + 1_000;
    let other = harness.connect();
    let sql = format!(
        "INSERT INTO suspension VALUES ('user eve', {until}, ''); \
         INSERT INTO restriction (room, user, kind, until, reason) \
         VALUES (1, 'zoe', 1, {until}, ''), (2, 'zoe', 1, {until}, '')"
    );
    other.execute_batch(&sql).unwrap();
    let step_ms = 40 * 86_400_000;
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    harness.engine.db.busy_timeout(Duration::ZERO).unwrap();
    for _ in 0..2 {
        harness.now.wall_ms += step_ms;
        assert!(harness.engine.look_at_clock(harness.now).is_none());
    }
    other.execute_batch("COMMIT").unwrap();
    // By the domain, which has moved those of the room that is open; then it is closed.
    let term = Expiry { until: Some(harness.now.wall_ms + 1_000), reason: "".into() };
    let meta = RestrictionMeta { expiry: term, ..RestrictionMeta::default() };
    let meta = RoomMeta::Restriction(user("bob"), Restriction::Muted, Some(meta));
    harness.engine.queue_meta([Op::PutMeta(log, meta)]);
    check_stored(&harness.append(log, said("after", None)), 2);
    harness.engine.queue_meta([Op::Close(log)]);
    harness.maintain();
    let told = harness.engine.poll_shifted();
    assert!(matches!(told, Some(LogReply::Suspended(_))), "{told:?}");
    assert!(harness.engine.poll_shifted().is_none());
    let moved = i64::try_from(until + 2 * step_ms).unwrap();
    assert_eq!(harness.number("SELECT until FROM suspension"), moved);
    assert_eq!(harness.number("SELECT until FROM restriction WHERE room = 2"), moved);
    assert_eq!(harness.number("SELECT until FROM restriction WHERE user = 'bob'"), moved);
    let unmoved = i64::try_from(until).unwrap();
    let of_open = "SELECT until FROM restriction WHERE room = 1 AND user = 'zoe'";
    assert_eq!(harness.number(of_open), unmoved);
}

#[test]
fn a_month_without_a_message_that_ends_with_a_kill_is_no_reason_to_doubt_the_clock() {
    let mut harness = Harness::new();
    let day = Duration::from_hours(24);
    let day_ms = u64::try_from(day.as_millis()).unwrap();
    for _ in 0..40 {
        harness.now =
            Now { tick: harness.now.tick.after(day), wall_ms: harness.now.wall_ms + day_ms };
        assert!(harness.engine.look_at_clock(harness.now).is_none());
        harness.maintain();
    }
    let kept = meta_table::clock(&harness.engine.db).unwrap().unwrap();
    assert_eq!(WallWatch::set_while_off(harness.now, kept.seen_ms), None);
}
