//! Moving to a cluster and back: everything of a database, read in steps, and a database that is
//! made of what a cluster has.
//!
//! ```text
//!  here ─ begin ─▶ "leaving" ─ everything is written there ─▶ "moved": no server starts on it
//!  new  ─ begin ─▶ "arriving" ─ everything is written here, in one transaction ─▶ nothing
//! ```
//!
//! Whichever is said of the file, a server that starts on it refuses, and the same command goes on
//! from there.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior, params};

use super::{ToolError, open};
use crate::chat::model::cids::KeptCid;
use crate::chat::model::load::{Begun, Wanted};
use crate::chat::model::log::Suspensions;
use crate::chat::model::name::RoomName;
use crate::chat::model::people::{AuditedAct, People, PeopleChange};
use crate::chat::model::profile::ProfileChange;
use crate::chat::model::record::Record;
use crate::chat::model::suspensions::{Revocation, Suspended};
use crate::chat::model::thread::KeptMark;
use crate::metrics::StoreMetrics;
use crate::store::sqlite::integers::{signed, unsigned};
use crate::store::sqlite::integrity::remove_checksum;
use crate::store::sqlite::log_fault::damaged;
use crate::store::sqlite::meta_table::{self, BOOKED, MOVED};
use crate::store::sqlite::moving_state::{Moved, Phase};
use crate::store::sqlite::record_row::{self, COLUMNS, INSERT};
use crate::store::sqlite::room_row::{RoomCounters, RoomRow};
use crate::store::sqlite::{
    Options, audit, cids, heads, load_rooms, message_threads, people, room_meta, suspensions,
};
use crate::time::clock::Clock;

/// Rooms, records and the like that are read at once.
const PAGE: u32 = 500;

/// The tables in which there is something once a server was in use.
const USED: &str = "room record sent identity account login invite program block profile report \
                    suspension revocation audit webhook push file";

/// A database that is moved, which no server uses meanwhile.
#[derive(Debug)]
pub struct Moving {
    db: Connection,
    path: PathBuf,
    _lock: File,
}

/// What does not move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// Outgoing webhooks.
    pub webhooks: u64,
    /// Files that people have sent.
    pub files: u64,
}

impl Moving {
    /// The database in `data`, in order as a server that starts would bring it.
    ///
    /// # Errors
    ///
    /// [`ToolError`], if a server runs or there is no database.
    pub fn open(data: &Path, clock: Clock) -> Result<Self, ToolError> {
        let lock = open::lock(data)?;
        let path = open::path(data);
        let db = open::write(&path)?;
        // Of whatever version it is: the table is there since the first.
        if Moved::load(&db).map_err(ToolError::database(&path))?.is_some() {
            drop(db);
            // It was in order when that was written.
            return Self::of(data, lock);
        }
        drop((db, lock));
        tidy(data, clock)?;
        Self::of(data, open::lock(data)?)
    }

    /// A database without anything, made in `data` if there is none.
    ///
    /// # Errors
    ///
    /// [`ToolError`], if a server runs, or there is anything in it.
    pub fn make(data: &Path, clock: Clock, from: &str) -> Result<Self, ToolError> {
        if !crate::store::is_there(data) {
            tidy(data, clock)?;
        }
        let moving = Self::of(data, open::lock(data)?)?;
        let is_empty = moving.has_nothing()?;
        match moving.state()? {
            Some(Moved { phase: Phase::Arriving, .. }) | None if is_empty => {
                moving.begin(Phase::Arriving, from)?;
                Ok(moving)
            }
            _ => Err(ToolError::Exists(moving.path)),
        }
    }

    fn of(data: &Path, lock: File) -> Result<Self, ToolError> {
        let path = open::path(data);
        let db = open::write(&path)?;
        open::require_current(&db, &path)?;
        Ok(Self { db, path, _lock: lock })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> ToolError {
        ToolError::database(&self.path)
    }

    fn has_nothing(&self) -> Result<bool, ToolError> {
        let is_empty = |table: &str| {
            let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {table})");
            self.db.query_one(&sql, [], |row| row.get(0)).map_err(self.failed())
        };
        USED.split(' ').try_fold(true, |all, table| Ok(all && is_empty(table)?))
    }

