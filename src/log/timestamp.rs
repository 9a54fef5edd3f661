//! The time of a line: RFC 3339, UTC, milliseconds.

use std::fmt;

use crate::time::clock::Clock;

/// Milliseconds since 1970-01-01 UTC, now.
pub(super) fn now() -> u64 {
    Clock::start().now().wall_ms
}

/// Milliseconds since 1970-01-01 UTC, shown as `2026-11-21T07:45:00.123Z`.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil(days);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, millis) = (of_day / 1_000 % 60, of_day % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Counted in eras of 400 years (146,097 days) that begin on a first of March, so that the leap day
/// is the last day of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March have 31, 30, 31, 30, 31 days in turn, 153 in five.
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wall_ms: u64, expect: &str) {
        assert_eq!(Timestamp(wall_ms).to_string(), expect);
    }

    #[test]
    fn known_moments_are_written_as_rfc_3339_has_them() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_763_700_001_456, "2025-11-21T04:40:01.456Z");
        check(2_147_483_648_000, "2038-01-19T03:14:08.000Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let is_leap = |year: u64| {
            let divides = |n| year.is_multiple_of(n);
            divides(4) && (!divides(100) || divides(400))
        };
        let length = |year, month| match month {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expect = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(civil(days), expect);
            let (year, month, day) = expect;
            expect = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == length(year, month) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn the_end_of_time_does_not_panic() {
        assert!(Timestamp(u64::MAX).to_string().ends_with('Z'));
    }
}
