//! What was kept of the rooms, taken up at the start.

use super::keys::{RoomKey, UserKey};
use super::members::open_log;
use super::model::limits::GUEST_PREFIX;
use super::model::log::{MemberMeta, RoomMeta, RoomSnapshot, Snapshot};
use super::model::name::UserName;
use super::model::record::Epoch;
use super::model::reply::Durability;
use super::state::State;
use super::suspend;
use super::user::{Membership, User};

/// Epochs that one start gives out, at most: those of rooms that were in memory are not known any more.
const EPOCHS_OF_A_START: u64 = 1 << 32;

/// Takes up what was kept, before anybody comes. What was kept is taken whole, even if there is more of it than
/// the limits would let in: nothing is forgotten because a limit was lowered.
pub(super) fn restore(state: &mut State, kept: Snapshot) {
    let Snapshot { rooms, suspended } = kept;
    suspend::set(state, &suspended);
    // Epochs of this start are above all others, also if the wall clock has gone back.
    let newest = rooms.iter().map(|room| room.epoch.0).max().unwrap_or(0);
    if newest >= state.epoch.0 {
        state.epoch = Epoch(newest.saturating_add(EPOCHS_OF_A_START));
    }
    for room in rooms {
        restore_room(state, room);
    }
}

fn restore_room(state: &mut State, kept: RoomSnapshot) {
    let RoomSnapshot { name, epoch, durability, head, oldest, meta } = kept;
    let chosen = meta.iter().find_map(|meta| match meta {
        RoomMeta::Access { policy, .. } => policy.clone(),
        _ => None,
    });
    let policy = state.limits.policies.of(&name, chosen.as_deref());
    // What is stored stays stored: a policy that wants less holds for rooms that are made under it.
    let durability =
        if policy.durability == Durability::Memory { durability } else { policy.durability };
    let last = state.epoch;
    let key = state.add_room(name.clone(), chosen.as_deref());
    state.epoch = last;
    state.rooms_by_name.insert(name.as_str(), key);
    // Each its own, so that an inbox can be told in parts.
    let rev = state.next_rev();
    let room = &mut state.rooms[key];
    (room.epoch, room.durability, room.head, room.oldest) = (epoch, durability, head, oldest);
    room.rev = rev;
    open_log(state, key, chosen.as_deref());
    for meta in meta {
        restore_fact(state, key, meta);
    }
    super::members::retire_room(state, key);
}

fn restore_fact(state: &mut State, key: RoomKey, meta: RoomMeta) {
    match meta {
        RoomMeta::Access { private, owned, .. } => {
            let room = &mut state.rooms[key];
            (room.private, room.owned) = (private, owned);
        }
        RoomMeta::Topic(text) => state.rooms[key].topic = text,
        RoomMeta::Member(user, Some(member)) => restore_member(state, key, &user, member),
        RoomMeta::Restriction(user, what, term) => {
            let wall_ms = state.now.wall_ms;
            state.rooms[key].order.set(&user, what, term, wall_ms);
        }
        RoomMeta::Member(_, None) => {}
    }
}

fn restore_user(state: &mut State, name: &UserName) -> UserKey {
    let passing = name.as_str().starts_with(GUEST_PREFIX);
    let user = state.users.insert(User::new(name.clone(), passing));
    state.users_by_name.insert(name.as_str(), user);
    super::hello::arm_absence(state, user);
    user
}

fn restore_member(state: &mut State, room: RoomKey, name: &UserName, member: MemberMeta) {
    let user = state.user_named(name.as_str()).unwrap_or_else(|| restore_user(state, name));
    let place = state.users[user].memberships.binary_search_by_key(&room, |&(key, _)| key);
    let Err(place) = place else { return };
    let row = &mut state.rooms[room];
    let counted = !row.name.is_direct();
    let (recv, read) = (member.recv.min(row.head), member.read.min(row.head));
    let key = state.memberships.insert(Membership {
        user,
        room,
        index: u32::try_from(row.members.len()).unwrap_or(u32::MAX),
        role: member.role,
        counted,
        shown: super::model::reply::Presence::Off,
        changed: false,
        acked: false,
        told: true,
        unsaved: false,
        recv,
        read,
        rev: state.rev,
    });
    row.members.push(key);
    let user = &mut state.users[user];
    user.memberships.insert(place, (room, key));
    user.rooms += u32::from(counted);
}
