//! Replies, refusals and events as lines of text.

mod account;
mod records;

use self::records::{other_of, past};
pub use self::records::{record_event, sent};
use super::greeting::{renamed, welcome};
use super::note;
use super::safe::{self, put};
use crate::chat::model::code::Code;
use crate::chat::model::event::{Event, LeftReason, PresenceChange};
use crate::chat::model::listed_rooms::ListedRoom;
use crate::chat::model::meta::{Restriction, RestrictionMeta};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::output::Request;
use crate::chat::model::record::SharedRecord;
use crate::chat::model::reply::{GapWhy, InboxRow, Invitation, Presence, Refusal, Reply, Role};
use crate::time::span::in_words;

/// Records that `/history` is proposed for, at most.
const HISTORY_MAX: u64 = 200;

/// What an answer is shown with.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What it answers.
    pub request: &'a Request,
    /// The name of the server.
    pub server: &'a str,
    /// The person, where the answer is about conversations.
    pub viewer: Option<&'a UserName>,
}

/// Appends the answer to a success. What was sent is shown by [`sent`].
pub fn reply(out: &mut Vec<u8>, reply: &Reply, shown: &Shown<'_>) {
    match reply {
        Reply::Welcome { user, .. } if note::is_again(shown.request) => renamed(out, user),
        Reply::Welcome { user, .. } => welcome(out, shown.server, user),
        Reply::Joined { room, .. } if room.is_direct() => focus(out, room, shown.viewer),
        Reply::Joined { room, members, topic, role, .. } => {
            let members = count(*members, "member", "members");
            put(out, &["-- you are in ", room.as_str()]);
            if *role != Role::Member {
                put(out, &[" as ", role.name()]);
            }
            put(out, &[", ", &members, " --\n"]);
            if !topic.is_empty() {
                topic_line(out, room, topic);
            }
        }
        Reply::Inbox { rooms, invitations, .. } => {
            if note::is_aside(shown.request) {
                unread(out, rooms, shown);
            } else {
                inbox(out, rooms);
            }
            for Invitation { room, by, reason, .. } in invitations {
                invited(out, room, by.as_ref(), reason);
            }
        }
        Reply::History { room, items, .. } => {
            unread_above(out, items, shown.request);
            history(out, room, items, note::is_aside(shown.request));
        }
        Reply::Found { items, .. } if items.is_empty() => put(out, &["-- nothing was found --\n"]),
        Reply::Found { items, .. } => {
            past(out, items.iter().map(|(room, record)| (room, record)), false);
        }
        Reply::Presence { count: here, users, .. } => {
            put(out, &["-- ", &here.to_string(), " here"]);
            states(out, ": ", users.as_deref().unwrap_or_default());
        }
        Reply::Members { count, users, more } => members(out, *count, users, *more),
        Reply::Directory { items, next } => directory(out, items, next.is_some()),
        Reply::Restrictions { room, items, more } => restrictions(out, room, items, *more),
        Reply::Topic { room, text } => topic_line(out, room, text),
        Reply::LoggedIn { .. }
        | Reply::Logins { .. }
        | Reply::InviteLink { .. }
        | Reply::Accepted { .. }
        | Reply::Reports { .. }
        | Reply::Audit { .. }
        | Reply::Profiles { .. }
        | Reply::Blocked { .. } => account::reply(out, reply),
        // That one has left is said by the event, to all of one's sessions.
        Reply::Export { .. }
        | Reply::Thread { .. }
        | Reply::Threads { .. }
        | Reply::PushSubscribed { .. }
        | Reply::PushSubscriptions { .. }
        | Reply::Left { .. }
        | Reply::Sent { .. }
        | Reply::Pong { .. }
        | Reply::Acked { .. } => {}
        Reply::Done => {
            put(out, &["-- "]);
            safe::line(out, note::of(shown.request));
            put(out, &[" --\n"]);
        }
    }
}

fn directory(out: &mut Vec<u8>, items: &[ListedRoom], more: bool) {
    for ListedRoom { room, topic, members, by_invitation, .. } in items {
        put(out, &["-- ", room.as_str(), ", ", &count(*members, "member", "members")]);
        put(out, &[if *by_invitation { ", by invitation" } else { "" }]);
        put(out, &[if topic.is_empty() { "" } else { ": " }]);
        safe::line(out, topic);
        put(out, &[" --\n"]);
    }
    put(
        out,
        &[match (items, more) {
            (_, true) => "-- there are more; /list tea finds those of tea --\n",
            ([], false) => "-- no room was found --\n",
            (_, false) => "",
        }],
    );
}

fn members(out: &mut Vec<u8>, all: u64, users: &[(UserName, Role)], more: bool) {
    put(out, &["-- ", &count(all, "member", "members")]);
    let note = |role: Role| (role != Role::Member).then(|| role.name());
    list(out, ": ", users.iter().map(|(user, role)| (user, note(*role))));
    put(out, &[if more { ", and more --\n" } else { " --\n" }]);
}

