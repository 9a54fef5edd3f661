//! The time of a line: RFC 3339, UTC, milliseconds.

use std::fmt;

use crate::time::clock::Clock;
use crate::time::date::{DAY_MS, civil};

/// Milliseconds since 1970-01-01 UTC, now.
pub(super) fn now() -> u64 {
    Clock::start().now().wall_ms
}

/// Milliseconds since 1970-01-01 UTC, shown as `2026-11-21T07:45:00.123Z`.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0 / DAY_MS, self.0 % DAY_MS);
        let (year, month, day) = civil(days);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, millis) = (of_day / 1_000 % 60, of_day % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
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
    fn the_end_of_time_does_not_panic() {
        assert!(Timestamp(u64::MAX).to_string().ends_with('Z'));
    }
}
