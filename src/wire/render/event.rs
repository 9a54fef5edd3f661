//! Events other than single records.

use super::field::{epoch_field, field, name_field};
use super::record::item;
use crate::chat::model::event::{Event, PresenceChange};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::profile::PublicProfile;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Presence;
use crate::wire::json::{array, boolean, name, prose, put, string};

/// Appends an event for `viewer`, who sees the `cid` of their own items.
#[expect(clippy::too_many_lines, reason = "some lines for each event")]
pub fn event(out: &mut Vec<u8>, event: &Event, viewer: Option<&UserName>) {
    match event {
        Event::Replay { room, items, to } => {
            open(out, r#"{"ev":"replay","room":"#, room);
            put(out, r#","items":"#);
            array(out, items, |out, record| item(out, record, viewer));
            field(out, r#","to":"#, *to);
        }
        Event::Live { room, seq } => {
            open(out, r#"{"ev":"live","room":"#, room);
            field(out, r#","seq":"#, *seq);
        }
        Event::Gap { room, from, to, why } => {
            open(out, r#"{"ev":"gap","room":"#, room);
            field(out, r#","from":"#, *from);
            field(out, r#","to":"#, *to);
            name_field(out, r#","why":"#, why.name());
        }
        Event::Joined { room, epoch, seq } => {
            open(out, r#"{"ev":"joined","room":"#, room);
            epoch_field(out, r#","epoch":"#, *epoch);
            field(out, r#","seq":"#, *seq);
        }
        Event::Invited { room, from, reason } => {
            open(out, r#"{"ev":"invited","room":"#, room);
            name_field(out, r#","from":"#, from.as_str());
            if !reason.is_empty() {
                put(out, r#","reason":"#);
                string(out, reason);
            }
        }
        Event::Left { room, reason } => {
            open(out, r#"{"ev":"left","room":"#, room);
            name_field(out, r#","reason":"#, reason.name());
        }
        Event::Renamed { room, name: new } => {
            open(out, r#"{"ev":"renamed","room":"#, room);
            name_field(out, r#","name":"#, new.as_str());
        }
        Event::Gone { room, from, reason } => {
            open(out, r#"{"ev":"gone","room":"#, room);
            name_field(out, r#","from":"#, from.as_str());
            if !reason.is_empty() {
                put(out, r#","reason":"#);
                string(out, reason);
            }
        }
        Event::Presence { room, v, count, change } => {
            open(out, r#"{"ev":"presence","room":"#, room);
            field(out, r#","v":"#, *v);
            presence(out, change);
            field(out, r#","count":"#, *count);
        }
        Event::Typing { room, users: typing } => {
            open(out, r#"{"ev":"typing","room":"#, room);
            users(out, r#","users":"#, typing);
        }
        Event::Receipts { room, read } => {
            open(out, r#"{"ev":"receipts","room":"#, room);
            read_marks(out, r#","read":{"#, read);
        }
        Event::ReadElsewhere { room, user, read } => {
            open(out, r#"{"ev":"receipts","room":"#, room);
            read_marks(out, r#","read":{"#, std::slice::from_ref(&(user.clone(), *read)));
            put(out, r#","own":true"#);
        }
        Event::Thread { room, thread, following, read } => {
            open(out, r#"{"ev":"thread","room":"#, room);
            field(out, r#","thread":"#, *thread);
            put(out, r#","following":"#);
            boolean(out, *following);
            if let Some(read) = read {
                field(out, r#","read":"#, *read);
            }
        }
        Event::Profiles { room, users } => {
            open(out, r#"{"ev":"profiles","room":"#, room);
            profiles(out, r#","profiles":"#, users);
        }
        Event::Reported { room } => {
            put(out, r#"{"ev":"reported""#);
            if let Some(room) = room {
                open(out, r#","room":"#, room);
            }
        }
        Event::Expires { in_ms } => {
            put(out, r#"{"ev":"expires""#);
            field(out, r#","in_ms":"#, *in_ms);
        }
        Event::Drain { reconnect_after_ms, window_ms, reason } => {
            drain(out, (*reconnect_after_ms, *window_ms), reason);
        }
    }
    put(out, "}");
}

fn drain(out: &mut Vec<u8>, (reconnect_after_ms, window_ms): (u64, u64), reason: &str) {
    put(out, r#"{"ev":"drain""#);
    field(out, r#","reconnect_after_ms":"#, reconnect_after_ms);
    field(out, r#","window_ms":"#, window_ms);
    put(out, r#","reason":"#);
    string(out, reason);
}

/// Appends the last line of a plain connection: the close code that a WebSocket would be closed
/// with, and the reason in words.
pub fn bye(out: &mut Vec<u8>, close: u16, reason: &str) {
    put(out, r#"{"ev":"bye""#);
    field(out, r#","close":"#, close.into());
    put(out, r#","reason":"#);
    string(out, reason);
    put(out, "}");
}

/// Appends that a room's log began anew: it goes on after `seq` of another epoch.
pub fn reset(out: &mut Vec<u8>, room: &RoomName, epoch: Epoch, seq: u64) {
    open(out, r#"{"ev":"reset","room":"#, room);
    epoch_field(out, r#","epoch":"#, epoch);
    field(out, r#","seq":"#, seq);
    put(out, "}");
}

/// Appends the ping for a silent plain connection, whose transport has none of its own.
pub fn ping(out: &mut Vec<u8>) {
    put(out, r#"{"ev":"ping"}"#);
}

/// Appends users as pairs of a name and a presence.
pub(super) fn states(out: &mut Vec<u8>, users: &[(UserName, Presence)]) {
    array(out, users, |out, (user, presence)| {
        put(out, "[");
        name(out, user.as_str());
        put(out, ",");
        name(out, presence.name());
        put(out, "]");
    });
}

fn presence(out: &mut Vec<u8>, change: &PresenceChange) {
    match change {
        PresenceChange::Delta { on, away, off } => {
            users(out, r#","on":"#, on);
            users(out, r#","away":"#, away);
            users(out, r#","off":"#, off);
        }
        PresenceChange::State(all) => {
            put(out, r#","users":"#);
            states(out, all);
        }
        PresenceChange::CountOnly => {}
    }
}

/// Appends what users say of themselves as an object after `key`.
pub(super) fn profiles(out: &mut Vec<u8>, key: &str, users: &[(UserName, PublicProfile)]) {
    put(out, key);
    put(out, if users.is_empty() { "{" } else { "" });
    for (index, (user, profile)) in users.iter().enumerate() {
        name_field(out, if index == 0 { "{" } else { "," }, user.as_str());
        put(out, ":");
        profile_object(out, profile);
    }
    put(out, "}");
}

/// Appends what a user says of itself.
pub(super) fn profile_object(out: &mut Vec<u8>, profile: &PublicProfile) {
    let mut before = "{";
    let PublicProfile { display, text, until, color } = profile;
    for (key, text) in
        [(r#""display":"#, &**display), (r#""text":"#, text), (r#""color":"#, color.name())]
    {
        if !text.is_empty() {
            put(out, before);
            put(out, key);
            prose(out, text);
            before = ",";
        }
    }
    if let Some(until) = *until {
        put(out, before);
        field(out, r#""until":"#, until);
        before = ",";
    }
    put(out, if before == "{" { "{}" } else { "}" });
}

/// Appends how far users have read as an object after `key`.
pub(super) fn read_marks(out: &mut Vec<u8>, key: &str, read: &[(UserName, u64)]) {
    put(out, key);
    for (index, (user, seq)) in read.iter().enumerate() {
        put(out, if index == 0 { "" } else { "," });
        name(out, user.as_str());
        field(out, ":", *seq);
    }
    put(out, "}");
}

fn users(out: &mut Vec<u8>, key: &str, users: &[UserName]) {
    put(out, key);
    array(out, users, |out, user| name(out, user.as_str()));
}

fn open(out: &mut Vec<u8>, start: &str, room: &RoomName) {
    name_field(out, start, room.as_str());
}
