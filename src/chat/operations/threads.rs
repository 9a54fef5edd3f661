//! `thread`, `threads`, `follow`, `unfollow`, and `ack` of a thread: who follows which, and how far
//! who has read it.
//!
//! | who | follows a thread |
//! |---|---|
//! | has written its first message, and is still there | from the first answer on, which is unread |
//! | writes in it | from then on: it is read up to there |
//! | asks to | from then on |
//! | does not want to | not, whoever writes in it, until asked for or written in |
//!
//! A message of a thread is a record of its room like any other, and unread there like any other;
//! the inbox says how many of these there are. The mark of a thread is apart from that of the room.
//!
//! The store keeps the marks, and makes those that follow from a message together with its record,
//! so that a kill takes neither alone. Rooms in memory have none.

use super::history::check_still_reads;
use super::send::{check_begins, may_be_message, no_such_reference};
use super::{Answer, Chat, grants, outsiders, search, tell_other_nodes};
use crate::chat::keys::RoomKey;
use crate::chat::model::code::Code;
use crate::chat::model::command::ThreadWish;
use crate::chat::model::event::Event;
use crate::chat::model::limits::{LAST_LEN_MAX, PAGE_BYTES_MAX, SEQ_END};
use crate::chat::model::log::{LogId, Query};
use crate::chat::model::people::PeopleChange;
use crate::chat::model::record::{Body, Record, SharedRecord};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::model::thread::{
    FollowedThread, MarkNews, ThreadChange, ThreadMark, ThreadPage, ThreadQuery, ThreadRow,
};
use crate::chat::pending::{Change, PendingOp, PeopleOp, Requester};
use crate::chat::rooms::{Room, apply_changes};
use crate::net::ConnId;

/// A page of a thread: its last messages, or the last ones before a seq.
///
/// # Errors
///
/// Those of finding the room, and [`Code::NoSuchMessage`] for a seq that the log has not.
pub(super) fn thread(
    chat: &mut Chat,
    by: &mut Requester,
    (name, thread): (&str, u64),
    (before, limit): (Option<u64>, Option<u32>),
) -> Result<Answer, Refusal> {
    let (key, _) = outsiders::reads(chat, (by.conn, by.user), name)?;
    let room = &chat.rooms[key];
    if !(room.oldest()..=room.head).contains(&thread) {
        return Err(no_such_reference("thread"));
    }
    let limit = limit.unwrap_or(u32::MAX).clamp(1, chat.context.limits.history_page);
    let below = before.unwrap_or(SEQ_END);
    if !room.is_stored() {
        let page = page_of_ring(room, thread, (below, limit));
        return Ok(Answer::Now(reply(room, thread, page)));
    }
    let (user, log) = (chat.directory[by.user].name.clone(), room.log);
    let query = Query::Thread(ThreadQuery { user, log, thread, below, limit });
    // Edits that come while the page is read are gathered, and made in it before it is told.
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::Thread { by: by.take(), room: key, thread, since }, query);
    Ok(Answer::Later)
}

/// The same of a room that is in memory only.
fn page_of_ring(room: &Room, thread: u64, (below, limit): (u64, u32)) -> ThreadPage {
    let is_of_it = |record: &&SharedRecord| {
        record.seq < below && (record.seq == thread || thread_of(record) == Some(thread))
    };
    let mut found = room.ring.from(thread).rev().filter(is_of_it).cloned().peekable();
    let (mut records, mut bytes) = (Vec::new(), 0_usize);
    while let Some(record) = found.next_if(|record| {
        bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(usize::MAX));
        // One in any case: a page with nothing and more after it would be asked for for ever.
        let fits = bytes <= PAGE_BYTES_MAX || records.is_empty();
        fits && records.len() < usize::try_from(limit).unwrap_or(usize::MAX)
    }) {
        records.push(record);
    }
    records.reverse();
    ThreadPage { more: found.peek().is_some(), records, mark: None }
}

