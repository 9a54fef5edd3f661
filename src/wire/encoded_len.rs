//! The bound of a record's rendered length, which the domain counts instead of rendering it.

use std::borrow::Cow;

use super::json::{escaped_len, escaped_len_and_lines};
use crate::chat::model::mentions;

/// The bytes that the text, its mentions, the data and the `cid` of a message take at most when
/// they are rendered, for [`Send::weight`](crate::chat::model::command::Send::weight). Quotes and
/// the rest of a record are [`RECORD_OVERHEAD`](crate::chat::model::limits::RECORD_OVERHEAD).
#[must_use]
pub fn encoded_len_max(text: &str, data: Option<&str>, cid: Option<&str>) -> u32 {
    // A text client gets a line end and the start of the next line in three bytes, where JSON has
    // two.
    // At most, for all encodings: a record has one weight, and each reader its own.
    let (len, lines) = escaped_len_and_lines(text);
    let mentions = mentions::encoded_len_max(text);
    let bytes = len + lines + mentions + data.map_or(0, str::len) + cid.map_or(0, escaped_len);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// As [`encoded_len_max`], for a text as the parser returns it: one that is borrowed has no escape
/// in JSON, and so needs none when it is rendered. Nearly all are, so that they are not scanned
/// again.
pub(super) fn parsed_len_max(
    text: Option<&Cow<'_, str>>,
    data: Option<&str>,
    cid: Option<&Cow<'_, str>>,
) -> u32 {
    let bare_len = |text: &Cow<'_, str>| match text {
        Cow::Borrowed(text) => Some(text.len()),
        Cow::Owned(_) => None,
    };
    match (text.map_or(Some(0), bare_len), cid.map_or(Some(0), bare_len)) {
        (Some(len), Some(cid)) => {
            let mentions = text.map_or(0, |text| mentions::encoded_len_max(text));
            u32::try_from(len + mentions + data.map_or(0, str::len) + cid).unwrap_or(u32::MAX)
        }
        _ => encoded_len_max(text.map_or("", |text| text), data, cid.map(|cid| &**cid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Limits;
    use crate::chat::model::command::Command;
    use crate::wire::{Parsed, parse};

    #[test]
    fn a_parsed_text_counts_what_it_counts_when_it_is_scanned() {
        for (text, cid) in [
            ("hello", "c-1"),
            ("h\u{e9}llo \u{2028}\u{b7}", "\u{e9}"),
            ("a\\nb\\\"c", "c-1"),
            ("hello", "c\\u0001"),
            ("\\u0041", "\\u0042"),
            ("@ann and @bob", "c-1"),
            ("\\u0040ann", "c-1"),
        ] {
            let request =
                format!(r#"{{"op":"send","room":"a","text":"{text}","cid":"{cid}","data":[1]}}"#);
            let Ok((_, Parsed::Command(Command::Send(send)))) = parse(&request, &Limits::default())
            else {
                panic!("{request}");
            };
            let expect = encoded_len_max(&send.text, send.data.as_deref(), send.cid.as_deref());
            assert_eq!(send.weight, expect, "{request}");
            // By this the domain knows which texts are to be searched for names.
            let len = |text: &Option<Cow<'_, str>>| text.as_ref().map_or(0, |text| text.len());
            let bare = u32::try_from(send.text.len() + len(&send.data) + len(&send.cid)).unwrap();
            assert!(send.weight > bare || !send.text.contains('@'), "{request}");
        }
    }
}
