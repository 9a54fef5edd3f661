//! Moderation: roles, kicks, mutes and bans.
//!
//! | | reader | member | moderator | owner |
//! |---|---|---|---|---|
//! | read, acknowledge | yes | yes | yes | yes |
//! | speak, edit and delete one's own, react, type | | yes | yes | yes |
//! | delete what others said, change the topic | | | yes | yes |
//! | kick, mute, ban users of a lower role; unban | | | yes | yes |
//! | invite into a private or invite-only room | | | yes | yes |
//! | give roles | | | | yes |
//!
//! An administrator may do all of it in any room ([`admins`]), but gives no roles in
//! one without an owner. Nobody does any of it to themselves, except that an owner may take a lower
//! role while there is another owner; [`owners`](super::owners) says how a room comes to another.
//! A room that was made by `join` has no owner: no member moderates there, everybody may change the
//! topic, and anybody may be invited. In direct conversations there is nothing of it.
//!
//! Each act but an invitation is a record. From the moment that it is asked for, it counts against
//! the user that it is about; it takes effect when the log has it, and is taken back if the log
//! refuses.
//!
//! What takes a right away is kept by name, so that leaving, joining or being forgotten does not
//! end it: a reader who leaves and joins is a reader. An owner may give the voice back to one who
//! has left.
//!
//! A member who is banned from a closed room knows of it, is told of the ban, and may come back
//! when it is over: that is kept, too. From others the room stays hidden; a ban ends an invitation.

use super::admins::{self, Authority};
use super::membership::{end_membership, member_meta, note_departure, put_member};
use super::owners::is_owned_by_another;
use super::room_end::end_watch;
use super::send::{NewRecord, append};
use super::{Answer, Chat};
use crate::chat::delivery::Sender;
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::code::Code;
use crate::chat::model::command::ModerationCommand;
use crate::chat::model::event::LeftReason;
use crate::chat::model::limits::{RESTRICTIONS_MAX, SEQ_END};
use crate::chat::model::log::{Expiry, MemberMeta, Restriction, RestrictionMeta, RoomMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::record::{Act, Body, Record};
use crate::chat::model::reply::{Refusal, Role};
use crate::chat::pending::Requester;
use crate::chat::rooms::PendingAct;

/// An act of moderation as it is asked for.
pub(super) struct Wish<'a> {
    pub room: &'a str,
    pub user: &'a str,
    pub command: ModerationCommand,
    pub reason: &'a str,
    pub weight: u32,
}

/// Has an act of moderation logged.
///
/// # Errors
///
/// Those of finding the room; [`Code::Forbidden`] in rooms without an owner, and for what the role
/// does not allow; [`Code::NoSuchUser`] if there is nobody to whom it could be done;
/// [`Code::TooLarge`] if the room has as many restrictions as it may.
pub(super) fn moderate(
    chat: &mut Chat,
    by: &mut Requester,
    wish: &Wish<'_>,
) -> Result<Answer, Refusal> {
    let authority = admins::authority(chat, (by.conn, by.user), wish.room)?;
    let (key, lookup) = (authority.room, chat.lookup());
    let room = &chat.rooms[key];
    check_owned(chat, &authority, &wish.command)?;
    let target = lookup.user_name(("user", wish.user), Some(key))?;
    check_role(&authority, &wish.command)?;
    let member = lookup.member_named(key, &target);
    // By name and not by user: the target may be somebody who is not known at the moment.
    if target == chat.directory[by.user].name {
        check_step_down(chat, authority.membership, &wish.command)?;
    } else if authority.is_admin {
        check_owner_stays(chat, member, &wish.command)?;
    } else {
        // Who is being demoted has the lower role already; otherwise two owners could demote each
        // other.
        let theirs = member.map(|member| lookup.role(member));
        check_rank(authority.role.unwrap_or(Role::Reader), theirs, &wish.command)?;
    }
    // Times are fixed here, once: the log, the store and all members then have the same end.
    let act = act(chat, (key, &target), member, &wish.command)?;
    if is_so_already(chat, (key, &target), member, (act, wish.reason)) {
        return Ok(answer_without_effect(chat, by, key));
    }
    if room.moderation.is_full_for(&target, act, chat.context.now.wall_ms) {
        return Err(full());
    }
    let meta = if room.is_stored() {
        let by = &chat.directory[by.user].name;
        meta_of(chat, (key, &target), member, (act, by, wish.reason))
    } else {
        Vec::new()
    };
    // The parser has weighed the reason only; the target's name is rendered as well.
    let names = u32::try_from(target.as_str().len()).unwrap_or(u32::MAX);
    // It counts from now on, or the user could speak until the disk has answered.
    let pending = Some(PendingAct::Act(target.clone(), act));
    let body = Body::Moderation { act, target, reason: wish.reason.into() };
    let weight = wish.weight.saturating_add(names);
    append(chat, by, NewRecord { meta, act: pending, ..NewRecord::new(key, body, weight) })
}

