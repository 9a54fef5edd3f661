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

/// Reads `text` into `fields`. `None` if it is not as simple as that, or not JSON at all; then
/// `fields` are spoilt.
pub(super) fn read<'a>(text: &'a str, fields: &mut Fields<'a>) -> Option<()> {
    // By places in the one text: a rest that is cut off at each step would be checked each time.
    let mut at = skip(text, expect(text, 0, b'{')?);
    loop {
        let (name, end) = string(text, at)?;
        let key = Key::from(name);
        let colon = expect(text, skip(text, end), b':')?;
        let (value, end) = value(key, text, skip(text, colon))?;
        if key != Key::Unknown {
            fields.keep(key, value);
        }
        let end = skip(text, end);
        let Some(next) = expect(text, end, b',') else {
            let end = expect(text, end, b'}')?;
            return (skip(text, end) == text.len()).then_some(());
        };
        at = skip(text, next);
    }
}

/// The place after `byte`, if that stands at this one.
#[inline]
fn expect(text: &str, at: usize, byte: u8) -> Option<usize> {
    (text.as_bytes().get(at) == Some(&byte)).then(|| at + 1)
}

/// The place after the spaces that are at this one.
#[inline]
fn skip(text: &str, at: usize) -> usize {
    // Nearly always there are none.
    if expect(text, at, b' ').is_none() {
        return at;
    }
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|&&byte| byte == b' ').count()
}

/// The string without escapes at this place, and the place after it.
#[inline]
fn string(text: &str, at: usize) -> Option<(&str, usize)> {
    let start = expect(text, at, b'"')?;
    // Clean is what has neither a quote, nor an escape, nor a control character: what ends it must
    // be the quote.
    let end = start + clean_len(text.as_bytes().get(start..)?);
    let behind = expect(text, end, b'"')?;
    Some((text.get(start..end)?, behind))
}

/// The value of a field at this place, and the place after it.
#[inline]
fn value(key: Key, text: &str, at: usize) -> Option<(Kept<'_>, usize)> {
    let Some((string, behind)) = string(text, at) else { return word(key, text, at) };
    if !key.is_raw() {
        return Some((Value::String(KeptText::Borrowed(string)), behind));
    }
    Some((Value::Raw(text.get(at..behind)?), behind))
}

/// The same for a number or a word.
fn word(key: Key, text: &str, at: usize) -> Option<(Kept<'_>, usize)> {
    // A number that ends the text is not followed by a brace, so the object is incomplete: the
    // library says where.
    // Sign, fraction and exponent are none of these: such a number goes to the library.
    let mut rest = text.as_bytes().get(at..)?.iter();
    let end = at + rest.position(|byte| !byte.is_ascii_alphanumeric())?;
    let word = text.get(at..end)?;
    let value = match word {
        _ if key.is_raw() && is_number(word) => Value::Raw(word),
        // `true` or `null` in a raw field is rare enough for the library.
        _ if key.is_raw() => return None,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if is_number(word) => Value::Integer(word.parse().ok()?),
        _ => return None,
    };
    Some((value, end))
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
    use crate::wire::parse::read::fill;

    /// Checks that what is read here is what the library reads; returns whether it is read here.
    #[track_caller]
    fn check(text: &str) -> bool {
        let mut quick = Fields::default();
        if read(text, &mut quick).is_none() {
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
