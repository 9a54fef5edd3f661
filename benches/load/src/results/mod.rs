//! Everything that was measured, as one value: what is shown, compared and written as JSON.

mod counts;
mod figures;
mod series;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::latency::Latency;
use super::measure::{Machine, Mark};

pub use counts::{Counts, Faults};
pub use figures::{Figure, GeneratorFigures, KernelFigures, ServerFigures};
pub use series::{SAMPLES_MAX, Sample, Series};

pub(crate) use figures::{float, round};
use figures::{per, rate, share};

/// One run of one scenario.
///
/// What was not measured is `None`, `null` in JSON: nothing is known of the process of a server
/// that runs elsewhere. Fields that a file does not have are as in a run that measured nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// The version of the generator.
    pub chinwag: String,
    /// When the run began: RFC 3339, UTC.
    pub date: String,
    /// The command line.
    pub command: String,
    /// The commit that the generator was built from.
    pub commit: Option<String>,
    /// The scenario's name.
    pub scenario: String,
    /// What was loaded, such as `ws://127.0.0.1:8080/ws`.
    pub target: String,
    /// What the run is called beside others.
    pub label: Option<String>,
    /// Where.
    pub machine: Machine,
    /// The scenario's settings.
    pub settings: BTreeMap<String, Value>,
    /// How long the measured part lasted.
    pub seconds: f64,
    /// Connections that were open in it.
    pub connections: u64,
    /// Connections that were opened and upgraded.
    pub handshakes: u64,
    /// Of these, in a second.
    pub handshakes_per_s: Option<f64>,
    /// Messages that arrived, each counted at each recipient.
    pub deliveries: u64,
    /// Of these, in a second.
    pub deliveries_per_s: Option<f64>,
    /// Messages that were sent.
    pub sends: u64,
    /// What the server took.
    pub server: ServerFigures,
    /// What the generator took.
    pub generator: GeneratorFigures,
    /// What the kernel took for both.
    pub kernel: KernelFigures,
    /// How long a delivery took.
    pub latency_us: Latency,
    /// What went wrong on the way.
    pub faults: Faults,
    /// What only this scenario measures.
    pub extra: Vec<Figure>,
    /// Why it is not `ok`, besides the faults.
    pub failures: Vec<String>,
    /// Whether everything was as promised.
    pub ok: bool,
    /// The run, about once a second.
    pub series: Vec<Sample>,
}

impl Results {
    /// A run of `scenario` that has not begun.
    #[must_use]
    pub fn new(scenario: &str, target: &str) -> Self {
        Self {
            chinwag: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("CHINWAG_COMMIT").map(str::to_owned),
            scenario: scenario.to_owned(),
            target: target.to_owned(),
            machine: Machine::here(),
            ok: true,
            ..Self::default()
        }
    }

    /// Says that `handshakes` connections were opened between two marks: their rate and what one
    /// costs.
    pub fn opened(&mut self, handshakes: u64, before: &Mark, after: &Mark) {
        self.handshakes = handshakes;
        self.handshakes_per_s = rate(handshakes, before, after);
        let cpu_us = before.servers(after).map(|(b, a)| a.cpu_us.saturating_sub(b.cpu_us));
        self.server.cpu_us_per_handshake = cpu_us.and_then(|us| per(us, handshakes));
    }

    /// Says that `connections` were there at the second mark and not at the first: what one of them
    /// holds.
    pub fn held(&mut self, connections: u64, before: &Mark, after: &Mark) {
        self.connections = connections;
        if let Some((before, after)) = before.servers(after) {
            self.server.rss_before = Some(before.rss);
            self.server.rss_after = Some(after.rss);
            self.server.descriptors = after.descriptors;
            let grown = after.rss.saturating_sub(before.rss);
            self.server.user_bytes_per_connection = per(grown, connections);
        }
        if let Some((before, after)) = before.kernel.zip(after.kernel) {
            self.kernel.tcp_mem_bytes = Some(after.tcp_bytes);
            // It has shrunk if others on the machine have let go of more: then nothing is known.
            let grown = after.bytes().checked_sub(before.bytes());
            self.kernel.bytes_per_connection = grown.and_then(|grown| per(grown, connections));
        }
    }