/// What holds of somebody in a room.
type Held = (UserName, Restriction, RestrictionMeta);

fn restrictions(out: &mut Vec<u8>, room: &RoomName, items: &[Held], more: bool) {
    put(out, &["-- restrictions in ", room.as_str()]);
    let shown = items.iter().map(|(user, kind, _)| (user, Some(kind.name())));
    list(out, ": ", shown);
    put(out, &[if more { ", and more --\n" } else { " --\n" }]);
}

/// Appends the answer to a request that was refused.
pub fn refused(out: &mut Vec<u8>, why: &Refusal, request: &Request) {
    match note::other(request) {
        Some(other) if why.code == Code::NoSuchRoom => {
            put(out, &["! you have not talked with ", other, " yet; begin with /msg "]);
            put(out, &[other, " hi\n"]);
        }
        _ => refusal(out, why),
    }
}

/// A refusal of a `field` in a person's words, who types no fields: what was wrong, and what would
/// be right, unless only a program can do it.
#[must_use]
pub fn in_persons_words<'a>(
    field: &str,
    (message, expected): (&'a str, Option<&'a str>),
) -> (&'a str, Option<&'a str>) {
    match field {
        "report" => (message, Some("a number that /reports lists")),
        "login" => (message, Some("a number that /logins lists, others or all")),
        "thread" if expected.is_some_and(|root| root.parse::<u64>().is_ok()) => {
            ("this message is in a thread already", None)
        }
        "reply_to" | "thread" | "target" => ("this message is not there any more", None),
        // Of a room that would end, it is said by which command.
        "op" | "token" | "close" | "sure" => (message, None),
        _ => (message, expected),
    }
}

/// Appends why a line was refused, and what helps.
pub fn refusal(out: &mut Vec<u8>, refusal: &Refusal) {
    let field = refusal.field.unwrap_or_default();
    let (message, expected) =
        in_persons_words(field, (&refusal.message, refusal.expected.as_deref()));
    put(out, &["! "]);
    safe::line(out, message);
    if let Some(lost) = &refusal.lost {
        let way = if lost.members.is_some() { "/end sure" } else { "/close" };
        put(out, &["; ", way, " does so"]);
    } else if let Some(expected) = expected {
        put(out, &["; expected: "]);
        safe::line(out, expected);
    }
    if let Some(hint) = &refusal.hint {
        put(out, &["; did you mean "]);
        safe::line(out, hint);
    }
    if let Some(millis) = refusal.retry_after_ms {
        put(out, &["; try again in ", &in_words(millis)]);
    }
    put(out, &["\n"]);
}

/// Appends an event. Nothing for typing, receipts and profiles, which would only scroll the
/// conversation away, nor for what `viewer` does itself.
pub fn event(out: &mut Vec<u8>, event: &Event, viewer: Option<&UserName>) {
    match event {
        Event::Replay { room, items, .. } => {
            past(out, items.iter().map(|record| (room, record)), true);
        }
        Event::Gap { room, from, to, why } => gap(out, room, to.saturating_sub(*from) + 1, *why),
        // The message that follows shows the conversation well enough.
        Event::Joined { room, .. } if room.is_direct() => {}
        Event::Joined { room, .. } => put(out, &["-- you are in ", room.as_str(), " --\n"]),
        Event::Invited { room, from, reason } => invited(out, room, Some(from), reason),
        Event::Renamed { room, name } => {
            put(out, &["-- ", room.as_str(), " is called ", name.as_str(), " now --\n"]);
        }
        Event::Gone { room, from, reason } => {
            put(out, &["-- ", from.as_str(), " has closed ", room.as_str()]);
            put(out, &[if reason.is_empty() { "" } else { ": " }]);
            safe::line(out, reason);
            put(out, &[" --\n"]);
        }
        Event::Left { room, reason } => {
            let what = match reason {
                LeftReason::Left => "you have left ",
                LeftReason::Kicked => "you were removed from ",
                LeftReason::Banned => "you are banned from ",
                LeftReason::Closed => "you are no longer in ",
            };
            put(out, &["-- ", what, room.as_str(), " --\n"]);
        }
        Event::Presence { room, change, .. } => presence(out, room, change, viewer),
        Event::Live { .. }
        | Event::Typing { .. }
        | Event::Receipts { .. }
        | Event::Profiles { .. }
        | Event::Thread { .. }
        | Event::ReadElsewhere { .. } => {}
        Event::Reported { room } => {
            let place = room.as_ref().map_or("", RoomName::as_str);
            let before = if room.is_some() { " in " } else { "" };
            put(out, &["-- something was reported", before, place, ": /reports --\n"]);
        }
        Event::Expires { in_ms } => {
            put(out, &["-- your token expires in ", &in_words(*in_ms), " --\n"]);
        }
        Event::Drain { reconnect_after_ms, reason, .. } => {
            put(out, &["-- the server stops ("]);
            safe::line(out, reason);
            put(out, &["); come back in ", &in_words(*reconnect_after_ms), " --\n"]);
        }
    }
}

