//! How rooms are made: by `create` with an owner, or by `join` where that is allowed.

use super::join::finish_join;
use super::membership::begin_membership;
use super::room_begin::{check_lookalike, may_make, open_room, room_exists};
use super::room_end::retire_room;
use super::{Answer, Chat};
use crate::chat::model::code::Code;
use crate::chat::model::log::RoomMeta;
use crate::chat::model::name::RoomName;
use crate::chat::model::policy::{Access, Policy};
use crate::chat::model::reply::{Refusal, Role};
use crate::chat::pending::Requester;
use crate::chat::rooms::parse_room;

/// Characters of an unknown policy's name that are shown to the client that chose it.
const POLICY_NAME_SHOWN: usize = 32;

/// A room as it is to be made.
pub(super) struct Plan<'a> {
    pub name: &'a str,
    pub topic: Option<&'a str>,
    pub private: bool,
    pub policy: Option<&'a str>,
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
        return Err(refusal.field("room", "a name without '@', or a message to that user"));
    }
    // Checked before anything is made, so that a refusal leaves nothing behind.
    let policy = find_policy(chat, &name, plan.policy)?;
    let private = plan.private || policy.access == Access::Private;
    if !may_make(policy, &chat.directory[by.user].name) {
        return Err(Refusal::new(Code::Forbidden, "you may not make such a room"));
    }
    if chat.rooms.named(name.as_str()).is_some() {
        return Err(room_exists());
    }
    check_lookalike(chat, (by.user, None), &name, Code::RoomExists)?;
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
