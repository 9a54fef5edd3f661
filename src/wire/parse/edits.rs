//! Changes to a message: edit, delete and react.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::fields::{Fields, refuse, refuse_blank, too_large};
use crate::chat::model::command::Command;
use crate::chat::model::limits::{EMOJI_LEN_MAX, Limits};
use crate::chat::model::prose::is_blank;
use crate::wire::encoded_len_max;
use crate::wire::field_key::Key;

pub(super) fn edit<'a>(fields: &mut Fields<'a>, limits: &Limits) -> Result<Command<'a>, Fault> {
    let (room, target) = message(fields)?;
    let missing = || refuse(Key::Text, "", Key::Text.expected());
    let text = fields.prose(Key::Text)?.ok_or_else(missing)?;
    if text.is_empty() {
        return Err(refuse(Key::Text, "empty", "at least one byte; delete removes the message"));
    }
    if text.len() > limits.message_bytes {
        let message = format!("text takes {} bytes", text.len());
        return Err(too_large(Key::Text, message, limits.message_bytes));
    }
    if is_blank(&text) {
        let expected = "a text that can be seen; delete removes the message";
        return Err(refuse_blank(Key::Text, expected));
    }
    let weight = encoded_len_max(&text, None, None);
    Ok(Command::Edit { room, target, text, weight })
}

pub(super) fn delete<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let (room, target) = message(fields)?;
    Ok(Command::Delete { room, target })
}

pub(super) fn react<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let (room, target) = message(fields)?;
    let missing = || refuse(Key::Emoji, "", Key::Emoji.expected());
    let emoji = fields.bounded(Key::Emoji, EMOJI_LEN_MAX)?.ok_or_else(missing)?;
    if emoji.chars().any(char::is_control) {
        return Err(refuse(Key::Emoji, "not printable", Key::Emoji.expected()));
    }
    if is_blank(&emoji) {
        return Err(refuse_blank(Key::Emoji, Key::Emoji.expected()));
    }
    let weight = encoded_len_max(&emoji, None, None);
    Ok(Command::React { room, target, emoji, remove: fields.flag(Key::Remove)?, weight })
}

/// The room and the seq of a message.
fn message<'a>(fields: &mut Fields<'a>) -> Result<(Cow<'a, str>, u64), Fault> {
    let room = fields.required(Key::Room)?;
    let missing = || refuse(Key::Target, "", Key::Target.expected());
    Ok((room, fields.message(Key::Target)?.ok_or_else(missing)?))
}
