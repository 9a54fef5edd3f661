//! `join`, and where a cursor begins.

use super::faults::refusal_of;
use super::membership::{begin_membership, end_membership};
use super::room_end::retire_room;
use super::{Answer, Chat, blocks, invitations, outsiders, room_begin, tell_other_nodes};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::command::Op;
use crate::chat::model::event::Event;
use crate::chat::model::limits::SEQ_END;
use crate::chat::model::log::{LogFault, LogRequest};
use crate::chat::model::name::UserName;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::{GapWhy, Rare, Refusal, Reply, Resumption, Role};
use crate::chat::pending::{JoinPosition, PendingOp, Requester};
use crate::chat::rooms::{Marks, Room, no_such_room, not_member, parse_room};
use crate::net::ConnId;

/// A user becomes a member, and its connection gets a cursor.
///
/// # Errors
///
/// Those of [`enter_at`].
pub(super) fn join(
    chat: &mut Chat,
    by: &mut Requester,
    name: &str,
    position: Option<JoinPosition>,
) -> Result<Answer, Refusal> {
    let found = chat.lookup().find_room(by.user, name);
    // Asked before `enter`, which makes it true.
    let was_member = is_member(chat, by.user, &found);
    if !was_member && outsiders::is_outside(chat, by.conn, by.user) {
        let key = chat.lookup().find_outside(by.user, name)?;
        return answer_join(chat, by, key, position.as_ref());
    }
    let key = match &position {
        Some(position) => {
            let at = (position.epoch.as_deref(), position.after);
            enter_at(chat, by.user, (name, found), at)?.0
        }
        None => enter(chat, by.user, (name, found))?,
    };
    finish_join(chat, by, key, (was_member, position))
}

/// Answers a `join` or `create`, when the membership is written: one that is answered is not taken
/// back by a crash.
///
/// # Errors
///
/// Those of [`answer_join`].
pub(super) fn finish_join(
    chat: &mut Chat,
    by: &mut Requester,
    room: RoomKey,
    (was_member, position): (bool, Option<JoinPosition>),
) -> Result<Answer, Refusal> {
    if chat.rooms[room].is_stored() && !is_confirmed(chat, by.user, room, was_member) {
        // The membership is in the queue already, put there by `begin_membership`; this waits until
        // it is on the disk. The epoch is kept, since where nodes share their logs another one may
        // begin the room first.
        let (log, epoch) = (chat.rooms[room].log, chat.rooms[room].epoch);
        let ticket = chat.begin(PendingOp::Join { by: by.take(), room, epoch, position });
        chat.context.requests.push_back(LogRequest::Sync { log, ticket });
        return Ok(Answer::Later);
    }
    answer_join(chat, by, room, position.as_ref())
}

/// Whether the user was told of its membership. One that has just begun was not: it is written
/// first.
fn is_confirmed(chat: &mut Chat, user: UserKey, room: RoomKey, was_member: bool) -> bool {
    let Some(key) = chat.directory[user].membership(room) else { return true };
    let row = &mut chat.rooms[key];
    // Another session of the user's may have been told already; then a failure must not end it.
    row.is_confirmed &= was_member;
    row.is_confirmed
}

