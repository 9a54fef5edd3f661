//! Invite links: who makes them, and who comes in by them.

use super::passwords::account_of;
use super::{Answer, Chat, invitations};
use crate::chat::model::account::{
    Hidden, INVITE_ROOMS_MAX, INVITES_MAX, Invite, NewSecret, SecretHash,
};
use crate::chat::model::code::Code;
use crate::chat::model::identity::{Inviters, Registration};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{AuditedAct, PeopleChange};
use crate::chat::model::reply::{Refusal, Reply, Role};
use crate::chat::pending::{PeopleOp, Requester};
use crate::chat::rooms::Audited;

/// For how long the link of the first administrator can be used.
const ADMIN_LINK_MS: u64 = 7 * 86_400_000;

/// # Errors
///
/// [`Code::Unauthorized`] if this server does not let everybody in, and there is no link that does.
pub(super) fn check_invite(
    chat: &Chat,
    given: Option<SecretHash>,
    is_invited: bool,
) -> Result<(), Refusal> {
    let wall_ms = chat.context.now.wall_ms;
    let invite = given.and_then(|hash| chat.accounts.invite(&hash, wall_ms));
    let (message, expected) = match (chat.context.limits.auth.registration, invite) {
        // Also where registration is closed: somebody must be able to become the first
        // administrator.
        (_, Some(invite)) if invite.is_admin => return Ok(()),
        (Registration::Open, _) if !is_invited => return Ok(()),
        (Registration::Open | Registration::Invite, Some(_)) => return Ok(()),
        (Registration::Open | Registration::Invite, None) if is_invited => {
            ("this invite link is not good any more", "a link that was not used up, nor is too old")
        }
        (Registration::Open | Registration::Invite, None) => {
            ("who wants to register here has to be invited", "the secret of an invite link")
        }
        (Registration::Closed, _) => {
            ("nobody can register here: the operator adds accounts", "chinwag user add NAME")
        }
    };
    Err(Refusal::new(Code::Unauthorized, message).field("invite", expected))
}

/// Whether somebody may make invite links.
pub(super) fn may_invite(chat: &Chat, name: &UserName) -> bool {
    let account = chat.accounts.account(name);
    let is_open = chat.context.limits.auth.invites == Inviters::Anyone;
    account.is_some_and(|account| is_open || account.is_admin)
}

