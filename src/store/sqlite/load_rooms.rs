//! What the file has of rooms and users, as it is read when somebody needs it.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

use super::commands::CommandWatch;
use super::heads;
use super::integers::unsigned;
use super::integrity::check_room;
use super::log_fault::damaged;
use super::lookalikes;
use super::people;
use super::renewals::Renewals;
use super::room_meta;
use super::room_names;
use super::room_row::{self, RoomRow};
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::load::{Begun, Depth, Found, Kept, KnownUser, Wanted};
use crate::chat::model::log::{Elsewhere, RoomMeta};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::People;
use crate::chat::model::record::Epoch;

/// What the file has when it is opened.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The rooms and users that are to be asked for.
    pub(super) elsewhere: Elsewhere,
    /// A row id above all that there ever were.
    pub(super) next_id: i64,
    /// What is kept of people.
    pub(super) people: People,
    /// What was changed since then.
    pub(super) commands: CommandWatch,
}

/// Reads what is needed from the start. With `proves_names`, and if none was proved so far, the
/// names of all members are among it.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn begin(db: &Connection, proves_names: bool) -> rusqlite::Result<Loaded> {
    let commands = CommandWatch::begin(db)?;
    let people = people::load(db)?;
    let rooms: i64 = db.query_one("SELECT count(*) FROM room", [], |row| row.get(0))?;
    // As numbers without a sign: those with one are the higher ones.
    let sql = "SELECT coalesce((SELECT max(epoch) FROM room WHERE epoch < 0), (SELECT max(epoch) FROM room))";
    let newest: Option<i64> = db.query_one(sql, [], |row| row.get(0))?;
    let names = if proves_names && !people.proved { names(db)? } else { Vec::new() };
    // Rows of other tables may still have the number of a room that was removed.
    let sql = "SELECT max((SELECT ifnull(max(id), 0) FROM room), (SELECT ifnull(max(room), 0) FROM \
               record), (SELECT ifnull(max(room), 0) FROM sent), (SELECT \
               ifnull(max(CAST(substr(key, 6) AS INTEGER)), 0) FROM meta WHERE key GLOB 'gone *'))";
    let last: i64 = db.query_one(sql, [], |row| row.get(0))?;
    let elsewhere = Elsewhere {
        on_demand: true,
        rooms: usize::try_from(rooms).unwrap_or(0),
        newest: newest.map(|newest| Epoch(newest.cast_unsigned())),
        names,
    };
    Ok(Loaded { elsewhere, next_id: last + 1, people, commands })
}

/// The names of members, and of those on whom a restriction is; without guests.
fn names(db: &Connection) -> rusqlite::Result<Vec<UserName>> {
    let mut statement = db.prepare("SELECT user FROM member UNION SELECT user FROM restriction")?;
    let mut rows = statement.query([])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str()?;
        names.extend(UserName::stored(name).filter(|_| !name.starts_with(GUEST_PREFIX)));
    }
    Ok(names)
}

/// Reads rooms and users. A transaction should be open on `db`.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(in crate::store) fn load(db: &Connection, wanted: &Wanted) -> rusqlite::Result<Found> {
    let renewals = Renewals::load(db)?;
    let mut found = Found::default();
    let mut names: BTreeSet<&RoomName> = wanted.rooms.keys().collect();
    let with_lookalikes = wanted.rooms.iter().filter(|(_, with_lookalikes)| **with_lookalikes);
    let mut others = Vec::new();
    for (name, _) in with_lookalikes {
        let alike = lookalikes::of_room(db, name)?;
        others.extend(alike.iter().filter_map(|name| RoomName::stored(name)));
    }
    names.extend(&others);
    let mut rows = BTreeSet::new();
    for name in names {
        let Some(room) = read_room(db, &renewals, name)? else { continue };
        // It may have been asked for by several of its names.
        if !rows.insert(room.kept.map(|kept| kept.row)) {
            continue;
        }
        if room.name.is_direct() {
            found.users.extend(ends(db, &room)?);
        }
        found.rooms.push(room);
    }
    for (name, depth) in &wanted.users {
        let user = user(db, name, *depth)?;
        if !user.is_member {
            for other in lookalikes::of_user(db, name.as_str())? {
                let Some(other) = UserName::stored(&other) else { continue };
                found.users.push(self::user(db, &other, Depth::Known)?);
            }
        }
        found.users.push(user);
    }
    Ok(found)
}

