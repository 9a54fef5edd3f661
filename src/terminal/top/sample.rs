//! The numbers of one look, and what two of them say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Durations: upper bounds in microseconds, and how many there were up to each; one more for those
/// that were longer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Durations {
    bounds_us: Vec<u64>,
    counts: Vec<u64>,
}

/// What a server has told of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// When, on our own clock.
    pub at_us: u64,
    pub uptime_ms: u64,
    pub version: String,
    /// Whether it takes new clients: `ok`, or why not.
    pub ready: String,
    /// What there is, and what has happened since the start, by the names of `/api/v1/stats`.
    pub numbers: BTreeMap<&'static str, u64>,
    pub memory_bytes: u64,
    pub turns: Durations,
    pub commits: Durations,
    pub connections_list: Option<Vec<Value>>,
    pub rooms_list: Option<Vec<Value>>,
}

/// The numbers by their names in `/api/v1/stats`, and in `/metrics`.
const NUMBERS: &[(&str, &str)] = &[
    ("connections", "chinwag_connections"),
    ("accepted", "chinwag_connections_accepted_total"),
    ("refused", "chinwag_connections_refused_total"),
    ("sessions", "chinwag_sessions"),
    ("users", "chinwag_users"),
    ("rooms", "chinwag_rooms"),
    ("memberships", "chinwag_memberships"),
    ("subscriptions", "chinwag_subscriptions"),
    ("lagging", "chinwag_cursors_lagging"),
    ("records", "chinwag_records_total"),
    ("deliveries", "chinwag_deliveries_total"),
    ("replayed", "chinwag_replayed_total"),
    ("gaps", "chinwag_gaps_total"),
    ("received_bytes", "chinwag_received_bytes_total"),
    ("sent_bytes", "chinwag_sent_bytes_total"),
    ("queued_bytes", "chinwag_queued_bytes"),
    ("store_waiting", "chinwag_store_intake"),
    ("store_bytes", "chinwag_store_bytes"),
];

impl Sample {
    /// Reads the answer of `/api/v1/stats`.
    pub(super) fn of_stats(stats: &Map<String, Value>) -> Self {
        let number = |key: &str| stats.get(key).and_then(Value::as_u64).unwrap_or_default();
        let word =
            |key: &str| stats.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let accounts = stats.get("memory").and_then(Value::as_array).into_iter().flatten();
        let bytes = accounts.filter_map(|account| account.get("bytes")?.as_u64());
        Self {
            uptime_ms: number("uptime_ms"),
            version: word("version"),
            ready: word("ready"),
            numbers: NUMBERS.iter().map(|(name, _)| (*name, number(name))).collect(),
            memory_bytes: bytes.sum(),
            turns: Durations::of_json(stats.get("turns")),
            commits: Durations::of_json(stats.get("commits")),
            ..Self::default()
        }
    }

    /// Reads the answer of `/metrics`.
    pub(super) fn of_metrics(page: &str) -> Self {
        let series: Vec<(&str, &str, f64)> = page.lines().filter_map(series).collect();
        let whole = |value: f64| format!("{:.0}", value.max(0.0)).parse().unwrap_or_default();
        let sum = |name: &str| -> u64 {
            whole(series.iter().filter(|row| row.0 == name).map(|row| row.2).sum())
        };
        let durations = |name: &str| {
            let rows = series.iter().filter(|row| row.0 == name);
            Durations::of_buckets(rows.filter_map(|row| Some((label(row.1, "le")?, whole(row.2)))))
        };
        let version = series.iter().find(|row| row.0 == "chinwag_info");
        let version = version.and_then(|row| label(row.1, "version")).unwrap_or_default();
        Self {
            version: version.to_owned(),
            ready: if sum("chinwag_store_trouble") == 0 { "ok" } else { "nothing can be stored" }
                .to_owned(),
            numbers: NUMBERS.iter().map(|(name, of)| (*name, sum(of))).collect(),
            memory_bytes: sum("chinwag_memory_bytes"),
            turns: durations("chinwag_turn_seconds_bucket"),
            commits: durations("chinwag_store_commit_seconds_bucket"),
            ..Self::default()
        }
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        self.numbers.get(name).copied().unwrap_or_default()
    }

    /// How often something happened in a second since `before`.
    pub(super) fn rate(&self, before: Option<&Self>, name: &str) -> Option<u64> {
        let before = before?;
        let (now, then) = (self.number(name), before.number(name));
        let us = self.at_us.checked_sub(before.at_us).filter(|us| *us > 0)?;
        now.checked_sub(then)?.saturating_mul(1_000_000).checked_div(us)
    }
}

