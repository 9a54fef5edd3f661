//! The same rows in the same batches by plain `rusqlite`: what the disk and `SQLite` take of the
//! time.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, params};

use crate::Outcome;

/// The store's own tables.
const SCHEMA: &str = include_str!("../../../../src/store/sqlite/schema.sql");

/// Rows a second, committed and synced, in batches of `batch` rows over `rooms` rooms.
pub(crate) fn rows_per_s(
    path: &Path,
    batch: u64,
    rooms: u64,
    text: &str,
    time: Duration,
) -> Outcome<f64> {
    let mut database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    // As the store has them: with SQLite's own it would be slower.
    database.pragma_update(None, "wal_autocheckpoint", 16 * 1024)?;
    database.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    database.pragma_update(None, "cache_size", -16 * 1024)?;
    database.execute_batch(SCHEMA)?;
    for room in 0..rooms {
        let sql = "INSERT INTO room VALUES (?1, ?2, 1, 2, 0, 1, 0, 0, 0, 0, NULL, '')";
        database.execute(sql, params![i64::try_from(room)?, format!("d{room}")])?;
    }
    let (begin, mut rows) = (Instant::now(), 0_u64);
    while begin.elapsed() < time {
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for row in rows..rows + batch {
            insert(&transaction, row, rooms, text)?;
        }
        rows += batch;
        transaction.commit()?;
    }
    let whole = u32::try_from(rows)?;
    Ok(f64::from(whole) / begin.elapsed().as_secs_f64())
}

fn insert(database: &Connection, row: u64, rooms: u64, text: &str) -> Outcome<()> {
    let (room, seq, at) =
        (i64::try_from(row % rooms)?, i64::try_from(row / rooms + 1)?, 1_763_700_000_123_i64);
    let (sender, cid) = (format!("c{room}"), format!("c{room}-{seq}"));
    let sql = "INSERT INTO record (room, seq, at, sender, kind, text, cid, weight, sum) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, 200, 1)";
    database.prepare_cached(sql)?.execute(params![room, seq, at, sender, text, cid])?;
    let sql = "INSERT INTO sent (room, sender, cid, seq, at, hash) VALUES (?1, ?2, ?3, ?4, ?5, 1)";
    database.prepare_cached(sql)?.execute(params![room, sender, cid, seq, at])?;
    let sql = "UPDATE room SET head = ?2, at = ?3, bytes = bytes + 120 WHERE id = ?1";
    database.prepare_cached(sql)?.execute(params![room, seq, at])?;
    Ok(())
}
