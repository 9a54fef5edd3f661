//! Who keeps order, and how: roles, kicks, mutes, bans, invitations.
//!
//! | | reader | member | moderator | owner |
//! |---|---|---|---|---|
//! | read, acknowledge | yes | yes | yes | yes |
//! | speak, edit and delete one's own, react, type | | yes | yes | yes |
//! | delete what others said, change the topic | | | yes | yes |
//! | kick, mute, ban who has a lower role; unban | | | yes | yes |
//! | invite into a private or invite-only room | | | yes | yes |
//! | give roles | | | | yes |
//!
//! Nobody does any of it to themselves, but that an owner may take a lower role while there is another owner. In the
//! same way an owner leaves while there is another, or nobody else at all: a room does not lose its only owner to those
//! who stay.
//! A room that was made by `join` has no owner: nobody keeps order there, everybody may change the topic, and
//! anybody may be invited, which changes nothing but that they hear of it. Nor does anybody in a direct
//! conversation.
//!
//! Each act but an invitation is a record. From the moment that it is asked for, it counts against whom it is
//! about; it takes effect when the log has it, and is taken back if the log refuses.
//!
//! A ban from a closed room leaves its mark in an invitation: whoever was in, or invited, knows of the room, is told of
//! the ban, and may come back when it is over. Of others the room stays hidden.

use super::asked::{Asking, Change};
use super::keys::{MembershipKey, RoomKey, UserKey};
use super::members::{end_membership, find_membership, keep_member, parse_user};
use super::model::command::ModerationCommand;
use super::model::event::{Event, LeftReason};
use super::model::limits::{SEQ_END, STANDINGS_MAX};
use super::model::log::{Expiry, MemberMeta, Restriction, RoomMeta};
use super::model::name::UserName;
use super::model::output::Output;
use super::model::record::{Act, Body, Record};
use super::model::reply::{Reply, Role};
use super::send::Logged;
use super::standing::{self, Pending};
use super::state::State;
use super::{Code, Done, Refusal, Then};

/// Bytes that an invitation takes as an event, at most.
const INVITED_BYTES: usize = 128;

/// An act of moderation as it is asked for.
pub(super) struct Wish<'a> {
    pub room: &'a str,
    pub user: &'a str,
    pub command: ModerationCommand,
    pub reason: &'a str,
    pub weight: u32,
}

/// Prepares an act of moderation for the log.
///
/// # Errors
///
/// Those of [`find_membership`]; [`Code::Forbidden`] in rooms without an owner, and for what the role does not
/// allow; [`Code::NoSuchUser`] if there is nobody to whom it could be done; [`Code::TooLarge`] if the room has as
/// many standings as it may.
pub(super) fn moderate(state: &State, user: UserKey, wish: &Wish<'_>) -> Result<Logged, Refusal> {
    let (room, membership) = find_membership(state, user, wish.room)?;
    check_owned(state, room)?;
    let target = parse_user("user", wish.user)?;
    let role = standing::role(state, membership);
    check_role(role, &wish.command)?;
    let there = member(state, room, &target);
    if target == state.users[user].name {
        check_step_down(state, membership, &wish.command)?;
    } else {
        check_rank(state, role, there, &wish.command)?;
    }
    let act = act(state, (room, &target), there, &wish.command)?;
    let order = &state.rooms[room].order;
    if order.is_full() && matches!(act, Act::Mute { .. } | Act::Ban { .. }) {
        return Err(full());
    }
    let meta = if state.rooms[room].is_stored() {
        meta(state, (room, &target), there, (act, wish.reason))
    } else {
        Vec::new()
    };
    let names = u32::try_from(target.as_str().len()).unwrap_or(u32::MAX);
    let pending = Some(Pending::Judged(target.clone(), act));
    let body = Body::Moderation { act, target, reason: wish.reason.into() };
    let weight = wish.weight.saturating_add(names);
    Ok(Logged { meta, pending, ..Logged::new(room, user, body, weight) })
}

/// # Errors
///
/// [`Code::Forbidden`] where there is nobody who could keep order.
fn check_owned(state: &State, key: RoomKey) -> Result<(), Refusal> {
    let room = &state.rooms[key];
    let words = if room.name.is_direct() {
        "there is no moderation in a direct conversation"
    } else if room.owned {
        return Ok(());
    } else {
        "there is no moderation in a room without an owner; create makes one with"
    };
    Err(Refusal::new(Code::Forbidden, words))
}

