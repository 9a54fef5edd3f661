//! The logs: who assigns `seq`, and what outlives the process.
//!
//! Rooms of level `memory` have a counter and remember their `cid`s ([`MemoryStore`]); all others
//! are in an SQLite file ([`sqlite`]), written by one thread and read by another. The loop passes
//! requests and polls answers ([`chat::model::log`](crate::chat::model::log)); it never waits for a
//! disk.
//!
//! # What is written when
//!
//! - A record, with the room metadata that comes with it: in a batch of one level, which has what
//!   was queued while the last batch was written, at most 512 records or 1 MiB. It is answered when
//!   the batch is committed and, at level `disk`, synced.
//! - A membership that begins or ends, an invitation: with the next batch; answered when it is
//!   written.
//! - Metadata without an answer: a tenth of a second later, the last of each only, and before any
//!   record that was asked for after it. Marks (how far users have read) are gathered by the domain
//!   for up to a quarter of a second, and then answered as memberships are.
//! - Pruning, the index of words, moving the WAL into the file: between batches, in steps of a few
//!   milliseconds.
//!
//! # When the disk fails
//!
//! The records of a batch that fails are refused (5005 if there is no space, otherwise 5004), and
//! so is every further one; metadata stays queued. Reading goes on, and so do memory rooms. The
//! file is reopened, what a failed sync may have left in the WAL is overwritten or undone (nobody
//! was told of it), what was written last is compared with its checksums, and a write is tried each
//! second: when one succeeds, service goes on. Then `quick_check` reads the whole file, in a thread
//! of its own.
//!
//! On a full disk the 8 MiB of `chinwag.reserve` are released, and what frees space is done with
//! them: deletions, retention, metadata, `erase-user`. Everything else is accepted again when the
//! reserve could be acquired.
//!
//! # When the file is damaged
//!
//! Nothing is written to it until a restart, and nothing is removed: appends are refused (5004),
//! what can be read is. Damage is found by each query (a checksum over each record), by each start
//! (the records of each room must match the counters of its row; a WAL must be that of its file),
//! and by the check of the whole file after a start without a clean end, and after each failure. A
//! damaged file is never deleted: `chinwag verify` says what is wrong, `chinwag restore` puts a
//! backup in its place and keeps the file.
//!
//! # After a start
//!
//! How the file was left is logged: closed in good order, killed, or the machine went down; then
//! rooms of level `os` begin a new epoch, since their last second may be lost. A file of a newer
//! version is refused, an older one is migrated in one transaction.

#[cfg(test)]
mod contract;
pub mod file_folder;
mod keyed_hash;
pub mod memory;
pub mod shared_file_folder;
pub mod sqlite;
pub mod tools;

pub use file_folder::Folder;
pub use memory::MemoryStore;
pub use sqlite::files::FilesThere;
pub use sqlite::outbox::{
    BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Batch, DeadLetter, Position, StoredWebhook, Update,
};
pub use sqlite::shared_outbox::{FEED_BYTES_MAX, Outbox, RemoteOutbox, Signals};
pub use sqlite::{OpenError, Options, Preload, Wake};

use std::sync::Arc;

use crate::chat::model::log::{Logs, Snapshot};
use crate::time::clock::Clock;

/// The outbox as its users share it.
pub type SharedOutbox = Arc<Outbox>;

/// Logs that are all in memory, and begin empty.
#[must_use]
pub fn in_memory() -> (Box<dyn Logs>, Snapshot) {
    in_memory_with(memory::CIDS_MAX)
}

/// The same, with at most so many `cid`s.
#[must_use]
pub fn in_memory_with(cids_max: usize) -> (Box<dyn Logs>, Snapshot) {
    (Box::new(MemoryStore::with_cids_max(cids_max)), Snapshot::default())
}

/// Whether this directory has a database of an earlier start.
#[must_use]
pub fn is_there(data: &std::path::Path) -> bool {
    data.join(sqlite::data_dir::DATABASE).exists()
}

/// The process that serves this directory; `None` if none does, or what has it is no server.
///
/// # Errors
///
/// If the directory cannot be looked at.
pub fn server_of(data: &std::path::Path) -> std::io::Result<Option<i32>> {
    sqlite::data_dir::owner(data)
}

/// Gives a file in the data directory to the owner of that, if this process may.
///
/// # Errors
///
/// If its owner cannot be changed.
pub fn give_to_owner(path: &std::path::Path) -> std::io::Result<()> {
    sqlite::data_dir::give_to_owner(path)
}

/// The form of the database that this version writes.
#[must_use]
pub const fn schema_version() -> usize {
    sqlite::schema::VERSION
}

/// Logs that survive as their rooms promise, and what the file has of them. Any thread may call
/// `wake` when there is something to poll.
///
/// Dropping them closes the file: it waits at most five seconds for what is queued to be written.
///
/// # Errors
///
/// [`OpenError`], which says what to do.
pub fn open(
    options: &Options,
    clock: Clock,
    wake: Wake,
) -> Result<(Box<dyn Logs>, Snapshot), OpenError> {
    open_with_outbox(options, clock, wake).map(|(logs, snapshot, _)| (logs, snapshot))
}

/// The same, and the outbox of the webhooks.
///
/// # Errors
///
/// As [`open`].
pub fn open_with_outbox(
    options: &Options,
    clock: Clock,
    wake: Wake,
) -> Result<(Box<dyn Logs>, Snapshot, SharedOutbox), OpenError> {
    let (store, snapshot) = sqlite::SqliteStore::open(options, clock, wake)?;
    let outbox = store.outbox();
    Ok((Box::new(store), snapshot, outbox))
}
