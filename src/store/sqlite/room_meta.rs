//! Room metadata as rows: access and topic in `room`, members in `member`, restrictions in
//! `restriction`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::integers::{signed, unsigned};
use super::{lookalikes, room_names};
use crate::chat::model::columns::Code as _;
use crate::chat::model::log::{Expiry, MemberMeta, Restriction, RestrictionMeta, RoomMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::record::Record;
use crate::chat::model::reply::Role;
use crate::time::wall_watch::shifted;

/// Writes a piece of metadata over the one with the same key.
pub(in crate::store) fn write(db: &Connection, room: i64, meta: &RoomMeta) -> rusqlite::Result<()> {
    match meta {
        RoomMeta::Access { private, owned, policy } => {
            let sql = "UPDATE room SET private = ?2, owned = ?3, policy = ?4 WHERE id = ?1";
            db.prepare_cached(sql)?.execute(params![room, private, owned, policy.as_deref()])
        }
        RoomMeta::Topic(topic, by) => {
            let sql = "UPDATE room SET topic = ?2, topic_by = ?3 WHERE id = ?1";
            let by = by.as_ref().map(UserName::as_str);
            db.prepare_cached(sql)?.execute(params![room, &**topic, by])
        }
        RoomMeta::Name(name, former) => return room_names::write(db, room, name, former),
        RoomMeta::Member(user, Some(MemberMeta { role, recv, read, joined })) => {
            let sql = "INSERT OR REPLACE INTO member (room, user, role, recv, read, joined) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let (recv, read, joined) = (signed(*recv), signed(*read), signed(*joined));
            let row = params![room, user.as_str(), role.code(), recv, read, joined];
            lookalikes::put_user(db, user.as_str())?;
            db.prepare_cached(sql)?.execute(row)
        }
        RoomMeta::Member(user, None) => {
            let sql = "DELETE FROM member WHERE room = ?1 AND user = ?2";
            let removed = db.prepare_cached(sql)?.execute(params![room, user.as_str()])?;
            lookalikes::forget_user(db, user.as_str()).map(|()| removed)
        }
        RoomMeta::Restriction(user, kind, Some(RestrictionMeta { by, at, expiry })) => {
            let sql = "INSERT OR REPLACE INTO restriction (room, user, kind, until, reason, \"by\", at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let (user, kind, by) = (user.as_str(), kind.code(), by.as_ref().map(UserName::as_str));
            let (until, at) = (expiry.until.map(signed), at.map(signed));
            let row = params![room, user, kind, until, &*expiry.reason, by, at];
            db.prepare_cached(sql)?.execute(row)
        }
        RoomMeta::Restriction(user, kind, None) => {
            let sql = "DELETE FROM restriction WHERE room = ?1 AND user = ?2 AND kind = ?3";
            db.prepare_cached(sql)?.execute(params![room, user.as_str(), kind.code()])
        }
    }
    .map(drop)
}

/// Notes who has ordered a restriction, and when: the author of its record.
pub(super) fn sign(
    db: &Connection,
    room: i64,
    meta: &RoomMeta,
    record: &Record,
) -> rusqlite::Result<()> {
    let RoomMeta::Restriction(user, kind, Some(_)) = meta else { return Ok(()) };
    let sql =
        "UPDATE restriction SET \"by\" = ?4, at = ?5 WHERE room = ?1 AND user = ?2 AND kind = ?3";
    let row = params![room, user.as_str(), kind.code(), record.from.as_str(), signed(record.at)];
    db.prepare_cached(sql)?.execute(row).map(drop)
}

/// Moves the ends of the terms of restrictions in these rooms by as much as the wall clock was set.
pub(super) fn shift_terms(
    db: &Connection,
    step_ms: i64,
    is_meant: impl Fn(i64) -> bool,
) -> rusqlite::Result<()> {
    let sql = "SELECT room, user, kind, until FROM restriction WHERE until IS NOT NULL";
    let mut find = db.prepare(sql)?;
    let found = find.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get(3)?))
    })?;
    // Collected before the first is changed, as for suspensions.
    for (room, user, kind, until) in found.collect::<rusqlite::Result<Vec<_>>>()? {
        if is_meant(room) {
            let until = signed(shifted(unsigned(until), step_ms));
            let sql =
                "UPDATE restriction SET until = ?4 WHERE room = ?1 AND user = ?2 AND kind = ?3";
            db.prepare_cached(sql)?.execute(params![room, user, kind, until])?;
        }
    }
    Ok(())
}

