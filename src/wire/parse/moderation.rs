//! Moderation: who may be in a room, and in which role.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::fields::{Fields, refuse, refuse_unknown, too_large};
use crate::chat::model::command::{Command, ModerationCommand};
use crate::chat::model::limits::REASON_LEN_MAX;
use crate::chat::model::reply::Role;
use crate::wire::encoded_len_max;
use crate::wire::field_key::Key;

pub(super) fn invite<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let (room, user) = (fields.required(Key::Room)?, fields.required(Key::User)?);
    Ok(Command::Invite { room, user, reason: reason(fields)? })
}

pub(super) fn uninvite<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Uninvite { room: fields.required(Key::Room)?, user: fields.required(Key::User)? })
}

pub(super) fn restrictions<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Restrictions {
        room: fields.required(Key::Room)?,
        limit: fields.limit()?,
        after: fields.string_as(Key::After, "the name of a user")?,
    })
}

pub(super) fn role<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let role = match fields.required(Key::Role)?.as_ref() {
        "owner" => Role::Owner,
        "moderator" => Role::Moderator,
        "member" => Role::Member,
        "reader" => Role::Reader,
        other => return Err(refuse_unknown(Key::Role, other)),
    };
    moderate(fields, ModerationCommand::Role(role))
}

pub(super) fn kick<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    moderate(fields, ModerationCommand::Kick)
}

pub(super) fn mute<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let for_ms = fields.seq(Key::ForMs)?;
    moderate(fields, ModerationCommand::Mute(for_ms))
}

pub(super) fn ban<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let for_ms = fields.seq(Key::ForMs)?;
    if for_ms == Some(0) {
        return Err(refuse(Key::ForMs, "0", "1 or more; unban ends a ban"));
    }
    moderate(fields, ModerationCommand::Ban(for_ms))
}

pub(super) fn unban<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    moderate(fields, ModerationCommand::Unban)
}

fn moderate<'a>(fields: &mut Fields<'a>, command: ModerationCommand) -> Result<Command<'a>, Fault> {
    let (room, user) = (fields.required(Key::Room)?, fields.required(Key::User)?);
    let reason = reason(fields)?;
    let weight = encoded_len_max(&reason, None, None);
    Ok(Command::Moderate { room, user, command, reason, weight })
}

pub(super) fn reason<'a>(fields: &mut Fields<'a>) -> Result<Cow<'a, str>, Fault> {
    let reason = fields.prose(Key::Reason)?.unwrap_or_default();
    if reason.len() > REASON_LEN_MAX {
        let message = format!("reason takes {} bytes", reason.len());
        return Err(too_large(Key::Reason, message, REASON_LEN_MAX));
    }
    Ok(reason)
}
