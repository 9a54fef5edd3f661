//! The heads of rooms, where their rows lag: the last records of a room count for it before its row
//! does (see [`tail`](super::tail)).
//!
//! A row's counters are those of the records up to its head. Above it there are only records of the
//! tail.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::cids::{self, CidSecret};
use super::integers::{signed, unsigned};
use super::meta_table::{self, BOOKED};
use super::record_row::{self, COLUMNS};
use super::room_row::RoomCounters;

/// The id up to which records are booked. In a file that was closed in good order, all are.
fn booked(db: &Connection) -> rusqlite::Result<i64> {
    Ok(meta_table::get(db, BOOKED)?.unwrap_or(i64::MAX))
}

/// The counters of a room whose row has these: with the records of the tail, if these follow the
/// head without a gap.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn with_tail(
    db: &Connection,
    room: i64,
    counters: RoomCounters,
) -> rusqlite::Result<RoomCounters> {
    // With `max` alone beside it, SQLite takes `at` from the row that has the highest seq.
    let sql = "SELECT max(seq), at, ifnull(sum(ifnull(octet_length(text), 0) + \
               ifnull(octet_length(data), 0)), 0), count(*) FROM record WHERE room = ?1 AND seq > ?2 AND id > ?3";
    let tail = params![room, signed(counters.head), booked(db)?];
    db.prepare_cached(sql)?.query_one(tail, |row| {
        let head = unsigned(row.get::<_, Option<i64>>(0)?.unwrap_or(0));
        let count = unsigned(row.get(3)?);
        // A gap means that records are lost: the row's own counters are then the last that are
        // known to be right.
        if count == 0 || head.checked_sub(counters.head) != Some(count) {
            return Ok(counters);
        }
        let bytes = counters.bytes.saturating_add(unsigned(row.get(2)?));
        Ok(RoomCounters { head, at: unsigned(row.get(1)?), bytes, ..counters })
    })
}

/// Writes the counters of a room whose row may lag, if there is such a room.
///
/// # Errors
///
/// What the database says.
pub(super) fn book_room(db: &Connection, room: i64) -> rusqlite::Result<()> {
    let sql = "SELECT head, oldest, at, bytes FROM room WHERE id = ?1";
    let row = db.prepare_cached(sql)?.query_row([room], |row| {
        let [head, oldest, at, bytes] = [0, 1, 2, 3].map(|column| row.get(column).map(unsigned));
        Ok(RoomCounters { head: head?, oldest: oldest?, at: at?, bytes: bytes? })
    });
    let Some(counters) = row.optional()? else { return Ok(()) };
    with_tail(db, room, counters)?.write(db, room)
}

/// Writes the counters of all rooms whose rows lag.
pub(super) fn book(db: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE room SET head = tail.head, at = tail.at, bytes = room.bytes + tail.bytes FROM ( \
               SELECT room, max(seq) AS head, record.at, \
               sum(ifnull(octet_length(text), 0) + ifnull(octet_length(data), 0)) AS bytes \
               FROM record WHERE record.id > ?1 \
               AND seq > (SELECT head FROM room WHERE room.id = record.room) GROUP BY room \
               ) AS tail WHERE room.id = tail.room";
    db.execute(sql, [booked(db)?]).map(drop)
}

/// Books everything, in the caller's transaction: from then on the tables `room` and `cid` have all
/// records, and the file says so as one that was closed in good order.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn book_all(db: &Connection) -> rusqlite::Result<()> {
    book(db)?;
    let secret = CidSecret::load(db)?;
    let sql = format!("SELECT {COLUMNS}, id FROM record WHERE id > ?1 AND cid IS NOT NULL");
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([booked(db)?])?;
    while let Some(row) = rows.next()? {
        let (id, room): (i64, i64) = (row.get("id")?, row.get("room")?);
        let key = record_row::decode(row).ok().and_then(|record| secret.key(room, &record));
        if let Some(key) = key {
            cids::put(db, &[(key.hash, id)])?;
        }
    }
    db.execute("DELETE FROM meta WHERE key = ?1", [BOOKED]).map(drop)
}

/// The file is going to be in use: from now on its rows may lag.
pub(super) fn begin_tail(db: &Connection) -> rusqlite::Result<()> {
    CidSecret::ensure(db)?;
    book(db)?;
    let sql = "INSERT OR IGNORE INTO meta SELECT ?1, coalesce(max(id), 0) FROM record";
    db.execute(sql, [BOOKED]).map(drop)
}
