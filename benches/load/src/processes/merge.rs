//! One result of those of several processes.

use crate::measure::Mark;
use crate::results::{Counts, Results, Sample, round};

/// The server and the kernel at the turns of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// Before anybody came.
    pub(super) first: Mark,
    /// When all connections were open.
    pub(super) opened: Mark,
    /// When it had become quiet.
    pub(super) held: Mark,
    /// When what is measured began.
    pub(super) before: Mark,
    /// When it ended.
    pub(super) after: Mark,
}

/// Adds up what several processes have measured in one window. Where connections come and go, those
/// that came in the window are what counts.
pub(super) fn add_up(whole: &mut Results, marks: &Marks, parts: &[Results], is_lives: bool) {
    let mut counts = Counts::default();
    for part in parts {
        counts.merge(&counts_of(part));
    }
    let (from, to) =
        if is_lives { (&marks.before, &marks.after) } else { (&marks.first, &marks.opened) };
    whole.opened(counts.handshakes, from, to);
    whole.held(counts.connections, &marks.first, &marks.held);
    whole.measured(&counts, &marks.before, &marks.after);
    // Each knows best when its own window began and ended.
    whole.handshakes_per_s = sum(parts.iter().filter_map(|part| part.handshakes_per_s));
    whole.deliveries_per_s = sum(parts.iter().filter_map(|part| part.deliveries_per_s));
    for figure in parts.iter().flat_map(|part| &part.extra) {
        match whole.extra.iter_mut().find(|known| known.name == figure.name) {
            Some(known) => known.value += figure.value,
            None => whole.extra.push(figure.clone()),
        }
    }
}

fn counts_of(part: &Results) -> Counts {
    Counts {
        connections: part.connections,
        handshakes: part.handshakes,
        deliveries: part.deliveries,
        sends: part.sends,
        cpu_us: part.generator.cpu_us.unwrap_or_default(),
        latency: part.latency_us.clone(),
        faults: part.faults,
    }
}

/// Takes over why the parts failed. `parts` has `None` for who has said nothing.
pub(super) fn add_failures(whole: &mut Results, parts: &[Option<Results>]) {
    let count = parts.len();
    for (nth, part) in (1..).zip(parts) {
        for failure in part.iter().flat_map(|part| &part.failures) {
            whole.fail(format!("process {nth} of {count}: {failure}"));
        }
    }
}

/// A run over time: what was seen of the server and the kernel, with what the processes saw at
/// those times.
pub(super) fn add_series(mut frame: Vec<Sample>, parts: &[&[Sample]]) -> Vec<Sample> {
    let intervals = u32::try_from(frame.len().saturating_sub(1)).unwrap_or(u32::MAX).max(1);
    let within = frame.last().map_or(0.0, |last| 1.5 * last.at_s / f64::from(intervals));
    for sample in &mut frame {
        let near = parts.iter().filter_map(|part| nearest(part, sample.at_s, within));
        let near: Vec<_> = near.collect();
        sample.connections = near.iter().map(|part| part.connections).sum();
        sample.deliveries_per_s =
            sum(near.iter().map(|part| part.deliveries_per_s)).unwrap_or_default();
        sample.generator_busy = sum(near.iter().filter_map(|part| part.generator_busy));
        // Quantiles do not add up: the longest is what some of them had to wait.
        sample.p50 = near.iter().filter_map(|part| part.p50).max();
        sample.p99 = near.iter().filter_map(|part| part.p99).max();
    }
    frame
}

fn nearest(part: &[Sample], at_s: f64, within: f64) -> Option<&Sample> {
    let distance = |sample: &Sample| (sample.at_s - at_s).abs();
    let near = part.iter().filter(|sample| distance(sample) <= within);
    near.min_by(|one, other| distance(one).total_cmp(&distance(other)))
}

