//! What was kept of the rooms, as it is read when the server starts.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::chat::model::log::{Expiry, MemberMeta, RoomMeta, RoomSnapshot};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::Epoch;
use crate::collections::KeyedMap;

use super::meta::standing_of;
use super::op::{RoomRow, Tail, unsigned};
use super::pending::durability_of;
use super::row::{Sum, role_of};

/// What was kept.
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
}

/// Why the rooms could not be read.
#[derive(Debug)]
pub(super) enum LoadFault {
    /// The file cannot be read.
    Failed(rusqlite::Error),
    /// A row is not what was written: of which table.
    Damaged(&'static str),
}

impl From<rusqlite::Error> for LoadFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// Reads all rooms with their facts.
pub(super) fn load(db: &Connection) -> Result<Loaded, LoadFault> {
    let mut rooms = Vec::new();
    let mut rows = KeyedMap::new();
    let mut places = BTreeMap::new();
    let mut records = 0;
    let sql = "SELECT id, name, epoch, durability, head, oldest, at, bytes, private, owned, policy, \
               topic FROM room ORDER BY id";
    let mut statement = db.prepare(sql)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (room, row) = read_room(row)?.ok_or(LoadFault::Damaged("room"))?;
        records += (room.head + 1).saturating_sub(room.oldest);
        places.insert(row.id, rooms.len());
        rows.insert(room.name.clone(), row);
        rooms.push(room);
    }
    let mut put = |room: i64, meta: Option<RoomMeta>, table: &'static str| {
        let room = places.get(&room).and_then(|place| rooms.get_mut(*place));
        // The facts of a room that is gone go when its records do.
        let Some(room): Option<&mut RoomSnapshot> = room else { return Ok(()) };
        room.meta.push(meta.ok_or(LoadFault::Damaged(table))?);
        Ok::<_, LoadFault>(())
    };
    let mut statement = db.prepare("SELECT room, user, role, recv, read FROM member")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        put(row.get(0)?, read_member(row)?, "member")?;
    }
    let mut statement = db.prepare("SELECT room, user, kind, until, reason FROM standing")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        put(row.get(0)?, read_standing(row)?, "standing")?;
    }
    let sql = "SELECT max((SELECT ifnull(max(id), 0) FROM room), (SELECT ifnull(max(room), 0) FROM \
               record), (SELECT ifnull(max(room), 0) FROM sent), (SELECT \
               ifnull(max(CAST(substr(key, 6) AS INTEGER)), 0) FROM meta WHERE key GLOB 'gone *'))";
    let last: i64 = db.query_one(sql, [], |row| row.get(0))?;
    Ok(Loaded { rooms, rows, next_id: last + 1, records })
}

/// Looks whether the rooms and their records belong together: what does not, if there is something. What follows
/// from these rows at once, such as which records are not to be kept, must not follow from a damaged one.
pub(super) fn inspect(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name, head, oldest, room.at, \
               (SELECT min(seq) FROM record WHERE room = room.id), \
               (SELECT max(seq) FROM record WHERE room = room.id), \
               (SELECT at FROM record WHERE room = room.id AND seq = head), \
               EXISTS (SELECT 1 FROM meta WHERE key = 'mended') FROM room";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let [head, oldest, at] = [1, 2, 3].map(|column| row.get::<_, i64>(column));
        let (head, oldest, at) = (head?, oldest?, at?);
        let [first, last, last_at] = [4, 5, 6].map(|column| row.get::<_, Option<i64>>(column));
        let (first, last, last_at) = (first?, last?, last_at?);
        let is_empty = oldest == head.saturating_add(1);
        let fits = match (first, last) {
            (Some(first), Some(last)) => first == oldest && last == head && last_at == Some(at),
            _ => is_empty,
        };
        // What was lost to a failure is counted as gone before it is removed.
        let is_left = is_empty && last.is_some_and(|last| last <= head) && row.get(7)?;
        if head < 0 || oldest < 1 || !(fits || is_left) {
            let name: String = row.get(0)?;
            return Ok(Some(format!("the records of room {name} are not those that it counts")));
        }
    }
    match broken_seal(db)? {
        None => strangers(db),
        broken => Ok(broken),
    }
}

