//! `search`: messages by their words, in the rooms of which the user is a member.

use std::cmp::Reverse;

use super::{Answer, Chat};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::limits::{SEARCH_BYTES_MAX, SEQ_END};
use crate::chat::model::log::{LogId, Query};
use crate::chat::model::record::{Body, Record, SharedRecord};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::model::words::Wanted;
use crate::chat::pending::{Change, Found, PendingOp, Requester};
use crate::chat::rooms::{Room, apply_changes};

/// Messages that a search returns if the client does not say how many.
const SEARCH_LIMIT: u32 = 20;
/// Bytes of messages in memory that one search looks at: a millisecond or two.
const LOOK_BYTES_MAX: usize = 128 * 1024;
/// The place in the results between rooms in memory and those that are stored.
const STORE_END: u64 = SEQ_END - 1;

/// Searches the user's rooms, or one of them. Of rooms that are in memory only, the latest records
/// are looked at, and the latest that are found are in the first answer; those after it go on with
/// what is stored.
///
/// # Errors
///
/// Those of finding the room.
pub(super) fn search(
    chat: &mut Chat,
    by: &mut Requester,
    (name, text): (Option<&str>, &str),
    (before, limit): (Option<u64>, Option<u32>),
) -> Result<Answer, Refusal> {
    let rooms = rooms_to_read(chat, by, name)?.into_iter().map(|key| &chat.rooms[key]);
    let (stored, in_memory): (Vec<_>, Vec<_>) = rooms.partition(|room| room.is_stored());
    let limit = limit.unwrap_or(SEARCH_LIMIT).clamp(1, chat.context.limits.history_page);
    // With `before` this is a later page: memory has answered with the first one, whole.
    let here = if before.is_none() { look(in_memory, text, limit) } else { Vec::new() };
    let logs: Vec<LogId> = stored.into_iter().map(|room| room.log).collect();
    let bytes: u64 = here.iter().map(|(_, record)| u64::from(record.weight)).sum();
    let limit = if usize::try_from(bytes).is_ok_and(|bytes| bytes <= SEARCH_BYTES_MAX) {
        limit.saturating_sub(u32::try_from(here.len()).unwrap_or(u32::MAX))
    } else {
        0
    };
    // What memory has fills the answer: the store is asked for the next page only.
    if logs.is_empty() || limit == 0 {
        let next = (!logs.is_empty()).then_some(STORE_END);
        return Ok(Answer::Now(found(chat, by.user, (here, Vec::new(), next), &[])));
    }
    let user = chat.directory[by.user].name.clone();
    let query = Query::Search { user, logs, text: text.into(), before, limit };
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::Search { by: by.take(), here, since }, query);
    Ok(Answer::Later)
}

/// The room of this name, of which the user is a member, or all of them that the connection may
/// read.
///
/// # Errors
///
/// Those of finding the room.
pub(super) fn rooms_to_read(
    chat: &Chat,
    by: &Requester,
    name: Option<&str>,
) -> Result<Vec<RoomKey>, Refusal> {
    if let Some(name) = name {
        return Ok(vec![chat.lookup().find_membership(by.user, name)?.0]);
    }
    // A token for some rooms is for a part of its user: what is in others is not told to it.
    let is_seen = |room: &RoomKey| chat.rooms[*room].may_be_read(&chat.directory, by.conn);
    let rooms = chat.directory[by.user].memberships.iter().map(|&(room, _)| room);
    Ok(rooms.filter(is_seen).collect())
}

/// The latest messages in the rings of these rooms that have the words, those first that changed
/// last: at most `limit`, latest first.
fn look(mut rooms: Vec<&Room>, text: &str, limit: u32) -> Vec<Found> {
    rooms.sort_unstable_by_key(|room| Reverse(room.rev));
    let wanted = Wanted::of(text);
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    let records =
        rooms.iter().flat_map(|room| room.ring.from(0).rev().map(move |record| (room, record)));
    for (room, record) in records {
        let Body::Message { text, .. } = &record.body else { continue };
        bytes = bytes.saturating_add(text.len());
        // Bytes that were looked at and not those that were found: a search for a rare word is the
        // expensive one.
        if bytes > LOOK_BYTES_MAX {
            break;
        }
        if wanted.are_in(text) {
            found.push((room.log, SharedRecord::clone(record)));
        }
    }
    // Stable, so that records of one millisecond keep the order of their log.
    found.sort_by_key(|(_, record)| Reverse(record.at));
    let mut bytes = 0_usize;
    let fits = |(_, record): &&Found| {
        bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(usize::MAX));
        bytes <= SEARCH_BYTES_MAX
    };
    // The first one is taken whatever its size.
    let count = found.iter().take_while(fits).count().max(1);
    found.truncate(count.min(usize::try_from(limit).unwrap_or(usize::MAX)));
    found
}

/// What a search has found in memory and in the store, in rooms of which the user still is a
/// member, with the changes that were told since it was asked for.
pub(super) fn found(
    chat: &Chat,
    user: UserKey,
    (here, stored, next): (Vec<Found>, Vec<Found>, Option<u64>),
    changes: &[Change],
) -> Reply {
    let shown = |(log, mut record): Found| {
        let key = chat.rooms.of_log(log)?;
        // Asked again: the user may have been removed while the store searched.
        chat.directory.user(user)?.membership(key)?;
        let room = &chat.rooms[key];
        let told = changes.iter().filter(|change| change.log == log);
        let told: Vec<&Record> = told.map(|change| &*change.record).collect();
        apply_changes([&mut record], &told);
        matches!(record.body, Body::Message { .. }).then(|| (room.name.clone(), record))
    };
    let mut here = here.into_iter().filter_map(shown).peekable();
    let mut items = Vec::new();
    for (room, record) in stored.into_iter().filter_map(shown) {
        while let Some(later) = here.next_if(|(_, other)| other.at > record.at) {
            items.push(later);
        }
        items.push((room, record));
    }
    items.extend(here);
    Reply::Found { items, next }
}
