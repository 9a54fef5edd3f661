//! How rooms are made: by `create` with an owner, or by `join` where that is allowed.

use super::asked::{Asking, Change};
use super::hello::{entered, is_told};
use super::keys::UserKey;
use super::members::{begin_membership, open_room, parse_room, retire_room};
use super::model::log::RoomMeta;
use super::model::name::{RoomName, UserName};
use super::model::policy::{Access, Creators, Policy};
use super::model::reply::Role;
use super::standing;
use super::state::State;
use super::{Code, Done, Refusal};
use crate::net::ConnId;

/// A room as it is to be made.
pub(super) struct Plan<'a> {
    pub name: &'a str,
    pub topic: Option<&'a str>,
    pub private: bool,
    pub policy: Option<&'a str>,
}

/// Whether joining a room of this name, which there is not, makes it. Where one has to be invited it does not:
/// there would be nobody who could.
pub(super) fn by_join(state: &State, user: UserKey, name: &RoomName) -> bool {
    let policy = state.limits.policies.of(name, None);
    state.limits.open_join_creates
        && policy.access == Access::Open
        && may_make(policy, &state.users[user].name)
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
/// [`Code::BadField`] for what is no room's or no policy's name, [`Code::RoomExists`], [`Code::Forbidden`] if
/// the policy does not let the user make such rooms, and those of [`open_room`] and [`begin_membership`].
pub(super) fn create(
    state: &mut State,
    (conn, user): (ConnId, UserKey),
    plan: &Plan<'_>,
) -> Result<Done, Refusal> {
    let name = parse_room(plan.name)?;
    if name.is_direct() {
        let refusal = Refusal::new(Code::BadField, "a direct conversation is made by sending");
        return Err(refusal.field("room", "a name without '@', or use send with 'to'"));
    }
    let policy = find_policy(state, &name, plan.policy)?;
    let private = plan.private || policy.access == Access::Private;
    if !may_make(policy, &state.users[user].name) {
        return Err(Refusal::new(Code::Forbidden, "you may not make such a room"));
    }
    if state.room_named(name.as_str()).is_some() {
        let refusal = Refusal::new(Code::RoomExists, "there is a room of this name already");
        return Err(refusal.field("room", "a name that is free"));
    }
    let key = open_room(state, &name, plan.policy)?;
    if let Err(refusal) = begin_membership(state, user, key, Role::Owner, false) {
        retire_room(state, key);
        return Err(refusal);
    }
    let topic = plan.topic.unwrap_or_default();
    let room = &mut state.rooms[key];
    room.topic = topic.into();
    room.private = private;
    room.owned = true;
    let policy = plan.policy.map(Into::into);
    standing::keep(state, key, RoomMeta::Access { private, owned: true, policy });
    if !topic.is_empty() {
        standing::keep(state, key, RoomMeta::Topic(topic.into()));
    }
    if !is_told(state, user, key, false) && state.rooms[key].is_stored() {
        // A room that is answered is one that a crash does not take back.
        return Ok(Done::Asked(user, Asking::Change(key, Change::Enter(None))));
    }
    let (reply, then) = entered(state, (conn, user), key, None)?;
    Ok(Done::Answered(reply, then))
}

/// The policy of the room to be made.
///
/// # Errors
///
/// [`Code::BadField`] with the names of those that may be chosen.
fn find_policy<'a>(
    state: &'a State,
    name: &RoomName,
    chosen: Option<&str>,
) -> Result<&'a Policy, Refusal> {
    let policies = &state.limits.policies;
    let Some(chosen) = chosen.filter(|chosen| policies.named(chosen).is_none()) else {
        return Ok(policies.of(name, chosen));
    };
    let shown: String = chosen.chars().take(32).collect();
    let names: Vec<&str> = policies.rules.iter().filter_map(|rule| rule.name.as_deref()).collect();
    let expected = match names.as_slice() {
        [] => "none: no policy has a name here".to_owned(),
        names => format!("one of {}", names.join(", ")),
    };
    let refusal = Refusal::new(Code::BadField, format!("there is no policy {shown:?}"));
    Err(refusal.field("policy", expected))
}