/// Reads the room that has this name, or had it before, if there is one.
///
/// # Errors
///
/// Those of [`load`].
pub(super) fn read_room(
    db: &Connection,
    renewals: &Renewals,
    name: &RoomName,
) -> rusqlite::Result<Option<Begun>> {
    let invalid = |table| damaged(format!("a row of table {table} makes no sense"));
    let (columns, id) = (room_row::COLUMNS, room_names::ID_OF);
    let sql = format!("SELECT {columns}, renewed FROM room WHERE id = {id}");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([name.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (mut room, stored) = RoomRow::read(row)?.ok_or_else(|| invalid("room"))?;
    let renewed = row.get("renewed")?;
    drop(rows);
    if let Some(fault) = check_room(db, stored.id)? {
        // What can be read of it is served; who writes to it will meet the fault.
        log::error!(fault; "a room that is loaded is damaged: see `chinwag verify`");
    }
    // The row may lag.
    let counters = heads::with_tail(db, stored.id, stored.counters)?;
    (room.head, room.oldest) = (counters.head, counters.oldest);
    room.epoch = renewals.epoch((stored.epoch, renewed), stored.durability);
    // Before who is in it, who is told the name.
    let former = room_names::former(db, stored.id)?;
    if !former.is_empty() {
        room.meta.push(RoomMeta::Name(room.name.clone(), former));
    }
    let mut put = |meta: Option<RoomMeta>, table| {
        room.meta.push(meta.ok_or_else(|| invalid(table))?);
        Ok(())
    };
    room_meta::read_members(db, stored.id, |meta| put(meta, "member"))?;
    room_meta::read_restrictions(db, stored.id, |meta| put(meta, "restriction"))?;
    room.kept = Some(Kept {
        row: stored.id,
        epoch: stored.epoch,
        durability: stored.durability,
        seqs: (counters.oldest, counters.head),
        at: counters.at,
        bytes: counters.bytes,
        changes: (0, 0),
    });
    Ok(Some(room))
}

/// What is known of those in a direct conversation who have received nothing there.
fn ends(db: &Connection, room: &Begun) -> rusqlite::Result<Vec<KnownUser>> {
    let mut ends = Vec::new();
    for meta in &room.meta {
        if let RoomMeta::Member(name, Some(member)) = meta
            && (member.recv, member.read) == (0, 0)
        {
            ends.push(user(db, name, Depth::Known)?);
        }
    }
    Ok(ends)
}

fn user(db: &Connection, name: &UserName, depth: Depth) -> rusqlite::Result<KnownUser> {
    let mut user =
        KnownUser { name: name.clone(), is_member: false, has_come: false, rooms: Vec::new() };
    let sql = "SELECT name, recv, member.read FROM member JOIN room ON room.id = member.room \
               WHERE member.user = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([name.as_str()])?;
    while let Some(row) = rows.next()? {
        let Some(room) = RoomName::stored(row.get_ref(0)?.as_str()?) else { continue };
        let (recv, read) = (unsigned(row.get(1)?), unsigned(row.get(2)?));
        user.is_member = true;
        // Who was only written to is in direct conversations, and has read nothing there.
        user.has_come |= !room.is_direct() || recv > 0 || read > 0;
        if depth == Depth::Rooms {
            user.rooms.push(room);
        }
    }
    if depth >= Depth::Invited {
        let sql = "SELECT name FROM restriction JOIN room ON room.id = restriction.room \
                   WHERE restriction.user = ?1 AND kind = 2";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([name.as_str()])?;
        while let Some(row) = rows.next()? {
            user.rooms.extend(RoomName::stored(row.get_ref(0)?.as_str()?));
        }
    }
    Ok(user)
}

/// Whether the file has so many rooms that a start does not look at all of them.
pub(super) fn has_many(db: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM room LIMIT 1 OFFSET ?1";
    let found = db.query_row(sql, [CHECKED_ROOMS_MAX], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

/// Rooms that are all checked at a start, and summed at its end; in a file with more, each is
/// checked when it is loaded.
const CHECKED_ROOMS_MAX: i64 = if cfg!(test) { 100 } else { 10_000 };
