//! How rooms begin, and which make room for new ones.

use super::Chat;
use super::absence::{busy, forget_absent};
use super::membership::end_membership;
use super::room_end::drop_room;
use crate::chat::keys::RoomKey;
use crate::chat::model::log::LogRequest;
use crate::chat::model::name::RoomName;
use crate::chat::model::reply::Refusal;
use crate::chat::rooms::Room;

/// Makes the room `name`, which does not exist, under the policy that was `chosen` by name, or else
/// the one for its name.
///
/// # Errors
///
/// [`Code::Busy`](crate::chat::Code::Busy) if there are as many rooms as there may be, and none of
/// those that were tried can go.
pub(super) fn open_room(
    chat: &mut Chat,
    name: &RoomName,
    chosen: Option<&str>,
) -> Result<RoomKey, Refusal> {
    let rooms_max = chat.context.limits.rooms;
    // Conversations that wait for somebody to come crowd out nobody.
    let awaited = chat.directory.awaited.conversations;
    if chat.rooms.table.len() - awaited >= rooms_max && !make_room(chat) {
        return Err(busy("the server has as many rooms as it can", rooms_max));
    }
    let policy = chat.context.limits.policies.of(name, chosen);
    let key = chat.rooms.add(name.clone(), policy, chosen);
    open_log(chat, key, chosen);
    Ok(key)
}

/// Has the log of a room begin, or go on, under the policy that its name matches or that was
/// chosen.
pub(super) fn open_log(chat: &mut Chat, key: RoomKey, chosen: Option<&str>) {
    let Room { log, epoch, durability, .. } = chat.rooms[key];
    let room = chat.rooms[key].name.clone();
    // Told at each opening and not kept with the log: the configuration may have changed since.
    let retention = chat.context.limits.policies.of(&room, chosen).retention;
    chat.context.requests.push_back(LogRequest::Open { log, room, epoch, durability, retention });
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
    chat.rooms.table.len() - chat.directory.awaited.conversations < chat.context.limits.rooms
}
