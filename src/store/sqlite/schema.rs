//! The versions of the schema, and how a file gets from one to the next.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::lookalikes;

/// The statements that bring a file from each version to the next; the first makes it. One that was
/// released is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
];

/// The version with the table `lookalike`, whose forms SQL cannot make.
const LOOKALIKES_SINCE: i32 = 3;

/// The last version.
pub(in crate::store) const VERSION: usize = MIGRATIONS.len();

/// `application_id` of our files: "chwg".
const APPLICATION_ID: i32 = 0x6368_7767;

/// Why a file is not for this program.
#[derive(Debug)]
pub(in crate::store) enum Unfit {
    /// Another program has made it.
    Foreign,
    /// It has a later version of the schema: its version, and the last known one.
    Newer(i32, i32),
    /// It has an earlier version of the schema: its version, and the last known one.
    Older(i32, i32),
    /// There is nothing in it.
    Empty,
    /// The WAL beside it belongs to another file.
    WalMismatch,
    /// It is not a database, or a damaged one.
    Damaged(rusqlite::Error),
    /// It cannot be read or written.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged(error),
            _ => Self::Failed(error),
        }
    }
}

/// Checks that a file is ours and of a known version, and changes nothing.
pub(in crate::store) fn check(db: &Connection) -> Result<(), Unfit> {
    match version(db, MIGRATIONS.len())? {
        0 => Err(Unfit::Empty),
        _ => Ok(()),
    }
}

/// Checks that a file is ours and of the last version, for a command that reads every table.
pub(in crate::store) fn check_current(db: &Connection) -> Result<(), Unfit> {
    let known = last(MIGRATIONS.len());
    match version(db, MIGRATIONS.len())? {
        0 => Err(Unfit::Empty),
        found if found < known => Err(Unfit::Older(found, known)),
        _ => Ok(()),
    }
}

/// Brings a file to the last version, in one transaction: the version it had.
pub(in crate::store) fn migrate(db: &mut Connection) -> Result<i32, Unfit> {
    migrate_by(db, MIGRATIONS)
}

fn migrate_by(db: &mut Connection, migrations: &[&str]) -> Result<i32, Unfit> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&transaction, migrations.len())?;
    if from == last(migrations.len()) {
        // Nothing is written, which a slow disk would have to sync.
        return Ok(from);
    }
    for (version, migration) in (1..).zip(migrations) {
        if version > from {
            transaction.execute_batch(migration)?;
            if version == LOOKALIKES_SINCE && migrations.len() == MIGRATIONS.len() {
                lookalikes::fill(&transaction)?;
            }
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", last(migrations.len()))?;
    transaction.commit()?;
    Ok(from)
}

/// The version of the file, 0 if there is nothing in it.
fn version(db: &Connection, known: usize) -> Result<i32, Unfit> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let things: i64 = db.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let known = last(known);
    match (application, version) {
        (0, 0) if things == 0 => Ok(0),
        (APPLICATION_ID, version) if version > known => Err(Unfit::Newer(version, known)),
        (APPLICATION_ID, 1..) => Ok(version),
        _ => Err(Unfit::Foreign),
    }
}