/// # Errors
///
/// [`Code::Forbidden`] where there is nobody who could moderate.
fn check_owned(
    chat: &Chat,
    authority: &Authority,
    command: &ModerationCommand,
) -> Result<(), Refusal> {
    let room = &chat.rooms[authority.room];
    let gives_role = matches!(command, ModerationCommand::Role(_));
    let message = if room.name.is_direct() {
        "there is no moderation in a direct conversation"
    } else if room.owned || (authority.is_admin && !gives_role) {
        return Ok(());
    } else if authority.is_admin {
        "this room has no owner, so it has no roles; chinwag owner gives it one"
    } else {
        "this room has no owner, so nobody can moderate it; a room that you create is yours"
    };
    Err(Refusal::new(Code::Forbidden, message))
}

fn check_role(authority: &Authority, command: &ModerationCommand) -> Result<(), Refusal> {
    let (least, message) = match command {
        ModerationCommand::Role(_) => (Role::Owner, "only an owner may give roles"),
        ModerationCommand::Kick
        | ModerationCommand::Mute(_)
        | ModerationCommand::Ban(_)
        | ModerationCommand::Unban => {
            (Role::Moderator, "only the owner and moderators may do this")
        }
    };
    let is_enough = authority.is_admin || authority.role.is_some_and(|role| role >= least);
    if is_enough { Ok(()) } else { Err(Refusal::new(Code::Forbidden, message)) }
}

/// Nobody takes a room its only owner.
fn check_owner_stays(
    chat: &Chat,
    member: Option<MembershipKey>,
    command: &ModerationCommand,
) -> Result<(), Refusal> {
    let takes_owner = match command {
        ModerationCommand::Role(role) => *role < Role::Owner,
        ModerationCommand::Kick | ModerationCommand::Ban(_) => true,
        ModerationCommand::Mute(_) | ModerationCommand::Unban => false,
    };
    let is_only_owner = |member: MembershipKey| {
        chat.lookup().role(member) == Role::Owner && !is_owned_by_another(chat, member)
    };
    if takes_owner && member.is_some_and(is_only_owner) {
        let message = "this user is the room's only owner; make somebody else an owner first";
        return Err(Refusal::new(Code::Forbidden, message).field("user", "another user"));
    }
    Ok(())
}

/// Nobody judges themselves, but that an owner may step down while there is another.
fn check_step_down(
    chat: &Chat,
    membership: Option<MembershipKey>,
    command: &ModerationCommand,
) -> Result<(), Refusal> {
    let message = match command {
        ModerationCommand::Role(_) => {
            if membership.is_none_or(|membership| is_owned_by_another(chat, membership)) {
                return Ok(());
            }
            "a room's only owner stays its owner; make somebody else an owner first"
        }
        ModerationCommand::Kick
        | ModerationCommand::Mute(_)
        | ModerationCommand::Ban(_)
        | ModerationCommand::Unban => "you cannot do this to yourself",
    };
    Err(Refusal::new(Code::Forbidden, message))
}

/// Only users of a lower role are removed or silenced; an owner gives any role to anybody.
fn check_rank(
    role: Role,
    theirs: Option<Role>,
    command: &ModerationCommand,
) -> Result<(), Refusal> {
    let is_lower = theirs.is_none_or(|theirs| theirs < role);
    if is_lower || matches!(command, ModerationCommand::Role(_) | ModerationCommand::Unban) {
        return Ok(());
    }
    let message = "this can be done only to a user whose role is lower than yours";
    Err(Refusal::new(Code::Forbidden, message))
}

