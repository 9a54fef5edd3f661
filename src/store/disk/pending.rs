//! What is to be written at the next occasion: rooms and facts, of which only the last state counts.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::chat::model::log::{LogId, RoomMeta};
use crate::chat::model::name::RoomName;
use crate::chat::model::reply::Durability;

use super::database::Level;
use super::meta;
use super::op::{Matter, RoomRow};
use super::row::signed;

/// A room's row that is not stored as it is.
#[derive(Clone, Debug)]
pub(super) struct NewRow {
    /// The name, if the row is not there at all.
    pub(super) name: Option<RoomName>,
    pub(super) row: RoomRow,
}

/// What is to be written. There is at most one entry for each room, and one for each of its facts.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The row ids of rooms that are gone: they go first, since their names may be in use again.
    gone: Vec<i64>,
    rooms: BTreeMap<LogId, NewRow>,
    meta: BTreeMap<LogId, Facts>,
}

/// The facts of one room.
#[derive(Debug)]
struct Facts {
    /// The room's row id.
    room: i64,
    level: Level,
    meta: BTreeMap<Matter, RoomMeta>,
}

impl Pending {
    /// Whether there is nothing to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.rooms.is_empty() && self.meta.is_empty()
    }

    /// Whether the row of this room is to be written.
    pub(super) fn has_room(&self, log: LogId) -> bool {
        self.rooms.contains_key(&log)
    }

    /// The level at which it must be written: the highest of the rooms'.
    pub(super) fn level(&self) -> Level {
        let rooms = self.rooms.values().map(|new| Level::of(new.row.durability));
        let meta = self.meta.values().map(|meta| meta.level);
        // A room that was dropped and is there again after a power loss would be a surprise.
        let gone = self.gone.first().map(|_| Level::Disk);
        rooms.chain(meta).chain(gone).max().unwrap_or(Level::Os)
    }

    /// The room's row is to be as `new` says.
    pub(super) fn put_room(&mut self, log: LogId, new: NewRow) {
        self.rooms.insert(log, new);
    }

    /// The fact is to be written instead of an earlier one.
    pub(super) fn put_fact(&mut self, log: LogId, room: (i64, Durability), meta: RoomMeta) {
        let (room, level) = (room.0, Level::of(room.1));
        let new = || Facts { room, level, meta: BTreeMap::new() };
        self.meta.entry(log).or_insert_with(new).meta.insert(Matter::of(&meta), meta);
    }

    /// The room is gone.
    pub(super) fn put_gone(&mut self, log: LogId, room: i64) {
        self.meta.remove(&log);
        let is_stored = self.rooms.remove(&log).is_none_or(|new| new.name.is_none());
        if is_stored {
            self.gone.push(room);
        }
    }

    /// Writes everything.
    pub(super) fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        for &room in &self.gone {
            meta::erase(db, room)?;
        }
        for new in self.rooms.values() {
            new.write(db)?;
        }
        for room in self.meta.values() {
            for meta in room.meta.values() {
                meta::write(db, room.room, meta)?;
            }
        }
        Ok(())
    }

    /// Takes up what was to be written earlier and was not, where nothing later takes its place and the log
    /// is still open.
    pub(super) fn restore(&mut self, earlier: Self, is_open: impl Fn(LogId) -> bool) {
        let Self { gone, rooms, meta } = earlier;
        self.gone.splice(0..0, gone);
        for (log, new) in rooms.into_iter().filter(|(log, _)| is_open(*log)) {
            let kept = self.rooms.entry(log).or_insert_with(|| NewRow { name: None, ..new });
            kept.name = kept.name.take().or(new.name);
        }
        for (log, earlier) in meta.into_iter().filter(|(log, _)| is_open(*log)) {
            let Facts { room, level, meta } = earlier;
            let new = || Facts { room, level, meta: BTreeMap::new() };
            let kept = self.meta.entry(log).or_insert_with(new);
            for (matter, meta) in meta {
                kept.meta.entry(matter).or_insert(meta);
            }
        }
    }

    /// Takes up what is to be written later, in place of what was.
    pub(super) fn overwrite(&mut self, mut later: Self, is_open: impl Fn(LogId) -> bool) {
        later.restore(std::mem::take(self), is_open);
        *self = later;
    }
}

impl NewRow {
    fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        let RoomRow { id, epoch, durability, tail } = self.row;
        let epoch = i64::from_ne_bytes(epoch.0.to_ne_bytes());
        let durability = durability_number(durability);
        let Some(name) = &self.name else {
            let sql = "UPDATE room SET epoch = ?2, durability = ?3 WHERE id = ?1";
            db.prepare_cached(sql)?.execute(params![id, epoch, durability])?;
            return Ok(());
        };
        let sql = "INSERT INTO room (id, name, epoch, durability, head, oldest, at, bytes, private, \
                   owned, policy, topic) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, NULL, '')";
        let (head, oldest) = (signed(tail.head), signed(tail.oldest));
        let (at, bytes) = (signed(tail.at), signed(tail.bytes));
        let row = params![id, name.as_str(), epoch, durability, head, oldest, at, bytes];
        db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }
}

/// What stands for a durability in the column `room.durability`.
const fn durability_number(durability: Durability) -> i64 {
    match durability {
        Durability::Memory => 0,
        Durability::Os => 1,
        Durability::Disk => 2,
    }
}

/// The inverse of [`durability_number`].
pub(super) const fn durability_of(number: i64) -> Option<Durability> {
    Some(match number {
        0 => Durability::Memory,
        1 => Durability::Os,
        2 => Durability::Disk,
        _ => return None,
    })
}