/// A member gets a cursor: after a position, or at the head. Answers the join.
///
/// # Errors
///
/// [`Code::SeqUnavailable`] if the log is not that far, and [`Code::NoSuchRoom`] or
/// [`Code::NotMember`] if the user is no member any more.
pub(in crate::chat) fn answer_join(
    chat: &mut Chat,
    by: &mut Requester,
    key: RoomKey,
    position: Option<&JoinPosition>,
) -> Result<Answer, Refusal> {
    let resumption = match position {
        Some(position) => Some(place(chat, key, position.epoch.as_deref(), position.after)?),
        None => None,
    };
    let is_member = chat.directory[by.user].membership(key).is_some();
    if is_member {
        invitations::use_invitation(chat, key, by.user);
    }
    let next = resumption.as_ref().and_then(Resumption::next);
    // Before the reply is made: it tells the head, and the cursor must begin there.
    chat.delivery_mut().subscribe(by.conn, key, next);
    let is_reset = matches!(resumption, Some(Resumption::Reset { .. }));
    // The head of the answer is that of the cursor: `subscribe` has fanned out what waited, and
    // nothing is committed between the two.
    let mut reply = joined_reply(chat, by, key, is_reset)?;
    if let Reply::Joined { marks, .. } = &mut reply
        && is_member
    {
        *marks = chat.ephemeral_mut().read_marks(key, by.user);
    }
    let by = by.take();
    chat.context.reply(by.conn, by.request, Ok(reply));
    if let Some(Resumption::Gap { gap: (from, to), why, .. }) = resumption {
        let room = chat.rooms[key].name.clone();
        // After the answer and before the records: the client knows by then which room this is
        // about, and does not take the hole for something that is still to come.
        chat.context.tell(by.conn, Event::Gap { room, from, to, why });
    }
    // After the answer, which tells the client from where the records are that come now.
    if position.is_some() {
        chat.catch_up(by.conn);
    }
    Ok(Answer::Later)
}

fn joined_reply(
    chat: &Chat,
    by: &Requester,
    key: RoomKey,
    is_reset: bool,
) -> Result<Reply, Refusal> {
    let room = &chat.rooms[key];
    let (role, read, recv) = match chat.directory[by.user].membership(key) {
        Some(membership) => {
            let row = &chat.rooms[membership];
            let Marks { recv, read } = row.marks();
            (chat.lookup().role(membership), read, recv)
        }
        // Who is no member has no marks, and so nothing that it has not read.
        None if outsiders::is_outside(chat, by.conn, by.user) => {
            (Role::Reader, room.head, room.head)
        }
        // It has ended while it was being written: the user has left on another session.
        None => return Err(if room.private { no_such_room() } else { not_member() }),
    };
    // A direct conversation is of two, also while one of them has left it.
    let members = if room.name.is_direct() { 2 } else { room.members.len() };
    Ok(Reply::Joined {
        room: room.name.clone(),
        epoch: room.epoch,
        seq: room.head,
        oldest: room.oldest(),
        durable: room.durability,
        role,
        read,
        recv,
        members: u64::try_from(members).unwrap_or(u64::MAX),
        v: chat.ephemeral.presence_version(key).0,
        topic: room.topic.clone(),
        private: room.private,
        rare: Box::new(Rare {
            retention: chat.lookup().policy(room).retention,
            former: room.moderation.former().into(),
        }),
        reset: is_reset,
        marks: Vec::new(),
    })
}

/// A room that somebody wants to enter, by name, and what [`find_room`] has found: it is looked up
/// once for all that is asked about it.
///
/// [`find_room`]: crate::chat::rooms::Lookup::find_room
pub(super) type Wanted<'a> = (&'a str, Result<RoomKey, Refusal>);

/// Whether the user is a member of the room that was found, and stays one.
fn is_member(chat: &Chat, user: UserKey, found: &Result<RoomKey, Refusal>) -> bool {
    let is_in = |&key: &RoomKey| {
        let membership = chat.directory[user].membership(key);
        membership.is_some() && !chat.lookup().is_being_removed(key, user)
    };
    found.as_ref().is_ok_and(is_in)
}

/// As [`enter`], for a cursor that has the seq of the epoch. A user that is refused has not become
/// a member.
///
/// # Errors
///
/// Those of [`enter`], and [`Code::SeqUnavailable`] if the log is not that far.
pub(super) fn enter_at(
    chat: &mut Chat,
    user: UserKey,
    room: Wanted<'_>,
    (epoch, seq): (Option<&str>, u64),
) -> Result<(RoomKey, Resumption), Refusal> {
    let was_member = is_member(chat, user, &room.1);
    let key = enter(chat, user, room)?;
    // A position that is refused must not leave a membership behind that nobody was told of.
    match place(chat, key, epoch, seq) {
        Ok(resumption) => Ok((key, resumption)),
        Err(refusal) => {
            let membership = chat.directory[user].membership(key).filter(|_| !was_member);
            if let Some(membership) = membership {
                end_membership(chat, membership, None);
            }
            Err(refusal)
        }
    }
}

