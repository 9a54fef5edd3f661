//! The fields of requests about other people: blocks, reports and the audit.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::Fault;
use super::fields::{Fields, refuse};
use super::moderation::reason;
use crate::chat::model::command::{Command, Reported};
use crate::wire::key::Key;

pub(super) fn block<'a>(fields: &mut Fields<'a>, on: bool) -> Result<Command<'a>, Fault> {
    Ok(Command::Block { user: fields.required(Key::User)?, on })
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
