//! How long things took: microseconds, counted in a histogram of three significant digits.

use std::borrow::Cow;
use std::fmt;

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest time that is told from longer ones, in µs: an hour.
pub const LATENCY_MAX_US: u64 = 3_600_000_000;
/// Digits that a value keeps: it is exact to a thousandth of itself.
const DIGITS: u8 = 3;

/// A distribution of times in microseconds.
///
/// Times above [`LATENCY_MAX_US`] count as that. It takes some 200 KB, whatever is recorded.
#[derive(Clone)]
pub struct Latency {
    histogram: Histogram<u64>,
    /// The value that came last, and how often since it was put into the histogram: the frames of
    /// one read are often equally old, and a comparison is cheaper than an index.
    last: u64,
    pending: u64,
}

impl Latency {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new() -> Self {
        Self { histogram: empty(), last: 0, pending: 0 }
    }

    /// Counts one time.
    #[inline]
    pub fn record(&mut self, us: u64) {
        self.record_n(us, 1);
    }

    /// Counts `count` times of the same length.
    #[inline]
    pub fn record_n(&mut self, us: u64, count: u64) {
        if us == self.last {
            self.pending = self.pending.saturating_add(count);
            return;
        }
        self.record_pending();
        (self.last, self.pending) = (us, count);
    }

    /// Adds all that `other` has recorded.
    pub fn merge(&mut self, other: &Self) {
        self.record_pending();
        add(&mut self.histogram, &other.histogram);
        self.record_n(other.last, other.pending);
        self.record_pending();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histogram.reset();
        (self.last, self.pending) = (0, 0);
    }

    /// How many times were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len().saturating_add(self.pending)
    }

    /// The time that the share `quantile` of all (0 to 1) did not exceed, `None` if there are none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let whole = self.whole();
        (!whole.is_empty()).then(|| whole.value_at_quantile(quantile).min(LATENCY_MAX_US))
    }

    /// The longest time, `None` if there is none.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.quantile(1.0)
    }

    /// Each value that occurs with its count, ascending. Values that agree in three digits are one.
    #[must_use]
    pub fn values(&self) -> Vec<(u64, u64)> {
        let whole = self.whole();
        let recorded = whole.iter_recorded();
        recorded.map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
    }

    fn record_pending(&mut self) {
        if self.pending > 0 {
            self.histogram.saturating_record_n(self.last, self.pending);
            self.pending = 0;
        }
    }

    fn whole(&self) -> Cow<'_, Histogram<u64>> {
        if self.pending == 0 {
            return Cow::Borrowed(&self.histogram);
        }
        let mut whole = self.histogram.clone();
        whole.saturating_record_n(self.last, self.pending);
        Cow::Owned(whole)
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Latency {
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values()
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        f.debug_struct("Latency").field("count", &count).field("max", &self.max()).finish()
    }
}

fn add(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    to.add(from).expect("the same bounds");
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, DIGITS).expect("bounds that a histogram takes")
}

/// What is written: the usual quantiles for people, and `values` to be read again.
#[derive(Serialize)]
struct Written {
    count: u64,
    p50: Option<u64>,
    p90: Option<u64>,
    p99: Option<u64>,
    p999: Option<u64>,
    max: Option<u64>,
    values: Vec<(u64, u64)>,
}

#[derive(Deserialize)]
struct Read {
    values: Vec<(u64, u64)>,
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            count: self.count(),
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            max: self.max(),
            values: self.values(),
        };
        written.serialize(serializer)
    }
}

