//! The logs: who assigns `seq`.

pub mod disk;
pub mod memory;
pub mod tools;

pub use disk::{OpenError, Options, Wake};
pub use memory::MemoryStore;

use crate::chat::log::{Kept, Logs};
use crate::time::clock::Clock;

/// Logs that are all in memory, and begin empty.
#[must_use]
pub fn in_memory() -> (Box<dyn Logs>, Kept) {
    (Box::new(MemoryStore::new()), Kept::default())
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
) -> Result<(Box<dyn Logs>, Kept), OpenError> {
    let (store, kept) = disk::Store::open(options, clock, wake)?;
    Ok((Box::new(store), kept))
}
