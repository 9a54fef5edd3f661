//! The rooms of a small server, read all at once when the file is opened: whoever returns after a
//! restart then waits for nothing.

use rusqlite::{Connection, OptionalExtension as _};

use super::load_rooms::read_room;
use super::renewals::Renewals;
use crate::chat::model::load::Begun;
use crate::chat::model::name::RoomName;

/// Memberships up to which rooms are read at the start, whatever the bounds are: some 40 MB in
/// memory, and some tenths of a second.
const MEMBERS_MAX: usize = 250_000;

/// What may be in memory from the start, though nobody has asked for it. More than that is left
/// where it is, all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preload {
    /// How many rooms.
    pub rooms: usize,
    /// How many users in them.
    pub users: usize,
    /// How many memberships, of a quarter of a million at most.
    pub members: usize,
}

/// All rooms of the file, if these `rooms` are few enough, and who is in them; else none.
///
/// None also if one of them cannot be read: what is wrong is then said where it is met.
pub(super) fn preload(db: &Connection, rooms: usize, bounds: Preload) -> Vec<Begun> {
    if rooms > bounds.rooms {
        return Vec::new();
    }
    let read = || {
        let transaction = db.unchecked_transaction()?;
        if !has_few_members(&transaction, bounds)? {
            return Ok(Vec::new());
        }
        all(&transaction)
    };
    read().unwrap_or_else(|error: rusqlite::Error| {
        log::warn!(error:%; "rooms are read when they are needed: not all could be read at the start");
        Vec::new()
    })
}

fn has_few_members(db: &Connection, bounds: Preload) -> rusqlite::Result<bool> {
    let members_max = i64::try_from(bounds.members.min(MEMBERS_MAX)).unwrap_or(i64::MAX);
    // Not counted, since there may be millions.
    let sql = "SELECT 1 FROM member LIMIT 1 OFFSET ?1";
    if db.query_row(sql, [members_max], |_| Ok(())).optional()?.is_some() {
        return Ok(false);
    }
    let sql = "SELECT count(DISTINCT user) FROM member";
    let users: i64 = db.query_one(sql, [], |row| row.get(0))?;
    Ok(usize::try_from(users).is_ok_and(|users| users <= bounds.users))
}

fn all(db: &Connection) -> rusqlite::Result<Vec<Begun>> {
    let renewals = Renewals::load(db)?;
    let mut find = db.prepare("SELECT name FROM room ORDER BY id")?;
    let names = find.query_map([], |row| row.get::<_, String>(0))?;
    let mut rooms = Vec::new();
    for name in names {
        if let Some(name) = RoomName::stored(&name?) {
            rooms.extend(read_room(db, &renewals, &name)?);
        }
    }
    Ok(rooms)
}
