//! What is said: messages and topics, and how any record goes on its way into the log.

use std::mem;

use super::asked::Asked;
use super::hello::open_user_to_wait_for;
use super::keys::{RoomKey, UserKey};
use super::members::{find_membership, open_direct, parse_user, subscribe_direct};
use super::model::command::{Send, Target};
use super::model::limits::RECORD_OVERHEAD;
use super::model::log::{Draft, LogRequest, RoomMeta, TargetCheck};
use super::model::name::{NAME_LEN_MAX, RoomName};
use super::model::output::Request;
use super::model::record::Body;
use super::model::reply::Role;
use super::room::Sender;
use super::standing::{self, Pending};
use super::state::State;
use super::{Code, Refusal, gather};
use crate::net::ConnId;

/// A record that is ready for the log.
pub(super) struct Logged {
    pub room: RoomKey,
    pub user: UserKey,
    pub body: Body,
    /// Bytes that the text takes when rendered, at most.
    pub weight: u32,
    pub echo: bool,
    /// What must hold of its target.
    pub touch: Option<TargetCheck>,
    /// What changes with it.
    pub meta: Vec<RoomMeta>,
    /// What counts as done until the log answers.
    pub pending: Option<Pending>,
}

impl Logged {
    /// A record that changes nothing else.
    pub(super) const fn new(room: RoomKey, user: UserKey, body: Body, weight: u32) -> Self {
        Self { room, user, body, weight, echo: false, touch: None, meta: Vec::new(), pending: None }
    }
}

/// Prepares a message for the log.
///
/// # Errors
///
/// Those of [`find_membership`] and [`standing::check_voice`], those of making a direct conversation,
/// [`Code::TooLarge`] for what is more than this room takes, and [`Code::NoSuchMessage`] for an answer to what
/// was never said.
pub(super) fn message(state: &mut State, user: UserKey, send: Send<'_>) -> Result<Logged, Refusal> {
    let room = match &send.target {
        Target::Room(name) => room_to_send_to(state, user, name)?,
        Target::User(name) => direct_to(state, user, name)?,
    };
    check_size(state, room, send.text.len() + send.data.map_or(0, str::len))?;
    let head = state.rooms[room].head;
    for (field, seq) in [("reply_to", send.reply_to), ("thread", send.thread)] {
        if seq.is_some_and(|seq| seq == 0 || seq > head) {
            let refusal = Refusal::new(Code::NoSuchMessage, "there is no message of this seq");
            return Err(refusal.field(field, format!("a seq from 1 to {head}")));
        }
    }
    if state.rooms[room].name.is_direct() {
        subscribe_direct(state, room);
    }
    gather::typed(state, room, user);
    let body = Body::Message {
        text: send.text.into(),
        data: send.data.map(Into::into),
        cid: send.cid.map(Into::into),
        reply_to: send.reply_to,
        thread: send.thread,
        edited: None,
    };
    Ok(Logged { echo: send.echo, ..Logged::new(room, user, body, send.weight) })
}

/// # Errors
///
/// [`Code::TooLarge`] for more bytes of text and data than the room's policy allows.
pub(super) fn check_size(state: &State, key: RoomKey, bytes: usize) -> Result<(), Refusal> {
    let room = &state.rooms[key];
    match state.limits.policies.of(&room.name, room.order.policy()).message_bytes {
        Some(limit) if bytes > limit => {
            let refusal = Refusal::new(Code::TooLarge, format!("text and data take {bytes} bytes"));
            Err(refusal.field("text", format!("at most {limit} bytes in this room")).limit(limit))
        }
        Some(_) | None => Ok(()),
    }
}

/// The room that `user` may say something in.
fn room_to_send_to(state: &mut State, user: UserKey, name: &str) -> Result<RoomKey, Refusal> {
    let (room, membership) = find_membership(state, user, name)?;
    standing::check_voice(state, membership)?;
    if state.rooms[room].members.len() == 2 {
        return Ok(room);
    }
    if let Some((a, b)) = state.rooms[room].name.pair() {
        // The other one may have left: being written to brings them back.
        let other = if a == state.users[user].name.as_str() { b } else { a }.to_owned();
        return direct_to(state, user, &other);
    }
    Ok(room)
}

fn direct_to(state: &mut State, user: UserKey, name: &str) -> Result<RoomKey, Refusal> {
    if let Some(room) = direct_with(state, user, name) {
        return Ok(room);
    }
    let to = parse_user("to", name)?;
    if to == state.users[user].name {
        let refusal = Refusal::new(Code::BadField, "this is you");
        return Err(refusal.field("to", "the name of another user"));
    }
    let to = open_user_to_wait_for(state, &to)?;
    open_direct(state, user, to)
}

/// The conversation with `name`, if there is one that nobody has left: then there is nothing to be made.
fn direct_with(state: &mut State, user: UserKey, name: &str) -> Option<RoomKey> {
    if name.len() > NAME_LEN_MAX {
        return None;
    }
    let mut spelling = mem::take(&mut state.spelling);
    RoomName::spell_direct(&mut spelling, state.users[user].name.as_str(), name);
    let found = state.room_named(&spelling);
    state.spelling = spelling;
    found.filter(|&room| state.rooms[room].members.len() == 2)
}

/// Asks the log to take a record; the request is answered when it has.
pub(super) fn append(state: &mut State, logged: Logged, request: Request, conn: ConnId) {
    let Logged { room: key, user, body, weight, echo, touch, meta, pending } = logged;
    let sender = Sender { conn, request, echo };
    if state.stopping {
        return super::cursor::refuse(state, sender, super::shutting_down());
    }
    let ticket = state.note_asked(Asked::Append { room: key, sender });
    let room = &mut state.rooms[key];
    let from = state.users[user].name.clone();
    let names = RECORD_OVERHEAD + room.name.as_str().len() + from.as_str().len();
    let weight = weight.saturating_add(u32::try_from(names).unwrap_or(u32::MAX));
    if let Some(pending) = pending {
        room.order.note(ticket, pending);
    }
    let draft = Draft { from, body, weight, touch, meta };
    state.requests.push_back(LogRequest::Append { log: room.log, ticket, draft });
}

/// Prepares a new topic for the log.
///
/// # Errors
///
/// Those of [`find_membership`] and [`standing::check_voice`], and [`Code::Forbidden`] for members of a room with
/// an owner.
pub(super) fn topic(
    state: &State,
    user: UserKey,
    name: &str,
    text: &str,
    weight: u32,
) -> Result<Logged, Refusal> {
    let (room, membership) = find_membership(state, user, name)?;
    if state.rooms[room].owned && standing::role(state, membership) < Role::Moderator {
        let refusal = "only the owner and moderators may change the topic of this room";
        return Err(Refusal::new(Code::Forbidden, refusal));
    }
    standing::check_voice(state, membership)?;
    let body = Body::Topic { text: text.into() };
    let meta =
        if state.rooms[room].is_stored() { vec![RoomMeta::Topic(text.into())] } else { Vec::new() };
    Ok(Logged { meta, ..Logged::new(room, user, body, weight) })
}
