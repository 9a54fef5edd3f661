//! How memberships begin and end, and how the store is told.

use super::Chat;
use super::absence::busy;
use super::owners::heir_of;
use super::room_end::{end_watches, retire_room};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::event::{Event, LeftReason};
use crate::chat::model::log::{MemberMeta, Restriction, RoomMeta};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::Act;
use crate::chat::model::reply::{Refusal, Role};
use crate::chat::model::webhook::NoticeKind;
use crate::chat::rooms::{Marks, Membership, no_such_room};
use crate::net::ConnId;

/// Makes `user` a member of the room, if it is not one yet.
///
/// # Errors
///
/// [`Code::RoomFull`], and [`Code::TooManyRooms`] unless `force` is set, as for the other end of a
/// direct conversation, whom others could otherwise shut out.
pub(super) fn begin_membership(
    chat: &mut Chat,
    user: UserKey,
    room: RoomKey,
    role: Role,
    force: bool,
) -> Result<MembershipKey, Refusal> {
    let (row, member) = (&chat.rooms[room], &chat.directory[user]);
    if let Some(membership) = member.membership(room) {
        return Ok(membership);
    }
    let limits = &chat.context.limits;
    let (rooms_max, members_max) = (limits.rooms_per_user, limits.members_per_room);
    // Only who has that many in all is counted.
    let may_be_full = !force && member.memberships.len() >= rooms_max;
    if may_be_full && chat.rooms.counted(&member.memberships, row.name.is_direct()) >= rooms_max {
        let refusal = Refusal::new(Code::TooManyRooms, "you are in as many rooms as you may be");
        return Err(refusal.limit(rooms_max));
    }
    let memberships_max = limits.memberships;
    if chat.rooms.memberships.len() >= memberships_max {
        return Err(busy("the server has as many memberships as it can", memberships_max));
    }
    // Also by force: this bound is the room's, and protects everybody in it.
    if row.members.len() >= members_max {
        return Err(Refusal::new(Code::RoomFull, "the room is full").limit(members_max));
    }
    let name = &chat.directory[user].name;
    // The voice is not given back by leaving and joining.
    let is_reader = chat.lookup().restriction(room, name, Restriction::Reader).is_some();
    let role = if is_reader { role.min(Role::Reader) } else { role };
    // Made at the head, so that nothing from before counts as unread.
    let row = &chat.rooms[room];
    let begun = (chat.context.next_rev(), chat.context.next_joined());
    let member = Membership::new(user, room, role, row.head).since(begun, !force);
    let key = chat.rooms.add_member(&mut chat.directory, member).ok_or_else(no_such_room)?;
    let row = &mut chat.rooms[room];
    if let Some(timer) = row.timer.take_if(|_| row.members.len() == 1) {
        // The room was to be dropped.
        chat.context.wheel.cancel(timer);
    }
    chat.ephemeral_mut().presence_changed(key);
    chat.ephemeral_mut().profile_joined(key);
    // Before the membership: a crash that keeps one of the two keeps the notice.
    notice(chat, (room, user), NoticeKind::Joined(role));
    put_member(chat, key);
    Ok(key)
}

/// Tells the webhooks of a membership. Those of direct conversations are nobody else's business.
fn notice(chat: &mut Chat, (room, user): (RoomKey, UserKey), what: NoticeKind) {
    let room = &chat.rooms[room];
    if !room.name.is_direct() {
        let place = (&room.name, !room.is_stored());
        chat.context.notice(Some(place), Some(&chat.directory[user].name), what);
    }
}

/// Has the store keep a membership as it is; not while an act of moderation about it is under way,
/// which the store must not see undone. Returns whether it has.
pub(super) fn put_member(chat: &mut Chat, key: MembershipKey) -> bool {
    let row = &chat.rooms[key];
    let (name, room) = (&chat.directory[row.user].name, &chat.rooms[row.room]);
    let concerns = |act| matches!(act, Act::Kick | Act::Ban { .. } | Act::Role(_));
    let is_put = room.is_stored() && !room.moderation.pending_acts(name).any(concerns);
    if is_put {
        let member = member_meta(chat, key);
        room.put_meta(&mut chat.context, RoomMeta::Member(name.clone(), Some(member)));
    }
    is_put
}

