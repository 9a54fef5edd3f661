//! Verification: reads everything that is stored, and names each fault.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use rusqlite::Connection;

use super::{ToolError, files, open};
use crate::chat::model::name::{NameError, RoomName, UserName, skeleton};
use crate::chat::model::record::Record;
use crate::store::Folder;
use crate::store::sqlite::heads;
use crate::store::sqlite::integers::{signed, unsigned};
use crate::store::sqlite::integrity;
use crate::store::sqlite::record_row::{self, COLUMNS, RowFault};
use crate::store::sqlite::room_row::RoomCounters;
use crate::store::sqlite::schema;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// SQLite has found it in the file.
    File(String),
    /// A room's name, and what is wrong with the room.
    Room(String, String),
    /// A record that is not what was written: its room, its seq, and why.
    Record(String, i64, String),
    /// Records that are not there: their room, and the first and the last seq.
    Gap(String, i64, i64),
    /// A file that somebody has sent, and what is wrong with it.
    Content(String),
    /// So many rows of a table belong to rooms that do not exist.
    Orphans(&'static str, i64),
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(what) => write!(f, "file: {what}"),
            Self::Content(what) => write!(f, "files: {what}"),
            Self::Room(room, what) => write!(f, "room {room}: {what}"),
            Self::Record(room, seq, why) => write!(f, "room {room}, record {seq}: {why}"),
            Self::Gap(room, from, to) if from == to => {
                write!(f, "room {room}: record {from} is missing")
            }
            Self::Gap(room, from, to) => {
                write!(f, "room {room}: records {from} to {to} are missing")
            }
            Self::Orphans(table, count) => write!(f, "{count} row(s) of {table} belong to no room"),
        }
    }
}

/// Names that are listed of those that would be refused now.
const NAMES_MAX: usize = 1_000;

/// How much was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Rooms that were looked at.
    pub rooms: u64,
    /// Records that were read, each against its checksum.
    pub records: u64,
    /// Faults that were reported; 0: the database is sound.
    pub faults: u64,
    /// Names of users and rooms that nobody could take now, each with why: they stay usable.
    pub names: Vec<String>,
}

/// Verifies the database in `data`, as it is at one moment, and calls `report` with each fault.
///
/// # Errors
///
/// [`ToolError`], if it cannot be read.
pub fn run(data: &Path, report: &mut dyn FnMut(&StoreFault)) -> Result<Verified, ToolError> {
    let path = open::path(data);
    verify((&open::read(&path)?, &path), &Folder::of(data), report)
}

/// Verifies the database in the file `path`, such as a backup.
///
/// # Errors
///
/// [`ToolError`], if it cannot be read.
pub fn file(path: &Path, report: &mut dyn FnMut(&StoreFault)) -> Result<Verified, ToolError> {
    verify((&open::backup(path)?, path), &Folder::beside(path), report)
}

fn verify(
    (db, path): (&Connection, &Path),
    folder: &Folder,
    report: &mut dyn FnMut(&StoreFault),
) -> Result<Verified, ToolError> {
    open::require_current(db, path)?;
    let mut found = check(db, report).map_err(ToolError::database(path))?;
    files::verify((db, path), folder, &mut |fault| {
        found.faults += 1;
        report(&StoreFault::Content(fault));
    })?;
    Ok(found)
}

/// Verifies a database that is open.
pub(super) fn check(
    db: &Connection,
    report: &mut dyn FnMut(&StoreFault),
) -> rusqlite::Result<Verified> {
    // A running server goes on: without a transaction its commits would look like faults.
    let transaction = db.unchecked_transaction()?;
    let mut verification = Verification { db: &transaction, report, found: Verified::default() };
    verification.file()?;
    verification.rooms()?;
    verification.names(
        "user",
        "SELECT user FROM member UNION SELECT user FROM restriction",
        |name| UserName::parse(name).map(drop),
    )?;
    verification.names("room", "SELECT name FROM room WHERE name NOT LIKE '@%'", |name| {
        RoomName::parse(name).map(drop)
    })?;
    // The `cid`s of a removed room stay until they are old.
    for table in ["record", "member", "restriction"] {
        verification.orphans(table)?;
    }
    // An old copy that is to be restored may be of a version without it.
    if schema::check_current(db).is_ok() {
        verification.orphans("former_name")?;
    }
    Ok(verification.found)
}