fn history(out: &mut Vec<u8>, room: &RoomName, items: &[SharedRecord], is_aside: bool) {
    if items.is_empty() && !is_aside {
        return put(out, &["-- no messages yet in ", room.as_str(), " --\n"]);
    }
    past(out, items.iter().map(|record| (room, record)), false);
}

fn topic_line(out: &mut Vec<u8>, room: &RoomName, topic: &str) {
    if topic.is_empty() {
        return put(out, &["-- ", room.as_str(), " has no topic --\n"]);
    }
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
            put(out, &[" (", &row.unread.to_string(), " unread"]);
            if row.mentions > 0 {
                put(out, &[", ", &row.mentions.to_string(), " for you"]);
            }
            put(out, &[")"]);
        }
    }
    put(out, &[" --\n"]);
}

/// Appends an invitation, and how to accept it.
fn invited(out: &mut Vec<u8>, room: &RoomName, by: Option<&UserName>, reason: &str) {
    match by {
        Some(by) => put(out, &["-- ", by.as_str(), " invites you: /join ", room.as_str()]),
        None => put(out, &["-- you are invited: /join ", room.as_str()]),
    }
    if !reason.is_empty() {
        put(out, &[" ("]);
        safe::line(out, reason);
        put(out, &[")"]);
    }
    put(out, &[" --\n"]);
}

/// Appends what is unread, and how to read it; nothing if everything was read.
fn unread(out: &mut Vec<u8>, rooms: &[InboxRow], shown: &Shown<'_>) {
    let mut before = "-- unread: ";
    for row in rooms.iter().filter(|row| row.unread > 0) {
        let other = shown.viewer.and_then(|me| other_of(&row.room, me));
        let (what, how) = match other {
            Some(other) => ([" from ", other], ["/msg ", other]),
            None => ([" in ", row.room.as_str()], ["/join ", row.room.as_str()]),
        };
        put(out, &[before, &row.unread.to_string(), what[0], what[1]]);
        put(out, &[" (", how[0], how[1], ")"]);
        before = ", ";
    }
    if before == ", " {
        put(out, &[" --\n"]);
    }
}

/// Appends how to see what is unread above `items`, which are shown to somebody who has entered.
fn unread_above(out: &mut Vec<u8>, items: &[SharedRecord], request: &Request) {
    let Some(read) = note::read(request) else { return };
    let (Some(first), Some(last)) = (items.first(), items.last()) else { return };
    if first.seq > read + 1 {
        let count = last.seq.saturating_sub(read).min(HISTORY_MAX).to_string();
        put(out, &["-- more is unread: /history ", &count, " --\n"]);
    }
}

/// Appends where the lines go that `me` types from now on.
pub fn focus(out: &mut Vec<u8>, room: &RoomName, me: Option<&UserName>) {
    match me.and_then(|me| other_of(room, me)) {
        Some(other) => put(out, &["-- what you type goes to ", other, " alone now --\n"]),
        None => put(out, &["-- what you type goes to ", room.as_str(), " now --\n"]),
    }
}

/// Appends that lines go nowhere from now on, and that the person is in `another` room.
pub fn no_focus(out: &mut Vec<u8>, another: Option<&RoomName>) {
    match another.map(RoomName::as_str) {
        Some(room) => put(out, &["-- to go on in ", room, ", type /join ", room, " --\n"]),
        None => put(out, &["-- you are in no room now; join one with /join lobby --\n"]),
    }
}

fn gap(out: &mut Vec<u8>, room: &RoomName, missing: u64, why: GapWhy) {
    let (one, many) = match why {
        GapWhy::Pruned => ("older message is no longer kept", "older messages are no longer kept"),
        GapWhy::Limit => ("older message is left out", "older messages are left out"),
    };
    put(out, &["-- ", &count(missing, one, many), " (", room.as_str(), ") --\n"]);
}

fn presence(
    out: &mut Vec<u8>,
    room: &RoomName,
    change: &PresenceChange,
    viewer: Option<&UserName>,
) {
    match change {
        PresenceChange::Delta { on, away, off } => {
            for (users, what) in [(on, "here"), (away, "away"), (off, "gone")] {
                let others = users.iter().filter(|user| viewer != Some(*user));
                let verb = match others.clone().count() {
                    0 => continue,
                    1 => " is ",
                    _ => " are ",
                };
                list(out, "* ", others.map(|user| (user, None)));
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

#[cfg(test)]
mod tests;
