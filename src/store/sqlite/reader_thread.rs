//! The thread that reads: it answers queries in order, and notices suspensions that a command has
//! changed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::connection::open_read_only;
use super::queries::StoredQuery;
use super::read_transaction::{DamagedRecord, QueryFault, ReadTransaction};
use super::reply_channel::ReplySender;
use super::shared_reader::SharedReader;
use super::suspensions::SuspensionWatch;
use crate::chat::model::log::{Answer, LogFault, LogId, LogReply, Query, Suspensions, Ticket};
use crate::log::Throttle;
use crate::time::Tick;
use crate::time::clock::Clock;

/// Queries that may be queued; the next is refused as busy.
const QUERIES_MAX: usize = 256;
/// How often the suspensions are read, if another process has written to the file.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How long the reader waits for a lock; a recovery holds one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one query may take: a longer one is refused, so that it does not hold up all others.
const QUERY_TIME_MAX: Duration = Duration::from_secs(1);
/// Steps of SQLite's machine between two looks at the clock. Some steps of FTS5 are long.
const STEPS_PER_CHECK: i32 = 100;

/// The thread, as its owner sees it.
#[derive(Debug)]
pub(super) struct ReaderHandle {
    path: PathBuf,
    connection: SharedReader,
    known: Arc<Suspensions>,
    replies: ReplySender,
    queue: Option<SyncSender<PendingQuery>>,
}

impl ReaderHandle {
    /// A reader of the database at `path`, which need not exist yet. `known` are the suspensions
    /// that the domain knows: [`LogReply::Suspended`] tells of a change.
    pub(super) fn start(
        path: PathBuf,
        connection: SharedReader,
        known: Arc<Suspensions>,
        replies: ReplySender,
    ) -> Self {
        let mut reader = Self { path, connection, known, replies, queue: None };
        reader.queue = reader.spawn();
        reader
    }

    /// Queues a query, to be answered by [`LogReply::Answer`]. `rooms` gives the row id of a log's
    /// room; `None` is a room that is not stored.
    ///
    /// # Errors
    ///
    /// The query is not queued: [`LogFault::Busy`] if too many are, [`LogFault::Broken`] if the
    /// thread has died; the next query starts another one.
    pub(super) fn query(
        &mut self,
        ticket: Ticket,
        query: Query,
        rooms: impl Fn(LogId) -> Option<i64>,
    ) -> Result<(), LogFault> {
        if self.queue.is_none() {
            self.queue = self.spawn();
        }
        let queue = self.queue.as_ref().ok_or(LogFault::Broken)?;
        let query = StoredQuery::of(query, rooms);
        let pending = PendingQuery { ticket, query, replies: Some(self.replies.clone()) };
        // The loop never waits: a queue that is full is an answer of its own.
        match queue.try_send(pending) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(pending)) => {
                pending.forget();
                Err(LogFault::Busy)
            }
            Err(TrySendError::Disconnected(pending)) => {
                pending.forget();
                // The thread has panicked: the next query starts another one.
                self.queue = None;
                Err(LogFault::Broken)
            }
        }
    }

    fn spawn(&self) -> Option<SyncSender<PendingQuery>> {
        let (sender, queue) = sync_channel(QUERIES_MAX);
        let (path, connection) = (self.path.clone(), self.connection.clone());
        // One that panicked may have left a transaction.
        *connection.hold() = None;
        let reader = Reader::new((path, connection), &self.known, self.replies.clone());
        let thread = thread::Builder::new().name("store-read".to_owned());
        match thread.spawn(move || reader.run(&queue)) {
            Ok(_) => Some(sender),
            Err(error) => {
                log::error!(cause:% = error; "cannot start the thread that reads the store");
                None
            }
        }
    }
}

/// A query that is queued. If it is dropped without an answer, since the thread has died, it
/// answers itself.
struct PendingQuery {
    ticket: Ticket,
    query: StoredQuery,
    replies: Option<ReplySender>,
}