/// The act that the command stands for, if its target is somebody to whom it can be done.
fn act(
    chat: &Chat,
    (key, target): (RoomKey, &UserName),
    member: Option<MembershipKey>,
    command: &ModerationCommand,
) -> Result<Act, Refusal> {
    let wall_ms = chat.context.now.wall_ms;
    let until =
        // Below 2^53, as every number of the protocol, so that a client in JavaScript reads it
        // exactly.
        |for_ms: Option<u64>| for_ms.map(|for_ms| wall_ms.saturating_add(for_ms).min(SEQ_END - 1));
    let state = &chat.rooms[key].moderation;
    let (is_possible, act, message) = match command {
        ModerationCommand::Role(role) => {
            let is_reader =
                || chat.lookup().restriction(key, target, Restriction::Reader).is_some();
            let gives_voice = || *role == Role::Member && is_reader();
            (member.is_some() || gives_voice(), Act::Role(*role), NO_MEMBER)
        }
        ModerationCommand::Kick => (member.is_some(), Act::Kick, NO_MEMBER),
        ModerationCommand::Mute(Some(0)) => {
            let is_muted = state.expiry(target, Restriction::Muted, wall_ms).is_some()
                || state.pending_acts(target).any(|act| matches!(act, Act::Mute { .. }));
            (is_muted, Act::Unmute, "nobody of this name is muted here")
        }
        ModerationCommand::Mute(for_ms) => (true, Act::Mute { until: until(*for_ms) }, ""),
        ModerationCommand::Ban(for_ms) => (true, Act::Ban { until: until(*for_ms) }, ""),
        ModerationCommand::Unban => {
            let is_banned = chat.lookup().is_banned(key, target);
            (is_banned, Act::Unban, "nobody of this name is banned here")
        }
    };
    if is_possible {
        return Ok(act);
    }
    Err(Refusal::new(Code::NoSuchUser, message).field("user", "another user"))
}

/// Whether an act would change nothing: a record has an effect.
fn is_so_already(
    chat: &Chat,
    (key, target): (RoomKey, &UserName),
    member: Option<MembershipKey>,
    (act, reason): (Act, &str),
) -> bool {
    let state = &chat.rooms[key].moderation;
    let is_under = |kind| {
        let known = state.expiry(target, kind, chat.context.now.wall_ms);
        known.is_some_and(|known| known.until.is_none() && *known.reason == *reason)
    };
    let is_so = match act {
        Act::Role(role) => member.is_some_and(|member| chat.rooms[member].role == role),
        Act::Ban { until: None } => member.is_none() && is_under(Restriction::Banned),
        Act::Mute { until: None } => is_under(Restriction::Muted),
        // Each begins its time again, or ends something that is there.
        Act::Ban { .. } | Act::Mute { .. } | Act::Kick | Act::Unban | Act::Unmute => false,
    };
    // An act under way may change it: then nobody can say yet that nothing would.
    is_so && state.pending_acts(target).next().is_none()
}

/// Answers an act that changes nothing with the room's last seq, at which it holds already.
pub(super) fn answer_without_effect(chat: &mut Chat, by: &mut Requester, key: RoomKey) -> Answer {
    let Requester { conn, request, .. } = by.take();
    let room = &chat.rooms[key];
    let at = room.ring.get(room.head).map_or(chat.context.now.wall_ms, |last| last.at);
    let not_members = Box::default();
    let sender = Sender { conn, request, echo: false, not_members };
    let seq = room.head;
    chat.delivery_mut().answer_at(key, sender, seq, at);
    Answer::Later
}

const NO_MEMBER: &str = "nobody of this name is a member of this room";

/// The metadata that the act changes, written with its record.
fn meta_of(
    chat: &Chat,
    (key, target): (RoomKey, &UserName),
    member: Option<MembershipKey>,
    (act, by, reason): (Act, &UserName, &str),
) -> Vec<RoomMeta> {
    let user = || target.clone();
    let membership = |role| {
        let meta = member.map(|membership| MemberMeta { role, ..member_meta(chat, membership) });
        meta.map(|meta| RoomMeta::Member(user(), Some(meta)))
    };
    // Written in the transaction of the record: a crash must not leave a member who was banned.
    let end = member
        .filter(|_| matches!(act, Act::Kick | Act::Ban { .. }))
        .map(|_| RoomMeta::Member(user(), None));
    let role = match act {
        Act::Role(role) => membership(role),
        _ => None,
    };
    let changes = restrictions_of((act, by, chat.context.now.wall_ms), reason);
    // Asked before the act takes effect, since a member who is banned is none any more.
    let mark = may_return(chat, key, target, act);
    let marked = mark.then(|| (Restriction::MayReturn, Some(RestrictionMeta::default())));
    let changes = marked.into_iter().chain(changes);
    let restrictions = changes.map(|(kind, meta)| RoomMeta::Restriction(user(), kind, meta));
    end.into_iter().chain(role).chain(restrictions).collect()
}

/// What an act changes of the restrictions of the user that it is about.
fn restrictions_of(
    (act, by, at): (Act, &UserName, u64),
    reason: &str,
) -> Vec<(Restriction, Option<RestrictionMeta>)> {
    let kept = |until| {
        let expiry = Expiry { until, reason: reason.into() };
        Some(RestrictionMeta { by: Some(by.clone()), at: Some(at), expiry })
    };
    match act {
        Act::Kick => Vec::new(),
        Act::Ban { until } => {
            vec![(Restriction::Invited, None), (Restriction::Banned, kept(until))]
        }
        Act::Unban => vec![(Restriction::Banned, None)],
        Act::Mute { until } => vec![(Restriction::Muted, kept(until))],
        Act::Unmute => vec![(Restriction::Muted, None)],
        Act::Role(Role::Reader) => vec![(Restriction::Reader, kept(None))],
        Act::Role(Role::Member | Role::Moderator | Role::Owner) => {
            vec![(Restriction::Reader, None)]
        }
    }
}

