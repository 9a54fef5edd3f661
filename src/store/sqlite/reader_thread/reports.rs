//! What the reader logs of the file, no more often than is of use.

use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::super::read_transaction::DamagedRecord;
use crate::chat::model::log::LogFault;
use crate::log::Throttle;
use crate::time::Tick;

/// The throttles of its lines.
#[derive(Debug)]
pub(super) struct Reports {
    damage: Throttle,
    failures: Throttle,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            damage: Throttle::new(10, Duration::from_secs(10)),
            failures: Throttle::new(1, Duration::from_secs(10)),
        }
    }
}

impl Reports {
    /// What a failure of the connection is to those who asked. The connection is dropped: the next
    /// query opens another.
    pub(super) fn fault_of(&mut self, now: Tick, error: &rusqlite::Error) -> LogFault {
        if let Some(suppressed) = self.failures.admit(now) {
            log::error!(suppressed, cause:% = error; "cannot read the store");
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LogFault::Corrupt,
            _ => LogFault::Broken,
        }
    }

    /// Names the records that could not be read.
    pub(super) fn damaged(&mut self, now: Tick, db: &Connection, damaged: &[DamagedRecord]) {
        for DamagedRecord { room, seq, fault } in damaged {
            let Some(suppressed) = self.damage.admit(now) else { continue };
            let why = fault.map_or_else(|| "it is missing".to_owned(), |fault| fault.to_string());
            let room = room_name(db, *room).unwrap_or_default();
            log::error!(
                suppressed, room:% = room, seq, why:% = why;
                "a stored record cannot be read: run chinwag verify, and restore a backup"
            );
        }
    }
}

fn room_name(db: &Connection, room: i64) -> Option<String> {
    db.query_row("SELECT name FROM room WHERE id = ?1", [room], |row| row.get(0)).ok()
}
