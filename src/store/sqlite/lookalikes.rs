//! Names that look like others: the table `lookalike`, by what they look like.
//!
//! Only names that are not their own skeletons are there, as in memory: a user's for as long as it
//! is a member of any room.

use rusqlite::{Connection, params};

use crate::chat::model::name::{RoomName, other_form};

// A room may be called like a user: each kind is compared with itself.
const USER: i64 = 0;
const ROOM: i64 = 1;

/// Files the name of a user.
pub(super) fn put_user(db: &Connection, name: &str) -> rusqlite::Result<()> {
    put(db, USER, name)
}

/// Takes out the name of a user who has just left a room, if it was the last one.
pub(super) fn forget_user(db: &Connection, name: &str) -> rusqlite::Result<()> {
    let Some(form) = other_form(name) else { return Ok(()) };
    let sql = "DELETE FROM lookalike WHERE kind = ?1 AND form = ?2 AND name = ?3 \
               AND NOT EXISTS (SELECT 1 FROM member WHERE user = ?3)";
    db.prepare_cached(sql)?.execute(params![USER, form.as_str(), name]).map(drop)
}

/// Files the name of a room; direct conversations look like their users.
pub(super) fn put_room(db: &Connection, name: &RoomName) -> rusqlite::Result<()> {
    if name.is_direct() { Ok(()) } else { put(db, ROOM, name.as_str()) }
}

fn put(db: &Connection, kind: i64, name: &str) -> rusqlite::Result<()> {
    let Some(form) = other_form(name) else { return Ok(()) };
    let sql = "INSERT OR IGNORE INTO lookalike (kind, form, name) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![kind, form.as_str(), name]).map(drop)
}

/// Takes out the name of a room.
pub(super) fn remove_room(db: &Connection, name: &str) -> rusqlite::Result<()> {
    let Some(form) = other_form(name) else { return Ok(()) };
    let sql = "DELETE FROM lookalike WHERE kind = ?1 AND form = ?2 AND name = ?3";
    db.prepare_cached(sql)?.execute(params![ROOM, form.as_str(), name]).map(drop)
}

/// Other names of users that look like this one.
pub(super) fn of_user(db: &Connection, name: &str) -> rusqlite::Result<Vec<String>> {
    of(db, USER, name)
}

/// Other names of rooms that look like this one.
pub(super) fn of_room(db: &Connection, name: &RoomName) -> rusqlite::Result<Vec<String>> {
    if name.is_direct() { Ok(Vec::new()) } else { of(db, ROOM, name.as_str()) }
}

fn of(db: &Connection, kind: i64, name: &str) -> rusqlite::Result<Vec<String>> {
    let form = other_form(name);
    let wanted = form.as_deref().unwrap_or(name);
    let sql = "SELECT name FROM lookalike WHERE kind = ?1 AND form = ?2 AND name != ?3";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(params![kind, wanted, name], |row| row.get(0))?;
    let mut names = found.collect::<rusqlite::Result<Vec<String>>>()?;
    // Another name can be the skeleton only of one that is not its own.
    names.extend(form.map(String::from));
    Ok(names)
}

/// Files all names, when the table is new.
pub(super) fn fill(db: &Connection) -> rusqlite::Result<()> {
    let each = |sql: &str, put: &dyn Fn(&str) -> rusqlite::Result<()>| {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            put(row.get_ref(0)?.as_str()?)?;
        }
        Ok::<_, rusqlite::Error>(())
    };
    each("SELECT DISTINCT user FROM member", &|name| put(db, USER, name))?;
    each("SELECT name FROM room WHERE name NOT LIKE '@%'", &|name| put(db, ROOM, name))
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn the_name_of_a_user_stays_for_as_long_as_it_is_in_a_room() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        for room in [1, 2] {
            let sql =
                "INSERT INTO member (room, user, role, recv, read) VALUES (?1, 'bi11', 1, 0, 0)";
            db.execute(sql, [room]).unwrap();
        }
        put_user(&db, "bi11").unwrap();
        for (room, left) in [(1, vec!["bi11".to_owned()]), (2, vec![])] {
            db.execute("DELETE FROM member WHERE room = ?1", [room]).unwrap();
            forget_user(&db, "bi11").unwrap();
            assert_eq!(of_user(&db, "bill").unwrap(), left);
        }
    }

    #[test]
    fn names_are_found_by_what_they_look_like_and_not_by_themselves() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        for name in ["bi11", "anna", "m", "\u{430}nn"] {
            put_user(&db, name).unwrap();
        }
        for (name, expect) in [
            ("bill", &["bi11"][..]),
            // The skeleton itself is looked for by its name.
            ("bi11", &["bill"]),
            ("ann", &["\u{430}nn"]),
            ("anna", &[]),
            ("rn", &["m"]),
        ] {
            assert_eq!(of_user(&db, name).unwrap(), expect, "{name}");
        }
        let room = RoomName::parse("bi11").unwrap();
        put_room(&db, &room).unwrap();
        let other = RoomName::parse("bill").unwrap();
        assert_eq!(of_room(&db, &other).unwrap(), ["bi11"]);
        remove_room(&db, "bi11").unwrap();
        assert_eq!(of_room(&db, &other).unwrap(), Vec::<String>::new());
    }
}
