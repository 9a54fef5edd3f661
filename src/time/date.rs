//! Days of the calendar, in UTC.

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Counted in eras of 400 years (146,097 days) that begin on a first of March, so that the leap day
/// is the last day of its year.
#[must_use]
pub const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March have 31, 30, 31, 30, 31 days in turn, 153 in five.
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let january_or_february = if month <= 2 { 1 } else { 0 };
    (era * 400 + year_of_era + january_or_february, month, day)
}

/// The days from 1970-01-01 to this date, of 1970 or later: the inverse of [`civil`].
#[must_use]
pub const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = if month <= 2 { month + 9 } else { month - 3 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    (era * 146_097 + of_era).saturating_sub(719_468)
}

/// The name of the day of the week, `days` after 1970-01-01, which was a Thursday.
#[must_use]
pub const fn weekday(days: u64) -> &'static str {
    match days % 7 {
        0 => "Thursday",
        1 => "Friday",
        2 => "Saturday",
        3 => "Sunday",
        4 => "Monday",
        5 => "Tuesday",
        _ => "Wednesday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(super::days(year, month, day), days);
            expect = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == length(year, month) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn known_days_have_their_names() {
        for (days, expect) in [(0, "Thursday"), (20_413, "Friday"), (11_016, "Tuesday")] {
            assert_eq!(weekday(days), expect, "{days}");
        }
    }
}
