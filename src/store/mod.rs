//! The logs: who assigns `seq`, and what outlives the process.
//!
//! Rooms of level `memory` have a counter and the memory of their `cid`s ([`MemoryStore`]); all others are in an
//! SQLite file ([`disk`]), written by one thread and read by another. The server's loop hands requests over and
//! polls answers ([`chat::model::log`](crate::chat::model::log)); it never waits for a disk.
//!
//! # What is written when
//!
//! | | written | answered |
//! |---|---|---|
//! | a record, with the facts that come with it | in a batch of one level: what waits when the last one is done, at most 512 records or 1 MiB | when the batch is committed and, at `disk`, synced |
//! | a membership that begins or ends, an invitation | with the next batch | when it is written |
//! | receipts, and other facts that nobody waits for | a quarter of a second later, the last of each only; before any record that was asked for after them | at once |
//! | what is pruned, the index of words, checkpoints | between batches, in steps of a few milliseconds | |
//!
//! # When the disk fails
//!
//! The records of a batch that fails are refused (5005 if there is no room, otherwise 5004), and so is every
//! further one; facts stay queued. Reading goes on, and so do memory rooms. The file is reopened, what a failed
//! sync may have left in the log is overwritten or taken back (nobody was told of it), what was written last is compared
//! with its checksums, and a write is tried each second: when one succeeds, service goes on. The whole file is then looked
//! at by `quick_check`, on a thread that is there for as long as that lasts.
//!
//! On a full disk the 8 MiB of `chinwag.reserve` are given up, and what makes room is done with them: deletions, what was
//! kept long enough, facts, `erase-user`. The rest is taken again when the reserve could be.
//!
//! # When the file is damaged
//!
//! Nothing is written to it any more until a restart, and nothing is removed: appends are refused (5004), what can be
//! read is. Damage is found by each reading (a sum over each record), by each start (the records of each room must be
//! those that its row counts; a log must be that of its file), and by the look at the whole file after a start that does not
//! follow a stop, and after each failure. A damaged file is never deleted: `chinwag verify` says what is wrong,
//! `chinwag restore` puts a backup in its place and keeps it.
//!
//! # After a start
//!
//! What was found is logged: closed in good order, killed, or the machine went down; then rooms of level `os` begin a
//! new epoch, since their last second may be lost. A file of a newer version is refused, an older one is brought up in one
//! transaction.

pub mod disk;
pub mod memory;
pub mod tools;

pub use disk::{OpenError, Options, Wake};
pub use memory::MemoryStore;

use crate::chat::model::log::{Logs, Snapshot};
use crate::time::clock::Clock;

/// Logs that are all in memory, and begin empty.
#[must_use]
pub fn in_memory() -> (Box<dyn Logs>, Snapshot) {
    (Box::new(MemoryStore::new()), Snapshot::default())
}

/// Whether a file of an earlier start is in this directory.
#[must_use]
pub fn is_there(data: &std::path::Path) -> bool {
    data.join(disk::FILE).exists()
}

/// Logs of which those that are to survive do, and what was kept of them. `wake` is called, in any thread,
/// when there is something to poll.
///
/// Dropping them closes the file: what waits is written, for at most five seconds.
///
/// # Errors
///
/// [`OpenError`], which says what to do.
pub fn open(
    options: &Options,
    clock: Clock,
    wake: Wake,
) -> Result<(Box<dyn Logs>, Snapshot), OpenError> {
    let (store, kept) = disk::Store::open(options, clock, wake)?;
    Ok((Box::new(store), kept))
}
