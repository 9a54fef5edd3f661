//! Where somebody stands in a room: as a member or, where that is enough, as none.
//!
//! Programs are members of no room: their keys say where they may read and send. Who asks over HTTP
//! becomes no member by it: where everybody may enter, it is let do what it could after a `join`.
//! What was said of either by name holds: bans, mutes, the role of a reader.

use super::room_end::{end_watch, streams_of};
use super::{Chat, room_begin};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::event::LeftReason;
use crate::chat::model::identity::{Identity, Source};
use crate::chat::model::name::UserName;
use crate::chat::model::reply::Refusal;
use crate::chat::rooms::{no_such_room, parse_room};
use crate::net::ConnId;

/// The room in which the user may read, and its membership if it has one.
///
/// # Errors
///
/// Those of finding the membership, or the room where none is needed.
pub(super) fn reads(
    chat: &Chat,
    (conn, user): (ConnId, UserKey),
    name: &str,
) -> Result<(RoomKey, Option<MembershipKey>), Refusal> {
    let is_outside = is_outside(chat, conn, user);
    // Most programs are members of nothing, and are spared the look-up.
    if !is_outside || !chat.directory[user].memberships.is_empty() {
        match chat.lookup().find_membership(user, name) {
            Ok((room, membership)) => return Ok((room, Some(membership))),
            Err(refusal) if !is_outside => return Err(refusal),
            Err(_) => {}
        }
    }
    Ok((chat.lookup().find_outside(user, name)?, None))
}

/// As [`reads`], for who wants to say or change something.
///
/// # Errors
///
/// Those of [`reads`], and of having no voice there.
pub(super) fn speaks(
    chat: &Chat,
    by: (ConnId, UserKey),
    name: &str,
) -> Result<(RoomKey, Option<MembershipKey>), Refusal> {
    let (room, membership) = reads(chat, by, name)?;
    match membership {
        Some(membership) => chat.lookup().check_voice(membership)?,
        None => chat.lookup().check_voice_outside(room, by.1)?,
    }
    Ok((room, membership))
}

/// As [`speaks`], for a first message: a room that does not exist is made as by a `join`.
///
/// # Errors
///
/// Those of [`speaks`], and of making the room.
pub(super) fn speaks_first(
    chat: &mut Chat,
    by: (ConnId, UserKey),
    name: &str,
) -> Result<RoomKey, Refusal> {
    let refusal = match speaks(chat, by, name) {
        Ok((room, _)) => return Ok(room),
        Err(refusal) => refusal,
    };
    let is_there = chat.rooms.named(name).is_some();
    if refusal.code != Code::NoSuchRoom || is_there || !is_outside(chat, by.0, by.1) {
        return Err(refusal);
    }
    let name = parse_room(name)?;
    if name.is_direct() || !room_begin::by_join(chat, by.1, &name) {
        return Err(refusal);
    }
    room_begin::check_lookalike(chat, (by.1, None), &name, Code::NoSuchRoom)?;
    room_begin::open_room(chat, &name, None)
}

/// Whether this connection needs no membership.
pub(super) fn is_outside(chat: &Chat, conn: ConnId, user: UserKey) -> bool {
    let row = &chat.directory[user];
    // Nearly no user has such a connection, and then this one need not be looked up.
    let may_visit = row.visits() > 0;
    row.source == Source::Key
        || may_visit && chat.delivery.reader(conn).is_some_and(|reader| reader.is_visit)
}

/// Ends what a stream may not read any more.
pub(in crate::chat) fn recheck(chat: &mut Chat, conn: ConnId) {
    let Some(reader) = chat.delivery.reader(conn).filter(|reader| reader.is_visit) else { return };
    let user = reader.user;
    let rooms: Vec<RoomKey> = reader.subscriptions.iter().map(|row| row.room).collect();
    for key in rooms {
        let name = chat.rooms[key].name.as_str();
        let may_read = chat.rooms[key].may_be_read(&chat.directory, conn)
            && reads(chat, (conn, user), name).is_ok();
        if !may_read {
            end_watch(chat, (conn, key), LeftReason::Left);
        }
    }
}

/// The same for all streams of a user, after something was taken from it.
pub(super) fn recheck_user(chat: &mut Chat, user: &UserName) {
    let user = chat.directory.user_named(user.as_str());
    for conn in user.map_or_else(Vec::new, |user| streams_of(chat, user)) {
        recheck(chat, conn);
    }
}

/// Whether the operator asks by this connection.
pub(super) fn is_operator(chat: &Chat, conn: ConnId) -> bool {
    chat.directory.credentials.get(conn).is_some_and(Identity::is_operator)
}

/// The room of this name in which the operator moderates: any, but no conversation of two.
///
/// # Errors
///
/// [`Code::NoSuchRoom`].
pub(super) fn moderated(chat: &Chat, name: &str) -> Result<RoomKey, Refusal> {
    let named = chat.rooms.named(name);
    named.filter(|&key| !chat.rooms[key].name.is_direct()).ok_or_else(no_such_room)
}
