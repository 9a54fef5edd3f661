//! Whether the content of the file fits together: quick checks at each start and after each
//! failure. SQLite's own check of all pages is in [`full_check`](super::full_check).

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::checksum::Checksum;
use super::heads;
use super::integers::{signed, unsigned};
use super::log_fault::damaged;
use super::meta_table::{self, CHECKSUM};
use super::record_row::{self, COLUMNS};
use super::room_row::RoomCounters;
use super::write_queue::BATCH_RECORDS_MAX;

/// Rows of each table that [`check_latest`] reads: more than the last two batches can have written,
/// one that was committed and one that failed.
const LATEST: usize = 2048;

const _: () = assert!(LATEST >= 2 * BATCH_RECORDS_MAX);

/// Checks that the rooms and their records belong together: what does not, if anything. What is
/// done by these rows at once, such as removing records that are too old, must not be done by a
/// damaged one.
pub(super) fn check_rooms(db: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement = db.prepare(ROOMS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(fault) = fault_of(db, row)? {
            return Ok(Some(fault));
        }
    }
    if let Some(fault) = broken_checksum(db)?.or(unfound(db)?) {
        return Ok(Some(fault));
    }
    unknown_room(db)
}

/// Whether all that is looked for by user would be found: somebody whose row is missing in an index
/// would not be in its room.
fn unfound(db: &Connection) -> rusqlite::Result<Option<String>> {
    for (table, index, sql) in [
        (
            "member",
            "member_user",
            "SELECT 1 FROM member NOT INDEXED WHERE NOT EXISTS (SELECT 1 FROM \
          member AS found INDEXED BY member_user WHERE found.user = member.user AND found.room = \
          member.room)",
        ),
        (
            "restriction",
            "invitation",
            "SELECT 1 FROM restriction NOT INDEXED WHERE kind = 2 AND NOT \
          EXISTS (SELECT 1 FROM restriction AS found INDEXED BY invitation WHERE found.kind = 2 AND \
          found.user = restriction.user AND found.room = restriction.room)",
        ),
    ] {
        if db.query_row(sql, [], |_| Ok(())).optional()?.is_some() {
            return Ok(Some(format!("a row of table {table} is not in its index {index}")));
        }
    }
    Ok(None)
}

/// The same for one room: what is wrong with it, if anything.
pub(super) fn check_room(db: &Connection, room: i64) -> rusqlite::Result<Option<String>> {
    let mut statement = db.prepare_cached(&format!("{ROOMS} WHERE id = ?1"))?;
    let mut rows = statement.query([room])?;
    rows.next()?.map_or(Ok(None), |row| fault_of(db, row))
}

/// Rooms, and what their records say of them.
const ROOMS: &str = "SELECT name, head, oldest, room.at, \
    (SELECT min(seq) FROM record WHERE room = room.id), \
    (SELECT max(seq) FROM record WHERE room = room.id), \
    (SELECT at FROM record WHERE room = room.id AND seq = head), \
    EXISTS (SELECT 1 FROM meta WHERE key = 'mended'), id, \
    (SELECT id FROM room AS named WHERE named.name = room.name) IS id FROM room";

fn fault_of(db: &Connection, row: &Row<'_>) -> rusqlite::Result<Option<String>> {
    let [head, oldest, at] = [1, 2, 3].map(|column| row.get::<_, i64>(column));
    let (head, oldest, at) = (head?, oldest?, at?);
    let [first, last, last_at] = [4, 5, 6].map(|column| row.get::<_, Option<i64>>(column));
    let (first, last, last_at) = (first?, last?, last_at?);
    let is_empty = oldest == head.saturating_add(1);
    let [below, at] = [head, at].map(unsigned);
    let counters = RoomCounters { head: below, at, oldest: unsigned(oldest), bytes: 0 };
    let fits = match (first, last) {
        (Some(first), Some(last)) => {
            let is_last = heads::with_tail(db, row.get(8)?, counters)?.head == unsigned(last);
            let has_head = last_at.map(unsigned) == Some(at) || is_empty;
            first == oldest && is_last && has_head
        }
        _ => is_empty,
    };
    // What a failure has cost is counted as removed before it is removed.
    let is_left = is_empty && last.is_some_and(|last| last <= head) && row.get(7)?;
    // It would be taken for one that is not there.
    if !row.get::<_, bool>(9)? {
        let name: String = row.get(0)?;
        return Ok(Some(format!("room {name} is not found by its name")));
    }
    if head < 0 || oldest < 1 || !(fits || is_left) {
        let name: String = row.get(0)?;
        return Ok(Some(format!("the records of room {name} do not match its row")));
    }
    Ok(None)
}

