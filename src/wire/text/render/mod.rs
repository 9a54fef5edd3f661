//! Replies, refusals and events as lines of text.

use super::greeting::welcome;
use super::safe::{self, put};
use crate::chat::model::event::{Event, LeftReason, PresenceChange};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Body, Record, SharedRecord};
use crate::chat::model::reply::{GapWhy, InboxRow, Presence, Refusal, Reply, Role};

/// Appends the answer to a success. Nothing for a sent message, since the terminal has shown the
/// line already.
pub fn reply(out: &mut Vec<u8>, reply: &Reply, server: &str) {
    match reply {
        Reply::Welcome { user, .. } => welcome(out, server, user),
        Reply::Joined { room, members, topic, .. } => {
            let members = count(*members, "member", "members");
            put(out, &["-- you are in ", room.as_str(), ", ", &members, " --\n"]);
            if !topic.is_empty() {
                topic_line(out, room, topic);
            }
        }
        Reply::Inbox { rooms, .. } => inbox(out, rooms),
        Reply::History { room, items, .. } => history(out, room, items),
        Reply::Found { items, .. } => {
            if items.is_empty() {
                return put(out, &["-- nothing was found --\n"]);
            }
            for (room, record) in items {
                past(out, room, record);
            }
        }
        Reply::Presence { count: here, users, .. } => {
            put(out, &["-- ", &here.to_string(), " here"]);
            states(out, ": ", users.as_deref().unwrap_or_default());
        }
        Reply::Members { count: all, users, more } => {
            put(out, &["-- ", &count(*all, "member", "members")]);
            let shown = users
                .iter()
                .map(|(user, role)| (user, (*role != Role::Member).then(|| role.name())));
            list(out, ": ", shown);
            put(out, &[if *more { ", and more --\n" } else { " --\n" }]);
        }
        Reply::Restrictions { room, items, more } => {
            put(out, &["-- restrictions in ", room.as_str()]);
            let shown = items.iter().map(|(user, kind, _)| (user, Some(kind.name())));
            list(out, ": ", shown);
            put(out, &[if *more { ", and more --\n" } else { " --\n" }]);
        }
        Reply::Topic { room, text } if text.is_empty() => {
            put(out, &["-- ", room.as_str(), " has no topic --\n"]);
        }
        Reply::Topic { room, text } => topic_line(out, room, text),
        // That one has left is said by the event, to all of one's sessions.
        Reply::Left { .. }
        | Reply::Sent { .. }
        | Reply::Pong { .. }
        | Reply::Acked { .. }
        | Reply::Done => {}
    }
}

/// Appends why a line was refused, and what helps.
pub fn refusal(out: &mut Vec<u8>, refusal: &Refusal) {
    put(out, &["! "]);
    safe::line(out, &refusal.message);
    if let Some(expected) = &refusal.expected {
        put(out, &["; expected: "]);
        safe::line(out, expected);
    }
    if let Some(hint) = &refusal.hint {
        put(out, &["; did you mean "]);
        safe::line(out, hint);
    }
    if let Some(millis) = refusal.retry_after_ms {
        put(out, &["; try again in ", &seconds(millis)]);
    }
    put(out, &["\n"]);
}

/// Appends a record as it happens, such as `[lobby] bob: hi`.
pub fn record_event(out: &mut Vec<u8>, room: &RoomName, record: &Record) {
    put(out, &["[", room.as_str(), "] "]);
    said(out, record);
}

/// Appends an event. Nothing for typing and receipts, which would only scroll the conversation
/// away.
pub fn event(out: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Replay { room, items, .. } => {
            for record in items {
                past(out, room, record);
            }
        }
        Event::Gap { room, from, to, why } => gap(out, room, to.saturating_sub(*from) + 1, *why),
        // The message that follows shows the conversation well enough.
        Event::Joined { room, .. } if room.is_direct() => {}
        Event::Joined { room, .. } => put(out, &["-- you are in ", room.as_str(), " --\n"]),
        Event::Invited { room, from, reason } => {
            put(out, &["-- ", from.as_str(), " invites you: /join ", room.as_str()]);
            if !reason.is_empty() {
                put(out, &[" ("]);
                safe::line(out, reason);
                put(out, &[")"]);
            }
            put(out, &[" --\n"]);
        }
        Event::Left { room, reason } => {
            let what = match reason {
                LeftReason::Left => "you have left ",
                LeftReason::Kicked => "you were removed from ",
                LeftReason::Banned => "you are banned from ",
            };
            put(out, &["-- ", what, room.as_str(), " --\n"]);
        }
        Event::Presence { room, change, .. } => presence(out, room, change),
        Event::Live { .. } | Event::Typing { .. } | Event::Receipts { .. } => {}
        Event::Drain { reconnect_after_ms, reason, .. } => {
            put(out, &["-- the server stops ("]);
            safe::line(out, reason);
            put(out, &["); come back in ", &seconds(*reconnect_after_ms), " --\n"]);
        }
    }
}

