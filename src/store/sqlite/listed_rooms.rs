//! The rooms that everybody may find: the table `room`, by name.

use rusqlite::Connection;

use super::integers::unsigned;
use crate::chat::model::listed_rooms::{DirectoryQuery, StoredRoom, is_meant};
use crate::chat::model::name::RoomName;

/// Rooms that one query looks at: those that are not meant count, too.
const LOOK_MAX: usize = 20_000;
/// Between which names rooms are: those of conversations begin with `@`.
const NAMES: [(&str, &str); 2] = [("", "@"), ("A", "\u{10ffff}")];
/// Members of one room that are counted.
const MEMBERS_MAX: i64 = 100_000;

/// The next rooms, and the name after which there may be more.
pub(super) fn find(
    db: &Connection,
    query: &DirectoryQuery,
) -> rusqlite::Result<(Vec<StoredRoom>, Option<RoomName>)> {
    find_among(db, query, LOOK_MAX)
}

fn find_among(
    db: &Connection,
    query: &DirectoryQuery,
    look_max: usize,
) -> rusqlite::Result<(Vec<StoredRoom>, Option<RoomName>)> {
    // Private ones are not even looked at: the name at which this ends is told.
    let sql = "SELECT id, name, topic, at, policy FROM room \
               WHERE name > ?1 AND name < ?2 AND private = 0 ORDER BY name";
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let (mut found, mut looked, mut last) = (Vec::new(), 0, None);
    for (from, to) in NAMES {
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query((from.max(&*query.after), to))?;
        while let Some(row) = rows.next()? {
            if found.len() >= limit || looked >= look_max {
                return Ok((found, last));
            }
            looked += 1;
            // What somebody has written into the file, and is no name, cannot be entered.
            let Some(room) = row.get_ref(1)?.as_str_or_null()?.and_then(RoomName::stored) else {
                continue;
            };
            last = Some(room.clone());
            let topic: Box<str> = row.get::<_, String>(2)?.into();
            if is_meant(&query.text, &room, &topic) {
                let (members, at) = (members(db, row.get(0)?)?, unsigned(row.get(3)?));
                let policy = row.get::<_, Option<String>>(4)?.map(Into::into);
                found.push(StoredRoom { room, topic, members, at, policy });
            }
        }
    }
    Ok((found, None))
}

fn members(db: &Connection, room: i64) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM member WHERE room = ?1 LIMIT ?2)";
    let mut statement = db.prepare_cached(sql)?;
    statement.query_row((room, MEMBERS_MAX), |row| row.get(0)).map(unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, room, user};

    fn listed(db: &Connection, text: &str, after: &str, limit: u32) -> (String, Option<String>) {
        let query =
            DirectoryQuery { user: user("ann"), text: text.into(), after: after.into(), limit };
        let (rooms, next) = find(db, &query).unwrap();
        let names: Vec<&str> = rooms.iter().map(|row| row.room.as_str()).collect();
        (names.join(" "), next.map(|next| next.as_str().to_owned()))
    }

    #[test]
    fn rooms_come_by_name_in_pages_and_neither_private_ones_nor_conversations() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        for (id, name) in (1..).zip(["tea", "@ann:bob", "1st", "den", "jam", "über"]) {
            room(&db, id, name);
        }
        db.execute("UPDATE room SET private = 1 WHERE name = 'den'", []).unwrap();
        db.execute("UPDATE room SET topic = 'Sweet THINGS', at = 7 WHERE name = 'jam'", [])
            .unwrap();
        db.execute(
            "INSERT INTO member (room, user, role, recv, read) VALUES (5, 'ann', 1, 0, 0)",
            [],
        )
        .unwrap();
        assert_eq!(listed(&db, "", "", 9), ("1st jam tea über".into(), None));
        assert_eq!(listed(&db, "", "", 2), ("1st jam".into(), Some("jam".into())));
        assert_eq!(listed(&db, "", "jam", 2), ("tea über".into(), None));
        assert_eq!(listed(&db, "things", "", 9), ("jam".into(), None));
        assert_eq!(listed(&db, "e", "", 9), ("jam tea über".into(), None));
        assert_eq!(listed(&db, "nothing", "", 9), (String::new(), None));
        let query =
            DirectoryQuery { user: user("ann"), text: "jam".into(), after: "".into(), limit: 9 };
        let (rooms, _) = find(&db, &query).unwrap();
        assert_eq!((rooms[0].members, rooms[0].at, &*rooms[0].topic), (1, 7, "Sweet THINGS"));
    }

    #[test]
    fn a_query_that_has_looked_at_enough_rooms_ends_at_one_that_everybody_may_find() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        for (id, name) in (1..).zip(["a1", "a2", "b1", "b2", "c1"]) {
            room(&db, id, name);
        }
        db.execute("UPDATE room SET private = 1 WHERE name IN ('a2', 'b2')", []).unwrap();
        let text = || "nothing".into();
        let ends = |look_max| {
            let query =
                DirectoryQuery { user: user("ann"), text: text(), after: "".into(), limit: 9 };
            let (rooms, next) = find_among(&db, &query, look_max).unwrap();
            assert!(rooms.is_empty(), "{rooms:?}");
            next.map(|next| next.as_str().to_owned())
        };
        assert_eq!(ends(1), Some("a1".into()));
        assert_eq!(ends(2), Some("b1".into()));
        assert_eq!(ends(3), None, "there is no other that could be found");
    }
}
