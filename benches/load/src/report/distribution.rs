//! The pictures of how long deliveries took.

use super::legend::{legend, role};
use super::plot::{Line, Plot, largest};
use super::ticks::{Axis, nines};
use crate::latency::Latency;
use crate::results::{Results, float};
use crate::units::percent;

/// Columns of a histogram.
const COLUMNS: u32 = 64;
/// Beyond this share of all times, a histogram would show mostly nothing.
const HISTOGRAM_SHARE: f64 = 0.999;

/// How long what share of the deliveries took at most.
pub(super) fn percentiles(results: &[Results]) -> Option<Plot> {
    let mut lines = Vec::new();
    for (run, result) in results.iter().enumerate() {
        let latency = &result.latency_us;
        let count = float(latency.count());
        let role = role(results.len(), run, 0);
        let mut before = 0.0;
        let mut points = Vec::new();
        for (us, times) in latency.values() {
            // A value is that of all percentiles from the one below it to its own.
            let y = logarithm(us);
            points.push((nines(before / count), y));
            before += float(times);
            points.push((nines(before / count), y));
        }
        // The last value is at a hundred per cent, which has no place: it ends where one in all
        // would be.
        let end = Axis::nines(count).end;
        for point in &mut points {
            point.0 = point.0.min(end);
        }
        lines.push(Line { role, points, filled: false });
    }
    lines.retain(|line| !line.points.is_empty());
    let counts = results.iter().map(|result| float(result.latency_us.count()));
    let x = Axis::nines(counts.fold(0.0, f64::max));
    let y = times("latency (logarithmic)", results, 1.0)?;
    let legend = legend(results, &[]);
    Some(Plot { title: "Latency by percentile".to_owned(), x, y, lines, legend })
}

/// How often which time occurred.
pub(super) fn histogram(results: &[Results]) -> Option<Plot> {
    let x = times("latency (logarithmic)", results, HISTOGRAM_SHARE)?;
    let width = (x.end - x.start) / f64::from(COLUMNS);
    let mut lines = Vec::new();
    for (run, result) in results.iter().enumerate().filter(|(_, r)| r.latency_us.count() > 0) {
        let columns = columns(&result.latency_us, &x);
        let role = role(results.len(), run, 0);
        let edges = (0..COLUMNS).map(f64::from).zip(columns).flat_map(|(column, share)| {
            [(x.start + column * width, share), (x.start + (column + 1.0) * width, share)]
        });
        let filled = results.len() == 1;
        lines.push(Line { role, points: edges.collect(), filled });
    }
    let max = largest(&lines, |point| point.1);
    let y = Axis::linear("share of the deliveries", max, percent);
    let legend = legend(results, &[]);
    Some(Plot { title: "Latency, how often".to_owned(), x, y, lines, legend })
}

/// The share of the times that falls into each column.
fn columns(latency: &Latency, axis: &Axis) -> Vec<f64> {
    let mut columns = vec![0.0; usize::try_from(COLUMNS).unwrap_or_default()];
    let count = float(latency.count());
    for (us, times) in latency.values() {
        let share = (logarithm(us) - axis.start) / (axis.end - axis.start);
        let edges = (1..=COLUMNS).map(|column| f64::from(column) / f64::from(COLUMNS));
        let below = edges.take_while(|edge| *edge <= share).count();
        // What is beyond the end is not shown.
        if let Some(column) = columns.get_mut(below) {
            *column += float(times) / count;
        }
    }
    columns
}

/// Where a time lies on a logarithmic axis.
pub(super) fn logarithm(us: u64) -> f64 {
    float(us.max(1)).log10()
}

/// The logarithmic axis of the times of all runs, up to the share `upto` of each.
fn times(name: &str, results: &[Results], upto: f64) -> Option<Axis> {
    let latencies = || results.iter().map(|result| &result.latency_us);
    let min = latencies().filter_map(|latency| latency.quantile(0.0)).min()?;
    let max = latencies().filter_map(|latency| latency.quantile(upto)).max()?;
    Some(Axis::logarithmic(name, float(min), float(max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(times: &[(u64, u64)]) -> Results {
        let mut results = Results::default();
        for (us, count) in times {
            results.latency_us.record_n(*us, *count);
        }
        results
    }

    #[track_caller]
    fn check_points(points: &[(f64, f64)], expect: &[(f64, f64)]) {
        let far = |(one, other): (&(f64, f64), &(f64, f64))| {
            (one.0 - other.0).abs() > 1e-6 || (one.1 - other.1).abs() > 1e-6
        };
        let differs = points.len() != expect.len() || points.iter().zip(expect).any(far);
        assert!(!differs, "{points:?} is not {expect:?}");
    }

    #[test]
    fn a_value_spans_the_percentiles_that_it_is_the_value_of() {
        let results = [run(&[(10, 90), (100, 9), (1_000, 1)]), run(&[(10, 1)])];
        let plot = percentiles(&results).unwrap();
        let expect = [(0.0, 1.0), (1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (2.0, 3.0), (2.0, 3.0)];
        check_points(&plot.lines[0].points, &expect);
        check_points(&plot.lines[1].points, &[(0.0, 1.0), (1.0, 1.0)]);
        assert!((plot.x.end - 2.0).abs() < 1e-9, "no further than there are values");
        assert!(percentiles(&[run(&[])]).is_none());
    }

    #[test]
    fn a_histogram_shows_the_share_of_each_column() {
        let results = run(&[(100, 50), (1_000, 49), (9_000, 1)]);
        let axis = Axis::logarithmic("", 100.0, 10_000.0);
        let columns = columns(&results.latency_us, &axis);
        let filled: Vec<_> =
            columns.iter().enumerate().filter(|(_, share)| **share > 0.0).collect();
        assert_eq!(filled, [(0, &0.5), (32, &0.49), (62, &0.01)]);
        let short = Axis::logarithmic("", 100.0, 5_000.0);
        let sum: f64 = super::columns(&results.latency_us, &short).iter().sum();
        assert!((sum - 0.99).abs() < 1e-9, "what is beyond the end is left out: {sum}");
    }

    #[test]
    fn a_single_value_is_a_picture_too() {
        for picture in [percentiles, histogram] {
            let plot = picture(&[run(&[(5, 1)])]).unwrap();
            assert!(plot.draw().unwrap().svg.contains("</svg>"));
        }
    }
}
