//! Files in the database: whose they are, how large, and which messages refer to them.
//!
//! A row is made once what is in the file lies in the folder, and what is in it is removed once no
//! row has its hash: a kill between the two leaves a file without a row, which the next start
//! removes, and never a row without a file.

use std::sync::mpsc::SyncSender;

use rusqlite::{Connection, OptionalExtension as _};

use super::integers::{signed, unsigned};
use crate::chat::model::file::{self, FileId, StoredFile};
use crate::chat::model::file_rows::{FileOutcome, Quota};
use crate::chat::model::record::Body;

/// Files that one sweep removes at most: a few milliseconds.
const SWEEP_MAX: i64 = 256;

/// What the writer is asked to do with files.
#[derive(Clone, Debug)]
pub(super) enum FileChange {
    /// Somebody has sent one at this time, in milliseconds since 1970.
    Put { file: StoredFile, owner: Box<str>, wall_ms: u64, quota: Quota },
    /// Look for one that somebody has, by its hash, as if it were sent at this time.
    Again { hash: Box<str>, owner: Box<str>, wall_ms: u64 },
    /// Forget those to which nothing has referred since this time.
    Sweep { before_ms: u64 },
}

/// Which files there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesThere {
    /// None at all.
    None,
    /// Only such as something refers to, or may still.
    Kept,
    /// Some to which nothing refers any more, or has for long.
    Loose,
}

/// What has come of a change, and who is told.
pub(super) type Answer = (SyncSender<FileOutcome>, FileOutcome);

/// Says what has come of changes, once they are committed.
pub(super) fn tell(answers: impl IntoIterator<Item = Answer>) {
    for (requester, outcome) in answers {
        // Whoever has asked may be gone with the server.
        _ = requester.try_send(outcome);
    }
}

/// Does what is asked, in the transaction of the batch.
pub(super) fn change(db: &Connection, change: &FileChange) -> rusqlite::Result<FileOutcome> {
    match change {
        FileChange::Put { file, owner, wall_ms, quota } => put(db, file, (owner, *wall_ms), *quota),
        FileChange::Again { hash, owner, wall_ms } => again(db, hash, (owner, *wall_ms)),
        FileChange::Sweep { before_ms } => sweep(db, *before_ms),
    }
}

fn put(
    db: &Connection,
    file: &StoredFile,
    (owner, wall_ms): (&str, u64),
    quota: Quota,
) -> rusqlite::Result<FileOutcome> {
    // In the transaction that adds it: two files that come at once cannot both take the last place.
    let (of_user, of_all) = used(db, owner)?;
    if of_user.saturating_add(file.bytes) > quota.per_user {
        return Ok(FileOutcome::UserFull(quota.per_user.saturating_sub(of_user)));
    }
    if of_all.saturating_add(file.bytes) > quota.total {
        return Ok(FileOutcome::Full);
    }
    let sql = "INSERT INTO file (id, hash, owner, bytes, kind, loose) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    // 0 is that of files to which something has referred.
    let since = signed(wall_ms).max(1);
    let row = (file.id.as_str(), &*file.hash, owner, signed(file.bytes), file.kind, since);
    db.prepare_cached(sql)?.execute(row)?;
    Ok(FileOutcome::Stored(file.hash.clone()))
}

fn again(
    db: &Connection,
    hash: &str,
    (owner, wall_ms): (&str, u64),
) -> rusqlite::Result<FileOutcome> {
    // One that stays needs no longer time; of several it is one and the same.
    let sql = "SELECT id, bytes, kind, loose IS NULL FROM file WHERE hash = ?1 AND owner = ?2 \
               ORDER BY loose IS NOT NULL, id LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| {
        let id: String = row.get(0)?;
        let (bytes, kind) = (unsigned(row.get(1)?), row.get(2)?);
        let file = FileId::parse(&id).map(|id| StoredFile { id, hash: hash.into(), bytes, kind });
        Ok((file, row.get::<_, bool>(3)?))
    };
    let found = db.prepare_cached(sql)?.query_row([hash, owner], read).optional()?;
    let Some((Some(file), stays)) = found else { return Ok(FileOutcome::Found(None)) };
    if !stays {
        let since = signed(wall_ms).max(1);
        let sql = "UPDATE file SET loose = ?1 WHERE id = ?2";
        db.prepare_cached(sql)?.execute((since, file.id.as_str()))?;
    }
    Ok(FileOutcome::Found(Some(file)))
}

/// Whether this user has a file with this hash.
pub(super) fn is_of(db: &Connection, hash: &str, owner: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM file WHERE hash = ?1 AND owner = ?2")?.exists([hash, owner])
}

