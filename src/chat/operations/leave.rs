//! `leave`: how a user ends its membership, and the last one a private room.
//!
//! ```text
//!  leave ── others are there, or the room is open ──────────────────▶ the membership ends
//!    │
//!    └── last member of a closed room ── count ── no message ───────▶ the room ends with it
//!                                          └───── messages ─────────▶ 3004, with their number
//!  close ── last member of a closed room ───────────────────────────▶ the room ends with it
//! ```

use super::membership::{end_membership, put_member};
use super::owners::check_departure;
use super::room_end::{note_end, retire_room};
use super::{Answer, Chat, invitations};
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::code::Code;
use crate::chat::model::event::LeftReason;
use crate::chat::model::limits::UNREAD_MAX;
use crate::chat::model::log::{InboxQuery, LogRequest, Query, RoomMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::record::Body;
use crate::chat::model::reply::{Lost, Refusal, Reply};
use crate::chat::pending::{PendingOp, Requester};
use crate::chat::rooms::{PendingAct, Room, not_member};

/// A user's membership ends, or an invitation is declined.
///
/// # Errors
///
/// Those of finding the membership, and [`Code::Forbidden`] for a room's only owner, and for the
/// last member of a closed room in which something was said.
pub(super) fn leave(chat: &mut Chat, by: &mut Requester, name: &str) -> Result<Answer, Refusal> {
    let (key, membership) = match chat.lookup().find_membership(by.user, name) {
        Ok(found) => found,
        Err(_) if is_watching(chat, by, name) => {
            if let Some(room) = chat.rooms.named(name) {
                chat.delivery_mut().unsubscribe(by.conn, room);
            }
            return Ok(Answer::Now(Reply::Done));
        }
        // Who is only invited has no membership to end; to leave is then to decline.
        Err(refusal) => return invitations::decline(chat, by, name).unwrap_or(Err(refusal)),
    };
    check_departure(chat, membership)?;
    if !is_last_of_closed(chat, membership) {
        return Ok(begin_to_leave(chat, by, membership, false));
    }
    let room = &chat.rooms[key];
    if let Some(messages) = messages_in_memory(room) {
        return leave_as_last(chat, by, membership, messages);
    }
    let query = query_all(room);
    // Counted over what the store has; a deletion that is told meanwhile can only make it fewer.
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::LeaveAsLast { by: by.take(), room: key, since }, query);
    Ok(Answer::Later)
}

/// Whether who is no member reads the room on this connection. Whoever is being removed is still
/// one.
fn is_watching(chat: &Chat, by: &Requester, name: &str) -> bool {
    let reader = chat.delivery.reader(by.conn);
    let room = chat.rooms.named(name);
    let is_member = |room| chat.directory[by.user].membership(room).is_some();
    reader.zip(room).is_some_and(|(reader, room)| reader.is_subscribed(room) && !is_member(room))
}

/// The last member of a closed room ends it.
///
/// # Errors
///
/// Those of finding the membership, and [`Code::Forbidden`] for anybody else, in an open room and
/// in a direct conversation.
pub(super) fn close(chat: &mut Chat, by: &mut Requester, name: &str) -> Result<Answer, Refusal> {
    let (key, membership) = chat.lookup().find_membership(by.user, name)?;
    let room = &chat.rooms[key];
    let message = if room.name.is_direct() {
        "a direct conversation is not closed; leave takes it out of your inbox"
    } else if !chat.lookup().is_closed(room) {
        "an open room does not end when you leave it; its owner ends it by close, typed /end"
    } else if !is_last_of_closed(chat, membership) {
        "others are members of this room; its owner ends it for all by close, typed /end"
    } else {
        return Ok(begin_to_leave(chat, by, membership, true));
    };
    Err(Refusal::new(Code::Forbidden, message))
}

/// The messages of a room that its last member wants to leave were counted.
///
/// # Errors
///
/// Those of [`leave`].
pub(in crate::chat) fn on_counted(
    chat: &mut Chat,
    by: &mut Requester,
    room: RoomKey,
    messages: u64,
) -> Result<Answer, Refusal> {
    let membership = chat.directory.user(by.user).and_then(|user| user.membership(room));
    let Some(membership) = membership else {
        retire_room(chat, room);
        return Err(not_member());
    };
    check_departure(chat, membership)?;
    // Others may have come meanwhile.
    if is_last_of_closed(chat, membership) {
        leave_as_last(chat, by, membership, messages)
    } else {
        Ok(begin_to_leave(chat, by, membership, false))
    }
}

fn leave_as_last(
    chat: &mut Chat,
    by: &mut Requester,
    membership: MembershipKey,
    messages: u64,
) -> Result<Answer, Refusal> {
    if messages == 0 {
        return Ok(begin_to_leave(chat, by, membership, true));
    }
    let number = counted(messages);
    let message = format!("you are the last member; leaving ends this room, and {number} with it");
    let refusal = Refusal::new(Code::Forbidden, message).field("close", "true, to end the room");
    let messages = u32::try_from(messages).unwrap_or(u32::MAX);
    let lost = Some(Box::new(Lost { messages, members: None }));
    Err(Refusal { lost, ..refusal })
}

