//! What was reported, and what was audited.

use super::field::{field, name_field};
use crate::chat::model::people::{AuditedAct, Report};
use crate::wire::json::{name, prose, put, string};

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

/// Appends an act with its id.
pub(super) fn act(out: &mut Vec<u8>, (id, act): &(u64, AuditedAct)) {
    let AuditedAct { by, act, whom, room, at } = act;
    field(out, r#"{"id":"#, *id);
    field(out, r#","at":"#, *at);
    put(out, r#","by":"#);
    match by {
        Some(by) => name(out, by.as_str()),
        None => put(out, "null"),
    }
    put(out, r#","act":"#);
    string(out, act);
    if !whom.is_empty() {
        put(out, r#","user":"#);
        string(out, whom);
    }
    if let Some(room) = room {
        name_field(out, r#","room":"#, room.as_str());
    }
    put(out, "}");
}
