//! How long something took, many times.

use std::collections::BTreeMap;
use std::time::Duration;

/// Times in buckets that are at most a thirty-second of their value wide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    counts: BTreeMap<u64, u64>,
    pub(crate) count: u64,
}

impl Latencies {
    pub(crate) fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(6);
        *self.counts.entry((micros >> shift) << shift).or_default() += 1;
        self.count += 1;
    }

    /// The percentile of this rank in milliseconds; 0 if nothing was measured.
    pub(crate) fn percentile(&self, share: u64) -> f64 {
        let rank = (self.count * share).div_ceil(100).max(1);
        let mut below = 0;
        for (micros, count) in &self.counts {
            below += count;
            if below >= rank {
                return Duration::from_micros(*micros).as_secs_f64() * 1e3;
            }
        }
        0.0
    }
}

/// The median; 0 if the list is empty.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_within_a_thirty_second() {
        let mut latencies = Latencies::default();
        for micros in 1..=1000 {
            latencies.add(Duration::from_micros(micros));
        }
        for (share, expected) in [(1, 0.01), (50, 0.5), (99, 0.99), (100, 1.0)] {
            let found = latencies.percentile(share);
            assert!((found - expected).abs() <= expected / 32.0, "{share}: {found}");
        }
        assert!(Latencies::default().percentile(50) < f64::EPSILON);
    }

    #[test]
    fn the_middle_one_is_found() {
        for (values, expected) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[], 0.0), (&[5.0], 5.0)] {
            assert!((median(values) - expected).abs() < f64::EPSILON);
        }
    }
}
