//! The connections that read, as the writer sees them.
//!
//! The reader uses them from query to query; between two of them the writer can have them.
//! It needs that twice: the WAL can begin anew only while nobody reads, and after searches without
//! a pause there would be no such moment; and a file is opened anew only when no connection of the
//! process has the old one.

use std::sync::{Arc, MutexGuard, PoisonError};

use rusqlite::Connection;

#[expect(clippy::disallowed_types, reason = "connections that two threads take turns with")]
type Mutex<T> = std::sync::Mutex<T>;

/// The reader's connections to one file.
#[derive(Debug)]
pub(super) struct Connections {
    /// For pages, which are read while another query is under way.
    pub(super) pages: Connection,
    /// For all other queries.
    pub(super) others: Connection,
}

/// The reader's connections, if it has any. Whoever holds them keeps the other waiting: the reader
/// for one query, the writer for one checkpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedReader {
    reader: Arc<Mutex<Option<Connections>>>,
    /// Of the worker that serves the webhooks, which waits for no query.
    outbox: Arc<Mutex<Option<Connection>>>,
}

impl SharedReader {
    /// Waits for the connections.
    pub(super) fn hold(&self) -> MutexGuard<'_, Option<Connections>> {
        // A reader that panicked within a query has left a transaction: the next one opens others.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the connection by which the outbox is read.
    pub(super) fn hold_outbox(&self) -> MutexGuard<'_, Option<Connection>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
