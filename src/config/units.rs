//! Numbers with a unit: sizes in bytes and lengths of time.

/// The units of one dimension with what each is worth, from the largest down.
pub(super) type Units = &'static [(&'static str, u64)];

/// Units of size; a bare number is bytes, too.
pub(super) const BYTES: Units = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Units of time, in milliseconds.
pub(super) const TIMES: Units = &[
    ("y", 365 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The value of `64KiB` or `64 KiB`. What is too large becomes [`u64::MAX`], so that the bounds of
/// the setting refuse it.
pub(super) fn parse(text: &str, units: Units) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(at)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(digits.parse::<u64>().ok()?.saturating_mul(*factor))
}

/// The value in the largest unit that divides it.
pub(super) fn render(value: u64, units: Units) -> String {
    let divides = |(_, factor): &&(&str, u64)| value > 0 && value.is_multiple_of(*factor);
    let smallest = units.last().copied().unwrap_or(("", 1));
    let (unit, factor) = units.iter().find(divides).copied().unwrap_or(smallest);
    format!("{}{unit}", value / factor)
}
