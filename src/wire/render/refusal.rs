//! Refusals.

use super::field::{epoch_field, field};
use crate::chat::model::code::Code;
use crate::chat::model::command::{Op, RequestId};
use crate::chat::model::output::Request;
use crate::chat::model::reply::Refusal;
use crate::wire::json::{array, name, put, string};
use crate::wire::parse::Refused;

/// Appends the answer to a request that was refused, whether it has an `id` or not.
pub fn refusal(out: &mut Vec<u8>, request: &Request, refusal: &Refusal) {
    refuse(out, request.id.as_ref(), Some(request.op.name()), refusal);
}

/// Appends the answer to a request that could not be parsed.
pub fn refused(out: &mut Vec<u8>, refused: &Refused) {
    refuse(out, refused.id.as_ref(), refused.op.as_deref(), &refused.refusal);
}

/// Appends a refusal as an object of its own: `code`, `message` and `data`.
pub fn refusal_alone(out: &mut Vec<u8>, refusal: &Refusal) {
    put(out, "{");
    refusal_fields(out, refusal);
    put(out, "}");
}

/// Appends a refusal as an event: of a room, or of all that is asked for.
pub fn refused_event(out: &mut Vec<u8>, room: Option<&str>, refusal: &Refusal) {
    put(out, r#"{"ev":"refused","#);
    if let Some(room) = room {
        put(out, r#""room":"#);
        string(out, room);
        put(out, ",");
    }
    refusal_fields(out, refusal);
    put(out, "}");
}

fn refuse(out: &mut Vec<u8>, id: Option<&RequestId>, op: Option<&str>, refusal: &Refusal) {
    put(out, r#"{"id":"#);
    match (id, op) {
        (Some(id), _) => put(out, id.0.as_str()),
        (None, Some(op)) => {
            put(out, r#"null,"op":"#);
            string(out, op);
        }
        (None, None) => put(out, r#"null,"op":null"#),
    }
    put(out, ",");
    refusal_fields(out, refusal);
    put(out, "}");
}

/// Appends the fields of a refusal, or of a room that cannot be resumed.
pub(super) fn refusal_fields(out: &mut Vec<u8>, refusal: &Refusal) {
    field(out, r#""code":"#, refusal.code.number().into());
    put(out, r#","message":"#);
    string(out, &refusal.message);
    put(out, r#","data":{"error":"#);
    name(out, refusal.code.slug());
    let words = [
        (r#","field":"#, refusal.field),
        (r#","expected":"#, refusal.expected.as_deref()),
        (r#","hint":"#, refusal.hint.as_deref()),
    ];
    for (key, text) in words {
        if let Some(text) = text {
            put(out, key);
            string(out, text);
        }
    }
    if let Some(epoch) = refusal.epoch {
        epoch_field(out, r#","epoch":"#, epoch);
    }
    let lost = refusal.lost.as_deref();
    let numbers = [
        (r#","limit":"#, refusal.limit),
        (r#","offset":"#, refusal.offset),
        (r#","messages":"#, lost.map(|lost| lost.messages.into())),
        (r#","members":"#, lost.and_then(|lost| lost.members).map(u64::from)),
        (r#","retry_after_ms":"#, refusal.retry_after_ms),
    ];
    for (key, value) in numbers {
        if let Some(value) = value {
            field(out, key, value);
        }
    }
    if refusal.code == Code::UnknownOp {
        put(out, r#","ops":"#);
        array(out, Op::ALL, |out, op| name(out, op.name()));
    }
    put(out, "}");
}
