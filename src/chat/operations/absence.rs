//! Users that come, go, and are forgotten: the leave grace, guests, and who makes room for
//! newcomers.

use super::membership::end_membership;
use super::{Chat, profile, push, tell_other_nodes};
use crate::chat::context::Timer;
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::identity::Source;
use crate::chat::model::limits::{AWAITED_BY_ONE_MAX, AWAITED_MAX};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::reply::{Presence, Refusal, Role};

/// When a client should try again what the server has no memory for: as long as memberships of
/// guests need to end.
const BUSY_RETRY_MS: u64 = 60_000;

/// The refusal when there are as many users or rooms as there may be.
pub(super) fn busy(message: &'static str, limit: usize) -> Refusal {
    Refusal::new(Code::Busy, message).limit(limit).retry_after_ms(BUSY_RETRY_MS)
}

/// The user `name`, made if there is none.
///
/// # Errors
///
/// [`Code::NameTaken`] for a new name that is taken for that of another user; [`Code::Busy`] if
/// there are as many users as there may be, and none of them makes room.
pub(super) fn open_user(
    chat: &mut Chat,
    name: &UserName,
    source: Source,
) -> Result<UserKey, Refusal> {
    let known = chat.directory.user_named(name.as_str());
    if let Some(key) = known.filter(|&key| !chat.directory[key].is_awaited) {
        return Ok(key);
    }
    check_lookalike(chat, name)?;
    let users_max = chat.context.limits.users;
    if chat.directory.known_len() >= users_max && !forget_absent(chat) {
        return Err(busy("the server knows as many users as it can", users_max));
    }
    profile::yield_name(chat, name);
    let Some(key) = known else { return Ok(chat.directory.add_user(name, source)) };
    // The name has come: those who wait for it get their places back, each by the conversation that
    // took one.
    for sender in senders_to(chat, key) {
        chat.directory.awaited.end(&sender);
    }
    chat.directory.set_awaited(key, false);
    Ok(key)
}

/// Refuses a new name that looks like that of somebody who has come.
pub(super) fn check_lookalike(chat: &Chat, name: &UserName) -> Result<(), Refusal> {
    let known = chat.directory.lookalike(name.as_str()).map(|key| &chat.directory[key].name);
    let bound = || chat.directory.identities.lookalike(name.as_str());
    let Some(other) = known.or_else(bound) else { return Ok(()) };
    let message = format!("this name looks like that of another user, {other}");
    Err(Refusal::new(Code::NameTaken, message))
}

/// The user `name`, to whom `from` wants to write for the first time and who may not have come yet.
///
/// # Errors
///
/// [`Code::NoSuchUser`] if nobody has come by the name and the sender waits for as many such names
/// as it may, and [`Code::Busy`] if all senders together do.
pub(super) fn open_user_to_wait_for(
    chat: &mut Chat,
    from: UserKey,
    name: &UserName,
) -> Result<UserKey, Refusal> {
    let known = chat.directory.user_named(name.as_str());
    if let Some(key) = known.filter(|&key| !chat.directory[key].is_awaited) {
        return Ok(key);
    }
    let sender = &chat.directory[from].name;
    // A conversation that is begun has paid for its place already; the next message in it is free.
    let is_begun = chat.rooms.named(RoomName::direct(sender, name).as_str()).is_some();
    if let Some(key) = known.filter(|_| is_begun) {
        return Ok(key);
    }
    check_lookalike(chat, name)?;
    if chat.directory.awaited.of(sender) >= AWAITED_BY_ONE_MAX {
        let message = "nobody has come by this name yet, and you wait for as many as you may";
        let refusal = Refusal::new(Code::NoSuchUser, message).limit(AWAITED_BY_ONE_MAX);
        return Err(refusal.field("to", "the name of a user who has been here"));
    }
    if chat.directory.awaited.conversations >= AWAITED_MAX {
        let message = "the server keeps as many messages for names that never came as it can";
        return Err(busy(message, AWAITED_MAX));
    }
    let key = known.unwrap_or_else(|| {
        let key = chat.directory.add_user(name, Source::None);
        chat.directory.set_awaited(key, true);
        arm_absence(chat, key);
        key
    });
    Ok(key)
}