    /// Says what was counted between two marks: the measured part.
    ///
    /// `counts` has the time of all of the generator's processes; if it has none, the marks' is
    /// taken.
    pub fn measured(&mut self, counts: &Counts, before: &Mark, after: &Mark) {
        let own = after.generator.cpu_us.saturating_sub(before.generator.cpu_us);
        let generator_us = if counts.cpu_us > 0 { counts.cpu_us } else { own };
        let server_us = before.servers(after).map(|(b, a)| a.cpu_us.saturating_sub(b.cpu_us));
        let elapsed_us = after.at_us.saturating_sub(before.at_us);
        self.seconds = figures::seconds(elapsed_us);
        self.deliveries = counts.deliveries;
        self.deliveries_per_s = rate(counts.deliveries, before, after);
        self.sends = counts.sends;
        self.server.cpu_us = server_us;
        self.server.cpu_us_per_delivery = server_us.and_then(|us| per(us, counts.deliveries));
        self.server.busy = server_us.and_then(|us| share(us, elapsed_us));
        self.generator.cpu_us = Some(generator_us);
        self.generator.cpu_us_per_delivery = per(generator_us, counts.deliveries);
        self.generator.busy = share(generator_us, elapsed_us);
        // A server that runs here has one of the cores.
        let cores = self.machine.cores.saturating_sub(self.server.busy.is_some().into());
        self.generator.judge(cores, self.server.busy);
        self.latency_us.merge(&counts.latency);
        self.faults.merge(counts.faults);
        self.judge();
    }

    /// Says that the run did not do what it should, and why.
    pub fn fail(&mut self, why: impl Into<String>) {
        self.failures.push(why.into());
        self.judge();
    }

    /// Adds a figure that only this scenario has.
    pub fn add(&mut self, name: &str, value: f64, unit: &str) {
        self.extra.push(Figure { name: name.to_owned(), value, unit: unit.to_owned() });
    }