/// The name, the labels and the value of a line of Prometheus' text format.
fn series(line: &str) -> Option<(&str, &str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (name, value) = line.rsplit_once(' ')?;
    let (name, labels) = name.split_once('{').unwrap_or((name, ""));
    Some((name, labels.trim_end_matches('}'), value.parse().ok()?))
}

fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then_some(value.trim_matches('"'))
    })
}

impl Durations {
    fn of_json(histogram: Option<&Value>) -> Self {
        let list = |key: &str| {
            let all = histogram.and_then(|all| all.get(key)).and_then(Value::as_array);
            all.into_iter().flatten().filter_map(Value::as_u64).collect()
        };
        Self { bounds_us: list("bounds_us"), counts: list("counts") }
    }

    /// From the counts of all that were at most so long, in seconds, as Prometheus has them.
    fn of_buckets<'a>(buckets: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut durations = Self::default();
        let mut before = 0;
        for (bound, count) in buckets {
            durations.counts.push(count.saturating_sub(before));
            before = count;
            if let Ok(seconds) = bound.parse::<f64>()
                && seconds.is_finite()
            {
                let us = format!("{:.0}", seconds * 1e6).parse().unwrap_or_default();
                durations.bounds_us.push(us);
            }
        }
        durations
    }

    /// In microseconds, what `per_mille` of those since `before` did not exceed; `None` if there
    /// were none, and `u64::MAX` if it is beyond the last bound.
    pub(super) fn quantile(&self, before: Option<&Self>, per_mille: u64) -> Option<u64> {
        let then = |nth: usize| before.and_then(|before| before.counts.get(nth)).copied();
        let counts = self.counts.iter().enumerate();
        let since: Vec<_> =
            counts.map(|(nth, count)| count.saturating_sub(then(nth).unwrap_or(0))).collect();
        let all: u64 = since.iter().sum();
        let wanted = all.saturating_mul(per_mille).div_ceil(1_000);
        let mut sum = 0;
        let nth = since.iter().position(|count| {
            sum += count;
            sum >= wanted
        })?;
        (all > 0).then(|| self.bounds_us.get(nth).copied().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE chinwag_connections gauge
chinwag_connections 12
chinwag_records_total{durability=\"disk\"} 30
chinwag_records_total{durability=\"memory\"} 12
chinwag_turn_seconds_bucket{le=\"0.0001\"} 90
chinwag_turn_seconds_bucket{le=\"0.001\"} 99
chinwag_turn_seconds_bucket{le=\"+Inf\"} 100
chinwag_info{version=\"0.1.0\"} 1
";

    #[test]
    fn a_page_of_metrics_has_the_numbers_of_the_api() {
        let sample = Sample::of_metrics(PAGE);
        assert_eq!((sample.number("connections"), sample.number("records")), (12, 42));
        assert_eq!((sample.version.as_str(), sample.ready.as_str()), ("0.1.0", "ok"));
        let turns = &sample.turns;
        assert_eq!(turns.counts, [90, 9, 1]);
        let json = serde_json::json!({
            "version": "0.1.0", "ready": "ok", "connections": 12, "records": 42,
            "turns": {"bounds_us": [100, 1000], "counts": [90, 9, 1], "sum_us": 1},
        });
        let same = Sample::of_stats(json.as_object().unwrap());
        assert_eq!((&same.turns, &same.numbers), (turns, &sample.numbers));
    }

    #[test]
    fn a_quantile_is_that_of_what_happened_since_the_look_before() {
        let turns = Sample::of_metrics(PAGE).turns;
        for (per_mille, expect) in [(500, 100), (900, 100), (901, 1_000), (1_000, u64::MAX)] {
            assert_eq!(turns.quantile(None, per_mille), Some(expect), "{per_mille}");
        }
        let before = Durations { counts: vec![90, 9, 0], ..turns.clone() };
        assert_eq!(turns.quantile(Some(&before), 10), Some(u64::MAX));
        assert_eq!(turns.quantile(Some(&turns), 500), None);
    }

    #[test]
    fn a_rate_is_that_of_a_second() {
        let sample = |at_us, records| Sample {
            at_us,
            numbers: [("records", records)].into_iter().collect(),
            ..Sample::default()
        };
        let before = sample(1_000_000, 10);
        assert_eq!(sample(3_000_000, 30).rate(Some(&before), "records"), Some(10));
        assert_eq!(sample(1_000_000, 30).rate(Some(&before), "records"), None);
        assert_eq!(sample(3_000_000, 30).rate(None, "records"), None);
    }
}
