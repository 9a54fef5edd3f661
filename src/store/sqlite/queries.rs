//! What the reader answers: pages of records, inboxes, searches.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::audit::{self, AuditQuery};
use super::inbox::inbox;
use super::integers::signed;
use super::listed_rooms;
use super::load_rooms;
use super::message_threads;
use super::read_transaction::{DamagedRecord, QueryFault, ReadTransaction};
use super::record_row::{self, COLUMNS};
use super::search::{self, StoredSearch};
use super::written_by::{self, WrittenQuery};
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::listed_rooms::DirectoryQuery;
use crate::chat::model::load::Wanted;
use crate::chat::model::log::{Answer, InboxQuery, LogId, Query};
use crate::chat::model::name::UserName;
use crate::chat::model::record::SharedRecord;
use crate::chat::model::thread::ThreadQuery;

/// A [`Query`] about rooms by their row ids; `None` is a room that is not stored.
#[derive(Debug)]
pub(super) enum StoredQuery {
    Page { room: Option<i64>, from: u64, to: u64, limit: u32 },
    Below { room: Option<i64>, seq: u64, limit: u32 },
    Inbox { user: UserName, rows: Vec<(Option<i64>, InboxQuery)> },
    Search(StoredSearch),
    Thread(Option<i64>, ThreadQuery),
    Threads { user: UserName, rooms: Vec<(i64, LogId)> },
    Load(Box<Wanted>),
    Written(WrittenQuery),
    Audit(AuditQuery),
    Directory(DirectoryQuery),
}

impl StoredQuery {
    /// The same as `query`, where `rooms` gives the row id of a log's room.
    pub(super) fn of(query: Query, rooms: impl Fn(LogId) -> Option<i64>) -> Self {
        match query {
            Query::Page { log, from, to, limit } => {
                Self::Page { room: rooms(log), from, to, limit }
            }
            Query::Below { log, seq, limit } => Self::Below { room: rooms(log), seq, limit },
            Query::Inbox { user, rows } => {
                let rows = rows.into_iter().map(|row| (rooms(row.log), row)).collect();
                Self::Inbox { user, rows }
            }
            Query::Search { user, logs, text, before, limit } => {
                let rooms = logs.into_iter().filter_map(|log| Some((rooms(log)?, log))).collect();
                Self::Search(StoredSearch { user, rooms, text, before, limit })
            }
            Query::Thread(query) => Self::Thread(rooms(query.log), query),
            Query::Threads { user, logs } => {
                let rooms = logs.into_iter().filter_map(|log| Some((rooms(log)?, log))).collect();
                Self::Threads { user, rooms }
            }
            Query::Load(wanted) => Self::Load(wanted),
            Query::Audit { user, room, before, limit } => {
                Self::Audit(AuditQuery { user, room, before, limit })
            }
            Query::Directory(query) => Self::Directory(query),
            Query::Written { user, logs, above, limit } => {
                let rooms = logs.into_iter().filter_map(rooms).collect();
                Self::Written(WrittenQuery { user, rooms, above, limit })
            }
        }
    }

    /// Who asks for what may take long: a page takes a millisecond.
    pub(super) const fn user(&self) -> Option<&UserName> {
        match self {
            // Nobody's in particular, and short: these are answered before all others.
            Self::Page { .. } | Self::Below { .. } | Self::Load(_) => None,
            Self::Inbox { user, .. }
            | Self::Thread(_, ThreadQuery { user, .. })
            | Self::Threads { user, .. }
            | Self::Search(StoredSearch { user, .. })
            | Self::Audit(AuditQuery { user, .. })
            | Self::Directory(DirectoryQuery { user, .. })
            | Self::Written(WrittenQuery { user, .. }) => Some(user),
        }
    }

    /// Whether somebody comes, or nothing can go on: it is answered before all others.
    pub(super) const fn is_urgent(&self) -> bool {
        matches!(self, Self::Load(_))
    }