    /// What it is called beside others.
    #[must_use]
    pub fn name(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.target)
    }

    fn judge(&mut self) {
        self.ok = self.failures.is_empty() && self.faults == Faults::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Kernel, Usage};

    fn mark(at_us: u64, cpu_us: u64, rss: u64) -> Mark {
        let usage =
            Usage { pid: 7, cpu_us, rss, anonymous: rss, descriptors: Some(112), threads: 2 };
        let kernel = Kernel { tcp_bytes: rss / 2, tcp_sockets: 200, slab_bytes: 2 * rss };
        Mark {
            at_us,
            server: Some(usage),
            generator: Usage { cpu_us: cpu_us / 2, ..usage },
            kernel: Some(kernel),
        }
    }

    fn run() -> Results {
        let mut results = Results::new("fanout", "ws://127.0.0.1:1/ws");
        let (start, opened, end) =
            (mark(0, 0, 1_000_000), mark(500_000, 5_000, 1_052_000), mark(2_500_000, 1_005_000, 0));
        results.opened(100, &start, &opened);
        results.held(100, &start, &opened);
        let mut counts = Counts { deliveries: 4_000, sends: 40, ..Counts::default() };
        counts.latency.record_n(250, 4_000);
        results.measured(&counts, &opened, &end);
        results
    }

    #[test]
    fn figures_come_from_marks_and_counts() {
        let results = run();
        assert_eq!((results.handshakes, results.handshakes_per_s), (100, Some(200.0)));
        assert_eq!(results.server.cpu_us_per_handshake, Some(50.0));
        assert_eq!(results.server.user_bytes_per_connection, Some(520.0));
        assert_eq!(results.kernel.bytes_per_connection, Some(1_300.0));
        assert_eq!((results.deliveries, results.deliveries_per_s), (4_000, Some(2_000.0)));
        assert_eq!((results.server.cpu_us, results.server.busy), (Some(1_000_000), Some(0.5)));
        assert_eq!(results.server.cpu_us_per_delivery, Some(250.0));
        assert_eq!(results.generator.cpu_us_per_delivery, Some(125.0));
        assert!(results.ok);
    }

    #[test]
    fn the_json_has_the_agreed_names() {
        let json = serde_json::to_value(run()).unwrap();
        let check = |pointer: &str, names: &[&str]| {
            let object = json.pointer(pointer).unwrap();
            for name in names {
                assert!(object.get(*name).is_some(), "{name} in {pointer:?}");
            }
        };
        check("", &["chinwag", "date", "command", "scenario", "target", "machine", "settings"]);
        check("", &["seconds", "connections", "handshakes", "handshakes_per_s", "deliveries"]);
        check("", &["deliveries_per_s", "sends", "server", "generator", "kernel", "latency_us"]);
        check("", &["faults", "ok", "series", "extra"]);
        check("/machine", &["cpu", "cores", "kernel"]);
        check("/server", &["cpu_us", "cpu_us_per_delivery", "cpu_us_per_handshake", "busy"]);
        check("/server", &["rss_before", "rss_after", "user_bytes_per_connection", "descriptors"]);
        check("/generator", &["cpu_us", "cpu_us_per_delivery", "busy", "is_bottleneck"]);
        check("/kernel", &["tcp_mem_bytes", "bytes_per_connection"]);
        check("/latency_us", &["count", "p50", "p90", "p99", "p999", "max"]);
        check(
            "/faults",
            &["gaps", "duplicates", "reordered", "lost", "unexpected", "disconnected"],
        );
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_missing_was_not_measured() {
        let results = run();
        let text = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
        assert_eq!(serde_json::from_str::<Results>("{}").unwrap(), Results::default());
    }

    #[test]
    fn an_unknown_server_is_null() {
        let mut results = Results::new("echo", "ws://chat.example:80/");
        let unknown = |at_us| Mark { server: None, kernel: None, ..mark(at_us, at_us, 0) };
        results.opened(1, &unknown(0), &unknown(1_000));
        results.held(1, &unknown(0), &unknown(1_000));
        results.measured(&Counts::default(), &unknown(0), &unknown(1_000_000));
        assert_eq!(results.server, ServerFigures::default());
        assert_eq!(results.kernel, KernelFigures::default());
        assert_eq!(results.generator.busy, Some(0.5));
        let json = serde_json::to_value(&results).unwrap();
        assert!(
            json["server"]["cpu_us"].is_null() && json["latency_us"]["p99"].is_null(),
            "{json}"
        );
    }

    #[test]
    fn a_restarted_server_is_another_process() {
        let mut results = run();
        let (before, mut after) = (mark(0, 500, 1_000), mark(1_000_000, 700, 2_000));
        after.server = after.server.map(|usage| Usage { pid: 8, ..usage });
        results.opened(1, &before, &after);
        results.measured(&Counts::default(), &before, &after);
        let server = &results.server;
        assert_eq!((server.cpu_us, server.busy, server.cpu_us_per_handshake), (None, None, None));
    }

    #[test]
    fn one_fault_is_enough() {
        let check = |faults: Faults| {
            let mut results = run();
            let counts = Counts { faults, ..Counts::default() };
            results.measured(&counts, &mark(0, 0, 0), &mark(1, 0, 0));
            assert_eq!(results.ok, faults == Faults::default(), "{faults:?}");
        };
        check(Faults::default());
        check(Faults { lost: 1, ..Faults::default() });
        check(Faults { disconnected: 1, ..Faults::default() });
        let mut results = run();
        results.fail("the server ended");
        assert!(!results.ok);
        results.measured(&Counts::default(), &mark(0, 0, 0), &mark(1, 0, 0));
        assert!(!results.ok, "a failure is not forgotten");
    }
}
