//! Makes other people's text safe for a terminal: control characters could reprogram it.

use std::borrow::Cow;

/// Appends pieces that a terminal may receive as they are.
pub(super) fn put(out: &mut Vec<u8>, pieces: &[&str]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// A name as it is shown. After one in another script stands a mark that ends its direction of
/// writing: without it a terminal that writes Hebrew from the right would exchange the name and
/// what is said.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    if name.is_ascii() { name.into() } else { format!("{name}\u{200e}").into() }
}

/// Appends the room in front of a line.
pub(super) fn put_room(out: &mut Vec<u8>, room: &str) {
    // The first letter of a line decides from which side it is read.
    put(out, &["[", if room.is_ascii() { "" } else { "\u{200e}" }, &name(room), "] "]);
}

/// A text of one or more lines that a terminal may receive as it is: see [`text`].
#[must_use]
pub fn safe_text(shown: &str) -> String {
    to_string(shown, text)
}

/// The same on one line.
#[must_use]
pub fn safe_line(shown: &str) -> String {
    to_string(shown, line)
}

/// A name, after which its direction of writing ends.
#[must_use]
pub fn safe_name(shown: &str) -> String {
    name(shown).into_owned()
}

fn to_string(shown: &str, append: fn(&mut Vec<u8>, &str)) -> String {
    let mut out = Vec::new();
    append(&mut out, shown);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends a text of one or more lines. Control characters and those that override the direction of
/// writing are shown as `?`, and every line but the first begins with `| `, so that it cannot be
/// taken for a line of the server's.
///
/// Never more bytes than [`encoded_len_max`](crate::wire::encoded_len_max) says.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    push(out, text, "\n| ");
}

/// Appends a text on one line: as [`text`], but the lines are joined.
pub(super) fn line(out: &mut Vec<u8>, text: &str) {
    push(out, text, " ");
}

fn push(out: &mut Vec<u8>, text: &str, line_end: &str) {
    // Nearly every text is printable ASCII, which is copied at once.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|&(_, c)| is_harmful(c)) {
        let (clean, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.extend_from_slice(clean.as_bytes());
        match c {
            // Of another's text: a line of its own could pass for one of the server's.
            '\n' => out.extend_from_slice(line_end.as_bytes()),
            '\t' => out.push(b' '),
            // The first half of a line end, as some write it.
            '\r' if tail.starts_with("\r\n") => {}
            _ => out.push(b'?'),
        }
        rest = tail.get(c.len_utf8()..).unwrap_or("");
    }
    out.extend_from_slice(rest.as_bytes());
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::encoded_len_max;

    #[track_caller]
    fn check(input: &str, expect: &str) {
        let mut out = Vec::new();
        text(&mut out, input);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_a_question_mark() {
        check("plain, é, 名前, 👩\u{200d}🔬", "plain, é, 名前, 👩\u{200d}🔬");
        check("\u{1b}[2J\u{7}\u{8}\u{7f}", "?[2J???");
        check("\u{9b}2J\u{90}\0", "?2J??");
        check("a\u{202e}b\u{2066}c\u{200f}d\u{2028}", "a?b?c\u{200f}d?");
        check("a\tb\rc", "a b?c");
    }

    #[test]
    fn a_second_line_cannot_pass_for_another_message() {
        check("a\n[lobby] eve: b\r\n\n", "a\n| [lobby] eve: b\n| \n| ");
        let mut out = Vec::new();
        line(&mut out, "a\n-- b\r\nc");
        assert_eq!(out, b"a -- b c");
    }

    #[test]
    fn a_name_that_is_read_from_the_right_does_not_change_places_with_what_is_said() {
        assert_eq!(name("bob"), "bob");
        assert_eq!(name("\u{5d0}\u{5d1}"), "\u{5d0}\u{5d1}\u{200e}");
        let mut out = Vec::new();
        put_room(&mut out, "\u{5d7}\u{5d3}\u{5e8}");
        put_room(&mut out, "lobby");
        let expect = "[\u{200e}\u{5d7}\u{5d3}\u{5e8}\u{200e}] [lobby] ";
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    proptest! {
        #[test]
        fn no_control_character_is_left_and_the_weight_holds(
            input in "([\\x00-\\x7f]|\u{9b}|\u{202e}|\\PC){0,60}",
        ) {
            let mut out = Vec::new();
            text(&mut out, &input);
            prop_assert!(out.len() <= usize::try_from(encoded_len_max(&input, None, None)).unwrap());
            let shown = String::from_utf8(out).unwrap();
            prop_assert!(shown.chars().all(|c| c == '\n' || !is_harmful(c)));
            prop_assert!(shown.split('\n').skip(1).all(|line| line.starts_with("| ")));
        }
    }
}
