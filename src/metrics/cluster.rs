//! What a node of a cluster counts of its engine.

use super::Gauge;
use super::exposition::Exposition;

/// How the engine is, at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a series of its own")]
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
    /// What is published on the bus comes back.
    pub is_bus_up: bool,
    /// What may be lost is told over the bus.
    pub is_bus_used: bool,
    /// How often the bus was lost.
    pub bus_losses: u64,
    /// Nodes that have no bus, or another one.
    pub apart: u64,
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
    /// Likewise.
    pub bus_up: Gauge,
    /// Likewise.
    pub bus_used: Gauge,
    /// Likewise.
    pub bus_losses: Gauge,
    /// Likewise.
    pub apart: Gauge,
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
        self.bus_up.set(u64::from(figures.is_bus_up));
        self.bus_used.set(u64::from(figures.is_bus_used));
        self.bus_losses.set(figures.bus_losses);
        self.apart.set(figures.apart);
    }

    /// Writes them down.
    pub(super) fn expose(&self, page: &mut Exposition) {
        page.gauge(
            "chinwag_cluster_node",
            "1 if this is a node of a cluster; otherwise all of the others are 0, too.",
            self.is_on.value(),
        );
        page.gauge("chinwag_cluster_up", "1 if the engine can be written to.", self.up.value());
        page.gauge(
            "chinwag_cluster_replicated",
            "1 if what the engine confirms survives the loss of its primary.",
            self.replicated.value(),
        );
        page.gauge("chinwag_cluster_nodes", "Nodes that are there.", self.nodes.value());
        page.gauge(
            "chinwag_cluster_write_milliseconds",
            "Time of the last write that all nodes make every two seconds.",
            self.write_ms.value(),
        );
        page.gauge(
            "chinwag_cluster_waiting",
            "Statements that wait for an answer of the engine.",
            self.waiting.value(),
        );
        page.counter(
            "chinwag_cluster_losses_total",
            "How often the engine was lost.",
            self.losses.value(),
        );
        page.counter(
            "chinwag_cluster_dropped_total",
            "Presence, typing and receipts that other nodes were not told, since too many waited.",
            self.dropped.value(),
        );
        page.gauge(
            "chinwag_cluster_bus_up",
            "1 if what is published on the bus comes back; 0 also where there is none.",
            self.bus_up.value(),
        );
        page.gauge(
            "chinwag_cluster_bus_used",
            "1 if all nodes hear the bus, which carries what may be lost.",
            self.bus_used.value(),
        );
        page.counter(
            "chinwag_cluster_bus_losses_total",
            "How often the bus was lost.",
            self.bus_losses.value(),
        );
        page.gauge(
            "chinwag_cluster_bus_apart",
            "Nodes that have no bus while this one has, or another one.",
            self.apart.value(),
        );
    }
}
