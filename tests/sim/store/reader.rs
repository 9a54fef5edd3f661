//! What the reader finds in what is durable at the moment at which it looks.

use std::collections::BTreeMap;

use chinwag::chat::model::limits::{PAGE_BYTES_MAX, UNREAD_MAX};
use chinwag::chat::model::log::{Answer, InboxFound, InboxQuery, LogId, Query};
use chinwag::chat::model::mentions::names;
use chinwag::chat::model::name::{RoomName, UserName};
use chinwag::chat::model::record::{Body, SharedRecord};
use chinwag::chat::model::thread::ThreadPage;

use super::durable::{Durable, Room};

/// The logs that are open in what is durable.
pub(super) type OpenLogs = BTreeMap<LogId, RoomName>;

/// Answers a query.
pub(super) fn answer(durable: &Durable, open: &OpenLogs, query: &Query) -> Answer {
    let room = |log: &LogId| durable.rooms.get(open.get(log)?);
    match query {
        Query::Page { log, from, to, limit } => {
            records(room(log), |room| ascending(room, (*from, *to), *limit))
        }
        Query::Below { log, seq, limit } => records(room(log), |room| below(room, *seq, *limit)),
        Query::Inbox { user, rows } => {
            Answer::Inbox(rows.iter().map(|row| inbox_row(room(&row.log), user, row)).collect())
        }
        // No client of the simulation asks for these.
        Query::Directory(_) => Answer::Rooms { rooms: Vec::new(), next: None },
        Query::Audit { .. } => Answer::Acts { acts: Vec::new(), more: false },
        Query::Thread(_) => Answer::Thread(ThreadPage::default()),
        Query::Threads { .. } => Answer::Threads(Vec::new()),
        Query::Written { .. } => Answer::Written { items: Vec::new(), next: None },
        Query::Search { logs, text, before, limit, .. } => {
            search(durable, open, logs, (text, *before, *limit))
        }
        Query::Load(wanted) => Answer::Loaded(durable.load(wanted)),
    }
}

fn records(room: Option<&Room>, read: impl FnOnce(&Room) -> Vec<SharedRecord>) -> Answer {
    let as_of = room.map_or(0, |room| room.head);
    Answer::Records { records: room.map(read).unwrap_or_default(), as_of }
}

fn ascending(room: &Room, (from, to): (u64, u64), limit: u32) -> Vec<SharedRecord> {
    if from > to {
        return Vec::new();
    }
    page(
        room.records.range(from..=to).map(|(_, record)| record),
        usize::try_from(limit).unwrap_or(usize::MAX),
    )
}

fn below(room: &Room, seq: u64, limit: u32) -> Vec<SharedRecord> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut records = page(room.records.range(..seq).rev().map(|(_, record)| record), limit);
    records.reverse();
    records
}

/// As many as fit, and at least one.
fn page<'a>(from: impl Iterator<Item = &'a SharedRecord>, limit: usize) -> Vec<SharedRecord> {
    let mut bytes = 0;
    let mut records = Vec::new();
    for record in from.take(limit) {
        bytes += usize::try_from(record.weight).unwrap_or(usize::MAX);
        if bytes > PAGE_BYTES_MAX && !records.is_empty() {
            break;
        }
        records.push(SharedRecord::clone(record));
    }
    records
}

fn inbox_row(room: Option<&Room>, user: &UserName, row: &InboxQuery) -> InboxFound {
    let Some(room) = room else { return InboxFound::default() };
    let is_message = |record: &&SharedRecord| matches!(record.body, Body::Message { .. });
    let unread = (row.read < row.head).then(|| room.records.range(row.read + 1..=row.head));
    let unread = unread.into_iter().flatten().map(|(_, record)| record);
    let unread = unread.filter(|record| record.from != *user).filter_map(|it| it.body.text());
    let unread: Vec<&str> = unread.collect();
    let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
    let mentions = count(unread.iter().filter(|text| names(text, user)).count());
    let unread = count(unread.len()).min(UNREAD_MAX);
    let messages = || room.records.range(..=row.head).rev().map(|(_, record)| record);
    let last = row.last.then(|| messages().find(is_message).cloned()).flatten();
    InboxFound { unread, mentions, in_threads: 0, last }
}

fn search(
    durable: &Durable,
    open: &OpenLogs,
    logs: &[LogId],
    (text, before, limit): (&str, Option<u64>, u32),
) -> Answer {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let names: BTreeMap<&RoomName, LogId> =
        logs.iter().filter_map(|log| Some((open.get(log)?, *log))).collect();
    let mut items = Vec::new();
    let mut next = None;
    for (&id, (room, seq)) in durable.order.range(..before.unwrap_or(u64::MAX)).rev() {
        let Some(&log) = names.get(room) else { continue };
        let record = durable.rooms.get(room).and_then(|room| room.records.get(seq));
        let Some(record) = record.filter(|record| contains(&record.body, text)) else { continue };
        items.push((log, SharedRecord::clone(record)));
        if items.len() >= limit {
            next = Some(id);
            break;
        }
    }
    Answer::Found { items, next }
}

/// Whether a message contains all words of `text`, the last one perhaps in part.
fn contains(body: &Body, text: &str) -> bool {
    let Body::Message { text: said, .. } = body else { return false };
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let (said, wanted) = (words(said), words(text));
    let Some((last, whole)) = wanted.split_last() else { return false };
    whole.iter().all(|word| said.contains(word)) && said.iter().any(|word| word.starts_with(last))
}