/// With whom a user is in conversations.
pub(super) fn senders_to(chat: &Chat, user: UserKey) -> Vec<Box<str>> {
    let user = &chat.directory[user];
    let rooms = user.memberships.iter().map(|&(room, _)| &chat.rooms[room].name);
    rooms.filter_map(|room| room.other_than(&user.name)).map(Into::into).collect()
}

/// Members of this conversation have not come yet: it waits for them.
pub(super) fn count_awaited(chat: &mut Chat, room: RoomKey) {
    for sender in awaiting(chat, room) {
        chat.directory.awaited.begin(&sender);
    }
}

/// The conversation is forgotten, and waits in the store.
pub(super) fn uncount_awaited(chat: &mut Chat, room: RoomKey) {
    for sender in awaiting(chat, room) {
        chat.directory.awaited.end(&sender);
    }
}

/// Who waits in this conversation for the other one, who never came.
fn awaiting(chat: &Chat, room: RoomKey) -> Vec<Box<str>> {
    let name = &chat.rooms[room].name;
    let users = chat.rooms.users(room).map(|user| &chat.directory[user]);
    let awaited = users.filter(|user| user.is_awaited);
    awaited.filter_map(|user| name.other_than(&user.name)).map(Into::into).collect()
}

/// Forgets the user that was absent for longest, if the leave grace of anybody is over: users that
/// come now are worth more than the places of those that may come back.
pub(super) fn forget_absent(chat: &mut Chat) -> bool {
    // Those that must be kept leave the list here; they are listed again when they have come and
    // gone.
    for _ in 0..chat.directory.absent_len() {
        let Some(key) = chat.directory.pop_absent() else { return false };
        if may_be_forgotten(chat, key) {
            forget_user(chat, key);
            return true;
        }
    }
    false
}

/// Whether a user's memberships may end though nobody ended them: if the user has no name to come
/// back by, or loses nothing but places that it can take again. Kept are those in stored rooms in
/// which something was said and that are direct conversations, or not open to everybody, or in
/// which the user moderates.
fn may_be_forgotten(chat: &Chat, key: UserKey) -> bool {
    let user = &chat.directory[key];
    let is_shared = chat.context.node.is_some();
    let is_kept = |&(room, membership): &(RoomKey, MembershipKey)| {
        let (room, role) = (&chat.rooms[room], chat.rooms[membership].role);
        let is_special =
            role > Role::Member || room.name.is_direct() || chat.lookup().is_closed(room);
        // Where the user has come last another node may know.
        room.is_stored() && (is_shared || room.head > 0 && is_special)
    };
    // What it has in rooms that are not in memory is not known here.
    user.is_whole && (user.is_guest() || !user.memberships.iter().any(is_kept))
}

/// Ends all memberships of a user without sessions, and forgets it.
pub(super) fn forget_user(chat: &mut Chat, key: UserKey) {
    // From the end of the list, from which taking one off moves nothing.
    while let Some(&(_, membership)) = chat.directory[key].memberships.last() {
        end_membership(chat, membership, None);
    }
    let row = &chat.directory[key];
    let is_gone = row.source == Source::None && row.is_whole && !row.is_awaited;
    if is_gone && !chat.directory.elsewhere.has(&row.name) {
        profile::end(chat, row.name.clone());
    }
    let user = chat.directory.remove_user(key);
    if let Some(guest) = user.as_ref().filter(|user| user.is_guest()) {
        chat.directory.blocks.forget(&guest.name);
        profile::forget(chat, &guest.name);
    }
    let timer = user.and_then(|user| user.absence).and_then(|absence| absence.timer);
    if let Some(timer) = timer {
        chat.context.wheel.cancel(timer);
    }
}