fn thread_of(record: &Record) -> Option<u64> {
    match record.body {
        Body::Message { thread, .. } => thread,
        _ => None,
    }
}

fn reply(room: &Room, thread: u64, page: ThreadPage) -> Reply {
    Reply::Thread { room: room.name.clone(), epoch: room.epoch, thread, page }
}

/// A page was read: it is told as it is now.
///
/// # Errors
///
/// [`Code::NotMember`] for a user that has left or was removed meanwhile.
pub(super) fn on_read(
    chat: &Chat,
    by: &Requester,
    (key, thread): (RoomKey, u64),
    (mut page, changes): (ThreadPage, &[Change]),
) -> Result<Answer, Refusal> {
    check_still_reads(chat, by, key)?;
    let room = &chat.rooms[key];
    apply_changes(&mut page.records, &told(room.log, changes));
    let oldest = room.oldest();
    // A message that was deleted belongs to no thread any more; the first one of it stays.
    page.records.retain(|record| {
        record.seq >= oldest
            && (record.seq == thread || matches!(record.body, Body::Message { .. }))
    });
    Ok(Answer::Now(reply(room, thread, page)))
}

fn told(log: LogId, changes: &[Change]) -> Vec<&Record> {
    changes.iter().filter(|change| change.log == log).map(|change| &*change.record).collect()
}

/// The threads that the user follows, in all rooms of which it is a member, or in one of them.
///
/// # Errors
///
/// Those of finding the room.
pub(super) fn threads(
    chat: &mut Chat,
    by: &mut Requester,
    name: Option<&str>,
) -> Result<Answer, Refusal> {
    let rooms = search::rooms_to_read(chat, by, name)?;
    let stored = rooms.into_iter().map(|room| &chat.rooms[room]).filter(|room| room.is_stored());
    let logs: Vec<LogId> = stored.map(|room| room.log).collect();
    if logs.is_empty() {
        return Ok(Answer::Now(Reply::Threads { items: Vec::new() }));
    }
    let query = Query::Threads { user: chat.directory[by.user].name.clone(), logs };
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::Threads { by: by.take(), since }, query);
    Ok(Answer::Later)
}

/// The list was read: those of rooms in which the user still is.
pub(super) fn on_listed(
    chat: &Chat,
    by: &Requester,
    (found, changes): (Vec<FollowedThread>, &[Change]),
) -> Answer {
    let row = |thread: FollowedThread| {
        let FollowedThread { log, mut root, last, read, unread } = thread;
        // Meanwhile the room may have ended, or the user have left it.
        let key = chat.rooms.of_log(log)?;
        chat.directory.user(by.user)?.membership(key)?;
        apply_changes([&mut root], &told(log, changes));
        let (from, text) = (root.from.clone(), glance(&root));
        let room = chat.rooms[key].name.clone();
        Some(ThreadRow { room, thread: root.seq, from, text, seq: last, read, unread })
    };
    Answer::Now(Reply::Threads { items: found.into_iter().filter_map(row).collect() })
}

/// The beginning of a message, on one line.
fn glance(record: &Record) -> Box<str> {
    let text = record.body.text().unwrap_or_default();
    let shown = text.get(..text.floor_char_boundary(LAST_LEN_MAX)).unwrap_or_default();
    let mut shown: String = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > LAST_LEN_MAX {
        shown.push('…');
    }
    shown.into()
}

