//! Operations that need rooms and users which are not in memory wait here until these are loaded;
//! [`load_replies`](super::load_replies) has them go on.

use super::Chat;
use crate::chat::model::account::Extra;
use crate::chat::model::code::Code;
use crate::chat::model::command::Command;
use crate::chat::model::hello::Hello;
use crate::chat::model::load::{Depth, Wanted};
use crate::chat::model::log::{LogRequest, Query};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::operator::OperatorAct;
use crate::chat::model::output::Request;
use crate::chat::model::reply::Refusal;
use crate::chat::pending::{PendingOp, Waiter, WaitingLoad};
use crate::net::ConnId;

/// When to try again where too many wait already.
const RETRY_MS: u64 = 1_000;

/// A command waits for what it needs.
pub(super) fn wait_command(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    command: Command<'_>,
    wanted: Wanted,
) {
    let command = Box::new(command.into_owned());
    wait(chat, Waiter::Command { conn, request, command }, (wanted, Vec::new()));
}

/// A `hello` waits. Nothing more is read of its connection meanwhile.
pub(super) fn wait_hello(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    hello: Hello<'_>,
    needs: (Wanted, Vec<UserName>),
) {
    chat.pending.held.insert(conn);
    wait(chat, Waiter::Hello { conn, request, hello: Box::new(hello.into_owned()) }, needs);
}

/// A registration waits, likewise.
pub(super) fn wait_account(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    (command, extra): (Command<'_>, Extra),
    wanted: Wanted,
) {
    chat.pending.held.insert(conn);
    let (command, extra) = (Box::new(command.into_owned()), Box::new(extra));
    wait(chat, Waiter::Account { conn, request, command, extra }, (wanted, Vec::new()));
}

/// Somebody outside of the domain waits for rooms, and is told when they are there.
pub(super) fn wait_rooms(chat: &mut Chat, (conn, request): (ConnId, Request), wanted: Wanted) {
    wait(chat, Waiter::Rooms { conn, request }, (wanted, Vec::new()));
}

/// An act of the operator waits.
pub(super) fn wait_operator(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    (by, act): (&UserName, OperatorAct),
    wanted: Wanted,
) {
    let (by, act) = (by.clone(), Box::new(act));
    wait(chat, Waiter::Operator { conn, request, by, act }, (wanted, Vec::new()));
}

/// A link leads into a room that is not in memory.
pub(super) fn wait_grant(
    chat: &mut Chat,
    room: &RoomName,
    (user, by): (&UserName, Option<&UserName>),
) {
    let mut wanted = Wanted::default();
    wanted.add_room(room.clone(), false);
    let waiter = Waiter::Grant { room: room.clone(), user: user.clone(), by: by.cloned() };
    wait(chat, waiter, (wanted, Vec::new()));
}

/// Another node points to something that concerns a user who is here: to this room or, if none is
/// named, to all in which it may have become a member.
pub(super) fn wait_look(chat: &mut Chat, room: Option<RoomName>, user: &UserName) {
    if !chat.pending.loads.looks.insert((room.clone(), user.clone())) {
        return;
    }
    let mut wanted = Wanted::default();
    match &room {
        Some(room) => wanted.add_room(room.clone(), false),
        None => wanted.add_user(user.clone(), Depth::Rooms),
    }
    wait(chat, Waiter::Look { room, user: user.clone() }, (wanted, Vec::new()));
}

fn wait(chat: &mut Chat, waiter: Waiter, (wanted, whole): (Wanted, Vec<UserName>)) {
    // Refused instead of queued: what waits holds its command, and clients come back by themselves.
    if chat.pending.loads.is_full() {
        let message = "too many wait for rooms that are not in memory";
        let refusal = Refusal::new(Code::Busy, message).retry_after_ms(RETRY_MS);
        return refuse(chat, waiter, refusal);
    }
    chat.context.stats.waits += 1;
    for user in &whole {
        // Before the request, or a sweep between question and answer could forget the rooms that
        // the user was in already.
        chat.pending.loads.pin(user);
    }
    let (requested, listed, rounds) = (Wanted::default(), Vec::new(), 0);
    wait_on(chat, WaitingLoad { waiter, wanted, requested, listed, whole, rounds });
    request_load(chat);
}

/// Has something wait once more that has waited before.
pub(super) fn wait_on(chat: &mut Chat, waiting: WaitingLoad) {
    let ticket = chat.begin(PendingOp::Waiting(Box::new(waiting)));
    chat.pending.loads.push(ticket);
}

/// Asks the store for all that is waited for, unless it still owes an answer.
pub(super) fn request_load(chat: &mut Chat) {
    if chat.pending.loads.is_busy {
        return;
    }
    // All that wait are one question: after a restart thousands ask for the same few rooms.
    let tickets = chat.pending.loads.take();
    let mut wanted = Wanted::default();
    for &ticket in &tickets {
        if let Some(waiting) = chat.pending.waiting(ticket) {
            wanted.add(&waiting.wanted);
        }
    }
    for room in chat.pending.loads.take_overdue() {
        if chat.rooms.named(room.as_str()).is_none() {
            wanted.add_room(room, false);
        }
    }
    if tickets.is_empty() && wanted.is_empty() {
        return;
    }
    chat.pending.loads.is_busy = true;
    let ticket = chat.begin(PendingOp::Load(tickets));
    let query = Query::Load(Box::new(wanted));
    chat.context.requests.push_back(LogRequest::Read { ticket, query });
}

/// The store wants these rooms to be loaded.
pub(super) fn on_overdue(chat: &mut Chat, rooms: Vec<RoomName>) {
    chat.pending.loads.add_overdue(rooms);
    request_load(chat);
}

/// Whether its connection is still there.
pub(super) fn is_waited_for(chat: &Chat, waiter: &Waiter) -> bool {
    match waiter {
        Waiter::Hello { conn, .. } | Waiter::Account { conn, .. } => {
            chat.pending.held.contains(conn)
        }
        Waiter::Command { conn, .. } => chat.delivery.reader(*conn).is_some(),
        // The operator has no reader, and an answer to nobody is dropped.
        Waiter::Rooms { .. }
        | Waiter::Operator { .. }
        | Waiter::Look { .. }
        | Waiter::Grant { .. } => true,
    }
}

pub(super) fn give_up(chat: &mut Chat, waiting: WaitingLoad, refusal: Refusal) {
    unpin(chat, &waiting.whole);
    if is_waited_for(chat, &waiting.waiter) {
        refuse(chat, waiting.waiter, refusal);
    }
}

fn refuse(chat: &mut Chat, waiter: Waiter, refusal: Refusal) {
    match waiter {
        Waiter::Hello { conn, request, .. } | Waiter::Account { conn, request, .. } => {
            chat.pending.held.remove(&conn);
            chat.context.reply(conn, request, Err(refusal));
            chat.context.wake(conn);
        }
        Waiter::Command { conn, request, .. }
        | Waiter::Rooms { conn, request }
        | Waiter::Operator { conn, request, .. } => {
            chat.context.reply(conn, request, Err(refusal));
        }
        // As if the room were not there any more: the link still lets its user in elsewhere.
        Waiter::Grant { .. } => {}
        Waiter::Look { room, user } => {
            chat.pending.loads.looks.remove(&(room, user));
        }
    }
}

pub(super) fn unpin(chat: &mut Chat, users: &[UserName]) {
    for user in users {
        chat.pending.loads.unpin(user);
    }
}
