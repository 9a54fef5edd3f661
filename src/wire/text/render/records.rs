//! Records as people speak of them: a message that something is done to is named by its words.

use crate::chat::model::file::FILE_WORD;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Act, Body, Record, SharedRecord};
use crate::time::date::{DAY_MS, civil, weekday};
use crate::time::span::in_words;
use crate::wire::posted;
use crate::wire::text::safe::{self, put};

/// Bytes of a message that are quoted, at most. A record takes no more than its weight, of which
/// what JSON has besides names and texts is larger than a quote with the words around it.
const QUOTE_LEN_MAX: usize = 48;
/// Files of a message that are shown.
const FILES_MAX: usize = 10;

/// Appends a record as it happens, such as `[lobby] bob: hi`. `target` is the message that it is
/// about, as it was before.
pub fn record_event(out: &mut Vec<u8>, room: &RoomName, record: &Record, target: Option<&Record>) {
    safe::put_room(out, room.as_str());
    body(out, room, record, target);
}

/// Appends what its sender is told in place of the record: nothing for a message in a room, since
/// the terminal has shown the line already.
pub fn sent(out: &mut Vec<u8>, room: &RoomName, record: &Record, target: Option<&Record>) {
    match &record.body {
        Body::Message { text, .. } => {
            if let Some(other) = other_of(room, &record.from) {
                put(out, &["to ", &safe::name(other), ": "]);
                safe::text(out, text);
                put(out, &["\n"]);
            }
        }
        _ => record_event(out, room, record, target),
    }
}

/// The other one of a direct conversation.
pub(super) fn other_of<'a>(room: &'a RoomName, me: &UserName) -> Option<&'a str> {
    let (a, b) = room.pair()?;
    Some(if a == me.as_str() { b } else { a })
}

/// Appends records of the past, with a line for each day. `changes` tells whether edits and
/// deletions are shown: who reads a message for the first time sees it as it is now.
pub(super) fn past<'a>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = (&'a RoomName, &'a SharedRecord)> + Clone,
    changes: bool,
) {
    let (mut day, all) = (None, items.clone());
    for (room, record) in items {
        if !changes && matches!(record.body, Body::Edit { .. } | Body::Deletion { .. }) {
            continue;
        }
        // In UTC, which the line says: the server does not know where the reader is.
        let of_record = record.at / DAY_MS;
        if day.replace(of_record) != Some(of_record) {
            put(out, &["-- ", &date(of_record), ", times in UTC --\n"]);
        }
        let minute = record.at / 60_000 % (24 * 60);
        let time = format!("{:02}:{:02} ", minute / 60, minute % 60);
        safe::put_room(out, room.as_str());
        put(out, &[&time]);
        let target = record.body.refers_to();
        let target = target.and_then(|seq| {
            all.clone().find(|(other, record)| *other == room && record.seq == seq)
        });
        body(out, room, record, target.map(|(_, record)| &**record));
    }
}

/// Such as `Friday 2025-11-21`.
fn date(days: u64) -> String {
    let (year, month, day) = civil(days);
    format!("{} {year:04}-{month:02}-{day:02}", weekday(days))
}

/// Appends what a record says, and the line's end.
fn body(out: &mut Vec<u8>, room: &RoomName, record: &Record, target: Option<&Record>) {
    let from = &*safe::name(record.from.as_str());
    match &record.body {
        // As programs send it: a line without words would look like a message that was lost.
        Body::Message { text, data: Some(_), .. } if text.is_empty() => {
            put(out, &[from, " sent data"]);
            files(out, room, record);
        }
        Body::Message { text, edited, thread, .. } => {
            put(out, &[from, if edited.is_some() { " (edited)" } else { "" }]);
            match target {
                Some(target) => {
                    put(out, &[if thread.is_some() { " in the thread of " } else { " to " }]);
                    quote(out, &record.from, Some(target));
                }
                None => put(out, &[if thread.is_some() { " in a thread" } else { "" }]),
            }
            put(out, &[": "]);
            safe::text(out, text);
            files(out, room, record);
        }
        Body::Deleted => put(out, &["* a message of ", from, " was deleted"]),
        Body::Edit { text, .. } => {
            put(out, &["* ", from, " changed "]);
            quote(out, &record.from, target);
            if let Some(text) = text {
                put(out, &[" to: "]);
                safe::text(out, text);
            }
        }
        Body::Deletion { .. } => {
            put(out, &["* ", from, " deleted "]);
            quote(out, &record.from, target);
        }
        Body::Reaction { emoji, remove, .. } => {
            let verb = if *remove { " took back a reaction to " } else { " reacted to " };
            put(out, &["* ", from, verb]);
            quote(out, &record.from, target);
            put(out, &[if *remove { ": " } else { " with " }]);
            safe::line(out, emoji);
        }
        Body::Moderation { act, target, reason } => {
            act_line(out, *act, (record, target));
            if !reason.is_empty() {
                put(out, &[": "]);
                safe::line(out, reason);
            }
        }
        Body::Topic { text } if text.is_empty() => put(out, &["* ", from, " removed the topic"]),
        Body::Rename { was, .. } => {
            put(out, &["* ", from, " renamed the room, which was ", was.as_str()]);
        }
        Body::Topic { text } => {
            put(out, &["* ", from, " changed the topic: "]);
            safe::line(out, text);
        }
    }
    put(out, &["\n"]);
}

