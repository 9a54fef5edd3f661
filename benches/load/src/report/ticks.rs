//! Where an axis is marked, and with what words.

use crate::units::{bytes, number, percent, time};

/// One axis: its ends and its marks, in the coordinates of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// What it measures, with the unit where the marks do not say it.
    pub(super) name: String,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) marks: Vec<(f64, String)>,
}

/// Nines that are told apart at most: 99.9999 %.
const NINES_MAX: f64 = 6.0;

impl Axis {
    /// From zero to at least `max`, marked at round numbers.
    pub(super) fn linear(name: &str, max: f64, words: fn(f64) -> String) -> Self {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let step = round_step(max);
        let count = (max / step - 1e-9).ceil();
        let marks = steps(count).map(|index| (index * step, brief(&words(index * step)))).collect();
        Self { name: name.to_owned(), start: 0.0, end: count * step, marks }
    }

    /// A number of things from zero on.
    pub(super) fn count(name: &str, max: f64) -> Self {
        Self::linear(name, max, number)
    }

    /// Bytes from zero on.
    pub(super) fn bytes(name: &str, max: f64) -> Self {
        Self::linear(name, max, bytes)
    }

    /// Shares of one, from zero to all of it, or to a part of it if they are small.
    pub(super) fn share(name: &str, max: f64) -> Self {
        const HALF: f64 = 0.5;
        const LEAST: f64 = 0.01;
        let max = if max > HALF { max.max(1.0) } else { max.max(LEAST) };
        Self::linear(name, max, percent)
    }

    /// Seconds from the beginning of the run, ending where the run does. Long runs are told in
    /// minutes.
    pub(super) fn elapsed(end_s: f64) -> Self {
        const LONG_S: f64 = 600.0;
        let (name, unit) = if end_s > LONG_S { ("minutes", 60.0) } else { ("seconds", 1.0) };
        let round = Self::count(name, end_s / unit);
        let marks = round.marks.into_iter().map(|(at, words)| (at * unit, words));
        let end = if end_s > 0.0 { end_s } else { 1.0 };
        let marks = marks.filter(|(at, _)| *at <= end * 1.000_1).collect();
        Self { name: name.to_owned(), start: 0.0, end, marks }
    }

    /// Times in µs between two that occur, logarithmic: the coordinates are powers of ten.
    pub(super) fn logarithmic(name: &str, min_us: f64, max_us: f64) -> Self {
        const FINE: &[f64] = &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];
        const USUAL: &[f64] = &[1.0, 2.0, 5.0];
        let (min, max) = (min_us.max(1.0), max_us.max(min_us).max(1.0));
        let decades = (max / min).log10();
        let factors = match decades {
            _ if decades < 0.7 => FINE,
            _ if decades < 3.0 => USUAL,
            _ => &[1.0],
        };
        let powers = (0..11).map(|power| 10_f64.powi(power));
        let all: Vec<f64> =
            powers.flat_map(|power| factors.iter().map(move |factor| factor * power)).collect();
        let start = all.iter().rev().find(|mark| **mark <= min).copied().unwrap_or(1.0);
        let after = |mark: &&f64| **mark >= max && **mark > start;
        let end = all.iter().find(after).copied().unwrap_or(max);
        let within = all.iter().filter(|mark| (start..=end).contains(mark));
        let marks = within.map(|mark| (mark.log10(), brief(&time(*mark)))).collect();
        Self { name: name.to_owned(), start: start.log10(), end: end.log10(), marks }
    }

    /// Percentiles of `count` values, each further nine as far from the last as that from the one
    /// before.
    pub(super) fn nines(count: f64) -> Self {
        let end = count.max(10.0).log10().min(NINES_MAX);
        let names = ["0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999"];
        let places = [0.0, nines(0.5), 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let marks = places.into_iter().zip(names.map(str::to_owned));
        let marks = marks.filter(|(place, _)| *place <= end).collect();
        Self { name: "percentile".to_owned(), start: 0.0, end, marks }
    }
}

/// The place of the quantile `share` on an axis of nines, which has no end: 1 is beyond each.
pub(super) fn nines(share: f64) -> f64 {
    if share < 1.0 { -(1.0 - share).log10() } else { f64::INFINITY }
}

/// The round step with which there are four to eight up to `max`.
fn round_step(max: f64) -> f64 {
    let power = 10_f64.powf(max.log10().floor());
    match max / power {
        lead if lead <= 1.6 => power / 5.0,
        lead if lead <= 4.0 => power / 2.0,
        lead if lead <= 8.0 => power,
        _ => power * 2.0,
    }
}

