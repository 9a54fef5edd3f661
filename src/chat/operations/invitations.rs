//! Invitations: state that is kept until the invited user enters, declines, or the invitation is
//! withdrawn, runs out or ends by a ban.
//!
//! | | by | in memory | told |
//! |---|---|---|---|
//! | `invite` | a moderator; in an open room any member | at once, so that one asked for meanwhile counts it | when it is written: the same one again is no new event |
//! | `uninvite` | a moderator, the inviter; in a room without an owner any member | at once | no |
//! | `leave` by the invited | the invited | at once | no |
//!
//! What cannot be written is taken back. Invitations have bounds of their own, for a room and for a
//! user, and take no place of a ban.

use super::moderation::restrict;
use super::{Answer, Chat, grants, load, outsiders, tell_other_nodes};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::event::Event;
use crate::chat::model::limits::{
    INVITATION_LASTS, INVITATIONS_OF_ROOM_MAX, INVITATIONS_OF_USER_MAX, RESTRICTION_OVERHEAD,
};
use crate::chat::model::log::{Expiry, LogRequest, Restriction, RestrictionMeta, RoomMeta};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::reply::{Invitation, Refusal, Reply, Role};
use crate::chat::pending::{InvitationChange, PendingInvitation, PendingOp, Requester};
use crate::chat::rooms::not_member;
use crate::net::ConnId;
use crate::time::millis;

/// Bytes that an `invited` event takes besides its reason, at most.
const INVITED_BYTES: usize = 160;
/// Bytes that a byte of the reason takes in an event, at most.
const REASON_BYTE_LEN_MAX: usize = 6;

/// Invites a user, and lets it into a closed room.
///
/// # Errors
///
/// Those of finding the room, [`Code::Forbidden`] for what the role does not allow and for a user
/// that is banned, and [`Code::RateLimited`] if the room or the user has as many open invitations
/// as it may.
pub(super) fn invite(
    chat: &mut Chat,
    by: &mut Requester,
    (name, invited): (&str, &str),
    reason: &str,
) -> Result<Answer, Refusal> {
    let lookup = chat.lookup();
    let (key, membership) = lookup.find_membership(by.user, name)?;
    check_not_direct(chat, key)?;
    if lookup.is_closed(&chat.rooms[key]) && lookup.role(membership) < Role::Moderator {
        return forbidden("only the owner and moderators may invite into this room");
    }
    let invited = lookup.user_name(("user", invited), Some(key))?;
    if invited == chat.directory[by.user].name {
        return forbidden("you cannot do this to yourself");
    }
    if lookup.is_banned(key, &invited) {
        return forbidden("this user is banned; unban ends that");
    }
    // No refusal: what the inviter wants is so already, and a repeated request must not fail.
    if lookup.member_named(key, &invited).is_some() {
        return Ok(Answer::Now(Reply::Done));
    }
    let is_known = lookup.restriction(key, &invited, Restriction::Invited).is_some();
    if !is_known {
        check_bounds(chat, key, (&invited, Some(&chat.directory[by.user].name)))?;
        let meta = given_now(chat, Some(&chat.directory[by.user].name), reason);
        set_invited(chat, (key, &invited), Some(meta));
    }
    change(chat, by, key, (invited, InvitationChange::Given { is_new: !is_known }))
}

/// Withdraws an invitation.
///
/// # Errors
///
/// Those of finding the room, [`Code::Forbidden`] for what the role does not allow, and
/// [`Code::NoSuchUser`] if nobody of this name is invited.
pub(super) fn uninvite(
    chat: &mut Chat,
    by: &mut Requester,
    (name, invited): (&str, &str),
) -> Result<Answer, Refusal> {
    let lookup = chat.lookup();
    let (key, membership) = lookup.find_membership(by.user, name)?;
    check_not_direct(chat, key)?;
    let invited = lookup.user_name(("user", invited), Some(key))?;
    let wall_ms = chat.context.now.wall_ms;
    let meta = chat.rooms[key].moderation.find(&invited, Restriction::Invited, wall_ms).cloned();
    if !may_end(chat, membership, meta.as_ref()) {
        return forbidden("only the owner, moderators and who has invited may do this");
    }
    let Some(meta) = meta else {
        let refusal = Refusal::new(Code::NoSuchUser, "nobody of this name is invited here");
        return Err(refusal.field("user", "another user"));
    };
    set_invited(chat, (key, &invited), None);
    change(chat, by, key, (invited, InvitationChange::Withdrawn(meta)))
}

