//! What commands beside the server change in the file, and how each learns that the server has
//! applied it.
//!
//! ```text
//!  command              │ writer                         │ loop
//!  change, number it ───┼▶ read what is kept, reply ─────┼▶ handle the replies
//!  wait for the number ◀┼─ note the number in the file ◀─┼─ no further reply
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::integers::unsigned;
use super::meta_table::{self, APPLIED, COMMANDS};
use super::outbox::{self, StoredWebhook};
use super::{people, suspensions};
use crate::chat::model::log::Suspensions;
use crate::chat::model::people::People;

/// Numbers the change that is made in this transaction of a command.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn number(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "INSERT INTO meta VALUES (?1, 1) \
               ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value";
    db.query_one(sql, [COMMANDS], |row| row.get(0)).map(unsigned)
}

/// The last change that a server has applied.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn applied(db: &Connection) -> rusqlite::Result<u64> {
    read(db, APPLIED)
}

fn read(db: &Connection, key: &str) -> rusqlite::Result<u64> {
    Ok(meta_table::get(db, key)?.map_or(0, unsigned))
}

/// How far the loop is with what commands have changed.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last change of which all replies are in the channel.
    told: AtomicU64,
    /// The last one of which all were handled.
    handled: AtomicU64,
}

impl Progress {
    /// All replies about the changes up to this one are in the channel: whether that is news, so
    /// that the loop is to be woken.
    pub(super) fn tell(&self, change: u64) -> bool {
        self.told.swap(change, Ordering::AcqRel) != change
    }

    /// What is handled once the loop finds no further reply. To be asked before it looks.
    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::Acquire)
    }

    /// The loop has found no further reply.
    pub(super) fn handle(&self, told: u64) {
        self.handled.store(told, Ordering::Release);
    }

    /// The last change that was handled.
    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Acquire)
    }
}

/// What another process may have changed.
#[derive(Debug)]
pub(super) struct Changed {
    /// What is kept of people.
    pub(super) people: People,
    /// Who may not use the server.
    pub(super) suspended: Suspensions,
    pub(super) webhooks: Vec<StoredWebhook>,
}

/// Notices when another process has changed the file.
#[derive(Debug, Default)]
pub(super) struct CommandWatch {
    /// The last `PRAGMA data_version` of this connection, which changes with every commit of
    /// another.
    version: Option<i64>,
    /// The number of the last change that was read.
    pub(super) last: u64,
    /// The last one of which the file says that it is applied.
    pub(super) applied: u64,
}

impl CommandWatch {
    /// The connection is a new one: its versions say nothing about those of the last one.
    pub(super) const fn reconnected(&mut self) {
        self.version = None;
    }

    /// What there is now is about to be read by this connection, and is known then. To be told
    /// once more what is known would undo what the domain has changed and not yet written.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(super) fn begin(db: &Connection) -> rusqlite::Result<Self> {
        let version = Some(version(db)?);
        Ok(Self { version, last: read(db, COMMANDS)?, applied: applied(db)? })
    }

    /// What is kept, if another connection has changed anything since the last call. The first call
    /// says it in any case, and the first after a reconnect: a command may have come since the
    /// domain has last read it. If some of it cannot be read, the next call reads all of it again.
    pub(super) fn poll(&mut self, db: &Connection) -> rusqlite::Result<Option<Changed>> {
        let version = version(db)?;
        if self.version == Some(version) {
            return Ok(None);
        }
        // The number first: a change that comes in between is read again with the next version.
        let (last, applied) = (read(db, COMMANDS)?, applied(db)?);
        let (people, suspended) = (people::load(db)?, suspensions::load(db)?);
        let webhooks = outbox::load(db)?;
        // Only now: what is noted here is confirmed to the command once it is told.
        *self = Self { version: Some(version), last, applied };
        Ok(Some(Changed { people, suspended, webhooks }))
    }
}

/// Changes with every commit of another connection.
fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, path, user};

    #[test]
    fn a_change_by_another_connection_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let other = database(&folder);
        let db = Connection::open(path(&folder)).unwrap();
        assert!(CommandWatch::begin(&db).unwrap().poll(&db).unwrap().is_none());
        let mut watch = CommandWatch::default();
        let first = watch.poll(&db).unwrap().expect("the first look");
        assert_eq!(first.suspended, Suspensions::default());
        assert!(watch.poll(&db).unwrap().is_none());
        other.execute("INSERT INTO suspension VALUES ('user ann', NULL, '')", []).unwrap();
        assert_eq!(number(&other), Ok(1));
        let changed = watch.poll(&db).unwrap().expect("a change");
        let names: Vec<_> = changed.suspended.users.into_iter().map(|(name, _)| name).collect();
        assert_eq!((names, watch.last, watch.applied), (vec![user("ann")], 1, 0));
        assert!(watch.poll(&db).unwrap().is_none());
        watch.reconnected();
        assert!(watch.poll(&db).unwrap().is_some());
        // The last one that was kept, and while the connection was a new one.
        other.execute("DELETE FROM suspension", []).unwrap();
        assert_eq!(number(&other), Ok(2));
        watch.reconnected();
        let changed = watch.poll(&db).unwrap().expect("a change");
        assert_eq!((changed.suspended, watch.last), (Suspensions::default(), 2));
    }

    #[test]
    fn a_change_that_cannot_be_read_whole_is_not_confirmed_until_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let other = database(&folder);
        let db = Connection::open(path(&folder)).unwrap();
        let mut watch = CommandWatch::default();
        assert!(watch.poll(&db).unwrap().is_some());
        assert_eq!(number(&other), Ok(1));
        other.execute_batch("ALTER TABLE suspension RENAME TO away").unwrap();
        for _ in 0..2 {
            watch.poll(&db).unwrap_err();
            assert_eq!(watch.last, 0);
        }
        other.execute_batch("ALTER TABLE away RENAME TO suspension").unwrap();
        assert!(watch.poll(&db).unwrap().is_some());
        assert_eq!(watch.last, 1);
    }

    #[test]
    fn a_change_is_handled_once_no_reply_is_left_that_was_told_before() {
        let progress = Progress::default();
        let before = progress.told();
        assert!(progress.tell(3) && !progress.tell(3));
        progress.handle(before);
        assert_eq!(progress.handled(), 0, "its replies may have come after the look");
        progress.handle(progress.told());
        assert_eq!(progress.handled(), 3);
    }
}