/// Whether the act bans a member of a closed room. Only so many are noted: another one needs an
/// invitation when the ban is over.
fn may_return(chat: &Chat, key: RoomKey, user: &UserName, act: Act) -> bool {
    let (lookup, room) = (chat.lookup(), &chat.rooms[key]);
    let member = chat.directory.user_named(user.as_str());
    let is_member = member.is_some_and(|user| chat.directory[user].membership(key).is_some());
    let noted = || room.moderation.count(Restriction::MayReturn, chat.context.now.wall_ms);
    matches!(act, Act::Ban { .. })
        && is_member
        && lookup.is_closed(room)
        && noted() < RESTRICTIONS_MAX
}

/// The log has an act of moderation: it takes effect.
pub(super) fn on_stored(chat: &mut Chat, key: RoomKey, record: &Record) {
    let Body::Moderation { act, target, reason } = &record.body else { return };
    let member = chat.directory.user_named(target.as_str());
    let member = member.and_then(|user| chat.directory[user].membership(key));
    // Likewise: further down the member is removed.
    if may_return(chat, key, target, *act) {
        let mark = Some(RestrictionMeta::default());
        restrict(chat, (key, target), Restriction::MayReturn, mark);
    }
    for (kind, meta) in restrictions_of((*act, &record.from, record.at), reason) {
        restrict(chat, (key, target), kind, meta);
    }
    match *act {
        Act::Kick => end(chat, member, LeftReason::Kicked),
        Act::Ban { .. } => {
            // Also for who is no member: the ban of a name must outlast a claim to have been there.
            note_departure(chat, key, target);
            end(chat, member, LeftReason::Banned);
            stop_reading(chat, key, target);
        }
        Act::Role(role) => {
            if let Some(member) = member {
                chat.rooms[member].role = role;
            }
        }
        Act::Unban | Act::Mute { .. } | Act::Unmute => {}
    }
}

/// Sets or ends a restriction. Those that have run out are no longer kept.
pub(super) fn restrict(
    chat: &mut Chat,
    (key, user): (RoomKey, &UserName),
    kind: Restriction,
    meta: Option<RestrictionMeta>,
) {
    let wall_ms = chat.context.now.wall_ms;
    let over = chat.rooms.restrict((key, user), kind, meta, wall_ms);
    // Another node may have made it longer by now.
    let is_alone = chat.context.node.is_none();
    for (user, kind) in over.into_iter().filter(|_| is_alone) {
        chat.rooms[key].put_meta(&mut chat.context, RoomMeta::Restriction(user, kind, None));
    }
}

/// Ends a membership, of which the record that says so is the last thing that is told.
fn end(chat: &mut Chat, member: Option<MembershipKey>, reason: LeftReason) {
    if let Some(member) = member {
        end_membership(chat, member, Some(reason));
    }
}

/// Who is banned and reads the room without being a member reads it no more.
fn stop_reading(chat: &mut Chat, key: RoomKey, target: &UserName) {
    let Some(user) = chat.directory.user_named(target.as_str()) else { return };
    for conn in chat.delivery.subscribed(key) {
        if chat.delivery.reader(conn).is_some_and(|reader| reader.user == user) {
            end_watch(chat, (conn, key), LeftReason::Banned);
        }
    }
}

/// The log has answered an act, this way or that: while it was under way nothing was kept of the
/// membership.
pub(super) fn on_answered(chat: &mut Chat, key: RoomKey, act: Option<PendingAct>) {
    let Some(PendingAct::Act(user, act)) = act else { return };
    let is_about_membership = match act {
        Act::Kick | Act::Ban { .. } | Act::Role(_) => true,
        Act::Mute { .. } | Act::Unmute | Act::Unban => false,
    };
    if !is_about_membership || chat.rooms.table.get(key).is_none() {
        return;
    }
    let user = chat.directory.user_named(user.as_str());
    if let Some(member) = user.and_then(|user| chat.directory[user].membership(key)) {
        put_member(chat, member);
    }
}

/// The refusal of another restriction in a room that has as many as it may.
fn full() -> Refusal {
    let message = "the room has as many bans, mutes and readers as it may";
    Refusal::new(Code::TooLarge, message).limit(RESTRICTIONS_MAX)
}
