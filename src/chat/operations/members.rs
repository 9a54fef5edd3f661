//! `members`, and `ack`: who belongs to a room, and how far each has read.

use std::time::Duration;

use super::membership::put_member;
use super::{Answer, Chat};
use crate::chat::context::Timer;
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::limits::PRESENCE_NAMES_MAX;
use crate::chat::model::name::UserName;
use crate::chat::model::reply::{Refusal, Reply, Role};

/// After how long receipts are written: those of a busy room are many, and each replaces the one
/// before.
const SAVE_AFTER: Duration = Duration::from_millis(250);

/// A page of the members, by name; in large rooms only how many there are.
///
/// # Errors
///
/// Those of finding the room.
pub(super) fn members(
    chat: &Chat,
    user: UserKey,
    name: &str,
    (limit, after): (Option<u32>, Option<&str>),
) -> Result<Answer, Refusal> {
    let (key, _) = chat.lookup().find_membership(user, name)?;
    let members = chat.rooms[key].members.len();
    let count = u64::try_from(members).unwrap_or(u64::MAX);
    if members > PRESENCE_NAMES_MAX {
        return Ok(Answer::Now(Reply::Members { count, users: Vec::new(), more: false }));
    }
    let named =
        |row: &crate::chat::rooms::Membership| (chat.directory[row.user].name.clone(), row.role);
    let mut users: Vec<(UserName, Role)> = chat.rooms.members(key).map(named).collect();
    users.sort_unstable();
    users.retain(|(name, _)| after.is_none_or(|after| name.as_str() > after));
    let limit = usize::try_from(limit.unwrap_or(u32::MAX).max(1)).unwrap_or(usize::MAX);
    let more = users.len() > limit;
    users.truncate(limit);
    Ok(Answer::Now(Reply::Members { count, users, more }))
}

/// Moves the user's marks in a room forward; lower values are ignored.
///
/// # Errors
///
/// Those of finding the room, [`Code::EpochChanged`](crate::chat::Code::EpochChanged), and
/// [`Code::SeqUnavailable`](crate::chat::Code::SeqUnavailable) for a seq that the log has not
/// reached.
pub(super) fn ack(
    chat: &mut Chat,
    user: UserKey,
    (name, epoch): (&str, Option<&str>),
    (recv, read): (Option<u64>, Option<u64>),
) -> Result<Answer, Refusal> {
    let (key, membership) = chat.lookup().find_membership(user, name)?;
    let room = &chat.rooms[key];
    room.check_epoch(epoch)?;
    room.check_reached("recv", recv.unwrap_or(0))?;
    room.check_reached("read", read.unwrap_or(0))?;
    let room = room.name.clone();
    let rev = chat.context.next_rev();
    let row = &mut chat.rooms[membership];
    let had = (row.recv, row.read);
    row.read = row.read.max(read.unwrap_or(0));
    row.recv = row.recv.max(recv.unwrap_or(0)).max(row.read);
    let (recv, read) = (row.recv, row.read);
    if (recv, read) != had {
        row.rev = rev;
    }
    // Only reading is told to others; receiving is the client's own affair.
    if read != had.1 {
        chat.ephemeral_mut().read_on(membership);
    }
    if (recv, read) != had {
        save_later(chat, membership, key);
    }
    Ok(Answer::Now(Reply::Acked { room, recv, read }))
}

/// Has a member's receipts written, with those of others, in a while.
fn save_later(chat: &mut Chat, membership: MembershipKey, room: RoomKey) {
    if !chat.rooms[room].is_stored() {
        return;
    }
    if chat.rooms.unsaved.is_empty() {
        let deadline = chat.context.now.tick.after(SAVE_AFTER);
        chat.context.wheel.arm(deadline, Timer::SaveReceipts);
    }
    if !std::mem::replace(&mut chat.rooms[membership].unsaved, true) {
        chat.rooms.unsaved.push(membership);
    }
    if chat.context.stopping {
        // There may be no later any more.
        save_receipts(chat);
    }
}

/// Hands the receipts that have risen to the logs.
pub(in crate::chat) fn save_receipts(chat: &mut Chat) {
    for key in std::mem::take(&mut chat.rooms.unsaved) {
        let Some(row) = chat.rooms.memberships.get_mut(key) else { continue };
        row.unsaved = false;
        put_member(chat, key);
    }
}
