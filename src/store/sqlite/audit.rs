//! What owners, moderators and administrators have done: the table `audit`.

use rusqlite::{Connection, Row};

use super::integers::{signed, unsigned};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{AuditedAct, ROOM_CLOSED};

/// What is asked for.
#[derive(Debug)]
pub(super) struct AuditQuery {
    pub(super) user: UserName,
    pub(super) room: Option<RoomName>,
    pub(super) before: Option<u64>,
    pub(super) limit: u32,
}

/// All acts, oldest first.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn all(db: &Connection) -> rusqlite::Result<Vec<AuditedAct>> {
    let sql = "SELECT id, at, \"by\", act, whom, room FROM audit ORDER BY id";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut acts = Vec::new();
    while let Some(row) = rows.next()? {
        acts.push(read(row)?.1);
    }
    Ok(acts)
}

/// An act with its id.
fn read(row: &Row<'_>) -> rusqlite::Result<(u64, AuditedAct)> {
    let by = row.get_ref(2)?.as_str_or_null()?.and_then(UserName::stored);
    let room = row.get_ref(5)?.as_str_or_null()?.and_then(RoomName::stored);
    let (at, act, whom) = (unsigned(row.get(1)?), row.get::<_, String>(3)?, row.get(4)?);
    Ok((unsigned(row.get(0)?), AuditedAct { by, act: act.into(), whom, room, at }))
}

/// The next acts with their ids, latest first, and whether there are more.
pub(super) fn find(
    db: &Connection,
    query: &AuditQuery,
) -> rusqlite::Result<(Vec<(u64, AuditedAct)>, bool)> {
    let above = if let Some(room) = &query.room { ended(db, room)? } else { 0 };
    let sql = "SELECT id, at, \"by\", act, whom, room FROM audit \
               WHERE id < ?1 AND id > ?4 AND (?2 IS NULL OR room = ?2 OR room IN (\
               SELECT former_name.name FROM former_name JOIN room ON room.id = former_name.room \
               WHERE room.name = ?2)) ORDER BY id DESC LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let before = query.before.map_or(i64::MAX, signed);
    let room = query.room.as_ref().map(RoomName::as_str);
    // One more, which says whether there are more.
    let mut rows = statement.query((before, room, i64::from(query.limit) + 1, above))?;
    let mut acts = Vec::new();
    while let Some(row) = rows.next()? {
        acts.push(read(row)?);
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = acts.len() > limit;
    acts.truncate(limit);
    Ok((acts, more))
}

/// Where the last room that had this name has ended: what was noted until then is of that one.
fn ended(db: &Connection, room: &RoomName) -> rusqlite::Result<i64> {
    let sql = "SELECT ifnull(max(id), 0) FROM audit WHERE act = ?1 AND room = ?2";
    db.prepare_cached(sql)?.query_one((ROOM_CLOSED, room.as_str()), |row| row.get(0))
}
