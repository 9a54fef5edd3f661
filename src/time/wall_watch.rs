//! Whether the wall clock can be believed: it is set by people and time servers, and a board
//! without a clock chip boots in 1970.
//!
//! The monotonic clock goes on whatever happens to the wall clock, so a change of the difference
//! between the two is a step of the wall clock.

use std::time::Duration;

use super::Tick;
use super::clock::Now;
use super::span::millis;

/// A smaller change is the work of a time server that adjusts the clock.
const STEP_MIN_MS: i64 = 60_000;
/// What was written last may be so much older than the present without a doubt: the server may have
/// been off.
const GAP_MAX: Duration = Duration::from_hours(30 * 24);
/// For how long a clock that was set must have held before anything is deleted because of it.
const HOLD: Duration = Duration::from_hours(24);

/// What is known of the wall clock by a server that is off, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// When it was set last.
    pub since_ms: u64,
    /// What it showed last.
    pub seen_ms: u64,
}

/// Notices steps of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallWatch {
    /// Wall time minus monotonic time, in milliseconds, as of the last look.
    offset_ms: i64,
    /// When it was set last, as it shows it.
    since_ms: u64,
    /// When the present wall time has held for long enough.
    trusted_at: Tick,
}

impl WallWatch {
    /// A watch that goes on with what was `kept`. Where nothing was, the present wall time is taken
    /// for right, unless it is not what is to be expected after `latest_ms`, the wall time of what
    /// was written last, if anything was: a clock that is wrong dates what is written, too.
    #[must_use]
    pub fn new(now: Now, kept: Option<Kept>, latest_ms: Option<u64>) -> Self {
        let latest_ms = kept.map(|kept| kept.seen_ms).or(latest_ms);
        let (since_ms, left) = match kept {
            _ if latest_ms.is_some_and(|latest| !is_plausible(now, latest)) => (now.wall_ms, HOLD),
            Some(Kept { since_ms, .. }) => {
                let held = Duration::from_millis(now.wall_ms.saturating_sub(since_ms));
                (since_ms, HOLD.saturating_sub(held))
            }
            None => (0, Duration::ZERO),
        };
        Self { offset_ms: offset_ms(now), since_ms, trusted_at: now.tick.after(left) }
    }

    /// By how many milliseconds the wall clock was set while the server was off, if it was, since
    /// it showed `seen_ms`. The time for which the server was off does not count then.
    #[must_use]
    pub fn set_while_off(now: Now, seen_ms: u64) -> Option<i64> {
        (!is_plausible(now, seen_ms)).then(|| signed(now.wall_ms).saturating_sub(signed(seen_ms)))
    }

    /// What is to be kept for the next start.
    #[must_use]
    pub const fn kept(&self, now: Now) -> Kept {
        Kept { since_ms: self.since_ms, seen_ms: now.wall_ms }
    }

    /// Takes a look: by how many milliseconds the wall clock was set since the last one, if it was.
    pub fn look(&mut self, now: Now) -> Option<i64> {
        let offset_ms = offset_ms(now);
        // Nearly always: it is asked at each moment.
        if offset_ms == self.offset_ms {
            return None;
        }
        let step_ms = offset_ms.saturating_sub(std::mem::replace(&mut self.offset_ms, offset_ms));
        if step_ms.saturating_abs() < STEP_MIN_MS {
            return None;
        }
        self.since_ms = now.wall_ms;
        // From the last step on: a clock that is set again and again is never trusted.
        self.trusted_at = now.tick.after(HOLD);
        Some(step_ms)
    }

    /// Whether the wall clock has held for so long that things may be deleted for their age.
    #[must_use]
    pub fn is_trusted(&self, now: Now) -> bool {
        now.tick >= self.trusted_at
    }

    /// The wall time as ages are reckoned: while the clock is not to be believed, nothing is old.
    #[must_use]
    pub fn for_ages(&self, now: Now) -> u64 {
        if self.is_trusted(now) { now.wall_ms } else { 0 }
    }
}

/// The end of a term that was set before the wall clock was, so that the term keeps its length.
#[must_use]
pub const fn shifted(until_ms: u64, step_ms: i64) -> u64 {
    until_ms.saturating_add_signed(step_ms)
}

