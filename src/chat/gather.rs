//! What is gathered before it is told: presence, typing, receipts. None of it is in the log, and all of
//! it may be left out for a slow reader, who is told the present state once when it is in step again.
//!
//! Each kind is told at most once per interval and room, so that neither ten thousand joins nor a
//! reconnect storm goes quadratic; in rooms of more than [`PRESENCE_NAMES_MAX`] members only counts are
//! told, and less often the more connections there are to tell. A room's policy may have counts told only, or
//! no presence at all: then there is no version and nobody counts as there.

use std::mem;
use std::time::Duration;

use super::keys::{MembershipKey, RoomKey, UserKey};
use super::model::event::{Event, PresenceChange};
use super::model::limits::{PRESENCE_NAMES_MAX, RECEIPTS_MEMBERS_MAX, TYPING_LASTS};
use super::model::name::UserName;
use super::model::output::{Audience, Output};
use super::model::policy::PresenceMode;
use super::model::reply::Presence;
use super::room::Room;
use super::state::{State, Timer};
use super::user::Membership;
use crate::collections::Table;
use crate::net::ConnId;
use crate::time::Tick;

/// How long the first change is held back, so that those that come with it are told together.
const LEAST_GATHERING: Duration = Duration::from_millis(50);
/// Connections for each of which a room's presence interval is a full one longer.
const SUBS_PER_INTERVAL: usize = 1_000;
/// Users that a typing event names at most.
const TYPING_NAMES_MAX: usize = 10;
/// Keys that a room's changes may hold in vain, beside as many as it has members.
const CHANGES_STALE_MAX: usize = 64;
/// Bytes that one name takes in an event, at most.
const NAME_BYTES: usize = 64;

/// A member's presence may be another than was told.
pub(super) fn presence_changed(state: &mut State, key: MembershipKey) {
    let row = &mut state.memberships[key];
    let room = row.room;
    if state.rooms[room].presence == PresenceMode::Off || mem::replace(&mut row.changed, true) {
        return;
    }
    let members = state.rooms[room].members.len();
    let changes = &mut state.rooms[room].gathered.presence.changes;
    changes.push(key);
    if changes.len() > 2 * members + CHANGES_STALE_MAX {
        // Each at most once is no more than the members: this is paid for by as many that came.
        changes.retain(|&key| is_change(&state.memberships, room, key));
        changes.sort_unstable();
        changes.dedup();
    }
    arm(state, room);
}

/// Whether this is a member of the room whose presence may be another than was told: the key of one who has
/// left may be another's by now.
fn is_change(rows: &Table<MembershipKey, Membership>, room: RoomKey, key: MembershipKey) -> bool {
    rows.get(key).is_some_and(|row| row.room == room && row.changed)
}

/// A user's presence has changed: all its rooms hear of it in time.
pub(super) fn user_changed(state: &mut State, user: UserKey) {
    for index in 0..state.users[user].memberships.len() {
        if let Some(&(_, key)) = state.users[user].memberships.get(index) {
            presence_changed(state, key);
        }
    }
}

/// A membership is about to end: nothing that was gathered names it any more.
pub(super) fn forget_member(state: &mut State, key: MembershipKey) {
    let row = &state.memberships[key];
    let (user, key_of_room, shown) = (row.user, row.room, row.shown);
    let acked = row.acked;
    let name = state.users[user].name.clone();
    let room = &mut state.rooms[key_of_room];
    let gathered = &mut room.gathered;
    // Of the changes nothing is taken out: in a large room that many leave at once, they are many.
    if acked {
        gathered.receipts.acked.retain(|&other| other != key);
    }
    let typists = gathered.typing.typists.len();
    gathered.typing.typists.retain(|&(typist, _)| typist != user);
    gathered.typing.changed |= gathered.typing.typists.len() != typists;
    if shown != Presence::Off {
        gathered.presence.count -= 1;
        if gathered.presence.gone.len() < PRESENCE_NAMES_MAX {
            gathered.presence.gone.push(name);
        } else {
            gathered.presence.whole = true;
        }
    }
    arm(state, key_of_room);
}

