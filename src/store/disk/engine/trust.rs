//! Whether the file is as it should be: what the last batches have written is looked at before it is trusted
//! again, everything else behind the service that goes on (see [`check`](super::super::check)).

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

use crate::chat::model::log::LogReply;
use crate::time::Tick;
use crate::time::clock::Now;

use super::super::check::Found;
use super::super::fault::damaged;
use super::super::row::{self, COLUMNS};
use super::Engine;

/// Rows of each table that are looked at before the file is trusted again: more than two batches can write.
const LATEST: u32 = 2048;
/// After a look that was broken off, the next one.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

impl Engine {
    /// The whole file is to be looked at, from then on.
    pub(in crate::store::disk) const fn doubt(&mut self, at: Tick) {
        self.look_at = at;
    }

    /// When the whole file is to be looked at, [`Tick::MAX`] if it need not be.
    pub(in crate::store::disk) const fn look_at(&self) -> Tick {
        self.look_at
    }

    /// Takes up what a look at the whole file has come to: what the domain is to be told.
    pub(in crate::store::disk) fn looked(&mut self, now: Now, found: &Found) -> Option<LogReply> {
        let file = self.db.path().display().to_string();
        match found {
            Found::Sound => {
                log::info!(file; "the whole file was looked at: nothing is wrong");
                None
            }
            Found::Damaged(what) => {
                let fault = self.begin_trouble(now, &damaged(what.clone()));
                Some(LogReply::Health(Err(fault)))
            }
            Found::BrokenOff(why) => {
                log::warn!(file, why; "the look at the whole file was broken off; see `chinwag verify`");
                self.doubt(now.tick.after(LOOK_AGAIN));
                None
            }
        }
    }
}

/// Looks at what was written last, which is what a write that failed may have left half done: each record must be
/// what was written and be found by its place, each `cid` by whose it is.
pub(super) fn check_latest(db: &Connection) -> rusqlite::Result<()> {
    check_records(db)?;
    check_cids(db)
}

fn check_records(db: &Connection) -> rusqlite::Result<()> {
    let sql = format!("SELECT {COLUMNS}, id FROM record ORDER BY id DESC LIMIT ?1");
    let mut statement = db.prepare(&sql)?;
    let mut find = db.prepare("SELECT id FROM record WHERE room = ?1 AND seq = ?2")?;
    let mut rows = statement.query([LATEST])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get("id")?;
        let record = row::decode(row).map_err(|fault| damaged(format!("record {id}: {fault}")))?;
        let place = (row.get::<_, i64>("room")?, row::signed(record.seq));
        let found = find.query_row(place, |row| row.get::<_, i64>(0)).optional()?;
        if found != Some(id) {
            return Err(damaged(format!("record {id} is not found by its room and seq")));
        }
    }
    Ok(())
}

fn check_cids(db: &Connection) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare("SELECT id, room, sender, cid FROM sent ORDER BY id DESC LIMIT ?1")?;
    let mut find =
        db.prepare("SELECT id FROM sent WHERE room = ?1 AND sender = ?2 AND cid = ?3")?;
    let mut rows = statement.query([LATEST])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let whose = (row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?);
        let whose = (whose.0.as_i64()?, whose.1.as_str()?, whose.2.as_str()?);
        let found = find.query_row(whose, |row| row.get::<_, i64>(0)).optional()?;
        if found != Some(id) {
            return Err(damaged(format!("cid {id} is not found by whose it is")));
        }
    }
    Ok(())
}
