//! Which picture shows what of the results.

use super::Picture;
use super::bars::{Bar, Bars};
use super::canvas::Finished;
use super::colours::Role;
use super::distribution::{histogram, logarithm, percentiles};
use super::plot::{Line, Plot};
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

/// What is held in memory, and by whom.
const MEMORY: &[Quantity] = &[
    Quantity { name: "server", of: |sample| sample.server_rss.map(float) },
    Quantity { name: "kernel", of: |sample| sample.kernel_bytes.map(float) },
];

/// The role of a run's line: runs have colours, and the second quantity of each has dashes. A
/// single run's quantities have colours instead.
pub(super) fn role(runs: usize, run: usize, number: usize) -> Role {
    match (runs, number) {
        (1, number) => Role::Line(number),
        (_, 0) => Role::Line(run),
        (_, _) => Role::Dashed(run),
    }
}

/// Says whose each colour is, and what dashes mean.
pub(super) fn legend(results: &[Results], quantities: &[Quantity]) -> Vec<(String, Role)> {
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

/// The greatest of a coordinate of all points, at least zero.
pub(super) fn largest(lines: &[Line], of: fn(&(f64, f64)) -> f64) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(count: usize) -> Vec<Results> {
        let named = |run| Results { label: Some(format!("run {run}")), ..Results::default() };
        (0..count).map(named).collect()
    }

    #[test]
    fn a_single_run_has_colours_for_its_quantities_and_several_have_dashes() {
        let check =
            |runs_count, run, number, expect| assert_eq!(role(runs_count, run, number), expect);
        check(1, 0, 0, Role::Line(0));
        check(1, 0, 1, Role::Line(1));
        check(3, 2, 0, Role::Line(2));
        check(3, 2, 1, Role::Dashed(2));
    }

    #[test]
    fn the_legend_names_what_must_be_told_apart() {
        let check = |results: &[Results], quantities: &[Quantity], expect: &[(&str, Role)]| {
            let legend = legend(results, quantities);
            let legend: Vec<_> = legend.iter().map(|(name, role)| (name.as_str(), *role)).collect();
            assert_eq!(legend, expect);
        };
        let plain = &[Quantity { name: "", of: |_| None }];
        check(&runs(1), plain, &[]);
        check(&runs(1), MEMORY, &[("server", Role::Line(0)), ("kernel", Role::Line(1))]);
        check(&runs(2), plain, &[("run 0", Role::Line(0)), ("run 1", Role::Line(1))]);
        let both = [
            ("run 0", Role::Line(0)),
            ("run 1", Role::Line(1)),
            ("server", Role::Soft),
            ("kernel", Role::SoftDashed),
        ];
        check(&runs(2), MEMORY, &both);
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
