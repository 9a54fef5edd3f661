//! `history`: pages of a room's log, from the ring or, where that does not reach, from the store.

use super::{Answer, Chat, outsiders};
use crate::chat::keys::RoomKey;
use crate::chat::model::command::Page;
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::log::Query;
use crate::chat::model::record::{Record, SharedRecord};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{Change, PagePart, PendingOp, Requester};
use crate::chat::rooms::{Room, apply_changes, apply_pruning, not_member};

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
    let (key, _) = outsiders::reads(chat, (by.conn, by.user), name)?;
    let room = &chat.rooms[key];
    room.check_epoch(epoch)?;
    // A limit beyond the page is no error: the client finds by `more` that there is more.
    let count = limit.unwrap_or(u32::MAX).clamp(1, chat.context.limits.history_page);
    let Span { lower, pivot, upper } = Span::of(page, room, count);
    // A page is read whole from one place, so that no change falls between ring and store.
    let in_ring = room.ring.first().unwrap_or(room.head + 1);
    if room.is_stored() && lower < upper.min(in_ring) {
        return Ok(if lower < pivot {
            let query = Query::Below { log: room.log, seq: pivot, limit: length(lower, pivot) };
            read(chat, by.take(), key, (PagePart::Lower(page, count), query))
        } else {
            read_above(chat, by, key, (pivot, count), PagePart::Upper(page, count, Vec::new()))
        });
    }
    let below = newest_below(room, pivot, length(lower, pivot));
    let items = joined(below, oldest_from(room, pivot, length(pivot, upper)));
    Ok(Answer::Now(history_page(room, (page, count), items)))
}

/// Has a part of a page read.
fn read(chat: &mut Chat, by: Requester, room: RoomKey, (part, query): (PagePart, Query)) -> Answer {
    // Before the request: a change that is told between the two would be in neither.
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::History { by, room, part, since }, query);
    Answer::Later
}

/// Has the first `limit` records read from a seq on, or from the oldest, if that is pruned by then.
fn read_above(
    chat: &mut Chat,
    by: &mut Requester,
    key: RoomKey,
    (from, limit): (u64, u32),
    part: PagePart,
) -> Answer {
    let room = &chat.rooms[key];
    let query = Query::Page { log: room.log, from, to: room.head, limit };
    read(chat, by.take(), key, (part, query))
}

/// The seqs that a page may hold, of those that are there: from `lower` on, below `upper`. If they
/// are more than fit, those closest to `pivot` are told.
///
/// They follow from the log's ends alone and not from what is found, so that a page which begins
/// below the oldest record, or beyond the head, is the one next to it.
#[derive(Clone, Copy, Debug)]
struct Span {
    lower: u64,
    pivot: u64,
    upper: u64,
}

impl Span {
    fn of(page: Page, room: &Room, count: u32) -> Self {
        let (oldest, end, count) = (room.oldest(), room.head + 1, u64::from(count));
        let within = |seq: u64| seq.clamp(oldest.min(end), end);
        let lower_of = |seq: u64| within(seq.saturating_sub(count));
        match page {
            Page::Latest => Self { lower: lower_of(end), pivot: end, upper: end },
            // Without its end, so that a client pages by the oldest seq that it has.
            Page::Before(seq) => {
                let pivot = within(seq);
                Self { lower: lower_of(pivot), pivot, upper: pivot }
            }
            Page::After(seq) => {
                let pivot = within(seq.saturating_add(1));
                Self { lower: pivot, pivot, upper: within(pivot + count) }
            }
            Page::Around(seq) => {
                let pivot = within(seq.min(room.head));
                // What is missing on one side is there on the other.
                let lower = pivot.saturating_sub(count / 2).min(end.saturating_sub(count));
                let lower = within(lower);
                Self { lower, pivot, upper: within(lower + count) }
            }
        }
    }
}

/// How many seqs there are from one on below another.
fn length(from: u64, end: u64) -> u32 {
    u32::try_from(end.saturating_sub(from)).unwrap_or(u32::MAX)
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
    // Turns have passed between question and answer.
    check_still_reads(chat, by, key)?;
    let room = &chat.rooms[key];
    let Excerpt { mut records, as_of, changes } = excerpt;
    let told = changes.iter().filter(|change| change.log == room.log);
    let told: Vec<&Record> = told.map(|change| &*change.record).collect();
    // Changes up to the head at the time of reading are in the records already.
    let newer = told.partition_point(|change| change.seq <= as_of);
    apply_changes(&mut records, told.get(newer..).unwrap_or_default());
    let (page, count, items) = match part {
        PagePart::Lower(page @ (Page::Latest | Page::Before(_)), count) => (page, count, records),
        PagePart::Lower(page @ (Page::After(_) | Page::Around(_)), count) => {
            let rest = count.saturating_sub(u32::try_from(records.len()).unwrap_or(count));
            // After the lower half, also if the log has reached further since that was read.
            let from = records.last().map(|last| last.seq + 1);
            let from = from.unwrap_or_else(|| Span::of(page, room, count).pivot);
            if from <= room.head && rest > 0 {
                let part = PagePart::Upper(page, count, records);
                return Ok(read_above(chat, by, key, (from, rest), part));
            }
            (page, count, records)
        }
        PagePart::Upper(page, count, mut lower) => {
            // They were up to date when this part was asked for.
            apply_changes(&mut lower, &told);
            (page, count, joined(lower, records))
        }
    };
    Ok(Answer::Now(history_page(room, (page, count), items)))
}

