//! The run over time, in a bounded number of samples.

use serde::{Deserialize, Serialize};

use super::figures::{rate, seconds, share};
use crate::latency::Latency;
use crate::measure::Mark;

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
    /// Bytes in all of the kernel's tables and TCP buffers at its end, less those at the beginning
    /// of the run: what the connections hold there, as far as nothing else runs. `None` if it is
    /// less.
    pub kernel_bytes: Option<u64>,
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
    first: Mark,
    last: Mark,
    deliveries: u64,
}

impl Series {
    /// A run that begins with `first`, without connections.
    #[must_use]
    pub fn new(first: Mark) -> Self {
        // Where the lines of a picture begin: nobody is there yet.
        let start = Sample {
            server_rss: first.server.map(|server| server.rss),
            kernel_tcp_bytes: first.kernel.map(|kernel| kernel.tcp_bytes),
            kernel_bytes: first.kernel.map(|_| 0),
            ..Sample::default()
        };
        Self {
            samples: vec![start],
            stride: 1,
            partial: Vec::new(),
            first,
            last: first,
            deliveries: 0,
        }
    }

    /// Ends an interval at `mark` and returns what was seen in it.
    ///
    /// `deliveries` counts from the beginning of the run; `latency` has the times of this interval
    /// only.
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
        let kernels = self.first.kernel.zip(mark.kernel);
        let servers = self.last.servers(&mark);
        let sample = Sample {
            at_s: seconds(mark.at_us.saturating_sub(self.first.at_us)),
            connections,
            deliveries_per_s: rate(arrived, &self.last, &mark).unwrap_or_default(),
            server_busy: servers.and_then(|(b, a)| spent(b.cpu_us, a.cpu_us)),
            generator_busy: spent(self.last.generator.cpu_us, mark.generator.cpu_us),
            server_rss: mark.server.map(|server| server.rss),
            kernel_tcp_bytes: mark.kernel.map(|kernel| kernel.tcp_bytes),
            kernel_bytes: kernels.and_then(|(b, a)| a.bytes().checked_sub(b.bytes())),
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

/// One sample of several: where they end, their mean where they say what happened in between, and
/// the longest of their times, since quantiles do not add up.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Kernel, Usage};

    fn mark(at_s: u64, cpu_us: u64, rss: u64) -> Mark {
        Mark {
            at_us: 5_000_000 + at_s * 1_000_000,
            server: Some(Usage { cpu_us, rss, ..Usage::default() }),
            generator: Usage { cpu_us: cpu_us / 2, ..Usage::default() },
            kernel: Some(Kernel { tcp_bytes: rss / 10, slab_bytes: 1000 + rss, tcp_sockets: 0 }),
        }
    }

    #[test]
    fn a_sample_is_what_has_changed_since_the_last() {
        let mut series = Series::new(mark(0, 0, 100));
        let mut latency = Latency::new();
        latency.record_n(10, 98);
        latency.record_n(70, 2);
        series.push(mark(1, 400_000, 200), 5, 1_000, &Latency::new());
        let sample = series.push(mark(3, 2_400_000, 300), 7, 4_000, &latency);
        let expect = Sample {
            at_s: 3.0,
            connections: 7,
            deliveries_per_s: 1_500.0,
            server_busy: Some(1.0),
            generator_busy: Some(0.5),
            server_rss: Some(300),
            kernel_tcp_bytes: Some(30),
            kernel_bytes: Some(200 + 20),
            p50: Some(10),
            p99: Some(70),
        };
        assert_eq!(sample, expect);
        let samples = series.into_samples();
        let times: Vec<_> =
            samples.iter().map(|sample| (sample.at_s, sample.connections)).collect();
        assert_eq!(times, [(0.0, 0), (1.0, 5), (3.0, 7)]);
    }

    #[test]
    fn a_server_that_is_not_measured_or_has_gone_leaves_gaps() {
        let mut series = Series::new(mark(0, 0, 100));
        let gone = Mark { server: None, kernel: None, ..mark(1, 10, 100) };
        let sample = series.push(gone, 1, 0, &Latency::new());
        assert_eq!(
            (sample.server_busy, sample.server_rss, sample.kernel_bytes),
            (None, None, None)
        );
        assert_eq!((sample.p50, sample.p99), (None, None));
        let other = Mark { server: Some(Usage { pid: 5, ..Usage::default() }), ..mark(2, 10, 100) };
        assert_eq!(series.push(other, 1, 0, &Latency::new()).server_busy, None);
        let back = series.push(mark(2, 20, 100), 1, 0, &Latency::new());
        assert_eq!((back.server_busy, back.server_rss), (None, Some(100)));
    }

    #[test]
    fn a_long_run_keeps_its_shape_in_few_samples() {
        let mut series = Series::new(mark(0, 0, 0));
        let hours = 4 * 3_600;
        let mut latency = Latency::new();
        for second in 1..=hours {
            latency.clear();
            latency.record(if second == 7_000 { 999 } else { 5 });
            series.push(mark(second, second * 500_000, second), second, second * 7, &latency);
        }
        let samples = series.into_samples();
        assert!((SAMPLES_MAX / 2..=SAMPLES_MAX).contains(&samples.len()), "{}", samples.len());
        assert_eq!(samples.last().map(|sample| sample.connections), Some(hours));
        assert!(samples.is_sorted_by(|one, other| one.at_s < other.at_s));
        let steps = samples.windows(2).map(|pair| pair[1].at_s - pair[0].at_s);
        let whole: Vec<_> = steps.take(samples.len() - 2).collect();
        assert!(whole.iter().all(|step| (step - whole[0]).abs() < 1e-9), "{whole:?}");
        let outliers = samples.iter().filter(|sample| sample.p99 == Some(999)).count();
        assert_eq!(outliers, 1, "the longest time of an interval is kept");
        let steady = samples.iter().skip(1);
        assert!(steady.clone().all(|sample| sample.server_busy == Some(0.5)));
        assert!(steady.clone().all(|sample| (sample.deliveries_per_s - 7.0).abs() < 1e-9));
    }
}
