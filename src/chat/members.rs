//! Rooms and memberships: how they begin and how they end.

use super::cursor::{settle, subscribe, unsubscribe};
use super::keys::{MembershipKey, RoomKey, UserKey};
use super::model::event::{Event, LeftReason};
use super::model::limits::PRESENCE_NAMES_MAX;
use super::model::log::{LogRequest, MemberMeta, RoomMeta};
use super::model::name::{NameError, RoomName, UserName};
use super::model::output::Output;
use super::model::record::Act;
use super::model::reply::{Presence, Role};
use super::room::Room;
use super::standing;
use super::state::{State, Timer};
use super::user::{Membership, User};
use super::{Code, Refusal, gather};
use crate::collections::Key as _;

/// Rooms that are looked at for one that can go, and members that one may have.
const SILENT_LOOKS: usize = 256;
const SILENT_MEMBERS_MAX: usize = 64;
/// When a client should try again what the server has no memory for.
const BUSY_RETRY_MS: u64 = 60_000;

/// The room `name`, if it exists, `user` may know of it and is not banned from it.
///
/// # Errors
///
/// [`Code::BadField`] if this is no room's name, otherwise [`Code::NoSuchRoom`], the same whether there
/// is none or it is hidden, and [`Code::Banned`].
pub(super) fn find_room(state: &State, user: UserKey, name: &str) -> Result<RoomKey, Refusal> {
    match state.room_named(name) {
        Some(key) if is_visible(state, user, key) => {
            standing::check_banned(state, key, user)?;
            Ok(key)
        }
        _ => {
            parse_room(name)?;
            Err(no_such_room())
        }
    }
}

/// As [`find_room`], with the user's membership in it.
///
/// # Errors
///
/// Those of [`find_room`], and [`Code::NotMember`].
pub(super) fn find_membership(
    state: &State,
    user: UserKey,
    name: &str,
) -> Result<(RoomKey, MembershipKey), Refusal> {
    let room = find_room(state, user, name)?;
    match state.users[user].membership(room) {
        Some(membership) if !standing::is_leaving(state, room, user) => Ok((room, membership)),
        Some(_) if state.rooms[room].private => Err(no_such_room()),
        Some(_) | None => Err(not_member()),
    }
}

/// The refusal for those who are not members.
pub(super) fn not_member() -> Refusal {
    Refusal::new(Code::NotMember, "you are not a member of this room; join first")
}

fn is_visible(state: &State, user: UserKey, key: RoomKey) -> bool {
    let room = &state.rooms[key];
    !(room.private || room.name.is_direct())
        || state.users[user].membership(key).is_some()
        || standing::is_invited(state, key, user)
}

/// The refusal for rooms that there are not, or that the user may not know of.
pub(super) fn no_such_room() -> Refusal {
    Refusal::new(Code::NoSuchRoom, "there is no such room")
}

/// Reads a room's name.
///
/// # Errors
///
/// [`Code::BadField`] with the right spelling.
pub(super) fn parse_room(name: &str) -> Result<RoomName, Refusal> {
    RoomName::parse(name).map_err(|error| bad_name("room", error))
}

/// Reads a user's name that stands in `field`.
///
/// # Errors
///
/// [`Code::BadField`] with the right spelling.
pub(super) fn parse_user(field: &'static str, name: &str) -> Result<UserName, Refusal> {
    UserName::parse(name).map_err(|error| bad_name(field, error))
}

fn bad_name(field: &'static str, error: NameError) -> Refusal {
    let refusal = Refusal::new(Code::BadField, "this is not a name");
    refusal.field(field, error.expected).hint(error.hint)
}

fn busy(what: &'static str, limit: usize) -> Refusal {
    Refusal::new(Code::Busy, what).limit(limit).retry_after_ms(BUSY_RETRY_MS)
}

/// The user `name`, made if there is none.
///
/// # Errors
///
/// [`Code::Busy`] if there are as many users as there may be, and none is off.
pub(super) fn open_user(
    state: &mut State,
    name: &UserName,
    passing: bool,
) -> Result<UserKey, Refusal> {
    if let Some(key) = state.user_named(name.as_str()) {
        return Ok(key);
    }
    if state.users.len() >= state.limits.users && !forget_absent(state) {
        return Err(busy("the server knows as many users as it can", state.limits.users));
    }
    let key = state.users.insert(User::new(name.clone(), passing));
    state.users_by_name.insert(name.as_str(), key);
    Ok(key)
}