/// Says so if there is a sum over the rooms and what holds of users in them, and it is not theirs.
pub(in crate::store) fn broken_seal(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sum = "SELECT value FROM meta WHERE key = 'sum'";
    let sum = db.query_one(sum, [], |row| row.get::<_, i64>(0)).optional()?;
    let is_broken = sum.is_some_and(|sum| digest(db) != Ok(sum));
    let what = || "rooms, members or bans in rooms are not those that were written".to_owned();
    Ok(is_broken.then(what))
}

/// Notes a sum over the rooms and what holds of users in them, for as long as nothing is written: the next start looks
/// whether it is theirs.
pub(super) fn seal(db: &Connection) -> rusqlite::Result<()> {
    let sum = digest(db)?;
    db.execute("INSERT OR REPLACE INTO meta VALUES ('sum', ?1)", [sum]).map(|_| ())
}

/// From now on something is written.
pub(in crate::store) fn unseal(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE key = 'sum'", []).map(|_| ())
}

fn digest(db: &Connection) -> rusqlite::Result<i64> {
    let mut sum = Sum::default();
    for sql in [
        "SELECT * FROM room ORDER BY id",
        "SELECT * FROM member ORDER BY room, user",
        "SELECT * FROM standing ORDER BY room, user, kind",
    ] {
        let mut statement = db.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                sum.push(row.get_ref(column)?);
            }
        }
    }
    Ok(sum.finish())
}

/// Records of a room that does not exist and was not removed.
fn strangers(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "WITH RECURSIVE found (room) AS (SELECT min(room) FROM record UNION ALL \
               SELECT (SELECT min(room) FROM record WHERE room > found.room) FROM found \
               WHERE found.room IS NOT NULL) \
               SELECT room FROM found WHERE room IS NOT NULL AND room NOT IN (SELECT id FROM room) \
               AND 'gone ' || room NOT IN (SELECT key FROM meta) LIMIT 1";
    let stranger = db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(stranger.map(|room| format!("there are records of a room {room}, which does not exist")))
}

fn read_room(row: &Row<'_>) -> rusqlite::Result<Option<(RoomSnapshot, RoomRow)>> {
    let name: String = row.get(1)?;
    let epoch: i64 = row.get(2)?;
    let Ok(name) = RoomName::parse(&name) else { return Ok(None) };
    let Some(durability) = durability_of(row.get(3)?) else { return Ok(None) };
    let tail = Tail {
        head: unsigned(row.get(4)?),
        oldest: unsigned(row.get(5)?),
        at: unsigned(row.get(6)?),
        bytes: unsigned(row.get(7)?),
    };
    let epoch = Epoch(u64::from_ne_bytes(epoch.to_ne_bytes()));
    let policy = row.get::<_, Option<Box<str>>>(10)?;
    let mut meta = vec![RoomMeta::Access { private: row.get(8)?, owned: row.get(9)?, policy }];
    let topic: Box<str> = row.get(11)?;
    if !topic.is_empty() {
        meta.push(RoomMeta::Topic(topic));
    }
    let (head, oldest) = (tail.head, tail.oldest);
    let room = RoomSnapshot { name, epoch, durability, head, oldest, meta };
    Ok(Some((room, RoomRow { id: row.get(0)?, epoch, durability, tail })))
}

fn read_member(row: &Row<'_>) -> rusqlite::Result<Option<RoomMeta>> {
    let user: String = row.get(1)?;
    let (Ok(user), Some(role)) = (UserName::parse(&user), role_of(row.get(2)?)) else {
        return Ok(None);
    };
    let (recv, read) = (unsigned(row.get(3)?), unsigned(row.get(4)?));
    Ok(Some(RoomMeta::Member(user, Some(MemberMeta { role, recv, read }))))
}

fn read_standing(row: &Row<'_>) -> rusqlite::Result<Option<RoomMeta>> {
    let user: String = row.get(1)?;
    let (Ok(user), Some(standing)) = (UserName::parse(&user), standing_of(row.get(2)?)) else {
        return Ok(None);
    };
    let until = row.get::<_, Option<i64>>(3)?.map(unsigned);
    let term = Expiry { until, reason: row.get(4)? };
    Ok(Some(RoomMeta::Restriction(user, standing, Some(term))))
}