struct Verification<'a> {
    db: &'a Connection,
    report: &'a mut dyn FnMut(&StoreFault),
    found: Verified,
}

/// A room's row.
struct Room {
    id: i64,
    name: String,
    head: i64,
    oldest: i64,
    at: i64,
    bytes: i64,
}

/// What the records of a room add up to.
struct Tally {
    /// The seq that is expected next.
    next: i64,
    at: i64,
    bytes: i64,
    /// There is a last record, and it can be read.
    is_last_read: bool,
}

impl Verification<'_> {
    fn report(&mut self, fault: &StoreFault) {
        self.found.faults += 1;
        (self.report)(fault);
    }

    fn file(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.db.prepare("PRAGMA integrity_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let said: String = row.get(0)?;
            if said != "ok" {
                self.report(&StoreFault::File(said));
            }
        }
        if let Some(broken) = integrity::broken_checksum(self.db)? {
            self.report(&StoreFault::File(broken));
        }
        Ok(())
    }

    fn rooms(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT id, name, head, oldest, at, bytes FROM room ORDER BY name";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.found.rooms += 1;
            let [id, head, oldest, at, bytes] = [0, 2, 3, 4, 5].map(|index| row.get(index));
            let (id, head, oldest, at, bytes) = (id?, head?, oldest?, at?, bytes?);
            let [head, oldest, at, bytes] = [head, oldest, at, bytes].map(unsigned);
            // While a server runs, and after it was killed, the row lags behind the records.
            let counters = RoomCounters { head, oldest, at, bytes };
            let counters = heads::with_tail(self.db, id, counters)?;
            let RoomCounters { head, oldest, at, bytes } = counters;
            let [head, oldest, at, bytes] = [head, oldest, at, bytes].map(signed);
            self.room(&Room { id, name: row.get(1)?, head, oldest, at, bytes })?;
        }
        Ok(())
    }

    fn room(&mut self, room: &Room) -> rusqlite::Result<()> {
        if RoomName::stored(&room.name).is_none() {
            self.wrong(room, "its name is not valid".to_owned());
        }
        if room.oldest < 1 || room.oldest > room.head + 1 {
            let Room { head, oldest, .. } = room;
            self.wrong(room, format!("its records begin at {oldest} and end at {head}"));
        }
        let tally = self.records(room)?;
        if tally.next <= room.head {
            self.report(&StoreFault::Gap(room.name.clone(), tally.next, room.head));
        }
        if tally.next > room.oldest.max(room.head + 1) {
            let last = tally.next - 1;
            self.wrong(room, format!("its head is {}, and its last record {last}", room.head));
        }
        if tally.at > room.at {
            self.wrong(room, "its last record is newer than the room says".to_owned());
        }
        // Only where the last record is there and was read: of one that is not nothing is known.
        if tally.at < room.at && tally.next == room.head + 1 && tally.is_last_read {
            self.wrong(room, "its last record is older than the room says".to_owned());
        }
        if tally.bytes != room.bytes {
            let Tally { bytes, .. } = tally;
            self.wrong(room, format!("its records have {bytes} bytes, not {}", room.bytes));
        }
        Ok(())
    }

    /// Lists names that would be refused now, or taken for another one.
    fn names(
        &mut self,
        what: &str,
        sql: &str,
        parse: impl Fn(&str) -> Result<(), NameError>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.db.prepare(&format!("{sql} ORDER BY 1"))?;
        let mut rows = statement.query([])?;
        let mut seen = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let wrong = if let Err(NameError { expected, .. }) = parse(&name) {
                Some(format!("a new one is {expected}"))
            } else {
                let other = seen.insert(skeleton(&name).into_owned(), shown(&name));
                other.map(|other| format!("it looks like {other}"))
            };
            if let Some(why) = wrong.filter(|_| self.found.names.len() < NAMES_MAX) {
                self.found.names.push(format!("{what} {}: {why}", shown(&name)));
            }
        }
        Ok(())
    }

    fn wrong(&mut self, room: &Room, what: String) {
        self.report(&StoreFault::Room(room.name.clone(), what));
    }

    /// Reads all records of a room.
    fn records(&mut self, room: &Room) -> rusqlite::Result<Tally> {
        let sql = format!("SELECT {COLUMNS} FROM record WHERE room = ?1 ORDER BY seq");
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query([room.id])?;
        let mut tally = Tally { next: room.oldest, at: 0, bytes: 0, is_last_read: false };
        while let Some(row) = rows.next()? {
            self.found.records += 1;
            let seq: i64 = row.get("seq")?;
            if seq > tally.next {
                self.report(&StoreFault::Gap(room.name.clone(), tally.next, seq - 1));
            } else if seq < tally.next {
                self.wrong(room, format!("record {seq} is older than its oldest, {}", room.oldest));
            }
            // One gap is reported once: the count goes on after it.
            tally.next = tally.next.max(seq + 1);
            match record_row::decode(row) {
                Ok(record) => self.count(room, &record, &mut tally),
                Err(fault) => self.bad(room, (seq, fault), row, &mut tally),
            }
        }
        Ok(tally)
    }

    fn count(&mut self, room: &Room, record: &Record, tally: &mut Tally) {
        let bytes = record_row::text_bytes(record);
        tally.bytes = tally.bytes.saturating_add(signed(bytes));
        let at = signed(record.at);
        if at < tally.at {
            let why = "it is older than the one before".to_owned();
            self.report(&StoreFault::Record(room.name.clone(), signed(record.seq), why));
        }
        tally.at = tally.at.max(at);
        tally.is_last_read = true;
    }

    fn bad(
        &mut self,
        room: &Room,
        (seq, fault): (i64, RowFault),
        row: &rusqlite::Row<'_>,
        tally: &mut Tally,
    ) {
        // A damaged record still counts: otherwise the room would be reported as well.
        let len = |name| row.get_ref(name).ok()?.as_bytes_or_null().ok()?.map(<[u8]>::len);
        let bytes = len("text").unwrap_or(0) + len("data").unwrap_or(0);
        tally.bytes = tally.bytes.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        tally.is_last_read = false;
        self.report(&StoreFault::Record(room.name.clone(), seq, fault.to_string()));
    }

    fn orphans(&mut self, table: &'static str) -> rusqlite::Result<()> {
        // Maintenance removes the records of a removed room step by step.
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE room NOT IN (SELECT id FROM room) \
             AND 'gone ' || room NOT IN (SELECT key FROM meta)"
        );
        let count: i64 = self.db.query_row(&sql, [], |row| row.get(0))?;
        if count > 0 {
            self.report(&StoreFault::Orphans(table, count));
        }
        Ok(())
    }
}

