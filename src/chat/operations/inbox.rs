//! `rooms`: the inbox of a user, and which rooms a program's key may read.

use super::ack::wait_for_marks;
use super::{Answer, Chat, invitations};
use crate::chat::directory::Quota;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::identity::Source;
use crate::chat::model::limits::{
    INBOX_BYTES_MAX, INBOX_ROW_OVERHEAD, INVITATIONS_OF_USER_MAX, LAST_LEN_MAX, REASON_LEN_MAX,
    RECORD_OVERHEAD, RESTRICTION_OVERHEAD, UNREAD_MAX,
};
use crate::chat::model::log::{InboxFound, InboxQuery, Query};
use crate::chat::model::mentions::names;
use crate::chat::model::name::{NAME_LEN_MAX, RoomName, UserName};
use crate::chat::model::record::{Body, Record, SharedRecord};
use crate::chat::model::reply::{InboxRow, Refusal, Reply};
use crate::chat::pending::{Change, PartialInbox, PendingOp, Requester};
use crate::chat::rooms::unread::{is_in_ring, is_message};
use crate::chat::rooms::{Marks, Room, apply_changes};
use crate::net::ConnId;

/// Rows of one inbox: the rooms that changed last.
const ROWS_MAX: usize = 512;
// Also the longest invitations leave a third of it to the rooms, so that paging goes on.
const _: () = assert!(
    INVITATIONS_OF_USER_MAX * (RESTRICTION_OVERHEAD + 2 * NAME_LEN_MAX + 2 * REASON_LEN_MAX)
        <= INBOX_BYTES_MAX * 2 / 3
);
/// Rows that show their last message.
const LASTS_MAX: usize = 128;
/// Bytes that a last message takes at most when it is rendered: its text escaped, and cut.
const LAST_BYTES_MAX: usize = RECORD_OVERHEAD + NAME_LEN_MAX + 2 * LAST_LEN_MAX + "…".len();

/// Rooms that one inbox tells as gone; where they are more, it is told whole.
const GONE_MAX: usize = 256;

/// A program's rooms are looked for among all: it pays for more than a page.
const PROGRAM_TOKENS: u32 = 5;

/// The user's rooms that have changed since `since`, by name: at most [`ROWS_MAX`] and
/// [`INBOX_BYTES_MAX`], those that changed first, with the last message of the latest of them as
/// far as these fit, too. Rows that the rings do not have are read. A program, which is a member
/// of nothing, is told those that its key may read, and has read them all.
///
/// # Errors
///
/// [`Code::RateLimited`](crate::chat::Code::RateLimited) for a program.
pub(super) fn rooms(
    chat: &mut Chat,
    by: &mut Requester,
    since: Option<u64>,
) -> Result<Answer, Refusal> {
    if wait_for_marks(chat, by, since) {
        return Ok(Answer::Later);
    }
    let is_program = chat.directory[by.user].source == Source::Key;
    if is_program {
        chat.quotas.take(chat.context.now.tick, by.user, (Quota::Readings, PROGRAM_TOKENS))?;
    }
    let (since, mut gone, full) = begin(chat, by.user, since);
    gone.retain(|room| chat.directory.credentials.may_read(by.conn, room.as_str()));
    let readable = if is_program { readable(chat, by) } else { Vec::new() };
    let readable = readable.into_iter().map(|room| {
        let room = &chat.rooms[room];
        (room.rev, room, Marks { recv: room.head, read: room.head })
    });
    let rooms = memberships(chat, by.conn, by.user).chain(readable);
    let mut changed: Vec<_> = rooms.filter(|&(rev, ..)| since == 0 || rev > since).collect();
    // A client that asks again with the `rev` of the answer gets the next ones.
    changed.sort_unstable_by_key(|&(rev, ..)| rev);
    let invitations = invitations::seen_by(chat, (by.conn, by.user));
    let invited: usize = invitations.iter().map(invitations::len_max).sum();
    let names = changed.iter().map(|(_, room, _)| names_bytes(room));
    let (rows_max, lasts_max) = fitting(names, invited + gone_bytes(&gone));
    let more = changed.len() > rows_max;
    // The oldest changes first: a client that repeats with `rev` then misses nothing.
    changed.truncate(rows_max);
    let rev = changed.last().filter(|_| more).map_or(chat.context.rev, |&(rev, ..)| rev);
    let rev = 2 * rev + u64::from(full && more);
    let mut ranked: Vec<_> = changed.into_iter().rev().zip(0..).collect();
    ranked.sort_unstable_by(|((_, a, _), _), ((_, b, _), _)| a.name.cmp(&b.name));
    let mut rows = Vec::with_capacity(ranked.len());
    let (mut open, mut queries) = (Vec::new(), Vec::new());
    for ((_, room, marks), rank) in ranked {
        // Ranked by the latest change and not by the name: a list of rooms shows the busy ones
        // first, and those need the text.
        let last = rank < lasts_max;
        if !is_in_ring(room, marks.read, last) {
            open.push(rows.len());
            let (log, read, head) = (room.log, marks.read, room.head);
            queries.push(InboxQuery { log, read, head, last });
        }
        rows.push(inbox_row(room, marks, &chat.directory[by.user].name, last));
    }
    if open.is_empty() {
        let inbox = Reply::Inbox { rev, rooms: rows, more, gone, full, invitations };
        return Ok(Answer::Now(inbox));
    }
    let query = Query::Inbox { user: chat.directory[by.user].name.clone(), rows: queries };
    let since = chat.pending.changes.begin();
    let inbox = Box::new(PartialInbox { rows, open, rev, more, gone, full, invitations });
    chat.begin_read(PendingOp::Inbox { by: by.take(), inbox, since }, query);
    Ok(Answer::Later)
}

