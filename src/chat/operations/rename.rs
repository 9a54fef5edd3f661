//! `rename`: a room gets another name, and keeps everything else: its log with epoch and seqs, its
//! members, its rules. The names that it had before lead to it for as long as it lives.
//!
//! ```text
//!  rename ─▶ the name is promised ─▶ Append, with the names ─┬─ stored ─▶ `renamed` to readers,
//!             nobody else gets it                            │            then the record, under
//!                                                            │            the new name
//!                                                            └─ refused ▶ the name is free again
//! ```
//!
//! Where logs are shared, the log says whether the name is free, and the other nodes take it up
//! with the record.

use super::admins::{self, Authority};
use super::moderation::answer_without_effect;
use super::room_begin::{check_lookalike, may_make, promised, room_exists};
use super::send::{NewRecord, append};
use super::{Answer, Chat};
use crate::chat::keys::RoomKey;
use crate::chat::model::code::Code;
use crate::chat::model::event::Event;
use crate::chat::model::limits::FORMER_NAMES_MAX;
use crate::chat::model::log::RoomMeta;
use crate::chat::model::name::RoomName;
use crate::chat::model::record::Body;
use crate::chat::model::reply::{Refusal, Role};
use crate::chat::pending::Requester;
use crate::chat::rooms::{PendingAct, former_after, parse_room_in};
use crate::net::ConnId;

/// When to ask again while something of the kind is under way: the log answers within this time as
/// a rule.
const CHANGE_RETRY_MS: u64 = 1_000;