    /// Whether it moves or has moved.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn state(&self) -> Result<Option<Moved>, ToolError> {
        Moved::load(&self.db).map_err(self.failed())
    }

    /// It begins to move to this place: what is to be written there, so that it is known that it
    /// was.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn begin_leaving(&self, place: &str) -> Result<Moved, ToolError> {
        self.begin(Phase::Leaving, place)
    }

    fn begin(&self, phase: Phase, place: &str) -> Result<Moved, ToolError> {
        let sql = "SELECT lower(hex(randomblob(16)))";
        let nonce: String = self.db.query_one(sql, [], |row| row.get(0)).map_err(self.failed())?;
        let moved = Moved { phase, nonce: nonce.into(), place: place.into() };
        moved.store(&self.db).map_err(self.failed())?;
        Ok(moved)
    }

    /// Everything was written there.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn end_leaving(&self, moved: Moved) -> Result<(), ToolError> {
        Moved { phase: Phase::Left, ..moved }.store(&self.db).map_err(self.failed())
    }

    /// Nothing was written there: it is as it was.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn stay(&self) -> Result<(), ToolError> {
        let sql = "DELETE FROM meta WHERE key = ?1";
        self.db.execute(sql, [MOVED]).map(drop).map_err(self.failed())
    }

    /// What does not move.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn left_behind(&self) -> Result<LeftBehind, ToolError> {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.db.query_one(&sql, [], |row| row.get(0).map(unsigned)).map_err(self.failed())
        };
        Ok(LeftBehind { webhooks: count("webhook")?, files: count("file")? })
    }

    /// What is kept of people, and who may not use the server.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn people(&self) -> Result<(People, Suspensions), ToolError> {
        let people = people::load(&self.db).map_err(self.failed())?;
        Ok((people, suspensions::load(&self.db).map_err(self.failed())?))
    }

    /// The next rooms above this row.
    ///
    /// # Errors
    ///
    /// [`ToolError`]; also if a row makes no sense.
    pub fn rooms(&self, above: i64) -> Result<Vec<Begun>, ToolError> {
        let load = || {
            let sql = "SELECT name FROM room WHERE id > ?1 ORDER BY id LIMIT ?2";
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query((above, PAGE))?;
            let mut wanted = Wanted::default();
            while let Some(row) = rows.next()? {
                let name = RoomName::stored(row.get_ref(0)?.as_str()?);
                let invalid = || damaged("a row of table room makes no sense".to_owned());
                wanted.add_room(name.ok_or_else(invalid)?, false);
            }
            let mut rooms = load_rooms::load(&self.db, &wanted)?.rooms;
            rooms.sort_by_key(|room| room.kept.map(|kept| kept.row));
            Ok(rooms)
        };
        load().map_err(self.failed())
    }

    /// The next records of a room above a seq.
    ///
    /// # Errors
    ///
    /// [`ToolError`]; also if one is not what was written.
    pub fn records(&self, room: i64, above: u64) -> Result<Vec<Record>, ToolError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM record WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT {PAGE}"
        );
        let load = || {
            let mut statement = self.db.prepare_cached(&sql)?;
            let mut rows = statement.query((room, signed(above)))?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                let decoded = record_row::decode(row);
                let seq: i64 = row.get("seq")?;
                records.push(decoded.map_err(|fault| {
                    damaged(format!("record {seq} of room {room} is damaged: {fault}"))
                })?);
            }
            Ok(records)
        };
        load().map_err(self.failed())
    }

    /// The `cid`s that are kept apart from their messages, above this id, with the last id.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn cids(&self, above: i64) -> Result<(Vec<KeptCid>, i64), ToolError> {
        let sql =
            "SELECT id, room, sender, cid, seq, at FROM sent WHERE id > ?1 ORDER BY id LIMIT ?2";
        let load = || {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query((above, PAGE))?;
            let (mut found, mut last) = (Vec::new(), above);
            while let Some(row) = rows.next()? {
                last = row.get(0)?;
                found.push(KeptCid {
                    room: row.get(1)?,
                    sender: row.get(2)?,
                    cid: row.get(3)?,
                    seq: unsigned(row.get(4)?),
                    at: unsigned(row.get(5)?),
                });
            }
            Ok((found, last))
        };
        load().map_err(self.failed())
    }

    /// The next marks of threads after this one.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn marks(&self, behind: Option<&KeptMark>) -> Result<Vec<KeptMark>, ToolError> {
        message_threads::kept(&self.db, behind, PAGE).map_err(self.failed())
    }

    /// What was noted of owners and administrators, oldest first.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn acts(&self) -> Result<Vec<AuditedAct>, ToolError> {
        audit::all(&self.db).map_err(self.failed())
    }

    /// Begins to write what has come. With [`Arrival::commit`] all of it is there.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn arrive(&mut self) -> Result<Arrival<'_>, ToolError> {
        let path = &self.path;
        let begun = self.db.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(ToolError::database(path))?;
        remove_checksum(&transaction).map_err(ToolError::database(path))?;
        Ok(Arrival { transaction, path })
    }
}