/// Forgets the user that was absent for longest, if anybody's leave grace is over: those who come now
/// are worth more than the places of those who may come back.
fn forget_absent(state: &mut State) -> bool {
    for _ in 0..state.absent.len() {
        let Some((key, name)) = state.absent.pop_front() else { return false };
        let Some(user) = state.users.get_mut(key).filter(|user| user.name == name) else {
            continue;
        };
        user.absence().listed = false;
        if !user.sessions.is_empty() || user.presence != Presence::Off {
            continue;
        }
        if !may_be_forgotten(state, key) {
            continue;
        }
        forget_user(state, key);
        return true;
    }
    false
}

/// Whether a user's memberships may end though nobody ended them: if the user has no name to come back by, or
/// loses nothing but places that it can take again. Snapshot are those in stored rooms in which something was said and
/// that are direct conversations, or not open to everybody, or in which the user keeps order.
fn may_be_forgotten(state: &State, key: UserKey) -> bool {
    let user = &state.users[key];
    let is_kept = |&(room, membership): &(RoomKey, MembershipKey)| {
        let (room, role) = (&state.rooms[room], state.memberships[membership].role);
        let is_special =
            role > Role::Member || room.name.is_direct() || standing::is_closed(state, room);
        room.is_stored() && room.head > 0 && is_special
    };
    user.passing || !user.memberships.iter().any(is_kept)
}

/// Ends all memberships of a user without sessions, and forgets it.
pub(super) fn forget_user(state: &mut State, key: UserKey) {
    while let Some(&(_, membership)) = state.users[key].memberships.last() {
        end_membership(state, membership, None);
    }
    let Some(user) = state.users.remove(key) else { return };
    debug_assert!(user.sessions.is_empty(), "who has a session is not forgotten");
    if let Some(timer) = user.absence.as_ref().and_then(|absence| absence.timer) {
        state.wheel.cancel(timer);
    }
    for secret in user.lapsed() {
        state.users_by_secret.remove(secret, key);
    }
    state.users_by_name.remove(user.name.as_str(), key);
}

/// Makes the room `name`, which does not exist, under the policy that was `chosen` by name, or else the one for
/// its name.
///
/// # Errors
///
/// [`Code::Busy`] if there are as many rooms as there may be, and none of those that were looked at can go.
pub(super) fn open_room(
    state: &mut State,
    name: &RoomName,
    chosen: Option<&str>,
) -> Result<RoomKey, Refusal> {
    let full = state.rooms.len() >= state.limits.rooms;
    let makes_room = |state: &mut State| {
        drop_an_empty_room(state)
            || drop_a_silent_room(state)
            || (forget_absent(state) && drop_an_empty_room(state))
    };
    if full && !makes_room(state) {
        return Err(busy("the server has as many rooms as it can", state.limits.rooms));
    }
    let key = state.add_room(name.clone(), chosen);
    state.rooms_by_name.insert(name.as_str(), key);
    open_log(state, key, chosen);
    Ok(key)
}

/// Has the log of a room begin, or go on, under the policy that its name matches or that was chosen.
pub(super) fn open_log(state: &mut State, key: RoomKey, chosen: Option<&str>) {
    let Room { log, epoch, durability, .. } = state.rooms[key];
    let room = state.rooms[key].name.clone();
    let retention = state.limits.policies.of(&room, chosen).retention;
    state.requests.push_back(LogRequest::Open { log, room, epoch, durability, retention });
}

/// What is to be kept of a membership.
fn member_fact(state: &State, key: MembershipKey) -> RoomMeta {
    let row = &state.memberships[key];
    let member = MemberMeta { role: row.role, recv: row.recv, read: row.read };
    RoomMeta::Member(state.users[row.user].name.clone(), Some(member))
}

fn drop_an_empty_room(state: &mut State) -> bool {
    while let Some((key, log)) = state.empty.pop_front() {
        let room = state.rooms.get(key).filter(|room| room.log == log);
        if room.is_some_and(|room| room.members.is_empty() && room.asked == 0) {
            drop_room(state, key);
            return true;
        }
    }
    false
}

