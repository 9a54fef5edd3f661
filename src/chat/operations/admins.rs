//! Administrators: who is one now, and what one may do in rooms.
//!
//! An account is one as long as its row says so; who has come by a token, as long as that holds.
//!
//! An administrator acts over others in every room but conversations of two, as member or not:
//! deletes messages, kicks, mutes, bans, gives roles, lists restrictions, settles reports, reads
//! what was audited. It is a record of the room and an entry of the audit, as of anybody. To read
//! and to speak it has to be a member as anybody. A room keeps an owner: the only one can neither
//! be removed nor be given a lower role before there is another.

use super::{Chat, outsiders};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::identity::Source;
use crate::chat::model::name::UserName;
use crate::chat::model::reply::{Refusal, Role};
use crate::net::ConnId;

/// Whether this connection is an administrator's.
pub(super) fn is_admin(chat: &Chat, (conn, user): (ConnId, UserKey)) -> bool {
    let row = &chat.directory[user];
    match row.source {
        Source::Account => chat.accounts.account(&row.name).is_some_and(|row| row.is_admin),
        Source::Token => chat.directory.credentials.get(conn).is_some_and(|row| row.is_admin),
        Source::None | Source::Guest | Source::Header | Source::Key | Source::Retired => false,
    }
}

/// Whether the user of this name is an administrator now.
pub(super) fn is_named(chat: &Chat, name: &UserName) -> bool {
    let Some(user) = chat.directory.user_named(name.as_str()) else { return false };
    chat.directory[user].sessions.iter().any(|session| is_admin(chat, (session.conn, user)))
}

/// Where somebody acts over others, and by what right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authority {
    pub room: RoomKey,
    pub membership: Option<MembershipKey>,
    /// The role of the membership.
    pub role: Option<Role>,
    pub is_admin: bool,
}

impl Authority {
    /// Whether it may do what moderators may.
    pub(super) fn may_moderate(&self) -> bool {
        self.is_admin || self.role.is_some_and(|role| role >= Role::Moderator)
    }
}

/// The room in which somebody wants to act over others.
///
/// # Errors
///
/// Those of finding the membership, which an administrator does not need but in conversations of
/// two.
pub(super) fn authority(
    chat: &Chat,
    by: (ConnId, UserKey),
    name: &str,
) -> Result<Authority, Refusal> {
    // The operator stands above all roles.
    if outsiders::is_operator(chat, by.0) {
        let room = outsiders::moderated(chat, name)?;
        return Ok(Authority { room, membership: None, role: None, is_admin: true });
    }
    let found = chat.lookup().find_membership(by.1, name);
    let in_room = |room: RoomKey, membership: Option<MembershipKey>| {
        let is_admin = !chat.rooms[room].name.is_direct() && is_admin(chat, by);
        let role = membership.map(|membership| chat.lookup().role(membership));
        Authority { room, membership, role, is_admin }
    };
    match found {
        Ok((room, membership)) => Ok(in_room(room, Some(membership))),
        Err(refusal) => {
            let room = chat.rooms.named(name).map(|room| in_room(room, None));
            room.filter(|found| found.is_admin).ok_or(refusal)
        }
    }
}

/// The connections of all administrators, with their names.
pub(super) fn connections(chat: &Chat) -> Vec<(ConnId, UserName)> {
    let named = chat.accounts.admins().filter_map(|name| chat.directory.user_named(name.as_str()));
    let by_token = chat.directory.credentials.connections();
    let by_token = by_token.filter_map(|conn| Some((conn, chat.delivery.reader(conn)?.user)));
    let by_account = named.flat_map(|user| {
        chat.directory[user].sessions.iter().map(move |session| (session.conn, user))
    });
    let all = by_account.chain(by_token).filter(|&by| is_admin(chat, by));
    all.map(|(conn, user)| (conn, chat.directory[user].name.clone())).collect()
}
