//! `ack`: how far a user has received and read, which is told when it is kept.

use std::time::Duration;

use super::faults::refusal_of;
use super::membership::put_member;
use super::{Answer, Chat, resume_deferred, tell_other_nodes};
use crate::chat::context::Timer;
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::command::{Command, Op};
use crate::chat::model::log::{LogFault, LogRequest};
use crate::chat::model::output::Request;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{PendingOp, Requester, WrittenMarks};
use crate::chat::rooms::{AckKind, Marks, WaitingAck, no_such_room, not_member};
use crate::net::ConnId;

/// The least time between two batches of marks: those of a busy room are many, and each replaces
/// the one before. Who reads now and then is not kept waiting.
const SAVE_EVERY: Duration = Duration::from_millis(250);

/// Moves the user's marks in a room forward; lower values are ignored. In a stored room it is
/// answered, and told to others, when it is kept.
///
/// # Errors
///
/// Those of finding the room, [`Code::EpochChanged`](crate::chat::Code::EpochChanged), and
/// [`Code::SeqUnavailable`](crate::chat::Code::SeqUnavailable) for a seq that the log has not
/// reached.
pub(super) fn ack(
    chat: &mut Chat,
    by: &mut Requester,
    (name, epoch): (&str, Option<&str>),
    (recv, read): (Option<u64>, Option<u64>),
) -> Result<Answer, Refusal> {
    let (key, membership) = chat.lookup().find_membership(by.user, name)?;
    let room = &chat.rooms[key];
    room.check_epoch(epoch)?;
    room.check_reached("recv", recv.unwrap_or(0))?;
    room.check_reached("read", read.unwrap_or(0))?;
    let read = read.unwrap_or(0);
    // What was read was received.
    let wanted = Marks { recv: recv.unwrap_or(0).max(read), read };
    // Nothing new, also for who repeats itself after a lost connection: the answer says how far it
    // is, and nothing is written.
    if chat.rooms[membership].marks().max(wanted) == chat.rooms[membership].marks() {
        return Ok(Answer::Now(acked(chat, key, membership)));
    }
    if !room.is_stored() {
        // A room in memory has no other place for them than this one, so that they are kept at
        // once.
        let conn = by.conn;
        apply(chat, membership, wanted, |other, _| other == conn);
        return Ok(Answer::Now(acked(chat, key, membership)));
    }
    let kind = if by.request.id.is_none() { AckKind::Quiet } else { AckKind::Answered };
    add_to_batch(chat, (by, kind), membership, wanted);
    Ok(Answer::Later)
}

/// The marks go to the log with those of others.
fn add_to_batch(
    chat: &mut Chat,
    (by, kind): (&mut Requester, AckKind),
    membership: MembershipKey,
    wanted: Marks,
) {
    let conn = by.conn;
    let unkept = &mut chat.rooms.unkept;
    // Asked before the entry is made: the first of a batch arms the timer, the others find it
    // armed.
    let is_first = unkept.gathered.is_empty();
    let entry = unkept.gathered.entry(membership).or_default();
    entry.marks = entry.marks.max(wanted);
    let mut acks = entry.acks.iter_mut();
    let is_like = |ack: &&mut WaitingAck| ack.kind == kind && ack.conn == conn;
    // One that is to be answered cannot join another: each has its own request id.
    let joined = acks.find(|ack| kind == AckKind::Quiet && is_like(ack));
    if let Some(ack) = joined {
        ack.read = ack.read.max(wanted.read);
    } else {
        let ticket = chat.begin(PendingOp::Ack { by: by.take() });
        let room = chat.rooms[membership].room;
        let ack = WaitingAck { ticket, room, conn, read: wanted.read, kind };
        let entry = chat.rooms.unkept.gathered.entry(membership).or_default();
        entry.acks.push(ack);
    }
    if chat.context.stopping {
        // There may be no later any more.
        save(chat);
    } else if is_first {
        arm(chat);
    }
}

