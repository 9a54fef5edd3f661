//! Counters and gauges, and the names of the series that they make.
//!
//! All cells are atomics that are read by whoever renders the metrics page. Each has one writer, so
//! an addition is a plain load and store without a locked instruction. [`Metrics`] is made once and
//! shared; every part of the server writes its own cells and reads none.

mod chat;
mod cluster;
mod exposition;
mod http;
mod kernel;
mod memory;
mod pushes;
mod reactor;
mod series;
mod store;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use chat::{ChatMetrics, Replies};
pub use cluster::{ClusterFigures, ClusterMetrics};
pub use http::HttpMetrics;
pub use memory::MemoryMetrics;
pub use pushes::PushMetrics;
pub use reactor::{CLOSE_REASONS_MAX, ReactorMetrics, TURN_MICROS_BOUNDS};
pub use store::StoreMetrics;
pub use webhooks::WebhookMetrics;

/// Every cell of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections, bytes and turns.
    pub reactor: Arc<ReactorMetrics>,
    /// Requests and handshakes.
    pub http: HttpMetrics,
    /// Rooms, users and messages.
    pub chat: ChatMetrics,
    /// Bytes held, by what they are held for.
    pub memory: MemoryMetrics,
    /// Batches, and whether they can be written.
    pub store: Arc<StoreMetrics>,
    /// How the engine of a cluster is.
    pub cluster: ClusterMetrics,
    /// What is sent to devices by Web Push.
    pub pushes: Arc<PushMetrics>,
    /// What is sent to webhooks.
    pub webhooks: Arc<WebhookMetrics>,
}

/// A number that only rises. One thread writes it, any may read it.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`, wrapping after 2^64.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that rises and falls. One thread writes it, any may read it.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Replaces the value.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
