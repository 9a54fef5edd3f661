//! The logs: who assigns `seq`.

pub mod disk;
pub mod memory;

pub use memory::MemoryStore;

use crate::chat::log::{Kept, Logs};

/// Logs that are all in memory, and begin empty.
#[must_use]
pub fn in_memory() -> (Box<dyn Logs>, Kept) {
    (Box::new(MemoryStore::new()), Kept::default())
}
