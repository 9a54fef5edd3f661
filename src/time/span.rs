//! Lengths of time as people write them, the same in the configuration, on the command line and at
//! a terminal: `10m`, `2h`, `1w`.

use std::time::Duration;

/// The units, in milliseconds, from the largest down.
pub const UNITS: &[(&str, u64)] = &[
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The units, for those whose time was not understood.
pub const UNITS_ARE: &str = "a whole number with a unit (s, m, h, d, w, y), such as 30m or 1d";

/// The names of the units, for people.
const NAMES: &[(&str, u64)] = &[
    ("year", 365 * 86_400_000),
    ("week", 7 * 86_400_000),
    ("day", 86_400_000),
    ("hour", 3_600_000),
    ("minute", 60_000),
    ("second", 1_000),
];

/// A duration in whole milliseconds; [`u64::MAX`] if it has more.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The milliseconds of a time such as `30m`; `None` if it is none. What is too long becomes
/// [`u64::MAX`].
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    parse_with(text, UNITS)
}

/// The value of a whole number with one of `units` after it, perhaps after a blank. What is too
/// large becomes [`u64::MAX`], so that the bounds of what it is for refuse it.
#[must_use]
pub fn parse_with(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(at)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(digits.parse::<u64>().ok()?.saturating_mul(*factor))
}

/// A length of time in words, such as `10 minutes`: in the largest unit that divides it, in whole
/// seconds, rounded up.
#[must_use]
pub fn in_words(millis: u64) -> String {
    let seconds = millis.div_ceil(1_000);
    let divides = |(_, unit): &&(&str, u64)| seconds > 0 && seconds.is_multiple_of(unit / 1_000);
    let (name, unit) = NAMES.iter().find(divides).copied().unwrap_or(("second", 1_000));
    let count = seconds / (unit / 1_000);
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_whole_number_with_a_unit() {
        for (text, expect) in [
            ("250ms", 250),
            ("1s", 1_000),
            ("30m", 1_800_000),
            ("12h", 43_200_000),
            ("1d", 86_400_000),
            ("2w", 14 * 86_400_000),
            ("1y", 365 * 86_400_000),
            ("10 m", 600_000),
            ("99999999999999y", u64::MAX),
        ] {
            assert_eq!(parse(text), Some(expect), "{text}");
        }
        for text in [
            "",
            "d",
            "1",
            "1.5d",
            "-1d",
            "1  d",
            "1D",
            "1é",
            "1 day",
            "d1",
            "999999999999999999999d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn in_words_it_is_what_a_person_would_say() {
        for (millis, expect) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90_000, "90 seconds"),
            (600_000, "10 minutes"),
            (3_600_000, "1 hour"),
            (5_400_000, "90 minutes"),
            (86_400_000, "1 day"),
            (14 * 86_400_000, "2 weeks"),
            (365 * 86_400_000, "1 year"),
        ] {
            assert_eq!(in_words(millis), expect, "{millis}");
        }
    }
}