/// Somebody says that they are typing. In large rooms nobody is told.
pub(super) fn typing(state: &mut State, key: RoomKey, user: UserKey) {
    let until = state.now.tick.after(TYPING_LASTS);
    let room = &mut state.rooms[key];
    if room.members.len() > PRESENCE_NAMES_MAX {
        return;
    }
    let typing = &mut room.gathered.typing;
    if let Some(known) = typing.typists.iter_mut().find(|(typist, _)| *typist == user) {
        known.1 = until;
    } else if typing.typists.len() < TYPING_NAMES_MAX {
        typing.typists.push((user, until));
        typing.changed = true;
    }
    arm(state, key);
}

/// Somebody has said what they were typing.
pub(super) fn typed(state: &mut State, key: RoomKey, user: UserKey) {
    let gathered = &mut state.rooms[key].gathered;
    if gathered.typing.typists.iter().any(|&(typist, _)| typist == user) {
        gathered.typing.typists.retain(|&(typist, _)| typist != user);
        gathered.typing.changed = true;
        arm(state, key);
    }
}

/// A member has read on.
pub(super) fn acked(state: &mut State, key: MembershipKey) {
    let row = &mut state.memberships[key];
    let room = row.room;
    if state.rooms[room].members.len() > RECEIPTS_MEMBERS_MAX || mem::replace(&mut row.acked, true)
    {
        return;
    }
    state.rooms[room].gathered.receipts.acked.push(key);
    arm(state, room);
}

/// Sees to it that what a room has gathered is told in time.
fn arm(state: &mut State, key: RoomKey) {
    let soonest = state.now.tick.after(LEAST_GATHERING);
    let room = &mut state.rooms[key];
    let Some(due) = due(room).filter(|_| !room.members.is_empty()) else { return };
    let due = due.max(soonest);
    if let Some(timer) = room.timer {
        if state.wheel.deadline(timer).is_some_and(|armed| armed <= due) {
            return;
        }
        state.wheel.cancel(timer);
    }
    room.timer = Some(state.wheel.arm(due, Timer::Gathered(key)));
}

/// When the room has something to tell, `None` if it has not.
fn due(room: &Room) -> Option<Tick> {
    let gathered = &room.gathered;
    let presence = !gathered.presence.changes.is_empty()
        || !gathered.presence.gone.is_empty()
        || gathered.presence.whole;
    let presence = presence.then_some(gathered.presence.at);
    let typing = gathered.typing.changed.then_some(gathered.typing.at);
    let expiry = gathered.typing.typists.iter().map(|&(_, until)| until).min();
    let receipts = (!gathered.receipts.acked.is_empty()).then_some(gathered.receipts.at);
    [presence, typing, expiry, receipts].into_iter().flatten().min()
}

/// The room's timer has gone off: tells what is due.
pub(super) fn gathered(state: &mut State, key: RoomKey) {
    let now = state.now.tick;
    let Some(room) = state.rooms.get_mut(key) else { return };
    room.timer = None;
    let gathered = &mut room.gathered;
    let typists = gathered.typing.typists.len();
    gathered.typing.typists.retain(|&(_, until)| until > now);
    gathered.typing.changed |= gathered.typing.typists.len() != typists;
    tell_due_presence(state, key);
    if state.rooms[key].gathered.typing.changed && state.rooms[key].gathered.typing.at <= now {
        tell_typing(state, key);
    }
    if state.rooms[key].gathered.receipts.at <= now {
        tell_receipts(state, key);
    }
    arm(state, key);
}

/// Tells who has come and gone, if that is due, before somebody who asks is told less.
pub(super) fn tell_due_presence(state: &mut State, key: RoomKey) {
    if state.rooms[key].gathered.presence.at <= state.now.tick {
        tell_presence(state, key);
    }
}