/// Reads the memberships of a room; `None` is one that was not written so.
pub(super) fn read_members(
    db: &Connection,
    room: i64,
    each: impl FnMut(Option<RoomMeta>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = "SELECT room, user, role, recv, read, joined FROM member WHERE room = ?1";
    read_all(db, (sql, room), each, |user, row| {
        let role = Role::from_code(row.get(2)?);
        let [recv, read, joined] = [3, 4, 5].map(|column| row.get(column).map(unsigned));
        let (recv, read, joined) = (recv?, read?, joined?);
        Ok(role.map(|role| RoomMeta::Member(user, Some(MemberMeta { role, recv, read, joined }))))
    })
}

/// Reads its restrictions, likewise.
pub(super) fn read_restrictions(
    db: &Connection,
    room: i64,
    each: impl FnMut(Option<RoomMeta>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = "SELECT room, user, kind, until, reason, \"by\", at FROM restriction WHERE room = ?1";
    read_all(db, (sql, room), each, |user, row| {
        let kind = Restriction::from_code(row.get(2)?);
        let number =
            |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(unsigned));
        let by = row.get_ref(5)?.as_str_or_null()?.and_then(UserName::stored);
        let expiry = Expiry { until: number(3)?, reason: row.get(4)? };
        let meta = RestrictionMeta { by, at: number(6)?, expiry };
        Ok(kind.map(|kind| RoomMeta::Restriction(user, kind, Some(meta))))
    })
}

fn read_all(
    db: &Connection,
    (sql, room): (&str, i64),
    mut each: impl FnMut(Option<RoomMeta>) -> rusqlite::Result<()>,
    read: impl Fn(UserName, &Row<'_>) -> rusqlite::Result<Option<RoomMeta>>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([room])?;
    while let Some(row) = rows.next()? {
        let meta = match UserName::stored(row.get_ref(1)?.as_str()?) {
            Some(user) => read(user, row)?,
            None => None,
        };
        each(meta)?;
    }
    Ok(())
}

/// Removes a room with its metadata, and notes that its records and `cid`s are to go: those of an
/// unknown room that is not noted are never removed, since the room's row may have been damaged.
pub(super) fn remove_room(db: &Connection, room: i64) -> rusqlite::Result<()> {
    for name in room_names::all(db, room)? {
        lookalikes::remove_room(db, &name)?;
    }
    let members = {
        let mut statement = db.prepare_cached("SELECT user FROM member WHERE room = ?1")?;
        let users = statement.query_map([room], |row| row.get::<_, String>(0))?;
        users.collect::<rusqlite::Result<Vec<_>>>()?
    };
    for sql in [
        "DELETE FROM room WHERE id = ?1",
        "DELETE FROM member WHERE room = ?1",
        "DELETE FROM restriction WHERE room = ?1",
        // A room in which nothing was said leaves nothing to be removed.
        "INSERT OR REPLACE INTO meta SELECT 'gone ' || ?1, 1 \
         WHERE EXISTS (SELECT 1 FROM record WHERE room = ?1) \
         OR EXISTS (SELECT 1 FROM sent WHERE room = ?1)",
    ] {
        db.prepare_cached(sql)?.execute([room])?;
    }
    members.iter().try_for_each(|user| lookalikes::forget_user(db, user))
}

/// The row id of a removed room that may still have records.
pub(super) fn first_removed(db: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT CAST(substr(key, 6) AS INTEGER) AS gone FROM meta \
               WHERE key GLOB 'gone *' AND gone NOT IN (SELECT id FROM room) LIMIT 1";
    db.prepare_cached(sql)?.query_one([], |row| row.get(0)).optional()
}

/// A removed room has no records any more.
pub(super) fn forget_removed(db: &Connection, room: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM meta WHERE key = 'gone ' || ?1")?.execute([room]).map(drop)
}
