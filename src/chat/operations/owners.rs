//! Owned rooms have an owner, on every path.
//!
//! | how an owner goes | what becomes of the room |
//! |---|---|
//! | it takes a lower role, or leaves others | it cannot while it is the only owner (3004) |
//! | it is forgotten, or erased | the oldest moderator becomes owner, else the oldest member who may speak; if there is none, an administrator decides (`chinwag owner`) |
//! | it leaves an open room as its last member | the room has no owner any more, as one that was made by `join` |
//! | it leaves a private room as its last member | the room ends: at once if nothing is lost, else only by `close` |
//!
//! Who is the oldest is told by when the memberships began. [`membership`](super::membership)
//! appoints the heir; here is what keeps an owner from going.

use super::Chat;
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::code::Code;
use crate::chat::model::reply::{Refusal, Role};

/// Whether a room has another owner than this member.
pub(super) fn is_owned_by_another(chat: &Chat, membership: MembershipKey) -> bool {
    let members = &chat.rooms[chat.rooms[membership].room].members;
    let mut others = members.iter().filter(|&&other| other != membership);
    // By `lookup` and not by the row: an owner who is leaving does not count, or both could leave
    // in one turn.
    others.any(|&other| chat.lookup().role(other) == Role::Owner)
}

/// # Errors
///
/// [`Code::Forbidden`] for the only owner of a room that others are members of.
pub(super) fn check_departure(chat: &Chat, membership: MembershipKey) -> Result<(), Refusal> {
    let row = &chat.rooms[membership];
    let room = &chat.rooms[row.room];
    let is_alone = room.members.len() == 1;
    if !room.owned || row.role < Role::Owner || is_alone || is_owned_by_another(chat, membership) {
        return Ok(());
    }
    let message =
        "you are the only owner of this room; make another member an owner before you leave";
    let heir = heir_of(chat, row.room, Some(membership));
    let heir = heir.map(|heir| chat.directory[chat.rooms[heir].user].name.as_str().to_owned());
    Err(Refusal::new(Code::Forbidden, message).field("user", "another member").hint(heir))
}

/// Who would own the room if it had no owner: the oldest moderator, else the oldest member who may
/// speak, but for `except`.
pub(super) fn heir_of(
    chat: &Chat,
    key: RoomKey,
    except: Option<MembershipKey>,
) -> Option<MembershipKey> {
    let lookup = chat.lookup();
    let candidates = chat.rooms[key].members.iter().filter_map(|&member| {
        let row = &chat.rooms[member];
        let is_moderator = lookup.role(member) == Role::Moderator;
        let may_be = is_moderator || lookup.check_voice(member).is_ok();
        let is_leaving = Some(member) == except || lookup.is_being_removed(key, row.user);
        let name = &chat.directory[row.user].name;
        // The name last, only so that the same members give the same heir on every run.
        (may_be && !is_leaving).then_some(((!is_moderator, row.joined(), name), member))
    });
    candidates.min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, heir)| heir)
}
