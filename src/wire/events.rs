//! Server-Sent Events (HTML standard, section 9.2): the protocol's events, one to each event of the
//! stream.
//!
//! ```text
//!  id: k3f9:123            the position after it, which `Last-Event-ID` brings back
//!  event: edit             its `ev`; a message has none, so that `onmessage` gets it
//!  data: {"ev":"edit",…}   on one line
//!
//! ```
//!
//! Some clients end lines where the standard does not, at U+0085, U+2028 and U+2029: these are
//! escaped in the JSON.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::json::{number, put};
use super::render;
use crate::chat::model::event::Event;
use crate::chat::model::name::RoomName;
use crate::chat::model::record::{Epoch, Record};
use crate::chat::model::reply::Refusal;

/// A comment, which keeps proxies awake and shows whether the peer is there. No empty line follows,
/// at which some clients tell of an event without data.
pub const COMMENT: &[u8] = b":\n";

/// Appends the time after which a client comes back that has lost the stream, as a line of the next
/// event.
pub fn retry(out: &mut Vec<u8>, millis: u64) {
    put(out, "retry: ");
    number(out, millis);
    put(out, "\n");
}

/// Appends the position in a room's log.
pub fn position(out: &mut Vec<u8>, epoch: Epoch, seq: u64) {
    put(out, epoch.text(&mut [0; Epoch::LEN_MAX]));
    put(out, ":");
    number(out, seq);
}

/// Appends the line of an event's position, which `write` appends.
pub fn id(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    put(out, "id: ");
    write(out);
    put(out, "\n");
}

/// Appends a record without its position.
pub fn record(out: &mut Vec<u8>, room: &RoomName, record: &Record) {
    named(out, render::record_name(record), |out| render::record_event(out, room, record));
}

/// Appends an event that is no record, without its position.
pub fn event(out: &mut Vec<u8>, name: &str, event: &Event) {
    named(out, name, |out| render::event(out, event, None));
}

/// Appends that a room's log began anew, without the position from which the stream goes on.
pub fn reset(out: &mut Vec<u8>, room: &RoomName, epoch: Epoch, seq: u64) {
    named(out, "reset", |out| render::reset(out, room, epoch, seq));
}

/// Appends why something is refused: the whole, or one room.
pub fn refused(out: &mut Vec<u8>, room: Option<&str>, refusal: &Refusal) {
    named(out, "refused", |out| render::refused_event(out, room, refusal));
}

/// Appends the last event: why the stream ends.
pub fn bye(out: &mut Vec<u8>, close: u16, reason: &str) {
    named(out, "bye", |out| render::bye(out, close, reason));
}

fn named(out: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
    if name != "message" {
        put(out, "event: ");
        put(out, name);
        put(out, "\n");
    }
    put(out, "data: ");
    // Where the JSON begins: only in there can such characters be.
    let start = out.len();
    data(out);
    escape_line_ends(out, start);
    put(out, "\n\n");
}

/// Escapes the characters from `start` on that some take for the end of a line.
fn escape_line_ends(out: &mut Vec<u8>, start: usize) {
    let found = find_line_end(out.get(start..).unwrap_or_default());
    // Nearly always: what is sent was scanned once and is where it is sent from.
    let Some(first) = found else { return };
    let rest = out.split_off(start + first);
    let mut rest = rest.as_slice();
    while let Some(at) = find_line_end(rest) {
        let (clean, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(clean);
        let (escaped, len) = match tail {
            [0xc2, ..] => ("\\u0085", 2),
            [_, _, 0xa8, ..] => ("\\u2028", 3),
            _ => ("\\u2029", 3),
        };
        put(out, escaped);
        rest = tail.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn find_line_end(text: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(0xc2, 0xe2, text).find(|&at| {
        matches!(text.get(at..), Some([0xc2, 0x85, ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_clients_take_for_a_line_end_is_escaped_and_nothing_else_is() {
        for (text, expect) in [
            ("plain", "plain"),
            ("a\u{85}b\u{2028}\u{2029}", r"a\u0085b\u2028\u2029"),
            (
                "\u{84}\u{86}\u{2027}\u{202a}\u{e9}\u{2014}\u{20ac}",
                "\u{84}\u{86}\u{2027}\u{202a}\u{e9}\u{2014}\u{20ac}",
            ),
            ("\u{2028}", r"\u2028"),
        ] {
            let mut out = b"\xe2\x80\xa8".to_vec();
            out.extend_from_slice(text.as_bytes());
            escape_line_ends(&mut out, 3);
            assert_eq!(String::from_utf8(out.split_off(3)).unwrap(), expect, "{text:?}");
        }
    }

    #[test]
    fn a_record_takes_no_more_than_its_weight_and_the_framing() {
        use crate::chat::model::limits::{EVENT_FRAMING, SEQ_END};
        use crate::chat::model::name::UserName;
        use crate::chat::model::record::{Act, Body};
        let body = Body::Moderation {
            act: Act::Kick,
            target: UserName::parse("ann").unwrap(),
            reason: "".into(),
        };
        let from = UserName::parse("bob").unwrap();
        let row = Record { seq: SEQ_END - 1, at: 0, from, body, weight: 0 };
        let room = RoomName::parse("lobby").unwrap();
        let (mut bare, mut framed) = (Vec::new(), Vec::new());
        render::record_event(&mut bare, &room, &row);
        id(&mut framed, |out| position(out, Epoch(u64::MAX), row.seq));
        record(&mut framed, &room, &row);
        assert!(framed.len() - bare.len() <= EVENT_FRAMING, "{}", framed.len() - bare.len());
        assert!(
            framed.starts_with(b"id: 3w5e11264sgsf:9007199254740991\nevent: moderation\ndata: {")
        );
        assert!(framed.ends_with(b"}\n\n"));
    }
}
