//! What is read: rooms, history, presence, members.

use std::time::Duration;

use super::asked::{self, Asker, Asking, Part};
use super::command::Page;
use super::keys::{MembershipKey, RoomKey, UserKey};
use super::limits::{PAGE_BYTES_MAX, PRESENCE_NAMES_MAX, UNREAD_MAX};
use super::log::{InboxQuery, LogId, Query};
use super::members::{find_membership, keep_member, no_such_room};
use super::name::UserName;
use super::record::{Body, Epoch, Record, SharedRecord};
use super::reply::{InboxRow, Reply, Role};
use super::room::Room;
use super::state::{State, Timer};
use super::user::Membership;
use super::{Code, Done, Refusal, Then, gather};
use crate::collections::Key as _;

/// Rows of one inbox: the rooms that changed last.
const ROWS_MAX: usize = 512;
/// Rows that show their last message.
const LASTS_MAX: usize = 128;
/// After how long receipts are written.
const SAVE_AFTER: Duration = Duration::from_millis(250);
/// Messages that a search returns if the client does not say how many.
const SEARCH_LIMIT: u32 = 20;
/// Bytes of a last message's text; what is longer is cut.
const LAST_LEN_MAX: usize = 64;

/// The user's rooms that have changed since `since`, by name: at most [`ROWS_MAX`], the last message with
/// the latest of them, so that an inbox is of a bounded size. What the rings do not have is asked for.
pub(super) fn rooms(state: &State, user: UserKey, since: Option<u64>) -> Done {
    // One that there was not yet is of a life of the server whose clock was ahead.
    let since = since.filter(|since| *since <= state.rev).unwrap_or(0);
    let row = &state.users[user];
    let mut changed = Vec::new();
    for &(room, membership) in &row.memberships {
        let (room, membership) = (&state.rooms[room], &state.memberships[membership]);
        let rev = room.rev.max(membership.rev);
        if since == 0 || rev > since {
            changed.push((rev, room, membership));
        }
    }
    changed.sort_unstable_by_key(|&(rev, ..)| std::cmp::Reverse(rev));
    changed.truncate(ROWS_MAX);
    let mut rows: Vec<_> = changed.into_iter().zip(0..).collect();
    rows.sort_unstable_by(|((_, a, _), _), ((_, b, _), _)| a.name.cmp(&b.name));
    let mut rooms = Vec::with_capacity(rows.len());
    let (mut open, mut queries) = (Vec::new(), Vec::new());
    for ((_, room, membership), rank) in rows {
        let last = rank < LASTS_MAX;
        if !is_in_ring(room, membership.read, last) {
            open.push(rooms.len());
            let (log, read, head) = (room.log, membership.read, room.head);
            queries.push(InboxQuery { log, read, head, last });
        }
        rooms.push(inbox_row(room, membership, &row.name, last));
    }
    if open.is_empty() {
        return Done::Answered(Reply::Inbox { rev: state.rev, rooms }, Then::Nothing);
    }
    let query = Query::Inbox { user: row.name.clone(), rows: queries };
    Done::Asked(user, Asking::Inbox(rooms, open, query))
}

/// Whether the ring shows what is unread, and, if it is wanted, the last message.
fn is_in_ring(room: &Room, read: u64, last: bool) -> bool {
    let first = room.ring.first().unwrap_or(room.head + 1);
    let is_whole = !room.is_stored() || first <= room.oldest;
    is_whole || (first <= read + 1 && (!last || room.ring.from(0).any(is_message)))
}

/// The inbox with what was asked for.
pub(super) fn inbox_read(
    mut rooms: Vec<InboxRow>,
    open: &[usize],
    found: Vec<(u64, Option<SharedRecord>)>,
    rev: u64,
) -> Reply {
    for (&index, (unread, last)) in open.iter().zip(found) {
        if let Some(row) = rooms.get_mut(index) {
            row.unread = unread;
            row.last = last.as_ref().map(glance);
        }
    }
    Reply::Inbox { rev, rooms }
}

fn inbox_row(room: &Room, membership: &Membership, me: &UserName, last: bool) -> InboxRow {
    let unread = room.ring.from(membership.read + 1);
    let unread = unread.filter(|record| is_message(record) && record.from != *me);
    let unread = u64::try_from(unread.count()).unwrap_or(u64::MAX);
    let messages = || room.ring.from(0).rev().find(|record| is_message(record));
    InboxRow {
        room: room.name.clone(),
        epoch: room.epoch,
        seq: room.head,
        recv: membership.recv,
        read: membership.read,
        unread: unread.min(UNREAD_MAX),
        last: last.then(messages).flatten().map(glance),
    }
}

/// A message as a row of the inbox shows it: the beginning of its text, without what it carries besides.
fn glance(record: &SharedRecord) -> SharedRecord {
    let Body::Message { text, reply_to, thread, edited, .. } = &record.body else {
        return SharedRecord::clone(record);
    };
    let shown = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= LAST_LEN_MAX);
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