/// The answer comes turns later: who was removed meanwhile must not be shown what was said before,
/// either.
pub(super) fn check_still_reads(chat: &Chat, by: &Requester, key: RoomKey) -> Result<(), Refusal> {
    if chat.delivery.reader(by.conn).is_none() {
        return Err(not_member());
    }
    if chat.directory[by.user].membership(key).is_none() {
        if !outsiders::is_outside(chat, by.conn, by.user) {
            return Err(not_member());
        }
        chat.lookup().find_outside(by.user, chat.rooms[key].name.as_str())?;
    }
    Ok(())
}

/// The one record that was asked for, as it is now, if it is still there.
///
/// # Errors
///
/// As [`on_read`].
pub(super) fn found_one(
    chat: &Chat,
    by: &Requester,
    key: RoomKey,
    excerpt: Excerpt,
) -> Result<Option<SharedRecord>, Refusal> {
    check_still_reads(chat, by, key)?;
    let room = &chat.rooms[key];
    let Excerpt { mut records, changes, .. } = excerpt;
    let told = changes.iter().filter(|change| change.log == room.log);
    let told: Vec<&Record> = told.map(|change| &*change.record).collect();
    apply_changes(&mut records, &told);
    records.retain(|record| record.seq >= room.oldest());
    Ok(records.pop())
}

/// The two halves of a page, either of which may be empty: what is farthest from where they meet
/// goes, so that both together hold what one page holds.
fn joined(mut lower: Vec<SharedRecord>, mut upper: Vec<SharedRecord>) -> Vec<SharedRecord> {
    if lower.is_empty() || upper.is_empty() {
        lower.extend(upper);
        return lower;
    }
    let weight = |record: &SharedRecord| usize::try_from(record.weight).unwrap_or(usize::MAX);
    let fitting = |records: &mut dyn Iterator<Item = &SharedRecord>, bytes_max: usize| {
        let mut bytes = 0_usize;
        let fits = |record: &&SharedRecord| {
            bytes = bytes.saturating_add(weight(record));
            bytes <= bytes_max
        };
        records.take_while(fits).count()
    };
    // The first record of the upper half is the one that the page is about; it must be in it
    // however large it is.
    let least = upper.first().map_or(0, weight);
    // Half of the bytes, and those that the upper half does not need.
    let above = upper.iter().map(weight).sum::<usize>().min(PAGE_BYTES_MAX / 2).max(least);
    let lower_max = PAGE_BYTES_MAX.saturating_sub(above);
    let kept = fitting(&mut lower.iter().rev(), lower_max);
    lower.drain(..lower.len() - kept);
    let bytes: usize = lower.iter().map(weight).sum();
    let kept = fitting(&mut upper.iter(), PAGE_BYTES_MAX - bytes);
    upper.truncate(kept.max(1));
    lower.extend(upper);
    lower
}

fn history_page(room: &Room, (page, count): (Page, u32), mut items: Vec<SharedRecord>) -> Reply {
    let (oldest, epoch) = (room.oldest(), room.epoch);
    // What was pruned since it was read would stand before the oldest, or before a hole.
    items.retain(|record| record.seq >= oldest);
    apply_pruning(&mut items, oldest);
    // Of the log, not of the page: one that is empty stands where it would begin.
    let pivot = Span::of(page, room, count).pivot;
    let has_older = items.first().map_or(pivot, |first| first.seq) > oldest;
    let has_newer = items.last().map_or(pivot, |last| last.seq + 1) <= room.head;
    let more = match page {
        Page::Latest | Page::Before(_) => has_older,
        Page::After(_) => has_newer,
        Page::Around(_) => has_older || has_newer,
    };
    Reply::History { room: room.name.clone(), epoch, items, oldest, more }
}

/// The last records of the ring below `seq`, ascending.
fn newest_below(room: &Room, seq: u64, limit: u32) -> Vec<SharedRecord> {
    let below = room.ring.from(0).rev().skip_while(|record| record.seq >= seq);
    let mut items = take_page(&mut below.peekable(), limit);
    items.reverse();
    items
}

/// The first records of the ring from `seq` on, ascending.
fn oldest_from(room: &Room, seq: u64, limit: u32) -> Vec<SharedRecord> {
    take_page(&mut room.ring.from(seq).peekable(), limit)
}

fn take_page<'a>(
    records: &mut std::iter::Peekable<impl Iterator<Item = &'a SharedRecord>>,
    limit: u32,
) -> Vec<SharedRecord> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = 0;
    let mut items = Vec::new();
    while items.len() < limit {
        let fits = |record: &&SharedRecord| {
            bytes += usize::try_from(record.weight).unwrap_or(usize::MAX);
            // One record at least, or a client would ask for the same page again for ever.
            bytes <= PAGE_BYTES_MAX || items.is_empty()
        };
        let Some(record) = records.next_if(fits) else { break };
        items.push(SharedRecord::clone(record));
    }
    items
}