fn check_role(role: Role, command: &ModerationCommand) -> Result<(), Refusal> {
    let (least, words) = match command {
        ModerationCommand::Role(_) => (Role::Owner, "only an owner may give roles"),
        ModerationCommand::Kick
        | ModerationCommand::Mute(_)
        | ModerationCommand::Ban(_)
        | ModerationCommand::Unban => {
            (Role::Moderator, "only the owner and moderators may do this")
        }
    };
    if role < least { Err(Refusal::new(Code::Forbidden, words)) } else { Ok(()) }
}

/// Nobody judges themselves, but that an owner may step down while there is another.
fn check_step_down(
    state: &State,
    membership: MembershipKey,
    command: &ModerationCommand,
) -> Result<(), Refusal> {
    let words = match command {
        ModerationCommand::Role(_) => {
            if is_owned_by_another(state, membership) {
                return Ok(());
            }
            "a room's only owner stays its owner; make somebody else an owner first"
        }
        ModerationCommand::Kick
        | ModerationCommand::Mute(_)
        | ModerationCommand::Ban(_)
        | ModerationCommand::Unban => "you cannot do this to yourself",
    };
    Err(Refusal::new(Code::Forbidden, words))
}

/// Whether a room has another owner than this member.
fn is_owned_by_another(state: &State, membership: MembershipKey) -> bool {
    let members = &state.rooms[state.memberships[membership].room].members;
    let mut others = members.iter().filter(|&&other| other != membership);
    others.any(|&other| standing::role(state, other) == Role::Owner)
}

/// # Errors
///
/// [`Code::Forbidden`] for the only owner of a room that others are members of.
pub(super) fn check_departure(state: &State, membership: MembershipKey) -> Result<(), Refusal> {
    let row = &state.memberships[membership];
    let room = &state.rooms[row.room];
    let is_alone = room.members.len() == 1;
    if !room.owned || row.role < Role::Owner || is_alone || is_owned_by_another(state, membership) {
        return Ok(());
    }
    let words =
        "you are the only owner of this room; make another member an owner before you leave";
    Err(Refusal::new(Code::Forbidden, words))
}

/// Whom one puts out or silences has a lower role; an owner gives any role to anybody.
fn check_rank(
    state: &State,
    role: Role,
    there: Option<MembershipKey>,
    command: &ModerationCommand,
) -> Result<(), Refusal> {
    let theirs = there.map(|membership| standing::role(state, membership));
    let is_lower = theirs.is_none_or(|theirs| theirs < role);
    if is_lower || matches!(command, ModerationCommand::Role(_) | ModerationCommand::Unban) {
        return Ok(());
    }
    let words = "this can be done only to somebody of a lower role than yours";
    Err(Refusal::new(Code::Forbidden, words))
}

/// What is to be done, if there is somebody to whom it can be.
fn act(
    state: &State,
    (key, target): (RoomKey, &UserName),
    there: Option<MembershipKey>,
    command: &ModerationCommand,
) -> Result<Act, Refusal> {
    let wall_ms = state.now.wall_ms;
    let until =
        |for_ms: Option<u64>| for_ms.map(|for_ms| wall_ms.saturating_add(for_ms).min(SEQ_END - 1));
    let order = &state.rooms[key].order;
    let (is_possible, act, words) = match command {
        ModerationCommand::Role(role) => (there.is_some(), Act::Role(*role), NO_MEMBER),
        ModerationCommand::Kick => (there.is_some(), Act::Kick, NO_MEMBER),
        ModerationCommand::Mute(Some(0)) => {
            let is_muted = order.term(target, Restriction::Muted, wall_ms).is_some()
                || order.judged(target).any(|act| matches!(act, Act::Mute { .. }));
            (is_muted, Act::Unmute, "nobody of this name is muted here")
        }
        ModerationCommand::Mute(for_ms) => (true, Act::Mute { until: until(*for_ms) }, ""),
        ModerationCommand::Ban(for_ms) => (true, Act::Ban { until: until(*for_ms) }, ""),
        ModerationCommand::Unban => {
            let is_banned = standing::is_banned(state, key, target);
            (is_banned, Act::Unban, "nobody of this name is banned here")
        }
    };
    if is_possible {
        return Ok(act);
    }
    Err(Refusal::new(Code::NoSuchUser, words).field("user", "another user"))
}