/// Drops a room in which nothing was ever said and whose members are all off: nobody loses anything. Such rooms are
/// made by the thousand by who only joins. Looks at some, from where it looked last.
fn drop_a_silent_room(state: &mut State) -> bool {
    for _ in 0..SILENT_LOOKS {
        let key = RoomKey::from_index(state.silent_from);
        state.silent_from = (state.silent_from + 1) % state.rooms.places().max(1);
        let Some(room) = state.rooms.get(key) else { continue };
        let is_off = |&member: &MembershipKey| {
            let user = &state.users[state.memberships[member].user];
            user.sessions.is_empty() && user.presence == Presence::Off
        };
        let is_small = room.members.len() <= SILENT_MEMBERS_MAX;
        if room.head > 0 || room.asked > 0 || !is_small || !room.members.iter().all(is_off) {
            continue;
        }
        for member in room.members.clone() {
            end_membership(state, member, None);
        }
        // The room goes with its last member.
        return state.rooms.len() < state.limits.rooms;
    }
    false
}

/// Forgets a room without members, and its log.
pub(super) fn drop_room(state: &mut State, key: RoomKey) {
    settle(state, key);
    let Some(room) = state.rooms.remove(key) else { return };
    debug_assert!(room.members.is_empty() && room.subs.is_empty(), "only empty rooms are dropped");
    if let Some(timer) = room.timer {
        state.wheel.cancel(timer);
    }
    state.rings.forget(&room.ring);
    state.pages.forget(room.log, u64::MAX);
    state.rooms_by_name.remove(room.name.as_str(), key);
    state.requests.push_back(LogRequest::Drop { log: room.log });
}

/// A room has had no member for long enough: drops it, unless an append of it is still under way.
pub(super) fn expire_room(state: &mut State, key: RoomKey) {
    let Some(room) = state.rooms.get_mut(key) else { return };
    room.timer = None;
    if room.asked == 0 {
        drop_room(state, key);
    } else {
        retire_room(state, key);
    }
}

/// Drops a room that has no member: at once if nothing was ever said there, otherwise after a while, or, if it
/// is stored, when there are as many rooms as there may be.
pub(super) fn retire_room(state: &mut State, key: RoomKey) {
    let room = &mut state.rooms[key];
    if !room.members.is_empty() {
        return;
    }
    if room.head == 0 && room.asked == 0 {
        drop_room(state, key);
        return;
    }
    let is_stored = room.is_stored() && room.head > 0;
    if let Some(timer) = room.timer.take() {
        state.wheel.cancel(timer);
    }
    if !is_stored {
        let deadline = state.now.tick.after(state.limits.guest_membership);
        room.timer = Some(state.wheel.arm(deadline, Timer::Empty(key)));
    }
    let log = room.log;
    if state.empty.len() > 2 * state.rooms.len() + 1024 {
        let rooms = &state.rooms;
        let still = |&(key, log): &_| rooms.get(key).is_some_and(|room: &Room| room.log == log);
        state.empty.retain(still);
    }
    state.empty.push_back((key, log));
}

/// Makes `user` a member of the room, if it is not one yet.
///
/// # Errors
///
/// [`Code::RoomFull`], and [`Code::TooManyRooms`] unless `force` is set, as for the other end of a direct
/// conversation, whom others could otherwise shut out.
pub(super) fn begin_membership(
    state: &mut State,
    user: UserKey,
    room: RoomKey,
    role: Role,
    force: bool,
) -> Result<MembershipKey, Refusal> {
    let direct = state.rooms[room].name.is_direct();
    let Err(place) = state.users[user].memberships.binary_search_by_key(&room, |&(key, _)| key)
    else {
        let found = state.users[user].membership(room);
        return found.ok_or_else(no_such_room);
    };
    let (rooms_max, members_max) = (state.limits.rooms_per_user, state.limits.members_per_room);
    let member = &mut state.users[user];
    let counted = if direct { &mut member.begun } else { &mut member.rooms };
    if !force && usize::try_from(*counted).unwrap_or(usize::MAX) >= rooms_max {
        let refusal = Refusal::new(Code::TooManyRooms, "you are in as many rooms as you may be");
        return Err(refusal.limit(rooms_max));
    }
    if state.rooms[room].members.len() >= members_max {
        return Err(Refusal::new(Code::RoomFull, "the room is full").limit(members_max));
    }
    *counted += u32::from(!force);
    let rev = state.next_rev();
    let row = &mut state.rooms[room];
    let head = row.head;
    let key = state.memberships.insert(Membership {
        user,
        room,
        index: u32::try_from(row.members.len()).unwrap_or(u32::MAX),
        role,
        counted: !force,
        shown: Presence::Off,
        changed: false,
        acked: false,
        told: true,
        unsaved: false,
        recv: head,
        read: head,
        rev,
    });
    row.members.push(key);
    if let Some(timer) = row.timer.take_if(|_| row.members.len() == 1) {
        state.wheel.cancel(timer);
    }
    state.users[user].memberships.insert(place, (room, key));
    gather::presence_changed(state, key);
    keep_member(state, key);
    Ok(key)
}