    /// The answer.
    pub(super) fn answer(&self, reading: &mut ReadTransaction<'_>) -> Result<Answer, QueryFault> {
        match self {
            Self::Page { room, from, to, limit } => page(reading, *room, *from..=*to, *limit),
            Self::Below { room, seq, limit } => below(reading, *room, *seq, *limit),
            Self::Inbox { user, rows } => inbox(reading, user, rows).map(Answer::Inbox),
            Self::Search(search) => search::find(reading, search),
            Self::Thread(room, query) => {
                message_threads::page(reading, *room, query).map(Answer::Thread)
            }
            Self::Threads { user, rooms } => {
                message_threads::followed(reading, user, rooms).map(Answer::Threads)
            }
            Self::Load(wanted) => Ok(load_rooms::load(reading.db, wanted).map(Answer::Loaded)?),
            Self::Audit(query) => {
                let (acts, more) = audit::find(reading.db, query)?;
                Ok(Answer::Acts { acts, more })
            }
            Self::Directory(query) => {
                let (rooms, next) = listed_rooms::find(reading.db, query)?;
                Ok(Answer::Rooms { rooms, next })
            }
            Self::Written(query) => {
                let (items, next) = written_by::find(reading, query)?;
                Ok(Answer::Written { items, next })
            }
        }
    }
}

fn page(
    reading: &mut ReadTransaction<'_>,
    room: Option<i64>,
    wanted: RangeInclusive<u64>,
    limit: u32,
) -> Result<Answer, QueryFault> {
    // By the counters as of this reading, and not by those of memory: a page must be of one moment.
    let stored = reading.extent(room)?;
    let from = *wanted.start().max(stored.start());
    let to = *wanted.end().min(stored.end());
    // Counted from the first that is there, so that what was pruned does not make the page short.
    let seqs = from..=to.min(from.saturating_add(u64::from(limit)).saturating_sub(1));
    let records = records(reading, Direction::Up, room, &seqs, seqs.clone())?;
    Ok(Answer::Records { records, as_of: *stored.end() })
}

fn below(
    reading: &mut ReadTransaction<'_>,
    room: Option<i64>,
    seq: u64,
    limit: u32,
) -> Result<Answer, QueryFault> {
    let stored = reading.extent(room)?;
    let last = seq.saturating_sub(1).min(*stored.end());
    let first = (last + 1).saturating_sub(u64::from(limit)).max(*stored.start());
    let seqs = first..=last;
    let mut records = records(reading, Direction::Down, room, &seqs, seqs.clone().rev())?;
    records.reverse();
    Ok(Answer::Records { records, as_of: *stored.end() })
}

/// Which way records are read.
#[derive(Clone, Copy, Debug)]
enum Direction {
    Up,
    Down,
}

