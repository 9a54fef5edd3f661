//! Rooms that nobody uses are forgotten, and with them the users that are in no other.
//!
//! ```text
//!  not in use, twice in a row ─▶ Settle ─▶ on the disk ─ still not in use, nothing asked ─▶ Close
//! ```

use super::absence::{forget_user, uncount_awaited};
use super::{Chat, load, needs};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::log::LogRequest;
use crate::chat::model::name::UserName;
use crate::chat::model::output::Request;
use crate::chat::pending::PendingOp;
use crate::chat::rooms::Idle;
use crate::net::ConnId;

/// Members up to which a room is looked at: one with more stays, since somebody is always there,
/// and looking would hold up everybody.
const MEMBERS_MAX: usize = 10_000;

/// Whether a room is in memory whose members are to be listed, a part a turn; if not, the request
/// is answered when it is.
pub(super) fn is_ready_to_list(chat: &mut Chat, requester: (ConnId, Request), room: &str) -> bool {
    let wanted = needs::of_room(chat, room);
    if !wanted.is_empty() {
        load::wait_rooms(chat, requester, wanted);
        return false;
    }
    // The hand has to come by twice before it is forgotten: that is longer than a list takes.
    if let Some(key) = chat.rooms.named(room) {
        stay(chat, key);
    }
    true
}

/// Looks at some of the rooms, for whether they can be forgotten; goes on for as long as there is
/// something to be done.
pub(in crate::chat) fn sweep(chat: &mut Chat) {
    chat.rooms.sweep.is_armed = false;
    for _ in 0..chat.rooms.places_to_sweep() {
        if let Some(key) = chat.rooms.next_to_sweep() {
            sweep_room(chat, key);
        }
    }
    let goes_on = chat.rooms.sweep.goes_on;
    if !chat.rooms.ends_round() || goes_on {
        chat.rooms.arm_next_sweep(&mut chat.context);
    }
}

fn sweep_room(chat: &mut Chat, key: RoomKey) {
    match (chat.rooms[key].idle, is_unused(chat, key)) {
        (Idle::Leaving, _) => chat.rooms.sweep.goes_on = true,
        (Idle::No | Idle::Yes, false) => chat.rooms[key].idle = Idle::No,
        // It will be settled soon.
        (Idle::No | Idle::Yes, true) if !chat.rooms.is_settled(key) => {
            chat.rooms[key].idle = Idle::No;
            chat.rooms.sweep.goes_on |= chat.rooms[key].is_stored();
        }
        (was, true) => {
            let idle_max = chat.context.limits.idle_rooms;
            chat.rooms.count_idle(idle_max);
            chat.rooms[key].idle = Idle::Yes;
            if was == Idle::Yes && chat.rooms.sweep.idle > idle_max {
                chat.rooms.sweep.idle -= 1;
                begin_to_forget(chat, key);
            }
        }
    }
}

/// Whether nobody is there who would miss the room.
pub(super) fn is_unused(chat: &Chat, key: RoomKey) -> bool {
    let room = &chat.rooms[key];
    if chat.delivery.subscribers(key) > 0
        || room.members.len() > MEMBERS_MAX
        || !chat.rooms.users(key).all(|user| chat.directory.is_off_here(user))
    {
        return false;
    }
    let is_free = |name: &UserName| {
        let user = chat.directory.user_named(name.as_str());
        user.is_none_or(|user| chat.directory.is_off_here(user))
            && !chat.pending.loads.is_pinned(name)
    };
    let are_free = || chat.rooms.users(key).all(|user| is_free(&chat.directory[user].name));
    // Only while users are being loaded are names compared.
    chat.rooms.invited_into(key).all(is_free) && (!chat.pending.loads.has_pins() || are_free())
}

fn begin_to_forget(chat: &mut Chat, key: RoomKey) {
    let log = chat.rooms[key].log;
    chat.rooms[key].idle = Idle::Leaving;
    // From now on every request to this log is noticed, and keeps the room.
    chat.context.leaving.insert(log);
    // The store answers when all that was put before is on the disk: only then can the room be read
    // back as it is now.
    let ticket = chat.begin(PendingOp::Forget { room: key });
    chat.context.requests.push_back(LogRequest::Settle { log, ticket });
}

/// Everything of the room is on the disk, or could not be brought there.
pub(super) fn on_settled(chat: &mut Chat, key: RoomKey, is_settled: bool) {
    if !is_settled {
        return stay(chat, key);
    }
    if chat.pending.loads.is_busy {
        chat.pending.loads.leaving.push(key);
    } else {
        finish_forgetting(chat, key);
    }
}

fn stay(chat: &mut Chat, key: RoomKey) {
    let Some(room) = chat.rooms.table.get_mut(key) else { return };
    room.idle = Idle::No;
    chat.context.leaving.remove(&room.log);
    chat.rooms.arm_sweep(&mut chat.context);
}

/// Forgets the room, if nobody has used it meanwhile.
pub(super) fn finish_forgetting(chat: &mut Chat, key: RoomKey) {
    let Some(room) = chat.rooms.table.get(key) else { return };
    let is_left = chat.context.is_leaving(room.log) && chat.rooms.is_settled(key);
    if !is_left || !is_unused(chat, key) {
        return stay(chat, key);
    }
    chat.context.leaving.remove(&room.log);
    // Who is invited finds the room by being whole: from now on it has to be loaded first.
    let invited: Vec<UserName> = chat.rooms.invited_into(key).cloned().collect();
    for name in invited {
        if let Some(user) = chat.directory.user_named(name.as_str()) {
            chat.directory[user].is_whole = false;
        }
    }
    uncount_awaited(chat, key);
    for membership in chat.rooms[key].members.clone() {
        if let Some(row) = chat.rooms.remove_member(&mut chat.directory, membership) {
            chat.directory[row.user].is_whole = false;
            forget_without_rooms(chat, row.user);
        }
    }
    // Senders that wait for the turn's end are answered.
    chat.delivery_mut().fan_out(key);
    let Some(room) = chat.rooms.remove(key) else { return };
    chat.delivery.remove_feed(key);
    // By the name of a log that nobody has any more: kept, they would only take memory.
    chat.delivery.pages.prune(room.log, u64::MAX);
    chat.ephemeral.remove_room(key);
    // It counts for the number of rooms as before: the bound is on those that exist.
    chat.rooms.elsewhere += 1;
    chat.context.stats.rooms_forgotten += 1;
    chat.context.requests.push_back(LogRequest::Close { log: room.log });
}

/// Forgets a user that is in no room of those in memory, and does not come back but by its name.
fn forget_without_rooms(chat: &mut Chat, user: UserKey) {
    let row = &chat.directory[user];
    let has_timer = row.absence.as_ref().is_some_and(|absence| absence.timer.is_some());
    let is_left = row.memberships.is_empty() && chat.directory.is_off_here(user);
    if is_left && !has_timer && row.resumable().is_empty() {
        forget_user(chat, user);
    }
}
