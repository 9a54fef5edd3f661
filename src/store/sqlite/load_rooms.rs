//! What the file has of the rooms, as it is read when the server starts.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::log_fault::damaged;
use super::people;
use super::room_meta;
use super::room_row::{self, RoomRow};
use crate::chat::model::log::{RoomMeta, RoomSnapshot};
use crate::chat::model::name::RoomName;
use crate::chat::model::people::People;
use crate::collections::KeyedMap;

/// What the file has of the rooms.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The rooms, as the domain sees them.
    pub(super) rooms: Vec<RoomSnapshot>,
    /// Their rows, by name.
    pub(super) rows: KeyedMap<RoomName, RoomRow>,
    /// A row id above all that there ever were.
    pub(super) next_id: i64,
    /// How many records there are.
    pub(super) records: u64,
    /// What is kept of people.
    pub(super) people: People,
}

/// Reads all rooms with their metadata.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Loaded> {
    let mut rooms = Vec::new();
    let mut rows = KeyedMap::new();
    let mut places = BTreeMap::new();
    let mut records = 0;
    let invalid = |table| damaged(format!("a row of table {table} makes no sense"));
    let mut statement =
        db.prepare(&format!("SELECT {} FROM room ORDER BY id", room_row::COLUMNS))?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (room, row) = RoomRow::read(row)?.ok_or_else(|| invalid("room"))?;
        records += (room.head + 1).saturating_sub(room.oldest);
        // Metadata names rooms by row id.
        places.insert(row.id, rooms.len());
        // Under the name, by which a room is opened again: the domain knows no numbers of rows.
        rows.insert(room.name.clone(), row);
        rooms.push(room);
    }
    let mut put = |room: i64, meta: Option<RoomMeta>, table| {
        let room = places.get(&room).and_then(|place| rooms.get_mut(*place));
        // The metadata of a room that was removed goes with its records.
        let Some(room): Option<&mut RoomSnapshot> = room else { return Ok(()) };
        room.meta.push(meta.ok_or_else(|| invalid(table))?);
        Ok(())
    };
    room_meta::read_members(db, |room, meta| put(room, meta, "member"))?;
    room_meta::read_restrictions(db, |room, meta| put(room, meta, "restriction"))?;
    // Rows of other tables may still have the number of a room that was removed.
    let sql = "SELECT max((SELECT ifnull(max(id), 0) FROM room), (SELECT ifnull(max(room), 0) FROM \
               record), (SELECT ifnull(max(room), 0) FROM sent), (SELECT \
               ifnull(max(CAST(substr(key, 6) AS INTEGER)), 0) FROM meta WHERE key GLOB 'gone *'))";
    let last: i64 = db.query_one(sql, [], |row| row.get(0))?;
    Ok(Loaded { rooms, rows, next_id: last + 1, records, people: people::load(db)? })
}
