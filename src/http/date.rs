//! The date of an answer: RFC 9110 sections 5.6.7 and 6.6.1.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt::{self, Write as _};

use crate::time::date::civil;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Bytes of a date, as in `Sun, 06 Nov 1994 08:49:37 GMT`.
const TEXT_LEN: usize = 29;
/// The last second of the year 9999: a date has four digits for its year.
const SECONDS_MAX: u64 = 253_402_300_799;

/// The value of a `Date` field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HttpDate([u8; TEXT_LEN]);

impl HttpDate {
    /// The date of `wall_ms`, milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn at(wall_ms: u64) -> Self {
        // A clock beyond it would make a year of five digits, and the text longer than its place.
        let seconds = (wall_ms / 1_000).min(SECONDS_MAX);
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let word = |words: &[&'static str], at: u64| {
            usize::try_from(at).ok().and_then(|at| words.get(at).copied()).unwrap_or_default()
        };
        let (weekday, month) = (word(&DAYS, days % 7), word(&MONTHS, month - 1));
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let mut text = String::with_capacity(TEXT_LEN);
        // Writing to a string cannot fail.
        _ = write!(
            text,
            "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
        );
        Self(text.as_bytes().try_into().unwrap_or([b' '; TEXT_LEN]))
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The date of the present second, so that it is formatted once in each.
#[derive(Clone, Copy, Debug)]
pub struct DateClock {
    second: u64,
    date: HttpDate,
}

impl DateClock {
    /// The date at `wall_ms`.
    pub fn at(&mut self, wall_ms: u64) -> HttpDate {
        if wall_ms / 1_000 != self.second {
            *self = Self { second: wall_ms / 1_000, date: HttpDate::at(wall_ms) };
        }
        self.date
    }
}

impl Default for DateClock {
    fn default() -> Self {
        Self { second: 0, date: HttpDate::at(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_the_rfc_has_it() {
        for (seconds, expect) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_763_700_001, "Fri, 21 Nov 2025 04:40:01 GMT"),
            (SECONDS_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX / 1_000 - 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(HttpDate::at(seconds * 1_000 + 999).as_str(), expect);
        }
    }

    #[test]
    fn the_clock_shows_the_date_of_each_second_whichever_way_the_time_goes() {
        let mut clock = DateClock::default();
        for wall_ms in [0, 999, 1_000, 1_999, 784_111_777_000, 1_000, 0] {
            assert_eq!(clock.at(wall_ms), HttpDate::at(wall_ms));
        }
    }
}