fn sum(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(|one, other| one + other).map(round)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Usage;
    use crate::results::{Faults, float};

    fn mark(at_s: u64, server_us: u64, rss: u64) -> Mark {
        let server = Usage { pid: 7, cpu_us: server_us, rss, ..Usage::default() };
        Mark { at_us: at_s * 1_000_000, server: Some(server), ..Mark::default() }
    }

    fn part(deliveries: u64, latency: (u64, u64)) -> Results {
        let mut part = Results::new("fanout", "ws://127.0.0.1:1/ws");
        (part.connections, part.handshakes, part.handshakes_per_s) = (10, 10, Some(20.0));
        (part.deliveries, part.sends) = (deliveries, deliveries / 10);
        part.deliveries_per_s = Some(float(deliveries) / 2.0);
        part.generator.cpu_us = Some(deliveries);
        part.latency_us.record_n(latency.0, latency.1);
        part.add("messages told to be gone", 1.5, "");
        part
    }

    fn marks() -> Marks {
        Marks {
            first: mark(0, 0, 1_000),
            opened: mark(1, 200, 2_000),
            held: mark(2, 300, 3_000),
            before: mark(3, 400, 3_000),
            after: mark(5, 1_000_400, 3_000),
        }
    }

    #[test]
    fn counts_and_rates_add_up_and_the_server_is_measured_once() {
        let mut whole = Results::new("fanout", "ws://127.0.0.1:1/ws");
        whole.generator.processes = 2;
        let parts = [part(1_000_000, (100, 3)), part(500_000, (900, 1))];
        add_up(&mut whole, &marks(), &parts, false);
        assert_eq!((whole.connections, whole.handshakes, whole.sends), (20, 20, 150_000));
        assert_eq!((whole.deliveries, whole.deliveries_per_s), (1_500_000, Some(750_000.0)));
        assert_eq!(whole.handshakes_per_s, Some(40.0));
        assert_eq!(whole.latency_us.values(), [(100, 3), (900, 1)]);
        assert_eq!(whole.server.cpu_us, Some(1_000_000));
        assert_eq!(whole.server.cpu_us_per_delivery, Some(0.6667));
        assert_eq!(whole.server.cpu_us_per_handshake, Some(10.0));
        assert_eq!(whole.server.user_bytes_per_connection, Some(100.0));
        assert_eq!(whole.generator.cpu_us, Some(1_500_000));
        assert_eq!(whole.generator.busy, Some(0.75));
        assert_eq!(whole.extra.len(), 1);
        assert_eq!(whole.extra.first().map(|figure| figure.value), Some(3.0));
        assert!(whole.ok);
        add_up(&mut whole, &marks(), &parts, true);
        assert_eq!(whole.server.cpu_us_per_handshake, Some(50_000.0));
    }

    #[test]
    fn one_fault_of_one_process_is_enough() {
        let mut faulty = part(10, (1, 1));
        faulty.faults = Faults { lost: 2, ..Faults::default() };
        faulty.fail("lost: two of them");
        let parts = [part(10, (1, 1)), faulty];
        let mut whole = Results::new("fanout", "ws://127.0.0.1:1/ws");
        add_up(&mut whole, &marks(), &parts, false);
        assert!(!whole.ok);
        assert_eq!(whole.faults.lost, 2);
        add_failures(&mut whole, &parts.map(Some));
        assert_eq!(whole.failures, ["process 2 of 2: lost: two of them"]);
    }

    #[test]
    fn samples_are_added_to_those_that_were_taken_at_about_the_same_time() {
        let sample = |at_s, connections, per_s, p99| Sample {
            at_s,
            connections,
            deliveries_per_s: per_s,
            generator_busy: Some(per_s / 100.0),
            p99,
            ..Sample::default()
        };
        let frame = [0.0, 1.0, 2.0, 9.0].map(|at_s| Sample {
            server_busy: Some(0.5),
            generator_busy: Some(0.01),
            ..sample(at_s, 0, 0.0, None)
        });
        let one =
            [sample(0.0, 0, 0.0, None), sample(1.1, 5, 10.0, Some(7)), sample(2.1, 5, 20.0, None)];
        let other = [sample(0.0, 0, 0.0, None), sample(0.9, 3, 1.0, Some(9))];
        let whole = add_series(frame.to_vec(), &[&one, &other]);
        let seen: Vec<_> = whole.iter().map(|it| (it.connections, it.p99)).collect();
        assert_eq!(seen, [(0, None), (8, Some(9)), (8, Some(9)), (0, None)]);
        assert_eq!(whole[1].generator_busy, Some(0.11));
        assert!(whole.iter().all(|it| it.server_busy == Some(0.5)));
        assert_eq!(add_series(Vec::new(), &[&one]), []);
    }
}
