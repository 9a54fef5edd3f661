//! `history`: pages of a room's log, from the ring or, where that does not reach, from the store.

use super::{Answer, Chat};
use crate::chat::keys::RoomKey;
use crate::chat::model::command::Page;
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::log::Query;
use crate::chat::model::record::{Record, SharedRecord};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{Change, PagePart, PendingOp, Requester};
use crate::chat::rooms::{Room, apply_changes, not_member};

/// A page of a room's log, from the ring if that has all of it.
///
/// # Errors
///
/// Those of finding the room, and [`Code::EpochChanged`](crate::chat::Code::EpochChanged).
pub(super) fn history(
    chat: &mut Chat,
    by: &mut Requester,
    (name, epoch): (&str, Option<&str>),
    (page, limit): (Page, Option<u32>),
) -> Result<Answer, Refusal> {
    let (key, _) = chat.lookup().find_membership(by.user, name)?;
    let room = &chat.rooms[key];
    room.check_epoch(epoch)?;
    let count = limit.unwrap_or(u32::MAX).clamp(1, chat.context.limits.history_page);
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let (lower, upper) = range(page, room, u64::from(count));
    // A page is read whole from one place, so that no change falls between ring and store.
    if room.is_stored() && lower < room.ring.first().unwrap_or(room.head + 1) && lower <= upper {
        let (part, query) = parts(room, page, count);
        read(chat, by.take(), key, (part, query));
        return Ok(Answer::Later);
    }
    let items = match page {
        Page::Latest => newest_below(room, room.head + 1, limit),
        Page::Before(seq) => newest_below(room, seq, limit),
        Page::After(seq) => oldest_above(room, seq, limit),
        Page::Around(seq) => {
            let items = newest_below(room, seq, limit / 2);
            let upper = oldest_above(room, seq.saturating_sub(1), limit - items.len());
            joined(items, upper)
        }
    };
    Ok(Answer::Now(history_page(room, page, items)))
}

/// Has a part of a page read.
fn read(chat: &mut Chat, by: Requester, room: RoomKey, (part, query): (PagePart, Query)) {
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::History { by, room, part, since }, query);
}

/// The first and the last seq that a page may hold, of those that are there.
fn range(page: Page, room: &Room, count: u64) -> (u64, u64) {
    let (lower, upper) = match page {
        Page::Latest => ((room.head + 1).saturating_sub(count), room.head),
        Page::Before(seq) => {
            let seq = seq.min(room.head + 1);
            (seq.saturating_sub(count), seq.saturating_sub(1))
        }
        Page::After(seq) => (seq.saturating_add(1), seq.saturating_add(count)),
        Page::Around(seq) => {
            let lower = seq.min(room.head + 1).saturating_sub(count / 2);
            (lower, lower.saturating_add(count))
        }
    };
    (lower.max(room.oldest()), upper.min(room.head))
}

/// What is to be read of a stored log for a page, to begin with.
fn parts(room: &Room, page: Page, count: u32) -> (PagePart, Query) {
    let log = room.log;
    let below = |seq: u64, limit| Query::Below { log, seq: seq.min(room.head + 1), limit };
    let (_, to) = range(page, room, u64::from(count));
    match page {
        Page::Latest => (PagePart::Whole(page), below(u64::MAX, count)),
        Page::Before(seq) => (PagePart::Whole(page), below(seq, count)),
        Page::After(seq) => (PagePart::Whole(page), Query::Page { log, from: seq + 1, to }),
        Page::Around(seq) => (PagePart::Lower(seq, count), below(seq, count / 2)),
    }
}

/// An excerpt of a log, and the changes that were told since it was asked for.
pub(super) struct Excerpt {
    pub records: Vec<SharedRecord>,
    /// The log's head when it was read: changes up to there are in the records.
    pub as_of: u64,
    pub changes: Vec<Change>,
}

