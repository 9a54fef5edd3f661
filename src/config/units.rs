//! Numbers with a unit: sizes in bytes, and lengths of time as they are written everywhere.

pub(super) use crate::time::span::{UNITS as TIMES, parse_with as parse};

/// The units of one dimension with what each is worth, from the largest down.
pub(super) type Units = &'static [(&'static str, u64)];

/// Units of size; a bare number is bytes, too.
pub(super) const BYTES: Units = &[
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// The value in the largest unit that divides it.
pub(super) fn render(value: u64, units: Units) -> String {
    let divides = |(_, factor): &&(&str, u64)| value > 0 && value.is_multiple_of(*factor);
    let smallest = units.last().copied().unwrap_or(("", 1));
    let (unit, factor) = units.iter().find(divides).copied().unwrap_or(smallest);
    format!("{}{unit}", value / factor)
}
