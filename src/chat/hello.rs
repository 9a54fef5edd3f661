//! How sessions begin, are resumed, and end.

use super::cursor::{pump, subscribe, unsubscribe};
use super::keys::{RoomKey, UserKey};
use super::members::{
    begin_membership, end_membership, find_membership, find_room, forget_user, open_room,
    open_user, parse_room, parse_user,
};
use super::model::command::{Position, Resume};
use super::model::event::Event;
use super::model::limits::{GUEST_PREFIX, SEQ_END};
use super::model::name::UserName;
use super::model::output::{Encoding, Output, Request};
use super::model::record::Epoch;
use super::model::reply::{GapWhy, Presence, Reply, Resumption, Role};
use super::session::{Secret, Session};
use super::state::{State, Timer};
use super::user::User;
use super::{Code, Refusal, Then, asked, create, gather, joined, standing, suspend};
use crate::collections::{Few, Ledger};
use crate::net::{CloseReason, ConnId};

/// Who a connection says it is.
#[derive(Debug)]
pub struct Hello<'a> {
    /// The wanted name; the server gives one if there is none.
    pub name: Option<&'a str>,
    /// The former session.
    pub resume: Option<Resume<'a>>,
    /// 128 bits that nobody can guess: the new session's secret.
    pub secret: u128,
    /// Which rendering of events the session takes.
    pub encoding: Encoding,
}

pub(super) fn hello(state: &mut State, conn: ConnId, request: Request, hello: Hello<'_>) {
    match begin_session(state, conn, &hello) {
        Ok((user, resumed)) => {
            let positions = hello.resume.map_or_else(Vec::new, |resume| resume.positions);
            let mut rooms = Vec::with_capacity(positions.len());
            for position in positions {
                let resumption = resume_room(state, (conn, user), &position, resumed);
                let resumption = resumption.unwrap_or_else(Resumption::Refused);
                rooms.push((position.room.into_owned().into_boxed_str(), resumption));
            }
            let welcome = Reply::Welcome {
                user: state.users[user].name.clone(),
                session: Secret::new(hello.secret).to_text(),
                time: state.now.wall_ms,
                resumed,
                rooms,
            };
            state.said.push_back(Output::Reply { to: conn, request, result: Ok(welcome) });
            pump(state, conn);
        }
        Err(refusal) => {
            state.said.push_back(Output::Reply { to: conn, request, result: Err(refusal) });
        }
    }
}

fn begin_session(
    state: &mut State,
    conn: ConnId,
    hello: &Hello<'_>,
) -> Result<(UserKey, bool), Refusal> {
    if state.session(conn).is_some() {
        let refusal = Refusal::new(Code::BadField, "this connection has said hello already");
        return Err(refusal.field("op", "hello once, first"));
    }
    let former = hello.resume.as_ref().and_then(|resume| Secret::parse(&resume.session));
    let known = former.and_then(|secret| Some((secret, state.user_of(secret)?)));
    let known = known
        .filter(|&(_, user)| hello.name.is_none_or(|name| name == state.users[user].name.as_str()));
    let user = match (known, hello.name) {
        (Some((_, user)), _) => {
            suspend::check(state, &state.users[user].name)?;
            user
        }
        (None, Some(name)) => {
            let name = parse_user("name", name)?;
            suspend::check(state, &name)?;
            let user = open_user(state, &name, false)?;
            state.users[user].passing = false;
            user
        }
        (None, None) => {
            let name = guest_name(state, hello.secret);
            open_user(state, &name, true)?
        }
    };
    let old = known.and_then(|(secret, user)| find_session(state, secret, user));
    let sessions_max = state.limits.sessions_per_user;
    if state.users[user].sessions.len() - usize::from(old.is_some()) >= sessions_max {
        let refusal = Refusal::new(Code::TooManySessions, "you have as many sessions as you may");
        return Err(refusal.limit(sessions_max));
    }
    if let Some((secret, _)) = known {
        replace(state, secret, user);
    }
    insert_session(state, conn, user, hello);
    Ok((user, known.is_some()))
}

/// The session of this secret comes back on another connection: the old one, if there still is one, ends.
fn replace(state: &mut State, secret: Secret, user: UserKey) {
    state.users_by_secret.remove(&secret, user);
    if let Some(absence) = &mut state.users[user].absence {
        absence.lapsed.retain(|&lapsed| lapsed != secret);
    }
    if let Some(conn) = find_session(state, secret, user) {
        state.said.push_back(Output::Close { conn, reason: CloseReason::Replaced });
        end_session(state, conn);
    }
}

