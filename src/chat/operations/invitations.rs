//! Invitations into rooms.

use super::moderation::restrict;
use super::{Answer, Chat};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::event::Event;
use crate::chat::model::log::{LogRequest, Restriction, RestrictionMeta, RoomMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::reply::{Refusal, Reply, Role};
use crate::chat::pending::{PendingOp, Requester};
use crate::chat::rooms::{not_member, parse_user};

/// Bytes that an `invited` event takes, at most.
const INVITED_BYTES: usize = 128;

/// Lets a user into a closed room, and tells them.
///
/// # Errors
///
/// Those of finding the room, [`Code::Forbidden`] for what the role does not allow and for a user
/// that is banned, and [`Code::TooLarge`] if the room has as many restrictions as it may.
pub(super) fn invite(
    chat: &mut Chat,
    by: &mut Requester,
    name: &str,
    invited: &str,
) -> Result<Answer, Refusal> {
    let lookup = chat.lookup();
    let (key, membership) = lookup.find_membership(by.user, name)?;
    let forbidden = |message: &'static str| Err(Refusal::new(Code::Forbidden, message));
    let room = &chat.rooms[key];
    if room.name.is_direct() {
        return forbidden("a direct conversation is of two");
    }
    let is_closed = lookup.is_closed(room);
    if is_closed && lookup.role(membership) < Role::Moderator {
        return forbidden("only the owner and moderators may invite into this room");
    }
    let invited = parse_user("user", invited)?;
    if invited == chat.directory[by.user].name {
        return forbidden("you cannot do this to yourself");
    }
    if lookup.is_banned(key, &invited) {
        return forbidden("this user is banned; unban ends that");
    }
    if lookup.member_named(key, &invited).is_some() {
        return Ok(Answer::Now(Reply::Done));
    }
    if is_closed {
        let (log, is_stored) = (room.log, room.is_stored());
        set_invited(chat, key, &invited, Some(RestrictionMeta::default()));
        if is_stored {
            let ticket = chat.begin(PendingOp::Invite { by: by.take(), room: key, invited });
            chat.context.requests.push_back(LogRequest::Sync { log, ticket });
            return Ok(Answer::Later);
        }
    }
    tell_invited(chat, key, by.user, &invited);
    Ok(Answer::Now(Reply::Done))
}

/// An invitation has been written, or could not be: then there is none.
///
/// # Errors
///
/// That of the log, and [`Code::NotMember`] for an inviter that is no member any more.
pub(in crate::chat) fn on_invite_synced(
    chat: &mut Chat,
    by: &Requester,
    (key, invited): (RoomKey, &UserName),
    outcome: Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    let inviter = chat.directory.user(by.user);
    if inviter.is_none_or(|user| user.membership(key).is_none()) {
        super::room_end::retire_room(chat, key);
        return Err(not_member());
    }
    match outcome {
        Ok(()) => {
            tell_invited(chat, key, by.user, invited);
            Ok(Answer::Now(Reply::Done))
        }
        Err(refusal) => {
            set_invited(chat, key, invited, None);
            Err(refusal)
        }
    }
}

/// The user has entered: the invitation has served.
pub(super) fn use_invitation(chat: &mut Chat, key: RoomKey, user: UserKey) {
    if !chat.lookup().is_invited(key, user) {
        return;
    }
    let name = chat.directory[user].name.clone();
    for kind in [Restriction::Invited, Restriction::MayReturn] {
        if chat.lookup().restriction(key, &name, kind).is_some() {
            restrict(chat, (key, &name), kind, None);
            let meta = RoomMeta::Restriction(name.clone(), kind, None);
            chat.rooms[key].put_meta(&mut chat.context, meta);
        }
    }
}

fn set_invited(chat: &mut Chat, key: RoomKey, user: &UserName, meta: Option<RestrictionMeta>) {
    restrict(chat, (key, user), Restriction::Invited, meta.clone());
    let meta = RoomMeta::Restriction(user.clone(), Restriction::Invited, meta);
    chat.rooms[key].put_meta(&mut chat.context, meta);
}

/// Tells the live sessions of the invited user, but for those that have too much to take already.
fn tell_invited(chat: &mut Chat, key: RoomKey, from: UserKey, invited: &UserName) {
    let Some(user) = chat.directory.user_named(invited.as_str()) else { return };
    let (room, from) = (&chat.rooms[key].name, &chat.directory[from].name);
    let (turn, limit) = (chat.context.turn, chat.context.limits.outbound_soft / 2);
    for session in &chat.directory[user].sessions {
        let to = session.conn;
        let Some(reader) = chat.delivery.reader_mut(to) else { continue };
        // Invitations come from others, so they must not be able to make a reader lag.
        if reader.credit.owed(turn) <= limit {
            reader.credit.force(turn, INVITED_BYTES);
            let event = Event::Invited { room: room.clone(), from: from.clone() };
            chat.context.tell(to, event);
        }
    }
}
