//! How rooms begin, and which make room for new ones.

use super::Chat;
use super::absence::{busy, forget_absent};
use super::membership::end_membership;
use super::room_end::drop_room;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::load::Kept;
use crate::chat::model::log::LogRequest;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::{Access, Creators, Policy};
use crate::chat::model::reply::{Durability, Refusal};
use crate::chat::model::webhook::NoticeKind;
use crate::chat::rooms::{Room, no_such_room};

/// When to ask again for a name that another room is about to get: the log answers within this time
/// as a rule.
const PROMISE_RETRY_MS: u64 = 1_000;

/// Makes the room `name`, which does not exist, under the policy that was `chosen` by name, or else
/// the one for its name.
///
/// # Errors
///
/// [`Code::Busy`] if there are as many rooms as there may be, and none of those that were tried can
/// go, and while another room is about to get this name.
pub(super) fn open_room(
    chat: &mut Chat,
    name: &RoomName,
    chosen: Option<&str>,
) -> Result<RoomKey, Refusal> {
    if chat.rooms.is_alike_promised(name) {
        return Err(promised());
    }
    let rooms_max = chat.context.limits.rooms;
    // Conversations that wait for somebody to come crowd out nobody.
    let awaited = chat.directory.awaited.conversations;
    if chat.rooms.len() - awaited >= rooms_max && !make_room(chat) {
        return Err(busy("the server has as many rooms as it can", rooms_max));
    }
    let policy = chat.context.limits.policies.of(name, chosen);
    let key = chat.rooms.add(name.clone(), policy, chosen);
    if chat.context.node.is_some() && !chat.rooms[key].is_stored() {
        // The memory of one node is not seen by the others, so a cluster has no memory rooms.
        chat.rooms[key].durability = Durability::Os;
    }
    open_log(chat, key, chosen, None);
    if !name.is_direct() {
        let is_in_memory = !chat.rooms[key].is_stored();
        chat.context.notice(Some((name, is_in_memory)), None, NoticeKind::Made);
    }
    Ok(key)
}

/// Has the log of a room begin, or go on, under the policy that its name matches or that was
/// chosen.
pub(super) fn open_log(chat: &mut Chat, key: RoomKey, chosen: Option<&str>, kept: Option<Kept>) {
    let Room { log, epoch, durability, .. } = chat.rooms[key];
    let room = chat.rooms[key].name.clone();
    // Told at each opening and not kept with the log: the configuration may have changed since.
    let retention = chat.context.limits.policies.of(&room, chosen).retention;
    let request = LogRequest::Open { log, room, epoch, durability, retention, kept };
    chat.context.requests.push_back(request);
}

/// Drops a room that nobody misses.
fn make_room(chat: &mut Chat) -> bool {
    // From what nobody misses to what somebody might.
    drop_an_empty_room(chat)
        || drop_a_silent_room(chat)
        || (forget_absent(chat) && drop_an_empty_room(chat))
}

fn drop_an_empty_room(chat: &mut Chat) -> bool {
    let key = chat.rooms.pop_empty();
    key.inspect(|&key| drop_room(chat, key)).is_some()
}

fn drop_a_silent_room(chat: &mut Chat) -> bool {
    let Some(key) = chat.rooms.next_silent(&chat.directory) else { return false };
    for member in chat.rooms[key].members.clone() {
        end_membership(chat, member, None);
    }
    // The room goes with its last member.
    chat.rooms.len() - chat.directory.awaited.conversations < chat.context.limits.rooms
}

/// Whether joining a room of this name, which does not exist, makes it. Where an invitation is
/// needed it does not: nobody could give one.
pub(super) fn by_join(chat: &Chat, user: UserKey, name: &RoomName) -> bool {
    let policy = chat.context.limits.policies.of(name, None);
    chat.context.limits.open_join_creates
        && policy.access == Access::Open
        && may_make(policy, &chat.directory[user].name)
}

pub(super) fn may_make(policy: &Policy, user: &UserName) -> bool {
    match &policy.create {
        Creators::Anyone => true,
        Creators::Only(users) => users.contains(user),
    }
}

/// A room does not get a name that is taken for that of another: people would be led into it.
/// `except` is the room that gets it, if there is one.
///
/// # Errors
///
/// `code`, with the other room's name if the user may know of it.
pub(super) fn check_lookalike(
    chat: &Chat,
    (user, except): (UserKey, Option<RoomKey>),
    name: &RoomName,
    code: Code,
) -> Result<(), Refusal> {
    let Some(other) = chat.rooms.lookalike(name, except) else { return Ok(()) };
    let refusal = match code {
        Code::NoSuchRoom => no_such_room(),
        _ => Refusal::new(code, "there is a room whose name looks like this one"),
    };
    // The refusal alone tells that something is there; its name stays hidden.
    if !chat.lookup().is_visible(user, other) {
        return Err(refusal);
    }
    let other = chat.rooms[other].name.as_str().to_owned();
    Err(refusal.field("room", "a name that looks like no other").hint(Some(other)))
}

/// The refusal of a name that another room gets as soon as its log has answered, or does not get.
pub(super) fn promised() -> Refusal {
    let refusal = Refusal::new(Code::Busy, "another room is about to get this name");
    refusal.retry_after_ms(PROMISE_RETRY_MS)
}

/// The refusal of a name that is taken.
pub(super) fn room_exists() -> Refusal {
    let refusal = Refusal::new(Code::RoomExists, "there is a room of this name already");
    refusal.field("room", "a name that is free")
}
