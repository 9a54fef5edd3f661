//! The table `meta`: what concerns the file as a whole, by key.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, ToSql};

use super::integers::{signed, unsigned};
use crate::time::wall_watch::Kept;

/// 1 if the file was closed in good order, otherwise 0.
pub(in crate::store) const CLEAN: &str = "clean";
/// In which boot of the machine the file was opened last.
pub(super) const BOOT: &str = "boot";
/// A number that no other file has.
pub(super) const FILE_ID: &str = "file";
/// The one that the file had before the last start, until the file itself has the new one.
pub(super) const FILE_ID_BEFORE: &str = "file before";
/// When the wall clock was set last, and what it showed last.
const CLOCK_SET: &str = "clock set";
const CLOCK_SEEN: &str = "clock seen";
/// What tells the file from a copy of it, see `copy_mark.rs`.
pub(in crate::store) const MARKS: &str = "marks";
/// While the file is closed in good order: a checksum over rooms, members and restrictions.
pub(super) const CHECKSUM: &str = "sum";
/// Present once a failure has cost records: there may be some below the oldest of a room.
pub(super) const REPAIRED: &str = "mended";
/// While the file is in use: the id of the last record that rooms and `cid`s are booked up to. What
/// comes after it is found in the records themselves.
pub(in crate::store) const BOOKED: &str = "booked";
/// The key of the hashes in the table `cid`.
pub(super) const CID_SECRET: &str = "cid key";
/// The id of the last record whose `cid` was forgotten for its age.
pub(super) const FORGOTTEN: &str = "forgotten";
/// The id of the last record whose words are in the index.
pub(super) const INDEXED: &str = "searched";
/// 1 if the names of rooms' members are proved, unless table `identity` says otherwise.
pub(super) const PROVED: &str = "proved";
/// How often many rooms were given new epochs, see `renewals.rs`; the last time that all were, and
/// those of level `os`, and when.
pub(super) const RENEWALS: &str = "renewals";
pub(super) const RENEWED_ALL: &str = "renewed all";
pub(super) const RENEWED_OS: &str = "renewed os";
pub(super) const RENEWED_AT: &str = "renewed at";
/// By what these epochs differ from those of another copy of the file.
pub(super) const RENEWED_BY: &str = "renewed by";
/// Where what is in the file has moved, see `moving_state.rs`.
pub(in crate::store) const MOVED: &str = "moved";
/// How texts were put into the index.
pub(super) const INDEX_VERSION: &str = "words";

/// How many changes commands have made beside a server, and the last one that a server has applied:
/// see `commands.rs`.
pub(super) const COMMANDS: &str = "commands";
pub(super) const APPLIED: &str = "applied";

/// Begins the keys of erasures of users that are not finished: the user's name follows, and for a
/// direct conversation its row id. The values are the names that stand for the user.
pub(in crate::store) const ERASURE: &str = "erase ";

/// Changes a number, so that there is something to commit; it is on the page of the file's own
/// number.
pub(in crate::store) const PROBE: &str =
    "INSERT INTO meta VALUES ('probe', 1) ON CONFLICT DO UPDATE SET value = value + 1";

/// The value of a key, if there is one.
pub(in crate::store) fn get<T: FromSql>(db: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    db.prepare_cached(sql)?.query_one([key], |row| row.get(0)).optional()
}

/// Sets the value of a key.
pub(in crate::store) fn put(db: &Connection, key: &str, value: impl ToSql) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
    db.prepare_cached(sql)?.execute((key, value)).map(drop)
}

/// What is known of the wall clock from earlier starts.
pub(super) fn clock(db: &Connection) -> rusqlite::Result<Option<Kept>> {
    let [since, seen] = [CLOCK_SET, CLOCK_SEEN].map(|key| get::<i64>(db, key));
    let kept = |(since, seen)| Kept { since_ms: unsigned(since), seen_ms: unsigned(seen) };
    Ok(since?.zip(seen?).map(kept))
}

/// Keeps what is known of the wall clock for the next start.
pub(super) fn put_clock(db: &Connection, Kept { since_ms, seen_ms }: Kept) -> rusqlite::Result<()> {
    put(db, CLOCK_SET, signed(since_ms))?;
    put(db, CLOCK_SEEN, signed(seen_ms))
}

/// The users whose erasures are not finished.
pub(super) fn unfinished_erasures(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT substr(key, length(?1) + 1) FROM meta WHERE key GLOB ?1 || '*' \
               AND key NOT GLOB ?1 || '* *'";
    db.prepare(sql)?.query_map([ERASURE], |row| row.get(0))?.collect()
}
