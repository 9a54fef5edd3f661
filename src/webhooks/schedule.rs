//! When a failed request is made again, and how long it may be.

use std::time::Duration;

use crate::time::clock::Now;
use crate::time::date::days;
use crate::time::millis;
use crate::time::wall_watch::WallWatch;

/// The wait after the first failure; it doubles with each further one ...
const FIRST: Duration = Duration::from_secs(1);
/// ... up to this.
const LONGEST: Duration = Duration::from_mins(5);
/// The longest wait that a receiver can ask for.
const RETRY_IN_MAX: Duration = Duration::from_hours(24);
/// A wait is up to one part of so many longer, by a number of the webhook: those that failed
/// together do not come back together.
const SPREAD: u32 = 5;

/// How long to wait after so many failures in a row, at least as long as the receiver has `asked`.
#[must_use]
pub fn wait(failures: u32, retry_in: Option<Duration>, spread: u32) -> Duration {
    // Beyond 31 failures the shift has no bits left, and the bound below holds long before.
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failures.max(1) - 1).unwrap_or(u32::MAX));
    let wait = doubled.min(LONGEST);
    let spread = wait / SPREAD * (spread % 100) / 100;
    (wait + spread).max(retry_in.unwrap_or_default().min(RETRY_IN_MAX))
}

/// What `Retry-After` asks for: seconds, or a date (RFC 9110 section 10.2.3).
#[must_use]
pub fn retry_after(value: &str, wall_ms: u64) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(Duration::from_millis(date(value.trim())?.saturating_sub(wall_ms)))
}

/// A date as in `Sun, 06 Nov 1994 08:49:37 GMT`: milliseconds since 1970.
fn date(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let rest = text.split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut parts = rest.split([' ', ':']);
    let day: u64 = parts.next()?.parse().ok()?;
    let month = MONTHS.find(parts.next().filter(|month| month.len() == 3)?)? / 3 + 1;
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    // Second 60 is a leap second: here the first of the next minute.
    let days = days(year, u64::try_from(month).ok()?, day);
    Some((((days * 24 + hour) * 60 + minute) * 60 + second.min(60)) * 1_000)
}

/// How old an event becomes before it is given up.
#[derive(Debug)]
pub struct Patience {
    give_up_ms: u64,
    wall: WallWatch,
}

impl Patience {
    /// Events become so old, by a clock of which so much is known.
    #[must_use]
    pub fn new(give_up: Duration, wall: WallWatch) -> Self {
        let give_up_ms = millis(give_up);
        Self { give_up_ms, wall }
    }

    /// To be called now and then: a clock that is set makes nothing old.
    pub fn look(&mut self, now: Now) {
        self.wall.look(now);
    }

    /// Whether an event of this time, in milliseconds since 1970, is too old. The clock may have
    /// been set since the last look, while a receiver was waited for.
    #[must_use]
    pub fn is_over(&mut self, at: u64, now: Now) -> bool {
        self.look(now);
        self.wall.for_ages(now).saturating_sub(at) > self.give_up_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Tick;

    #[test]
    fn an_event_is_given_up_for_its_age_and_not_because_the_clock_was_set() {
        let at = |seconds: u64, wall_s: u64| {
            let tick = Tick::from_millis(seconds * 1_000);
            Now { tick, wall_ms: wall_s * 1_000 }
        };
        let start = |latest_ms| {
            Patience::new(Duration::from_secs(100), WallWatch::new(at(0, 1_000), None, latest_ms))
        };
        let mut patience = start(None);
        let event = 1_000_000;
        assert!(!patience.is_over(event, at(100, 1_100)));
        assert!(patience.is_over(event, at(101, 1_101)));
        let year = 365 * 86_400;
        assert!(!patience.is_over(event, at(102, 1_102 + year)), "set since the last look");
        assert!(!patience.is_over(event, at(103, 1_103 + year)));
        assert!(patience.is_over(event, at(86_502, 87_502 + year)), "the clock has held for a day");
        // What was written last says that the clock of this start is not to be believed.
        let mut patience = start(Some(year * 1_000));
        assert!(!patience.is_over(event, at(101, 1_101)));
        assert!(patience.is_over(event, at(86_400, 87_400)));
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_five_minutes() {
        let waits: Vec<u64> = (0..12).map(|failures| wait(failures, None, 0).as_secs()).collect();
        assert_eq!(waits, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(u32::MAX, None, 0), LONGEST);
        assert_eq!(wait(1, None, 99), Duration::from_millis(1_198));
        assert_eq!(wait(1, Some(Duration::from_secs(90)), 0).as_secs(), 90);
        assert_eq!(wait(9, Some(Duration::from_secs(1)), 0).as_secs(), 256);
        assert_eq!(wait(1, Some(Duration::MAX), 0), RETRY_IN_MAX);
    }

    #[test]
    fn a_receiver_asks_for_time_in_seconds_or_by_a_date() {
        let now = 784_111_777_000;
        for (value, expect) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 xxx 1994 08:50:37 GMT", None),
            ("Sun, 99 Nov 1994 08:50:37 GMT", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let retry_in = retry_after(value, now).map(|retry_in| retry_in.as_secs());
            assert_eq!(retry_in, expect, "{value}");
        }
    }
}