impl PendingQuery {
    fn answer(mut self, outcome: Result<Answer, LogFault>) {
        self.send(outcome);
    }

    fn send(&mut self, outcome: Result<Answer, LogFault>) {
        if let Some(replies) = self.replies.take() {
            replies.send(LogReply::Answer { ticket: self.ticket, outcome });
        }
    }

    /// It is answered by an error of the call.
    fn forget(mut self) {
        self.replies = None;
    }
}

impl Drop for PendingQuery {
    fn drop(&mut self) {
        self.send(Err(LogFault::Broken));
    }
}

impl fmt::Debug for PendingQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingQuery").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

/// The thread's own state: its connection, if there is one, and what it has logged.
struct Reader {
    path: PathBuf,
    connection: SharedReader,
    watch: SuspensionWatch,
    replies: ReplySender,
    clock: Clock,
    watched_at: Option<Tick>,
    damage_lines: Throttle,
    failure_lines: Throttle,
}

impl Reader {
    fn new(
        (path, connection): (PathBuf, SharedReader),
        known: &Arc<Suspensions>,
        replies: ReplySender,
    ) -> Self {
        Self {
            path,
            connection,
            watch: SuspensionWatch::new(Arc::clone(known)),
            replies,
            clock: Clock::start(),
            watched_at: None,
            damage_lines: Throttle::new(10, Duration::from_secs(10)),
            failure_lines: Throttle::new(1, Duration::from_secs(10)),
        }
    }

    /// Answers until the handle is dropped.
    fn run(mut self, queue: &Receiver<PendingQuery>) {
        self.watch();
        loop {
            match queue.recv_timeout(WATCH_EVERY) {
                Ok(pending) => {
                    let outcome = self.answer(&pending.query);
                    pending.answer(outcome);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.watch();
        }
    }

    fn answer(&mut self, query: &StoredQuery) -> Result<Answer, LogFault> {
        let connection = self.connection.clone();
        let mut held = connection.hold();
        let outcome = self.connected(&mut held).and_then(|db| answer(db, query, QUERY_TIME_MAX));
        let (outcome, damaged) = outcome.unwrap_or_else(|error| (Err(error.into()), Vec::new()));
        self.log_damage(held.as_ref(), &damaged);
        outcome.map_err(|fault| match fault {
            QueryFault::Corrupt => LogFault::Corrupt,
            QueryFault::TooDear => LogFault::TooDear,
            QueryFault::Database(error) => {
                *held = None;
                self.fault_of(&error)
            }
        })
    }

    /// Once a second, tells who is suspended if that has changed.
    fn watch(&mut self) {
        let now = self.clock.now().tick;
        if self.watched_at.is_some_and(|watched_at| now.since(watched_at) < WATCH_EVERY) {
            return;
        }
        self.watched_at = Some(now);
        // Commands change suspensions in processes of their own, which cannot tell the server.
        let connection = self.connection.clone();
        let mut held = connection.hold();
        let found = match self.connected(&mut held) {
            Ok(db) => self.watch.poll(db),
            Err(error) => Err(error),
        };
        match found {
            Ok(None) => {}
            Ok(Some(changed)) => self.replies.send(LogReply::Suspended(changed)),
            Err(error) => {
                *held = None;
                _ = self.fault_of(&error);
            }
        }
    }

    /// The connection that is held, which is opened if it is not there.
    fn connected<'c>(
        &mut self,
        held: &'c mut Option<Connection>,
    ) -> rusqlite::Result<&'c mut Connection> {
        if let Some(db) = held {
            return Ok(db);
        }
        self.watch.reconnected();
        Ok(held.insert(open_read_only(&self.path, LOCK_TIMEOUT)?))
    }

    /// What a failure of the connection is to those who asked. The caller drops it: the next query
    /// opens another.
    fn fault_of(&mut self, error: &rusqlite::Error) -> LogFault {
        if let Some(suppressed) = self.failure_lines.admit(self.clock.now().tick) {
            log::error!(suppressed, cause:% = error; "cannot read the store");
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LogFault::Corrupt,
            _ => LogFault::Broken,
        }
    }

