//! The reader: a thread with a connection that cannot write.
//!
//! ```text
//!  ask ─▶ [ at most QUERIES_MAX ] ─▶ transaction, answer ─▶ Replies
//!                                    each second: suspensions ─▶ Replies
//! ```
//!
//! Every query is answered exactly once, whatever happens to the file or the thread.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::read::{Bad, Fault, Job, Reading};
use super::replies::Replies;
use super::suspend::Watch;
use crate::chat::model::log::{Answer, LogFault, LogId, LogReply, Query, Suspensions, Ticket};
use crate::log::Throttle;
use crate::time::Tick;
use crate::time::clock::Clock;

/// Queries that may wait.
const QUERIES_MAX: usize = 256;
/// Between two looks at the suspensions.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the reader waits for whoever has locked the file, for as long as a recovery takes.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How long one query may take: what takes longer is refused as too dear.
const QUERY_LASTS: Duration = Duration::from_secs(1);
/// Steps of SQLite's machine between two looks at the clock; some of full text are long.
const STEPS_AT_ONCE: i32 = 100;

/// The reader, as it is asked.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    known: Arc<Suspensions>,
    replies: Replies,
    queue: Option<SyncSender<Ask>>,
}

impl Reader {
    /// A reader of the database at `path`, which need not be there yet. `known` is who may not use the
    /// server as far as everybody knows: whatever differs is told by [`LogReply::Suspended`].
    pub(super) fn start(path: PathBuf, known: Arc<Suspensions>, replies: Replies) -> Self {
        let mut reader = Self { path, known, replies, queue: None };
        reader.queue = reader.spawn();
        reader
    }

    /// Takes a query, to be answered by [`LogReply::Answer`]. `rooms` gives the row id of a log's room;
    /// `None` is a room of which nothing is stored.
    ///
    /// # Errors
    ///
    /// The query is not taken: [`LogFault::Busy`] if too many wait, [`LogFault::Broken`] if the thread has
    /// died; the next query finds another one.
    pub(super) fn ask(
        &mut self,
        ticket: Ticket,
        query: Query,
        rooms: impl Fn(LogId) -> Option<i64>,
    ) -> Result<(), LogFault> {
        if self.queue.is_none() {
            self.queue = self.spawn();
        }
        let queue = self.queue.as_ref().ok_or(LogFault::Broken)?;
        let job = Job::of(query, rooms);
        let ask = Ask { ticket, job, replies: Some(self.replies.clone()) };
        match queue.try_send(ask) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(ask)) => {
                ask.forget();
                Err(LogFault::Busy)
            }
            Err(TrySendError::Disconnected(ask)) => {
                ask.forget();
                self.queue = None;
                Err(LogFault::Broken)
            }
        }
    }

    fn spawn(&self) -> Option<SyncSender<Ask>> {
        let (sender, queue) = sync_channel(QUERIES_MAX);
        let shelf = Shelf::new(self.path.clone(), &self.known, self.replies.clone());
        let thread = thread::Builder::new().name("store-read".to_owned());
        match thread.spawn(move || run(&queue, shelf)) {
            Ok(_) => Some(sender),
            Err(error) => {
                log::error!(cause:% = error; "cannot start the thread that reads the store");
                None
            }
        }
    }
}

/// A query that waits. It is answered when it is dropped, if it was not before: a thread that dies leaves
/// nobody waiting.
struct Ask {
    ticket: Ticket,
    job: Job,
    replies: Option<Replies>,
}

impl Ask {
    fn answer(mut self, outcome: Result<Answer, LogFault>) {
        if let Some(replies) = self.replies.take() {
            replies.send(LogReply::Answer { ticket: self.ticket, outcome });
        }
    }

