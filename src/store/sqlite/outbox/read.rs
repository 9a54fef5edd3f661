//! Reading what is to be sent: records and notices in one order.

use std::collections::{BTreeMap, VecDeque};

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::super::integers::{signed, unsigned};
use super::super::record_row::{self, COLUMNS};
use super::super::room_names::{self, ID_OF};
use super::{BATCH_BYTES_MAX, Batch, Position};
use crate::chat::model::columns::to_notice;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Body, Epoch, Record};
use crate::chat::model::webhook::{self, EventKind, Interest, Notice, NoticeKind, WebhookEvent};

/// Records, and notices, that one reading looks at: some milliseconds.
const SCAN_MAX: usize = 4096;

/// A record of the page: its id, and the event that it is, if it is of interest.
type Found = (u64, Option<WebhookEvent>);

pub(in crate::store::sqlite) fn batch(
    db: &mut Connection,
    interest: &Interest,
    (from, to): (Position, Option<Position>),
    events_max: usize,
) -> rusqlite::Result<Batch> {
    // Everything as of one moment.
    let db = db.transaction()?;
    // SQLite's integers have a sign.
    let to = to.unwrap_or(Position { record: u64::MAX >> 1, notice: u64::MAX >> 1 });
    let mut notices = Notices::read(&db, from.notice, to.notice)?;
    let mut batch = Batch { end: from, lost: notices.lost, ..Batch::default() };
    if notices.lost > 0 {
        // Past what is gone, or it would be counted as lost with each reading.
        batch.end.notice += notices.lost;
    }
    let sql = format!(
        "SELECT {COLUMNS}, id FROM record WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT {SCAN_MAX}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([signed(from.record), signed(to.record)])?;
    let mut records = Records { db: &db, interest, rooms: BTreeMap::new(), read: 0 };
    let mut next = records.next(rows.next()?)?;
    let mut bytes = 0;
    while batch.events.len() < events_max && bytes < BATCH_BYTES_MAX {
        // Two tables in one order: a notice stands after the record after which it was written.
        let is_notice = match (notices.rows.front(), &next) {
            (Some(notice), Some((id, _))) => notice.record < *id,
            (Some(_), None) if !records.is_full() => true,
            (None, Some(_)) if !notices.has_more => false,
            (None, None) if !notices.has_more && !records.is_full() => return Ok(batch),
            // What comes next is after what was read.
            _ => break,
        };
        let event = if is_notice {
            let Some(notice) = notices.rows.pop_front() else { break };
            batch.end.notice = notice.id;
            event_of(&db, interest, notice)?
        } else {
            let Some((id, event)) = next.take() else { break };
            batch.end.record = id;
            next = records.next(rows.next()?)?;
            event
        };
        if let Some(event) = event {
            bytes += event.weight();
            batch.events.push(event);
        }
    }
    batch.has_more = true;
    Ok(batch)
}

/// Makes events of records.
struct Records<'a> {
    db: &'a Connection,
    interest: &'a Interest,
    /// The rooms of the records so far: those of interest with their names.
    rooms: BTreeMap<i64, Option<(RoomName, Epoch)>>,
    read: usize,
}

impl Records<'_> {
    /// Whether there may be records after those that were read.
    const fn is_full(&self) -> bool {
        self.read >= SCAN_MAX
    }

    fn next(&mut self, row: Option<&Row<'_>>) -> rusqlite::Result<Option<Found>> {
        let Some(row) = row else { return Ok(None) };
        self.read += 1;
        let id = unsigned(row.get("id")?);
        let room: i64 = row.get("room")?;
        if !self.rooms.contains_key(&room) {
            let found = find_room(self.db, room)?;
            // By any name that it has or had: who is told of a room goes on to be.
            let former = room_names::former(self.db, room)?;
            let is_meant = |name: &RoomName| self.interest.has_room(name);
            let found = found.filter(|(name, _)| is_meant(name) || former.iter().any(is_meant));
            self.rooms.insert(room, found);
        }
        let Some(Some((room, epoch))) = self.rooms.get(&room) else { return Ok(Some((id, None))) };
        // One that is damaged is reported by who reads it for people.
        let record = record_row::decode(row).ok().filter(|record| {
            let kind = webhook::kind_of(&record.body);
            self.interest.wants(kind, None, Some(&record.from))
        });
        let event = record.map(|record| {
            let (room, epoch) = (room.clone(), *epoch);
            WebhookEvent::Record { id, room, epoch, record }
        });
        Ok(Some((id, event)))
    }
}