/// Gives a room another name.
///
/// # Errors
///
/// Those of finding the room; [`Code::Forbidden`] for who does not own it, and for a name to which
/// another policy applies; [`Code::RoomExists`]; [`Code::TooLarge`] for a room that has had as many
/// names as are kept.
pub(super) fn rename(
    chat: &mut Chat,
    by: &mut Requester,
    room: &str,
    name: &str,
) -> Result<Answer, Refusal> {
    let authority = admins::authority(chat, (by.conn, by.user), room)?;
    let key = authority.room;
    if chat.rooms[key].name.is_direct() {
        let message = "a direct conversation has the names of its two users";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    check_owner(chat, &authority, "only an owner of a room may rename it")?;
    let name = parse_room_in("name", name)?;
    if chat.rooms[key].name == name {
        return Ok(answer_without_effect(chat, by, key));
    }
    check_unchanging(chat, key)?;
    check_free(chat, (by, key), &name)?;
    check_policy(chat, (by, &authority), &name)?;
    let room = &chat.rooms[key];
    let former = former_after(room, &name);
    if former.len() > FORMER_NAMES_MAX {
        let message = "a room keeps its former names, and this one has as many as it may";
        let refusal = Refusal::new(Code::TooLarge, message).limit(FORMER_NAMES_MAX);
        return Err(refusal.field("name", "one that it had before"));
    }
    let was = room.name.clone();
    let meta = room.is_stored().then(|| RoomMeta::Name(name.clone(), former));
    // Twice: once as what it says, and once as the room that it is told of.
    let weight = 2 * name.as_str().len() + was.as_str().len();
    let body = Body::Rename { name: name.clone(), was };
    let record = NewRecord {
        meta: meta.into_iter().collect(),
        act: Some(PendingAct::Rename(name.clone())),
        ..NewRecord::new(key, body, u32::try_from(weight).unwrap_or(u32::MAX))
    };
    let answer = append(chat, by, record)?;
    chat.rooms.promise(name, key);
    Ok(answer)
}

/// # Errors
///
/// [`Code::Forbidden`] with this message for all but the owners of a room, and administrators; and
/// what keeps an owner from speaking, who does not do it in this way either.
pub(super) fn check_owner(
    chat: &Chat,
    authority: &Authority,
    message: &'static str,
) -> Result<(), Refusal> {
    if authority.is_admin {
        return Ok(());
    }
    if !chat.rooms[authority.room].owned || authority.role != Some(Role::Owner) {
        return Err(Refusal::new(Code::Forbidden, message));
    }
    authority.membership.map_or(Ok(()), |membership| chat.lookup().check_voice(membership))
}

/// # Errors
///
/// [`Code::Busy`] while the room is about to get another name, or to end.
pub(super) fn check_unchanging(chat: &Chat, key: RoomKey) -> Result<(), Refusal> {
    if chat.rooms[key].moderation.is_changing() {
        let refusal = Refusal::new(Code::Busy, "the room is being renamed, or closed");
        return Err(refusal.retry_after_ms(CHANGE_RETRY_MS));
    }
    Ok(())
}

/// # Errors
///
/// [`Code::RoomExists`] for the name of another room, and for one that looks like it.
fn check_free(
    chat: &Chat,
    (by, key): (&Requester, RoomKey),
    name: &RoomName,
) -> Result<(), Refusal> {
    if name.is_direct() {
        let refusal = Refusal::new(Code::BadField, "this is the name of a direct conversation");
        return Err(refusal.field("name", "a name without '@'"));
    }
    if chat.rooms.is_alike_promised(name) {
        return Err(promised());
    }
    if chat.rooms.named(name.as_str()).is_some_and(|other| other != key) {
        return Err(taken());
    }
    let alike = check_lookalike(chat, (by.user, Some(key)), name, Code::RoomExists);
    alike.map_err(|refusal| Refusal { field: refusal.field.map(|_| "name"), ..refusal })
}

/// The refusal of the name of another room.
pub(super) fn taken() -> Refusal {
    room_exists().field("name", "a name that is free")
}

/// # Errors
///
/// [`Code::Forbidden`] for a name that the user could not give to a new room, or that what the
/// connection has proved is not good for, or to which another policy applies: how durable a room
/// is, and who may enter it, does not change with its name.
fn check_policy(
    chat: &Chat,
    (by, authority): (&Requester, &Authority),
    name: &RoomName,
) -> Result<(), Refusal> {
    let refused =
        |message, expected| Err(Refusal::new(Code::Forbidden, message).field("name", expected));
    let rights = chat.directory.credentials.rights(by.conn, name.as_str());
    if !rights.read || !rights.send {
        return refused(
            "your token is not good for a room of this name",
            "one that it is good for",
        );
    }
    let room = &chat.rooms[authority.room];
    let policies = &chat.context.limits.policies;
    // What was chosen for the room goes with it, whatever it is called.
    let chosen = room.moderation.policy();
    let policy = policies.of(name, chosen);
    if policy != policies.of(&room.name, chosen) {
        let message = "rooms of this name have another policy, and a room keeps its own";
        return refused(message, "a name to which the room's policy applies");
    }
    if !authority.is_admin && !may_make(policy, &chat.directory[by.user].name) {
        return refused("you may not give this name to a room", "another name");
    }
    Ok(())
}

/// The log has the new name: its readers are told before the record, which goes out under it.
pub(super) fn on_stored(chat: &mut Chat, key: RoomKey, name: &RoomName) {
    let former = former_after(&chat.rooms[key], name);
    take_names(chat, key, (name, former));
}

/// A room has this name from now on, and had these before.
pub(super) fn take_names(
    chat: &mut Chat,
    key: RoomKey,
    (name, former): (&RoomName, Vec<RoomName>),
) {
    // What was said before goes out under the name of before.
    chat.delivery_mut().fan_out(key);
    let was = chat.rooms[key].name.clone();
    chat.rooms.set_names(key, name.clone(), former);
    if was == *name {
        return;
    }
    chat.directory.pushes.rename(&was, name);
    let readers: Vec<ConnId> = chat.delivery.subscribed(key);
    for conn in readers {
        let (room, name) = (was.clone(), name.clone());
        chat.context.tell(conn, Event::Renamed { room, name });
    }
}
