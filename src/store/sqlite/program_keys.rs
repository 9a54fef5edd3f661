//! Keys as rows: `program`.

use rusqlite::{Connection, params};

use super::accounts::{hash_of, read};
use super::integers::{signed, unsigned};
use crate::chat::model::account::Key;
use crate::chat::model::identity::{Grant, Rights};
use crate::chat::model::name::UserName;

/// In `can`: it is an incoming hook.
const HOOK: i64 = 4;

/// Reads all of them, by name.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Vec<Key>> {
    let sql = "SELECT name, hash, rooms, can, until, at FROM program ORDER BY name";
    read(db, "program", sql, |row| {
        let name = UserName::stored(row.get_ref(0)?.as_str()?);
        let can: i64 = row.get(3)?;
        let (rights, is_hook) = (rights_of(can), can & HOOK != 0);
        let grants: Vec<Grant> = row.get_ref(2)?.as_str()?.split(' ').map(grant(rights)).collect();
        let until = row.get::<_, Option<i64>>(4)?.map(unsigned);
        let at = unsigned(row.get(5)?);
        let hash = hash_of(row.get_ref(1)?);
        Ok(name.zip(hash).map(|(name, hash)| Key { name, hash, grants, until, at, is_hook }))
    })
}

/// There is such a key; `false` if there is one of its name, or with its secret.
pub(super) fn put(db: &Connection, key: &Key) -> rusqlite::Result<bool> {
    let Key { name, hash, grants, until, at, is_hook } = key;
    let rooms: Vec<&str> = grants.iter().map(|grant| &*grant.rooms).collect();
    let can = grants.first().map_or(0, |grant| code_of(grant.rights));
    let can = if *is_hook { can | HOOK } else { can };
    let sql = "INSERT INTO program (name, hash, rooms, can, until, at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let (until, at) = (until.map(signed), signed(*at));
    let row = params![name.as_str(), hash.0, rooms.join(" "), can, until, at];
    Ok(db.prepare_cached(sql)?.execute(row)? == 1)
}

/// A key is over; `false` if there is none of this name.
pub(in crate::store) fn end(db: &Connection, name: &UserName) -> rusqlite::Result<bool> {
    Ok(db.execute("DELETE FROM program WHERE name = ?1", [name.as_str()])? > 0)
}

fn grant(rights: Rights) -> impl Fn(&str) -> Grant {
    move |rooms| Grant { rooms: rooms.into(), rights }
}

const fn rights_of(code: i64) -> Rights {
    Rights { read: code & 1 != 0, send: code & 2 != 0 }
}

fn code_of(rights: Rights) -> i64 {
    i64::from(rights.read) + 2 * i64::from(rights.send)
}