/// Whether this is what a start may find after the wall clock has shown `latest_ms`.
fn is_plausible(now: Now, latest_ms: u64) -> bool {
    let gap_max = millis(GAP_MAX);
    now.wall_ms.saturating_add(STEP_MIN_MS.unsigned_abs()) >= latest_ms
        && now.wall_ms <= latest_ms.saturating_add(gap_max)
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

fn offset_ms(now: Now) -> i64 {
    signed(now.wall_ms).saturating_sub(signed(now.tick.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const WALL_MS: u64 = 1_763_700_000_000;

    fn at(tick_ms: u64, wall_ms: u64) -> Now {
        Now { tick: Tick::from_millis(tick_ms), wall_ms }
    }

    #[test]
    fn a_clock_that_goes_on_is_trusted_and_one_that_was_set_is_not_for_a_day() {
        let mut watch = WallWatch::new(at(0, WALL_MS), None, None);
        assert_eq!(watch.look(at(1_000, WALL_MS + 1_000)), None);
        // A time server adjusts it.
        assert_eq!(watch.look(at(2_000, WALL_MS + 31_000)), None);
        assert!(watch.is_trusted(at(2_000, WALL_MS + 31_000)));
        let year = 365 * DAY_MS;
        let step = i64::try_from(year).unwrap();
        assert_eq!(watch.look(at(3_000, WALL_MS + 32_000 + year)), Some(step));
        assert!(!watch.is_trusted(at(3_000 + DAY_MS - 1, 0)));
        assert_eq!(watch.look(at(4_000, WALL_MS + 33_000)), Some(-step));
        assert!(watch.is_trusted(at(4_000 + DAY_MS, 0)));
    }

    #[test]
    fn a_start_is_believed_if_it_is_soon_after_what_was_written_last() {
        for (wall_ms, latest, expect) in [
            (0, None, true),
            (WALL_MS, Some(WALL_MS), true),
            (WALL_MS - 59_000, Some(WALL_MS), true),
            (WALL_MS - 61_000, Some(WALL_MS), false),
            (WALL_MS + 30 * DAY_MS, Some(WALL_MS), true),
            (WALL_MS + 30 * DAY_MS + 1, Some(WALL_MS), false),
        ] {
            let now = at(5, wall_ms);
            let watch = WallWatch::new(now, None, latest);
            assert_eq!(watch.is_trusted(now), expect, "{wall_ms} {latest:?}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_at_several_starts_is_doubted_for_a_day_in_all() {
        const HOUR_MS: u64 = 3_600_000;
        const AHEAD: u64 = WALL_MS + 3_650 * DAY_MS;
        let start = |wall_ms, kept| WallWatch::new(at(0, wall_ms), kept, Some(AHEAD));
        let before = Kept { since_ms: 0, seen_ms: WALL_MS };
        for wrong in [AHEAD, 100_000] {
            let first = start(wrong, Some(before));
            assert!(!first.is_trusted(at(0, wrong)), "{wrong}");
            // What was written meanwhile has its time.
            let kept = first.kept(at(HOUR_MS, wrong + HOUR_MS));
            let second = start(wrong + 2 * HOUR_MS, Some(kept));
            assert!(!second.is_trusted(at(22 * HOUR_MS - 1, 0)), "{wrong}");
            assert!(second.is_trusted(at(22 * HOUR_MS, 0)), "{wrong}");
            // It is right again: that is a step, too.
            let right = start(WALL_MS + DAY_MS, Some(kept));
            assert!(!right.is_trusted(at(0, 0)), "{wrong}");
            let kept = right.kept(at(HOUR_MS, WALL_MS + DAY_MS + HOUR_MS));
            let next = WALL_MS + 2 * DAY_MS;
            assert!(start(next, Some(kept)).is_trusted(at(0, next)), "{wrong}");
        }
    }

    #[test]
    fn a_term_keeps_its_length_when_the_clock_is_set() {
        assert_eq!(shifted(5_000, 60_000), 65_000);
        assert_eq!(shifted(65_000, -60_000), 5_000);
        assert_eq!((shifted(5, -60_000), shifted(u64::MAX, 60_000)), (0, u64::MAX));
    }
}
