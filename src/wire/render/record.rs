//! Records, as live events and as items of a replay or a page.

use crate::chat::model::mentions::{self, Mention};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Act, Body, Record};
use crate::wire::json::{array, name, number, prose, put, raw, string};

/// Appends a record as the live event of its room. It has no `cid`, so that all members get the
/// same bytes.
pub fn record_event(out: &mut Vec<u8>, room: &RoomName, record: &Record) {
    put(out, kind(record));
    put(out, r#","room":"#);
    name(out, room.as_str());
    fields(out, record);
    mentioned(out, record);
    put(out, "}");
}

/// Appends a record as an item: without its room, and with the `cid` if it is the viewer's own.
pub fn item(out: &mut Vec<u8>, record: &Record, viewer: Option<&UserName>) {
    put(out, kind(record));
    fields(out, record);
    mentioned(out, record);
    own_cid(out, record, viewer);
    put(out, "}");
}

/// As [`item`], for a text that is cut: whom the whole one names does not follow from it.
pub(super) fn glance(out: &mut Vec<u8>, record: &Record, viewer: Option<&UserName>) {
    put(out, kind(record));
    fields(out, record);
    own_cid(out, record, viewer);
    put(out, "}");
}

fn own_cid(out: &mut Vec<u8>, record: &Record, viewer: Option<&UserName>) {
    if let Body::Message { cid: Some(cid), .. } = &record.body
        && viewer == Some(&record.from)
    {
        put(out, r#","cid":"#);
        string(out, cid);
    }
}

/// Whom a text that was said names.
fn mentioned(out: &mut Vec<u8>, record: &Record) {
    // A record that was deleted names nobody any more.
    let (Body::Message { text, .. } | Body::Edit { text: Some(text), .. }) = &record.body else {
        return;
    };
    // It follows from the text, and is not stored: an edit changes both at once.
    let found = mentions::mentions(text);
    if !found.is_empty() {
        put(out, r#","mentions":"#);
        array(out, &found, |out, mention: &Mention| name(out, mention.as_str()));
    }
}

/// The `ev` of a record.
#[must_use]
pub const fn record_name(record: &Record) -> &'static str {
    match record.body {
        Body::Message { .. } | Body::Deleted => "message",
        Body::Edit { .. } => "edit",
        Body::Deletion { .. } => "deletion",
        Body::Reaction { .. } => "reaction",
        Body::Topic { .. } => "topic",
        Body::Rename { .. } => "rename",
        Body::Moderation { .. } => "moderation",
    }
}

const fn kind(record: &Record) -> &'static str {
    match record.body {
        Body::Message { .. } | Body::Deleted => r#"{"ev":"message""#,
        Body::Edit { .. } => r#"{"ev":"edit""#,
        Body::Deletion { .. } => r#"{"ev":"deletion""#,
        Body::Reaction { .. } => r#"{"ev":"reaction""#,
        Body::Topic { .. } => r#"{"ev":"topic""#,
        Body::Rename { .. } => r#"{"ev":"rename""#,
        Body::Moderation { .. } => r#"{"ev":"moderation""#,
    }
}

fn fields(out: &mut Vec<u8>, record: &Record) {
    put(out, r#","seq":"#);
    number(out, record.seq);
    put(out, r#","from":"#);
    name(out, record.from.as_str());
    put(out, r#","at":"#);
    number(out, record.at);
    match &record.body {
        Body::Topic { text } => {
            put(out, r#","text":"#);
            prose(out, text);
        }
        Body::Rename { name: new, was } => {
            put(out, r#","name":"#);
            name(out, new.as_str());
            put(out, r#","was":"#);
            name(out, was.as_str());
        }
        Body::Deleted => put(out, r#","deleted":true"#),
        Body::Edit { target, text } => {
            seq(out, r#","target":"#, Some(*target));
            match text {
                Some(text) => {
                    put(out, r#","text":"#);
                    prose(out, text);
                }
                // Its message was deleted or pruned, and all texts of that with it.
                None => put(out, r#","deleted":true"#),
            }
        }
        Body::Deletion { target } => seq(out, r#","target":"#, Some(*target)),
        Body::Reaction { target, emoji, remove } => {
            seq(out, r#","target":"#, Some(*target));
            put(out, r#","emoji":"#);
            prose(out, emoji);
            if *remove {
                put(out, r#","remove":true"#);
            }
        }
        Body::Moderation { act, target, reason } => moderation(out, *act, target, reason),
        Body::Message { text, data, reply_to, thread, edited, .. } => {
            put(out, r#","text":"#);
            prose(out, text);
            seq(out, r#","edited":"#, *edited);
            seq(out, r#","reply_to":"#, *reply_to);
            seq(out, r#","thread":"#, *thread);
            if let Some(data) = data {
                put(out, r#","data":"#);
                raw(out, data);
            }
        }
    }
}

fn moderation(out: &mut Vec<u8>, act: Act, target: &UserName, reason: &str) {
    put(out, r#","act":"#);
    name(out, act.name());
    put(out, r#","target":"#);
    name(out, target.as_str());
    match act {
        Act::Ban { until } | Act::Mute { until } => seq(out, r#","until":"#, until),
        Act::Role(role) => {
            put(out, r#","role":"#);
            name(out, role.name());
        }
        Act::Kick | Act::Unban | Act::Unmute => {}
    }
    if !reason.is_empty() {
        put(out, r#","reason":"#);
        prose(out, reason);
    }
}

fn seq(out: &mut Vec<u8>, key: &str, seq: Option<u64>) {
    if let Some(seq) = seq {
        put(out, key);
        number(out, seq);
    }
}
