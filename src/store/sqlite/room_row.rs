//! A room as a row of the table `room`.

use rusqlite::{Connection, Row, params};

use super::integers::{signed, unsigned};
use super::lookalikes;
use crate::chat::model::columns::Code as _;
use crate::chat::model::load::{Begun, Kept};
use crate::chat::model::log::RoomMeta;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Durability;

/// What the store knows of a room besides its name and its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct RoomRow {
    pub(in crate::store) id: i64,
    pub(in crate::store) epoch: Epoch,
    pub(in crate::store) durability: Durability,
    pub(in crate::store) counters: RoomCounters,
}

/// What changes with each record of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct RoomCounters {
    /// The last seq.
    pub(in crate::store) head: u64,
    /// The first seq that is still there, head + 1 if none is.
    pub(in crate::store) oldest: u64,
    /// When the last record came.
    pub(in crate::store) at: u64,
    /// Bytes of text and data of all records that are there.
    pub(in crate::store) bytes: u64,
}

/// Those of a room without records.
impl Default for RoomCounters {
    fn default() -> Self {
        Self { head: 0, oldest: 1, at: 0, bytes: 0 }
    }
}

/// The columns that [`RoomRow::read`] takes.
pub(super) const COLUMNS: &str = "id, name, epoch, durability, head, oldest, at, bytes, private, owned, policy, topic, \
     topic_by";

impl RoomRow {
    /// The row as it was when it was loaded.
    pub(super) const fn of(kept: &Kept) -> Self {
        let Kept { row: id, epoch, durability, seqs: (oldest, head), at, bytes, .. } = *kept;
        Self { id, epoch, durability, counters: RoomCounters { head, oldest, at, bytes } }
    }

    /// Stores the row of a new room.
    pub(in crate::store) fn insert(
        &self,
        db: &Connection,
        name: &RoomName,
    ) -> rusqlite::Result<()> {
        let Self { id, epoch, durability, counters } = *self;
        let RoomCounters { head, oldest, at, bytes } = counters;
        let sql = "INSERT INTO room (id, name, epoch, durability, head, oldest, at, bytes, private, \
                   owned, policy, topic, renewed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, NULL, '', \
                   ifnull((SELECT value FROM meta WHERE key = 'renewals'), 0))";
        let (epoch, durability) = (epoch.0.cast_signed(), durability.code());
        let (head, oldest, at, bytes) = (signed(head), signed(oldest), signed(at), signed(bytes));
        let row = params![id, name.as_str(), epoch, durability, head, oldest, at, bytes];
        db.prepare_cached(sql)?.execute(row)?;
        lookalikes::put_room(db, name)
    }

    /// Changes what a configuration, or a renewal of epochs, may change of a room that is stored.
    pub(super) fn update(&self, db: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE room SET epoch = ?2, durability = ?3, \
                   renewed = ifnull((SELECT value FROM meta WHERE key = 'renewals'), 0) WHERE id = ?1";
        let row = [self.id, self.epoch.0.cast_signed(), self.durability.code()];
        db.prepare_cached(sql)?.execute(row).map(drop)
    }

    /// The room of a row of [`COLUMNS`]; `None` if it is not what was written.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Option<(Begun, Self)>> {
        let Some(name) = RoomName::stored(row.get_ref(1)?.as_str()?) else { return Ok(None) };
        let Some(durability) = Durability::from_code(row.get(3)?) else { return Ok(None) };
        let epoch = Epoch(row.get::<_, i64>(2)?.cast_unsigned());
        let head = unsigned(row.get(4)?);
        let oldest = unsigned(row.get(5)?);
        let (at, bytes) = (unsigned(row.get(6)?), unsigned(row.get(7)?));
        let (private, owned, policy) = (row.get(8)?, row.get(9)?, row.get(10)?);
        let mut meta = vec![RoomMeta::Access { private, owned, policy }];
        let topic: Box<str> = row.get(11)?;
        if !topic.is_empty() {
            let by = row.get::<_, Option<String>>(12)?;
            meta.push(RoomMeta::Topic(topic, by.and_then(|by| UserName::parse(&by).ok())));
        }
        let room = Begun { name, epoch, durability, head, oldest, meta, kept: None };
        let counters = RoomCounters { head, oldest, at, bytes };
        Ok(Some((room, Self { id: row.get(0)?, epoch, durability, counters })))
    }
}

impl RoomCounters {
    /// Stores the counters of a room.
    pub(super) fn write(&self, db: &Connection, room: i64) -> rusqlite::Result<()> {
        let Self { head, oldest, at, bytes } = *self;
        let sql = "UPDATE room SET head = ?2, oldest = ?3, at = ?4, bytes = ?5 WHERE id = ?1";
        let row = [room, signed(head), signed(oldest), signed(at), signed(bytes)];
        db.prepare_cached(sql)?.execute(row).map(drop)
    }
}
