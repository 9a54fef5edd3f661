//! The figures by whom they are about, and how they come from counts.

use serde::{Deserialize, Serialize};

use crate::measure::Mark;

/// What the server took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerFigures {
    /// Its time on a core in the measured part, in µs.
    pub cpu_us: Option<u64>,
    /// The same for each delivery.
    pub cpu_us_per_delivery: Option<f64>,
    /// Its time for each connection that was opened, in µs.
    pub cpu_us_per_handshake: Option<f64>,
    /// Its time in the measured part as a share of one core: 1 is one core, all the time.
    pub busy: Option<f64>,
    /// Resident bytes before there were connections.
    pub rss_before: Option<u64>,
    /// Resident bytes when all were there.
    pub rss_after: Option<u64>,
    /// The difference for each of them.
    pub user_bytes_per_connection: Option<f64>,
    /// Descriptors when all were there.
    pub descriptors: Option<u64>,
}

/// What the generator took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneratorFigures {
    /// Processes that it consists of.
    pub processes: u64,
    /// Its time on a core in the measured part, in µs, of all processes.
    pub cpu_us: Option<u64>,
    /// The same for each delivery.
    pub cpu_us_per_delivery: Option<f64>,
    /// The same as a share of one core.
    pub busy: Option<f64>,
    /// Whether it had no time left while the server had: rates are then lower bounds.
    pub is_bottleneck: bool,
}

/// What the kernel took for both ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelFigures {
    /// Bytes in the buffers of all TCP sockets when all connections were there.
    pub tcp_mem_bytes: Option<u64>,
    /// Bytes of sockets, descriptors and buffers for each connection, with its other end if that is
    /// on this machine.
    pub bytes_per_connection: Option<f64>,
}

/// A figure that only one scenario has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what: a unit such as `us`, `bytes`, `ms`, `/s`, or empty for a number.
    #[serde(default)]
    pub unit: String,
}

impl Default for GeneratorFigures {
    fn default() -> Self {
        Self {
            processes: 1,
            cpu_us: None,
            cpu_us_per_delivery: None,
            busy: None,
            is_bottleneck: false,
        }
    }
}

/// From this share of a core on, a process has no time to speak of left.
const FULL: f64 = 0.9;

impl GeneratorFigures {
    /// Decides whether the generator limited the run, given the server's share of a core.
    ///
    /// Several processes share `cores`; each uses one at most.
    pub fn judge(&mut self, cores: u64, server: Option<f64>) {
        let cores = float(self.processes.min(cores).max(1));
        self.is_bottleneck = self.busy.is_some_and(|busy| {
            busy >= FULL * cores && server.is_none_or(|server| server < busy / cores)
        });
    }
}

/// `count` in a second between two marks.
pub(super) fn rate(count: u64, before: &Mark, after: &Mark) -> Option<f64> {
    let elapsed = seconds(after.at_us.saturating_sub(before.at_us));
    (elapsed > 0.0).then(|| round(float(count) / elapsed))
}

/// `total` for each of `count`.
pub(super) fn per(total: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| round(float(total) / float(count)))
}

/// The share that `part` is of `whole`.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    per(part, whole)
}

pub(super) fn seconds(us: u64) -> f64 {
    round(float(us) / 1e6)
}

/// Four digits after the point are more than any of these is exact to.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A count as the figures reckon with it.
#[expect(clippy::cast_precision_loss, reason = "a measurement has fewer than 15 digits")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_bottleneck_if_it_is_full_and_the_server_is_not() {
        let check = |processes, busy, server, expect| {
            let mut figures = GeneratorFigures { processes, busy, ..GeneratorFigures::default() };
            figures.judge(2, server);
            assert_eq!(figures.is_bottleneck, expect, "{busy:?} of {processes}, server {server:?}");
        };
        check(1, Some(0.5), Some(0.2), false);
        check(1, Some(0.98), Some(0.7), true);
        check(1, Some(0.98), Some(0.99), false);
        check(1, Some(0.98), None, true);
        check(1, None, Some(0.1), false);
        check(2, Some(1.2), Some(1.0), false);
        check(2, Some(1.95), Some(0.8), true);
        check(0, Some(0.98), None, true);
        // Three of them take turns on two cores.
        check(3, Some(1.95), Some(0.8), true);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let mark = |at_us| Mark { at_us, ..Mark::default() };
        assert_eq!(rate(5, &mark(7), &mark(7)), None);
        assert_eq!(rate(5, &mark(9), &mark(7)), None);
        assert_eq!(rate(5, &mark(0), &mark(2_000_000)), Some(2.5));
        assert_eq!(per(10, 0), None);
        assert_eq!(per(10, 3), Some(3.3333));
    }
}