/// What the store keeps of a membership: with the marks that are on their way there, so that no
/// other change of it takes them back.
pub(super) fn member_meta(chat: &Chat, key: MembershipKey) -> MemberMeta {
    let row = &chat.rooms[key];
    let Marks { recv, read } = row.marks().max(chat.rooms.unkept.of(key));
    MemberMeta { role: row.role, recv, read, joined: row.joined() }
}

/// Ends a membership and all subscriptions that came with it; with a `reason`, all of the user's
/// sessions are told.
pub(super) fn end_membership(chat: &mut Chat, key: MembershipKey, reason: Option<LeftReason>) {
    let Some((user, room)) = chat.rooms.memberships.get(key).map(|row| (row.user, row.room)) else {
        return;
    };
    let connections = chat.directory[user].connections();
    // Cursors go first, since each names its user's membership.
    for &conn in &connections {
        chat.delivery_mut().unsubscribe(conn, room);
    }
    chat.delivery_mut().fan_out(room);
    if let Some(reason) = reason {
        end_watches(chat, (user, room), reason);
    }
    // After the fan-out: nothing of the room follows what says that the membership has ended.
    if reason.is_some() {
        note_departure(chat, room, &chat.directory[user].name.clone());
        let name = chat.directory[user].name.clone();
        chat.directory.pushes.leave(&name, &chat.rooms[room].name);
    }
    if chat.rooms[key].is_confirmed || !chat.rooms[room].name.is_direct() {
        let user = &chat.directory[user].name;
        // By each of its names: who was away may know it by one that it had before.
        let names: Vec<RoomName> = chat.rooms[room].names().cloned().collect();
        for name in names {
            chat.rooms.removals.add(chat.context.next_rev(), user, &name);
        }
    }
    notice(chat, (room, user), NoticeKind::Left(reason));
    let row = &chat.rooms[room];
    if let Some(reason) = reason {
        // A token that is good for other rooms does not learn of this one, nor why it has left.
        let is_told = |to: ConnId| row.may_be_read(&chat.directory, to);
        for to in connections.iter().copied().filter(|&to| is_told(to)) {
            chat.context.tell(to, Event::Left { room: row.name.clone(), reason });
        }
    }
    if !matches!(reason, Some(LeftReason::Kicked | LeftReason::Banned | LeftReason::Closed)) {
        // Those are kept together with the record, or go with the room.
        let name = chat.directory[user].name.clone();
        row.put_meta(&mut chat.context, RoomMeta::Member(name, None));
    }
    if chat.directory[user].is_awaited
        && let Some(other) = chat.rooms[room].name.other_than(&chat.directory[user].name)
    {
        chat.directory.awaited.end(other);
    }
    // Before the row goes, which says what was told of the member.
    chat.ephemeral_mut().forget_member(key);
    let ended = chat.rooms.remove_member(&mut chat.directory, key);
    // After the row has gone: the heir is looked for among those who stay.
    if ended.is_some_and(|row| row.role == Role::Owner) && !chat.context.follows {
        appoint_owner(chat, room);
    }
    retire_room(chat, room);
}

/// A room's owner is gone, without having been asked: if that was the only one, the oldest
/// moderator becomes owner, else the oldest member who may speak. If there is none, the room waits
/// for an administrator.
fn appoint_owner(chat: &mut Chat, key: RoomKey) {
    if !chat.rooms[key].owned || chat.rooms.members(key).any(|row| row.role == Role::Owner) {
        return;
    }
    let Some(heir) = heir_of(chat, key, None) else { return };
    chat.rooms[heir].role = Role::Owner;
    put_member(chat, heir);
}

/// The user has left the room by itself, or was removed: a position from before the log was lost
/// does not bring it back.
pub(super) fn note_departure(chat: &mut Chat, room: RoomKey, user: &UserName) {
    if !chat.rooms[room].is_stored() {
        chat.rooms.departed.add(room, user);
    }
}