/// Most different values that a histogram of these bounds can have.
const VALUES_MAX: usize = 32 * 1024;

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        if read.values.len() > VALUES_MAX {
            return Err(D::Error::custom("more values than a distribution has"));
        }
        let mut latency = Self::new();
        for (us, count) in read.values {
            latency.record_n(us, count);
        }
        latency.record_pending();
        Ok(latency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(times: &[u64]) -> Latency {
        let mut latency = Latency::new();
        for us in times {
            latency.record(*us);
        }
        latency
    }

    /// The definition: the smallest value that at least this share of all do not exceed.
    fn plain_quantile(times: &[u64], quantile: f64) -> u64 {
        let mut sorted: Vec<_> = times.iter().map(|us| (*us).min(LATENCY_MAX_US)).collect();
        sorted.sort_unstable();
        let len = u32::try_from(sorted.len()).unwrap();
        let rank = (1..=len).find(|rank| f64::from(*rank) >= quantile * f64::from(len));
        sorted[rank.unwrap_or(len) as usize - 1]
    }

    /// Three digits of both are the same.
    #[track_caller]
    fn check_close(got: u64, expect: u64) {
        assert!(got.abs_diff(expect) <= expect / 1000 + 1, "{got} is not about {expect}");
    }

    #[test]
    fn nothing_recorded_has_no_quantiles() {
        let nothing = Latency::new();
        assert_eq!((nothing.count(), nothing.quantile(0.5), nothing.max()), (0, None, None));
        assert_eq!(nothing.values(), []);
    }

    #[test]
    fn what_is_longer_than_an_hour_counts_as_an_hour() {
        let latency = of(&[u64::MAX, LATENCY_MAX_US, LATENCY_MAX_US + 1]);
        assert_eq!(latency.count(), 3);
        check_close(latency.quantile(0.0).unwrap(), LATENCY_MAX_US);
        assert_eq!(latency.max(), Some(LATENCY_MAX_US));
    }

    #[test]
    fn what_waits_to_be_counted_is_seen() {
        let mut latency = of(&[0, 7, 7]);
        assert_eq!(latency.values(), [(0, 1), (7, 2)]);
        latency.record_n(7, 2);
        latency.record_n(0, 0);
        assert_eq!(latency.values(), [(0, 1), (7, 4)]);
        assert_eq!((latency.count(), latency.quantile(0.5), latency.max()), (5, Some(7), Some(7)));
        latency.clear();
        assert_eq!(latency, Latency::new());
    }

    #[test]
    fn it_is_written_with_its_quantiles_and_read_from_its_values() {
        let latency = of(&[10, 20, 20, 30]);
        let text = serde_json::to_string(&latency).unwrap();
        let expect = r#"{"count":4,"p50":20,"p90":30,"p99":30,"p999":30,"max":30,"values":[[10,1],[20,2],[30,1]]}"#;
        assert_eq!(text, expect);
        assert_eq!(serde_json::from_str::<Latency>(&text).unwrap(), latency);
        let nothing = serde_json::to_string(&Latency::new()).unwrap();
        assert!(nothing.contains(r#""count":0,"p50":null"#), "{nothing}");
    }

    #[test]
    fn values_that_no_distribution_has_do_not_overflow_and_are_not_endless() {
        let hostile =
            format!(r#"{{"values":[[5,{max}],[5,{max}],[{max},{max}],[5,1]]}}"#, max = u64::MAX);
        let latency: Latency = serde_json::from_str(&hostile).unwrap();
        assert_eq!(latency.count(), u64::MAX);
        let long = format!(r#"{{"values":[{}[1,1]]}}"#, "[1,1],".repeat(VALUES_MAX));
        serde_json::from_str::<Latency>(&long).unwrap_err();
        serde_json::from_str::<Latency>("{}").unwrap_err();
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_list(
            times in vec(prop_oneof![0_u64..3000, 0_u64..10_000_000, any::<u64>()], 1..200),
            quantile in 0.0..=1.0_f64,
        ) {
            let latency = of(&times);
            check_close(latency.quantile(quantile).unwrap(), plain_quantile(&times, quantile));
            check_close(latency.max().unwrap(), plain_quantile(&times, 1.0));
        }

        #[test]
        fn parts_merge_to_the_whole(
            one in vec(0_u64..100_000, 0..50),
            other in vec(0_u64..100_000, 0..50),
        ) {
            let mut merged = of(&one);
            merged.merge(&of(&other));
            prop_assert_eq!(&merged, &of(&[one, other].concat()));
            let read: Latency = serde_json::from_str(&serde_json::to_string(&merged).unwrap()).unwrap();
            prop_assert_eq!(read, merged);
        }
    }
}