fn find_room(db: &Connection, id: i64) -> rusqlite::Result<Option<(RoomName, Epoch)>> {
    let sql = "SELECT name, epoch FROM room WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_one([id], |row| {
        let name = RoomName::stored(row.get_ref(0)?.as_str()?);
        Ok(name.map(|name| Ok((name, Epoch(row.get::<_, i64>(1)?.cast_unsigned())))).transpose())
    });
    found.optional()?.transpose().map(Option::flatten)
}

/// A row of `notice`.
struct NoticeRow {
    id: u64,
    record: u64,
    notice: Option<Notice>,
}

/// The notices of a reading.
struct Notices {
    rows: VecDeque<NoticeRow>,
    lost: u64,
    /// There may be more of them.
    has_more: bool,
}

impl Notices {
    fn read(db: &Connection, above: u64, to: u64) -> rusqlite::Result<Self> {
        let sql = format!(
            "SELECT id, record, at, kind, room, user, number FROM notice WHERE id > ?1 AND id <= ?2 \
             ORDER BY id LIMIT {SCAN_MAX}"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([signed(above), signed(to)], |row| {
            let room = row.get_ref(4)?.as_str_or_null()?.and_then(RoomName::stored);
            let user = row.get_ref(5)?.as_str_or_null()?.and_then(UserName::stored);
            let at = unsigned(row.get(2)?);
            let what = to_notice(row.get(3)?, row.get(6)?);
            let notice = what.map(|what| Notice { at, room, is_in_memory: false, user, what });
            Ok(NoticeRow { id: unsigned(row.get(0)?), record: unsigned(row.get(1)?), notice })
        })?;
        let rows = rows.collect::<rusqlite::Result<VecDeque<_>>>()?;
        // Ids are given without a gap (AUTOINCREMENT): those that are missing below the first were
        // trimmed.
        let first = match rows.front() {
            Some(row) => row.id,
            None => last_notice(db)?.min(to) + 1,
        };
        let lost = first.saturating_sub(above + 1);
        Ok(Self { has_more: rows.len() >= SCAN_MAX, rows, lost })
    }
}

/// The id of the last notice that there ever was.
fn last_notice(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'notice'";
    let found = db.prepare_cached(sql)?.query_one([], |row| row.get(0)).optional()?;
    Ok(unsigned(found.unwrap_or(0)))
}

/// The event that a notice is, if it is of interest. A direct message that is not there any more is
/// none.
fn event_of(
    db: &Connection,
    interest: &Interest,
    NoticeRow { id, notice, .. }: NoticeRow,
) -> rusqlite::Result<Option<WebhookEvent>> {
    let Some(notice) = notice else { return Ok(None) };
    let kind = notice.what.kind();
    if !interest.events.has(kind) {
        return Ok(None);
    }
    let message = match (notice.what, &notice.room) {
        (NoticeKind::Unseen(seq), Some(room)) => match find_message(db, room, seq)? {
            Some(message) => Some(message),
            None => return Ok(None),
        },
        _ => None,
    };
    let by = message.as_ref().map(|(_, record)| &record.from).or(notice.user.as_ref());
    let is_told = interest.wants(kind, None, by)
        && (kind == EventKind::Direct || is_in_meant_room(db, interest, &notice)?);
    Ok(is_told.then(|| WebhookEvent::Notice { id, notice, message }))
}

/// Whether a notice is of a room that is meant, by any name that it has or had, or of none.
fn is_in_meant_room(
    db: &Connection,
    interest: &Interest,
    notice: &Notice,
) -> rusqlite::Result<bool> {
    let Some(room) = notice.room.as_ref() else { return Ok(true) };
    if interest.has_room(room) {
        return Ok(true);
    }
    // Nearly always there is no other name.
    let Some(id) = room_names::find(db, room.as_str())? else { return Ok(false) };
    let former = room_names::former(db, id)?;
    if former.is_empty() {
        return Ok(false);
    }
    let name = find_room(db, id)?.map(|(name, _)| name);
    Ok(name.iter().chain(&former).any(|name| interest.has_room(name)))
}

fn find_message(
    db: &Connection,
    room: &RoomName,
    seq: u64,
) -> rusqlite::Result<Option<(Epoch, Record)>> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT epoch FROM room WHERE room.id = record.room) AS epoch FROM record \
         WHERE room = {ID_OF} AND seq = ?2"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((room.as_str(), signed(seq)))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let epoch = Epoch(row.get::<_, i64>("epoch")?.cast_unsigned());
    let record = record_row::decode(row).ok();
    Ok(record
        .filter(|record| matches!(record.body, Body::Message { .. }))
        .map(|record| (epoch, record)))
}