/// The user does not want to enter a room into which it is invited; `None` if it is not.
pub(super) fn decline(
    chat: &mut Chat,
    by: &mut Requester,
    name: &str,
) -> Option<Result<Answer, Refusal>> {
    let key = chat.rooms.named(name)?;
    let user = chat.directory[by.user].name.clone();
    let wall_ms = chat.context.now.wall_ms;
    let meta = chat.rooms[key].moderation.find(&user, Restriction::Invited, wall_ms).cloned()?;
    set_invited(chat, (key, &user), None);
    Some(change(chat, by, key, (user, InvitationChange::Declined(meta))))
}

/// Whether a member may end an invitation, or could if there were one.
pub(super) fn may_end(
    chat: &Chat,
    membership: MembershipKey,
    invitation: Option<&RestrictionMeta>,
) -> bool {
    let row = &chat.rooms[membership];
    let is_inviter =
        invitation.is_some_and(|meta| meta.by.as_ref() == Some(&chat.directory[row.user].name));
    let room = &chat.rooms[row.room];
    let is_open = !chat.lookup().is_closed(room);
    let may_moderate = chat.lookup().role(membership) >= Role::Moderator;
    may_moderate || is_inviter || (is_open && (!room.owned || invitation.is_none()))
}

fn check_not_direct(chat: &Chat, key: RoomKey) -> Result<(), Refusal> {
    if chat.rooms[key].name.is_direct() {
        return forbidden("a direct conversation is of two");
    }
    Ok(())
}

fn forbidden<T>(message: &'static str) -> Result<T, Refusal> {
    Err(Refusal::new(Code::Forbidden, message))
}

/// # Errors
///
/// [`Code::RateLimited`] until the next invitation of the room, or of the user, runs out.
/// Those by users whom the invited one has blocked crowd out no others.
fn check_bounds(
    chat: &Chat,
    key: RoomKey,
    (invited, by): (&UserName, Option<&UserName>),
) -> Result<(), Refusal> {
    let wall_ms = chat.context.now.wall_ms;
    let of_room = chat.rooms[key].moderation.holding(wall_ms);
    let of_room = of_room.filter(|(_, kind, _)| *kind == Restriction::Invited);
    let of_room = of_room.map(|(.., meta)| meta.expiry.until);
    check_bound(of_room, INVITATIONS_OF_ROOM_MAX, wall_ms, "this room")?;
    let is_blocked = |by: Option<&UserName>| is_blocked(chat, invited, by);
    let of_user = chat.lookup().invitations(invited);
    let of_user = of_user.filter(|(_, meta)| is_blocked(by) || !is_blocked(meta.by.as_ref()));
    let of_user = of_user.map(|(_, meta)| meta.expiry.until);
    check_bound(of_user, INVITATIONS_OF_USER_MAX, wall_ms, "this user")
}

fn check_bound(
    ends: impl Iterator<Item = Option<u64>>,
    limit: usize,
    wall_ms: u64,
    whose: &str,
) -> Result<(), Refusal> {
    let (count, first) = ends
        .fold((0, u64::MAX), |(count, first), end| (count + 1, first.min(end.unwrap_or(u64::MAX))));
    if count < limit {
        return Ok(());
    }
    let message = format!("{whose} has as many open invitations as it may; uninvite ends one");
    let wait = first.saturating_sub(wall_ms).clamp(1, millis(INVITATION_LASTS));
    Err(Refusal::new(Code::RateLimited, message).limit(limit).retry_after_ms(wait))
}

/// Answers when the change, which memory has already, is written.
fn change(
    chat: &mut Chat,
    by: &mut Requester,
    room: RoomKey,
    (user, change): (UserName, InvitationChange),
) -> Result<Answer, Refusal> {
    let invitation = Box::new(PendingInvitation { user, change });
    let (log, is_stored) = (chat.rooms[room].log, chat.rooms[room].is_stored());
    if !is_stored {
        return on_synced(chat, by, (room, *invitation), Ok(()));
    }
    let ticket = chat.begin(PendingOp::Invite { by: by.take(), room, invitation });
    chat.context.requests.push_back(LogRequest::Sync { log, ticket });
    Ok(Answer::Later)
}

