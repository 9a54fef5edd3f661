//! What a person's request was about: its id, since the answer does not repeat it.

use compact_str::{CompactString, format_compact};

use crate::chat::model::command::{Command, Op, RequestId};
use crate::chat::model::output::Request;

/// Of a request that the server makes for the person: its refusal is not shown.
const ASIDE: &str = "aside";
/// Of the `hello` of somebody who was greeted before.
const AGAIN: &str = "again";

/// Of a `join` of the conversation with a user, whose name follows.
const TALK: &str = "talk with ";

/// The request of a command that a person has typed.
#[must_use]
pub fn typed(op: Op, command: &Command<'_>) -> Request {
    let note = match command {
        Command::Invite { room, user, .. } => format_compact!("{user} is invited to {room}"),
        Command::Uninvite { room, user } => format_compact!("{user} is not invited to {room} now"),
        Command::Password { .. } => {
            "your password is changed, and your other logins are over".into()
        }
        Command::Block { user, on: true } => {
            format_compact!("you hear nothing of {user} any more; /unblock {user} ends that")
        }
        Command::Block { user, on: false } => format_compact!("{user} is not blocked now"),
        Command::Report { .. } => "it is reported to the moderators or administrators".into(),
        Command::Settle { report } => format_compact!("report {report} is settled"),
        Command::EndLogin { .. } => "it is over".into(),
        Command::Status { away: true } => "you are shown as away; /back ends it".into(),
        Command::Status { away: false } => "you are shown as online".into(),
        _ => CompactString::default(),
    };
    Request { id: Some(RequestId(note)), op }
}

/// The `hello` for a person, who perhaps was greeted before.
#[must_use]
pub fn hello(again: bool) -> Request {
    let note = if again { AGAIN.into() } else { CompactString::default() };
    Request { id: Some(RequestId(note)), op: Op::Hello }
}

/// The `join` of the conversation with `other`.
#[must_use]
pub fn talk(other: &str) -> Request {
    Request { id: Some(RequestId(format_compact!("{TALK}{other}"))), op: Op::Join }
}

/// A request that the server makes for the person. `read` is up to where the person has read what
/// is asked for, where that matters.
#[must_use]
pub fn aside(op: Op, read: Option<u64>) -> Request {
    let note = match read {
        Some(read) => format_compact!("{ASIDE} {read}"),
        None => ASIDE.into(),
    };
    Request { id: Some(RequestId(note)), op }
}

/// The note of a request.
#[must_use]
pub fn of(request: &Request) -> &str {
    request.id.as_ref().map_or("", |id| &id.0)
}

/// Whether the server has made the request for the person.
#[must_use]
pub fn is_aside(request: &Request) -> bool {
    of(request).starts_with(ASIDE)
}

/// Up to where the person has read what the server has asked for.
pub(super) fn read(request: &Request) -> Option<u64> {
    of(request).strip_prefix(ASIDE)?.trim_start().parse().ok()
}

/// With whom the person wanted to talk.
pub(super) fn other(request: &Request) -> Option<&str> {
    of(request).strip_prefix(TALK)
}

/// Whether the request is the `hello` of somebody who was greeted before.
#[must_use]
pub fn is_again(request: &Request) -> bool {
    of(request) == AGAIN
}
