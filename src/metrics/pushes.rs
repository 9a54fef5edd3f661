//! What the pushes to devices count.

use super::{Counter, Gauge};

/// The cells of Web Push. `lost` is written by the loop, the others by the thread that sends.
#[derive(Debug, Default)]
pub struct PushMetrics {
    /// Pushes that services have taken.
    pub delivered: Counter,
    /// Requests that failed.
    pub failed: Counter,
    /// Pushes that were given up.
    pub given_up: Counter,
    /// Pushes that were not sent since too many waited.
    pub lost: Counter,
    /// Devices that ended, since their services do not know them any more or fail for too long.
    pub ended: Counter,
    /// Pushes that wait.
    pub waiting: Gauge,
}
