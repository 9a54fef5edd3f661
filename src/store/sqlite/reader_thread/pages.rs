//! Answering pages, also while another query is under way: SQLite asks now and then whether to go
//! on, and the pages that wait are answered first, by a connection of their own.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::super::queries::StoredQuery;
use super::super::read_transaction::{DamagedRecord, QueryFault, ReadTransaction};
use super::read_queue::{PendingQuery, ReadQueue};
use super::reports::Reports;
use crate::chat::model::log::{Answer, LogFault};
use crate::time::Tick;
use crate::time::clock::Clock;

#[expect(
    clippy::disallowed_types,
    reason = "one thread uses it, and SQLite's callback in it wants to own it"
)]
type Mutex<T> = std::sync::Mutex<T>;

/// Steps of SQLite's machine between two looks at the clock and the queue. Some steps of FTS5 are
/// long.
const STEPS_PER_CHECK: i32 = 100;
/// How long another query goes on before pages are answered in between, and how many of them are:
/// no page waits for much longer, and no search waits for pages without end.
pub(super) const SLICE: Duration = Duration::from_millis(4);
const PAGES_PER_SLICE: usize = 16;

/// The connection that reads pages, and who waits for them.
#[derive(Clone, Debug)]
pub(super) struct Pages(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// `None` after a failure: then it is not to be used any more.
    db: Option<Connection>,
    queue: Arc<ReadQueue>,
    reports: Reports,
    clock: Clock,
}

impl Pages {
    pub(super) fn new(queue: Arc<ReadQueue>) -> Self {
        let (reports, clock) = (Reports::default(), Clock::start());
        Self(Arc::new(Mutex::new(State { db: None, queue, reports, clock })))
    }

    /// Answers one page on this connection, which is taken over for those to come: it comes back
    /// from [`Pages::release`].
    pub(super) fn answer_with(&self, db: Connection, pending: PendingQuery) {
        let mut state = self.lock();
        state.db = Some(db);
        state.answer(pending);
    }

    /// Has pages answered on this connection while `slow` is answered on another: its answer, and
    /// which records could not be read for it. It may take `time_max`, without what the pages take,
    /// which come after each `slice`.
    pub(super) fn answer_beside(
        &self,
        db: Connection,
        slow: &mut Connection,
        query: &StoredQuery,
        (slice, time_max): (Duration, Duration),
    ) -> rusqlite::Result<(Result<Answer, QueryFault>, Vec<DamagedRecord>)> {
        self.lock().db = Some(db);
        let (pages, clock) = (self.clone(), Clock::start());
        let (mut on_pages, mut slice_began) = (Duration::ZERO, Tick::ZERO);
        let is_over = move || {
            let now = clock.now().tick;
            if now.since(slice_began) >= slice {
                pages.answer_waiting();
                slice_began = clock.now().tick;
                on_pages += slice_began.since(now);
            }
            // The time that it has spent on others is not held against it.
            now.since(Tick::ZERO) >= time_max.saturating_add(on_pages)
        };
        slow.progress_handler(STEPS_PER_CHECK, Some(is_over))?;
        let answered = answer(slow, query);
        slow.progress_handler(0, None::<fn() -> bool>)?;
        answered
    }

    /// The connection, if it can be used on.
    pub(super) fn release(&self) -> Option<Connection> {
        self.lock().db.take()
    }

    fn answer_waiting(&self) {
        let mut state = self.lock();
        for _ in 0..PAGES_PER_SLICE {
            // A connection that has failed is opened anew after the query that is under way.
            let page = if state.db.is_some() { state.queue.take_page() } else { None };
            let Some(page) = page else { return };
            state.answer(page);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&mut self, pending: PendingQuery) {
        let Some(db) = &mut self.db else { return };
        let now = self.clock.now().tick;
        // Errors are of this page: the query beside which it is answered goes on.
        let outcome = match answer(db, &pending.query) {
            Ok((outcome, damaged)) => {
                self.reports.damaged(now, db, &damaged);
                outcome
            }
            Err(error) => Err(QueryFault::from(error)),
        };
        let outcome = outcome.map_err(|fault| match fault {
            QueryFault::Corrupt => LogFault::Corrupt,
            QueryFault::TooDear => LogFault::TooDear,
            QueryFault::Database(error) => {
                self.db = None;
                self.reports.fault_of(now, &error)
            }
        });
        pending.answer(outcome);
    }
}

/// The answer, as of the last commit, and which records could not be read for it.
fn answer(
    db: &mut Connection,
    query: &StoredQuery,
) -> rusqlite::Result<(Result<Answer, QueryFault>, Vec<DamagedRecord>)> {
    // Pages and heads of several statements must be of one moment.
    let transaction = db.transaction()?;
    let mut reading = ReadTransaction::new(&transaction);
    let outcome = query.answer(&mut reading);
    let damaged = reading.damaged;
    transaction.finish()?;
    Ok((outcome, damaged))
}
