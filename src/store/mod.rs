//! The logs: who assigns `seq`.

pub mod memory;

pub use memory::MemoryStore;