/// The rooms of a user that its connection may read, each with its last change and with how far the
/// user is.
fn memberships(
    chat: &Chat,
    conn: ConnId,
    user: UserKey,
) -> impl Iterator<Item = (u64, &Room, Marks)> {
    let rows = chat.directory[user].memberships.iter();
    let rows = rows.map(|&(room, membership)| (&chat.rooms[room], &chat.rooms[membership]));
    let may_read = move |room: &Room| room.may_be_read(&chat.directory, conn);
    // The first message of a direct conversation may not be in the log yet.
    let rows = rows.filter(move |(room, membership)| {
        may_read(room) && (!room.name.is_direct() || membership.is_confirmed)
    });
    rows.map(|(room, membership)| (room.rev.max(membership.rev()), room, membership.marks()))
}

/// The rooms that a program's key lets it read.
fn readable(chat: &Chat, by: &Requester) -> Vec<RoomKey> {
    let grants = chat.directory.credentials.get(by.conn).map_or(&[][..], |row| &row.grants);
    let patterns = || grants.iter().filter(|grant| grant.rights.read).map(|grant| &*grant.rooms);
    let may_read = |key: &RoomKey| {
        let room = &chat.rooms[*key];
        room.may_be_read(&chat.directory, by.conn)
            && chat.lookup().find_outside(by.user, room.name.as_str()).is_ok()
    };
    if patterns().any(|pattern| pattern.contains('*')) {
        return chat.rooms.table.iter().map(|(key, _)| key).filter(may_read).collect();
    }
    // Most keys name their rooms.
    let mut named: Vec<RoomKey> = patterns().filter_map(|name| chat.rooms.named(name)).collect();
    named.sort_unstable();
    named.dedup();
    named.retain(may_read);
    named
}

/// From which `rev` on rows are told, the rooms that are gone since, and whether that is the whole.
///
/// Twice a `rev` stands in the protocol, and one more if it is in the middle of a whole inbox,
/// which then goes on. The whole is told to who gives none, one of another start, or one since
/// which more has ended than is known or can be told.
fn begin(chat: &Chat, user: UserKey, since: Option<u64>) -> (u64, Vec<RoomName>, bool) {
    let removals = &chat.rooms.removals;
    let since = since.unwrap_or(0);
    let (rev, goes_on) = (since / 2, since % 2 == 1);
    // A `rev` that was not reached yet is of a life of the server whose clock was ahead.
    let is_of_this_start = rev <= chat.context.rev && rev >= chat.context.first_rev;
    if !is_of_this_start || !(goes_on || removals.reach(rev)) {
        return (0, Vec::new(), true);
    }
    let is_member = |room: &RoomName| {
        let room = chat.rooms.named(room.as_str());
        room.is_some_and(|room| chat.directory[user].membership(room).is_some())
    };
    let mut gone = removals.of(&chat.directory[user].name, rev);
    gone.retain(|room| !is_member(room));
    if gone.len() > GONE_MAX && !goes_on {
        return (0, Vec::new(), true);
    }
    (rev, gone.into_iter().take(GONE_MAX).cloned().collect(), goes_on)
}

fn gone_bytes(gone: &[RoomName]) -> usize {
    gone.iter().map(|room| room.as_str().len() + "\"\",".len()).sum()
}