/// 0, 1, 2 … `count`.
fn steps(count: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(0.0), |index| Some(index + 1.0)).take_while(move |i| *i <= count)
}

/// Without zeros at the end of a fraction, which a mark at a round number does not need.
fn brief(words: &str) -> String {
    let (value, unit) = words.split_once(' ').unwrap_or((words, ""));
    let value =
        if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.') } else { value };
    format!("{value} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: &Axis, end: f64, marks: &str) {
        let words: Vec<_> = axis.marks.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(words.join(", "), marks);
        assert!((axis.end - end).abs() <= end.abs() * 1e-9, "ends at {}", axis.end);
        assert!(axis.marks.iter().all(|(at, _)| *at >= axis.start && *at <= axis.end * 1.0001));
    }

    #[test]
    fn a_linear_axis_ends_at_a_round_number() {
        check(&Axis::count("", 1_870_000.0), 2e6, "0, 500 k, 1 M, 1.5 M, 2 M");
        check(&Axis::count("", 1000.0), 1000.0, "0, 200, 400, 600, 800, 1,000");
        check(&Axis::count("", 7.0), 7.0, "0, 1, 2, 3, 4, 5, 6, 7");
        check(&Axis::count("", 9.0), 10.0, "0, 2, 4, 6, 8, 10");
        check(&Axis::bytes("", 10.4e6), 12e6, "0 B, 2 MB, 4 MB, 6 MB, 8 MB, 10 MB, 12 MB");
        check(&Axis::share("", 0.6), 1.0, "0 %, 20 %, 40 %, 60 %, 80 %, 100 %");
        check(&Axis::share("", 0.19), 0.2, "0 %, 5 %, 10 %, 15 %, 20 %");
        check(&Axis::share("", 0.0), 0.01, "0 %, 0.2 %, 0.4 %, 0.6 %, 0.8 %, 1 %");
        check(&Axis::count("", 0.0), 1.0, "0, 0.2, 0.4, 0.6, 0.8, 1");
    }

    #[test]
    fn time_ends_when_the_run_does() {
        check(&Axis::elapsed(21.2), 21.2, "0, 5, 10, 15, 20");
        check(&Axis::elapsed(601.0), 601.0, "0, 2, 4, 6, 8, 10");
        assert_eq!(Axis::elapsed(601.0).name, "minutes");
    }

    #[test]
    fn a_logarithmic_axis_has_as_many_marks_as_fit() {
        let log = |min, max| Axis::logarithmic("", min, max);
        let close = "300 µs, 400 µs, 500 µs, 600 µs, 800 µs, 1 ms";
        check(&log(310.0, 900.0), 3.0, close);
        let usual = "200 µs, 500 µs, 1 ms, 2 ms, 5 ms, 10 ms, 20 ms";
        check(&log(393.0, 13_600.0), 20_000_f64.log10(), usual);
        check(&log(3.0, 40_000.0), 5.0, "1 µs, 10 µs, 100 µs, 1 ms, 10 ms, 100 ms");
        check(&log(0.0, 0.0), 1.5_f64.log10(), "1 µs, 1.5 µs");
        check(&log(250.0, 250.0), 300_f64.log10(), "200 µs, 300 µs");
        check(&log(3.6e9, 3.6e9), 4e9_f64.log10(), "3000 s, 4000 s");
    }

    #[test]
    fn percentiles_go_as_far_as_there_are_values() {
        check(&Axis::nines(1.0), 1.0, "0, 50, 90");
        check(&Axis::nines(20_000.0), 20_000_f64.log10(), "0, 50, 90, 99, 99.9, 99.99");
        check(&Axis::nines(1e9), 6.0, "0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999");
        assert!((nines(0.999) - 3.0).abs() < 1e-9);
        assert!(nines(1.0).is_infinite());
    }

    #[test]
    fn whatever_a_file_says_there_are_few_marks() {
        for max in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE, -5.0, 1e-300] {
            let marks = Axis::count("", max).marks.len();
            assert!((2..=9).contains(&marks), "{marks} for {max}");
            assert!(Axis::elapsed(max).marks.len() <= 9, "{max}");
            assert!(Axis::logarithmic("", max, max).marks.len() <= 11, "{max}");
        }
    }
}
