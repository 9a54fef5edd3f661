//! Which picture shows what of the results.

use super::Picture;
use super::bars::{Bar, Bars};
use super::canvas::Finished;
use super::colours::Role;
use super::plot::{Line, Plot};
use super::ticks::{Axis, nines};
use crate::bench::latency::Latency;
use crate::bench::results::{Results, Sample, float};
use crate::bench::units::{bytes, number, percent, time};

/// Columns of a histogram.
const COLUMNS: u32 = 64;
/// Beyond this share of all times, a histogram would show mostly nothing.
const HISTOGRAM_SHARE: f64 = 0.999;

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
struct Quantity {
    name: &'static str,
    of: fn(&Sample) -> Option<f64>,
}

/// What is held in memory, and by whom.
const MEMORY: &[Quantity] = &[
    Quantity { name: "server", of: |sample| sample.server_rss.map(float) },
    Quantity { name: "kernel", of: |sample| sample.kernel_bytes.map(float) },
];

/// The role of a run's line: runs have colours, and the second quantity of each has dashes. A single run's
/// quantities have colours instead.
fn role(runs: usize, run: usize, number: usize) -> Role {
    match (runs, number) {
        (1, number) => Role::Line(number),
        (_, 0) => Role::Line(run),
        (_, _) => Role::Dashed(run),
    }
}

/// Says whose each colour is, and what dashes mean.
fn legend(results: &[Results], quantities: &[Quantity]) -> Vec<(String, Role)> {
    let whats = || quantities.iter().map(|quantity| quantity.name.to_owned());
    if results.len() == 1 {
        let whats = whats().filter(|what| !what.is_empty());
        return whats.enumerate().map(|(number, what)| (what, Role::Line(number))).collect();
    }
    let runs = results.iter().map(|run| visible(run.name())).enumerate();
    let runs = runs.map(|(run, name)| (name, Role::Line(run)));
    let dashes = whats().zip([Role::Soft, Role::SoftDashed]).filter(|_| quantities.len() > 1);
    runs.chain(dashes).collect()
}

/// A name from a file, without what a picture cannot hold.
fn visible(name: &str) -> String {
    let is_hidden =
        |letter: &char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}');
    name.chars().map(|letter| if is_hidden(&letter) { '\u{fffd}' } else { letter }).collect()
}

fn largest(lines: &[Line], of: fn(&(f64, f64)) -> f64) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(of).fold(0.0, f64::max)
}

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
    let legend = legend(results, quantities);
    if lines.is_empty() { None } else { Some(Plot { title, x, y, lines, legend }) }
}

/// A file may say anything.
fn is_sound((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite() && *x >= 0.0 && *y >= 0.0
}

/// How long what share of the deliveries took at most.
fn percentiles(results: &[Results]) -> Option<Plot> {
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
        lines.push(Line { role, points, filled: false });
    }
    lines.retain(|line| !line.points.is_empty());
    let counts = results.iter().map(|result| float(result.latency_us.count()));
    let x = Axis::nines(counts.fold(0.0, f64::max));
    for line in &mut lines {
        // The last value is at a hundred per cent, which is beyond the end.
        for point in &mut line.points {
            point.0 = point.0.min(x.end);
        }
    }
    let y = times("latency (logarithmic)", results, 1.0)?;
    let legend = legend(results, &[]);
    Some(Plot { title: "Latency by percentile".to_owned(), x, y, lines, legend })
}

/// How often which time occurred.
fn histogram(results: &[Results]) -> Option<Plot> {
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
fn logarithm(us: u64) -> f64 {
    float(us.max(1)).log10()
}

/// The logarithmic axis of what is logarithmic already.
fn latencies(lines: &[Line]) -> Axis {
    let least = lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let (min, max) = (least.fold(f64::INFINITY, f64::min), largest(lines, |point| point.1));
    Axis::logarithmic("latency (logarithmic)", 10_f64.powf(min), 10_f64.powf(max))
}

/// The logarithmic axis of the times of all runs, up to the share `upto` of each.
fn times(name: &str, results: &[Results], upto: f64) -> Option<Axis> {
    let latencies = || results.iter().map(|result| &result.latency_us);
    let min = latencies().filter_map(|latency| latency.quantile(0.0)).min()?;
    let max = latencies().filter_map(|latency| latency.quantile(upto)).max()?;
    Some(Axis::logarithmic(name, float(min), float(max)))
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
    let legend = legend(results, MEMORY);
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