fn tell_presence(state: &mut State, key: RoomKey) {
    let changes = mem::take(&mut state.rooms[key].gathered.presence.changes);
    let (mut on, mut away, mut off) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = state.rooms[key].gathered.presence.count;
    let counts_only = is_counted(&state.rooms[key]);
    let mut has_changed = false;
    for member in changes {
        if !is_change(&state.memberships, key, member) {
            continue;
        }
        let row = &mut state.memberships[member];
        row.changed = false;
        let user = &state.users[row.user];
        let (was, is) = (mem::replace(&mut row.shown, user.presence), user.presence);
        if was == is {
            continue;
        }
        has_changed = true;
        count = count + u64::from(was == Presence::Off) - u64::from(is == Presence::Off);
        if counts_only {
            continue;
        }
        let list = match is {
            Presence::Online => &mut on,
            Presence::Away => &mut away,
            Presence::Off => &mut off,
        };
        list.push(user.name.clone());
    }
    let room = &mut state.rooms[key];
    let gathered = &mut room.gathered;
    if !counts_only {
        // Who has left and come back within the interval is not off.
        gathered.presence.gone.retain(|name| !on.contains(name) && !away.contains(name));
    }
    has_changed |= !gathered.presence.gone.is_empty();
    off.append(&mut gathered.presence.gone);
    let whole =
        mem::take(&mut gathered.presence.whole) || (gathered.presence.counts_only && !counts_only);
    gathered.presence.counts_only = counts_only;
    gathered.presence.count = count;
    if !(has_changed || whole) || room.presence == PresenceMode::Off {
        return;
    }
    gathered.presence.v += 1;
    let waits = u32::try_from(1 + room.subs.len() / SUBS_PER_INTERVAL).unwrap_or(u32::MAX);
    let interval = state.limits.presence_interval.saturating_mul(waits);
    gathered.presence.at = state.now.tick.after(interval);
    let names = on.len() + away.len() + off.len();
    let v = gathered.presence.v;
    let room = room.name.clone();
    let (change, names) = if counts_only {
        (PresenceChange::CountOnly, 0)
    } else if whole {
        let present = present(state, key);
        let names = present.len();
        (PresenceChange::State(present), names)
    } else {
        for list in [&mut on, &mut away, &mut off] {
            list.sort_unstable();
        }
        (PresenceChange::Delta { on, away, off }, names)
    };
    let event = Event::Presence { room, v, count, change };
    tell(state, key, &event, names, |_| false);
}

/// Whether presence is told in this room without names.
pub(super) fn is_counted(room: &Room) -> bool {
    room.presence != PresenceMode::Names || room.members.len() > PRESENCE_NAMES_MAX
}

/// Who is told to be there, by name.
pub(super) fn present(state: &State, key: RoomKey) -> Vec<(UserName, Presence)> {
    let members = state.rooms[key].members.iter().map(|&member| &state.memberships[member]);
    let there = members.filter(|row| row.shown != Presence::Off);
    let mut users: Vec<_> =
        there.map(|row| (state.users[row.user].name.clone(), row.shown)).collect();
    users.sort_unstable();
    users
}

fn tell_typing(state: &mut State, key: RoomKey) {
    let at = state.now.tick.after(state.limits.presence_interval);
    let gathered = &mut state.rooms[key].gathered;
    gathered.typing.changed = false;
    gathered.typing.at = at;
    let typists: Vec<UserKey> = gathered.typing.typists.iter().map(|&(user, _)| user).collect();
    let told = mem::replace(&mut gathered.typing.told, typists.len());
    let event = typing_event(state, key, None);
    tell(state, key, &event, typists.len(), |user| typists.contains(&user));
    // Nobody is told that they alone are typing.
    let others = told.max(typists.len()) > 1;
    let typists_told = typists.len();
    for user in typists.into_iter().filter(|_| others) {
        let event = typing_event(state, key, Some(user));
        tell_user(state, key, user, &event, typists_told);
    }
}