/// The room `name` with `user` as a member: found, or made where the policy allows.
///
/// # Errors
///
/// Those of finding the room if there is none that the user may join, [`Code::InviteOnly`],
/// [`Code::Busy`] for a member that is being removed, [`Code::Forbidden`] for a conversation with
/// somebody whom the user has blocked, and those of
/// [`open_room`](super::room_begin::open_room) and [`begin_membership`].
fn enter(chat: &mut Chat, user: UserKey, (name, found): Wanted<'_>) -> Result<RoomKey, Refusal> {
    let key = match found {
        Ok(key) => {
            check_may_enter(chat, key, user)?;
            key
        }
        Err(refusal) if refusal.code != Code::NoSuchRoom => return Err(refusal),
        Err(refusal) => {
            let name = parse_room(name)?;
            if let Some((a, b)) = name.pair() {
                let me = chat.directory[user].name.as_str();
                // One end may look into it again. The other one is told of nothing, and only a
                // `send` makes one.
                let known = chat.rooms.named(name.as_str()).filter(|_| me == a || me == b);
                let key = known.ok_or(refusal)?;
                // It would be in it again, hear what the other one says there, and lose it all at
                // the next start, which ends what is left of such conversations.
                let me = &chat.directory[user].name;
                if let Some(other) = name.other_than(me).and_then(UserName::stored) {
                    blocks::check_may_write(chat, me, &other)?;
                }
                // By force: who looks into a conversation again has been in it, and must not be
                // kept out by the bound.
                begin_membership(chat, user, key, Role::Member, true)?;
                return Ok(key);
            }
            if chat.rooms.named(name.as_str()).is_some() || !room_begin::by_join(chat, user, &name)
            {
                return Err(refusal);
            }
            // With this code, so that a hidden room of a similar name cannot be told from none.
            room_begin::check_lookalike(chat, (user, None), &name, Code::NoSuchRoom)?;
            room_begin::open_room(chat, &name, None)?
        }
    };
    if let Err(refusal) = begin_membership(chat, user, key, Role::Member, false) {
        retire_room(chat, key);
        return Err(refusal);
    }
    Ok(key)
}

/// # Errors
///
/// [`Code::InviteOnly`] for a user that is not invited, and [`Code::Busy`] for one that is about to
/// be removed.
fn check_may_enter(chat: &Chat, key: RoomKey, user: UserKey) -> Result<(), Refusal> {
    if chat.rooms[key].has_ended() {
        return Err(no_such_room());
    }
    let lookup = chat.lookup();
    lookup.check_not_being_removed(key, user)?;
    let is_welcome = chat.directory[user].membership(key).is_some() || lookup.is_invited(key, user);
    if !is_welcome && lookup.is_closed(&chat.rooms[key]) {
        return Err(Refusal::new(Code::InviteOnly, "this room is joined by invitation"));
    }
    Ok(())
}

