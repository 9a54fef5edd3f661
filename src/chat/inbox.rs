//! What is read besides the log: rooms, presence, members.

use std::time::Duration;

use super::asked::Asking;
use super::changes::Change;
use super::keys::{MembershipKey, RoomKey, UserKey};
use super::members::{find_membership, keep_member, no_such_room};
use super::model::limits::{PRESENCE_NAMES_MAX, UNREAD_MAX};
use super::model::log::{InboxQuery, Query};
use super::model::name::UserName;
use super::model::record::{Body, Epoch, Record, SharedRecord};
use super::model::reply::{InboxRow, Reply, Role};
use super::room::Room;
use super::state::{State, Timer};
use super::user::Membership;
use super::{Code, Done, Refusal, Then, gather, search, touch};

/// Rows of one inbox: the rooms that changed last.
const ROWS_MAX: usize = 512;
/// Rows that show their last message.
const LASTS_MAX: usize = 128;
/// After how long receipts are written.
const SAVE_AFTER: Duration = Duration::from_millis(250);
/// Bytes of a last message's text; what is longer is cut.
const LAST_LEN_MAX: usize = 64;

/// The user's rooms that have changed since `since`, by name: at most [`ROWS_MAX`], those that changed first, with the
/// last message of the latest of them, so that an inbox is of a bounded size. What the rings do not have is asked for.
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
    // Whoever asks again with the `rev` of the answer gets the next ones.
    changed.sort_unstable_by_key(|&(rev, ..)| rev);
    let more = changed.len() > ROWS_MAX;
    changed.truncate(ROWS_MAX);
    let rev = changed.last().filter(|_| more).map_or(state.rev, |&(rev, ..)| rev);
    let mut rows: Vec<_> = changed.into_iter().rev().zip(0..).collect();
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
        return Done::Answered(Reply::Inbox { rev, rooms, more }, Then::Nothing);
    }
    let query = Query::Inbox { user: row.name.clone(), rows: queries };
    Done::Asked(user, Asking::Inbox { rows: rooms, open, end: (rev, more), query })
}

/// Whether the ring shows what is unread, and, if it is wanted, the last message.
fn is_in_ring(room: &Room, read: u64, last: bool) -> bool {
    let first = room.ring.first().unwrap_or(room.head + 1);
    let is_whole = !room.is_stored() || first <= room.oldest;
    is_whole || (first <= read + 1 && (!last || room.ring.from(0).any(is_message)))
}

/// What the store says of some rows: the messages that are unread, and the last one.
type Counted = Vec<(u64, Option<SharedRecord>)>;

/// The inbox with what was asked for, and with the changes that were told since. A last message that was deleted is
/// not shown: its room has changed, and is listed the next time with the one before it.
pub(super) fn inbox_read(
    state: &State,
    (mut rooms, open): (Vec<InboxRow>, &[usize]),
    (found, (rev, more)): (Counted, (u64, bool)),
    changes: &[Change],
) -> Reply {
    for (&index, (unread, last)) in open.iter().zip(found) {
        if let Some(row) = rooms.get_mut(index) {
            row.unread = unread;
            row.last = last.as_ref().map(glance);
        }
    }
    for change in changes {
        let Some(room) = search::room_of(state, change.log) else { continue };
        let Some(row) = rooms.iter_mut().find(|row| row.room == room.name) else { continue };
        touch::make(&mut row.last, &room.name, &[&change.record]);
        row.last = row.last.take().filter(is_message).as_ref().map(glance);
    }
    Reply::Inbox { rev, rooms, more }
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