/// What the user has asked for on any connection is kept before this one is told its inbox, which
/// is asked for again then. Returns whether there is anything to wait for.
pub(super) fn wait_for_marks(chat: &mut Chat, by: &mut Requester, since: Option<u64>) -> bool {
    if chat.pending.resuming == Some(by.conn) {
        return false;
    }
    let unkept = &chat.rooms.unkept;
    let mut rooms = chat.directory[by.user].memberships.iter();
    let Some(&(_, membership)) = rooms.find(|&&(_, key)| unkept.is_under_way(key)) else {
        return false;
    };
    let Requester { conn, user, request } = by.take();
    // Without an id nothing is answered: this only holds the inbox back until the marks are
    // written.
    let waiter = Request { id: None, op: Op::Rooms };
    let mut waiter = Requester { conn, user, request: waiter };
    add_to_batch(chat, (&mut waiter, AckKind::Inbox), membership, Marks::default());
    chat.defer(conn, request, Command::Rooms { since });
    true
}

/// Arms the timer that saves the gathered marks.
fn arm(chat: &mut Chat) {
    let now = chat.context.now.tick;
    let deadline = now.max(chat.rooms.unkept.saved_at.after(SAVE_EVERY));
    chat.context.wheel.arm(deadline, Timer::SaveReceipts);
}

/// Hands the gathered marks to the logs: one request to sync for each room.
pub(in crate::chat) fn save(chat: &mut Chat) {
    let gathered = std::mem::take(&mut chat.rooms.unkept.gathered);
    if gathered.is_empty() {
        return;
    }
    chat.rooms.unkept.saved_at = chat.context.now.tick;
    let mut by_room: Vec<(RoomKey, WrittenMarks)> = Vec::new();
    for (membership, waiting) in gathered {
        let Some(room) = chat.rooms.memberships.get(membership).map(|row| row.room) else {
            // It has ended meanwhile.
            for ack in waiting.acks {
                answer(chat, ack, None);
            }
            continue;
        };
        // Before `put_member`, which writes the row as it is to be, with the marks that are under
        // way.
        chat.rooms.unkept.begin(membership, waiting.marks);
        if put_member(chat, membership) {
            by_room.push((room, (membership, waiting.marks, waiting.acks)));
        } else {
            // An act of moderation about the member is under way.
            chat.rooms.unkept.gathered.insert(membership, waiting);
        }
    }
    if !chat.rooms.unkept.gathered.is_empty() {
        arm(chat);
    }
    // One sync for all marks of a room, and in an order that does not depend on the map, so that a
    // run can be replayed.
    by_room.sort_by_key(|&(room, _)| room);
    let mut rest = by_room.into_iter().peekable();
    while let Some((room, first)) = rest.next() {
        let mut written = vec![first];
        while let Some((_, next)) = rest.next_if(|&(other, _)| other == room) {
            written.push(next);
        }
        let (log, epoch) = (chat.rooms[room].log, chat.rooms[room].epoch);
        let ticket = chat.begin(PendingOp::Marks { room, epoch, written });
        chat.context.requests.push_back(LogRequest::Sync { log, ticket });
    }
}

/// Marks of a room are kept, or could not be.
pub(in crate::chat) fn on_synced(
    chat: &mut Chat,
    (room, epoch): (RoomKey, Epoch),
    written: Vec<WrittenMarks>,
    outcome: Result<(), LogFault>,
) {
    let room = chat.rooms.table.get(room);
    // Marks are seqs of one epoch: those of a log that was lost say nothing of the one in its
    // place.
    if let Some(refusal) = room.and_then(|room| room.check_same(epoch).err()) {
        let acks = written.into_iter().flat_map(|(.., acks)| acks);
        return acks.for_each(|ack| answer(chat, ack, Some(refusal.clone())));
    }
    for (membership, marks, acks) in written {
        let is_member = chat.rooms.memberships.get(membership).is_some();
        if is_member {
            // Ended before they are applied, so that a write of the row from here on has them by
            // itself.
            chat.rooms.unkept.end(membership, marks, outcome.is_ok());
        }
        if outcome.is_ok() && is_member {
            let has_read = |conn, read| acks.iter().any(|ack| ack.conn == conn && ack.read == read);
            apply(chat, membership, marks, has_read);
        }
        // If they could not be, the store writes them when it can; nobody is told before.
        let refusal = outcome.err().map(refusal_of);
        for ack in acks {
            answer(chat, ack, refusal.clone());
        }
    }
}

