//! One room of a resume: its cursor goes on after the position that the client names.
//!
//! Not knowing is not consent: a position proves that its client was in the room once, not that its
//! user still wants to be there, or may. It makes nobody a member but where the membership was lost
//! with the log, in a memory room that anyone may enter, and nothing is known against it.

use super::join::{enter_at, subscribe_resumed, watch_resumed};
use super::{Chat, grants, outsiders};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::command::Position;
use crate::chat::model::name::RoomName;
use crate::chat::model::policy::Access;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::{Durability, Refusal, Resumption};
use crate::chat::rooms::no_such_room;
use crate::net::ConnId;

/// The cursor of one room of a resume. `resumed` says that the session is known, and with it what
/// its user has left.
///
/// # Errors
///
/// Those of finding the membership where there is none, and those of [`enter_at`].
pub(super) fn resume_room(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    position: &Position<'_>,
    resumed: bool,
) -> Result<(RoomKey, Resumption), Refusal> {
    // Before anything else is asked about the room: the refusal must be the same whether it exists
    // or not.
    if !grants::may_read(chat, conn, &position.room) {
        return Err(no_such_room());
    }
    let found = chat.lookup().find_membership(user, &position.room);
    if found.is_err() && outsiders::is_outside(chat, conn, user) {
        let at = (&*position.epoch, position.seq);
        return watch_resumed(chat, (conn, user), &position.room, at);
    }
    if let Err(refusal) = found
        // A session that is known knows what its user has left: with it no membership can have been
        // lost.
        && (resumed || !is_lost_with_its_log(chat, user, position))
    {
        return Err(refusal);
    }
    let at = (Some(&*position.epoch), position.seq);
    let found = chat.lookup().find_room(user, &position.room);
    let (key, resumption) = enter_at(chat, user, (&position.room, found), at)?;
    // The welcome is the answer, and nothing of it is written: who was a member stays one, and who
    // becomes one again does so in a room in memory.
    subscribe_resumed(chat, (conn, user), key, &resumption);
    Ok((key, resumption))
}

/// Whether the user may have been a member of the room when its log was lost, and neither has left
/// it since nor was removed, as far as anybody knows.
fn is_lost_with_its_log(chat: &Chat, user: UserKey, position: &Position<'_>) -> bool {
    // Who is no member any more of a room of this start has left it, or was removed.
    let is_of_this_start =
        Epoch::parse(&position.epoch).is_some_and(|epoch| chat.rooms.is_of_this_start(epoch));
    if is_of_this_start {
        return false;
    }
    match chat.rooms.named(&position.room) {
        Some(key) => {
            let room = &chat.rooms[key];
            let name = &chat.directory[user].name;
            !room.is_stored()
                && !room.name.is_direct()
                && !chat.lookup().is_closed(room)
                && !chat.rooms.departed.is_known(key, name)
        }
        // The room has gone with the server's memory. Only what `join` could make by itself is made
        // again.
        None => RoomName::parse(&position.room).is_ok_and(|name| {
            let policy = chat.context.limits.policies.of(&name, None);
            !name.is_direct()
                && policy.durability == Durability::Memory
                && policy.access == Access::Open
        }),
    }
}