fn history(out: &mut Vec<u8>, room: &RoomName, items: &[SharedRecord]) {
    if items.is_empty() {
        return put(out, &["-- no messages yet in ", room.as_str(), " --\n"]);
    }
    put(out, &["-- ", room.as_str(), ", times in UTC --\n"]);
    for record in items {
        past(out, room, record);
    }
}

/// A record of the past, with its time, such as `[lobby] 14:05 bob: hi`.
fn past(out: &mut Vec<u8>, room: &RoomName, record: &Record) {
    // Without the date: the latest messages are usually of today.
    let minute = record.at / 60_000 % (24 * 60);
    let time = format!("{:02}:{:02} ", minute / 60, minute % 60);
    put(out, &["[", room.as_str(), "] ", &time]);
    said(out, record);
}

fn said(out: &mut Vec<u8>, record: &Record) {
    let from = record.from.as_str();
    match &record.body {
        Body::Message { text, data: Some(_), .. } if text.is_empty() => {
            put(out, &[from, " sent data"]);
        }
        Body::Message { text, .. } => {
            put(out, &[from, ": "]);
            safe::text(out, text);
        }
        Body::Deleted => put(out, &[from, " deleted this"]),
        Body::Edit { target, text: Some(text) } => {
            put(out, &["* ", from, " edited ", &target.to_string(), ": "]);
            safe::text(out, text);
        }
        Body::Edit { target, text: None } => {
            put(out, &["* ", from, " edited ", &target.to_string(), ", deleted since"]);
        }
        Body::Deletion { target } => {
            put(out, &["* ", from, " deleted ", &target.to_string()]);
        }
        Body::Reaction { target, emoji, remove } => {
            let verb = if *remove { " takes back " } else { " reacts with " };
            put(out, &["* ", from, verb]);
            safe::line(out, emoji);
            put(out, &[" to ", &target.to_string()]);
        }
        Body::Moderation { act, target, reason } => {
            put(out, &["* ", from, ": ", act.name(), " ", target.as_str()]);
            if !reason.is_empty() {
                put(out, &[" ("]);
                safe::line(out, reason);
                put(out, &[")"]);
            }
        }
        Body::Topic { text } if text.is_empty() => put(out, &["* ", from, " removed the topic"]),
        Body::Topic { text } => {
            put(out, &["* ", from, " changed the topic: "]);
            safe::line(out, text);
        }
    }
    put(out, &["\n"]);
}

fn topic_line(out: &mut Vec<u8>, room: &RoomName, topic: &str) {
    put(out, &["-- topic of ", room.as_str(), ": "]);
    safe::line(out, topic);
    put(out, &[" --\n"]);
}

fn inbox(out: &mut Vec<u8>, rooms: &[InboxRow]) {
    if rooms.is_empty() {
        return put(out, &["-- you are not in a room; join one with /join lobby --\n"]);
    }
    put(out, &["-- your rooms: "]);
    for (index, row) in rooms.iter().enumerate() {
        put(out, &[if index == 0 { "" } else { ", " }, row.room.as_str()]);
        if row.unread > 0 {
            put(out, &[" (", &row.unread.to_string(), " unread)"]);
        }
    }
    put(out, &[" --\n"]);
}

fn gap(out: &mut Vec<u8>, room: &RoomName, missing: u64, why: GapWhy) {
    let (one, many) = match why {
        GapWhy::Pruned => ("older message is no longer kept", "older messages are no longer kept"),
        GapWhy::Limit => ("older message is left out", "older messages are left out"),
    };
    put(out, &["-- ", &count(missing, one, many), " (", room.as_str(), ") --\n"]);
}

fn presence(out: &mut Vec<u8>, room: &RoomName, change: &PresenceChange) {
    match change {
        PresenceChange::Delta { on, away, off } => {
            for (users, what) in [(on, "here"), (away, "away"), (off, "gone")] {
                let verb = match users.len() {
                    0 => continue,
                    1 => " is ",
                    _ => " are ",
                };
                list(out, "* ", users.iter().map(|user| (user, None)));
                put(out, &[verb, what, " (", room.as_str(), ")\n"]);
            }
        }
        PresenceChange::State(users) => {
            put(out, &["-- in ", room.as_str()]);
            states(out, ": ", users);
        }
        PresenceChange::CountOnly => {}
    }
}

/// Appends who is there, and the line's end.
fn states(out: &mut Vec<u8>, before: &str, users: &[(UserName, Presence)]) {
    let shown = users
        .iter()
        .map(|(user, presence)| (user, (*presence != Presence::Online).then(|| presence.name())));
    list(out, before, shown);
    put(out, &[" --\n"]);
}

/// Appends names with what there is to say of each; nothing if there are none.
fn list<'a>(
    out: &mut Vec<u8>,
    before: &str,
    users: impl Iterator<Item = (&'a UserName, Option<&'static str>)>,
) {
    for (index, (user, note)) in users.enumerate() {
        put(out, &[if index == 0 { before } else { ", " }, user.as_str()]);
        if let Some(note) = note {
            put(out, &[" (", note, ")"]);
        }
    }
}

fn count(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Milliseconds in whole seconds, rounded up.
fn seconds(millis: u64) -> String {
    format!("{} s", millis.div_ceil(1_000))
}

#[cfg(test)]
mod tests;
