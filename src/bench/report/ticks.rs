//! Where an axis is marked, and with what words.

use crate::bench::units::{bytes, number, percent, time};

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

    /// Shares of one, from zero to at least all of it.
    pub(super) fn share(name: &str, max: f64) -> Self {
        Self::linear(name, max.max(1.0), percent)
    }

    /// Seconds from the beginning of the run, ending where the run does. Long runs are told in minutes.
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

    /// Percentiles of `count` values, each further nine as far from the last as that from the one before.
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