/// The records of `seqs`, in the order of `expected`: as many as a page holds, up to the first that
/// cannot be read.
fn records(
    reading: &mut ReadTransaction<'_>,
    direction: Direction,
    room: Option<i64>,
    seqs: &RangeInclusive<u64>,
    expected: impl Iterator<Item = u64>,
) -> Result<Vec<SharedRecord>, QueryFault> {
    let (mut records, mut bytes) = (Vec::new(), 0_usize);
    let Some(room) = room.filter(|_| !seqs.is_empty()) else { return Ok(records) };
    let order = match direction {
        Direction::Up => "ASC",
        Direction::Down => "DESC",
    };
    let mut statement = reading.db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM record WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq {order}"
    ))?;
    let mut rows = statement.query((room, signed(*seqs.start()), signed(*seqs.end())))?;
    for seq in expected {
        let read = rows.next()?.map(record_row::decode).transpose();
        let fault = match read {
            Ok(Some(record)) if record.seq == seq => {
                bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(bytes));
                if bytes > PAGE_BYTES_MAX && !records.is_empty() {
                    break;
                }
                records.push(Arc::new(record));
                continue;
            }
            Ok(_) => None,
            Err(fault) => Some(fault),
        };
        reading.damaged.push(DamagedRecord { room, seq, fault });
        // The records before the damaged one are sound: the reader gets them.
        return if records.is_empty() { Err(QueryFault::Corrupt) } else { Ok(records) };
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::store::sqlite::record_row::RowFault;
    use crate::store::sqlite::testing::{database, message, room, say_heavy};

    /// Room 1 with so many messages of this weight, those below `oldest` pruned.
    fn stored(messages: u64, weight: u32, oldest: u64) -> (TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        for seq in 1..=messages {
            say_heavy(&db, 1, "ann", message(&seq.to_string()), weight);
        }
        db.execute("DELETE FROM record WHERE seq < ?1", [signed(oldest)]).unwrap();
        db.execute("UPDATE room SET oldest = ?1", [signed(oldest)]).unwrap();
        (folder, db)
    }

    #[track_caller]
    fn check(db: &Connection, query: &StoredQuery, expect: RangeInclusive<u64>, head: u64) {
        match query.answer(&mut ReadTransaction::new(db)) {
            Ok(Answer::Records { records, as_of }) => {
                let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
                assert_eq!((seqs, as_of), (expect.collect(), head), "{query:?}");
            }
            other => panic!("{query:?}: {other:?}"),
        }
    }

    #[expect(clippy::reversed_empty_ranges, reason = "that is what nothing looks like")]
    const NOTHING: RangeInclusive<u64> = 1..=0;

    #[test]
    fn a_page_is_what_there_is_of_its_seqs() {
        let (_folder, db) = stored(20, 300, 5);
        let limited = |from, to, limit| StoredQuery::Page { room: Some(1), from, to, limit };
        let page = |from, to| limited(from, to, 100);
        check(&db, &page(1, 20), 5..=20, 20);
        check(&db, &page(7, 9), 7..=9, 20);
        check(&db, &page(0, u64::MAX), 5..=20, 20);
        check(&db, &page(21, 30), NOTHING, 20);
        check(&db, &page(1, 4), NOTHING, 20);
        check(&db, &page(9, 7), NOTHING, 20);
        check(&db, &limited(1, 20, 3), 5..=7, 20);
        check(&db, &limited(7, 20, 3), 7..=9, 20);
        check(&db, &limited(1, 20, 0), NOTHING, 20);
        let elsewhere = |room| StoredQuery::Page { room, from: 1, to: 9, limit: 9 };
        check(&db, &elsewhere(None), NOTHING, 0);
        check(&db, &elsewhere(Some(2)), NOTHING, 0);
    }

    #[test]
    fn what_is_below_is_the_latest_of_it() {
        let (_folder, db) = stored(20, 300, 5);
        let below = |seq, limit| StoredQuery::Below { room: Some(1), seq, limit };
        check(&db, &below(21, 3), 18..=20, 20);
        check(&db, &below(u64::MAX, 3), 18..=20, 20);
        check(&db, &below(7, 100), 5..=6, 20);
        check(&db, &below(5, 100), NOTHING, 20);
        check(&db, &below(0, 100), NOTHING, 20);
        check(&db, &below(20, 0), NOTHING, 20);
        check(&db, &StoredQuery::Below { room: None, seq: 9, limit: 9 }, NOTHING, 0);
    }

    #[test]
    fn a_page_holds_its_bytes_and_at_least_one_record() {
        let weight = u32::try_from(PAGE_BYTES_MAX / 4).unwrap();
        for (weight, count) in [(weight, 4), (weight + 1, 3), (10 * weight, 1)] {
            let (_folder, db) = stored(9, weight, 1);
            let page = StoredQuery::Page { room: Some(1), from: 2, to: 9, limit: 9 };
            check(&db, &page, 2..=1 + count, 9);
            check(&db, &StoredQuery::Below { room: Some(1), seq: 9, limit: 9 }, 9 - count..=8, 9);
        }
    }

    #[test]
    fn nothing_is_read_from_a_damaged_record_on() {
        for (damage, fault) in [
            ("UPDATE record SET text = 'forged' WHERE seq = 4", Some(RowFault::Checksum)),
            ("DELETE FROM record WHERE seq = 4", None),
            ("UPDATE record SET seq = 40 WHERE seq = 4", None),
        ] {
            let (_folder, db) = stored(6, 300, 1);
            db.execute(damage, []).unwrap();
            let page = |from| StoredQuery::Page { room: Some(1), from, to: 6, limit: 9 };
            check(&db, &page(2), 2..=3, 6);
            check(&db, &StoredQuery::Below { room: Some(1), seq: 7, limit: 9 }, 5..=6, 6);
            let mut reading = ReadTransaction::new(&db);
            let outcome = page(4).answer(&mut reading);
            assert!(matches!(outcome, Err(QueryFault::Corrupt)), "{damage}: {outcome:?}");
            assert_eq!(reading.damaged, [DamagedRecord { room: 1, seq: 4, fault }], "{damage}");
        }
    }
}
