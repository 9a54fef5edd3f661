//! Records: as live events, and as items of a replay or a page.

use crate::chat::name::{RoomName, UserName};
use crate::chat::record::{Body, Record};
use crate::wire::json::{escaped_len, escaped_len_and_lines, foreign, name, number, put, string};

/// Appends a record as the live event of its room: the same bytes for everyone, so without `cid`.
pub fn record_event(out: &mut Vec<u8>, room: &RoomName, record: &Record) {
    put(out, kind(record));
    put(out, r#","room":"#);
    name(out, room.as_str());
    fields(out, record);
    put(out, "}");
}

/// Appends a record as an item: without its room, and with the `cid` if it is the viewer's own.
pub fn item(out: &mut Vec<u8>, record: &Record, viewer: Option<&UserName>) {
    put(out, kind(record));
    fields(out, record);
    if let Body::Message { cid: Some(cid), .. } = &record.body
        && viewer == Some(&record.from)
    {
        put(out, r#","cid":"#);
        string(out, cid);
    }
    put(out, "}");
}

/// Bytes that the text, the data and the `cid` of a message take when rendered, at most: what
/// [`Send::weight`](crate::chat::command::Send::weight) says. Quotes and the rest of a record are
/// [`RECORD_OVERHEAD`](crate::chat::limits::RECORD_OVERHEAD).
#[must_use]
pub fn weight(text: &str, data: Option<&str>, cid: Option<&str>) -> u32 {
    // A person is shown a line's end and the start of the next line in three bytes, not in JSON's two.
    let (len, lines) = escaped_len_and_lines(text);
    let bytes = len + lines + data.map_or(0, str::len) + cid.map_or(0, escaped_len);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

const fn kind(record: &Record) -> &'static str {
    match record.body {
        Body::Message { .. } => r#"{"ev":"message""#,
        Body::Topic { .. } => r#"{"ev":"topic""#,
    }
}

fn fields(out: &mut Vec<u8>, record: &Record) {
    put(out, r#","seq":"#);
    number(out, record.seq);
    put(out, r#","from":"#);
    name(out, record.from.as_str());
    put(out, r#","at":"#);
    number(out, record.at);
    put(out, r#","text":"#);
    match &record.body {
        Body::Topic { text } => string(out, text),
        Body::Message { text, data, reply_to, thread, .. } => {
            string(out, text);
            seq(out, r#","reply_to":"#, *reply_to);
            seq(out, r#","thread":"#, *thread);
            if let Some(data) = data {
                put(out, r#","data":"#);
                foreign(out, data);
            }
        }
    }
}

fn seq(out: &mut Vec<u8>, key: &str, seq: Option<u64>) {
    if let Some(seq) = seq {
        put(out, key);
        number(out, seq);
    }
}