    /// It is answered otherwise.
    fn forget(mut self) {
        self.replies = None;
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        if let Some(replies) = self.replies.take() {
            let outcome = Err(LogFault::Broken);
            replies.send(LogReply::Answer { ticket: self.ticket, outcome });
        }
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

/// Answers until nobody is left to ask.
fn run(queue: &Receiver<Ask>, mut shelf: Shelf) {
    shelf.look();
    loop {
        match queue.recv_timeout(LOOK_EVERY) {
            Ok(ask) => {
                let outcome = shelf.answer(&ask.job);
                ask.answer(outcome);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        shelf.look();
    }
}

/// The thread's own: its connection, if there is one, and what it has told.
struct Shelf {
    path: PathBuf,
    db: Option<Connection>,
    watch: Watch,
    replies: Replies,
    clock: Clock,
    looked: Option<Tick>,
    told_bad: Throttle,
    told_fault: Throttle,
}

impl Shelf {
    fn new(path: PathBuf, known: &Arc<Suspensions>, replies: Replies) -> Self {
        Self {
            path,
            db: None,
            watch: Watch::new(Arc::clone(known)),
            replies,
            clock: Clock::start(),
            looked: None,
            told_bad: Throttle::new(10, Duration::from_secs(10)),
            told_fault: Throttle::new(1, Duration::from_secs(10)),
        }
    }

    fn answer(&mut self, job: &Job) -> Result<Answer, LogFault> {
        let outcome = self.connected().and_then(|db| answer(db, job, QUERY_LASTS));
        let (outcome, bad) = outcome.unwrap_or_else(|error| (Err(error.into()), Vec::new()));
        self.tell(&bad);
        outcome.map_err(|fault| match fault {
            Fault::Corrupt => LogFault::Corrupt,
            Fault::TooDear => LogFault::TooDear,
            Fault::Database(error) => self.failed(&error),
        })
    }

    /// Once a second, tells who is suspended if that has changed.
    fn look(&mut self) {
        let now = self.clock.now().tick;
        if self.looked.is_some_and(|looked| now.since(looked) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        let connected = self.connected().map(drop);
        let found = connected.and_then(|()| match &self.db {
            Some(db) => self.watch.look(db),
            None => Ok(None),
        });
        match found {
            Ok(None) => {}
            Ok(Some(changed)) => self.replies.send(LogReply::Suspended(changed)),
            Err(error) => _ = self.failed(&error),
        }
    }

    fn connected(&mut self) -> rusqlite::Result<&mut Connection> {
        if self.db.is_none() {
            self.watch.reconnected();
            self.db = Some(open(&self.path)?);
        }
        self.db.as_mut().ok_or(rusqlite::Error::InvalidQuery)
    }

    /// The connection is not trusted again: the next query has another.
    fn failed(&mut self, error: &rusqlite::Error) -> LogFault {
        self.db = None;
        if let Some(suppressed) = self.told_fault.admit(self.clock.now().tick) {
            log::error!(suppressed, cause:% = error; "cannot read the store");
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LogFault::Corrupt,
            _ => LogFault::Broken,
        }
    }

    fn tell(&mut self, bad: &[Bad]) {
        for Bad { room, seq, fault } in bad {
            let Some(suppressed) = self.told_bad.admit(self.clock.now().tick) else { continue };
            let why = fault.map_or_else(|| "it is not there".to_owned(), |fault| fault.to_string());
            let room = self.db.as_ref().and_then(|db| room_name(db, *room));
            let room = room.unwrap_or_default();
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

/// A connection that cannot write.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(LOCK_PATIENCE)?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// The answer, as of the last commit, and which records could not be read on the way.
fn answer(
    db: &mut Connection,
    job: &Job,
    lasts: Duration,
) -> rusqlite::Result<(Result<Answer, Fault>, Vec<Bad>)> {
    let clock = Clock::start();
    let over = move || clock.now().tick.since(Tick::ZERO) >= lasts;
    db.progress_handler(STEPS_AT_ONCE, Some(over))?;
    let transaction = db.transaction()?;
    let mut reading = Reading::new(&transaction);
    let outcome = reading.answer(job);
    let bad = reading.bad;
    transaction.finish()?;
    db.progress_handler(0, None::<fn() -> bool>)?;
    Ok((outcome, bad))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use rusqlite::config::DbConfig;
    use tempfile::TempDir;

    use super::*;
    use crate::chat::model::record::Record;
    use crate::store::disk::search;
    use crate::store::disk::testing::{database, message, path, room, say, user};

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn log() -> LogId {
        LogId::new(3, 1)
    }

    fn page(from: u64, to: u64) -> Query {
        Query::Page { log: log(), from, to }
    }

    fn start(path: PathBuf) -> (Reader, Receiver<LogReply>) {
        let (replies, end) = Replies::new(Arc::new(|| {}));
        (Reader::start(path, Arc::default(), replies), end)
    }

    #[track_caller]
    fn asked(
        (reader, end): &mut (Reader, Receiver<LogReply>),
        query: Query,
    ) -> Result<Answer, LogFault> {
        reader.ask(Ticket(7), query, |asked| (asked == log()).then_some(1)).unwrap();
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
        assert_eq!(texts(asked(&mut reader, page(1, 9))), (vec![1], 1));
        db.execute_batch("BEGIN").unwrap();
        say(&db, 1, "ann", message("more"));
        assert_eq!(texts(asked(&mut reader, page(1, 9))), (vec![1], 1));
        db.execute_batch("COMMIT").unwrap();
        assert_eq!(texts(asked(&mut reader, page(1, 9))), (vec![1, 2], 2));
    }

    #[test]
    fn a_file_that_comes_later_is_read_then() {
        let (folder, db) = stored(1);
        let hidden = folder.path().join("hidden");
        let mut reader = start(hidden.clone());
        assert_eq!(asked(&mut reader, page(1, 9)), Err(LogFault::Broken));
        db.execute("VACUUM INTO ?1", [hidden.to_str().unwrap()]).unwrap();
        assert_eq!(texts(asked(&mut reader, page(1, 9))), (vec![1], 1));
    }

    #[test]
    fn what_is_no_database_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(&folder), vec![b'x'; 8192]).unwrap();
        let mut reader = start(path(&folder));
        assert_eq!(asked(&mut reader, page(1, 9)), Err(LogFault::Corrupt));
    }

    #[test]
    fn more_than_can_wait_are_refused_and_all_others_answered() {
        let (sender, queue) = sync_channel(QUERIES_MAX);
        let (replies, end) = Replies::new(Arc::new(|| {}));
        let path = PathBuf::new();
        let mut reader = Reader { path, known: Arc::default(), replies, queue: Some(sender) };
        for ticket in 0..u64::try_from(QUERIES_MAX).unwrap() {
            reader.ask(Ticket(ticket), page(1, 9), |_| None).unwrap();
        }
        assert_eq!(reader.ask(Ticket(999), page(1, 9), |_| None), Err(LogFault::Busy));
        // A thread that dies leaves nobody waiting.
        drop(queue);
        let answered = end.try_iter().filter(|reply| {
            matches!(reply, LogReply::Answer { outcome: Err(LogFault::Broken), ticket } if ticket.0 < 999)
        });
        assert_eq!(answered.count(), QUERIES_MAX);
        assert_eq!(reader.ask(Ticket(999), page(1, 9), |_| None), Err(LogFault::Broken));
        assert_eq!(end.try_recv(), Err(mpsc::TryRecvError::Empty));
    }

    #[test]
    fn after_a_thread_has_died_the_next_query_is_answered_by_another() {
        let (folder, _db) = stored(1);
        let (replies, end) = Replies::new(Arc::new(|| {}));
        let reader = Reader { path: path(&folder), known: Arc::default(), replies, queue: None };
        assert_eq!(texts(asked(&mut (reader, end), page(1, 9))), (vec![1], 1));
    }

    #[test]
    fn a_suspension_by_another_process_is_told() {
        let (folder, db) = stored(0);
        let (_reader, end) = start(path(&folder));
        db.execute("INSERT INTO suspension VALUES ('user bob', NULL, '')", []).unwrap();
        let told = end.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(&told, LogReply::Suspended(all) if all.users.iter().any(|(name, _)| *name == user("bob"))),
            "{told:?}"
        );
    }

    #[test]
    fn what_takes_too_long_is_too_dear_and_the_next_query_is_not() {
        let (folder, db) = stored(3_000);
        while search::fill(&db, 1_000).unwrap() {}
        let mut db = open(&path(&folder)).unwrap();
        let query =
            Query::Search { logs: vec![log()], text: "hello".into(), before: None, limit: 3_000 };
        let job = Job::of(query, |_| Some(1));
        let (outcome, _) = answer(&mut db, &job, Duration::ZERO).unwrap();
        assert!(matches!(outcome, Err(Fault::TooDear)), "{outcome:?}");
        let (outcome, _) = answer(&mut db, &job, PATIENCE).unwrap();
        assert!(matches!(&outcome, Ok(Answer::Found { items, .. }) if items.len() > 100));
    }

    #[test]
    fn the_connection_cannot_write() {
        let (folder, _db) = stored(1);
        let db = open(&path(&folder)).unwrap();
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
        let refused = db.execute("DELETE FROM record", []).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::ReadOnly));
    }
}
