//! Answers about accounts and other people as lines of text.

use crate::chat::model::account::Login;
use crate::chat::model::color::Color;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{AuditedAct, ROOM_CLOSED, Report};
use crate::chat::model::profile::PublicProfile;
use crate::chat::model::reply::Reply;
use crate::time::date::{DAY_MS, civil};
use crate::wire::text::safe::{self, put};

/// Appends the answer to a success about accounts or other people.
pub(super) fn reply(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Logins { logins, current } => self::logins(out, logins, *current),
        Reply::InviteLink { invite, uses, until } => {
            invite_link(out, invite.reveal(), *uses, *until);
        }
        Reply::Accepted { rooms } if rooms.is_empty() => {
            put(out, &["-- this invitation leads into no room --\n"]);
        }
        // To who has logged in the welcome follows.
        Reply::Accepted { rooms } | Reply::LoggedIn { rooms, .. } => invited(out, rooms),
        Reply::Reports { items, more } => reports(out, items, *more),
        Reply::Audit { items, more } => audit(out, items, *more),
        Reply::Profiles { users } => profiles(out, users),
        Reply::Blocked { users } => {
            put(out, &["-- blocked"]);
            super::list(out, ": ", users.iter().map(|(user, _)| (user, None)));
            put(out, &[if users.is_empty() { ": nobody --\n" } else { " --\n" }]);
        }
        _ => {}
    }
}

/// Appends what users are called and do.
fn profiles(out: &mut Vec<u8>, users: &[(UserName, PublicProfile)]) {
    if users.is_empty() {
        put(out, &["-- you share no room with a user of this name --\n"]);
    }
    for (user, profile) in users {
        put(out, &["-- ", user.as_str()]);
        if profile.is_empty() {
            put(out, &[" has no display name, no status and no colour"]);
        }
        if !profile.display.is_empty() {
            put(out, &[" is called "]);
            safe::line(out, &profile.display);
        }
        if !profile.text.is_empty() {
            put(out, &[": "]);
            safe::line(out, &profile.text);
        }
        if profile.color != Color::Unchosen {
            put(out, &[" (", profile.color.name(), ")"]);
        }
        put(out, &[" --\n"]);
    }
}

/// Appends what was reported, and how it is settled.
fn reports(out: &mut Vec<u8>, items: &[Report], more: bool) {
    if items.is_empty() {
        return put(out, &["-- nothing is reported --\n"]);
    }
    for Report { id, by, whom, room, text, reason, .. } in items {
        put(out, &["  ", &id.to_string(), "  ", by.as_str(), " reports ", whom.as_str()]);
        if let Some(room) = room {
            put(out, &[" in ", room.as_str()]);
        }
        for part in [text, reason].into_iter().filter(|part| !part.is_empty()) {
            put(out, &[": "]);
            safe::line(out, part);
        }
        put(out, &["\n"]);
    }
    let more = if more { "there are more; " } else { "" };
    put(out, &["-- ", more, "/settle and the number ends one --\n"]);
}

/// Appends what was done over others, the latest last.
fn audit(out: &mut Vec<u8>, items: &[(u64, AuditedAct)], more: bool) {
    if items.is_empty() {
        return put(out, &["-- nothing was done over others --\n"]);
    }
    if more {
        put(out, &["-- there is more before that; the page lists all --\n"]);
    }
    for (_, AuditedAct { by, act, whom, room, at }) in items.iter().rev() {
        let (year, month, day) = civil(at / DAY_MS);
        let minute = at / 60_000 % (24 * 60);
        let (hour, minute) = (minute / 60, minute % 60);
        put(out, &[&format!("  {year}-{month:02}-{day:02} {hour:02}:{minute:02}  ")]);
        // A room without members ends without anybody's doing.
        let nobody = if *act == *ROOM_CLOSED { "nobody" } else { "the operator" };
        safe::line(out, by.as_ref().map_or(nobody, UserName::as_str));
        put(out, &[": "]);
        safe::line(out, act);
        if !whom.is_empty() {
            put(out, &[" "]);
            safe::line(out, whom);
        }
        if let Some(room) = room {
            put(out, &[" in ", room.as_str()]);
        }
        put(out, &["\n"]);
    }
}

/// Appends where somebody is logged in.
fn logins(out: &mut Vec<u8>, logins: &[Login], current: Option<u64>) {
    put(
        out,
        &[
            "-- ",
            &super::count(logins.len().try_into().unwrap_or(u64::MAX), "login", "logins"),
            " --\n",
        ],
    );
    for login in logins {
        put(out, &["  ", &login.id.to_string(), "  "]);
        safe::line(out, if login.agent.is_empty() { "unknown program" } else { &login.agent });
        let here = current == Some(login.id);
        put(out, &[if here { ", here" } else { "" }, "\n"]);
    }
}

/// Appends a link that was made, and how it is used here.
fn invite_link(out: &mut Vec<u8>, invite: &str, uses: u32, until: u64) {
    let people = if uses == 1 { "one person" } else { &format!("{uses} people") };
    let (year, month, day) = civil(until / DAY_MS);
    let until = format!("{year}-{month:02}-{day:02}");
    put(out, &["-- a link for ", people, ", until ", &until, " --\n"]);
    put(out, &["  in a browser: the address of the page with /#invite=", invite, "\n"]);
    put(out, &["  at a terminal: /register NAME PASSWORD ", invite, "\n"]);
}

/// Appends where an invitation leads.
fn invited(out: &mut Vec<u8>, rooms: &[RoomName]) {
    for room in rooms {
        put(out, &["-- you are invited: /join ", room.as_str(), " --\n"]);
    }
}
