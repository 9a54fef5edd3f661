//! The connection that reads, as the writer sees it.
//!
//! The reader uses its connection from query to query; between two of them the writer can have it.
//! It needs that twice: the WAL can begin anew only while nobody reads, and behind searches without
//! a pause there would be no such moment; and a file is opened anew only when no connection of the
//! process has the old one.

use std::sync::{Arc, MutexGuard, PoisonError};

use rusqlite::Connection;

#[expect(clippy::disallowed_types, reason = "one connection that two threads take turns with")]
type Mutex<T> = std::sync::Mutex<T>;

/// The reader's connection, if it has one. Whoever holds it keeps the other waiting: the reader for
/// one query, the writer for one checkpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedReader(Arc<Mutex<Option<Connection>>>);

impl SharedReader {
    /// Waits for the connection.
    pub(super) fn hold(&self) -> MutexGuard<'_, Option<Connection>> {
        // A reader that panicked within a query has left a transaction: the next one opens another
        // connection.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
