//! The fields of requests about accounts.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::fields::{Fields, refuse};
use super::{AGENT_LEN_MAX, Fault};
use crate::chat::model::account::{
    Hidden, INVITE_MS, INVITE_MS_MAX, INVITE_ROOMS_MAX, INVITES_MAX, PASSWORD_LEN_MAX,
    PASSWORD_LEN_MIN,
};
use crate::chat::model::command::Command;
use crate::wire::field_key::Key;

// The texts in `field_key` state these limits in digits.
const _: () = assert!(PASSWORD_LEN_MIN == 8 && PASSWORD_LEN_MAX == 256);
const _: () = assert!(INVITE_ROOMS_MAX == 16 && INVITES_MAX == 10_000);

pub(super) fn register<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Register {
        name: fields.required(Key::Name)?,
        password: new_password(fields, Key::Password)?,
        invite: hidden(fields, Key::Invite)?,
        agent: fields.bounded(Key::Agent, AGENT_LEN_MAX)?,
    })
}

pub(super) fn login<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Login {
        name: fields.required(Key::Name)?,
        password: password(fields, Key::Password)?,
        agent: fields.bounded(Key::Agent, AGENT_LEN_MAX)?,
    })
}

pub(super) fn change<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let old = password(fields, Key::Old)?;
    Ok(Command::Password { old, new: new_password(fields, Key::New)? })
}

pub(super) fn end_login<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    // A number or a word: its quotes are no part of it.
    let refused = |found: &str| refuse(Key::Login, found, Key::Login.expected());
    let which = fields.raw(Key::Login).ok_or_else(|| refused(""))?.trim_matches('"');
    if !matches!(which, "others" | "all") && which.parse::<u64>().is_err() {
        return Err(refused("something else"));
    }
    Ok(Command::EndLogin { which: which.into() })
}

pub(super) fn invite_link<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let uses = fields.integer(Key::Uses)?.unwrap_or(1);
    let most = u64::try_from(INVITES_MAX).unwrap_or(u64::MAX);
    let uses = u32::try_from(uses).ok().filter(|_| (1..=most).contains(&uses));
    let uses = uses.ok_or_else(|| refuse(Key::Uses, "out of range", Key::Uses.expected()))?;
    let for_ms = fields.seq(Key::ForMs)?.unwrap_or(INVITE_MS);
    if !(1..=INVITE_MS_MAX).contains(&for_ms) {
        return Err(refuse(Key::ForMs, "out of range", "milliseconds, up to a year"));
    }
    let expected = || refuse(Key::Rooms, "something else", Key::Rooms.expected());
    let rooms: Vec<Box<str>> = match fields.raw(Key::Rooms) {
        None | Some("null") => Vec::new(),
        Some(raw) => serde_json::from_str(raw).ok().ok_or_else(expected)?,
    };
    if rooms.len() > INVITE_ROOMS_MAX {
        return Err(refuse(Key::Rooms, "too long", Key::Rooms.expected()));
    }
    Ok(Command::InviteLink { uses, for_ms, rooms })
}

pub(super) fn accept<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let invite = hidden(fields, Key::Invite)?;
    let invite = invite.ok_or_else(|| refuse(Key::Invite, "", Key::Invite.expected()))?;
    Ok(Command::Accept { invite })
}

pub(super) fn refresh<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let token = hidden(fields, Key::Token)?;
    let token = token.ok_or_else(|| refuse(Key::Token, "", Key::Token.expected()))?;
    Ok(Command::Refresh { token })
}

/// A secret, which is shown to nobody.
pub(super) fn hidden(fields: &mut Fields<'_>, key: Key) -> Result<Option<Hidden>, Fault> {
    Ok(fields.string(key)?.map(|text| Hidden::new(&*text)))
}

/// A password that may be any.
fn password(fields: &mut Fields<'_>, key: Key) -> Result<Hidden, Fault> {
    let text = fields.required(key)?;
    if text.len() > PASSWORD_LEN_MAX {
        return Err(refuse(key, "too long", "a string of at most 256 bytes"));
    }
    Ok(Hidden::new(&*text))
}

/// A password that is to be one.
fn new_password(fields: &mut Fields<'_>, key: Key) -> Result<Hidden, Fault> {
    let password = password(fields, key)?;
    if password.reveal().len() < PASSWORD_LEN_MIN {
        return Err(refuse(key, "too short", key.expected()));
    }
    Ok(password)
}