/// Has a server's own start and end bring a file in order, or make it.
fn tidy(data: &Path, clock: Clock) -> Result<(), ToolError> {
    let options = Options::new(data.to_owned(), Arc::new(StoreMetrics::default()));
    let opened = crate::store::open(&options, clock, Arc::new(|| {}));
    opened.map(drop).map_err(ToolError::Unfit)
}

/// Whether an id is there below one of an earlier record.
const IS_UNORDERED: &str = "SELECT EXISTS (SELECT 1 FROM \
     (SELECT at, lag(at) OVER (ORDER BY id) AS before FROM record) WHERE at < before)";
/// Gives the records ids by their times, above all that they have: the rooms came one by one.
const ORDER: &str = "CREATE TEMP TABLE place (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
     INSERT INTO temp.place SELECT id, (SELECT max(id) FROM record) \
     + row_number() OVER (ORDER BY at, room, seq) FROM record;
     UPDATE record SET id = (SELECT new FROM temp.place WHERE old = record.id);
     DROP TABLE temp.place;";

/// What is written into a database that has nothing.
#[derive(Debug)]
pub struct Arrival<'a> {
    transaction: rusqlite::Transaction<'a>,
    path: &'a Path,
}

impl Arrival<'_> {
    fn failed(&self) -> impl Fn(rusqlite::Error) -> ToolError {
        ToolError::database(self.path)
    }

    /// A room with what is kept of it, under the row that it had.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn room(&self, begun: &Begun) -> Result<(), ToolError> {
        let Some(kept) = begun.kept else { return Ok(()) };
        let row = RoomRow {
            id: kept.row,
            epoch: begun.epoch,
            durability: begun.durability,
            counters: RoomCounters {
                head: begun.head,
                oldest: begun.oldest,
                at: kept.at,
                bytes: kept.bytes,
            },
        };
        let write = || {
            row.insert(&self.transaction, &begun.name)?;
            begun.meta.iter().try_for_each(|meta| room_meta::write(&self.transaction, row.id, meta))
        };
        write().map_err(self.failed())
    }

    /// The next records of a room.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn records<'r>(
        &self,
        room: i64,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> Result<(), ToolError> {
        let write = || {
            let mut statement = self.transaction.prepare_cached(INSERT)?;
            for record in records {
                record_row::write(&mut statement, room, record)?;
            }
            Ok(())
        };
        write().map_err(self.failed())
    }

    /// The `cid`s that are kept apart from their messages, in the order of their times.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn cids(&self, all: &[KeptCid]) -> Result<(), ToolError> {
        let mut each = all.iter();
        each.try_for_each(|cid| cids::put_apart(&self.transaction, cid)).map_err(self.failed())
    }

    /// Marks of threads.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn marks(&self, all: &[KeptMark]) -> Result<(), ToolError> {
        let mut each = all.iter();
        each.try_for_each(|mark| message_threads::put_kept(&self.transaction, mark))
            .map_err(self.failed())
    }

    /// What is kept of people.
    ///
    /// # Errors
    ///
    /// [`ToolError`]; also if two of them cannot be together.
    pub fn people(
        &self,
        changes: &[PeopleChange],
        revoked: &[Revocation],
    ) -> Result<(), ToolError> {
        let write = || {
            if people::write(&self.transaction, changes)?.is_err() {
                return Err(damaged("what is kept of people contradicts itself".to_owned()));
            }
            for Revocation { what, at, until } in revoked {
                let sql = "INSERT OR REPLACE INTO revocation VALUES (?1, ?2, ?3)";
                self.transaction.execute(sql, params![what, signed(*at), signed(*until)])?;
            }
            Ok(())
        };
        write().map_err(self.failed())
    }

    /// All of it is there from now on, and a server can start on it.
    ///
    /// # Errors
    ///
    /// [`ToolError`]; then nothing of it is.
    pub fn commit(self) -> Result<(), ToolError> {
        let failed = ToolError::database(self.path);
        let write = move || {
            if self.transaction.query_one(IS_UNORDERED, [], |row| row.get(0))? {
                self.transaction.execute_batch(ORDER)?;
            }
            // So that the `cid`s of all records are found.
            meta_table::put(&self.transaction, BOOKED, 0)?;
            heads::book_all(&self.transaction)?;
            self.transaction.execute("DELETE FROM meta WHERE key = ?1", [MOVED])?;
            self.transaction.commit()
        };
        write().map_err(failed)
    }
}

