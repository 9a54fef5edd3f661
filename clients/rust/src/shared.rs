//! What the thread of a client and its program have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use mio::Waker;

use crate::engine::{Engine, Ticket};
use crate::model::{Error, Item};

/// What the thread and the program have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    pub waker: Waker,
    started: Instant,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub engine: Engine,
    /// Answers that nobody has fetched yet, and those that nobody will fetch.
    pub answers: BTreeMap<Ticket, Result<Item, Error>>,
    pub abandoned: BTreeSet<Ticket>,
    /// Whether the program has dropped the client, and whether the thread has ended.
    pub is_dropped: bool,
    pub has_ended: bool,
}

impl Shared {
    pub(crate) fn new(engine: Engine, waker: Waker) -> Self {
        let (answers, abandoned) = (BTreeMap::new(), BTreeSet::new());
        let inner = Inner { engine, answers, abandoned, is_dropped: false, has_ended: false };
        let (inner, changed) = (Mutex::new(inner), Condvar::new());
        Self { inner, changed, waker, started: Instant::now() }
    }

    /// Milliseconds since the client began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those look who wait for something.
    pub(crate) fn notify(&self, inner: &mut Inner) {
        while let Some((ticket, answer)) = inner.engine.poll_answer() {
            if !inner.abandoned.remove(&ticket) {
                inner.answers.insert(ticket, answer);
            }
        }
        self.changed.notify_all();
    }

    /// Waits for news, until `deadline` if there is one; `None` when that has come.
    pub(crate) fn wait<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, Inner>> {
        let Some(deadline) = deadline else {
            return Some(self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner));
        };
        let left =
            deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let waited = self.changed.wait_timeout(inner, left);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}
