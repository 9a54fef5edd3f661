//! The tail: the latest records, which are written and synced alone.
//!
//! A commit writes each page that it touches. So that a message touches two, its record's and its
//! place's by seq, everything else that is to be known of it is booked later, for thousands of
//! records at once: the counters of rooms, the `cid`s (and the words, see
//! [`search::index`](super::search::index)). Until then it is found in the records themselves, at
//! a start by [`heads`](super::heads), and kept here.
//!
//! ```text
//!  records   1 ............ booked │ ............ last
//!            room, cid have them   │ the tail: here
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rusqlite::Connection;

use super::cids::{self, CidKey, CidSecret, KnownCid};
use super::meta_table::{self, BOOKED, FORGOTTEN, INDEXED};
use super::outbox;
use super::record_row::{self, COLUMNS, kind};
use crate::chat::model::log::{Appended, LogId};
use crate::chat::model::record::Record;
use crate::collections::KeyedMap;
use crate::time::Tick;

/// Records from which the tail is booked. At a start it is read, so that it must not be long.
pub(super) const LOT_RECORDS: i64 = 4096;
/// ... or its age: a chat in which little is said books seldom.
const LOT_AGE: Duration = Duration::from_mins(5);
/// `cid`s that are booked at once: some milliseconds of work.
pub(super) const SLICE_CIDS: usize = 256;

/// The tail, as the writer sees it. It is bounded: booking keeps pace with the senders, so that
/// there are never more records than [`LOT_RECORDS`] and half as many again, and one batch.
#[derive(Debug)]
pub(super) struct Tail {
    secret: CidSecret,
    /// The id up to which everything is booked, and the last one.
    booked: i64,
    last: i64,
    /// When the first record that is not booked came.
    since: Option<Tick>,
    known: KeyedMap<u128, KnownCid>,
    /// The same by the records' ids, which rise.
    by_id: VecDeque<(i64, CidKey)>,
    /// The rooms whose counters the file does not have, and their row ids.
    rooms: BTreeMap<LogId, i64>,
    lot: Option<Lot>,
}

/// What is being booked.
#[derive(Debug)]
struct Lot {
    /// Up to this id.
    last: i64,
    /// Hashes and ids that are left, the lowest last: in the order of the table, so that each of
    /// its pages is written once.
    cids: Vec<(i64, i64)>,
}

/// The next part of a lot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Booking {
    /// Hashes and ids that are to be put into the table.
    Cids(Vec<(i64, i64)>),
    /// The counters of these rooms, by log and row id, and that everything up to this id is booked.
    Rooms(Vec<(LogId, i64)>, i64),
}

