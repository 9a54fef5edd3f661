//! What is posted over HTTP, as the protocol's own requests: a message as plain text, the fields of
//! `send` as JSON, or several of them.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod file;
mod forge;
mod hook;
mod object;
mod parts;
mod slack;

pub use file::{File, file_name, files};
pub use hook::{form_text, hook_text, nothing_to_say};
pub use object::members;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Field, request};
use super::json::{number, offset_of, put, string};
use crate::chat::model::code::Code;
use crate::chat::model::command::Op;
use crate::chat::model::reply::Refusal;

/// Messages of one request.
pub const BATCH_MAX: usize = 64;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The message itself.
    Text,
    /// JSON.
    Json,
    /// `application/x-www-form-urlencoded`, which is what `curl -d` says of anything.
    Urlencoded,
}

/// The requests that a body comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Posted {
    /// Each with its index as `id`.
    pub requests: Vec<String>,
    /// They came as a list, so that the answers are one, too.
    pub is_batch: bool,
}

/// The messages of a body, for `room`; `cid` is that of the only one.
///
/// # Errors
///
/// [`Code::BadJson`] for what is no JSON or UTF-8, [`Code::BadField`] for what is no message, and
/// [`Code::TooLarge`] for more than [`BATCH_MAX`]. The fields themselves are checked when the
/// requests are parsed.
pub fn messages(
    form: Form,
    body: &[u8],
    (room, cid): (&str, Option<&str>),
) -> Result<Posted, Refusal> {
    let text = text_of(body)?;
    if form != Form::Json {
        if form == Form::Urlencoded && text.starts_with("payload=") {
            let message = "a form with a payload is for a hook: chinwag hook add";
            return Err(Refusal::new(Code::BadField, message));
        }
        let line = text.strip_suffix('\n').unwrap_or(text);
        let requests = vec![said(room, line.strip_suffix('\r').unwrap_or(line), cid)];
        return Ok(Posted { requests, is_batch: false });
    }
    let (items, is_batch) = items(text)?;
    if items.len() > BATCH_MAX {
        let message = format!("there are {} messages", items.len());
        let refusal = Refusal::new(Code::TooLarge, message).limit(BATCH_MAX);
        return Err(refusal.field("messages", format!("at most {BATCH_MAX} in a request")));
    }
    if is_batch && cid.is_some() {
        let message = "several messages need a cid each, and no Idempotency-Key";
        return Err(Refusal::new(Code::BadField, message).field("cid", "in each message"));
    }
    let requests = items.iter().enumerate().map(|(at, item)| with_room(at, item, (room, cid)));
    Ok(Posted { requests: requests.collect::<Result<_, _>>()?, is_batch })
}

/// The request that says this text.
#[must_use]
pub fn said(room: &str, text: &str, cid: Option<&str>) -> String {
    let (room, text) = (("room", Field::Text(room)), ("text", Field::Text(text)));
    match cid {
        Some(cid) => single_request(Op::Send, &[room, text, ("cid", Field::Text(cid))]),
        None => single_request(Op::Send, &[room, text]),
    }
}

/// The request of an operation with these fields.
#[must_use]
pub fn single_request(op: Op, fields: &[(&str, Field<'_>)]) -> String {
    let texts = fields.iter().map(|(_, field)| match field {
        Field::Text(text) | Field::Json(text) => text.len(),
        Field::Number(_) | Field::Flag(_) => 0,
    });
    // Nearly always enough, so that it is not moved while it grows.
    let mut out = Vec::with_capacity(texts.sum::<usize>() + 128);
    request(&mut out, op, Some(0), fields);
    String::from_utf8(out).unwrap_or_default()
}

/// The text of a body, without the mark of the byte order that some programs begin it with.
///
/// # Errors
///
/// [`Code::BadJson`] for what is not UTF-8, with the byte.
pub fn text_of(body: &[u8]) -> Result<&str, Refusal> {
    // Before the check, which counts offsets from here on.
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    simdutf8::compat::from_utf8(body).map_err(|error| {
        let mut refusal = Refusal::new(Code::BadJson, "the body is not UTF-8");
        refusal.offset = u64::try_from(error.valid_up_to()).ok();
        refusal
    })
}

/// A list of messages after a name.
#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
}

/// The messages of a JSON text, and whether they are a list.
fn items(text: &str) -> Result<(Vec<&str>, bool), Refusal> {
    let blank = text.len() - text.trim_ascii_start().len();
    let text = text.trim_ascii();
    let listed = if text.starts_with('[') {
        serde_json::from_str::<Vec<&RawValue>>(text).map(Some)
    } else {
        serde_json::from_str::<Listed<'_>>(text).map(|listed| listed.messages)
    };
    match listed {
        Ok(None) => Ok((vec![text], false)),
        Ok(Some(list)) if list.is_empty() => {
            let refusal = Refusal::new(Code::BadField, "there is no message");
            Err(refusal.field("messages", "a list of messages"))
        }
        Ok(Some(list)) => match field_beside(text) {
            Some(name) => {
                let message = format!("{name} is given together with messages");
                let refusal = Refusal::new(Code::BadField, message);
                Err(refusal.field(name, "in one of the messages"))
            }
            None => Ok((list.into_iter().map(RawValue::get).collect(), true)),
        },
        // It is an object, of which only `messages` is looked at here.
        Err(error) if error.is_data() && text.starts_with('{') => {
            let refusal = Refusal::new(Code::BadField, "messages is not one list");
            Err(refusal.field("messages", "a list of messages"))
        }
        Err(error) => {
            let message = "the body is not one JSON object, nor a list of them";
            let mut refusal = Refusal::new(Code::BadJson, message);
            refusal.offset = u64::try_from(blank + offset_of(text, &error)).ok();
            Err(refusal)
        }
    }
}

/// A field of a message that stands beside a list of them, where nobody would say it.
fn field_beside(text: &str) -> Option<&'static str> {
    let given: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    ["text", "data", "cid", "reply_to", "thread"]
        .into_iter()
        .find(|name| given.get(*name).is_some_and(|value| value.get() != "null"))
}

