//! What is done to messages and to members.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::command::too_large;
use super::fields::{Fields, Key};
use crate::chat::model::command::{Command, ModerationCommand};
use crate::chat::model::limits::{EMOJI_LEN_MAX, Limits, REASON_LEN_MAX};
use crate::chat::model::reply::Role;
use crate::wire::weight;

pub(super) fn edit<'a>(fields: &mut Fields<'a>, limits: &Limits) -> Result<Command<'a>, Fault> {
    let (room, target) = message(fields)?;
    let text = fields.required(Key::Text)?;
    if text.is_empty() {
        return Err(Key::Text.refuse("empty", "a text of at least one byte; delete takes it all"));
    }
    if text.len() > limits.message_bytes {
        let message = format!("text takes {} bytes", text.len());
        return Err(too_large(Key::Text, message, limits.message_bytes));
    }
    let weight = weight(&text, None, None);
    Ok(Command::Edit { room, target, text, weight })
}

pub(super) fn delete<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let (room, target) = message(fields)?;
    Ok(Command::Delete { room, target })
}

pub(super) fn react<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let (room, target) = message(fields)?;
    let missing = || Key::Emoji.refuse("", Key::Emoji.expected());
    let emoji = fields.bounded(Key::Emoji, EMOJI_LEN_MAX)?.ok_or_else(missing)?;
    if emoji.chars().any(char::is_control) {
        return Err(Key::Emoji.refuse("not printable", Key::Emoji.expected()));
    }
    let weight = weight(&emoji, None, None);
    Ok(Command::React { room, target, emoji, remove: fields.flag(Key::Remove)?, weight })
}

pub(super) fn invite<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Invite { room: fields.required(Key::Room)?, user: fields.required(Key::User)? })
}

pub(super) fn role<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let role = match fields.required(Key::Role)?.as_ref() {
        "owner" => Role::Owner,
        "moderator" => Role::Moderator,
        "member" => Role::Member,
        "reader" => Role::Reader,
        _ => return Err(Key::Role.refuse("another word", Key::Role.expected())),
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
        return Err(Key::ForMs.refuse("0", "1 or more; unban ends a ban"));
    }
    moderate(fields, ModerationCommand::Ban(for_ms))
}

pub(super) fn unban<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    moderate(fields, ModerationCommand::Unban)
}

/// The room and the seq of a message.
fn message<'a>(fields: &mut Fields<'a>) -> Result<(Cow<'a, str>, u64), Fault> {
    let room = fields.required(Key::Room)?;
    let missing = || Key::Target.refuse("", Key::Target.expected());
    Ok((room, fields.message(Key::Target)?.ok_or_else(missing)?))
}

fn moderate<'a>(fields: &mut Fields<'a>, command: ModerationCommand) -> Result<Command<'a>, Fault> {
    let (room, user) = (fields.required(Key::Room)?, fields.required(Key::User)?);
    let reason = fields.string(Key::Reason)?.unwrap_or_default();
    if reason.len() > REASON_LEN_MAX {
        let message = format!("reason takes {} bytes", reason.len());
        return Err(too_large(Key::Reason, message, REASON_LEN_MAX));
    }
    let weight = weight(&reason, None, None);
    Ok(Command::Moderate { room, user, command, reason, weight })
}