/// Whether nobody who stays could enter the room, or let anybody in.
fn is_last_of_closed(chat: &Chat, membership: MembershipKey) -> bool {
    let lookup = chat.lookup();
    let key = chat.rooms[membership].room;
    let room = &chat.rooms[key];
    let stays = |&other: &MembershipKey| {
        let user = chat.rooms[other].user;
        let is_departing = room.moderation.is_departing(&chat.directory[user].name);
        other != membership && !is_departing && !lookup.is_being_removed(key, user)
    };
    !room.name.is_direct() && lookup.is_closed(room) && !room.members.iter().any(stays)
}

/// Asks how many messages a stored room has.
pub(super) fn query_all(room: &Room) -> Query {
    let row = InboxQuery { log: room.log, read: 0, head: room.head, last: false };
    // A count of the unread messages of nobody, who has read nothing and said nothing: all of them.
    Query::Inbox { user: UserName::nobody(), rows: vec![row] }
}

/// So many messages, in words.
pub(super) fn counted(messages: u64) -> String {
    match messages {
        1 => "1 message".to_owned(),
        UNREAD_MAX.. => format!("at least {UNREAD_MAX} messages"),
        _ => format!("{messages} messages"),
    }
}

/// How many messages a room has, if memory knows.
pub(super) fn messages_in_memory(room: &Room) -> Option<u64> {
    let first = room.ring.first().unwrap_or(room.head + 1);
    let is_whole = !room.is_stored() || first <= room.oldest;
    let is_message = |body: &Body| matches!(body, Body::Message { .. });
    let messages = || room.ring.from(0).filter(|record| is_message(&record.body)).count();
    is_whole.then(|| u64::try_from(messages()).unwrap_or(u64::MAX))
}

/// Ends the membership, and the room with it if `ends`, once that is written.
fn begin_to_leave(
    chat: &mut Chat,
    by: &mut Requester,
    membership: MembershipKey,
    ends: bool,
) -> Answer {
    let key = chat.rooms[membership].room;
    let room = &chat.rooms[key];
    let (log, name) = (room.log, room.name.clone());
    // What the connection has said before is answered first, in memory rooms as in stored ones.
    let is_sending = chat.delivery.reader(by.conn).is_some_and(|reader| reader.pending_weight > 0);
    if !room.is_stored() && !is_sending {
        if ends {
            note_end(chat, key, Some(&chat.directory[by.user].name.clone()));
        }
        chat.rooms[key].close_for_good(ends);
        answer_leave(chat, by, membership, Reply::Left { room: name });
        return Answer::Later;
    }
    let user = chat.directory[by.user].name.clone();
    // In an open room without an owner nothing depends on who stays, and the room is spared the
    // list of pending acts.
    let is_departing = room.owned || chat.lookup().is_closed(room);
    // Until it is written the user stays a member, and gets what is said: a refusal finds
    // everything as it was.
    let ticket = chat.begin(PendingOp::Leave { by: by.take(), room: key, ends });
    // An owner that is leaving moderates no more, or two owners could leave at the same time.
    if is_departing {
        let departure = PendingAct::Departure(user.clone());
        chat.rooms[key].moderation.begin(ticket, departure);
    }
    if ends {
        // A crash after the answer must not leave a room that nobody can enter or name again.
        let policy = chat.rooms[key].moderation.policy().map(Into::into);
        let meta = RoomMeta::Access { private: true, owned: false, policy };
        chat.rooms[key].put_meta(&mut chat.context, meta);
    }
    let meta = RoomMeta::Member(user, None);
    chat.context.requests.push_back(LogRequest::PutMeta { log, meta });
    chat.context.requests.push_back(LogRequest::Sync { log, ticket });
    Answer::Later
}

/// The end of a membership is written, or could not be.
///
/// # Errors
///
/// That of the log, and [`Code::Forbidden`] if others have joined meanwhile, whom an only owner
/// does not leave without one.
pub(in crate::chat) fn on_leave_synced(
    chat: &mut Chat,
    by: &mut Requester,
    (room, ends): (RoomKey, bool),
    outcome: Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    // Named before the room can be retired below.
    let reply = Reply::Left { room: chat.rooms[room].name.clone() };
    let membership = chat.directory.user(by.user).and_then(|user| user.membership(room));
    let Some(membership) = membership else {
        retire_room(chat, room);
        return Ok(Answer::Now(reply));
    };
    // Once more: while the log wrote, the other owner may have stepped down.
    let outcome = outcome.and_then(|()| check_departure(chat, membership));
    let ends_now = ends && outcome.is_ok() && chat.rooms[room].members.len() == 1;
    // The store was told that the room ends; it does not, so that it is told again how it stands.
    if ends && !ends_now {
        chat.rooms[room].put_access(&mut chat.context);
    }
    if let Err(refusal) = outcome {
        // Still a member, as was written before.
        put_member(chat, membership);
        return Err(refusal);
    }
    if ends_now {
        note_end(chat, room, Some(&chat.directory[by.user].name.clone()));
    }
    // Before the membership ends, by which the room is retired: it looks at this.
    chat.rooms[room].close_for_good(ends_now);
    answer_leave(chat, by, membership, reply);
    Ok(Answer::Later)
}

/// The user has left: nothing of the room comes between the answer and `left`, nor after it.
fn answer_leave(chat: &mut Chat, by: &mut Requester, membership: MembershipKey, reply: Reply) {
    let by = by.take();
    let room = chat.rooms[membership].room;
    // First, since it fans out what waits: records that were committed before come before the
    // answer.
    chat.delivery_mut().unsubscribe(by.conn, room);
    chat.context.reply(by.conn, by.request, Ok(reply));
    end_membership(chat, membership, Some(LeftReason::Left));
}
