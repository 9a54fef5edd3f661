//! Which picture shows what of the results.

use super::Picture;
use super::bars::{Bar, Bars};
use super::canvas::Finished;
use super::colours::Role;
use super::distribution::{histogram, logarithm, percentiles};
use super::legend::{legend, role, visible};
use super::plot::{Line, Plot, largest};
use super::ticks::Axis;
use crate::results::{Results, Sample, float};
use crate::units::{bytes, number, time};

/// The picture of all runs that have measured what it shows, `None` if none has.
pub(super) fn draw(picture: Picture, results: &[Results]) -> Option<Finished> {
    let drawn = |bars: Option<Bars>| bars?.draw();
    match picture {
        Picture::Rates => drawn(bars("Throughput", "deliveries a second", results, |run| {
            let rate = run.deliveries_per_s.filter(|rate| *rate > 0.0)?.round();
            Some((rate, number(rate)))
        })),
        Picture::Costs => drawn(bars("CPU", "server CPU of a delivery", results, |run| {
            run.server.cpu_us_per_delivery.map(|us| (us, time(us)))
        })),
        Picture::Footprints => {
            drawn(bars("Memory", "server memory of a connection", results, |run| {
                run.server.user_bytes_per_connection.map(|held| (held, bytes(held)))
            }))
        }
        picture => plot(picture, results)?.draw(),
    }
}

/// A figure of each run that has it, `None` if there are not two to be compared.
fn bars(
    title: &str,
    what: &str,
    results: &[Results],
    of: fn(&Results) -> Option<(f64, String)>,
) -> Option<Bars> {
    let bar = |(run, result): (usize, &Results)| {
        let (value, words) = of(result)?;
        Some(Bar { name: visible(result.name()), role: Role::Line(run), value, words })
    };
    let bars: Vec<_> = results.iter().enumerate().filter_map(bar).collect();
    let (title, what) = (title.to_owned(), what.to_owned());
    (bars.len() > 1).then_some(Bars { title, what, bars })
}

/// The pictures that have axes.
fn plot(picture: Picture, results: &[Results]) -> Option<Plot> {
    match picture {
        Picture::Rates | Picture::Costs | Picture::Footprints => None,
        Picture::Latency => percentiles(results),
        Picture::Histogram => histogram(results),
        Picture::LatencyOverTime => over_time(
            "Latency over time",
            results,
            latencies,
            &[
                Quantity { name: "p50", of: |sample| sample.p50.map(logarithm) },
                Quantity { name: "p99", of: |sample| sample.p99.map(logarithm) },
            ],
        ),
        Picture::Throughput => over_time(
            "Throughput",
            results,
            |lines| Axis::count("deliveries a second", largest(lines, |point| point.1)),
            &[Quantity { name: "", of: |sample| Some(sample.deliveries_per_s) }],
        )
        .filter(|plot| largest(&plot.lines, |point| point.1) > 0.0),
        Picture::Memory => over_time(
            "Memory over time",
            results,
            |lines| Axis::bytes("bytes", largest(lines, |point| point.1)),
            MEMORY,
        ),
        Picture::MemoryOverConnections => memory_over_connections(results),
        Picture::Connections => over_time(
            "Connections",
            results,
            |lines| Axis::count("open connections", largest(lines, |point| point.1)),
            &[Quantity { name: "", of: |sample| Some(float(sample.connections)) }],
        ),
        Picture::Cpu => over_time(
            "CPU",
            results,
            |lines| Axis::share("share of a core", largest(lines, |point| point.1)),
            &[
                Quantity { name: "server", of: |sample| sample.server_busy },
                Quantity { name: "generator", of: |sample| sample.generator_busy },
            ],
        ),
    }
}

/// Something that each sample has, or has not.
pub(super) struct Quantity {
    name: &'static str,
    of: fn(&Sample) -> Option<f64>,
}

fn names(quantities: &[Quantity]) -> Vec<&'static str> {
    quantities.iter().map(|quantity| quantity.name).collect()
}

/// The memory that is held, and by whom.
const MEMORY: &[Quantity] = &[
    Quantity { name: "server", of: |sample| sample.server_rss.map(float) },
    Quantity { name: "kernel", of: |sample| sample.kernel_bytes.map(float) },
];

