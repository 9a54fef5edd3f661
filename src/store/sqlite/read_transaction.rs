//! Reading records for one query, in one transaction.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _};

use super::integers::unsigned;
use super::record_row::{self, RowFault};
use crate::chat::model::record::SharedRecord;

/// Why a query has no answer.
#[derive(Debug)]
pub(super) enum QueryFault {
    /// What the database says.
    Database(rusqlite::Error),
    /// A record is damaged or missing: [`ReadTransaction::damaged`] says which.
    Corrupt,
    /// The query takes too long.
    TooDear,
}

impl From<rusqlite::Error> for QueryFault {
    fn from(error: rusqlite::Error) -> Self {
        // Only the time limit of a query interrupts it.
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::TooDear,
            _ => Self::Database(error),
        }
    }
}

/// A record that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct DamagedRecord {
    /// The row id of its room.
    pub(in crate::store) room: i64,
    /// Its seq.
    pub(in crate::store) seq: u64,
    /// What is wrong with it, `None` if it is missing.
    pub(in crate::store) fault: Option<RowFault>,
}

/// The transaction of one query, and what could not be read in it.
#[derive(Debug)]
pub(in crate::store) struct ReadTransaction<'a> {
    pub(in crate::store) db: &'a Connection,
    pub(in crate::store) damaged: Vec<DamagedRecord>,
}

impl<'a> ReadTransaction<'a> {
    /// A transaction should be open on `db`, so that everything is read as of one moment.
    pub(in crate::store) const fn new(db: &'a Connection) -> Self {
        Self { db, damaged: Vec::new() }
    }

    /// The first seq of a room that is there, and the last.
    pub(in crate::store) fn extent(
        &self,
        room: Option<i64>,
    ) -> rusqlite::Result<RangeInclusive<u64>> {
        // The room's row may lag.
        let sql = "SELECT oldest, ifnull((SELECT max(seq) FROM record WHERE room = ?1 AND seq > head \
                   AND id > (SELECT value FROM meta WHERE key = 'booked')), head) FROM room WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let row = statement.query_row([room], |row| Ok((row.get(0)?, row.get(1)?)));
        let (oldest, head): (i64, i64) = row.optional()?.unwrap_or((1, 0));
        Ok(unsigned(oldest)..=unsigned(head))
    }

    /// The record of a row; `None`, and noted as damaged, if it cannot be read.
    pub(in crate::store) fn decode(
        &mut self,
        row: &rusqlite::Row<'_>,
        room: i64,
    ) -> Option<SharedRecord> {
        match record_row::decode(row) {
            Ok(record) => Some(Arc::new(record)),
            Err(fault) => {
                let seq = unsigned(row.get("seq").unwrap_or_default());
                self.damaged.push(DamagedRecord { room, seq, fault: Some(fault) });
                None
            }
        }
    }
}