/// Bytes that the names of a room take in its row.
fn names_bytes(room: &Room) -> usize {
    let former = room.moderation.former();
    let key = if former.is_empty() { 0 } else { ",\"former\":[]".len() };
    let former: usize = former.iter().map(|name| name.as_str().len() + "\"\",".len()).sum();
    room.name.as_str().len() + key + former
}

/// How many rows fit into one inbox besides so many bytes, and how many last messages. `names` is
/// what the names of each row take.
fn fitting(names: impl Iterator<Item = usize>, mut bytes: usize) -> (usize, usize) {
    let mut rows = 0;
    for name in names.take(ROWS_MAX) {
        let more = bytes + INBOX_ROW_OVERHEAD + name;
        if more > INBOX_BYTES_MAX {
            break;
        }
        (rows, bytes) = (rows + 1, more);
    }
    (rows, LASTS_MAX.min((INBOX_BYTES_MAX - bytes) / LAST_BYTES_MAX))
}

/// The inbox with the rows that were read, and with the changes that were told since. A last
/// message that was deleted is not shown: its room has changed, and is listed the next time with
/// the one before it.
pub(super) fn on_read(
    chat: &Chat,
    inbox: PartialInbox,
    found: Vec<InboxFound>,
    changes: &[Change],
) -> Reply {
    let PartialInbox { mut rows, open, rev, more, gone, full, invitations } = inbox;
    for (&index, found) in open.iter().zip(found) {
        if let Some(row) = rows.get_mut(index) {
            (row.unread, row.mentions) = (found.unread, found.mentions);
            row.in_threads = found.in_threads;
            row.last = found.last.as_ref().map(glance);
        }
    }
    for change in changes {
        let Some(room) = chat.rooms.of_log(change.log).map(|key| &chat.rooms[key]) else {
            continue;
        };
        // It may have got another name while the store has read.
        let is_it = |row: &&mut InboxRow| room.is_named(row.room.as_str());
        let Some(row) = rows.iter_mut().find(is_it) else { continue };
        // An edit may come with a text that is longer than a row shows: it is cut again below.
        apply_changes(&mut row.last, &[&change.record]);
        row.last = row.last.take().filter(is_message).as_ref().map(glance);
    }
    // Of a room that has ended meanwhile nothing was found: it is told as gone the next time.
    rows.retain_mut(|row| {
        let Some(room) = chat.rooms.named(row.room.as_str()) else { return false };
        let room = &chat.rooms[room];
        row.room = room.name.clone();
        row.former = room.moderation.former().into();
        room.epoch == row.epoch
    });
    Reply::Inbox { rev, rooms: rows, more, gone, full, invitations }
}

fn inbox_row(room: &Room, marks: Marks, me: &UserName, last: bool) -> InboxRow {
    let (mut unread, mut mentions, mut in_threads) = (0, 0, 0);
    for record in room.ring.from(marks.read + 1).filter(|record| record.from != *me) {
        let Some(text) = record.body.text() else { continue };
        unread += 1;
        mentions += u64::from(names(text, me));
        let is_in_thread = matches!(record.body, Body::Message { thread: Some(_), .. });
        in_threads += u64::from(is_in_thread && room.is_stored());
    }
    let messages = || room.ring.from(0).rev().find(|record| is_message(record));
    InboxRow {
        room: room.name.clone(),
        former: room.moderation.former().into(),
        epoch: room.epoch,
        seq: room.head,
        recv: marks.recv,
        read: marks.read,
        unread: unread.min(UNREAD_MAX),
        mentions,
        in_threads,
        last: last.then(messages).flatten().map(glance),
    }
}

/// A message as a row of the inbox shows it: the beginning of its text, without what it carries
/// besides.
fn glance(record: &SharedRecord) -> SharedRecord {
    let Body::Message { text, reply_to, thread, edited, .. } = &record.body else {
        return SharedRecord::clone(record);
    };
    let shown = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= LAST_LEN_MAX);
    // A glance is one line of a list: a line break in it would tear the list of a terminal.
    let shown = shown.map(|(_, c)| if c.is_control() { ' ' } else { c });
    let cut = if text.len() > LAST_LEN_MAX { "…" } else { "" };
    let text: String = shown.chain(cut.chars()).collect();
    let body = Body::Message {
        text: text.into(),
        data: None,
        cid: None,
        reply_to: *reply_to,
        thread: *thread,
        edited: *edited,
    };
    SharedRecord::new(Record { body, from: record.from.clone(), ..**record })
}