/// Appends the files of a message: where the first one is read by HTTP, and the names of the
/// others, which are read in the same way.
fn files(out: &mut Vec<u8>, room: &RoomName, record: &Record) {
    let Body::Message { data: Some(data), .. } = &record.body else { return };
    if !data.contains(FILE_WORD) {
        return;
    }
    for (at, file) in posted::files(data).iter().take(FILES_MAX).enumerate() {
        let end = file.name.char_indices().take_while(|(at, _)| *at < QUOTE_LEN_MAX).last();
        let end = end.map_or(0, |(at, c)| at + c.len_utf8());
        put(out, &[" ["]);
        safe::line(out, file.name.get(..end).unwrap_or_default());
        put(out, &[" "]);
        if at == 0 {
            let seq = record.seq.to_string();
            put(out, &["/rooms/", &path_of(room), "/messages/", &seq, "/files/"]);
        }
        put(out, &[file.id.as_str(), "]"]);
    }
}

/// A room's name as it stands in a path.
fn path_of(room: &RoomName) -> String {
    let encoded = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~/@:".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    room.as_str().bytes().map(encoded).collect()
}

/// Such as `* bob was muted for 10 minutes by ann`.
fn act_line(out: &mut Vec<u8>, act: Act, (record, target): (&Record, &UserName)) {
    let (target, from) = (safe::name(target.as_str()), safe::name(record.from.as_str()));
    let lasts = |until: Option<u64>| {
        until.map(|until| format!(" for {}", in_words(until.saturating_sub(record.at))))
    };
    let (what, lasts) = match act {
        Act::Kick => (" was removed", None),
        Act::Ban { until } => (" was banned", lasts(until)),
        Act::Unban => (" may come back: the ban was ended", None),
        Act::Mute { until } => (" was muted", lasts(until)),
        Act::Unmute => (" may speak again: the mute was ended", None),
        Act::Role(role) => {
            let role = role.name();
            let article = if role.starts_with('o') { " was made an " } else { " was made a " };
            return put(out, &["* ", &target, article, role, " by ", &from]);
        }
    };
    let lasts = lasts.as_deref().unwrap_or_default();
    put(out, &["* ", &target, what, lasts, " by ", &from]);
}

/// Appends which message is meant, such as `ann's "see you tomor…"`; one of the user's own has no
/// name.
fn quote(out: &mut Vec<u8>, by: &UserName, target: Option<&Record>) {
    let Some(target) = target else { return put(out, &["an earlier message"]) };
    let text = match &target.body {
        Body::Message { text, .. } => text.trim(),
        _ => "",
    };
    if text.is_empty() {
        return put(out, &["a message of ", &safe::name(target.from.as_str())]);
    }
    if target.from != *by {
        put(out, &[&safe::name(target.from.as_str()), "'s "]);
    }
    let words = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= QUOTE_LEN_MAX);
    let end = words.last().map_or(0, |(at, c)| at + c.len_utf8());
    let (shown, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    put(out, &["\""]);
    // Or the quote could end early, and its rest pass for what was done.
    safe::line(out, &shown.trim_end().replace('"', "'"));
    put(out, &[if rest.is_empty() { "\"" } else { "…\"" }]);
}
