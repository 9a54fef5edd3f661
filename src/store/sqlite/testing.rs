//! Databases for tests, without the writer.

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{record_row, schema};
use crate::chat::model::name::UserName;
use crate::chat::model::record::{Body, Record};

/// Where [`database`] is.
pub(in crate::store) fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("chinwag.db")
}

/// An empty database.
pub(in crate::store) fn database(folder: &TempDir) -> Connection {
    let mut db = Connection::open(path(folder)).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    // What is committed need not outlive the test.
    db.pragma_update(None, "synchronous", "OFF").unwrap();
    schema::migrate(&mut db).unwrap();
    db
}

/// A user of this name.
pub(in crate::store) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// A message of this text.
pub(in crate::store) fn message(text: &str) -> Body {
    Body::plain(text, None)
}

/// Puts an empty room there.
pub(in crate::store) fn room(db: &Connection, id: i64, name: &str) {
    let sql = "INSERT INTO room (id, name, epoch, durability, head, oldest, at, bytes, private, \
               owned, policy, topic) VALUES (?1, ?2, ?3, 2, 0, 1, 0, 0, 0, 0, NULL, '')";
    db.execute(sql, (id, name, 1_000 + id)).unwrap();
}

/// Says something there: the record's seq.
pub(in crate::store) fn say(db: &Connection, room: i64, from: &str, body: Body) -> u64 {
    say_heavy(db, room, from, body, 300)
}

/// A database with so many messages in one room.
pub(in crate::store) fn stored(messages: usize) -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "lobby");
    for _ in 0..messages {
        say(&db, 1, "ann", message("hello"));
    }
    (folder, db)
}

/// Says something of this weight there: the record's seq.
pub(in crate::store) fn say_heavy(
    db: &Connection,
    room: i64,
    from: &str,
    body: Body,
    weight: u32,
) -> u64 {
    let head: i64 =
        db.query_row("SELECT head FROM room WHERE id = ?1", [room], |row| row.get(0)).unwrap();
    let seq = u64::try_from(head).unwrap() + 1;
    let record = Record { seq, at: 1_763_700_000_000 + seq, from: user(from), body, weight };
    record_row::write(&mut db.prepare_cached(record_row::INSERT).unwrap(), room, &record).unwrap();
    let bytes = record_row::text_bytes(&record);
    let sql = "UPDATE room SET head = ?2, at = ?3, bytes = bytes + ?4 WHERE id = ?1";
    let number = |number| i64::try_from(number).unwrap();
    db.execute(sql, (room, number(seq), number(record.at), number(bytes))).unwrap();
    seq
}
