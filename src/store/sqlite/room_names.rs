//! The names of a room as rows: the present one in `room`, those that it had before in
//! `former_name`. A name is in one of them at most.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::lookalikes;
use crate::chat::model::name::RoomName;

/// The row of the room that has this name, or had it before.
pub(in crate::store) const ID_OF: &str = "ifnull((SELECT id FROM room WHERE name = ?1), \
                                          (SELECT room FROM former_name WHERE name = ?1))";

/// Gives a room its name, and those that it had before, oldest first.
pub(super) fn write(
    db: &Connection,
    room: i64,
    name: &RoomName,
    former: &[RoomName],
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM former_name WHERE room = ?1")?.execute([room])?;
    let sql = "UPDATE room SET name = ?2 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![room, name.as_str()])?;
    lookalikes::put_room(db, name)?;
    for (former, nth) in former.iter().zip(0_i64..) {
        let sql = "INSERT INTO former_name (name, room, nth) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![former.as_str(), room, nth])?;
        lookalikes::put_room(db, former)?;
    }
    Ok(())
}

/// The names that a room had before, oldest first; what is no name is left out.
pub(in crate::store) fn former(db: &Connection, room: i64) -> rusqlite::Result<Vec<RoomName>> {
    let sql = "SELECT name FROM former_name WHERE room = ?1 ORDER BY nth";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([room])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.extend(RoomName::stored(row.get_ref(0)?.as_str()?));
    }
    Ok(names)
}

/// All names of a room, as they are in the file.
pub(super) fn all(db: &Connection, room: i64) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM room WHERE id = ?1 \
               UNION ALL SELECT name FROM former_name WHERE room = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let names = statement.query_map([room], |row| row.get(0))?;
    names.collect()
}

/// The row of the room that has this name, or had it before.
pub(in crate::store) fn find(db: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT {ID_OF}");
    db.prepare_cached(&sql)?.query_one([name], |row| row.get(0)).optional().map(Option::flatten)
}
