//! Direct conversations: rooms of two, made by the first `send`.

use super::absence::{forget_user, open_user_to_wait_for};
use super::membership::{begin_membership, end_membership};
use super::room_begin::open_room;
use super::room_end::retire_room;
use super::{Chat, blocks};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::event::Event;
use crate::chat::model::name::RoomName;
use crate::chat::model::reply::{Refusal, Role};

/// The conversation of a user with the one named in `field`, made if there is none, with both as
/// members: confirmed by the message, or retracted without one.
///
/// # Errors
///
/// [`Code::BadField`] for what is no name, or the user's own, and those of making users, rooms and
/// memberships.
pub(super) fn open_direct(
    chat: &mut Chat,
    from: UserKey,
    field: &'static str,
    name: &str,
) -> Result<RoomKey, Refusal> {
    let to_name = chat.lookup().user_name((field, name), None)?;
    if to_name == chat.directory[from].name {
        let refusal = Refusal::new(Code::BadField, "this is your own name");
        return Err(refusal.field(field, "the name of another user"));
    }
    let me = chat.directory[from].name.clone();
    blocks::check_may_write(chat, &me, &to_name)?;
    let name = RoomName::direct(&me, &to_name);
    // Who has blocked the sender is not brought into the conversation, and nothing says so.
    let mut other = if chat.directory.blocks.has(&to_name, &me) {
        None
    } else {
        Some(open_user_to_wait_for(chat, from, &to_name)?)
    };
    let known = chat.rooms.named(name.as_str());
    let key = match known {
        Some(key) => key,
        None => open_room(chat, &name, None)?,
    };
    // Room for it may have been made by forgetting who was absent for longest: this very user.
    if other.is_some_and(|to| chat.directory.user(to).is_none()) {
        other = match open_user_to_wait_for(chat, from, &to_name) {
            Ok(to) => Some(to),
            Err(refusal) => {
                retire_room(chat, key);
                return Err(refusal);
            }
        };
    }
    // Only the one who begins a conversation pays for it: others must not be able to fill one's
    // quota.
    let ends = [Some((from, known.is_some())), other.map(|to| (to, true))];
    for (user, force) in ends.into_iter().flatten() {
        // Only what this call has made may be unconfirmed: a message that fails must not take a
        // conversation away that was there before.
        let is_new = chat.directory[user].membership(key).is_none();
        match begin_membership(chat, user, key, Role::Member, force) {
            Ok(membership) => {
                chat.rooms[membership].is_confirmed &= !is_new;
                if is_new && chat.directory[user].is_awaited {
                    let sender = chat.directory[from].name.clone();
                    chat.directory.awaited.begin(sender.as_str());
                }
            }
            Err(refusal) => {
                // The room may have gone with the first member already.
                retract(chat, key);
                retire_room(chat, key);
                return Err(refusal);
            }
        }
    }
    Ok(key)
}

/// A message is in the log of a conversation: both are in it, and are told.
pub(super) fn confirm(chat: &mut Chat, key: RoomKey) {
    let mut sessions = 0;
    // By index, since the list is not copied on the way of a message.
    for index in 0..chat.rooms[key].members.len() {
        let membership = chat.rooms[key].members[index];
        let member = &mut chat.rooms[membership];
        member.is_confirmed = true;
        sessions += chat.directory[member.user].sessions.len();
    }
    // Nearly always as many: nobody else can be subscribed.
    if sessions != chat.delivery.subscribers(key) {
        subscribe_both(chat, key);
    }
}

/// A message did not come about: who was to be in the conversation because of it is not, since
/// only a message brings one back.
pub(super) fn retract(chat: &mut Chat, key: RoomKey) {
    let room = chat.rooms.table.get(key);
    // Another message of the two may still be on its way and succeed; the last one to be answered
    // decides.
    let Some(room) = room.filter(|room| room.name.is_direct() && room.pending_ops == 0) else {
        return;
    };
    for membership in room.members.clone() {
        if !chat.rooms[membership].is_confirmed {
            let user = chat.rooms[membership].user;
            end_membership(chat, membership, None);
            if chat.directory[user].is_awaited && chat.directory[user].memberships.is_empty() {
                forget_user(chat, user);
            }
        }
    }
}

/// Subscribes all live sessions of both users that are not yet, and tells them.
fn subscribe_both(chat: &mut Chat, key: RoomKey) {
    let is_missing = |chat: &Chat, conn| {
        chat.delivery.reader(conn).is_some_and(|reader| !reader.is_subscribed(key))
            && chat.directory.credentials.may_read(conn, chat.rooms[key].name.as_str())
    };
    for member in chat.rooms[key].members.clone() {
        let user = chat.rooms[member].user;
        for &to in &chat.directory[user].connections() {
            if is_missing(chat, to) {
                chat.delivery_mut().subscribe(to, key, None);
                let room = &chat.rooms[key];
                let (room, epoch, seq) = (room.name.clone(), room.epoch, room.head);
                chat.context.tell(to, Event::Joined { room, epoch, seq });
            }
        }
    }
}