fn last(migrations: usize) -> i32 {
    i32::try_from(migrations).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NEXT: &str = "CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT; \
                        INSERT INTO meta VALUES ('more', 1);";

    #[test]
    fn a_new_file_gets_the_last_version_and_keeps_it() {
        let mut db = Connection::open_in_memory().unwrap();
        assert!(matches!(check(&db), Err(Unfit::Empty)));
        assert_eq!(migrate(&mut db).unwrap(), 0);
        assert_eq!(migrate(&mut db).unwrap(), last(MIGRATIONS.len()));
        check(&db).unwrap();
    }

    #[test]
    fn a_newer_version_and_a_file_of_somebody_else_are_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        let known = last(MIGRATIONS.len());
        migrate_by(&mut db, &[MIGRATIONS, &[NEXT]].concat()).unwrap();
        let expect = (known + 1, known);
        assert!(matches!(migrate(&mut db), Err(Unfit::Newer(a, b)) if (a, b) == expect));
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
        assert!(matches!(migrate(&mut db), Err(Unfit::Foreign)));
        let tables: i64 =
            db.query_one("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_command_that_reads_every_table_refuses_an_earlier_version() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate_by(&mut db, &MIGRATIONS[..1]).unwrap();
        check(&db).unwrap();
        assert!(matches!(check_current(&db), Err(Unfit::Older(1, _))));
        migrate(&mut db).unwrap();
        check_current(&db).unwrap();
    }

    #[test]
    fn restrictions_of_the_first_version_are_kept() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate_by(&mut db, &MIGRATIONS[..1]).unwrap();
        db.execute_batch(
            "INSERT INTO standing VALUES (1, 'bob', 0, 5, 'rude'), (1, 'bob', 2, NULL, ''),
               (1, 'zoe', 2, NULL, '');
             INSERT INTO member VALUES (1, 'rea', 0, 0, 0), (1, 'mem', 1, 0, 0);",
        )
        .unwrap();
        assert_eq!(migrate(&mut db).unwrap(), 1);
        let count = |what: &str| {
            let sql = format!(
                "SELECT count(*) FROM restriction WHERE \"by\" IS NULL AND at IS NULL AND {what}"
            );
            db.query_one(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(count("user = 'bob' AND kind = 0 AND until = 5 AND reason = 'rude'"), 1);
        assert_eq!(count("user = 'bob' AND kind = 4"), 1, "was the mark of a member of before");
        assert_eq!(count("user = 'zoe' AND kind = 2"), 1);
        assert_eq!(count("user = 'rea' AND kind = 3"), 1, "a reader is one by name");
        assert_eq!(count("true"), 4);
    }

    #[test]
    fn a_file_of_the_fifth_version_keeps_its_rooms_and_takes_names_of_before() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate_by(&mut db, &MIGRATIONS[..5]).unwrap();
        db.execute_batch(
            "INSERT INTO room (id, name, epoch, durability, head, oldest, at, bytes, private, owned, \
             topic) VALUES (1, 'den', 7, 2, 3, 1, 0, 0, 0, 1, 'tea')",
        )
        .unwrap();
        assert_eq!(migrate(&mut db).unwrap(), 5);
        let count = |sql: &str| db.query_one(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM room WHERE name = 'den' AND topic = 'tea'"), 1);
        db.execute_batch("INSERT INTO former_name VALUES ('lair', 1, 0)").unwrap();
        db.execute_batch("DELETE FROM room WHERE id = 1").unwrap();
        assert_eq!(count("SELECT count(*) FROM former_name"), 0, "it goes with its room");
    }

    #[test]
    fn a_file_of_the_sixth_version_takes_what_users_say_of_themselves() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate_by(&mut db, &MIGRATIONS[..6]).unwrap();
        db.execute_batch("INSERT INTO block VALUES ('ann', 'bob', 1)").unwrap();
        assert_eq!(migrate(&mut db).unwrap(), 6);
        db.execute_batch("INSERT INTO profile VALUES ('ann', 'Ann', '', NULL, 0)").unwrap();
        let count = |sql: &str| db.query_one(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM block"), 1);
        assert_eq!(count("SELECT count(*) FROM profile WHERE until IS NULL"), 1);
    }

    #[test]
    fn a_file_of_the_seventh_version_takes_the_colours_of_names() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate_by(&mut db, &MIGRATIONS[..7]).unwrap();
        db.execute_batch("INSERT INTO profile VALUES ('ann', 'Ann', 'tea', 9)").unwrap();
        assert_eq!(migrate(&mut db).unwrap(), 7);
        let kept = "SELECT count(*) FROM profile WHERE text = 'tea' AND until = 9 AND color = 0";
        assert_eq!(db.query_one(kept, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    }

    /// What is in the files after each statement is what a kill there would leave.
    #[test]
    fn a_kill_inside_a_migration_leaves_the_old_or_the_new_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut db = Connection::open(&path).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        migrate_by(&mut db, &MIGRATIONS[..1]).unwrap();
        // A cache of one page, so that what is not committed comes to the file early.
        db.pragma_update(None, "cache_size", 1).unwrap();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let filler = "CREATE TABLE filler (x TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
                      SELECT i + 1 FROM n WHERE i < 500) INSERT INTO filler SELECT hex(zeroblob(2000)) FROM n;";
        let mut images = 0;
        for statement in [NEXT, filler, "PRAGMA user_version = 2"] {
            transaction.execute_batch(statement).unwrap();
            let image = tempfile::tempdir().unwrap();
            for file in ["a.db", "a.db-wal"] {
                fs::copy(folder.path().join(file), image.path().join(file)).unwrap();
            }
            let mut found = Connection::open(image.path().join("a.db")).unwrap();
            let more = "SELECT count(*) FROM sqlite_schema WHERE name IN ('more', 'filler')";
            let tables: i64 = found.query_one(more, [], |row| row.get(0)).unwrap();
            assert_eq!(tables, 0);
            assert_eq!(migrate_by(&mut found, &[MIGRATIONS[0], NEXT]).unwrap(), 1);
            images += 1;
        }
        assert_eq!(images, 3);
        transaction.commit().unwrap();
        assert_eq!(migrate_by(&mut db, &[MIGRATIONS[0], NEXT]).unwrap(), 2);
    }
}
