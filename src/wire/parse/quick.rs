//! A fast path for usual requests: one flat object of strings without escapes, short numbers,
//! `true` and `false`. Anything else is left to `serde_json`, which starts over.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::fields::{Fields, Kept, KeptText};
use super::value::Value;
use crate::wire::field_key::Key;
use crate::wire::json::clean_len;

/// Digits of the longest number that is read here: any with so many fits in a double and in a
/// `u64`.
const DIGITS_MAX: usize = 15;

/// Reads the line that `text` begins with into `fields`, and returns what is after it: nothing, or
/// a newline and more. `None` if it is not as simple as that, or not JSON at all; then `fields` are
/// spoilt.
pub(super) fn read<'a>(text: &'a str, fields: &mut Fields<'a>) -> Option<&'a str> {
    let mut rest = skip(text.strip_prefix('{')?);
    loop {
        let (name, behind) = string(rest)?;
        let key = Key::from(name);
        let (value, behind) = value(key, skip(skip(behind).strip_prefix(':')?))?;
        if key != Key::Unknown {
            fields.keep(key, value);
        }
        let behind = skip(behind);
        let Some(next) = behind.strip_prefix(',') else {
            // A newline stands nowhere before: no string that is read here has one.
            let end = skip(behind.strip_prefix('}')?);
            return (end.is_empty() || end.starts_with('\n')).then_some(end);
        };
        rest = skip(next);
    }
}

/// What follows the spaces that `text` begins with.
#[inline]
fn skip(text: &str) -> &str {
    // Nearly always there are none.
    if text.as_bytes().first() != Some(&b' ') {
        return text;
    }
    text.trim_start_matches(' ')
}

/// The string without escapes that `text` begins with, and what is after it.
#[inline]
fn string(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    // Clean is what has neither a quote, nor an escape, nor a control character: what ends it must
    // be the quote.
    let (string, behind) = inside.split_at_checked(clean_len(inside.as_bytes()))?;
    Some((string, behind.strip_prefix('"')?))
}

/// The value of a field that `text` begins with, and what is after it.
#[inline]
fn value(key: Key, text: &str) -> Option<(Kept<'_>, &str)> {
    if !text.starts_with('"') {
        return word(key, text);
    }
    let (string, behind) = string(text)?;
    if !key.is_raw() {
        return Some((Value::String(KeptText::Borrowed(string)), behind));
    }
    let raw = text.get(..text.len() - behind.len())?;
    Some((Value::Raw(raw), behind))
}

/// The same for a number or a word.
fn word(key: Key, text: &str) -> Option<(Kept<'_>, &str)> {
    // A number that ends the text is not followed by a brace, so the object is incomplete: the
    // library says where.
    // Sign, fraction and exponent are none of these: such a number goes to the library.
    let word_len = text.bytes().position(|byte| !byte.is_ascii_alphanumeric())?;
    let (word, behind) = text.split_at_checked(word_len)?;
    let value = match word {
        _ if key.is_raw() && is_number(word) => Value::Raw(word),
        // `true` or `null` in a raw field is rare enough for the library.
        _ if key.is_raw() => return None,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if is_number(word) => Value::Integer(word.parse().ok()?),
        _ => return None,
    };
    Some((value, behind))
}

/// Whether `word` is a number of digits alone, without a zero before it.
fn is_number(word: &str) -> bool {
    // JSON has no leading zeros: the library says so to the client.
    let is_plain = word == "0" || !word.starts_with('0');
    is_plain
        && (1..=DIGITS_MAX).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::Limits;
    use crate::wire::parse::read::fill;
    use crate::wire::parse::{parse, parse_next, requests};

    /// Checks that what is read here is what the library reads; returns whether it is read here.
    #[track_caller]
    fn check(text: &str) -> bool {
        let mut quick = Fields::default();
        if read(text, &mut quick) != Some("") {
            return false;
        }
        let mut library = Fields::default();
        assert!(fill(&mut library, text, false).is_ok(), "{text:?} is not JSON");
        assert_eq!(format!("{quick:?}"), format!("{library:?}"), "{text:?}");
        true
    }

    #[test]
    fn usual_requests_are_read_here() {
        for text in [
            r#"{"op":"send","id":3,"room":"lobby","cid":"c-7781","text":"good morning"}"#,
            r#"{"op": "send", "id": "x1", "room": "lobby", "text": "hello", "echo": true}"#,
            "{\"text\":\"h\u{e9}llo \u{4e16}\"}",
            r#"{ "op" : "ack" , "room" : "lobby" , "read" : 123456789012345 } "#,
            r#"{"op":"status","status":"away","nobody":"knows","this":0,"x":false}"#,
            r#"{"op":"send","op":"twice","text":""}"#,
        ] {
            assert!(check(text), "{text}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_library() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"op""#,
            r#"{"op":"ping""#,
            r#"{"op":"ping"}x"#,
            r#"{"op":"ping",}"#,
            r#"{"op":"p\u0069ng"}"#,
            r#"{"text":"\n"}"#,
            "{\"text\":\"\n\"}",
            r#"{"id":01}"#,
            r#"{"id":-1}"#,
            r#"{"id":null}"#,
            r#"{"id":true}"#,
            r#"{"after":1.5}"#,
            r#"{"after":1e3}"#,
            r#"{"after":1234567890123456}"#,
            r#"{"after":}"#,
            r#"{"after":truex}"#,
            r#"{"data":{"a":1}}"#,
        ] {
            assert!(!check(text), "{text}");
        }
    }

    #[test]
    fn the_lines_of_a_message_are_read_as_each_of_them_alone() {
        let limits = Limits::default();
        let lines = [
            r#"{"op":"ping","id":1}"#,
            r#"{"op":"ping","id":2}  "#,
            "{\"op\":\"ping\",\"id\":3}\r",
            "",
            "  \t",
            r#"{"op":"send","id":4,"room":"a","text":"x\ny"}"#,
            r#"{"op":"ping""#,
            "}",
            "\u{feff}{\"op\":\"ping\"}",
            r#"{"op":"ping"}x"#,
            r#"{"op":"ping","id":5"#,
        ];
        for (one, other) in lines.iter().flat_map(|one| lines.map(|other| (one, other))) {
            for message in [format!("{one}\n{other}"), format!("{one}\n{other}\n")] {
                let mut rest = &*message;
                let mut read = Vec::new();
                while !rest.is_empty() {
                    read.extend(parse_next(&mut rest, &limits));
                }
                let alone: Vec<_> = requests(&message).map(|line| parse(line, &limits)).collect();
                assert_eq!(read, alone, "{message:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_read_here_is_what_the_library_reads(
            text in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "\"", ":", ",", " ", "\\", "[", "\"op\"", "\"id\"", "\"text\"", "\"data\"",
                    "\"after\"", "0", "7", "12", "-", ".", "true", "false", "null", "\u{e9}", "\n", "\u{1}",
                    "{\"id\":", "\",\"", "\":\"", "\"}",
                ]),
                0..14,
            ),
        ) {
            check(&text.concat());
        }

        #[test]
        fn flat_objects_are_read_as_the_library_does(
            fields in prop::collection::vec(
                ("[a-z_]{0,9}|op|id|text|data|room|seq", "\"[ -~\u{e9}]{0,40}\"|[0-9]{1,17}|true|false"),
                0..5,
            ),
        ) {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            check(&format!("{{{}}}", fields.join(",")));
        }
    }
}
