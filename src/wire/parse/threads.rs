//! The fields of requests about threads.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::fields::{Fields, refuse};
use crate::chat::model::command::{Command, ThreadWish};
use crate::wire::field_key::Key;

pub(super) fn thread<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Thread {
        room: fields.required(Key::Room)?,
        thread: root(fields)?,
        before: fields.seq(Key::Before)?,
        limit: fields.limit()?,
    })
}

pub(super) fn wish<'a>(fields: &mut Fields<'a>, wish: ThreadWish) -> Result<Command<'a>, Fault> {
    let room = fields.required(Key::Room)?;
    Ok(Command::MarkThread { room, thread: root(fields)?, wish, epoch: None })
}

/// An `ack` of a thread: what was received is known of the room.
pub(super) fn read<'a>(
    (room, epoch): (Cow<'a, str>, Option<Cow<'a, str>>),
    thread: u64,
    (recv, read): (Option<u64>, Option<u64>),
) -> Result<Command<'a>, Fault> {
    match (recv, read) {
        (None, Some(read)) => {
            Ok(Command::MarkThread { room, thread, wish: ThreadWish::Read(read), epoch })
        }
        (Some(_), _) => {
            Err(refuse(Key::Recv, "given together with thread", "read alone, of a thread"))
        }
        (None, None) => Err(refuse(Key::Read, "", Key::Read.expected())),
    }
}

fn root(fields: &Fields<'_>) -> Result<u64, Fault> {
    let thread = fields.message(Key::Thread)?;
    thread.ok_or_else(|| refuse(Key::Thread, "", Key::Thread.expected()))
}
