//! The words of a line that a person types.

/// The room that is named, if one is. Elsewhere rooms are written with a `#` in front.
pub(super) fn named(text: &str) -> Option<&str> {
    Some(text.strip_prefix('#').unwrap_or(text)).filter(|room| !room.is_empty())
}

/// A user's name. Elsewhere it is written with a `@` in front.
pub(super) fn person(text: &str) -> &str {
    text.strip_prefix('@').filter(|name| !name.is_empty()).unwrap_or(text)
}

/// The first word of `line`, and the rest of it without the blanks around.
pub(super) fn split_word(line: &str) -> (&str, &str) {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim_start())
}
