//! What a store is opened with.

use std::path::PathBuf;
use std::sync::Arc;

use super::connection::CACHE_BYTES;
use super::preload::Preload;
use super::write_queue::QUEUE_BYTES;
use crate::chat::model::policy::{Policies, Policy};
use crate::metrics::StoreMetrics;
use crate::store::memory::CIDS_MAX;

/// Where the store is, and where it counts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of its files.
    pub data: PathBuf,
    /// Bytes of pages of the file that its writer keeps in memory.
    pub cache_bytes: usize,
    /// Bytes of records that may wait for the disk.
    pub queue_bytes: usize,
    /// `cid`s of memory rooms that are remembered.
    pub cids: usize,
    /// Whether users prove their names: the first time they do, those of all members are read.
    pub proves_names: bool,
    /// Whether rooms in memory have ended, as they do with their process. Not so if they come over
    /// from another one.
    pub ends_memory_rooms: bool,
    /// What is read when it is opened, so that nobody waits for it.
    pub preload: Preload,
    /// For how long rooms are kept, also those that nobody uses.
    pub policies: Policies,
    /// Its counters.
    pub metrics: Arc<StoreMetrics>,
}

impl Options {
    /// The files in `data`, with as much memory as is taken where nothing is said about it.
    #[must_use]
    pub fn new(data: PathBuf, metrics: Arc<StoreMetrics>) -> Self {
        let (proves_names, preload) = (false, Preload::default());
        let policies = Policies::uniform(Policy::default());
        let (cache_bytes, queue_bytes, cids) = (CACHE_BYTES, QUEUE_BYTES, CIDS_MAX);
        Self {
            data,
            cache_bytes,
            queue_bytes,
            cids,
            proves_names,
            ends_memory_rooms: true,
            preload,
            policies,
            metrics,
        }
    }
}
