//! The bound of a record's rendered length, which the domain counts instead of rendering it.

use super::json::{escaped_len, escaped_len_and_lines};

/// The bytes that the text, the data and the `cid` of a message take at most when they are
/// rendered, for [`Send::weight`](crate::chat::model::command::Send::weight). Quotes and the rest
/// of a record are [`RECORD_OVERHEAD`](crate::chat::model::limits::RECORD_OVERHEAD).
#[must_use]
pub fn encoded_len_max(text: &str, data: Option<&str>, cid: Option<&str>) -> u32 {
    // A text client gets a line end and the start of the next line in three bytes, where JSON has
    // two.
    let (len, lines) = escaped_len_and_lines(text);
    let bytes = len + lines + data.map_or(0, str::len) + cid.map_or(0, escaped_len);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