impl Tail {
    /// The tail of a file.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let highest = db.query_one("SELECT max(id) FROM record", [], |row| row.get(0))?;
        let highest: i64 = Option::unwrap_or(highest, 0);
        let booked: i64 = meta_table::get(db, BOOKED)?.unwrap_or(highest);
        // No id is ever given again: what is noted of one would be taken for the new record's.
        let mut last = highest.max(booked);
        for key in [INDEXED, FORGOTTEN] {
            last = last.max(meta_table::get(db, key)?.unwrap_or(0));
        }
        last = last.max(outbox::highest_record(db)?);
        let mut tail = Self {
            secret: CidSecret::load(db)?,
            booked,
            last: booked,
            since: None,
            known: KeyedMap::new(),
            by_id: VecDeque::new(),
            rooms: BTreeMap::new(),
            lot: None,
        };
        tail.read(db)?;
        // Only now: while reading, `push` counts ids up from those that are read.
        tail.last = last;
        Ok(tail)
    }

    /// Reads the `cid`s of the records that are not booked.
    fn read(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT {COLUMNS}, id FROM record WHERE id > ?1 AND kind = ?2 AND cid IS NOT NULL \
             AND edited IS NULL ORDER BY id"
        );
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query([self.booked, kind::MESSAGE])?;
        while let Some(row) = rows.next()? {
            let (id, room): (i64, i64) = (row.get("id")?, row.get("room")?);
            // The reader reports a damaged one.
            let Ok(record) = record_row::decode(row) else { continue };
            self.last = id - 1;
            self.push(self.secret.key(room, &record), &record);
        }
        Ok(())
    }

    /// The key of the hashes.
    pub(super) const fn secret(&self) -> CidSecret {
        self.secret
    }

    /// The answer to a message whose `cid` is known, if it is.
    pub(super) fn known(
        &self,
        (db, statements): (&Connection, &mut cids::Statements<'_>),
        (room, key): (i64, CidKey),
        record: &Record,
    ) -> rusqlite::Result<Option<Appended>> {
        match self.known.get(&key.whole) {
            Some(known) => Ok(Some(known.answer_to(record))),
            // The tail first: it is in memory, and a client repeats its latest messages.
            None => cids::stored((db, statements), (room, key), record),
        }
    }

    /// Takes a record that is to be stored: the id that it gets.
    pub(super) fn push(&mut self, key: Option<CidKey>, record: &Record) -> i64 {
        self.last += 1;
        if let Some(key) = key {
            self.known.insert(key.whole, KnownCid::of(record));
            self.by_id.push_back((self.last, key));
        }
        self.last
    }

    /// The id of the last record.
    pub(super) const fn last(&self) -> i64 {
        self.last
    }

    /// Takes back the records above this id, which were not stored.
    pub(super) fn undo(&mut self, last: i64) {
        while let Some((_, key)) = self.by_id.pop_back_if(|(id, _)| *id > last) {
            self.known.remove(&key.whole);
        }
        // An id that was not stored is given again: nothing can have been noted of it.
        self.last = last;
    }

    /// Records of this room were stored.
    pub(super) fn note_stored(&mut self, (log, room): (LogId, i64), now: Tick) {
        self.rooms.insert(log, room);
        self.since.get_or_insert(now);
    }

    /// Whether so much waits that it is booked whatever else there is to do.
    pub(super) const fn is_long(&self) -> bool {
        self.last - self.booked >= LOT_RECORDS
    }

    /// The next part that is to be booked, if there is anything, and it is time to.
    pub(super) fn next(&mut self, now: Tick) -> Option<Booking> {
        if self.lot.is_none() {
            // A tail that was read at a start has no age: its first record gives it one.
            let is_old = now >= self.since.map_or(Tick::MAX, |since| since.after(LOT_AGE));
            if !(self.is_long() || is_old) {
                return None;
            }
            let mut cids: Vec<_> = self.by_id.iter().map(|(id, key)| (key.hash, *id)).collect();
            cids.sort_unstable_by(|a, b| b.cmp(a));
            // Up to this moment's last record; what comes while it is booked is for the next lot.
            self.lot = Some(Lot { last: self.last, cids });
        }
        let Lot { last, cids } = self.lot.as_ref()?;
        let slice = cids.iter().rev().take(SLICE_CIDS).copied().collect::<Vec<_>>();
        Some(if slice.is_empty() {
            Booking::Rooms(self.rooms.iter().map(|(log, room)| (*log, *room)).collect(), *last)
        } else {
            Booking::Cids(slice)
        })
    }

    /// This part is booked.
    pub(super) fn on_booked(&mut self, booking: &Booking, now: Tick) {
        match booking {
            Booking::Cids(slice) => {
                if let Some(lot) = &mut self.lot {
                    lot.cids.truncate(lot.cids.len().saturating_sub(slice.len()));
                }
            }
            Booking::Rooms(_, last) => {
                // Only now, when the rooms' counters are written too: until then the file alone
                // does not say it.
                while let Some((_, key)) = self.by_id.pop_front_if(|(id, _)| *id <= *last) {
                    self.known.remove(&key.whole);
                }
                self.rooms.clear();
                self.booked = *last;
                self.lot = None;
                self.since = (self.last > self.booked).then_some(now);
            }
        }
    }
}
