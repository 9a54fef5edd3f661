//! `close`: an owner ends a room for all who are in it, and its log with it.
//!
//! ```text
//!  close ── without `sure` ─▶ how much is lost, and for how many: 3004
//!    └───── with it ─▶ the room is marked as ended ─▶ Sync ─▶ `gone` and `left` to all ─▶ Drop
//!                                                     a crash here: ended when it is loaded
//!  where logs are shared: End ─▶ Synced ─▶ the same; at the other nodes Gone ─▶ `gone` and `left`
//! ```

use super::admins;
use super::leave::{counted, messages_in_memory, query_all};
use super::membership::end_membership;
use super::rename::{check_owner, check_unchanging};
use super::room_end::{end_watch, note_end, retire_room};
use super::{Answer, Chat};
use crate::chat::keys::RoomKey;
use crate::chat::model::code::Code;
use crate::chat::model::event::{Event, LeftReason};
use crate::chat::model::log::{Farewell, LogRequest, RoomMeta};
use crate::chat::model::reply::{Lost, Refusal, Reply};
use crate::chat::pending::{PendingOp, Requester};
use crate::chat::rooms::PendingAct;
use crate::net::ConnId;

/// Ends a room, or says what would be lost.
///
/// # Errors
///
/// Those of finding the room; [`Code::Forbidden`] for who does not own it, for direct
/// conversations, and, with the numbers of messages and members, without `sure`.
pub(super) fn close(
    chat: &mut Chat,
    by: &mut Requester,
    name: &str,
    (reason, sure): (&str, bool),
) -> Result<Answer, Refusal> {
    let authority = admins::authority(chat, (by.conn, by.user), name)?;
    let key = authority.room;
    let room = &chat.rooms[key];
    if room.name.is_direct() {
        let message = "a direct conversation is not closed; leave takes it out of your inbox";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    check_owner(chat, &authority, "only an owner of a room may close it")?;
    check_unchanging(chat, key)?;
    if sure {
        return Ok(begin(chat, by, key, reason));
    }
    // Where the ring has the whole log, the store need not be asked.
    if let Some(messages) = messages_in_memory(room) {
        return Err(loss(chat, key, messages));
    }
    let query = query_all(room);
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::BeforeClose { by: by.take(), room: key, since }, query);
    Ok(Answer::Later)
}

/// What would be lost, as the refusal of who has not said to know it.
pub(super) fn loss(chat: &Chat, key: RoomKey, messages: u64) -> Refusal {
    let members = chat.rooms.table.get(key).map_or(0, |room| room.members.len());
    let of_members =
        if members == 1 { "1 member".to_owned() } else { format!("{members} members") };
    let message =
        format!("closing this room ends it for {of_members}, and {} with it", counted(messages));
    let refusal = Refusal::new(Code::Forbidden, message).field("sure", "true, to end the room");
    let messages = u32::try_from(messages).unwrap_or(u32::MAX);
    let members = Some(u32::try_from(members).unwrap_or(u32::MAX));
    Refusal { lost: Some(Box::new(Lost { messages, members })), ..refusal }
}

/// Has the log write that the room ends; the room ends when that is safe.
fn begin(chat: &mut Chat, by: &mut Requester, key: RoomKey, reason: &str) -> Answer {
    let from = chat.directory[by.user].name.clone();
    let farewell = Box::new(Farewell { from, reason: reason.into() });
    let ending = chat.context.node.is_some().then(|| farewell.clone());
    let ticket = chat.begin(PendingOp::Close { by: by.take(), room: key, farewell });
    let room = &mut chat.rooms[key];
    room.moderation.begin(ticket, PendingAct::Closing);
    if let Some(farewell) = ending {
        chat.context.requests.push_back(LogRequest::End { log: room.log, ticket, farewell });
        return Answer::Later;
    }
    // As one that its last member has closed: after a crash it ends when it is loaded.
    let policy = room.moderation.policy().map(Into::into);
    let meta = RoomMeta::Access { private: true, owned: false, policy };
    room.put_meta(&mut chat.context, meta);
    chat.context.requests.push_back(LogRequest::Sync { log: room.log, ticket });
    Answer::Later
}

/// That the room ends is written, or could not be.
///
/// # Errors
///
/// That of the log.
pub(super) fn on_synced(
    chat: &mut Chat,
    by: &mut Requester,
    (key, farewell): (RoomKey, Farewell),
    outcome: Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    if let Err(refusal) = outcome {
        if chat.context.node.is_none() {
            // The store was told that it ends; it does not, so that it is told again how it stands.
            chat.rooms[key].put_access(&mut chat.context);
        }
        return Err(refusal);
    }
    let room = chat.rooms[key].name.clone();
    note_end(chat, key, Some(&farewell.from));
    say_farewell(chat, key, &farewell);
    let by = by.take();
    chat.context.reply(by.conn, by.request, Ok(Reply::Left { room }));
    end(chat, key);
    Ok(Answer::Later)
}

/// Another node has ended the room.
pub(super) fn on_ended(chat: &mut Chat, key: RoomKey, farewell: &Farewell) {
    say_farewell(chat, key, farewell);
    end(chat, key);
}

fn say_farewell(chat: &mut Chat, key: RoomKey, farewell: &Farewell) {
    // All that was said there is shown before.
    chat.delivery_mut().fan_out(key);
    for to in readers(chat, key) {
        let Farewell { from, reason } = farewell.clone();
        chat.context.tell(to, Event::Gone { room: chat.rooms[key].name.clone(), from, reason });
    }
}

/// Who is told that the room ends: all connections of its members that may know of it, and who
/// reads it without being one.
fn readers(chat: &Chat, key: RoomKey) -> Vec<ConnId> {
    let room = &chat.rooms[key];
    let members = chat.rooms.users(key).flat_map(|user| {
        let sessions = chat.directory[user].sessions.iter();
        sessions.map(|session| session.conn)
    });
    let mut all: Vec<ConnId> = members.chain(chat.delivery.subscribed(key)).collect();
    all.sort_unstable();
    all.dedup();
    all.retain(|&conn| room.may_be_read(&chat.directory, conn));
    all
}

/// Ends all memberships, and the room with the last of them.
fn end(chat: &mut Chat, key: RoomKey) {
    // Before the memberships end, by which the room is retired: it looks at this.
    chat.rooms[key].close_for_good(true);
    for conn in chat.delivery.subscribed(key) {
        let user = chat.delivery.reader(conn).map(|reader| reader.user);
        if user.is_some_and(|user| chat.directory[user].membership(key).is_none()) {
            end_watch(chat, (conn, key), LeftReason::Closed);
        }
    }
    for membership in chat.rooms[key].members.clone() {
        // A `join` that waits at this node is refused by its own answer, and needs no event.
        let is_told = !chat.context.follows || chat.rooms[membership].is_confirmed;
        end_membership(chat, membership, is_told.then_some(LeftReason::Closed));
    }
    // One that an administrator has closed may have had no member.
    retire_room(chat, key);
}