/// Bytes of files of this user, and of all.
pub(super) fn used(db: &Connection, owner: &str) -> rusqlite::Result<(u64, u64)> {
    let sql = "SELECT coalesce(sum(bytes) FILTER (WHERE owner = ?1), 0), \
               coalesce(sum(bytes), 0) FROM file";
    let read = |row: &rusqlite::Row<'_>| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?)));
    db.prepare_cached(sql)?.query_one([owner], read)
}

fn sweep(db: &Connection, before_ms: u64) -> rusqlite::Result<FileOutcome> {
    let sql = "DELETE FROM file WHERE id IN (SELECT id FROM file WHERE loose < ?1 LIMIT ?2) \
               RETURNING hash";
    let hashes: Vec<String> = db
        .prepare_cached(sql)?
        .query_map((signed(before_ms), SWEEP_MAX), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let may_be_more = hashes.len() >= usize::try_from(SWEEP_MAX).unwrap_or(usize::MAX);
    let mut gone = Vec::new();
    for hash in hashes {
        // What is in a file is kept once, whoever has sent it: it goes with the last row.
        if !is_known(db, &hash)? {
            gone.push(hash.into());
        }
    }
    Ok(FileOutcome::Swept(gone, may_be_more))
}

/// Whether a file has this hash.
pub(in crate::store) fn is_known(db: &Connection, hash: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM file WHERE hash = ?1")?.exists([hash])
}

/// Whether there is something to be swept.
pub(super) fn look_for_loose(db: &Connection, before_ms: u64) -> rusqlite::Result<FilesThere> {
    if db.prepare_cached("SELECT 1 FROM file WHERE loose < ?1")?.exists([signed(before_ms)])? {
        return Ok(FilesThere::Loose);
    }
    let is_any = db.prepare_cached("SELECT 1 FROM file")?.exists([])?;
    Ok(if is_any { FilesThere::Kept } else { FilesThere::None })
}

/// The file of this name.
pub(super) fn find(db: &Connection, id: &FileId) -> rusqlite::Result<Option<StoredFile>> {
    let sql = "SELECT hash, bytes, kind FROM file WHERE id = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let hash: String = row.get(0)?;
        let (bytes, kind) = (unsigned(row.get(1)?), row.get(2)?);
        Ok(StoredFile { id: id.clone(), hash: hash.into(), bytes, kind })
    };
    db.prepare_cached(sql)?.query_row([id.as_str()], read).optional()
}

