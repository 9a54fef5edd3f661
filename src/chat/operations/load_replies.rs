//! Rooms and users that were loaded: what has waited for them goes on as if it had just come.

use std::collections::{BTreeMap, BTreeSet};

use super::absence::count_awaited;
use super::faults::refusal_of;
use super::forget::finish_forgetting;
use super::load::{give_up, is_waited_for, request_load, unpin, wait_on};
use super::restore::{restore_room, restore_user};
use super::{
    Chat, accounts, blocks, claims, identify, invitations, needs, operator, other_nodes, run_now,
    session_lifecycle,
};
use crate::chat::model::command::Command;
use crate::chat::model::load::{Begun, Found, KnownUser, Wanted};
use crate::chat::model::log::{self, LogFault, RoomMeta, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::reply::Reply;
use crate::chat::pending::{PendingOp, Waiter, WaitingLoad};

/// How often one operation waits: for the names of a user's rooms, for the rooms, and once more for
/// another name that the server gives.
const ROUNDS_MAX: u8 = 5;

/// What was wanted is here, or could not be read.
pub(super) fn on_loaded(
    chat: &mut Chat,
    tickets: Vec<Ticket>,
    outcome: Result<log::Answer, LogFault>,
) {
    let outcome = match outcome {
        Ok(log::Answer::Loaded(found)) => {
            let (ahead, untold) = (logs_ahead(chat, &found), untold_names(chat, &found));
            let sessions = found.sessions.clone();
            Ok((load_found(chat, found), (ahead, untold), sessions))
        }
        Ok(_) => Err(LogFault::Broken),
        Err(fault) => Err(fault),
    };
    for ticket in tickets {
        let Some(PendingOp::Waiting(mut waiting)) = chat.finish(ticket) else { continue };
        match &outcome {
            Ok((rooms_of, others, sessions)) => {
                if let Waiter::Hello { hello, .. } = &mut waiting.waiter {
                    claims::note_former(hello, sessions);
                }
                go_on(chat, *waiting, (rooms_of, others));
            }
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
pub(super) fn load_found(chat: &mut Chat, found: Found) -> BTreeMap<UserName, Vec<RoomName>> {
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
        // It may have come with a user, and by its name. One that has another name in the store
        // than here is here already. What is in memory is newer than what was read.
        let is_here = names_of(&begun).any(|name| chat.rooms.named(name.as_str()).is_some());
        if !is_here && !chat.rooms.is_promised(&begun.name) {
            load_room(chat, begun);
        }
    }
    rooms_of
}

fn load_room(chat: &mut Chat, begun: Begun) {
    let name = begun.name.clone();
    chat.context.stats.rooms_loaded += 1;
    chat.rooms.arm_sweep(&mut chat.context);
    chat.rooms.elsewhere = chat.rooms.elsewhere.saturating_sub(1);
    // The room with the highest one of this start may have been forgotten and come back.
    if !chat.rooms.is_of_this_start(begun.epoch) {
        chat.rooms.begin_epochs_above(begun.epoch);
    }
    restore_room(chat, begun);
    if let Some(key) = chat.rooms.named(name.as_str())
        && let Some((a, b)) = name.pair()
    {
        count_awaited(chat, key);
        // A kill may have come between a block and the end of the conversation.
        let ends = UserName::stored(a).zip(UserName::stored(b));
        if let Some((a, b)) = ends {
            blocks::end_blocked_conversation(chat, &a, &b);
        }
    }
}

/// Goes on with what has waited, or has it wait for what it needs besides.
fn go_on(
    chat: &mut Chat,
    mut waiting: WaitingLoad,
    (rooms_of, (ahead, untold)): (&BTreeMap<UserName, Vec<RoomName>>, &Others),
) {
    if !is_waited_for(chat, &waiting.waiter) {
        return unpin(chat, &waiting.whole);
    }
    let names = waiting.wanted.users.keys();
    waiting.listed.extend(names.filter_map(|name| rooms_of.get(name)).flatten().cloned());
    // What was asked for once is not asked for again: a room that does not exist would be waited
    // for for ever.
    waiting.requested.add(&std::mem::take(&mut waiting.wanted));
    let mut wanted = needed(chat, &mut waiting);
    wanted.take_out(&waiting.requested);
    for (room, seq) in positions(&waiting.waiter) {
        // Behind what its client has seen at another node: it is asked once more, and by then this
        // one may have been told.
        if let Some((name, head)) = ahead.iter().find(|(name, _)| name.as_str() == room)
            && let Some(key) = chat.rooms.named(room)
            && (chat.rooms[key].head + 1..=*head).contains(&seq)
        {
            wanted.add_room(name.clone(), false);
        }
    }
    // So are names that are not known here yet.
    for name in waiting.requested.rooms.keys().filter(|name| untold.contains(*name)) {
        if chat.rooms.named(name.as_str()).is_none() {
            wanted.add_room(name.clone(), false);
        }
    }
    if wanted.is_empty() {
        return resume(chat, waiting);
    }
    if waiting.rounds >= ROUNDS_MAX {
        return give_up(chat, waiting, refusal_of(LogFault::Busy));
    }
    let rounds = waiting.rounds + 1;
    wait_on(chat, WaitingLoad { wanted, rounds, ..waiting });
}

/// What is needed now that more is in memory, though it may have been asked for already. The users
/// among it are kept in memory meanwhile.
fn needed(chat: &mut Chat, waiting: &mut WaitingLoad) -> Wanted {
    let mut wanted = Wanted::default();
    // Those that are in memory may have been changed by other nodes, of which this one is told with
    // the answer.
    let is_hello = matches!(waiting.waiter, Waiter::Hello { .. });
    let is_renewed = is_hello && chat.context.node.is_some();
    for room in &waiting.listed {
        if chat.rooms.named(room.as_str()).is_none() || is_renewed {
            wanted.add_room(room.clone(), false);
        }
    }
    match &waiting.waiter {
        Waiter::Hello { hello, .. } => {
            let names = identify::names(chat, hello);
            let (more, names) = needs::of_hello(chat, hello, names);
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
            let more = user.and_then(|user| needs::of_command(chat, (*conn, user), command));
            wanted.add(&more.unwrap_or_default());
        }
        Waiter::Account { .. }
        | Waiter::Rooms { .. }
        | Waiter::Operator { .. }
        | Waiter::Look { .. }
        | Waiter::Grant { .. } => {}
    }
    wanted
}

/// What other nodes have done of which this one was not told: heads of logs, and names of rooms.
type Others = (BTreeMap<RoomName, u64>, BTreeSet<RoomName>);

/// The names of a room: the present one, and those of before.
fn names_of(begun: &Begun) -> impl Iterator<Item = &RoomName> {
    let former = begun.meta.iter().filter_map(|meta| match meta {
        RoomMeta::Name(_, former) => Some(former),
        _ => None,
    });
    std::iter::once(&begun.name).chain(former.flatten())
}

/// The names of rooms that are here by a name of before only.
fn untold_names(chat: &Chat, found: &Found) -> BTreeSet<RoomName> {
    let is_known = |name: &RoomName| chat.rooms.named(name.as_str()).is_some();
    let is_untold = |begun: &&Begun| {
        chat.context.node.is_some() && !is_known(&begun.name) && names_of(begun).any(is_known)
    };
    found.rooms.iter().filter(is_untold).flat_map(names_of).cloned().collect()
}

/// The heads of logs that other nodes have brought further than this one was told.
fn logs_ahead(chat: &Chat, found: &Found) -> BTreeMap<RoomName, u64> {
    if chat.context.node.is_none() {
        return BTreeMap::new();
    }
    let is_ahead = |begun: &&Begun| {
        let room = chat.rooms.named(begun.name.as_str()).map(|key| &chat.rooms[key]);
        room.is_some_and(|room| room.epoch == begun.epoch && room.head < begun.head)
    };
    found.rooms.iter().filter(is_ahead).map(|begun| (begun.name.clone(), begun.head)).collect()
}

/// The positions in rooms that somebody brings along.
fn positions(waiter: &Waiter) -> Vec<(&str, u64)> {
    match waiter {
        Waiter::Hello { hello, .. } => {
            let positions = hello.resume.iter().flat_map(|resume| &resume.positions);
            positions.map(|at| (&*at.room, at.seq)).collect()
        }
        Waiter::Command { command, .. } => match &**command {
            Command::Join { room, after: Some(seq), .. } => vec![(&**room, *seq)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
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
            session_lifecycle::begin(chat, conn, request, *hello);
            claims::wake_unless_held(chat, conn);
        }
        Waiter::Command { conn, request, mut command } => {
            let user = chat.delivery.reader(conn).map(|reader| reader.user);
            if let Some(user) = user {
                run_now(chat, (conn, user), request, &mut command);
            }
        }
        Waiter::Account { conn, request, command, extra } => {
            chat.pending.held.remove(&conn);
            accounts::begin(chat, (conn, request), *command, *extra);
            chat.context.wake(conn);
        }
        Waiter::Rooms { conn, request } => chat.context.reply(conn, request, Ok(Reply::Done)),
        Waiter::Operator { conn, request, by, act } => {
            operator::act(chat, (conn, request), (&by, *act));
        }
        Waiter::Look { room, user } => {
            other_nodes::on_looked(chat, waiting.requested.rooms.into_keys(), &user);
            chat.pending.loads.looks.remove(&(room, user));
        }
        Waiter::Grant { room, user, by } => {
            invitations::grant_now(chat, &room, &user, by.as_ref());
        }
    }
}