/// All that is kept of people as changes of nothing, in an order in which each can be made.
#[must_use]
pub fn changes_of(
    people: People,
    suspended: &Suspensions,
    acts: Vec<AuditedAct>,
) -> Vec<PeopleChange> {
    let People { bound, proved, accounts, logins, invites, keys, blocks, .. } = people;
    let People { profiles, pushes, push_key, reports, .. } = people;
    let mut changes = vec![PeopleChange::Proved(proved)];
    changes.extend(bound.into_iter().map(PeopleChange::Bind));
    changes.extend(accounts.into_iter().map(PeopleChange::Account));
    changes.extend(logins.into_iter().map(PeopleChange::Login));
    changes.extend(invites.into_iter().map(PeopleChange::Invite));
    changes.extend(keys.into_iter().map(PeopleChange::Key));
    changes.extend(blocks.into_iter().map(PeopleChange::Block));
    let whole = |(user, profile)| PeopleChange::Profile(user, ProfileChange::whole(profile));
    changes.extend(profiles.into_iter().map(whole));
    changes.extend(push_key.map(PeopleChange::PushKey));
    changes.extend(pushes.into_iter().map(PeopleChange::Push));
    changes.extend(reports.into_iter().map(PeopleChange::Report));
    let users = suspended.users.iter().map(|(name, why)| (Suspended::User(name.clone()), why));
    let networks = suspended.addresses.iter();
    let networks = networks.map(|(network, why)| (Suspended::Address(*network), why));
    let all = users.chain(networks);
    changes.extend(all.map(|(whom, why)| PeopleChange::Suspend(whom, why.clone())));
    changes.extend(acts.into_iter().map(PeopleChange::Audit));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::record::Body;
    use crate::store::sqlite::testing::{room, user};

    #[test]
    fn records_of_rooms_that_came_one_by_one_are_in_the_order_of_their_times() {
        let folder = tempfile::tempdir().unwrap();
        let mut target = Moving::make(folder.path(), Clock::start(), "postgres://a@b/c").unwrap();
        let arrival = target.arrive().unwrap();
        for (id, name, times) in [(7, "yard", [10, 30, 30, 50]), (8, "lobby", [20, 30, 40, 60])] {
            room(&arrival.transaction, id, name);
            let record = |(seq, at)| {
                let body = Body::plain("some words", Some(&format!("c{seq}")));
                Record { seq, at, from: user("ann"), body, weight: 300 }
            };
            let records: Vec<Record> = (1..).zip(times).map(record).collect();
            arrival.records(id, &records).unwrap();
        }
        arrival.commit().unwrap();
        let sql = "SELECT room, at, EXISTS (SELECT 1 FROM cid WHERE cid.record = record.id) \
                   FROM record ORDER BY id";
        let mut statement = target.db.prepare(sql).unwrap();
        let read = |row: &rusqlite::Row<'_>| row.try_into();
        let found: Vec<(i64, i64, bool)> =
            statement.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap();
        let by_time = [(7, 10), (8, 20), (7, 30), (7, 30), (8, 30), (8, 40), (7, 50), (8, 60)];
        assert_eq!(found, by_time.map(|(room, at)| (room, at, true)));
    }
}
