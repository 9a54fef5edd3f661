//! `members`: who belongs to a room.

use super::{Answer, Chat, outsiders};
use crate::chat::directory::Quota;
use crate::chat::model::limits::PRESENCE_NAMES_MAX;
use crate::chat::model::name::UserName;
use crate::chat::model::reply::{Refusal, Reply, Role};
use crate::chat::pending::Requester;
use crate::chat::rooms::Membership;

/// A page of the members, by name; in large rooms only how many there are, and that there are more
/// than are named, unless a page of a certain length is asked for.
///
/// # Errors
///
/// Those of finding the room, and [`Code::RateLimited`](crate::chat::Code::RateLimited) in a large
/// one.
pub(super) fn members(
    chat: &mut Chat,
    by: &Requester,
    name: &str,
    (limit, after): (Option<u32>, Option<&str>),
) -> Result<Answer, Refusal> {
    let (key, _) = outsiders::reads(chat, (by.conn, by.user), name)?;
    if let Some(pair) = chat.rooms[key].name.pair() {
        return Ok(Answer::Now(both_ends(pair, (limit, after))));
    }
    let members = chat.rooms[key].members.len();
    let count = u64::try_from(members).unwrap_or(u64::MAX);
    // A list of ten thousand names is of no use to a person, and a client that asks for it at each
    // join would cost more than the messages. Who asks for a page by its length wants to turn it.
    if members > PRESENCE_NAMES_MAX {
        if limit.is_none() {
            return Ok(Answer::Now(Reply::Members { count, users: Vec::new(), more: true }));
        }
        chat.quotas.take(chat.context.now.tick, by.user, (Quota::Readings, 1))?;
    }
    let most = u32::try_from(PRESENCE_NAMES_MAX).unwrap_or(u32::MAX);
    let limit = limit.unwrap_or(most).min(most);
    // By name and not by number, so that a page is right although members come and go between two
    // of them.
    let named = |row: &Membership| (&chat.directory[row.user].name, row.role);
    let is_after = |name: &UserName| after.is_none_or(|after| name.as_str() > after);
    let mut users: Vec<(&UserName, Role)> =
        chat.rooms.members(key).map(named).filter(|(name, _)| is_after(name)).collect();
    // One more than the page, which says whether there are more; the others need no order.
    let shown = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    if users.len() > shown {
        users.select_nth_unstable(shown);
        users.truncate(shown);
    }
    users.sort_unstable();
    let users = users.into_iter().map(|(name, role)| (name.clone(), role)).collect();
    Ok(Answer::Now(page(count, users, Some(limit))))
}

/// A direct conversation is of two, also while one has it in the inbox no more: who has left it, or
/// has blocked the other, is not told from who has not.
fn both_ends((a, b): (&str, &str), (limit, after): (Option<u32>, Option<&str>)) -> Reply {
    let ends = [a, b].into_iter().filter(|name| after.is_none_or(|after| *name > after));
    let users = ends.filter_map(UserName::stored).map(|name| (name, Role::Member)).collect();
    page(2, users, limit)
}

fn page(count: u64, mut users: Vec<(UserName, Role)>, limit: Option<u32>) -> Reply {
    let limit = usize::try_from(limit.unwrap_or(u32::MAX).max(1)).unwrap_or(usize::MAX);
    let more = users.len() > limit;
    users.truncate(limit);
    Reply::Members { count, users, more }
}
