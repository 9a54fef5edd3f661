//! What was measured, for people line by line and for programs as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::Spent;

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    values: Map<String, Value>,
}

impl Report {
    /// Keeps a value and shows it.
    pub(crate) fn add(&mut self, key: &str, value: f64, what: &str) {
        let digits = if value.abs() < 100.0 { 2 } else { 0 };
        println!("  {value:>12.digits$}  {what}");
        self.values.insert(key.to_owned(), json!((value * 1000.0).round() / 1000.0));
    }

    /// All of it in one line.
    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.values.clone()).to_string()
    }
}

impl Spent {
    /// The rate of `count` in this time.
    pub(crate) fn per_second(self, count: usize) -> f64 {
        float(count) / Duration::from_micros(self.us.max(1)).as_secs_f64()
    }

    /// Microseconds of the server's for each of `count`.
    pub(crate) fn us_each(self, count: usize) -> f64 {
        self.cpu_s() * 1e6 / float(count.max(1))
    }

    /// The part of a core that the server took, in per cent.
    pub(crate) fn busy(self) -> f64 {
        100.0 * self.cpu_s() / Duration::from_micros(self.us.max(1)).as_secs_f64()
    }

    fn cpu_s(self) -> f64 {
        Duration::from_nanos(self.cpu_ns).as_secs_f64()
    }
}

/// Bytes for each of `count` from `before` to `after`.
pub(crate) fn each(after: u64, before: u64, count: usize) -> f64 {
    let bytes = usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX);
    float(bytes) / float(count.max(1))
}

/// How many of `count` there are for each of `per`.
pub(crate) fn ratio(count: usize, per: usize) -> f64 {
    float(count) / float(per.max(1))
}

/// The value in the middle.
pub(crate) fn median(values: &mut [u64]) -> f64 {
    values.sort_unstable();
    let middle = values.get(values.len() / 2).copied().unwrap_or_default();
    float(usize::try_from(middle).unwrap_or(usize::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "these are no more exact than that")]
const fn float(count: usize) -> f64 {
    count as f64
}
