//! How rooms are made: by `create` with an owner, or by `join` where that is allowed.

use super::join::finish_join;
use super::membership::begin_membership;
use super::room_begin::open_room;
use super::room_end::retire_room;
use super::{Answer, Chat};
use crate::chat::keys::UserKey;
use crate::chat::model::code::Code;
use crate::chat::model::log::RoomMeta;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::{Access, Creators, Policy};
use crate::chat::model::reply::{Refusal, Role};
use crate::chat::pending::Requester;
use crate::chat::rooms::{no_such_room, parse_room};

/// Characters of an unknown policy's name that are shown to the client that chose it.
const POLICY_NAME_SHOWN: usize = 32;

/// A room as it is to be made.
pub(super) struct Plan<'a> {
    pub name: &'a str,
    pub topic: Option<&'a str>,
    pub private: bool,
    pub policy: Option<&'a str>,
}

/// Whether joining a room of this name, which does not exist, makes it. Where an invitation is
/// needed it does not: nobody could give one.
pub(super) fn by_join(chat: &Chat, user: UserKey, name: &RoomName) -> bool {
    let policy = chat.context.limits.policies.of(name, None);
    chat.context.limits.open_join_creates
        && policy.access == Access::Open
        && may_make(policy, &chat.directory[user].name)
}

fn may_make(policy: &Policy, user: &UserName) -> bool {
    match &policy.create {
        Creators::Anyone => true,
        Creators::Only(users) => users.contains(user),
    }
}

/// Makes a room with the user as its owner.
///
/// # Errors
///
/// [`Code::BadField`] for what is no room's or no policy's name, [`Code::RoomExists`],
/// [`Code::Forbidden`] if the policy does not let the user make such rooms, and those of
/// [`open_room`] and [`begin_membership`].
pub(super) fn create(
    chat: &mut Chat,
    by: &mut Requester,
    plan: &Plan<'_>,
) -> Result<Answer, Refusal> {
    let name = parse_room(plan.name)?;
    if name.is_direct() {
        let refusal = Refusal::new(Code::BadField, "a direct conversation is made by sending");
        return Err(refusal.field("room", "a name without '@', or use send with 'to'"));
    }
    // Checked before anything is made, so that a refusal leaves nothing behind.
    let policy = find_policy(chat, &name, plan.policy)?;
    let private = plan.private || policy.access == Access::Private;
    if !may_make(policy, &chat.directory[by.user].name) {
        return Err(Refusal::new(Code::Forbidden, "you may not make such a room"));
    }
    if chat.rooms.named(name.as_str()).is_some() {
        let refusal = Refusal::new(Code::RoomExists, "there is a room of this name already");
        return Err(refusal.field("room", "a name that is free"));
    }
    check_lookalike(chat, by.user, &name, Code::RoomExists)?;
    let key = open_room(chat, &name, plan.policy)?;
    // The last step that can be refused, and the room has no member yet: `retire_room` takes it
    // away as if it had never been.
    if let Err(refusal) = begin_membership(chat, by.user, key, Role::Owner, false) {
        retire_room(chat, key);
        return Err(refusal);
    }
    let topic = plan.topic.unwrap_or_default();
    let room = &mut chat.rooms[key];
    room.topic = topic.into();
    room.private = private;
    room.owned = true;
    let policy = plan.policy.map(Into::into);
    room.put_meta(&mut chat.context, RoomMeta::Access { private, owned: true, policy });
    if !topic.is_empty() {
        let by = chat.directory[by.user].name.clone();
        room.put_meta(&mut chat.context, RoomMeta::Topic(topic.into(), Some(by)));
    }
    finish_join(chat, by, key, (false, None))
}

/// A room is not made whose name is taken for that of another: people would be led into it.
///
/// # Errors
///
/// `code`, with the other room's name if the user may know of it.
pub(super) fn check_lookalike(
    chat: &Chat,
    user: UserKey,
    name: &RoomName,
    code: Code,
) -> Result<(), Refusal> {
    let Some(other) = chat.rooms.lookalike(name) else { return Ok(()) };
    let refusal = match code {
        Code::NoSuchRoom => no_such_room(),
        _ => Refusal::new(code, "there is a room whose name looks like this one"),
    };
    // The refusal alone tells that something is there; its name stays hidden.
    if !chat.lookup().is_visible(user, other) {
        return Err(refusal);
    }
    let other = chat.rooms[other].name.as_str().to_owned();
    Err(refusal.field("room", "a name that looks like no other").hint(Some(other)))
}

/// The policy of the room to be made.
///
/// # Errors
///
/// [`Code::BadField`] with the names of those that may be chosen.
fn find_policy<'a>(
    chat: &'a Chat,
    name: &RoomName,
    chosen: Option<&str>,
) -> Result<&'a Policy, Refusal> {
    let policies = &chat.context.limits.policies;
    let Some(chosen) = chosen.filter(|chosen| policies.named(chosen).is_none()) else {
        return Ok(policies.of(name, chosen));
    };
    let shown: String = chosen.chars().take(POLICY_NAME_SHOWN).collect();
    let names: Vec<&str> = policies.rules.iter().filter_map(|rule| rule.name.as_deref()).collect();
    let expected = match names.as_slice() {
        [] => "none: no policy has a name here".to_owned(),
        names => format!("one of {}", names.join(", ")),
    };
    let refusal = Refusal::new(Code::BadField, format!("there is no policy {shown:?}"));
    Err(refusal.field("policy", expected))
}