/// The connection on which the user has the session of this secret, if there still is one.
fn find_session(state: &State, secret: Secret, user: UserKey) -> Option<ConnId> {
    let sessions = state.users[user].sessions.iter().filter_map(|&conn| state.session(conn));
    sessions.filter(|session| session.secret == secret).map(|session| session.conn).next()
}

fn insert_session(state: &mut State, conn: ConnId, user: UserKey, hello: &Hello<'_>) {
    let secret = Secret::new(hello.secret);
    state.users_by_secret.insert(&secret, user);
    let session = Session {
        conn,
        user,
        encoding: hello.encoding,
        away: false,
        behind: 0,
        held: 0,
        waiting: 0,
        credit: Ledger::default(),
        secret,
        subs: Few::new(),
    };
    state.sessions.insert(conn.slot(), session);
    state.stats.sessions += 1;
    let row = &mut state.users[user];
    row.sessions.push(conn);
    if let Some(timer) = row.back() {
        state.wheel.cancel(timer);
    }
    update_presence(state, user);
}

/// A name that nobody has.
fn guest_name(state: &State, secret: u128) -> UserName {
    // The secret is mixed so that the name tells nothing of it.
    let mut seed = u64::try_from(secret >> 64).unwrap_or(0) ^ 0x9e37_79b9_7f4a_7c15;
    loop {
        seed = (seed ^ (seed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let name = format!("{GUEST_PREFIX}{}", Epoch(seed % 36_u64.pow(5)));
        if let Some(name) = UserName::parse(&name).ok().filter(|name| is_free(state, name)) {
            return name;
        }
        seed = seed.wrapping_add(1);
    }
}

fn is_free(state: &State, name: &UserName) -> bool {
    state.user_named(name.as_str()).is_none()
}

/// The cursor of one room of a resume: as a join with a position, unless the session is known and so is that its user
/// has left meanwhile, on another session, or has been put out.
fn resume_room(
    state: &mut State,
    (conn, user): (ConnId, UserKey),
    position: &Position<'_>,
    resumed: bool,
) -> Result<Resumption, Refusal> {
    if resumed && state.room_named(&position.room).is_some() {
        find_membership(state, user, &position.room)?;
    }
    let at = (Some(&*position.epoch), position.seq);
    let (key, resumption) = enter_at(state, user, &position.room, at)?;
    standing::use_invitation(state, key, user);
    if let Some(membership) = state.users[user].membership(key) {
        state.memberships[membership].told = true;
    }
    subscribe(state, conn, key, resumption.next());
    Ok(resumption)
}

/// As [`enter`], for a cursor that has the seq of the epoch. Who is refused has not become a member.
///
/// # Errors
///
/// Those of [`enter`], and [`Code::SeqUnavailable`] if the log is not that far.
pub(super) fn enter_at(
    state: &mut State,
    user: UserKey,
    name: &str,
    (epoch, seq): (Option<&str>, u64),
) -> Result<(RoomKey, Resumption), Refusal> {
    let was_member = find_membership(state, user, name).is_ok();
    let key = enter(state, user, name)?;
    match place(state, key, epoch, seq) {
        Ok(resumption) => Ok((key, resumption)),
        Err(refusal) => {
            let membership = state.users[user].membership(key).filter(|_| !was_member);
            if let Some(membership) = membership {
                end_membership(state, membership, None);
            }
            Err(refusal)
        }
    }
}

/// The room `name` with `user` as a member: found, or made where the policy allows.
///
/// # Errors
///
/// Those of [`find_room`] if there is none that the user may join, [`Code::InviteOnly`], [`Code::Busy`] for a
/// member who is being put out, and those of [`open_room`] and [`begin_membership`].
pub(super) fn enter(state: &mut State, user: UserKey, name: &str) -> Result<RoomKey, Refusal> {
    let found = find_room(state, user, name);
    let key = match found {
        Ok(key) => {
            check_door(state, key, user)?;
            key
        }
        Err(refusal) if refusal.code != Code::NoSuchRoom => return Err(refusal),
        Err(refusal) => {
            let name = parse_room(name)?;
            if let Some((a, b)) = name.pair() {
                let me = state.users[user].name.as_str();
                if me != a && me != b {
                    return Err(refusal);
                }
                let other = if me == a { b } else { a };
                if me == other {
                    let refusal = Refusal::new(Code::BadField, "this is you");
                    return Err(refusal.field("room", "a conversation with another user"));
                }
                let other = parse_user("room", other)?;
                let other = open_user_to_wait_for(state, &other)?;
                return super::members::open_direct(state, user, other);
            }
            if state.room_named(name.as_str()).is_some() || !create::by_join(state, user, &name) {
                return Err(refusal);
            }
            open_room(state, &name, None)?
        }
    };
    if let Err(refusal) = begin_membership(state, user, key, Role::Member, false) {
        super::members::retire_room(state, key);
        return Err(refusal);
    }
    Ok(key)
}

/// # Errors
///
/// [`Code::InviteOnly`] for somebody who is not invited, and [`Code::Busy`] for who is about to be put out.
fn check_door(state: &State, key: RoomKey, user: UserKey) -> Result<(), Refusal> {
    standing::check_leaving(state, key, user)?;
    let is_welcome =
        state.users[user].membership(key).is_some() || standing::is_invited(state, key, user);
    if !is_welcome && standing::is_closed(state, &state.rooms[key]) {
        return Err(Refusal::new(Code::InviteOnly, "this room is joined by invitation"));
    }
    Ok(())
}

/// Whether the user was told of its membership. One that has just begun it is not: it is written first.
pub(super) fn is_told(state: &mut State, user: UserKey, room: RoomKey, was_member: bool) -> bool {
    let Some(key) = state.users[user].membership(room) else { return true };
    let row = &mut state.memberships[key];
    row.told &= was_member;
    row.told
}

/// A member gets a cursor: behind a position, or at the head. Answers the join.
///
/// # Errors
///
/// [`Code::SeqUnavailable`] if the log is not that far, and [`Code::NoSuchRoom`] if the user is no member.
pub(super) fn entered(
    state: &mut State,
    (conn, user): (ConnId, UserKey),
    key: RoomKey,
    position: Option<&(Option<Box<str>>, u64)>,
) -> Result<(Reply, Then), Refusal> {
    let Some((epoch, after)) = position else {
        standing::use_invitation(state, key, user);
        subscribe(state, conn, key, None);
        return Ok((joined(state, user, key, false)?, Then::Nothing));
    };
    let resumption = place(state, key, epoch.as_deref(), *after)?;
    standing::use_invitation(state, key, user);
    subscribe(state, conn, key, resumption.next());
    let reset = matches!(resumption, Resumption::Reset { .. });
    let gap = match resumption {
        Resumption::Gap { gap: (from, to), why, .. } => {
            Some(Event::Gap { room: state.rooms[key].name.clone(), from, to, why })
        }
        Resumption::From { .. } | Resumption::Reset { .. } | Resumption::Refused(_) => None,
    };
    Ok((joined(state, user, key, reset)?, Then::Pump(gap)))
}

/// The user `name`, who may not have come yet.
///
/// # Errors
///
/// Those of [`open_user`].
pub(super) fn open_user_to_wait_for(
    state: &mut State,
    name: &UserName,
) -> Result<UserKey, Refusal> {
    let known = state.user_named(name.as_str()).is_some();
    let key = open_user(state, name, true)?;
    if !known {
        arm_absence(state, key);
    }
    Ok(key)
}

/// Where a cursor that has `seq` of `epoch` begins, and how that is told.
///
/// # Errors
///
/// [`Code::SeqUnavailable`] if the log is not that far.
fn place(
    state: &State,
    key: RoomKey,
    epoch: Option<&str>,
    seq: u64,
) -> Result<Resumption, Refusal> {
    let room = &state.rooms[key];
    let (head, oldest) = (room.head, room.oldest());
    if epoch.is_some_and(|epoch| Epoch::parse(epoch) != Some(room.epoch)) {
        return Ok(Resumption::Reset { epoch: room.epoch, seq: head });
    }
    if seq > head || seq >= SEQ_END {
        let refusal = Refusal::new(Code::SeqUnavailable, "the room's log is not that far yet");
        return Err(refusal.field("after", format!("at most {head}")));
    }
    let next = seq + 1;
    let reach = head.saturating_sub(state.limits.replay) + 1;
    let from = next.max(oldest).max(reach);
    if from == next {
        return Ok(Resumption::From { from, to: head });
    }
    // What is no longer there is pruned; what is, but is more than may be asked for, is paged.
    let why = if oldest >= reach { GapWhy::Pruned } else { GapWhy::Limit };
    Ok(Resumption::Gap { gap: (next, from - 1), why, from, to: head })
}

/// The connection is gone, or is another's now.
pub(super) fn end_session(state: &mut State, conn: ConnId) {
    let Some(session) = state.session(conn) else { return };
    let (user, secret) = (session.user, session.secret);
    let rooms: Vec<RoomKey> = session.subs.iter().map(|sub| sub.room).collect();
    asked::forget_put_off(state, conn);
    for room in rooms {
        unsubscribe(state, conn, room);
    }
    // Not if it has come back on another connection.
    let may_return = state.user_of(secret).is_some();
    state.sessions.remove(conn.slot());
    state.stats.sessions -= 1;
    let sessions_max = state.limits.sessions_per_user;
    let row = &mut state.users[user];
    if let Some(index) = row.sessions.iter().position(|&other| other == conn) {
        row.sessions.remove(index);
    }
    if may_return {
        let lapsed = &mut row.absence().lapsed;
        lapsed.push(secret);
        if lapsed.len() > sessions_max {
            let oldest = lapsed.remove(0);
            state.users_by_secret.remove(&oldest, user);
        }
    }
    if row.sessions.is_empty() {
        arm_absence(state, user);
    } else {
        update_presence(state, user);
    }
}

/// The user has no session: after the leave grace it is off, and may be forgotten later.
pub(super) fn arm_absence(state: &mut State, user: UserKey) {
    let deadline = state.now.tick.after(state.limits.leave_grace);
    let row = &mut state.users[user];
    let absence = row.absence();
    absence.since = state.now.tick;
    if let Some(timer) = absence.timer.take() {
        state.wheel.cancel(timer);
    }
    absence.timer = Some(state.wheel.arm(deadline, Timer::Absent(user)));
}

/// The timer of a user without sessions has gone off.
pub(super) fn absent(state: &mut State, user: UserKey) {
    let Some(row) = state.users.get_mut(user) else { return };
    row.absence().timer = None;
    if !row.sessions.is_empty() {
        return;
    }
    if row.presence != Presence::Off {
        row.presence = Presence::Off;
        gather::user_changed(state, user);
    }
    let row = &mut state.users[user];
    let forgotten_at = row.absence().since.after(state.limits.guest_membership);
    let is_over = row.passing && state.now.tick >= forgotten_at;
    if is_over {
        end_passing(state, user);
    }
    let row = &mut state.users[user];
    if row.memberships.is_empty() {
        forget_user(state, user);
        return;
    }
    let passing = row.passing && !is_over;
    let absence = row.absence();
    if passing {
        absence.timer = Some(state.wheel.arm(forgotten_at, Timer::Absent(user)));
    } else {
        for secret in std::mem::take(&mut absence.lapsed) {
            state.users_by_secret.remove(&secret, user);
        }
    }
    if !std::mem::replace(&mut absence.listed, true) {
        let named = (user, row.name.clone());
        list_absent(state, named);
    }
}

/// A nameless user does not come back: its memberships in rooms that are not stored end.
fn end_passing(state: &mut State, user: UserKey) {
    let memberships = state.users[user].memberships.iter().copied();
    let ending = memberships.filter(|&(room, _)| !state.rooms[room].is_stored());
    let ending: Vec<_> = ending.map(|(_, membership)| membership).collect();
    for membership in ending {
        end_membership(state, membership, None);
    }
}

fn is_listed(row: &User) -> bool {
    row.absence.as_ref().is_some_and(|absence| absence.listed)
}

fn list_absent(state: &mut State, named: (UserKey, UserName)) {
    if state.absent.len() > 2 * state.users.len() + 1024 {
        let users = &state.users;
        let still = |(key, name): &(UserKey, UserName)| {
            users.get(*key).is_some_and(|row| row.name == *name && is_listed(row))
        };
        state.absent.retain(still);
    }
    state.absent.push_back(named);
}

/// A user is online if one of its sessions is, and away if none is.
pub(super) fn update_presence(state: &mut State, user: UserKey) {
    let sessions = &state.users[user].sessions;
    let online = sessions.iter().filter_map(|&conn| state.session(conn)).any(|row| !row.away);
    let presence = if online { Presence::Online } else { Presence::Away };
    if !sessions.is_empty() && state.users[user].presence != presence {
        state.users[user].presence = presence;
        gather::user_changed(state, user);
    }
}

impl Secret {
    /// Reads what [`Secret::to_text`] wrote; `None` for anything else, which is no session of ours.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('s').filter(|digits| digits.len() == 32)?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        u128::from_str_radix(digits, 16).ok().filter(|_| hex).map(Self::new)
    }

    /// As it stands in the protocol.
    fn to_text(self) -> Box<str> {
        format!("s{:032x}", u128::from_ne_bytes(self.0)).into_boxed_str()
    }
}