/// Begins to follow a thread, ends that, or notes how far it is read.
///
/// # Errors
///
/// Those of finding the membership; [`Code::EpochChanged`]; [`Code::NoSuchMessage`] for a thread
/// that does not begin with a message, or with one inside another thread,
/// [`Code::SeqUnavailable`] for a seq that the log has not reached, and [`Code::NotSupported`]
/// where no marks are kept.
pub(super) fn mark(
    chat: &mut Chat,
    by: &mut Requester,
    (name, epoch): (&str, Option<&str>),
    (thread, wish): (u64, ThreadWish),
) -> Result<Answer, Refusal> {
    let (key, _) = chat.lookup().find_membership(by.user, name)?;
    let room = &chat.rooms[key];
    if !room.is_stored() {
        let message = "this room is in memory, where threads have no marks";
        return Err(Refusal::new(Code::NotSupported, message));
    }
    room.check_epoch(epoch)?;
    let is_there = (room.oldest()..=room.head).contains(&thread);
    if matches!(wish, ThreadWish::Follow) {
        check_begins(room, thread)?;
    }
    let change = match wish {
        // Judged by what is in memory; of older ones the store says it, when the mark is written.
        ThreadWish::Follow if !may_be_message(room, thread) => {
            return Err(no_such_reference("thread"));
        }
        _ if !is_there => return Err(no_such_reference("thread")),
        // Read as far as the log goes now: what was said before one followed is not news.
        ThreadWish::Follow => ThreadChange::Follow(room.head),
        ThreadWish::Unfollow => ThreadChange::Unfollow(room.head),
        ThreadWish::Read(seq) => {
            room.check_reached("read", seq)?;
            ThreadChange::Read(seq)
        }
    };
    let (user, room) = (chat.directory[by.user].name.clone(), room.name.clone());
    let mark = ThreadMark { user, room, thread, change, at: chat.context.now.wall_ms };
    let op = PeopleOp::Thread { by: by.take(), mark: Box::new(mark.clone()) };
    chat.change_people(op, vec![PeopleChange::Thread(mark)]);
    Ok(Answer::Later)
}

/// A mark is written, or could not be.
pub(super) fn on_written(
    chat: &mut Chat,
    by: Requester,
    mark: &ThreadMark,
    outcome: Result<(), Refusal>,
) {
    let conn = by.conn;
    let is_done = outcome.is_ok();
    let outcome = outcome.or_else(|refusal| match (refusal.code, mark.change) {
        // No mark has moved, which is nothing to tell others.
        (Code::NameTaken, ThreadChange::Read(_)) => Ok(()),
        // The store has found no such message, or that it is inside a thread.
        (Code::NameTaken, _) => {
            let message = "no thread begins with a message of this seq";
            let refusal = Refusal::new(Code::NoSuchMessage, message);
            Err(refusal.field("thread", "the seq of the first message of a thread"))
        }
        _ => Err(refusal),
    });
    chat.answer(by, outcome.map(|()| Answer::Now(Reply::Done)));
    if !is_done {
        return;
    }
    let (following, read) = match mark.change {
        ThreadChange::Follow(_) => (true, None),
        ThreadChange::Unfollow(_) => (false, None),
        ThreadChange::Read(seq) => (true, Some(seq)),
    };
    // By the name that it has by now: its readers may have been told of another one meanwhile.
    let room = chat.rooms.named(mark.room.as_str()).map(|room| chat.rooms[room].name.clone());
    let (user, room, thread) =
        (mark.user.clone(), room.unwrap_or_else(|| mark.room.clone()), mark.thread);
    let news = MarkNews { user, room, thread, following, read };
    // After the write: a mark that a crash could take back would show as read on one device only.
    tell_sessions(chat, Some(conn), &news);
    tell_other_nodes::tell_mark(chat, news);
}

/// Tells the user's connections of a mark, but for the one that has asked for it.
pub(super) fn tell_sessions(chat: &mut Chat, requester: Option<ConnId>, news: &MarkNews) {
    let MarkNews { user, room, thread, following, read } = news;
    let Some(key) = chat.directory.user_named(user.as_str()) else { return };
    for &other in &chat.directory[key].connections() {
        if Some(other) != requester && grants::may_read(chat, other, room.as_str()) {
            let (room, thread, following, read) = (room.clone(), *thread, *following, *read);
            chat.context.tell(other, Event::Thread { room, thread, following, read });
        }
    }
}
