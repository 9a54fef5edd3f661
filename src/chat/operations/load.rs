//! Operations that need rooms and users which are not in memory: they wait until these are loaded,
//! and then go on as if they had just come.

use std::collections::BTreeMap;

use super::faults::refusal_of;
use super::forget::{arm_sweep, finish_forgetting};
use super::restore::{restore_room, restore_user};
use super::{Chat, accounts, blocks, invitations, needs, run_now, session_lifecycle};
use crate::chat::model::account::Extra;
use crate::chat::model::code::Code;
use crate::chat::model::command::Command;
use crate::chat::model::hello::Hello;
use crate::chat::model::load::{Begun, Found, KnownUser, Wanted};
use crate::chat::model::log::{self, LogFault, LogRequest, Query, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::output::Request;
use crate::chat::model::reply::Refusal;
use crate::chat::pending::{PendingOp, Waiter, WaitingLoad};
use crate::net::ConnId;

/// How often one operation waits: for the names of a user's rooms, for the rooms, and once more for
/// another name that the server gives.
const ROUNDS_MAX: u8 = 5;
/// When to try again where too many wait already.
const RETRY_MS: u64 = 1_000;

/// A command waits for what it needs.
pub(super) fn wait_command(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    command: Command<'_>,
    wanted: Wanted,
) {
    let command = Box::new(command.held());
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
    wait(chat, Waiter::Hello { conn, request, hello: Box::new(hello.held()) }, needs);
}

/// A registration waits, likewise.
pub(super) fn wait_account(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    (command, extra): (Command<'_>, Extra),
    wanted: Wanted,
) {
    chat.pending.held.insert(conn);
    let (command, extra) = (Box::new(command.held()), Box::new(extra));
    wait(chat, Waiter::Account { conn, request, command, extra }, (wanted, Vec::new()));
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

fn wait(chat: &mut Chat, waiter: Waiter, (wanted, whole): (Wanted, Vec<UserName>)) {
    if chat.pending.loads.is_full() {
        let message = "too many wait for rooms that are not in memory";
        let refusal = Refusal::new(Code::Busy, message).retry_after_ms(RETRY_MS);
        return refuse(chat, waiter, refusal);
    }
    chat.context.stats.waits += 1;
    for user in &whole {
        chat.pending.loads.pin(user);
    }
    let (asked, listed, rounds) = (Wanted::default(), Vec::new(), 0);
    wait_on(chat, WaitingLoad { waiter, wanted, asked, listed, whole, rounds });
    request_load(chat);
}

fn wait_on(chat: &mut Chat, waiting: WaitingLoad) {
    let ticket = chat.begin(PendingOp::Waiting(Box::new(waiting)));
    chat.pending.loads.push(ticket);
}

/// Asks for what is waited for, unless an answer is still owed.
pub(super) fn request_load(chat: &mut Chat) {
    if chat.pending.loads.is_busy {
        return;
    }
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

/// What was wanted is here, or could not be read.
pub(super) fn on_loaded(
    chat: &mut Chat,
    tickets: Vec<Ticket>,
    outcome: Result<log::Answer, LogFault>,
) {
    let outcome = match outcome {
        Ok(log::Answer::Loaded(found)) => Ok(take_up(chat, found)),
        Ok(_) => Err(LogFault::Broken),
        Err(fault) => Err(fault),
    };
    for ticket in tickets {
        let Some(PendingOp::Waiting(waiting)) = chat.finish(ticket) else { continue };
        match &outcome {
            Ok(rooms_of) => go_on(chat, *waiting, rooms_of),
            Err(fault) => give_up(chat, *waiting, refusal_of(*fault)),
        }
    }
    // Only now, when nothing that was read is still to be taken up: a room as it was before it is
    // forgotten must not come back.
    chat.pending.loads.is_busy = false;
    for room in std::mem::take(&mut chat.pending.loads.leaving) {
        finish_forgetting(chat, room);
    }
    request_load(chat);
}

/// Has what was found be in memory: the rooms that were asked for, by user.
fn take_up(chat: &mut Chat, found: Found) -> BTreeMap<UserName, Vec<RoomName>> {
    let mut rooms_of = BTreeMap::new();
    // First, so that the rooms find their members as they are.
    for KnownUser { name, is_member, has_come, rooms } in found.users {
        if is_member && chat.directory.user_named(name.as_str()).is_none() {
            let user = restore_user(chat, &name);
            chat.directory[user].is_whole = false;
            chat.directory.set_awaited(user, !has_come);
        }
        rooms_of.entry(name).or_insert_with(Vec::new).extend(rooms);
    }
    for begun in found.rooms {
        // It may have come with a user, and by its name.
        if chat.rooms.named(begun.name.as_str()).is_none() {
            take_up_room(chat, begun);
        }
    }
    rooms_of
}

fn take_up_room(chat: &mut Chat, begun: Begun) {
    let name = begun.name.clone();
    chat.context.stats.rooms_loaded += 1;
    arm_sweep(chat);
    chat.rooms.elsewhere = chat.rooms.elsewhere.saturating_sub(1);
    chat.rooms.begin_epochs_above(begun.epoch);
    restore_room(chat, begun);
    if let Some(key) = chat.rooms.named(name.as_str())
        && let Some((a, b)) = name.pair()
    {
        super::absence::count_awaited(chat, key);
        // A kill may have come between a block and the end of the conversation.
        let ends = UserName::stored(a).zip(UserName::stored(b));
        if let Some((a, b)) = ends {
            blocks::end_blocked_conversation(chat, &a, &b);
        }
    }
}

/// Goes on with what has waited, or has it wait for what it needs besides.
fn go_on(chat: &mut Chat, mut waiting: WaitingLoad, rooms_of: &BTreeMap<UserName, Vec<RoomName>>) {
    if !is_waited_for(chat, &waiting.waiter) {
        return unpin(chat, &waiting.whole);
    }
    let names = waiting.wanted.users.keys();
    waiting.listed.extend(names.filter_map(|name| rooms_of.get(name)).flatten().cloned());
    waiting.asked.add(&std::mem::take(&mut waiting.wanted));
    let mut wanted = Wanted::default();
    for room in &waiting.listed {
        if chat.rooms.named(room.as_str()).is_none() {
            wanted.add_room(room.clone(), false);
        }
    }
    match &waiting.waiter {
        Waiter::Hello { hello, .. } => {
            let (more, names) = needs::of_hello(chat, &hello.lend());
            for name in names {
                if waiting.whole.contains(&name) {
                    continue;
                }
                chat.pending.loads.pin(&name);
                waiting.whole.push(name);
            }
            wanted.add(&more);
        }
        Waiter::Command { conn, command, .. } => {
            let user = chat.delivery.reader(*conn).map(|reader| reader.user);
            let more = user.and_then(|user| needs::of_command(chat, user, &command.lend()));
            wanted.add(&more.unwrap_or_default());
        }
        Waiter::Account { .. } | Waiter::Grant { .. } => {}
    }
    wanted.take_out(&waiting.asked);
    if wanted.is_empty() {
        return resume(chat, waiting);
    }
    if waiting.rounds >= ROUNDS_MAX {
        return give_up(chat, waiting, refusal_of(LogFault::Busy));
    }
    let rounds = waiting.rounds + 1;
    wait_on(chat, WaitingLoad { wanted, rounds, ..waiting });
}

fn resume(chat: &mut Chat, waiting: WaitingLoad) {
    for name in &waiting.whole {
        // Who is not there has no rooms; it is made by what follows.
        if let Some(user) = chat.directory.user_named(name.as_str()) {
            chat.directory[user].is_whole = true;
        }
    }
    unpin(chat, &waiting.whole);
    match waiting.waiter {
        Waiter::Hello { conn, request, hello } => {
            chat.pending.held.remove(&conn);
            session_lifecycle::begin(chat, conn, request, hello.lend());
            chat.context.wake(conn);
        }
        Waiter::Command { conn, request, command } => {
            let user = chat.delivery.reader(conn).map(|reader| reader.user);
            if let Some(user) = user {
                run_now(chat, (conn, user), request, command.lend());
            }
        }
        Waiter::Account { conn, request, command, extra } => {
            chat.pending.held.remove(&conn);
            accounts::begin(chat, (conn, request), command.lend(), *extra);
            chat.context.wake(conn);
        }
        Waiter::Grant { room, user, by } => {
            invitations::grant_now(chat, &room, &user, by.as_ref());
        }
    }
}

/// Whether its connection is still there.
fn is_waited_for(chat: &Chat, waiter: &Waiter) -> bool {
    match waiter {
        Waiter::Hello { conn, .. } | Waiter::Account { conn, .. } => {
            chat.pending.held.contains(conn)
        }
        Waiter::Command { conn, .. } => chat.delivery.reader(*conn).is_some(),
        Waiter::Grant { .. } => true,
    }
}

fn give_up(chat: &mut Chat, waiting: WaitingLoad, refusal: Refusal) {
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
        Waiter::Command { conn, request, .. } => {
            chat.context.reply(conn, request, Err(refusal));
        }
        // As if the room were not there any more: the link still lets its user in elsewhere.
        Waiter::Grant { .. } => {}
    }
}

fn unpin(chat: &mut Chat, users: &[UserName]) {
    for user in users {
        chat.pending.loads.unpin(user);
    }
}
