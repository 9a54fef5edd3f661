//! Parts of what there is: RFC 9110 section 14.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::name::Name;
use super::octets::{ascii, trim};
use super::{ETag, Head, Method};

/// The part that a request wants, before it is known how much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Everything.
    All,
    /// From this byte on, to the end or to that byte.
    From(u64, Option<u64>),
    /// So many bytes before the end.
    Last(u64),
}

impl Range {
    /// The part that `head` wants of what has this tag. Several parts, and what is no range of
    /// bytes, is everything, as the section allows; so is a part of what is another by now.
    #[must_use]
    pub fn of(head: &Head<'_>, tag: ETag) -> Self {
        let is_other = |value: &[u8]| trim(value) != tag.as_str().as_bytes();
        // Of a HEAD there are no parts (section 14.2).
        if head.method() != Method::Get || head.value(Name::IfRange).is_some_and(is_other) {
            return Self::All;
        }
        let mut values = head.values(Name::Range);
        let (value, other) = (values.next(), values.next());
        let value = value.filter(|_| other.is_none()).and_then(ascii);
        value.and_then(Self::parse).unwrap_or(Self::All)
    }

    fn parse(text: &str) -> Option<Self> {
        let (unit, range) = text.trim().split_once('=')?;
        let (from, to) = range.split_once('-').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
        // A number that does not fit lies beyond the end, as any other that is too large.
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
        };
        match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => Some(Self::From(from, Some(to))),
            (Some(from), None) if to.is_empty() => Some(Self::From(from, None)),
            (None, Some(last)) if from.is_empty() => Some(Self::Last(last)),
            _ => None,
        }
    }

    /// The first byte of the part and the one after its last, of so many; `None` if there is
    /// nothing of it.
    #[must_use]
    pub fn within(self, len: u64) -> Option<(u64, u64)> {
        let (from, end) = match self {
            Self::All => (0, len),
            Self::From(from, to) => (from, to.map_or(len, |to| len.min(to.saturating_add(1)))),
            Self::Last(last) => (len.saturating_sub(last), len),
        };
        (from < end).then_some((from, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_of_what_there_is_or_nothing() {
        for (text, len, expect) in [
            ("bytes=0-0", 10, Some((0, 1))),
            ("bytes=2-", 10, Some((2, 10))),
            ("bytes=2-99", 10, Some((2, 10))),
            ("bytes=-3", 10, Some((7, 10))),
            ("bytes=-99", 10, Some((0, 10))),
            ("bytes=10-", 10, None),
            ("bytes=-0", 10, None),
            ("bytes=18446744073709551615-", 10, None),
            ("bytes=0-18446744073709551615", 10, Some((0, 10))),
            ("bytes=0-99999999999999999999", 10, Some((0, 10))),
            ("bytes=99999999999999999999-", 10, None),
            ("bytes=-99999999999999999999", 10, Some((0, 10))),
            ("Bytes=2-3", 10, Some((2, 4))),
        ] {
            assert_eq!(Range::parse(text).unwrap().within(len), expect, "{text}");
        }
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=a-",
            "lines=0-1",
            "bytes=+1-2",
        ] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
        assert_eq!(Range::All.within(0), None);
    }
}
