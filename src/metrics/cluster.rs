//! What a node of a cluster counts of its engine.

use super::Gauge;

/// How the engine is, at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterFigures {
    /// It can be written to.
    pub is_up: bool,
    /// What is written survives the loss of the primary.
    pub is_replicated: bool,
    /// Nodes that are there.
    pub nodes: u64,
    /// How long a write takes, in milliseconds.
    pub write_ms: u64,
    /// Statements that wait for an answer.
    pub waiting: u64,
    /// How often the engine was lost.
    pub losses: u64,
    /// Messages to other nodes that were dropped, since too many waited.
    pub dropped: u64,
}

/// The cells, all 0 where there is no cluster.
#[derive(Debug, Default)]
pub struct ClusterMetrics {
    /// 1 if this is a node of a cluster.
    pub is_on: Gauge,
    /// As in [`ClusterFigures`].
    pub up: Gauge,
    /// Likewise.
    pub replicated: Gauge,
    /// Likewise.
    pub nodes: Gauge,
    /// Likewise.
    pub write_ms: Gauge,
    /// Likewise.
    pub waiting: Gauge,
    /// Likewise.
    pub losses: Gauge,
    /// Likewise.
    pub dropped: Gauge,
}

impl ClusterMetrics {
    /// Takes the figures of a moment.
    pub fn set(&self, figures: &ClusterFigures) {
        self.is_on.set(1);
        self.up.set(u64::from(figures.is_up));
        self.replicated.set(u64::from(figures.is_replicated));
        self.nodes.set(figures.nodes);
        self.write_ms.set(figures.write_ms);
        self.waiting.set(figures.waiting);
        self.losses.set(figures.losses);
        self.dropped.set(figures.dropped);
    }
}