const NO_MEMBER: &str = "nobody of this name is a member of this room";

/// What is kept of the act.
fn meta(
    state: &State,
    (key, target): (RoomKey, &UserName),
    there: Option<MembershipKey>,
    (act, reason): (Act, &str),
) -> Vec<RoomMeta> {
    let user = || target.clone();
    let end = || there.map(|_| RoomMeta::Member(user(), None));
    let term = |until| Some(Expiry { until, reason: reason.into() });
    match act {
        Act::Kick => end().into_iter().collect(),
        Act::Ban { until } => {
            let mark = knows_of(state, key, target).then(|| {
                let forever = Expiry { until: None, reason: "".into() };
                RoomMeta::Restriction(user(), Restriction::Invited, Some(forever))
            });
            let ban = RoomMeta::Restriction(user(), Restriction::Banned, term(until));
            end().into_iter().chain(mark).chain([ban]).collect()
        }
        Act::Unban => vec![RoomMeta::Restriction(user(), Restriction::Banned, None)],
        Act::Mute { until } => vec![RoomMeta::Restriction(user(), Restriction::Muted, term(until))],
        Act::Unmute => vec![RoomMeta::Restriction(user(), Restriction::Muted, None)],
        Act::Role(role) => {
            let row = there.map(|membership| &state.memberships[membership]);
            let meta = row.map(|row| MemberMeta { role, recv: row.recv, read: row.read });
            meta.map(|meta| RoomMeta::Member(user(), Some(meta))).into_iter().collect()
        }
    }
}

/// Whether a closed room is no secret to the user: a member, invited, or banned as one of these.
fn knows_of(state: &State, key: RoomKey, user: &UserName) -> bool {
    let room = &state.rooms[key];
    let is_invited = || room.order.term(user, Restriction::Invited, state.now.wall_ms).is_some();
    standing::is_closed(state, room) && (member(state, key, user).is_some() || is_invited())
}

/// The membership of the user of this name, unless it is about to end.
fn member(state: &State, key: RoomKey, name: &UserName) -> Option<MembershipKey> {
    let user = state.user_named(name.as_str())?;
    let membership = state.users[user].membership(key)?;
    (!standing::is_leaving(state, key, user)).then_some(membership)
}

/// The log has an act of moderation: it takes effect.
pub(super) fn stored(state: &mut State, key: RoomKey, record: &Record) {
    let Body::Moderation { act, target, reason } = &record.body else { return };
    let wall_ms = state.now.wall_ms;
    let term = |until| Some(Expiry { until, reason: reason.clone() });
    let membership = state.user_named(target.as_str());
    let membership = membership.and_then(|user| state.users[user].membership(key));
    let order = |state: &mut State, what, term| {
        state.rooms[key].order.set(target, what, term, wall_ms);
    };
    match *act {
        Act::Kick => end(state, membership, LeftReason::Kicked),
        Act::Ban { until } => {
            if knows_of(state, key, target) {
                let forever = Expiry { until: None, reason: "".into() };
                order(state, Restriction::Invited, Some(forever));
            }
            order(state, Restriction::Banned, term(until));
            end(state, membership, LeftReason::Banned);
        }
        Act::Unban => order(state, Restriction::Banned, None),
        Act::Mute { until } => order(state, Restriction::Muted, term(until)),
        Act::Unmute => order(state, Restriction::Muted, None),
        Act::Role(role) => {
            if let Some(row) = membership.and_then(|key| state.memberships.get_mut(key)) {
                row.role = role;
            }
        }
    }
}

/// Ends a membership, of which the record that says so is the last thing that is told.
fn end(state: &mut State, membership: Option<MembershipKey>, reason: LeftReason) {
    if let Some(membership) = membership {
        end_membership(state, membership, Some(reason));
    }
}

