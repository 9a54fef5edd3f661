//! The run over time, in a bounded number of samples.

use serde::{Deserialize, Serialize};

use super::figures::{rate, seconds, share};
use crate::bench::latency::Latency;
use crate::bench::measure::Mark;

/// Most samples that a run keeps; when there are more, each two become one.
pub const SAMPLES_MAX: usize = 600;

/// What was seen in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Its end, in seconds from the beginning of the run.
    pub at_s: f64,
    /// Open connections at its end.
    pub connections: u64,
    /// Messages that arrived in it, in a second.
    pub deliveries_per_s: f64,
    /// The server's share of a core in it.
    pub server_busy: Option<f64>,
    /// The generator's share of a core in it.
    pub generator_busy: Option<f64>,
    /// Resident bytes of the server at its end.
    pub server_rss: Option<u64>,
    /// Bytes in the kernel's TCP buffers at its end.
    pub kernel_tcp_bytes: Option<u64>,
    /// The median of the delivery times in it, in µs.
    pub p50: Option<u64>,
    /// Their 99th percentile.
    pub p99: Option<u64>,
}

/// Collects samples; to be fed about once a second.
#[derive(Clone, Debug)]
pub struct Series {
    samples: Vec<Sample>,
    /// How many intervals make one sample, and those of the one that is not complete.
    stride: usize,
    partial: Vec<Sample>,
    began_us: u64,
    last: Mark,
    deliveries: u64,
}

impl Series {
    /// A run that begins with `first`.
    #[must_use]
    pub const fn new(first: Mark) -> Self {
        Self {
            samples: Vec::new(),
            stride: 1,
            partial: Vec::new(),
            began_us: first.at_us,
            last: first,
            deliveries: 0,
        }
    }

    /// Ends an interval at `mark` and returns what was seen in it.
    ///
    /// `deliveries` counts from the beginning of the run; `latency` has the times of this interval only.
    pub fn push(
        &mut self,
        mark: Mark,
        connections: u64,
        deliveries: u64,
        latency: &Latency,
    ) -> Sample {
        let elapsed_us = mark.at_us.saturating_sub(self.last.at_us);
        let arrived = deliveries.saturating_sub(self.deliveries);
        let spent = |before: u64, after: u64| share(after.saturating_sub(before), elapsed_us);
        let servers = self.last.server.zip(mark.server);
        let sample = Sample {
            at_s: seconds(mark.at_us.saturating_sub(self.began_us)),
            connections,
            deliveries_per_s: rate(arrived, &self.last, &mark).unwrap_or_default(),
            server_busy: servers.and_then(|(b, a)| spent(b.cpu_us, a.cpu_us)),
            generator_busy: spent(self.last.generator.cpu_us, mark.generator.cpu_us),
            server_rss: mark.server.map(|server| server.rss),
            kernel_tcp_bytes: mark.kernel.map(|kernel| kernel.tcp_bytes),
            p50: latency.quantile(0.5),
            p99: latency.quantile(0.99),
        };
        (self.last, self.deliveries) = (mark, deliveries);
        self.keep(sample);
        sample
    }

    /// All samples.
    #[must_use]
    pub fn into_samples(mut self) -> Vec<Sample> {
        self.samples.extend(merge(&self.partial));
        self.samples
    }

    fn keep(&mut self, sample: Sample) {
        self.partial.push(sample);
        if self.partial.len() < self.stride {
            return;
        }
        self.samples.extend(merge(&self.partial));
        self.partial.clear();
        if self.samples.len() == SAMPLES_MAX {
            self.samples = self.samples.chunks(2).filter_map(merge).collect();
            self.stride = self.stride.saturating_mul(2);
        }
    }
}

/// One sample of several: where they end, their mean where they say what happened in between, and the
/// longest of their times, since quantiles do not add up.
fn merge(samples: &[Sample]) -> Option<Sample> {
    let last = *samples.last()?;
    let mean = |of: fn(&Sample) -> Option<f64>| {
        let values: Vec<f64> = samples.iter().filter_map(of).collect();
        let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
        (count > 0).then(|| {
            super::figures::round(values.iter().sum::<f64>() / super::figures::float(count))
        })
    };
    Some(Sample {
        deliveries_per_s: mean(|sample| Some(sample.deliveries_per_s)).unwrap_or_default(),
        server_busy: mean(|sample| sample.server_busy),
        generator_busy: mean(|sample| sample.generator_busy),
        p50: samples.iter().filter_map(|sample| sample.p50).max(),
        p99: samples.iter().filter_map(|sample| sample.p99).max(),
        ..last
    })
}