/// Where a cursor that has `seq` of `epoch` begins, and how that is told.
///
/// # Errors
///
/// [`Code::SeqUnavailable`] if the log is not that far.
pub(super) fn place(
    chat: &Chat,
    key: RoomKey,
    epoch: Option<&str>,
    seq: u64,
) -> Result<Resumption, Refusal> {
    let room = &chat.rooms[key];
    let (head, oldest) = (room.head, room.oldest());
    // First, since a seq of another epoch says nothing about this log: one beyond its head is no
    // error then.
    if epoch.is_some_and(|epoch| Epoch::parse(epoch) != Some(room.epoch)) {
        return Ok(Resumption::Reset { epoch: room.epoch, seq: head });
    }
    room.check_reached("after", seq)?;
    // A client's seq may be anything below 2^53; the one after it must not overflow.
    let next = seq.min(SEQ_END - 1) + 1;
    let reach = head.saturating_sub(chat.context.limits.replay) + 1;
    let from = next.max(oldest).max(reach);
    if from == next {
        return Ok(Resumption::From { from, to: head });
    }
    // Records before `oldest` are pruned; records after it, but more than may be asked for, are
    // paged by `history`.
    let why = if oldest >= reach { GapWhy::Pruned } else { GapWhy::Limit };
    Ok(Resumption::Gap { gap: (next, from - 1), why, from, to: head })
}

/// The membership of a `join` or `create` is written, or could not be.
///
/// # Errors
///
/// That of the log, and those of [`answer_join`].
pub(in crate::chat) fn on_join_synced(
    chat: &mut Chat,
    by: &mut Requester,
    (room, epoch, position): (RoomKey, Epoch, Option<JoinPosition>),
    outcome: Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    if chat.rooms.table.get(room).is_some_and(|room| room.check_same(epoch).is_err()) {
        return join_again(chat, by, room, position);
    }
    let membership = chat.directory.user(by.user).and_then(|user| user.membership(room));
    let Some(membership) = membership else {
        // Another session of the user's has ended it meanwhile, or another node the room.
        let is_gone = chat.context.node.is_some()
            && chat.rooms.table.get(room).is_none_or(Room::is_closed_for_good);
        retire_room(chat, room);
        let refusal = || if is_gone { refusal_of(LogFault::Busy) } else { no_such_room() };
        return Err(outcome.err().unwrap_or_else(refusal));
    };
    if let Err(refusal) = outcome {
        // Another session of the user's may have been told meanwhile.
        if !chat.rooms[membership].is_confirmed {
            end_membership(chat, membership, None);
        }
        return Err(refusal);
    }
    // Before it is answered, with which the user knows of it: no failure of a later write ends it.
    chat.rooms[membership].is_confirmed = true;
    tell_other_nodes::point_to(chat, room, by.user);
    answer_join(chat, by, room, position.as_ref())
}

/// Another node has begun the room first, or it is another one now: it is entered as that.
fn join_again(
    chat: &mut Chat,
    by: &mut Requester,
    key: RoomKey,
    position: Option<JoinPosition>,
) -> Result<Answer, Refusal> {
    let name = chat.rooms[key].name.clone();
    let membership = chat.directory.user(by.user).and_then(|user| user.membership(key));
    // Another session of the user's is in the room as it is now, and so is the user.
    if membership.is_some_and(|membership| chat.rooms[membership].is_confirmed) {
        return answer_join(chat, by, key, position.as_ref());
    }
    if by.request.op == Op::Create {
        retire_room(chat, key);
        return Err(room_begin::room_exists());
    }
    join(chat, by, name.as_str(), position)
}

/// The connection of somebody who needs no membership gets the cursor of one room of a resume.
///
/// # Errors
///
/// Those of finding the room, and [`Code::SeqUnavailable`] if the log is not that far.
pub(super) fn watch_resumed(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    name: &str,
    (epoch, seq): (&str, u64),
) -> Result<(RoomKey, Resumption), Refusal> {
    let key = chat.lookup().find_outside(user, name)?;
    let resumption = place(chat, key, Some(epoch), seq)?;
    chat.delivery_mut().subscribe(conn, key, resumption.next());
    Ok((key, resumption))
}

/// The connection gets the cursor of one room of a resume.
pub(super) fn subscribe_resumed(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    key: RoomKey,
    resumption: &Resumption,
) {
    invitations::use_invitation(chat, key, user);
    if let Some(membership) = chat.directory[user].membership(key) {
        chat.rooms[membership].is_confirmed = true;
    }
    chat.delivery_mut().subscribe(conn, key, resumption.next());
}