/// The log has answered an act, this way or that: while it was under way nothing was kept of the membership.
pub(super) fn answered(state: &mut State, key: RoomKey, pending: Option<Pending>) {
    let Some(Pending::Judged(user, act)) = pending else { return };
    if matches!(act, Act::Mute { .. } | Act::Unmute | Act::Unban) || state.rooms.get(key).is_none()
    {
        return;
    }
    let user = state.user_named(user.as_str());
    if let Some(membership) = user.and_then(|user| state.users[user].membership(key)) {
        keep_member(state, membership);
    }
}

/// Lets somebody into a closed room, and tells them.
///
/// # Errors
///
/// Those of [`find_membership`], [`Code::Forbidden`] for what the role does not allow and for somebody who is
/// banned, and [`Code::TooLarge`] if the room has as many standings as it may.
pub(super) fn invite(
    state: &mut State,
    user: UserKey,
    name: &str,
    invited: &str,
) -> Result<Done, Refusal> {
    let (key, membership) = find_membership(state, user, name)?;
    let forbidden = |words: &'static str| Err(Refusal::new(Code::Forbidden, words));
    let room = &state.rooms[key];
    if room.name.is_direct() {
        return forbidden("a direct conversation is of two");
    }
    let is_closed = standing::is_closed(state, room);
    if is_closed && standing::role(state, membership) < Role::Moderator {
        return forbidden("only the owner and moderators may invite into this room");
    }
    let invited = parse_user("user", invited)?;
    if invited == state.users[user].name {
        return forbidden("you cannot do this to yourself");
    }
    if standing::is_banned(state, key, &invited) {
        return forbidden("this user is banned; unban ends that");
    }
    if member(state, key, &invited).is_some() {
        return Ok(Done::Answered(Reply::Done, Then::Nothing));
    }
    if is_closed {
        if room.order.is_full() {
            return Err(full());
        }
        let term = Some(Expiry { until: None, reason: "".into() });
        let wall_ms = state.now.wall_ms;
        state.rooms[key].order.set(&invited, Restriction::Invited, term.clone(), wall_ms);
        standing::keep(
            state,
            key,
            RoomMeta::Restriction(invited.clone(), Restriction::Invited, term),
        );
        if state.rooms[key].is_stored() {
            return Ok(Done::Asked(user, Asking::Change(key, Change::Invite(invited))));
        }
    }
    tell_invited(state, key, user, &invited);
    Ok(Done::Answered(Reply::Done, Then::Nothing))
}

/// An invitation has been written, or could not be: then there is none.
///
/// # Errors
///
/// That of the log.
pub(super) fn invitation_written(
    state: &mut State,
    (key, user): (RoomKey, UserKey),
    invited: &UserName,
    outcome: Result<(), Refusal>,
) -> Result<(Reply, Then), Refusal> {
    match outcome {
        Ok(()) => {
            tell_invited(state, key, user, invited);
            Ok((Reply::Done, Then::Nothing))
        }
        Err(refusal) => {
            let wall_ms = state.now.wall_ms;
            state.rooms[key].order.set(invited, Restriction::Invited, None, wall_ms);
            standing::keep(
                state,
                key,
                RoomMeta::Restriction(invited.clone(), Restriction::Invited, None),
            );
            Err(refusal)
        }
    }
}

fn full() -> Refusal {
    let words = "the room has as many bans, mutes and invitations as it may";
    Refusal::new(Code::TooLarge, words).limit(STANDINGS_MAX)
}

/// Tells the live sessions of who is invited, but for those that have too much to take already.
fn tell_invited(state: &mut State, key: RoomKey, from: UserKey, invited: &UserName) {
    let Some(user) = state.user_named(invited.as_str()) else { return };
    let (room, from) = (state.rooms[key].name.clone(), state.users[from].name.clone());
    let State { users, sessions, said, limits, turn, .. } = state;
    for &to in &users[user].sessions {
        let session = sessions.get_mut(to.slot()).filter(|session| session.conn == to);
        let Some(session) = session else { continue };
        if session.credit.owed(*turn) <= limits.outbound_soft / 2 {
            session.credit.give(*turn, INVITED_BYTES);
            let event = Event::Invited { room: room.clone(), from: from.clone() };
            said.push_back(Output::Event { to, event });
        }
    }
}