/// A change of an invitation is written, or could not be: then it is taken back.
///
/// # Errors
///
/// That of the log, and [`Code::NotMember`] for an inviter that is no member any more.
pub(in crate::chat) fn on_synced(
    chat: &mut Chat,
    by: &Requester,
    (key, invitation): (RoomKey, PendingInvitation),
    outcome: Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    let PendingInvitation { user, change } = invitation;
    let inviter = chat.directory.user(by.user);
    let is_member = inviter.is_some_and(|user| user.membership(key).is_some());
    let outcome = match change {
        // Who was removed while the log wrote must not leave an invitation behind that nobody has
        // authority for.
        InvitationChange::Given { .. } if !is_member => outcome.and_then(|()| Err(not_member())),
        _ => outcome,
    };
    if outcome.is_err() {
        match change {
            InvitationChange::Given { is_new: true } => set_invited(chat, (key, &user), None),
            InvitationChange::Given { is_new: false } => {}
            InvitationChange::Withdrawn(meta) | InvitationChange::Declined(meta) => {
                set_invited(chat, (key, &user), Some(meta));
            }
        }
        super::room_end::retire_room(chat, key);
        return outcome.map(|()| Answer::Later);
    }
    let reply = match change {
        InvitationChange::Given { is_new } => {
            if is_new {
                tell_invited(chat, key, &user);
                tell_other_nodes::point_name_to(chat, key, &user);
            }
            Reply::Done
        }
        InvitationChange::Withdrawn(_) => Reply::Done,
        InvitationChange::Declined(_) => Reply::Left { room: chat.rooms[key].name.clone() },
    };
    outsiders::recheck_user(chat, &user);
    super::room_end::retire_room(chat, key);
    Ok(Answer::Now(reply))
}

/// The user has entered: the invitation has served.
pub(super) fn use_invitation(chat: &mut Chat, key: RoomKey, user: UserKey) {
    if !chat.lookup().is_invited(key, user) {
        return;
    }
    let name = chat.directory[user].name.clone();
    // Both are good for one entry: one that stayed would let the user in again after a kick.
    for kind in [Restriction::Invited, Restriction::MayReturn] {
        if chat.lookup().restriction(key, &name, kind).is_some() {
            set(chat, (key, &name), kind, None);
        }
    }
}

/// Whether the invited user wants to hear nothing of the inviter.
fn is_blocked(chat: &Chat, invited: &UserName, by: Option<&UserName>) -> bool {
    by.is_some_and(|by| chat.directory.blocks.has(invited, by))
}

/// The open invitations of a user that are shown, by room.
pub(super) fn of_user(chat: &Chat, user: UserKey) -> Vec<Invitation> {
    let name = &chat.directory[user].name;
    let found = chat.lookup().invitations(name);
    let found = found.filter(|(_, meta)| !is_blocked(chat, name, meta.by.as_ref()));
    let mut found: Vec<Invitation> = found
        .map(|(key, meta)| Invitation {
            room: chat.rooms[key].name.clone(),
            by: meta.by.clone(),
            at: meta.at,
            reason: meta.expiry.reason.clone(),
        })
        .collect();
    found.sort_unstable_by(|a, b| a.room.cmp(&b.room));
    found
}

/// Those of which the connection may know.
pub(super) fn seen_by(chat: &Chat, (conn, user): (ConnId, UserKey)) -> Vec<Invitation> {
    let mut all = of_user(chat, user);
    all.retain(|row| grants::may_read(chat, conn, row.room.as_str()));
    all
}

/// As many of these as take so many bytes when they are rendered, and whether there are more.
pub(super) fn within(
    mut invitations: Vec<Invitation>,
    bytes_max: usize,
) -> (Vec<Invitation>, bool) {
    let mut bytes = 0;
    let fitting = invitations.iter().take_while(|invitation| {
        bytes += len_max(invitation);
        bytes <= bytes_max
    });
    let fitting = fitting.count();
    let has_more = fitting < invitations.len();
    invitations.truncate(fitting);
    (invitations, has_more)
}