/// A part of a page was read.
///
/// # Errors
///
/// [`Code::NotMember`](crate::chat::Code::NotMember) for a user that has left or was removed
/// meanwhile: nothing of the room follows.
pub(super) fn on_read(
    chat: &mut Chat,
    by: &mut Requester,
    (key, part): (RoomKey, PagePart),
    excerpt: Excerpt,
) -> Result<Answer, Refusal> {
    let is_member = chat.directory.user(by.user).is_some_and(|row| row.membership(key).is_some());
    if !is_member || chat.delivery.reader(by.conn).is_none() {
        return Err(not_member());
    }
    let room = &chat.rooms[key];
    let Excerpt { mut records, as_of, changes } = excerpt;
    let told = changes.iter().filter(|change| change.log == room.log);
    let told: Vec<&Record> = told.map(|change| &*change.record).collect();
    // Changes up to the head at the time of reading are in the records already.
    let newer = told.partition_point(|change| change.seq <= as_of);
    apply_changes(&mut records, told.get(newer..).unwrap_or_default());
    let (page, items) = match part {
        PagePart::Whole(page) => (page, records),
        PagePart::Lower(seq, count) => {
            let had = u64::try_from(records.len()).unwrap_or(u64::MAX);
            // Behind the lower half, also if the log has reached `seq` only since that was read.
            let from = records.last().map_or(seq, |last| last.seq + 1);
            let (log, from) = (room.log, from.max(room.oldest()));
            let to = from.saturating_add(u64::from(count) - had - 1).min(room.head);
            if from <= to {
                let part = PagePart::Upper(seq, records);
                read(chat, by.take(), key, (part, Query::Page { log, from, to }));
                return Ok(Answer::Later);
            }
            (Page::Around(seq), records)
        }
        PagePart::Upper(seq, mut lower) => {
            // They were up to date when this part was asked for.
            apply_changes(&mut lower, &told);
            (Page::Around(seq), joined(lower, records))
        }
    };
    Ok(Answer::Now(history_page(room, page, items)))
}

/// The two halves of a page around a seq, which is the first of the upper one: what is farthest
/// from it goes, so that both together hold what one page holds.
fn joined(mut lower: Vec<SharedRecord>, mut upper: Vec<SharedRecord>) -> Vec<SharedRecord> {
    let weight = |record: &SharedRecord| usize::try_from(record.weight).unwrap_or(usize::MAX);
    let fitting = |records: &mut dyn Iterator<Item = &SharedRecord>, bytes_max: usize| {
        let mut bytes = 0_usize;
        let fits = |record: &&SharedRecord| {
            bytes = bytes.saturating_add(weight(record));
            bytes <= bytes_max
        };
        records.take_while(fits).count()
    };
    let least = upper.first().map_or(0, weight);
    let lower_max = PAGE_BYTES_MAX.saturating_sub(least).min(PAGE_BYTES_MAX / 2);
    let kept = fitting(&mut lower.iter().rev(), lower_max);
    lower.drain(..lower.len() - kept);
    let bytes: usize = lower.iter().map(weight).sum();
    let kept = fitting(&mut upper.iter(), PAGE_BYTES_MAX - bytes);
    upper.truncate(kept.max(1));
    lower.extend(upper);
    lower
}

fn history_page(room: &Room, page: Page, mut items: Vec<SharedRecord>) -> Reply {
    let (oldest, epoch) = (room.oldest(), room.epoch);
    // What was pruned since it was read would stand before the oldest, or before a hole.
    items.retain(|record| record.seq >= oldest);
    let more = match page {
        Page::Latest | Page::Before(_) | Page::Around(_) => {
            items.first().is_some_and(|first| first.seq > oldest)
        }
        Page::After(_) => items.last().is_some_and(|last| last.seq < room.head),
    };
    Reply::History { room: room.name.clone(), epoch, items, oldest, more }
}

/// The last records of the ring below `seq`, ascending.
fn newest_below(room: &Room, seq: u64, limit: usize) -> Vec<SharedRecord> {
    let below = room.ring.from(0).rev().skip_while(|record| record.seq >= seq);
    let mut items = take_page(&mut below.peekable(), limit);
    items.reverse();
    items
}

/// The first records of the ring above `seq`, ascending.
fn oldest_above(room: &Room, seq: u64, limit: usize) -> Vec<SharedRecord> {
    take_page(&mut room.ring.from(seq.saturating_add(1)).peekable(), limit)
}

fn take_page<'a>(
    records: &mut std::iter::Peekable<impl Iterator<Item = &'a SharedRecord>>,
    limit: usize,
) -> Vec<SharedRecord> {
    let mut bytes = 0;
    let mut items = Vec::new();
    while items.len() < limit {
        let fits = |record: &&SharedRecord| {
            bytes += usize::try_from(record.weight).unwrap_or(usize::MAX);
            bytes <= PAGE_BYTES_MAX || items.is_empty()
        };
        let Some(record) = records.next_if(fits) else { break };
        items.push(SharedRecord::clone(record));
    }
    items
}
