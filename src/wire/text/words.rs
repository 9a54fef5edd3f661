//! The words of a line that a person types.

use crate::chat::model::limits::SEQ_END;
use crate::time::span;

/// The room that is named, if one is. Elsewhere rooms are written with a `#` in front.
pub(super) fn named(text: &str) -> Option<&str> {
    Some(text.strip_prefix('#').unwrap_or(text)).filter(|room| !room.is_empty())
}

/// A user's name. Elsewhere it is written with a `@` in front.
pub(super) fn person(text: &str) -> &str {
    text.strip_prefix('@').filter(|name| !name.is_empty()).unwrap_or(text)
}

/// A whole number; one that is too large is the largest that there is.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The same of how many there are.
pub(super) fn count(text: &str) -> Option<u32> {
    number(text).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

/// A length of time in milliseconds; one that is too long is the longest that a request may have.
pub(super) fn time(text: &str) -> Option<u64> {
    span::parse(text).map(|millis| millis.min(SEQ_END - 1))
}

/// The first word of `line`, and the rest of it without the blanks around.
pub(super) fn split_word(line: &str) -> (&str, &str) {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim_start())
}
