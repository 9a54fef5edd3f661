//! A wall clock that is set, and one that is right.

use super::*;

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
