//! The thread that reads: it answers queries, pages before all others ([`lanes`]).

mod lanes;
mod pages;
mod read_queue;
mod reports;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use self::pages::{Pages, SLICE};
use self::read_queue::{CloseAtEnd, PendingQuery, ReadQueue};
use self::reports::Reports;
use super::connection::open_read_only;
use super::queries::StoredQuery;
use super::read_transaction::{DamagedRecord, QueryFault};
use super::reply_channel::ReplySender;
use super::shared_reader::{Connections, SharedReader};
use crate::chat::model::log::{Answer, LogFault, LogId, Query, Ticket};
use crate::time::clock::Clock;

/// How long the reader waits for a lock; a recovery holds one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one query may take: a longer one is refused, so that it does not hold up all others.
const QUERY_TIME_MAX: Duration = Duration::from_secs(1);
/// The thread, as its owner sees it.
#[derive(Debug)]
pub(super) struct ReaderHandle {
    path: PathBuf,
    connection: SharedReader,
    replies: ReplySender,
    queue: Option<Arc<ReadQueue>>,
}

impl ReaderHandle {
    /// A reader of the database at `path`, which need not exist yet.
    pub(super) fn start(path: PathBuf, connection: SharedReader, replies: ReplySender) -> Self {
        let mut reader = Self { path, connection, replies, queue: None };
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
        let queued = queue.push(pending);
        if queued == Err(LogFault::Broken) {
            // The thread has panicked: the next query starts another one.
            self.queue = None;
        }
        queued
    }

    fn spawn(&self) -> Option<Arc<ReadQueue>> {
        let queue = Arc::new(ReadQueue::default());
        let (path, connection) = (self.path.clone(), self.connection.clone());
        // One that panicked may have left a transaction.
        *connection.hold() = None;
        let close = CloseAtEnd(Arc::clone(&queue));
        let reader = Reader::new((path, connection), &queue);
        let thread = thread::Builder::new().name("store-read".to_owned());
        let spawned = thread.spawn(move || {
            // Taken into the thread, which it outlives.
            let _close = close;
            reader.run();
        });
        match spawned {
            Ok(_) => Some(queue),
            Err(error) => {
                log::error!(cause:% = error; "cannot start the thread that reads the store");
                None
            }
        }
    }
}

impl Drop for ReaderHandle {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close();
        }
    }
}

/// The thread's own state: its connections, if there are any, and what it has logged.
struct Reader {
    path: PathBuf,
    connection: SharedReader,
    queue: Arc<ReadQueue>,
    pages: Pages,
    clock: Clock,
    reports: Reports,
}

impl Reader {
    fn new((path, connection): (PathBuf, SharedReader), queue: &Arc<ReadQueue>) -> Self {
        Self {
            path,
            connection,
            queue: Arc::clone(queue),
            pages: Pages::new(Arc::clone(queue)),
            clock: Clock::start(),
            reports: Reports::default(),
        }
    }

    /// Answers until the handle is dropped.
    fn run(mut self) {
        while let Some(pending) = self.queue.take() {
            self.answer(pending);
        }
    }

    fn answer(&mut self, pending: PendingQuery) {
        let connection = self.connection.clone();
        let mut held = connection.hold();
        let Connections { pages, mut others } = match self.connected(&mut held) {
            Ok(connections) => connections,
            Err(error) => return pending.answer(Err(self.fault_of(&error))),
        };
        // A page needs no second connection beside it: nothing that is asked meanwhile is more
        // urgent.
        let is_sound = if pending.query.user().is_none() {
            self.pages.answer_with(pages, pending);
            true
        } else {
            let times = (SLICE, QUERY_TIME_MAX);
            let answered = self.pages.answer_beside(pages, &mut others, &pending.query, times);
            self.finish(&others, pending, answered)
        };
        // After a failure the next query opens both again.
        let pages = self.pages.release();
        *held = pages.filter(|_| is_sound).map(|pages| Connections { pages, others });
    }

    /// Sends the answer to a query: whether the connection can be used on.
    fn finish(
        &mut self,
        db: &Connection,
        pending: PendingQuery,
        answered: rusqlite::Result<(Result<Answer, QueryFault>, Vec<DamagedRecord>)>,
    ) -> bool {
        let outcome = answered.map_or_else(
            |error| Err(error.into()),
            |(outcome, damaged)| {
                self.reports.damaged(self.clock.now().tick, db, &damaged);
                outcome
            },
        );
        let (outcome, is_sound) = match outcome {
            Ok(answer) => (Ok(answer), true),
            Err(QueryFault::Corrupt) => (Err(LogFault::Corrupt), true),
            Err(QueryFault::TooDear) => (Err(LogFault::TooDear), true),
            // The others say something of the data, this one of the connection.
            Err(QueryFault::Database(error)) => (Err(self.fault_of(&error)), false),
        };
        pending.answer(outcome);
        is_sound
    }

    /// Takes the connections that are held, or opens new ones.
    fn connected(&self, held: &mut Option<Connections>) -> rusqlite::Result<Connections> {
        if let Some(connections) = held.take() {
            return Ok(connections);
        }
        let open = || open_read_only(&self.path, LOCK_TIMEOUT);
        Ok(Connections { pages: open()?, others: open()? })
    }

    fn fault_of(&mut self, error: &rusqlite::Error) -> LogFault {
        self.reports.fault_of(self.clock.now().tick, error)
    }
}