/// What is wrong if there is a checksum over the rooms and their metadata, and it is not theirs.
pub(in crate::store) fn broken_checksum(db: &Connection) -> rusqlite::Result<Option<String>> {
    let stored = meta_table::get::<i64>(db, CHECKSUM)?;
    let is_broken = stored.is_some_and(|stored| checksum(db) != Ok(stored));
    Ok(is_broken
        .then(|| "the checksum of rooms, members and restrictions does not match".to_owned()))
}

/// Stores a checksum over the rooms and their metadata when the file is closed: the next start
/// checks it.
pub(super) fn store_checksum(db: &Connection) -> rusqlite::Result<()> {
    meta_table::put(db, CHECKSUM, checksum(db)?)
}

/// Removes the checksum before something is written: keeping it true would cost each commit a pass
/// over all rooms.
pub(in crate::store) fn remove_checksum(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE key = ?1", [CHECKSUM]).map(drop)
}

fn checksum(db: &Connection) -> rusqlite::Result<i64> {
    let mut sum = Checksum::default();
    for sql in [
        "SELECT * FROM room ORDER BY id",
        "SELECT * FROM member ORDER BY room, user",
        "SELECT * FROM restriction ORDER BY room, user, kind",
    ] {
        let mut statement = db.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // All columns, whatever they are: one that is added to a table is summed without being
            // named here.
            for column in 0..columns {
                sum.push(row.get_ref(column)?);
            }
        }
    }
    Ok(sum.finish())
}

/// A room that has records, does not exist, and was not removed. The query steps from room to room
/// by the index: reading all records would take minutes in a large file.
fn unknown_room(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "WITH RECURSIVE found (room) AS (SELECT min(room) FROM record UNION ALL \
               SELECT (SELECT min(room) FROM record WHERE room > found.room) FROM found \
               WHERE found.room IS NOT NULL) \
               SELECT room FROM found WHERE room IS NOT NULL AND room NOT IN (SELECT id FROM room) \
               AND 'gone ' || room NOT IN (SELECT key FROM meta) LIMIT 1";
    let unknown = db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(unknown.map(|room| format!("there are records of a room {room}, which does not exist")))
}

/// Checks what was written last, which a failed write may have left half done: each record must be
/// what was written and be found by room and seq, each `cid` by its owner.
///
/// # Errors
///
/// What the database says, damage included.
pub(super) fn check_latest(db: &Connection) -> rusqlite::Result<()> {
    let sql = format!("SELECT {COLUMNS}, id FROM record ORDER BY id DESC LIMIT {LATEST}");
    let mut statement = db.prepare(&sql)?;
    let mut find = db.prepare("SELECT id FROM record WHERE room = ?1 AND seq = ?2")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get("id")?;
        let record =
            record_row::decode(row).map_err(|fault| damaged(format!("record {id}: {fault}")))?;
        let place = (row.get::<_, i64>("room")?, signed(record.seq));
        if find.query_row(place, |row| row.get(0)).optional()? != Some(id) {
            return Err(damaged(format!("the index of records does not have record {id}")));
        }
    }
    check_latest_cids(db)
}

fn check_latest_cids(db: &Connection) -> rusqlite::Result<()> {
    let sql = format!("SELECT id, room, sender, cid FROM sent ORDER BY id DESC LIMIT {LATEST}");
    let mut statement = db.prepare(&sql)?;
    let mut find =
        db.prepare("SELECT id FROM sent WHERE room = ?1 AND sender = ?2 AND cid = ?3")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let (room, sender, cid) = (row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?);
        let place = (room.as_i64()?, sender.as_str()?, cid.as_str()?);
        if find.query_row(place, |row| row.get(0)).optional()? != Some(id) {
            return Err(damaged(format!("the index of cids does not have cid {id}")));
        }
    }
    Ok(())
}
