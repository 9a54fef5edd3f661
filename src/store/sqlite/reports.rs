//! What was reported and is not settled: the table `report`.

use rusqlite::{Connection, params};

use super::accounts::read;
use super::integers::{signed, unsigned};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::Report;

/// Reads all of it, oldest first.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(in crate::store) fn load(db: &Connection) -> rusqlite::Result<Vec<Report>> {
    let sql = "SELECT id, \"by\", whom, room, seq, text, reason, at FROM report ORDER BY id";
    read(db, "report", sql, |row| {
        let name = |index| row.get_ref(index).map(|text| UserName::stored(text.as_str().ok()?));
        let (by, whom) = (name(1)?, name(2)?);
        let room = row.get_ref(3)?.as_str_or_null()?.and_then(RoomName::stored);
        let seq = row.get::<_, Option<i64>>(4)?.map(unsigned);
        let (id, at) = (unsigned(row.get(0)?), unsigned(row.get(7)?));
        let (text, reason) = (row.get(5)?, row.get(6)?);
        let names = by.zip(whom);
        Ok(names.map(|(by, whom)| Report { id, by, whom, room, seq, text, reason, at }))
    })
}

/// There is such a report.
pub(super) fn put(db: &Connection, report: &Report) -> rusqlite::Result<bool> {
    let Report { id, by, whom, room, seq, text, reason, at } = report;
    let sql = "INSERT OR REPLACE INTO report (id, \"by\", whom, room, seq, text, reason, at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (room, seq) = (room.as_ref().map(RoomName::as_str), seq.map(signed));
    let (by, whom, id, at) = (by.as_str(), whom.as_str(), signed(*id), signed(*at));
    let row = params![id, by, whom, room, seq, &**text, &**reason, at];
    db.prepare_cached(sql)?.execute(row)?;
    Ok(true)
}

/// Ends one; there need not be one any more, since a command may have ended it.
pub(super) fn end(db: &Connection, id: u64) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM report WHERE id = ?1")?.execute([signed(id)])?;
    Ok(true)
}

/// Takes reports off the names of rooms that are not there any more: these are free, and whoever
/// makes a room of one is not to judge by what was said in another. That of a conversation is its
/// two users' for good.
///
/// # Errors
///
/// What the database says.
pub(super) fn release_missing_rooms(db: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE report SET room = NULL WHERE room NOT IN (SELECT name FROM room) \
               AND room NOT IN (SELECT name FROM former_name) AND room NOT GLOB '@*'";
    db.prepare(sql)?.execute([]).map(drop)
}