fn is_message(record: &SharedRecord) -> bool {
    matches!(record.body, Body::Message { .. })
}

/// A page of a room's log, from the ring if that has all of it.
///
/// # Errors
///
/// Those of [`find_membership`], and [`Code::EpochChanged`].
pub(super) fn history(
    state: &State,
    user: UserKey,
    (name, epoch): (&str, Option<&str>),
    page: Page,
    limit: Option<u32>,
) -> Result<Done, Refusal> {
    let (key, _) = find_membership(state, user, name)?;
    let room = &state.rooms[key];
    check_epoch(room, epoch)?;
    let count = limit.unwrap_or(u32::MAX).clamp(1, state.limits.history_page);
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let (lower, upper) = range(page, room, u64::from(count));
    if room.is_stored() && lower < room.ring.first().unwrap_or(room.head + 1) && lower <= upper {
        let (part, query) = parts(room, page, count);
        return Ok(Done::Asked(user, Asking::History(key, part, query)));
    }
    let items = match page {
        Page::Latest => newest_below(room, room.head + 1, limit),
        Page::Before(seq) => newest_below(room, seq, limit),
        Page::After(seq) => oldest_above(room, seq, limit),
        Page::Around(seq) => {
            let mut items = newest_below(room, seq, limit / 2);
            items.extend(oldest_above(room, seq.saturating_sub(1), limit - items.len()));
            items
        }
    };
    Ok(Done::Answered(history_page(room, page, items), Then::Nothing))
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
fn parts(room: &Room, page: Page, count: u32) -> (Part, Query) {
    let log = room.log;
    let below = |seq: u64, limit| Query::Below { log, seq: seq.min(room.head + 1), limit };
    let (_, to) = range(page, room, u64::from(count));
    match page {
        Page::Latest => (Part::Whole(page), below(u64::MAX, count)),
        Page::Before(seq) => (Part::Whole(page), below(seq, count)),
        Page::After(seq) => (Part::Whole(page), Query::Page { log, from: seq + 1, to }),
        Page::Around(seq) => (Part::Lower(seq, count), below(seq, count / 2)),
    }
}

/// A part of a page was read.
pub(super) fn history_read(
    state: &mut State,
    asker: Asker,
    key: RoomKey,
    part: Part,
    records: Vec<SharedRecord>,
) {
    let Asker { conn, user, .. } = asker;
    let room = &state.rooms[key];
    let is_member = state.users.get(user).is_some_and(|row| row.membership(key).is_some());
    if !is_member || state.session(conn).is_none() {
        // Left or put out meanwhile: nothing of the room follows.
        return asked::answer(state, conn, asker.request, Err(super::members::not_member()));
    }
    let (page, items) = match part {
        Part::Whole(page) => (page, records),
        Part::Lower(seq, count) => {
            let had = u64::try_from(records.len()).unwrap_or(u64::MAX);
            // Behind the lower half, also if the log has reached `seq` only since that was read.
            let from = records.last().map_or(seq, |last| last.seq + 1);
            let (log, from) = (room.log, from.max(room.oldest()));
            let to = from.saturating_add(u64::from(count) - had - 1).min(room.head);
            if from <= to {
                let asking =
                    Asking::History(key, Part::Upper(seq, records), Query::Page { log, from, to });
                return asking.ask(state, asker);
            }
            (Page::Around(seq), records)
        }
        Part::Upper(seq, mut items) => {
            items.extend(records);
            (Page::Around(seq), items)
        }
    };
    let reply = history_page(room, page, items);
    asked::answer(state, conn, asker.request, Ok((reply, Then::Nothing)));
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

/// Searches the user's stored rooms, or one of them.
///
/// # Errors
///
/// Those of [`find_membership`].
pub(super) fn search(
    state: &State,
    user: UserKey,
    (name, text): (Option<&str>, &str),
    before: Option<u64>,
    limit: Option<u32>,
) -> Result<Done, Refusal> {
    let rooms = match name {
        Some(name) => vec![find_membership(state, user, name)?.0],
        None => state.users[user].memberships.iter().map(|&(room, _)| room).collect(),
    };
    let rooms = rooms.into_iter().map(|key| &state.rooms[key]).filter(|room| room.is_stored());
    let logs: Vec<LogId> = rooms.map(|room| room.log).collect();
    if logs.is_empty() {
        return Ok(Done::Answered(Reply::Found { items: Vec::new(), next: None }, Then::Nothing));
    }
    let limit = limit.unwrap_or(SEARCH_LIMIT).clamp(1, state.limits.history_page);
    let query = Query::Search { logs, text: text.into(), before, limit };
    Ok(Done::Asked(user, Asking::Search(query)))
}

/// What a search has found, in rooms of which the user still is a member.
pub(super) fn found(
    state: &State,
    user: UserKey,
    items: Vec<(LogId, SharedRecord)>,
    next: Option<u64>,
) -> Reply {
    let room_of = |log: LogId| {
        let key = RoomKey::from_index(log.slot());
        let room = state.rooms.get(key).filter(|room| room.log == log)?;
        state.users.get(user)?.membership(key)?;
        Some(room.name.clone())
    };
    let items = items.into_iter().filter_map(|(log, record)| Some((room_of(log)?, record)));
    Reply::Found { items: items.collect(), next }
}

/// # Errors
///
/// [`Code::EpochChanged`] with the present epoch, if `epoch` is given and is another.
pub(super) fn check_epoch(room: &Room, epoch: Option<&str>) -> Result<(), Refusal> {
    if epoch.is_none_or(|epoch| Epoch::parse(epoch) == Some(room.epoch)) {
        return Ok(());
    }
    let message = "the room's log began anew; its seqs count from 1 again";
    let refusal = Refusal::new(Code::EpochChanged, message);
    Err(Refusal { epoch: Some(room.epoch), ..refusal.field("epoch", room.epoch.to_string()) })
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

/// Who is there, as it was told last; a count only where that is what is told, 0 where nothing is.
pub(super) fn presence(state: &State, key: RoomKey) -> Reply {
    let room = &state.rooms[key];
    let users = (!gather::is_counted(room)).then(|| gather::present(state, key));
    Reply::Presence { v: room.gathered.presence.v, count: room.gathered.presence.count, users }
}

/// A page of the members, by name; in large rooms only how many there are.
///
/// # Errors
///
/// Those of [`find_membership`].
pub(super) fn members(
    state: &State,
    user: UserKey,
    name: &str,
    limit: Option<u32>,
    after: Option<&str>,
) -> Result<Reply, Refusal> {
    let (key, _) = find_membership(state, user, name)?;
    let room = &state.rooms[key];
    let count = u64::try_from(room.members.len()).unwrap_or(u64::MAX);
    if room.members.len() > PRESENCE_NAMES_MAX {
        return Ok(Reply::Members { count, users: Vec::new(), more: false });
    }
    let members = room.members.iter().map(|&member| &state.memberships[member]);
    let mut users: Vec<(UserName, Role)> =
        members.map(|row| (state.users[row.user].name.clone(), row.role)).collect();
    users.sort_unstable();
    users.retain(|(name, _)| after.is_none_or(|after| name.as_str() > after));
    let limit = usize::try_from(limit.unwrap_or(u32::MAX).max(1)).unwrap_or(usize::MAX);
    let more = users.len() > limit;
    users.truncate(limit);
    Ok(Reply::Members { count, users, more })
}

/// Moves the user's marks in a room forward; lower values are ignored.
///
/// # Errors
///
/// Those of [`find_membership`], [`Code::EpochChanged`], and [`Code::SeqUnavailable`] for a seq that the log
/// has not reached.
pub(super) fn ack(
    state: &mut State,
    user: UserKey,
    (name, epoch): (&str, Option<&str>),
    recv: Option<u64>,
    read: Option<u64>,
) -> Result<Reply, Refusal> {
    let (key, membership) = find_membership(state, user, name)?;
    let room = &state.rooms[key];
    check_epoch(room, epoch)?;
    for (field, seq) in [("recv", recv), ("read", read)] {
        if seq.is_some_and(|seq| seq > room.head) {
            let refusal = Refusal::new(Code::SeqUnavailable, "the room's log is not that far yet");
            return Err(refusal.field(field, format!("at most {}", room.head)));
        }
    }
    let room = room.name.clone();
    let rev = state.next_rev();
    let row = state.memberships.get_mut(membership).ok_or_else(no_such_room)?;
    let had = (row.recv, row.read);
    row.read = row.read.max(read.unwrap_or(0));
    row.recv = row.recv.max(recv.unwrap_or(0)).max(row.read);
    let (recv, read) = (row.recv, row.read);
    if (recv, read) != had {
        row.rev = rev;
    }
    if read != had.1 {
        gather::acked(state, membership);
    }
    if (recv, read) != had {
        save_later(state, membership, key);
    }
    Ok(Reply::Acked { room, recv, read })
}

/// Has a member's receipts written, with those of others, in a while.
fn save_later(state: &mut State, membership: MembershipKey, room: RoomKey) {
    if !state.rooms[room].is_stored() {
        return;
    }
    if state.unsaved.is_empty() {
        state.wheel.arm(state.now.tick.after(SAVE_AFTER), Timer::Save);
    }
    let row = &mut state.memberships[membership];
    if !std::mem::replace(&mut row.unsaved, true) {
        state.unsaved.push(membership);
    }
    if state.stopping {
        // There may be no later any more.
        save(state);
    }
}

/// Hands the receipts that have risen to the logs.
pub(super) fn save(state: &mut State) {
    for key in std::mem::take(&mut state.unsaved) {
        // The key of one who has left may be another's by now, who has nothing to be written.
        let Some(row) = state.memberships.get_mut(key).filter(|row| row.unsaved) else { continue };
        row.unsaved = false;
        keep_member(state, key);
    }
}
