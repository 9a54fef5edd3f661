//! Facts, as rows.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::chat::model::log::{Expiry, MemberMeta, Restriction, RoomMeta};
use crate::chat::model::name::UserName;

use super::row::{role_number, signed};

/// Writes what is true of a room instead of what was.
pub(super) fn write(db: &Connection, room: i64, meta: &RoomMeta) -> rusqlite::Result<()> {
    match meta {
        RoomMeta::Access { private, owned, policy } => {
            let sql = "UPDATE room SET private = ?2, owned = ?3, policy = ?4 WHERE id = ?1";
            db.prepare_cached(sql)?.execute(params![room, private, owned, policy.as_deref()])
        }
        RoomMeta::Topic(topic) => {
            let sql = "UPDATE room SET topic = ?2 WHERE id = ?1";
            db.prepare_cached(sql)?.execute(params![room, &**topic])
        }
        RoomMeta::Member(user, Some(member)) => write_member(db, room, user, *member),
        RoomMeta::Member(user, None) => {
            let sql = "DELETE FROM member WHERE room = ?1 AND user = ?2";
            db.prepare_cached(sql)?.execute(params![room, user.as_str()])
        }
        RoomMeta::Restriction(user, standing, Some(term)) => {
            write_standing(db, room, (user, *standing), term)
        }
        RoomMeta::Restriction(user, standing, None) => {
            let sql = "DELETE FROM standing WHERE room = ?1 AND user = ?2 AND kind = ?3";
            let row = params![room, user.as_str(), standing_number(*standing)];
            db.prepare_cached(sql)?.execute(row)
        }
    }
    .map(|_| ())
}

fn write_member(
    db: &Connection,
    room: i64,
    user: &UserName,
    member: MemberMeta,
) -> rusqlite::Result<usize> {
    let MemberMeta { role, recv, read } = member;
    let sql = "INSERT OR REPLACE INTO member (room, user, role, recv, read) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![room, user.as_str(), role_number(role), signed(recv), signed(read)];
    db.prepare_cached(sql)?.execute(row)
}

fn write_standing(
    db: &Connection,
    room: i64,
    (user, standing): (&UserName, Restriction),
    term: &Expiry,
) -> rusqlite::Result<usize> {
    let sql = "INSERT OR REPLACE INTO standing (room, user, kind, until, reason) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let until = term.until.map(signed);
    let row = params![room, user.as_str(), standing_number(standing), until, &*term.reason];
    db.prepare_cached(sql)?.execute(row)
}

/// Takes away all that is known of a room but its records and the `cid`s of them, and notes that these are to go:
/// records of which neither is known are never removed.
pub(super) fn erase(db: &Connection, room: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM room WHERE id = ?1",
        "DELETE FROM member WHERE room = ?1",
        "DELETE FROM standing WHERE room = ?1",
        "INSERT OR REPLACE INTO meta VALUES ('gone ' || ?1, 1)",
    ] {
        db.prepare_cached(sql)?.execute([room])?;
    }
    Ok(())
}

/// The row id of a room that is gone and of which there may be records.
pub(super) fn first_gone(db: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT CAST(substr(key, 6) AS INTEGER) AS gone FROM meta \
               WHERE key GLOB 'gone *' AND gone NOT IN (SELECT id FROM room) LIMIT 1";
    db.prepare_cached(sql)?.query_one([], |row| row.get(0)).optional()
}

/// There are no records of a room that is gone any more.
pub(super) fn forget_gone(db: &Connection, room: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM meta WHERE key = 'gone ' || ?1")?.execute([room]).map(|_| ())
}

/// What stands for a standing in the column `standing.kind`.
pub(super) const fn standing_number(standing: Restriction) -> i64 {
    match standing {
        Restriction::Banned => 0,
        Restriction::Muted => 1,
        Restriction::Invited => 2,
    }
}

/// The inverse of [`standing_number`].
pub(super) const fn standing_of(number: i64) -> Option<Restriction> {
    Some(match number {
        0 => Restriction::Banned,
        1 => Restriction::Muted,
        2 => Restriction::Invited,
        _ => return None,
    })
}