/// Whether a message refers to a file that its sender has not sent, or that is gone.
pub(super) fn is_missing(db: &Connection, from: &str, body: &Body) -> rusqlite::Result<bool> {
    let Body::Message { data: Some(data), .. } = body else { return Ok(false) };
    for id in file::references(data) {
        let sql = "SELECT 1 FROM file WHERE id = ?1 AND owner = ?2";
        if !db.prepare_cached(sql)?.exists((id.as_str(), from))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Notes to which files a record that was stored refers.
pub(super) fn note(db: &Connection, (room, seq): (i64, u64), body: &Body) -> rusqlite::Result<()> {
    let Body::Message { data: Some(data), .. } = body else { return Ok(()) };
    for id in file::references(data) {
        let sql = "INSERT INTO file_use (room, seq, file) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute((room, signed(seq), id.as_str()))?;
        db.prepare_cached("UPDATE file SET loose = NULL WHERE id = ?1")?.execute([id.as_str()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    const QUOTA: Quota = Quota { per_user: 100, total: 150 };

    fn database() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        db
    }

    fn file(number: u8, bytes: u64) -> StoredFile {
        let id = FileId::of([number; 20]);
        StoredFile { id, hash: format!("hash{}", number % 10).into(), bytes, kind: 0 }
    }

    fn stored(number: u8) -> FileOutcome {
        FileOutcome::Stored(file(number, 0).hash)
    }

    fn put(db: &Connection, number: u8, bytes: u64, owner: &str) -> FileOutcome {
        let file = file(number, bytes);
        let put = FileChange::Put { file, owner: owner.into(), wall_ms: 1_000, quota: QUOTA };
        change(db, &put).unwrap()
    }

    fn swept(db: &Connection, before_ms: u64) -> Vec<Box<str>> {
        match change(db, &FileChange::Sweep { before_ms }).unwrap() {
            FileOutcome::Swept(gone, false) => gone,
            other => panic!("{other:?}"),
        }
    }

    /// Stores a message of this room and seq that refers to a file.
    fn refer(db: &Connection, (room, seq): (i64, u64), number: u8) {
        let data = format!(r#"{{"files":[{{"id":"{}"}}]}}"#, FileId::of([number; 20]));
        let sql = "INSERT INTO record (room, seq, at, sender, kind, text, data, weight, sum) \
                   VALUES (?1, ?2, 1, 'ann', 0, 'x', ?3, 1, 0)";
        db.execute(sql, (room, signed(seq), &data)).unwrap();
        let body = Body::Message {
            text: "x".into(),
            data: Some(data.into()),
            cid: None,
            reply_to: None,
            thread: None,
            edited: None,
        };
        assert!(!is_missing(db, "ann", &body).unwrap());
        assert!(is_missing(db, "bob", &body).unwrap(), "who has not sent it may not refer to it");
        note(db, (room, seq), &body).unwrap();
    }

    #[test]
    fn nobody_has_more_than_the_quota_and_neither_have_all() {
        let db = database();
        assert_eq!(put(&db, 1, 60, "ann"), stored(1));
        assert_eq!(put(&db, 2, 41, "ann"), FileOutcome::UserFull(40));
        assert_eq!(put(&db, 3, 40, "ann"), stored(3));
        assert_eq!(put(&db, 4, 51, "bob"), FileOutcome::Full);
        assert_eq!(put(&db, 5, 50, "bob"), stored(5));
    }

    #[test]
    fn what_a_user_has_is_found_by_its_hash_and_stays_as_if_it_were_new() {
        let db = database();
        let again = |owner: &str, wall_ms| {
            let again = FileChange::Again { hash: "hash1".into(), owner: owner.into(), wall_ms };
            match change(&db, &again).unwrap() {
                FileOutcome::Found(found) => found.map(|file| file.id),
                other => panic!("{other:?}"),
            }
        };
        put(&db, 1, 10, "ann");
        put(&db, 11, 10, "ann");
        assert_eq!(again("bob", 2_000), None, "nobody finds what others have");
        assert_eq!(again("ann", 2_000), Some(FileId::of([1; 20])));
        assert!(swept(&db, 2_000).is_empty(), "the same is in the one that stays");
        assert_eq!(find(&db, &FileId::of([11; 20])).unwrap(), None);
        assert_eq!(swept(&db, 2_001), ["hash1".into()]);
        assert_eq!(again("ann", 3_000), None);
    }

    #[test]
    fn a_file_to_which_nothing_refers_goes_after_a_while() {
        let db = database();
        put(&db, 1, 10, "ann");
        assert_eq!(look_for_loose(&db, 1_000).unwrap(), FilesThere::Kept);
        assert!(swept(&db, 1_000).is_empty());
        assert_eq!(look_for_loose(&db, 1_001).unwrap(), FilesThere::Loose);
        assert_eq!(swept(&db, 1_001), ["hash1".into()]);
        assert_eq!(find(&db, &FileId::of([1; 20])).unwrap(), None);
        assert_eq!(look_for_loose(&db, 1_001).unwrap(), FilesThere::None);
        assert!(swept(&db, u64::MAX).is_empty());
    }

    #[test]
    fn a_file_goes_with_the_last_message_that_refers_to_it_however_that_goes() {
        for how in [
            "DELETE FROM record WHERE room = 1",
            "UPDATE record SET text = NULL, data = NULL WHERE room = 1",
        ] {
            let db = database();
            put(&db, 1, 10, "ann");
            refer(&db, (1, 1), 1);
            refer(&db, (2, 7), 1);
            assert!(swept(&db, u64::MAX >> 1).is_empty());
            db.execute(how, []).unwrap();
            assert!(swept(&db, u64::MAX >> 1).is_empty(), "{how}: the other room has it");
            db.execute("DELETE FROM record WHERE room = 2", []).unwrap();
            // At once, and not after a while.
            assert_eq!(swept(&db, 1), ["hash1".into()], "{how}");
            let left: i64 =
                db.query_one("SELECT count(*) FROM file_use", [], |row| row.get(0)).unwrap();
            assert_eq!(left, 0);
        }
    }

    #[test]
    fn what_two_files_have_in_common_stays_until_both_are_gone() {
        let db = database();
        put(&db, 1, 10, "ann");
        put(&db, 11, 10, "bob");
        refer(&db, (1, 1), 1);
        assert!(swept(&db, 2_000).is_empty(), "the other one has the same hash");
        db.execute("DELETE FROM record", []).unwrap();
        assert_eq!(swept(&db, 2_000), ["hash1".into()]);
    }
}
