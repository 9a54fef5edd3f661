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
    // Of each name of the room only what was noted since the last room that had it has ended.
    let sql = "WITH named AS MATERIALIZED (SELECT n.name, \
               (SELECT ifnull(max(id), 0) FROM audit WHERE act = ?4 AND room = n.name) AS ended \
               FROM (SELECT ?2 AS name UNION ALL SELECT former_name.name FROM former_name \
               JOIN room ON room.id = former_name.room WHERE room.name = ?2) n) \
               SELECT id, at, \"by\", act, whom, room FROM audit WHERE id < ?1 AND (?2 IS NULL \
               OR EXISTS (SELECT 1 FROM named WHERE name = audit.room AND audit.id > ended)) \
               ORDER BY id DESC LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let before = query.before.map_or(i64::MAX, signed);
    let room = query.room.as_ref().map(RoomName::as_str);
    // One more, which says whether there are more.
    let mut rows = statement.query((before, room, i64::from(query.limit) + 1, ROOM_CLOSED))?;
    let mut acts = Vec::new();
    while let Some(row) = rows.next()? {
        acts.push(read(row)?);
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = acts.len() > limit;
    acts.truncate(limit);
    Ok((acts, more))
}

/// Notes that the rooms have ended of which there were acts and which are not there any more: those
/// in memory, with their process. Their names are free, and nothing is to be told of them to
/// whoever makes a room of one. Nobody is told of what was done in direct conversations.
///
/// # Errors
///
/// What the database says.
pub(super) fn end_missing_rooms(db: &Connection, at: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO audit (at, act, whom, room) SELECT ?1, ?2, '', room FROM audit \
               WHERE room NOT GLOB '@*' AND room NOT IN (SELECT name FROM room) \
               AND room NOT IN (SELECT name FROM former_name) GROUP BY room \
               HAVING max(id) > ifnull(max(id) FILTER (WHERE act = ?2), 0)";
    db.prepare(sql)?.execute((signed(at), ROOM_CLOSED)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, room, user};

    #[test]
    fn a_room_has_the_acts_of_all_its_names_and_none_of_earlier_rooms_of_these() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lair");
        room(&db, 2, "other");
        db.execute_batch("INSERT INTO former_name VALUES ('den', 1, 0)").unwrap();
        let acts = [
            ("den", "kick"),
            ("lair", "kick"),
            ("den", ROOM_CLOSED),
            ("den", "ban"),
            ("lair", ROOM_CLOSED),
            ("other", "mute"),
            ("lair", "rename"),
            ("lair", "unban"),
        ];
        for (room, act) in acts {
            let sql =
                "INSERT INTO audit (at, \"by\", act, whom, room) VALUES (1, 'ann', ?1, '', ?2)";
            db.execute(sql, (act, room)).unwrap();
        }
        let find = |room: Option<&str>, before, limit| {
            let room = room.map(|room| RoomName::parse(room).unwrap());
            let query = AuditQuery { user: user("ann"), room, before, limit };
            let (acts, more) = find(&db, &query).unwrap();
            let acts: Vec<_> = acts.into_iter().map(|(_, act)| act.act.to_string()).collect();
            (acts.join(" "), more)
        };
        assert_eq!(find(Some("lair"), None, 9), ("unban rename ban".to_owned(), false));
        assert_eq!(find(Some("lair"), None, 2), ("unban rename".to_owned(), true));
        assert_eq!(find(Some("lair"), Some(7), 9), ("ban".to_owned(), false));
        assert_eq!(find(Some("other"), None, 9), ("mute".to_owned(), false));
        assert_eq!(find(None, None, 2), ("unban rename".to_owned(), true));
    }

    #[test]
    fn the_end_of_each_room_that_is_not_there_is_noted_once_by_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "kept");
        db.execute_batch(
            "INSERT INTO former_name VALUES ('was', 1, 0); \
             INSERT INTO audit (at, act, whom, room) VALUES (1, 'kick', 'bob', 'kept'), \
             (1, 'kick', 'bob', 'was'), (1, 'kick', 'bob', '@ann:bob'), (1, 'ban', 'bob', NULL), \
             (1, 'kick', 'bob', 'gone'), (1, 'kick', 'bob', 'over'), (1, 'close', '', 'over')",
        )
        .unwrap();
        for start in 0..2 {
            end_missing_rooms(&db, 5).unwrap();
            let last = all(&db).unwrap().split_off(7);
            let [AuditedAct { by: None, act, room: Some(room), at: 5, .. }] = &last[..] else {
                panic!("{start}: {last:?}")
            };
            assert_eq!((&**act, room.as_str()), (ROOM_CLOSED, "gone"));
        }
    }
}
