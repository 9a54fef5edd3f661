//! `restrictions`: what holds of users in a room, for those who may end it.

use super::{Answer, Chat, admins, invitations};
use crate::chat::keys::UserKey;
use crate::chat::model::code::Code;
use crate::chat::model::limits::{PAGE_BYTES_MAX, RESTRICTION_OVERHEAD, RESTRICTIONS_PAGE_MAX};
use crate::chat::model::log::{Restriction, RestrictionMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::reply::{Refusal, Reply};
use crate::net::ConnId;

/// A restriction as it is listed.
type Row = (UserName, Restriction, RestrictionMeta);

/// A page of the bans, mutes, readers and invitations of a room, by user: whole users only, so that
/// the next page goes on after the last one's name. In a room without an owner there are none but
/// invitations.
///
/// # Errors
///
/// Those of finding the membership, and [`Code::Forbidden`] for members of a room with an owner.
pub(super) fn restrictions(
    chat: &Chat,
    by: (ConnId, UserKey),
    name: &str,
    (limit, after): (Option<u32>, Option<&str>),
) -> Result<Answer, Refusal> {
    let authority = admins::authority(chat, by, name)?;
    let room = &chat.rooms[authority.room];
    let may_moderate = authority.may_moderate();
    if room.name.is_direct() || (room.owned && !may_moderate) {
        let message = "only the owner and moderators may see this";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    let is_listed = |(user, kind, meta): &&Row| {
        let may_end = match kind {
            Restriction::Invited => authority
                .membership
                .is_some_and(|membership| invitations::may_end(chat, membership, Some(meta))),
            Restriction::Banned | Restriction::Muted | Restriction::Reader => may_moderate,
            Restriction::MayReturn => false,
        };
        may_end && after.is_none_or(|after| user.as_str() > after)
    };
    let limit = usize::try_from(limit.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let limit = limit.clamp(1, RESTRICTIONS_PAGE_MAX);
    let mut rows = room.moderation.holding(chat.context.now.wall_ms).filter(is_listed).peekable();
    let mut items: Vec<Row> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next_if(|row| {
        let has_room = items.len() < limit && bytes + len_max(row) <= PAGE_BYTES_MAX;
        // A user is on one page: a kind or three more is all that there can be.
        has_room || items.last().is_some_and(|last| last.0 == row.0)
    }) {
        bytes += len_max(row);
        items.push(row.clone());
    }
    let more = rows.peek().is_some();
    Ok(Answer::Now(Reply::Restrictions { room: room.name.clone(), items, more }))
}

/// Bytes that a row takes at most when it is rendered: each of the reason may be escaped.
fn len_max((user, _, meta): &Row) -> usize {
    let by = meta.by.as_ref().map_or(0, |by| by.as_str().len());
    RESTRICTION_OVERHEAD + user.as_str().len() + by + 2 * meta.expiry.reason.len()
}