pub(super) fn invite_link(
    chat: &mut Chat,
    by: &mut Requester,
    (uses, for_ms, rooms): (u32, u64, &[Box<str>]),
    new: &NewSecret,
) -> Result<Answer, Refusal> {
    let account = account_of(chat, by)?;
    let wall_ms = chat.context.now.wall_ms;
    if !may_invite(chat, &account.name) {
        let message = "only administrators make invite links here ([accounts] invites)";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    // Those that are being written count, or many connections could make more in one turn.
    if chat.accounts.count_invites(wall_ms) + chat.accounts.unwritten_invites >= INVITES_MAX {
        let refusal = Refusal::new(Code::Busy, "there are as many invite links as there may be");
        return Err(refusal.limit(INVITES_MAX).retry_after_ms(60_000));
    }
    // One more than may be, so that too many are noticed without looking at all of them.
    let rooms = rooms.iter().take(INVITE_ROOMS_MAX + 1);
    let rooms =
        rooms.map(|room| room_to_invite_to(chat, by, room)).collect::<Result<Vec<_>, _>>()?;
    if rooms.len() > INVITE_ROOMS_MAX {
        let refusal = Refusal::new(Code::BadField, "rooms are too many").limit(INVITE_ROOMS_MAX);
        return Err(refusal.field("rooms", "at most 16 names"));
    }
    if let Some(key) = rooms.first().and_then(|room| chat.rooms.named(room.as_str())) {
        chat.rooms[key].audited = Audited::Acts;
    }
    let until = wall_ms.saturating_add(for_ms);
    let hash = new.hash();
    let by_name = Some(account.name);
    let act = AuditedAct {
        by: by_name.clone(),
        act: "invite link".into(),
        whom: "".into(),
        room: rooms.first().cloned(),
        at: wall_ms,
    };
    let invite = Invite { hash, uses, until, rooms, by: by_name, is_admin: false };
    let changes = vec![PeopleChange::Invite(invite.clone()), PeopleChange::Audit(act)];
    let secret = Hidden::new(new.text());
    chat.accounts.unwritten_invites += 1;
    chat.change_people(PeopleOp::Invite { by: by.take(), invite, secret }, changes);
    Ok(Answer::Later)
}

/// A room that a link may lead into: the user could invite into it.
pub(super) fn room_to_invite_to(
    chat: &Chat,
    by: &Requester,
    room: &str,
) -> Result<RoomName, Refusal> {
    let (key, membership) = chat.lookup().find_membership(by.user, room)?;
    let row = &chat.rooms[key];
    if row.name.is_direct()
        || (chat.lookup().is_closed(row) && chat.lookup().role(membership) < Role::Moderator)
    {
        let message = "only moderators and owners invite into this room";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    Ok(row.name.clone())
}

/// An invite link is written, or could not be.
pub(super) fn on_invite_made(
    chat: &mut Chat,
    by: Requester,
    (invite, secret): (Invite, Hidden),
    outcome: Result<(), Refusal>,
) {
    chat.accounts.unwritten_invites = chat.accounts.unwritten_invites.saturating_sub(1);
    let result = outcome.map(|()| {
        let (uses, until) = (invite.uses, invite.until);
        chat.accounts.put_invite(invite);
        Answer::Now(Reply::InviteLink { invite: secret, uses, until })
    });
    chat.answer(by, result);
}

/// A user who is in already uses a link for its rooms.
pub(super) fn accept(
    chat: &mut Chat,
    by: &mut Requester,
    given: Option<SecretHash>,
) -> Result<Answer, Refusal> {
    let wall_ms = chat.context.now.wall_ms;
    let invite = given.and_then(|hash| chat.accounts.invite(&hash, wall_ms)).cloned();
    // An administrator's link makes an account. Used by one who has one already it would be lost,
    // and make nobody an administrator.
    let Some(invite) = invite.filter(|invite| !invite.is_admin) else {
        let refusal = Refusal::new(Code::Unauthorized, "this invite link is not good any more");
        return Err(refusal.field("invite", "a link that was not used up, nor is too old"));
    };
    chat.accounts.count_use(&invite.hash, true);
    let changes = vec![PeopleChange::UseInvite(invite.hash)];
    chat.change_people(PeopleOp::Accept { by: by.take(), invite }, changes);
    Ok(Answer::Later)
}

/// The use of a link is written, or could not be.
pub(super) fn on_accepted(
    chat: &mut Chat,
    by: Requester,
    invite: &Invite,
    outcome: Result<(), Refusal>,
) {
    let result = match (outcome, chat.directory.user(by.user)) {
        (Ok(()), Some(user)) => {
            let name = user.name.clone();
            Ok(Answer::Now(Reply::Accepted { rooms: grant(chat, &name, invite) }))
        }
        (outcome, _) => {
            chat.accounts.count_use(&invite.hash, false);
            outcome.map(|()| Answer::Later)
        }
    };
    chat.answer(by, result);
}

/// Lets somebody into the rooms of a link, which are then joined as any other.
pub(super) fn grant(chat: &mut Chat, name: &UserName, invite: &Invite) -> Vec<RoomName> {
    for room in &invite.rooms {
        invitations::grant(chat, room, name, invite.by.as_ref());
    }
    invite.rooms.clone()
}

/// Has a link made for the first administrator, `false` if there is one already.
pub(in crate::chat) fn invite_admin(chat: &mut Chat, secret: &NewSecret) -> bool {
    if !chat.context.limits.auth.accounts || chat.accounts.has_admin() {
        return false;
    }
    let until = chat.context.now.wall_ms.saturating_add(ADMIN_LINK_MS);
    let hash = secret.hash();
    let invite = Invite { hash, uses: 1, until, rooms: Vec::new(), by: None, is_admin: true };
    // The one of an earlier start may stand in some log: only the one that was shown last is good.
    let changes = vec![PeopleChange::EndAdminInvites, PeopleChange::Invite(invite.clone())];
    chat.change_people(PeopleOp::AdminInvite(invite), changes);
    true
}
