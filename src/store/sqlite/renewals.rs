//! New epochs for many rooms at once: what was lost is not known room by room, and a start must not
//! write all of them.
//!
//! Each renewal has a number, and `meta` the last one of all rooms and of those of level `os`. A
//! room whose epoch is of before the one that it is subject to gets a new epoch when it is loaded,
//! and keeps it from then on.

use rusqlite::Connection;

use super::integers::{signed, unsigned};
use super::meta_table::{self, RENEWALS, RENEWED_ALL, RENEWED_AT, RENEWED_BY, RENEWED_OS};
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Durability;

/// Which rooms get a new epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewed {
    /// All: their logs go on from an earlier state, or from another one.
    All,
    /// Those of level `os`, which a power loss may have cost records.
    Os,
}

/// Has rooms get epochs that they never had, each when it is loaded: clients may know seqs that
/// will be given again.
pub(super) fn renew_epochs(db: &Connection, which: Renewed, wall_ms: u64) -> rusqlite::Result<()> {
    let number = meta_table::get::<i64>(db, RENEWALS)?.unwrap_or(0) + 1;
    meta_table::put(db, RENEWALS, number)?;
    meta_table::put(db, RENEWED_OS, number)?;
    if which == Renewed::All {
        meta_table::put(db, RENEWED_ALL, number)?;
    }
    // SQLite's random numbers will do: they only have to differ.
    let random: i64 = db.query_one("SELECT random()", [], |row| row.get(0))?;
    meta_table::put(db, RENEWED_BY, random)?;
    meta_table::put(db, RENEWED_AT, signed(wall_ms))
}

/// Gives all rooms such epochs now, as a command can that has the time.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn renew_all_now(db: &Connection, wall_ms: u64) -> rusqlite::Result<()> {
    renew_epochs(db, Renewed::All, wall_ms)?;
    let renewals = Renewals::load(db)?;
    let mut find = db.prepare("SELECT id, epoch FROM room")?;
    let found = find.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    // Collected before the first is changed: it would come again, since epochs have an index.
    for (room, epoch) in found.collect::<rusqlite::Result<Vec<_>>>()? {
        let epoch = Epoch(epoch.cast_unsigned());
        let epoch = renewals.epoch((epoch, 0), Durability::Disk);
        let sql = "UPDATE room SET epoch = ?2, renewed = ?3 WHERE id = ?1";
        db.prepare_cached(sql)?.execute([room, epoch.0.cast_signed(), renewals.all])?;
    }
    Ok(())
}

/// The last renewals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Renewals {
    all: i64,
    os: i64,
    at: u64,
    by: u128,
}

impl Renewals {
    /// Those of the file.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let number = |key| meta_table::get::<i64>(db, key).map(|number| number.unwrap_or(0));
        let (all, os, at) = (number(RENEWED_ALL)?, number(RENEWED_OS)?, number(RENEWED_AT)?);
        let by = u128::from(number(RENEWED_BY)?.cast_unsigned());
        Ok(Self { all, os, at: unsigned(at), by })
    }

    /// The epoch of a room whose row has this one, which is its own up to the renewal `renewed`.
    pub(super) fn epoch(&self, (epoch, renewed): (Epoch, i64), durability: Durability) -> Epoch {
        let last = if durability == Durability::Os { self.os.max(self.all) } else { self.all };
        if renewed >= last {
            return epoch;
        }
        // The same whenever it is asked for: a kill may come before the room's row has it.
        epoch.next(self.at, self.by)
    }
}
