//! `members`: who belongs to a room.

use super::{Answer, Chat, standing};
use crate::chat::model::limits::PRESENCE_NAMES_MAX;
use crate::chat::model::name::UserName;
use crate::chat::model::reply::{Refusal, Reply, Role};
use crate::chat::pending::Requester;

/// A page of the members, by name; in large rooms only how many there are.
///
/// # Errors
///
/// Those of finding the room.
pub(super) fn members(
    chat: &Chat,
    by: &Requester,
    name: &str,
    (limit, after): (Option<u32>, Option<&str>),
) -> Result<Answer, Refusal> {
    let (key, _) = standing::reads(chat, (by.conn, by.user), name)?;
    let members = chat.rooms[key].members.len();
    let count = u64::try_from(members).unwrap_or(u64::MAX);
    // A list of ten thousand names is of no use to a person, and a client that asks for it at each
    // join would cost more than the messages.
    if members > PRESENCE_NAMES_MAX {
        return Ok(Answer::Now(Reply::Members { count, users: Vec::new(), more: false }));
    }
    let named =
        |row: &crate::chat::rooms::Membership| (chat.directory[row.user].name.clone(), row.role);
    let mut users: Vec<(UserName, Role)> = chat.rooms.members(key).map(named).collect();
    users.sort_unstable();
    // By name and not by number, so that a page is right although members come and go between two
    // of them.
    users.retain(|(name, _)| after.is_none_or(|after| name.as_str() > after));
    let limit = usize::try_from(limit.unwrap_or(u32::MAX).max(1)).unwrap_or(usize::MAX);
    let more = users.len() > limit;
    users.truncate(limit);
    Ok(Answer::Now(Reply::Members { count, users, more }))
}