/// The room's log is another one: what was to be written of marks is about records that are not
/// there any more. Returns what waits for that, to be refused when the room is whole again.
pub(super) fn take_gathered(chat: &mut Chat, key: RoomKey) -> Vec<WaitingAck> {
    let mut acks = Vec::new();
    for membership in chat.rooms[key].members.clone() {
        chat.rooms.unkept.forget(membership);
        let gathered = chat.rooms.unkept.gathered.remove(&membership);
        acks.extend(gathered.into_iter().flat_map(|gathered| gathered.acks));
    }
    acks
}

/// Refuses those that have waited in vain, and goes on with what has waited for them.
pub(super) fn refuse(chat: &mut Chat, acks: Vec<WaitingAck>, refusal: &Refusal) {
    for ack in acks {
        answer(chat, ack, Some(refusal.clone()));
    }
}

/// Answers with the marks as they are now: the membership may have ended, and begun again.
fn answer(chat: &mut Chat, ack: WaitingAck, refusal: Option<Refusal>) {
    let Some(PendingOp::Ack { by }) = chat.finish(ack.ticket) else { return };
    if ack.kind == AckKind::Inbox {
        return resume_deferred(chat, ack.conn);
    }
    // Looked up again: turns have passed since it was asked.
    let found = chat.directory.user(by.user).and_then(|user| user.membership(ack.room));
    let result = match (refusal, found) {
        (Some(refusal), _) => Err(refusal),
        (None, Some(membership)) => Ok(Answer::Now(acked(chat, ack.room, membership))),
        (None, None) => Err(refusal_of_departed(chat, ack.room)),
    };
    chat.answer(by, result);
    resume_deferred(chat, ack.conn);
}

/// The refusal of who is no member any more: a room that is closed, or gone, is not there.
fn refusal_of_departed(chat: &Chat, room: RoomKey) -> Refusal {
    let room = chat.rooms.table.get(room);
    if room.is_none_or(|room| room.private || room.name.is_direct()) {
        return no_such_room();
    }
    not_member()
}

/// The marks are kept: they are the user's, and are told, but not to a connection that has said so
/// itself.
fn apply(
    chat: &mut Chat,
    membership: MembershipKey,
    marks: Marks,
    has_read: impl Fn(ConnId, u64) -> bool,
) {
    let rev = chat.context.next_rev();
    let row = &mut chat.rooms[membership];
    let had = row.marks();
    let marks = had.max(marks);
    if marks == had {
        return;
    }
    row.set_marks(marks);
    row.set_rev(rev);
    // Only reading is told; receiving is the client's own affair.
    if marks.read != had.read {
        chat.ephemeral_mut().read_on(membership);
        chat.ephemeral_mut().tell_own(membership, |conn| has_read(conn, marks.read));
        tell_other_nodes::tell_marks(chat, membership);
        let row = &chat.rooms[membership];
        let (user, room) = (&chat.directory[row.user].name, &chat.rooms[row.room].name);
        chat.directory.pushes.read_on(&user.clone(), room, marks.read);
    }
}

fn acked(chat: &Chat, room: RoomKey, membership: MembershipKey) -> Reply {
    let Marks { recv, read } = chat.rooms[membership].marks();
    Reply::Acked { room: chat.rooms[room].name.clone(), recv, read }
}
