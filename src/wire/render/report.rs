//! What was reported.

use super::field::{field, name_field};
use crate::chat::model::people::Report;
use crate::wire::json::{prose, put, string};

/// Appends a report.
pub(super) fn report(out: &mut Vec<u8>, report: &Report) {
    let Report { id, by, whom, room, seq, text, reason, at } = report;
    field(out, r#"{"id":"#, *id);
    name_field(out, r#","by":"#, by.as_str());
    name_field(out, r#","user":"#, whom.as_str());
    if let Some(room) = room {
        name_field(out, r#","room":"#, room.as_str());
    }
    if let Some(seq) = seq {
        field(out, r#","target":"#, *seq);
        put(out, r#","text":"#);
        prose(out, text);
    }
    field(out, r#","at":"#, *at);
    put(out, r#","reason":"#);
    string(out, reason);
    put(out, "}");
}
