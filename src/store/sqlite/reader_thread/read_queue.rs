//! The queue between the loop's thread and the reader's.

use std::fmt;
use std::sync::{Condvar, MutexGuard, PoisonError};

use super::super::queries::StoredQuery;
use super::super::reply_channel::ReplySender;
use super::lanes::Lanes;
use crate::chat::model::log::{Answer, LogFault, LogReply, Ticket};

#[expect(clippy::disallowed_types, reason = "a queue between two threads, in lanes")]
type Mutex<T> = std::sync::Mutex<T>;

/// A query that is queued. If it is dropped without an answer, since the thread has died, it
/// answers itself.
pub(super) struct PendingQuery {
    pub(super) ticket: Ticket,
    pub(super) query: StoredQuery,
    pub(super) replies: Option<ReplySender>,
}

impl PendingQuery {
    pub(super) fn answer(mut self, outcome: Result<Answer, LogFault>) {
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

/// The queue, bounded as [`Lanes`] says.
#[derive(Debug, Default)]
pub(super) struct ReadQueue {
    state: Mutex<State>,
    condvar: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lanes: Lanes<PendingQuery>,
    is_closed: bool,
}

impl ReadQueue {
    /// Queues a query.
    ///
    /// # Errors
    ///
    /// [`LogFault::Busy`] if too many wait, [`LogFault::Broken`] if the thread has died.
    pub(super) fn push(&self, pending: PendingQuery) -> Result<(), LogFault> {
        let mut state = self.lock();
        if state.is_closed {
            pending.forget();
            return Err(LogFault::Broken);
        }
        let user = pending.query.user().cloned();
        if pending.query.is_urgent() {
            state.lanes.push_first(pending);
        } else if let Err(pending) = state.lanes.push(user.as_ref(), pending) {
            pending.forget();
            return Err(LogFault::Busy);
        }
        drop(state);
        self.condvar.notify_one();
        Ok(())
    }

    /// Waits for the next query; `None` if nothing more comes.
    pub(super) fn take(&self) -> Option<PendingQuery> {
        let idle = |state: &mut State| state.lanes.is_empty() && !state.is_closed;
        let waited = self.condvar.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed { None } else { state.lanes.pop() }
    }

    /// Takes the next page, if one waits.
    pub(super) fn take_page(&self) -> Option<PendingQuery> {
        self.lock().lanes.pop_page()
    }

    /// Nothing more is taken: what waits answers itself.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let lanes = std::mem::take(&mut state.lanes);
        drop(state);
        self.condvar.notify_one();
        // Outside of the lock: each that is dropped answers itself, which wakes the loop.
        drop(lanes);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, so that a poisoned one is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the queue when the thread ends, however it does.
#[derive(Debug)]
pub(super) struct CloseAtEnd(pub(super) std::sync::Arc<ReadQueue>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}