/// A name with everything that is not plain spelt out, since it may show nothing or something else.
fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic();
    let spelt = name.chars().flat_map(char::escape_unicode).collect::<String>();
    if name.chars().all(plain) { name.to_owned() } else { format!("{name} ({spelt})") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, message, room, say};

    /// The faults of a database that was changed by this statement.
    #[track_caller]
    fn check(change: &str, expect: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        room(&db, 2, "empty");
        for _ in 0..5 {
            say(&db, 1, "ann", message("hello"));
        }
        db.execute("INSERT INTO member VALUES (1, 'ann', 1, 0, 0, 1)", []).unwrap();
        db.execute_batch(change).unwrap();
        let mut told = Vec::new();
        let found = run(folder.path(), &mut |fault| told.push(fault.to_string())).unwrap();
        assert_eq!(told, expect, "{change}");
        assert_eq!((found.rooms, found.faults), (2, u64::try_from(expect.len()).unwrap()));
    }

    #[test]
    fn a_whole_database_has_no_faults() {
        check("", &[]);
        let pruned = "DELETE FROM record WHERE seq < 3; \
                      UPDATE room SET oldest = 3, bytes = 15 WHERE id = 1";
        check(pruned, &[]);
        let dropped = "INSERT INTO record SELECT 9, 9, seq, at, sender, kind, target, who, number, \
                       text, data, cid, reply_to, thread, edited, weight, sum FROM record LIMIT 1; \
                       INSERT INTO meta VALUES ('gone 9', 1); \
                       INSERT INTO sent VALUES (1, 9, 'ann', 'c', 1, 1, 1)";
        check(dropped, &[]);
        check("DELETE FROM record; UPDATE room SET oldest = 6, bytes = 0 WHERE id = 1", &[]);
    }

    #[test]
    fn each_fault_is_named() {
        for (change, expect) in [
            (
                "UPDATE record SET text = 'forge' WHERE seq = 2",
                &["room lobby, record 2: its checksum does not match"][..],
            ),
            (
                "DELETE FROM record WHERE seq = 2; UPDATE room SET bytes = 20 WHERE id = 1",
                &["room lobby: record 2 is missing"],
            ),
            (
                "DELETE FROM record WHERE seq > 3; UPDATE room SET bytes = 15 WHERE id = 1",
                &["room lobby: records 4 to 5 are missing"],
            ),
            (
                "UPDATE room SET head = 4 WHERE id = 1",
                &["room lobby: its head is 4, and its last record 5"],
            ),
            (
                "UPDATE room SET oldest = 2 WHERE id = 1",
                &["room lobby: record 1 is older than its oldest, 2"],
            ),
            (
                "UPDATE room SET oldest = 7 WHERE id = 2",
                &["room empty: its records begin at 7 and end at 0"],
            ),
            (
                "UPDATE room SET bytes = 3 WHERE id = 1",
                &["room lobby: its records have 25 bytes, not 3"],
            ),
            (
                "UPDATE room SET at = 3 WHERE id = 1",
                &["room lobby: its last record is newer than the room says"],
            ),
            (
                "UPDATE room SET at = 2 * at WHERE id = 1",
                &["room lobby: its last record is older than the room says"],
            ),
            (
                "INSERT INTO meta VALUES ('sum', 5)",
                &["file: the checksum of rooms, members and restrictions does not match"],
            ),
            ("UPDATE room SET name = 'Empty' WHERE id = 2", &["room Empty: its name is not valid"]),
            ("UPDATE member SET room = 9", &["1 row(s) of member belong to no room"]),
        ] {
            check(change, expect);
        }
    }

    #[test]
    fn stored_names_that_would_be_refused_now_are_listed_and_no_faults() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        for (id, name) in [(1, "hall"), (2, "ha11"), (3, "a\u{1160}"), (4, "@ann:bi11")] {
            room(&db, id, name);
        }
        for user in ["ann", "bill", "bi11", "\u{430}nn"] {
            let sql = "INSERT INTO member (room, user, role, recv, read) VALUES (1, ?1, 1, 0, 0)";
            db.execute(sql, [user]).unwrap();
        }
        let found = run(folder.path(), &mut |fault| panic!("{fault}")).unwrap();
        let scripts = "letters of one script, or of Latin and another but Cyrillic and Greek";
        let letters = "1 to 32 bytes of lower-case letters, digits, '.', '_', '-', or '/' inside";
        let expect = [
            "user bill: it looks like bi11".to_owned(),
            format!("user \u{430}nn (\\u{{430}}\\u{{6e}}\\u{{6e}}): a new one is {scripts}"),
            format!("room a\u{1160} (\\u{{61}}\\u{{1160}}): a new one is {letters}"),
            "room hall: it looks like ha11".to_owned(),
        ];
        assert_eq!((found.faults, found.names), (0, expect.to_vec()));
    }

    #[test]
    fn a_file_that_is_damaged_inside_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        for _ in 0..50 {
            say(&db, 1, "ann", message(&"hello ".repeat(100)));
        }
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_record_1'";
        let page: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
        db.close().unwrap();
        let path = open::path(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let start = usize::try_from((page - 1) * 4096).unwrap();
        bytes[start..start + 4096].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let mut told = Vec::new();
        let outcome = run(folder.path(), &mut |fault| told.push(fault.to_string()));
        assert!(told.iter().any(|fault| fault.starts_with("file: ")), "{told:?} {outcome:?}");
    }
}