/// Tells the store of a membership as it is; not while an act of moderation about it is under way, which
/// the store must not see undone.
pub(super) fn keep_member(state: &mut State, key: MembershipKey) {
    let Membership { user, room, .. } = state.memberships[key];
    let (name, row) = (&state.users[user].name, &state.rooms[room]);
    let is_judged = |act| matches!(act, Act::Kick | Act::Ban { .. } | Act::Role(_));
    if row.is_stored() && !row.order.judged(name).any(is_judged) {
        let meta = member_fact(state, key);
        standing::keep(state, room, meta);
    }
}

/// Ends a membership and all subscriptions that came with it; with a `reason`, all of the user's
/// sessions are told.
pub(super) fn end_membership(state: &mut State, key: MembershipKey, reason: Option<LeftReason>) {
    let Some((user, room)) = state.memberships.get(key).map(|row| (row.user, row.room)) else {
        return;
    };
    let sessions = state.users[user].sessions.clone();
    for &conn in &sessions {
        unsubscribe(state, conn, room);
    }
    settle(state, room);
    if let Some(reason) = reason {
        for &to in &sessions {
            let event = Event::Left { room: state.rooms[room].name.clone(), reason };
            state.said.push_back(Output::Event { to, event });
        }
    }
    if !matches!(reason, Some(LeftReason::Kicked | LeftReason::Banned)) {
        // Those are kept together with the record.
        let name = state.users[user].name.clone();
        standing::keep(state, room, RoomMeta::Member(name, None));
    }
    gather::forget_member(state, key);
    let Some(removed) = state.memberships.remove(key) else { return };
    let member = &mut state.users[user];
    let place = member.memberships.binary_search_by_key(&room, |&(key, _)| key);
    if let Ok(place) = place {
        member.memberships.remove(place);
    }
    let row = &mut state.rooms[room];
    if removed.counted && row.name.is_direct() {
        member.begun -= 1;
    } else if removed.counted {
        member.rooms -= 1;
    }
    let index = usize::try_from(removed.index).unwrap_or(usize::MAX);
    row.members.swap_remove(index);
    if row.members.len() < row.members.capacity() / 4 {
        row.members.shrink_to(row.members.len() * 2);
    }
    if let Some(&moved) = row.members.get(index) {
        state.memberships[moved].index = removed.index;
    }
    if row.members.len() == PRESENCE_NAMES_MAX {
        row.gathered.presence.whole = true;
    }
    retire_room(state, room);
}

/// The direct conversation of two users, made if there is none, with both as members and all their live
/// sessions subscribed.
///
/// # Errors
///
/// Those of [`open_room`] and [`begin_membership`].
pub(super) fn open_direct(
    state: &mut State,
    from: UserKey,
    to: UserKey,
) -> Result<RoomKey, Refusal> {
    let name = RoomName::direct(&state.users[from].name, &state.users[to].name);
    let known = state.room_named(name.as_str());
    let key = match known {
        Some(key) => key,
        None => open_room(state, &name, None)?,
    };
    let begun = begin_membership(state, from, key, Role::Member, known.is_some());
    let joined = begun.and_then(|_| begin_membership(state, to, key, Role::Member, true));
    if let Err(refusal) = joined {
        retire_room(state, key);
        return Err(refusal);
    }
    Ok(key)
}

/// Subscribes all live sessions of both users of a direct conversation that are not yet, and tells them.
pub(super) fn subscribe_direct(state: &mut State, key: RoomKey) {
    let members = state.rooms[key].members.iter().map(|&member| state.memberships[member].user);
    let mut sessions = members.flat_map(|user| &state.users[user].sessions);
    let is_subscribed = |&conn| state.session(conn).is_none_or(|session| session.find(key).is_ok());
    // Nearly always, so nothing is copied for it.
    if sessions.all(is_subscribed) {
        return;
    }
    let members = state.rooms[key].members.clone();
    for member in members {
        let user = state.memberships[member].user;
        let sessions = state.users[user].sessions.clone();
        for &to in &sessions {
            if state.session(to).is_none_or(|session| session.find(key).is_ok()) {
                continue;
            }
            subscribe(state, to, key, None);
            let room = &state.rooms[key];
            let event =
                Event::Joined { room: room.name.clone(), epoch: room.epoch, seq: room.head };
            state.said.push_back(Output::Event { to, event });
        }
    }
}