/// The fields of a message as a request: what is said here and there is refused as said twice.
fn with_room(at: usize, item: &str, (room, cid): (&str, Option<&str>)) -> Result<String, Refusal> {
    let Some(fields) = item.strip_prefix('{') else {
        let message = format!("message {at} is no object");
        let refusal = Refusal::new(Code::BadField, message);
        return Err(refusal.field("messages", "an object with the fields of send for each"));
    };
    let mut out = Vec::with_capacity(item.len() + room.len() + 64);
    put(&mut out, r#"{"op":"send","id":"#);
    number(&mut out, u64::try_from(at).unwrap_or(u64::MAX));
    put(&mut out, r#","room":"#);
    string(&mut out, room);
    if let Some(cid) = cid {
        put(&mut out, r#","cid":"#);
        string(&mut out, cid);
    }
    // What the client wrote is taken as it is, after the fields that stand first: a second `room`
    // or `op` is refused as given twice.
    put(&mut out, if fields.trim_ascii_start().starts_with('}') { "" } else { "," });
    put(&mut out, fields);
    Ok(String::from_utf8(out).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: Form, body: &str, expect: &[&str]) {
        let posted = messages(form, body.as_bytes(), ("a", None)).unwrap();
        assert_eq!(posted.requests, expect, "{body}");
    }

    #[test]
    fn a_text_is_the_message_and_json_its_fields() {
        let said = r#"{"op":"send","id":0,"room":"a","text":"disk \"full\""}"#;
        check(Form::Text, "disk \"full\"\n", &[said]);
        check(Form::Urlencoded, "disk \"full\"", &[said]);
        // A line end is one, whichever; a mark of the byte order is none of the text.
        check(Form::Text, "\u{feff}disk \"full\"\r\n", &[said]);
        let said = r#"{"op":"send","id":0,"room":"a","text":"hi", "data":[1]}"#;
        check(Form::Json, r#" {"text":"hi", "data":[1]} "#, &[said]);
        check(Form::Json, "\u{feff}{\"text\":\"hi\", \"data\":[1]}", &[said]);
        check(Form::Json, "{}", &[r#"{"op":"send","id":0,"room":"a"}"#]);
        let two = [
            r#"{"op":"send","id":0,"room":"a","text":"x"}"#,
            r#"{"op":"send","id":1,"room":"a","text":"y"}"#,
        ];
        check(Form::Json, r#"[{"text":"x"},{"text":"y"}]"#, &two);
        check(Form::Json, r#"{"messages":[{"text":"x"},{"text":"y"}]}"#, &two);
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_place() {
        let refused = |form, body: &[u8]| {
            let refusal = messages(form, body, ("a", None)).unwrap_err();
            (refusal.code, refusal.offset)
        };
        assert_eq!(refused(Form::Text, b"a\xff"), (Code::BadJson, Some(1)));
        assert_eq!(refused(Form::Json, b"nonsense").0, Code::BadJson);
        assert_eq!(refused(Form::Json, b"{\"a\":1} x").0, Code::BadJson);
        let second = b" {\"text\":\n \"a\"}\n{\"text\":\"b\"}";
        assert_eq!(refused(Form::Json, second), (Code::BadJson, Some(16)), "in the third line");
        assert_eq!(refused(Form::Json, b"[]").0, Code::BadField);
        assert_eq!(refused(Form::Json, b"{\"messages\":{}}").0, Code::BadField);
        assert_eq!(refused(Form::Json, b"[1]").0, Code::BadField);
        // Beside a list it would be said by nobody.
        for beside in [r#""text":"b""#, r#""data":1"#, r#""cid":"c""#, r#""thread":1"#] {
            let body = format!(r#"{{"messages":[{{"text":"a"}}],{beside}}}"#);
            assert_eq!(refused(Form::Json, body.as_bytes()).0, Code::BadField, "{body}");
        }
        let null = r#"{"messages":[{"text":"a"}],"cid":null}"#;
        assert!(messages(Form::Json, null.as_bytes(), ("a", None)).is_ok(), "null is nothing");
        assert_eq!(refused(Form::Urlencoded, b"payload=%7B%7D").0, Code::BadField);
        let many = format!("[{}]", vec!["{}"; BATCH_MAX + 1].join(","));
        assert_eq!(refused(Form::Json, many.as_bytes()).0, Code::TooLarge);
        let refused = messages(Form::Json, b"[{}]", ("a", Some("c"))).unwrap_err();
        assert_eq!(refused.code, Code::BadField, "one cid for several messages");
    }
}