/// The user has no session: after the leave grace it is off, and may be forgotten later.
pub(super) fn arm_absence(chat: &mut Chat, user: UserKey) {
    let now = chat.context.now.tick;
    let deadline = now.after(chat.context.limits.leave_grace);
    let absence = chat.directory[user].absence_mut();
    absence.since = now;
    // A user has one timer. Two would end its grace by the older of them.
    if let Some(timer) = absence.timer.take() {
        chat.context.wheel.cancel(timer);
    }
    absence.timer = Some(chat.context.wheel.arm(deadline, Timer::UserAbsent(user)));
}

/// The timer of a user without sessions has gone off.
pub(in crate::chat) fn on_user_absent(chat: &mut Chat, user: UserKey) {
    if chat.directory.user(user).is_none() {
        return;
    }
    let row = &mut chat.directory[user];
    row.absence_mut().timer = None;
    // It has come back since the timer was armed: that is not cancelled at each coming, since
    // nearly all who come stay.
    if !row.sessions.is_empty() || row.visits() > 0 {
        return;
    }
    if chat.directory.is_off_here(user) {
        // It is at another node, and its rooms may be in use no more at this one.
        chat.rooms.arm_sweep(&mut chat.context);
    }
    if chat.directory.elsewhere.has(&chat.directory[user].name) {
        return update_presence(chat, user);
    }
    let row = &mut chat.directory[user];
    if row.presence != Presence::Off {
        row.presence = Presence::Off;
        chat.ephemeral_mut().user_changed(user);
        push::on_inactive(chat, user);
    }
    // Its rooms may be in use no more.
    chat.rooms.arm_sweep(&mut chat.context);
    if chat.directory[user].is_awaited {
        return keep_awaited(chat, user);
    }
    let row = &mut chat.directory[user];
    // A guest is forgotten by when it left, not by when its leave grace ended.
    let forgotten_at = row.absence_mut().since.after(chat.context.limits.guest_membership);
    let is_over = row.is_guest() && chat.context.now.tick >= forgotten_at;
    if is_over {
        end_guest(chat, user);
    }
    let row = &mut chat.directory[user];
    if row.memberships.is_empty() {
        forget_user(chat, user);
        return;
    }
    if row.is_guest() && !is_over {
        let timer = chat.context.wheel.arm(forgotten_at, Timer::UserAbsent(user));
        row.absence_mut().timer = Some(timer);
    } else {
        // A named user comes back by its name; its secrets would only take memory.
        chat.directory.forget_secrets(user);
    }
    // Listed whether or not it may be forgotten: that is judged when a place is needed, since rooms
    // change meanwhile.
    chat.directory.list_absent(user);
}

/// Nobody has come by this name: it is remembered as long as something waits there that was
/// acknowledged.
fn keep_awaited(chat: &mut Chat, user: UserKey) {
    let mut rooms = chat.directory[user].memberships.iter().map(|&(room, _)| &chat.rooms[room]);
    let (mut is_kept, mut is_open) = (false, false);
    rooms.by_ref().for_each(|room| {
        is_kept |= room.head > 0;
        // A message on its way to the log may still be acknowledged, and then the name must be
        // there.
        is_open |= room.pending_ops > 0;
    });
    if is_open && !is_kept {
        arm_absence(chat, user);
    } else if !is_kept {
        forget_user(chat, user);
    }
}

/// A guest does not come back: its memberships in rooms that are not stored end.
fn end_guest(chat: &mut Chat, user: UserKey) {
    let memberships = chat.directory[user].memberships.iter().copied();
    let ending = memberships.filter(|&(room, _)| !chat.rooms[room].is_stored());
    let ending: Vec<_> = ending.map(|(_, membership)| membership).collect();
    for membership in ending {
        end_membership(chat, membership, None);
    }
}

/// Brings the user's presence in line with its sessions at all nodes, of which the others are told;
/// without any, the leave grace decides.
pub(super) fn update_presence(chat: &mut Chat, user: UserKey) {
    let presence = chat.directory.presence_of_sessions(user);
    let row = &mut chat.directory[user];
    if let Some(presence) = presence.filter(|&presence| presence != row.presence) {
        row.presence = presence;
        chat.ephemeral_mut().user_changed(user);
        push::on_inactive(chat, user);
    }
    tell_other_nodes::tell_present(chat, user);
}
