//! What the setting of the wall clock moves: the ends of terms, which keep their length.

use rusqlite::Connection;

use super::room_meta;
use super::suspensions;

/// Moves the ends of all terms by as much as the wall clock was set, those of restrictions only in
/// the rooms that are meant.
///
/// # Errors
///
/// What the database says.
pub(super) fn shift(
    db: &Connection,
    step_ms: i64,
    is_meant: impl Fn(i64) -> bool,
) -> rusqlite::Result<()> {
    suspensions::shift(db, step_ms)?;
    room_meta::shift_terms(db, step_ms, is_meant)?;
    // A moment is neither below 0, nor beyond what a number of SQLite holds.
    let sql = "UPDATE invite SET until = max(0, min(until, 9223372036854775807 - max(?1, 0)) + ?1)";
    db.execute(sql, [step_ms])?;
    let sql = "UPDATE profile SET until = max(0, min(until, 9223372036854775807 - max(?1, 0)) + ?1) \
               WHERE until IS NOT NULL";
    db.execute(sql, [step_ms])?;
    // Since when nothing refers to a file: 0 is not a moment.
    let sql = "UPDATE file SET loose = max(1, loose + ?1) WHERE loose > 0";
    db.execute(sql, [step_ms]).map(drop)
}