    fn log_damage(&mut self, db: Option<&Connection>, damaged: &[DamagedRecord]) {
        for DamagedRecord { room, seq, fault } in damaged {
            let Some(suppressed) = self.damage_lines.admit(self.clock.now().tick) else { continue };
            let why = fault.map_or_else(|| "it is missing".to_owned(), |fault| fault.to_string());
            let room = db.and_then(|db| room_name(db, *room)).unwrap_or_default();
            log::error!(
                suppressed, room:% = room, seq, why:% = why;
                "a stored record cannot be read: run chinwag verify, and restore a backup"
            );
        }
    }
}

fn room_name(db: &Connection, room: i64) -> Option<String> {
    db.query_row("SELECT name FROM room WHERE id = ?1", [room], |row| row.get(0)).ok()
}

/// The answer, as of the last commit, and which records could not be read for it.
fn answer(
    db: &mut Connection,
    query: &StoredQuery,
    time_max: Duration,
) -> rusqlite::Result<(Result<Answer, QueryFault>, Vec<DamagedRecord>)> {
    let clock = Clock::start();
    let is_over = move || clock.now().tick.since(Tick::ZERO) >= time_max;
    db.progress_handler(STEPS_PER_CHECK, Some(is_over))?;
    // Pages and heads of several statements must be of one moment.
    let transaction = db.transaction()?;
    let mut reading = ReadTransaction::new(&transaction);
    let outcome = query.answer(&mut reading);
    let damaged = reading.damaged;
    transaction.finish()?;
    db.progress_handler(0, None::<fn() -> bool>)?;
    Ok((outcome, damaged))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use rusqlite::config::DbConfig;
    use tempfile::TempDir;

    use super::*;
    use crate::chat::model::record::Record;
    use crate::store::sqlite::search::index;
    use crate::store::sqlite::testing::{database, message, path, room, say, user};

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn log() -> LogId {
        LogId::new(3, 1)
    }

    fn page(from: u64, to: u64) -> Query {
        Query::Page { log: log(), from, to, limit: u32::MAX }
    }

    fn start(path: PathBuf) -> (ReaderHandle, Receiver<LogReply>) {
        let (replies, end) = ReplySender::new(Arc::new(|| {}));
        (ReaderHandle::start(path, SharedReader::default(), Arc::default(), replies), end)
    }

    #[track_caller]
    fn answer_to(
        (reader, end): &mut (ReaderHandle, Receiver<LogReply>),
        query: Query,
    ) -> Result<Answer, LogFault> {
        reader.query(Ticket(7), query, |wanted| (wanted == log()).then_some(1)).unwrap();
        loop {
            if let LogReply::Answer { ticket: Ticket(7), outcome } =
                end.recv_timeout(PATIENCE).unwrap()
            {
                return outcome;
            }
        }
    }

    #[track_caller]
    fn texts(answer: Result<Answer, LogFault>) -> (Vec<u64>, u64) {
        match answer {
            Ok(Answer::Records { records, as_of }) => {
                (records.iter().map(|record: &Arc<Record>| record.seq).collect(), as_of)
            }
            other => panic!("{other:?}"),
        }
    }

    fn stored(messages: usize) -> (TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        for _ in 0..messages {
            say(&db, 1, "ann", message("hello"));
        }
        (folder, db)
    }

    #[test]
    fn each_query_sees_the_last_commit() {
        let (folder, db) = stored(1);
        let mut reader = start(path(&folder));
        assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1], 1));
        db.execute_batch("BEGIN").unwrap();
        say(&db, 1, "ann", message("more"));
        assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1], 1));
        db.execute_batch("COMMIT").unwrap();
        assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1, 2], 2));
    }

    #[test]
    fn a_file_that_comes_later_is_read_then() {
        let (folder, db) = stored(1);
        let hidden = folder.path().join("hidden");
        let mut reader = start(hidden.clone());
        assert_eq!(answer_to(&mut reader, page(1, 9)), Err(LogFault::Broken));
        db.execute("VACUUM INTO ?1", [hidden.to_str().unwrap()]).unwrap();
        assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1], 1));
    }

    #[test]
    fn what_is_no_database_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(&folder), vec![b'x'; 8192]).unwrap();
        let mut reader = start(path(&folder));
        assert_eq!(answer_to(&mut reader, page(1, 9)), Err(LogFault::Corrupt));
    }

    #[test]
    fn more_than_can_wait_are_refused_and_all_others_answered() {
        let (sender, queue) = sync_channel(QUERIES_MAX);
        let (replies, end) = ReplySender::new(Arc::new(|| {}));
        let path = PathBuf::new();
        let mut reader = ReaderHandle {
            path,
            connection: SharedReader::default(),
            known: Arc::default(),
            replies,
            queue: Some(sender),
        };
        for ticket in 0..u64::try_from(QUERIES_MAX).unwrap() {
            reader.query(Ticket(ticket), page(1, 9), |_| None).unwrap();
        }
        assert_eq!(reader.query(Ticket(999), page(1, 9), |_| None), Err(LogFault::Busy));
        // A thread that dies leaves nobody waiting.
        drop(queue);
        let answered = end.try_iter().filter(|reply| {
            matches!(reply, LogReply::Answer { outcome: Err(LogFault::Broken), ticket } if ticket.0 < 999)
        });
        assert_eq!(answered.count(), QUERIES_MAX);
        assert_eq!(reader.query(Ticket(999), page(1, 9), |_| None), Err(LogFault::Broken));
        assert_eq!(end.try_recv(), Err(mpsc::TryRecvError::Empty));
    }

    #[test]
    fn after_a_thread_has_died_the_next_query_is_answered_by_another() {
        let (folder, _db) = stored(1);
        let (replies, end) = ReplySender::new(Arc::new(|| {}));
        let reader = ReaderHandle {
            path: path(&folder),
            connection: SharedReader::default(),
            known: Arc::default(),
            replies,
            queue: None,
        };
        assert_eq!(texts(answer_to(&mut (reader, end), page(1, 9))), (vec![1], 1));
    }

    #[test]
    fn a_suspension_by_another_process_is_told() {
        let (folder, db) = stored(0);
        let (_reader, end) = start(path(&folder));
        db.execute("INSERT INTO suspension VALUES ('user bob', NULL, '')", []).unwrap();
        let reply = end.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(&reply, LogReply::Suspended(all) if all.users.iter().any(|(name, _)| *name == user("bob"))),
            "{reply:?}"
        );
    }

    #[test]
    fn what_takes_too_long_is_too_dear_and_the_next_query_is_not() {
        let (folder, db) = stored(3_000);
        while index::fill(&db, 1_000).unwrap() {}
        let mut db = open_read_only(&path(&folder), LOCK_TIMEOUT).unwrap();
        let query =
            Query::Search { logs: vec![log()], text: "hello".into(), before: None, limit: 3_000 };
        let query = StoredQuery::of(query, |_| Some(1));
        let (outcome, _) = answer(&mut db, &query, Duration::ZERO).unwrap();
        assert!(matches!(outcome, Err(QueryFault::TooDear)), "{outcome:?}");
        let (outcome, _) = answer(&mut db, &query, PATIENCE).unwrap();
        assert!(matches!(&outcome, Ok(Answer::Found { items, .. }) if items.len() > 50));
    }

    #[test]
    fn the_connection_cannot_write() {
        let (folder, _db) = stored(1);
        let db = open_read_only(&path(&folder), LOCK_TIMEOUT).unwrap();
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
        let refused = db.execute("DELETE FROM record", []).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::ReadOnly));
    }
}
