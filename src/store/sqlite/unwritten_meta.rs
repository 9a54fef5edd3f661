//! Rooms and room metadata that are to be written with the next batch; only the last state of each
//! counts.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::connection::Level;
use super::outbox::UnwrittenOutbox;
use super::room_meta;
use super::room_row::RoomRow;
use crate::chat::model::log::{LogId, MetaKey, RoomMeta};
use crate::chat::model::name::RoomName;
use crate::chat::model::reply::Durability;

/// A room's row that is not stored as it is.
#[derive(Clone, Debug)]
pub(super) struct UnwrittenRow {
    /// The name, if the row is not there at all.
    pub(super) name: Option<RoomName>,
    pub(super) row: RoomRow,
}

/// What is to be written. There is at most one entry for each room, and one for each key of its
/// metadata.
#[derive(Debug, Default)]
pub(super) struct UnwrittenMeta {
    /// The row ids of removed rooms: they go first, since their names may be in use again.
    removed: Vec<i64>,
    rooms: BTreeMap<LogId, UnwrittenRow>,
    meta: BTreeMap<LogId, MetaOfRoom>,
    pub(super) outbox: UnwrittenOutbox,
}

#[derive(Debug)]
struct MetaOfRoom {
    /// The room's row id.
    room: i64,
    level: Level,
    meta: BTreeMap<MetaKey, RoomMeta>,
}

impl UnwrittenMeta {
    /// Whether there is nothing to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.rooms.is_empty()
            && self.meta.is_empty()
            && self.outbox.is_empty()
    }

    /// Whether the row of this room is to be written.
    pub(super) fn has_room(&self, log: LogId) -> bool {
        self.rooms.contains_key(&log)
    }

    /// The level at which it must be written: the highest of the rooms'.
    pub(super) fn level(&self) -> Level {
        let rooms = self.rooms.values().map(|unwritten| Level::of(unwritten.row.durability));
        let meta = self.meta.values().map(|of_room| of_room.level);
        // A removed room must not come back after a power loss, whatever its level was.
        let removed = self.removed.first().map(|_| Level::Disk);
        rooms.chain(meta).chain(removed).max().unwrap_or(Level::Os)
    }

    /// The room's row is to be as `row` says.
    pub(super) fn put_room(&mut self, log: LogId, row: UnwrittenRow) {
        self.rooms.insert(log, row);
    }

    /// The metadata is to be written instead of earlier with the same key.
    pub(super) fn put_meta(&mut self, log: LogId, room: (i64, Durability), meta: RoomMeta) {
        let (room, level) = (room.0, Level::of(room.1));
        let of_room = self.meta.entry(log).or_insert_with(|| MetaOfRoom {
            room,
            level,
            meta: BTreeMap::new(),
        });
        of_room.meta.insert(MetaKey::of(&meta), meta);
    }

    /// The room is to be removed.
    pub(super) fn put_removed(&mut self, log: LogId, room: i64) {
        self.meta.remove(&log);
        // A room that was never written has nothing in the file to be removed.
        let is_stored = self.rooms.remove(&log).is_none_or(|unwritten| unwritten.name.is_none());
        if is_stored {
            self.removed.push(room);
        }
    }

    /// Writes everything.
    pub(super) fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        for &room in &self.removed {
            room_meta::remove_room(db, room)?;
        }
        for UnwrittenRow { name, row } in self.rooms.values() {
            match name {
                Some(name) => row.insert(db, name)?,
                None => row.update(db)?,
            }
        }
        for of_room in self.meta.values() {
            for meta in of_room.meta.values() {
                room_meta::write(db, of_room.room, meta)?;
            }
        }
        self.outbox.write(db)
    }

    /// Adds what was to be written earlier, except where something later replaces it or the log is
    /// closed.
    pub(super) fn add_earlier(&mut self, earlier: Self, is_open: impl Fn(LogId) -> bool) {
        let Self { removed, rooms, meta, outbox } = earlier;
        self.outbox.add_earlier(outbox);
        self.removed.splice(0..0, removed);
        for (log, earlier) in rooms.into_iter().filter(|(log, _)| is_open(*log)) {
            let UnwrittenRow { name, row } = earlier;
            let later = self.rooms.entry(log).or_insert(UnwrittenRow { name: None, row });
            later.name = later.name.take().or(name);
        }
        for (log, earlier) in meta.into_iter().filter(|(log, _)| is_open(*log)) {
            let MetaOfRoom { room, level, meta } = earlier;
            let later = self.meta.entry(log).or_insert_with(|| MetaOfRoom {
                room,
                level,
                meta: BTreeMap::new(),
            });
            for (key, meta) in meta {
                later.meta.entry(key).or_insert(meta);
            }
        }
    }

    /// Adds what is to be written later, which replaces what is there.
    pub(super) fn add_later(&mut self, mut later: Self, is_open: impl Fn(LogId) -> bool) {
        later.add_earlier(std::mem::take(self), is_open);
        *self = later;
    }
}