/// Bytes that an invitation takes at most when it is rendered: each of the reason may be escaped.
pub(super) fn len_max(invitation: &Invitation) -> usize {
    let Invitation { room, by, reason, .. } = invitation;
    let by = by.as_ref().map_or(0, |by| by.as_str().len());
    RESTRICTION_OVERHEAD + room.as_str().len() + by + 2 * reason.len()
}

/// Lets somebody into a closed room, by a link that was made by somebody who could invite there.
/// Nothing happens if there is no such room any more, the user is banned there, or who made the
/// link could not invite any more.
pub(super) fn grant(chat: &mut Chat, room: &RoomName, user: &UserName, by: Option<&UserName>) {
    if chat.pending.loads.on_demand && chat.rooms.named(room.as_str()).is_none() {
        return load::wait_grant(chat, room, (user, by));
    }
    grant_now(chat, room, user, by);
}

/// The same for a room that is in memory, if there is one.
pub(super) fn grant_now(chat: &mut Chat, room: &RoomName, user: &UserName, by: Option<&UserName>) {
    let Some(key) = chat.rooms.named(room.as_str()) else { return };
    let lookup = chat.lookup();
    // Who made the link may have lost the right since, and the name may be another room's by now.
    let may_invite = |by| {
        let member = lookup.member_named(key, by);
        member.is_some_and(|member| lookup.role(member) >= Role::Moderator)
    };
    if !lookup.is_closed(&chat.rooms[key])
        || !by.is_none_or(may_invite)
        || lookup.is_banned(key, user)
        || check_bounds(chat, key, (user, by)).is_err()
    {
        return;
    }
    let meta = given_now(chat, by, "");
    set_invited(chat, (key, user), Some(meta));
}

/// An invitation that somebody gives now.
fn given_now(chat: &Chat, by: Option<&UserName>, reason: &str) -> RestrictionMeta {
    let wall_ms = chat.context.now.wall_ms;
    let until = Some(wall_ms.saturating_add(millis(INVITATION_LASTS)));
    let expiry = Expiry { until, reason: reason.into() };
    RestrictionMeta { by: by.cloned(), at: Some(wall_ms), expiry }
}

fn set_invited(chat: &mut Chat, at: (RoomKey, &UserName), meta: Option<RestrictionMeta>) {
    set(chat, at, Restriction::Invited, meta);
}

fn set(
    chat: &mut Chat,
    (key, user): (RoomKey, &UserName),
    kind: Restriction,
    meta: Option<RestrictionMeta>,
) {
    restrict(chat, (key, user), kind, meta.clone());
    let meta = RoomMeta::Restriction(user.clone(), kind, meta);
    chat.rooms[key].put_meta(&mut chat.context, meta);
}

/// Tells the live sessions of the invited user, but for those that have too much to take already:
/// they can ask.
pub(super) fn tell_invited(chat: &mut Chat, key: RoomKey, invited: &UserName) {
    let Some(user) = chat.directory.user_named(invited.as_str()) else { return };
    let room = &chat.rooms[key];
    let wall_ms = chat.context.now.wall_ms;
    let Some(meta) = room.moderation.find(invited, Restriction::Invited, wall_ms) else { return };
    let Some(from) = &meta.by else { return };
    if is_blocked(chat, invited, Some(from)) {
        return;
    }
    let (turn, limit) = (chat.context.turn, chat.context.outbound_limit() / 2);
    let bytes = INVITED_BYTES + REASON_BYTE_LEN_MAX * meta.expiry.reason.len();
    for session in &chat.directory[user].sessions {
        let to = session.conn;
        if !room.may_be_read(&chat.directory, to) {
            continue;
        }
        let Some(reader) = chat.delivery.reader_mut(to) else { continue };
        // Invitations come from others, so they must not be able to make a reader lag.
        if reader.credit.owed(turn) <= limit {
            reader.credit.give(turn, bytes);
            let (room, from) = (room.name.clone(), from.clone());
            let reason = meta.expiry.reason.clone();
            chat.context.tell(to, Event::Invited { room, from, reason });
        }
    }
}
