//! Export: all records of a room, in order, in bounded memory.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::{ToolError, open};
use crate::chat::model::name::RoomName;
use crate::chat::model::record::{Epoch, Record};
use crate::store::sqlite::integers::{signed, unsigned};
use crate::store::sqlite::record_row::{self, COLUMNS, RowFault};

/// Records that are read at once. No transaction is open between two pages, which would keep the
/// WAL from being truncated while a slow consumer takes its time.
const PAGE: u32 = 500;

/// One step of an export.
#[derive(Debug)]
pub enum Exported<'a> {
    /// A record.
    Record(&'a Record),
    /// A record that cannot be read, and why.
    Bad(u64, String),
}

/// The export of one room.
#[derive(Debug)]
pub struct Export {
    db: Connection,
    id: i64,
    epoch: Epoch,
}

impl Export {
    /// The room's records in the database in `data`.
    ///
    /// # Errors
    ///
    /// [`ToolError`]: [`ToolError::NoRoom`] if there is none of this name.
    pub fn open(data: &Path, room: &RoomName) -> Result<Self, ToolError> {
        let path = open::path(data);
        let db = open::read(&path)?;
        let sql = "SELECT id, epoch FROM room WHERE name = ?1";
        let found = db.query_row(sql, [room.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
        let found = found.optional().map_err(ToolError::database(&path))?;
        let (id, epoch): (i64, i64) =
            found.ok_or_else(|| ToolError::NoRoom(room.as_str().to_owned()))?;
        Ok(Self { db, id, epoch: Epoch(epoch.cast_unsigned()) })
    }

    /// The room's epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Calls `each` with each record, until it fails.
    ///
    /// # Errors
    ///
    /// What the database says, or what `each` does.
    pub fn run<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(Exported<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut last = 0;
        while let page @ [.., (seq, _)] = self.page(last)?.as_slice() {
            last = *seq;
            for (seq, record) in page {
                each(match record {
                    Ok(record) => Exported::Record(record),
                    Err(fault) => Exported::Bad(*seq, fault.to_string()),
                })?;
            }
        }
        Ok(())
    }

    /// The next records above a seq.
    fn page(&self, above: u64) -> rusqlite::Result<Vec<(u64, Result<Record, RowFault>)>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM record WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT {PAGE}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map((self.id, signed(above)), |row| {
            let seq: i64 = row.get("seq")?;
            Ok((unsigned(seq), record_row::decode(row)))
        })?;
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, message, room, say};

    fn name(text: &str) -> RoomName {
        RoomName::parse(text).unwrap()
    }

    #[test]
    fn all_records_are_handed_out_in_order_and_what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "other");
        room(&db, 2, "lobby");
        let count = 2 * u64::from(PAGE) + 3;
        for _ in 0..count {
            say(&db, 1, "bob", message("no"));
            say(&db, 2, "ann", message("hello"));
        }
        db.execute("UPDATE record SET text = 'forged' WHERE seq = 7", []).unwrap();
        let export = Export::open(folder.path(), &name("lobby")).unwrap();
        assert_eq!(export.epoch(), Epoch(1_002));
        let (mut seqs, mut bad) = (Vec::new(), Vec::new());
        export
            .run(|step| {
                match step {
                    Exported::Record(record) => seqs.push(record.seq),
                    Exported::Bad(seq, _) => bad.push(seq),
                }
                Ok::<_, rusqlite::Error>(())
            })
            .unwrap();
        assert_eq!(bad, [7]);
        assert_eq!(seqs, (1..=count).filter(|seq| *seq != 7).collect::<Vec<_>>());
    }

    #[test]
    fn a_room_or_a_database_that_is_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Export::open(folder.path(), &name("lobby")).unwrap_err();
        assert!(matches!(missing, ToolError::Missing(_)), "{missing}");
        drop(database(&folder));
        let missing = Export::open(folder.path(), &name("lobby")).unwrap_err();
        assert!(matches!(missing, ToolError::NoRoom(_)), "{missing}");
    }
}
