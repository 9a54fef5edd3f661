//! What is read: rooms, history, presence, members.

use super::command::Page;
use super::keys::{RoomKey, UserKey};
use super::limits::{PAGE_BYTES_MAX, PRESENCE_NAMES_MAX};
use super::members::{find_membership, no_such_room};
use super::name::UserName;
use super::record::{Body, Epoch, Record, SharedRecord};
use super::reply::{InboxRow, Reply, Role};
use super::room::Room;
use super::state::State;
use super::user::Membership;
use super::{Code, Refusal, gather};

/// Rows of one inbox: the rooms that changed last.
const ROWS_MAX: usize = 512;
/// Rows that show their last message.
const LASTS_MAX: usize = 128;
/// Bytes of a last message's text; what is longer is cut.
const LAST_LEN_MAX: usize = 64;

/// The user's rooms that have changed since `since`, by name: at most [`ROWS_MAX`], the last message with
/// the latest of them, so that an inbox is of a bounded size.
pub(super) fn rooms(state: &State, user: UserKey, since: Option<u64>) -> Reply {
    let since = since.unwrap_or(0);
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
    let rows = changed.into_iter().enumerate();
    let rows =
        rows.map(|(at, (_, room, row_of))| inbox_row(room, row_of, &row.name, at < LASTS_MAX));
    let mut rooms: Vec<InboxRow> = rows.collect();
    rooms.sort_unstable_by(|a, b| a.room.cmp(&b.room));
    Reply::Inbox { rev: state.rev, rooms }
}

fn inbox_row(room: &Room, membership: &Membership, me: &UserName, last: bool) -> InboxRow {
    let unread = room.ring.from(membership.read + 1);
    let unread = unread.filter(|record| is_message(record) && record.from != *me);
    let messages = || room.ring.from(0).rev().find(|record| is_message(record));
    InboxRow {
        room: room.name.clone(),
        epoch: room.epoch,
        seq: room.head,
        recv: membership.recv,
        read: membership.read,
        unread: u64::try_from(unread.count()).unwrap_or(u64::MAX),
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

/// A page of a room's log.
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
) -> Result<Reply, Refusal> {
    let (key, _) = find_membership(state, user, name)?;
    let room = &state.rooms[key];
    check_epoch(room, epoch)?;
    let limit = limit.unwrap_or(u32::MAX).clamp(1, state.limits.history_page);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (items, more) = match page {
        Page::Latest => newest_below(room, room.head + 1, limit),
        Page::Before(seq) => newest_below(room, seq, limit),
        Page::After(seq) => oldest_above(room, seq, limit),
        Page::Around(seq) => {
            let (mut items, more) = newest_below(room, seq, limit / 2);
            let (rest, _) = oldest_above(room, seq.saturating_sub(1), limit - items.len());
            items.extend(rest);
            (items, more)
        }
    };
    let (epoch, oldest) = (room.epoch, room.oldest());
    Ok(Reply::History { room: room.name.clone(), epoch, items, oldest, more })
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

/// The last records below `seq`, ascending, and whether there are more below them.
fn newest_below(room: &Room, seq: u64, limit: usize) -> (Vec<SharedRecord>, bool) {
    let mut below = room.ring.from(0).rev().skip_while(|record| record.seq >= seq).peekable();
    let mut items = take_page(&mut below, limit);
    items.reverse();
    (items, below.peek().is_some())
}

/// The first records above `seq`, ascending, and whether there are more above them.
fn oldest_above(room: &Room, seq: u64, limit: usize) -> (Vec<SharedRecord>, bool) {
    let mut above = room.ring.from(seq.saturating_add(1)).peekable();
    let items = take_page(&mut above, limit);
    (items, above.peek().is_some())
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
    Ok(Reply::Acked { room, recv, read })
}