/// Who is typing, apart from `except`.
fn typing_event(state: &State, key: RoomKey, except: Option<UserKey>) -> Event {
    let room = &state.rooms[key];
    let typists = room.gathered.typing.typists.iter().filter(|&&(user, _)| Some(user) != except);
    let mut users: Vec<_> = typists.map(|&(user, _)| state.users[user].name.clone()).collect();
    users.sort_unstable();
    Event::Typing { room: room.name.clone(), users }
}

fn tell_receipts(state: &mut State, key: RoomKey) {
    let acked = mem::take(&mut state.rooms[key].gathered.receipts.acked);
    if acked.is_empty() {
        return;
    }
    let at = state.now.tick.after(state.limits.receipts_interval);
    state.rooms[key].gathered.receipts.at = at;
    let mut readers = Vec::new();
    for member in acked {
        let row = &mut state.memberships[member];
        row.acked = false;
        readers.push((row.user, row.read));
    }
    let event = receipts_event(state, key, &readers, None);
    tell(state, key, &event, readers.len(), |user| {
        readers.iter().any(|&(reader, _)| reader == user)
    });
    for &(user, _) in readers.iter().filter(|_| readers.len() > 1) {
        let event = receipts_event(state, key, &readers, Some(user));
        tell_user(state, key, user, &event, readers.len());
    }
}

fn receipts_event(
    state: &State,
    key: RoomKey,
    readers: &[(UserKey, u64)],
    except: Option<UserKey>,
) -> Event {
    let readers = readers.iter().filter(|&&(user, _)| Some(user) != except);
    let mut read: Vec<_> =
        readers.map(|&(user, read)| (state.users[user].name.clone(), read)).collect();
    read.sort_unstable();
    Event::Receipts { room: state.rooms[key].name.clone(), read }
}

/// Tells an event with `names` names to all who are subscribed, but for the sessions of users whom
/// `except` picks and those who are slow.
fn tell(
    state: &mut State,
    key: RoomKey,
    event: &Event,
    names: usize,
    except: impl Fn(UserKey) -> bool,
) {
    let indices = 0..state.rooms[key].subs.len();
    tell_subs(state, key, (event, names), indices, except);
}

/// The same to those sessions of one user that are subscribed.
fn tell_user(state: &mut State, key: RoomKey, user: UserKey, event: &Event, names: usize) {
    let sessions = state.users[user].sessions.iter();
    let rows = sessions.filter_map(|&conn| state.session(conn));
    let indices: Vec<usize> = rows.filter_map(|row| row.index_in(key)).collect();
    tell_subs(state, key, (event, names), indices, |_| false);
}

fn tell_subs(
    state: &mut State,
    key: RoomKey,
    (event, names): (&Event, usize),
    indices: impl IntoIterator<Item = usize>,
    except: impl Fn(UserKey) -> bool,
) {
    let State { rooms, sessions, said, stats, limits, turn, .. } = state;
    let mut to = Audience::default();
    let bytes = 2 * NAME_BYTES + names * NAME_BYTES;
    let subs = &mut rooms[key].subs;
    for index in indices {
        let Some(sub) = subs.get_mut(index).filter(|sub| !except(sub.user)) else { continue };
        let session = sessions.get_mut(sub.conn.slot());
        let Some(session) = session.filter(|session| session.conn == sub.conn) else { continue };
        let slow = session.behind > 0 || session.credit.owed(*turn) > limits.outbound_soft / 2;
        if slow || sub.stale {
            // Whoever is not behind and not blocked would never be told that it has drained.
            if !mem::replace(&mut sub.stale, true) && !session.credit.is_blocked() {
                said.push_back(Output::Wake { conn: session.conn });
            }
            stats.ephemeral_dropped += 1;
            continue;
        }
        session.credit.give(*turn, bytes);
        stats.ephemeral += 1;
        to.push(sub.encoding, sub.conn);
    }
    if !to.is_empty() {
        said.push_back(Output::Shared { to, event: event.clone() });
    }
}

