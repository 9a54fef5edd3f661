//! `@name` and `@room`: who may call a room, and who of those that a message names is not in it.

use super::Chat;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::limits::CALLED_BY_ALL_MAX;
use crate::chat::model::mentions::Mention;
use crate::chat::model::name::UserName;
use crate::chat::model::policy::RoomCallers;
use crate::chat::model::reply::{Refusal, Role};

/// Refuses a text that calls all of a room by who may not.
///
/// Refused and not only left without effect: whom a message names follows from its text, for every
/// client, and its author learns at once that nobody would have been called.
///
/// # Errors
///
/// [`Code::Forbidden`].
pub(super) fn check(chat: &Chat, by: (UserKey, RoomKey), named: &[Mention]) -> Result<(), Refusal> {
    if !named.contains(&Mention::Room) {
        return Ok(());
    }
    let Some(who) = callers(chat, by) else { return Ok(()) };
    let refusal = Refusal::new(Code::Forbidden, format!("{who} may call this room by @room"));
    Err(refusal.field("text", "a text without @room; between backquotes it calls nobody"))
}

/// Who may call the room, in words, if this user is none of them.
fn callers(chat: &Chat, (user, key): (UserKey, RoomKey)) -> Option<&'static str> {
    let room = &chat.rooms[key];
    if room.name.is_direct() {
        return None;
    }
    let may_moderate = || {
        let membership = chat.directory[user].membership(key);
        membership.is_some_and(|membership| chat.lookup().role(membership) >= Role::Moderator)
    };
    match chat.lookup().policy(room).mention_room {
        RoomCallers::Anyone => None,
        RoomCallers::BySize if room.members.len() <= CALLED_BY_ALL_MAX => None,
        RoomCallers::BySize | RoomCallers::Moderators if may_moderate() => None,
        RoomCallers::BySize => Some("as many members as there are, only the owner and moderators"),
        RoomCallers::Moderators => Some("only the owner and moderators"),
        RoomCallers::Nobody => Some("nobody"),
    }
}

/// Whom a message names who is no member of the room: nothing tells them of it. For members only,
/// who may list the members anyway.
pub(super) fn not_members(
    chat: &Chat,
    (user, key): (UserKey, RoomKey),
    named: Vec<Mention>,
) -> Box<[UserName]> {
    if named.is_empty() || chat.directory[user].membership(key).is_none() {
        return Box::default();
    }
    // Who has blocked the sender is in no conversation with them, and nothing says so.
    let room = &chat.rooms[key].name;
    let other = room.other_than(&chat.directory[user].name);
    let is_member = |name: &UserName| {
        other == Some(name.as_str()) || chat.lookup().member_named(key, name).is_some()
    };
    let users = named.into_iter().filter_map(|mention| match mention {
        Mention::User(name) => Some(name),
        Mention::Room => None,
    });
    users.filter(|name| !is_member(name)).collect()
}
