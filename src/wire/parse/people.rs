//! The fields of requests about people: profiles, blocks, reports and the audit.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::fields::{Fields, refuse, refuse_blank, refuse_unknown, too_large};
use super::moderation::reason;
use crate::chat::model::color::Color;
use crate::chat::model::command::{Command, Reported};
use crate::chat::model::limits::{
    DISPLAY_LEN_MAX, PROFILES_PAGE_MAX, STATUS_LEN_MAX, STATUS_MS_MAX,
};
use crate::chat::model::profile::{check_line, has_letters};
use crate::chat::model::prose::is_blank;
use crate::wire::field_key::Key;

pub(super) fn block<'a>(fields: &mut Fields<'a>, on: bool) -> Result<Command<'a>, Fault> {
    Ok(Command::Block { user: fields.required(Key::User)?, on })
}

pub(super) fn profile<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let (display, text) = (fields.string(Key::Display)?, fields.string(Key::Text)?);
    let color = fields.string(Key::Color)?;
    profile_of(display, (text, fields.seq(Key::ForMs)?), color)
}

/// What a user says of itself, in whatever protocol.
///
/// # Errors
///
/// What it may not say.
pub(in crate::wire) fn profile_of<'a>(
    display: Option<Cow<'a, str>>,
    (text, for_ms): (Option<Cow<'a, str>>, Option<u64>),
    color: Option<Cow<'a, str>>,
) -> Result<Command<'a>, Fault> {
    let display = line(display, Key::Display, DISPLAY_LEN_MAX)?;
    if display.as_ref().is_some_and(|text| !text.is_empty() && !has_letters(text)) {
        return Err(refuse(Key::Display, "without a letter or digit", Key::Display.expected()));
    }
    let text = line(text, Key::Text, STATUS_LEN_MAX)?;
    if text.as_ref().is_some_and(|text| !text.is_empty() && is_blank(text)) {
        return Err(refuse_blank(Key::Text, "a text that can be seen, or an empty one for none"));
    }
    // The time is that of the text: alone it would end one that another device may have set.
    if for_ms.is_some() && text.is_none() {
        return Err(refuse(Key::ForMs, "given without text", "for_ms together with text"));
    }
    if for_ms.is_some_and(|for_ms| !(1..=STATUS_MS_MAX).contains(&for_ms)) {
        return Err(refuse(Key::ForMs, "out of range", "milliseconds, up to a year"));
    }
    let known =
        |name: Cow<'_, str>| Color::parse(&name).ok_or_else(|| refuse_unknown(Key::Color, &name));
    let (status, color) = (text.map(|text| (text, for_ms)), color.map(known).transpose()?);
    Ok(Command::Profile { display, status, color })
}

/// A text of one line, without the blanks around it.
fn line(
    text: Option<Cow<'_, str>>,
    key: Key,
    len_max: usize,
) -> Result<Option<Cow<'_, str>>, Fault> {
    let text = match text {
        Some(Cow::Borrowed(text)) => Cow::Borrowed(text.trim()),
        Some(Cow::Owned(text)) => Cow::Owned(text.trim().to_owned()),
        None => return Ok(None),
    };
    if text.len() > len_max {
        let message = format!("{} takes {} bytes", key.name(), text.len());
        return Err(too_large(key, message, len_max));
    }
    if let Err(fault) = check_line(&text) {
        let code = u32::from(fault.character);
        let found = format!("not valid: character U+{code:04X} at byte {}", fault.at);
        let expected = "one line with single spaces and at most four marks on a letter, without characters that control it, turn it or show nothing";
        let mut refusal = refuse(key, &found, expected);
        refusal.offset = u64::try_from(fault.at).ok();
        return Err(refusal);
    }
    Ok(Some(text))
}

pub(super) fn whois<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Fault> {
    let expected = Key::Users.expected();
    let raw = fields.raw(Key::Users).filter(|raw| *raw != "null");
    let raw = raw.ok_or_else(|| refuse(Key::Users, "", expected))?;
    let users: Option<Vec<Box<str>>> = serde_json::from_str(raw).ok();
    let users = users.ok_or_else(|| refuse(Key::Users, "something else", expected))?;
    if users.len() > PROFILES_PAGE_MAX {
        return Err(refuse(Key::Users, "too long", expected));
    }
    Ok(Command::Whois { users })
}

pub(super) fn report<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let (room, user) = (fields.string(Key::Room)?, fields.string(Key::User)?);
    let about = match (room, fields.message(Key::Target)?, user) {
        (Some(room), Some(target), None) => Reported::Message(room, target),
        (room, None, Some(user)) => Reported::User(user, room),
        (None, Some(_), None) => return Err(refuse(Key::Room, "", Key::Room.expected())),
        (_, Some(_), Some(_)) => {
            return Err(refuse(Key::User, "given together with target", "either target or user"));
        }
        (_, None, None) => {
            return Err(refuse(Key::Target, "", "the seq of a message, or a user in \"user\""));
        }
    };
    Ok(Command::Report { about, reason: reason(fields)? })
}

pub(super) fn reports<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Reports {
        room: fields.string(Key::Room)?,
        limit: fields.limit()?,
        after: fields.seq(Key::After)?,
    })
}

pub(super) fn audit<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Audit {
        room: fields.string(Key::Room)?,
        before: fields.seq(Key::Before)?,
        limit: fields.limit()?,
    })
}

pub(super) fn settle_report<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Fault> {
    let report = fields.message(Key::Report)?;
    let report = report.ok_or_else(|| refuse(Key::Report, "", Key::Report.expected()))?;
    Ok(Command::Settle { report })
}