/// The picture of these quantities of every run from its beginning on.
fn over_time(
    title: &str,
    results: &[Results],
    axis: fn(&[Line]) -> Axis,
    quantities: &[Quantity],
) -> Option<Plot> {
    let mut lines = Vec::new();
    for (number, quantity) in quantities.iter().enumerate() {
        for (run, result) in results.iter().enumerate() {
            let place = |sample: &Sample| Some((sample.at_s, (quantity.of)(sample)?));
            let points: Vec<_> = result.series.iter().filter_map(place).filter(is_sound).collect();
            let role = role(results.len(), run, number);
            let filled = results.len() == 1 && quantities.len() == 1;
            lines.push(Line { role, points, filled });
        }
    }
    lines.retain(|line| !line.points.is_empty());
    let x = Axis::elapsed(largest(&lines, |point| point.0));
    let (y, title) = (axis(&lines), title.to_owned());
    let legend = legend(results, &names(quantities));
    if lines.is_empty() { None } else { Some(Plot { title, x, y, lines, legend }) }
}

/// A file may say anything.
fn is_sound((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite() && *x >= 0.0 && *y >= 0.0
}

/// The logarithmic axis of what is logarithmic already.
fn latencies(lines: &[Line]) -> Axis {
    let least = lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let (min, max) = (least.fold(f64::INFINITY, f64::min), largest(lines, |point| point.1));
    Axis::logarithmic("latency (logarithmic)", 10_f64.powf(min), 10_f64.powf(max))
}

/// What the server and the kernel hold while connections are opened.
fn memory_over_connections(results: &[Results]) -> Option<Plot> {
    /// Fewer points than this tell nothing about a slope.
    const POINTS_MIN: usize = 3;
    let mut lines = Vec::new();
    for (number, quantity) in MEMORY.iter().enumerate() {
        for (run, result) in results.iter().enumerate() {
            let place =
                |sample: &&Sample| Some((float(sample.connections), (quantity.of)(sample)?));
            let points = opening(&result.series).iter().filter_map(place).collect();
            let role = role(results.len(), run, number);
            lines.push(Line { role, points, filled: false });
        }
    }
    lines.retain(|line| line.points.len() >= POINTS_MIN);
    let x = Axis::count("open connections", largest(&lines, |point| point.0));
    let y = Axis::bytes("bytes", largest(&lines, |point| point.1));
    let title = "Memory over connections".to_owned();
    let legend = legend(results, &names(MEMORY));
    if lines.is_empty() { None } else { Some(Plot { title, x, y, lines, legend }) }
}

/// The samples in which there are more connections than in all before.
fn opening(series: &[Sample]) -> Vec<&Sample> {
    let mut most = None;
    let is_more = |sample: &&Sample| {
        let more = most.is_none_or(|most| sample.connections > most);
        most = most.max(Some(sample.connections));
        more
    };
    series.iter().filter(is_more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(count: usize) -> Vec<Results> {
        let named = |run| Results { label: Some(format!("run {run}")), ..Results::default() };
        (0..count).map(named).collect()
    }

    #[test]
    fn memory_is_drawn_while_connections_are_opened() {
        let sample =
            |connections, server_rss| Sample { connections, server_rss, ..Sample::default() };
        let series = [(0, 5), (10, 6), (10, 7), (20, 8), (3, 9), (20, 10), (21, 11)];
        let mut results = runs(1);
        results[0].series = series.map(|(count, rss)| sample(count, Some(rss))).to_vec();
        let plot = memory_over_connections(&results).unwrap();
        let expect = [(0.0, 5.0), (10.0, 6.0), (20.0, 8.0), (21.0, 11.0)];
        assert_eq!(plot.lines.len(), 1, "nothing is known of the kernel");
        assert_eq!(plot.lines[0].points, expect);
        results[0].series.truncate(3);
        assert!(memory_over_connections(&results).is_none(), "two points are no slope");
    }

    #[test]
    fn bars_compare_at_least_two() {
        let mut results = runs(3);
        results[0].server.cpu_us_per_delivery = Some(0.54);
        assert!(draw(Picture::Costs, &results).is_none());
        results[2].server.cpu_us_per_delivery = Some(0.88);
        let svg = draw(Picture::Costs, &results).unwrap().svg;
        assert!(svg.contains("0.54 µs") && svg.contains("f-c2") && !svg.contains("f-c1"), "{svg}");
    }
}