/// The session is in step again: what was left out is made up for by the present state, once.
pub(super) fn refresh(state: &mut State, conn: ConnId) {
    let Some(session) = state.session(conn).filter(|session| session.behind == 0) else { return };
    let user = session.user;
    for index in 0..session.subs.len() {
        let State { rooms, sessions, limits, turn, .. } = &mut *state;
        let session = sessions.get_mut(conn.slot());
        let Some(session) = session else { return };
        let Some(place) = session.subs.get(index).copied() else { return };
        let at = usize::try_from(place.index).unwrap_or(usize::MAX);
        let Some(sub) = rooms[place.room].subs.get_mut(at).filter(|sub| sub.stale) else {
            continue;
        };
        if session.credit.owed(*turn) > limits.outbound_soft / 2 {
            if !session.credit.is_blocked() {
                state.said.push_back(Output::Wake { conn });
            }
            return;
        }
        sub.stale = false;
        let named = rooms[place.room].members.len().min(PRESENCE_NAMES_MAX);
        let names = named + TYPING_NAMES_MAX + RECEIPTS_MEMBERS_MAX.min(named);
        session.credit.give(*turn, (names + 6) * NAME_BYTES);
        tell_state(state, conn, place.room, user);
    }
}

/// Tells one connection a room's presence, typing and receipts as they are.
fn tell_state(state: &mut State, to: ConnId, key: RoomKey, user: UserKey) {
    let room = &state.rooms[key];
    let counts_only = room.gathered.presence.counts_only || room.presence != PresenceMode::Names;
    let change = if counts_only {
        PresenceChange::CountOnly
    } else {
        PresenceChange::State(present(state, key))
    };
    let (v, count) = (room.gathered.presence.v, room.gathered.presence.count);
    let presence = Event::Presence { room: room.name.clone(), v, count, change };
    let mut events = vec![presence, typing_event(state, key, Some(user))];
    if room.presence == PresenceMode::Off {
        events.remove(0);
    }
    if room.members.len() <= RECEIPTS_MEMBERS_MAX {
        let members = room.members.iter().map(|&member| &state.memberships[member]);
        let readers: Vec<_> = members.map(|row| (row.user, row.read)).collect();
        events.push(receipts_event(state, key, &readers, Some(user)));
    }
    state.said.extend(events.into_iter().map(|event| Output::Event { to, event }));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::hello::Hello;
    use super::super::model::command::{Command, Op};
    use super::super::model::output::{Encoding, Request};
    use super::super::{Chat, Limits};
    use super::*;
    use crate::time::clock::Now;

    fn at(millis: u64) -> Now {
        Now { tick: Tick::from_millis(millis), wall_ms: millis }
    }

    /// The rooms whose presence has been told, and whether the domain wants to be told of a drain.
    fn poll(chat: &mut Chat, told: &mut BTreeSet<String>) -> bool {
        let mut wakes = false;
        while let Some(said) = chat.poll_output() {
            match said {
                Output::Shared { event: Event::Presence { room, .. }, .. }
                | Output::Event { event: Event::Presence { room, .. }, .. } => {
                    told.insert(room.as_str().to_owned());
                }
                Output::Wake { .. } => wakes = true,
                _ => {}
            }
        }
        wakes
    }

    #[test]
    fn who_missed_something_without_being_blocked_is_told_when_it_is_in_step() {
        let limits = Limits { outbound_soft: 100, ..Limits::default() };
        let mut chat = Chat::new(limits, at(0));
        let conn = ConnId::new(0, 1).unwrap();
        let request = |op| Request { id: None, op };
        let hello =
            Hello { name: Some("ann"), resume: None, secret: 1, encoding: Encoding::default() };
        chat.hello(at(0), conn, request(Op::Hello), hello);
        for room in ["a", "b", "c"] {
            let join = Command::Join { room: room.into(), after: None, epoch: None };
            chat.command(at(0), conn, request(Op::Join), join);
        }
        chat.turn_end(at(0));
        chat.expire(at(1_000));
        let mut told = BTreeSet::new();
        while poll(&mut chat, &mut told) {
            chat.turn_end(at(1_000));
            chat.drained(at(1_000), conn);
        }
        assert_eq!(told.len(), 3, "{told:?}");
    }
}
