//! Whether a login with a name that nobody has takes as long as one with a wrong password: many of
//! both, in an order left to chance, compared by the ranks of their times.

use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::rng::Rng;
use serde_json::json;

use super::sources;
use crate::latencies::median;
use crate::prober::Prober;
use crate::server::{Server, Setup};
use crate::{CONFIG, Outcome};

/// Names that there are: each may be tried so often only.
const NAMES: u32 = 200;
const PASSWORD: &str = "a password of some length";
/// A difference that chance alone makes in one of a thousand runs.
const Z_MAX: f64 = 3.3;

/// Tries so often with each.
pub(super) fn run(binary: &str, folder: &Path, tries: u32) -> Outcome<()> {
    let setup = Setup::new(folder, binary, CONFIG)?
        .set("AUTH", "accounts")
        .set("ACCOUNTS_REGISTRATION", "open");
    let Some(mut server) = setup.start_unasked()? else { return Err("it did not start".into()) };
    for name in 0..NAMES {
        let mut prober = Prober::over(sources::connect(name, server.tcp)?)?;
        let name = format!("known{name}");
        prober.ask(&json!({"op": "register", "name": name, "password": PASSWORD}))?;
    }
    let (mut rng, mut times) = (Rng::new(1), [Vec::new(), Vec::new()]);
    for number in 0..tries * 2 {
        let is_known = rng.once_in(2);
        let took = log_in(&server, number, is_known)?;
        times[usize::from(is_known)].push(took.as_secs_f64() * 1e3);
    }
    server.stop()?;
    setup.assert_no_panic()?;
    let [unknown, known] = &times;
    let z = z_of_ranks(unknown, known);
    println!(
        "  {} logins with unknown names, median {:.3} ms; {} with wrong passwords, median {:.3} ms; z of the ranks {z:.2}",
        unknown.len(),
        median(unknown),
        known.len(),
        median(known)
    );
    if z.abs() > Z_MAX { Err("they are told apart by their time".into()) } else { Ok(()) }
}

/// From the question to the answer.
fn log_in(server: &Server, number: u32, is_known: bool) -> Outcome<Duration> {
    // Names of the same length, each rarely, from an address of its own.
    let word = if is_known { "known" } else { "noone" };
    let name = format!("{word}{}", number % NAMES);
    let mut prober = Prober::over(sources::connect(NAMES + number, server.tcp)?)?;
    let asked = Instant::now();
    let reply =
        prober.request(&json!({"op": "login", "name": name, "password": "wrong, and long"}))?;
    let took = asked.elapsed();
    if reply["code"] == 2001 {
        return Ok(took);
    }
    Err(format!("a login was answered with {reply}").into())
}

/// How far the ranks of two samples are apart, in standard deviations (Mann and Whitney).
fn z_of_ranks(one: &[f64], other: &[f64]) -> f64 {
    let number = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    let mut all: Vec<_> = one
        .iter()
        .map(|time| (*time, true))
        .chain(other.iter().map(|time| (*time, false)))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks = (1..).zip(&all).filter(|(_, (_, is_one))| *is_one);
    let sum = ranks.fold(0.0, |sum, (rank, _)| sum + number(rank));
    let (n, m) = (number(one.len()), number(other.len()));
    let expected = n * (n + m + 1.0) / 2.0;
    let deviation = (n * m * (n + m + 1.0) / 12.0).sqrt();
    (sum - expected) / deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slower_is_told_from_what_is_not() {
        let times =
            |add: f64| (0..500).map(|n| f64::from(n * 7919 % 500) + add).collect::<Vec<_>>();
        assert!(z_of_ranks(&times(0.0), &times(0.25)).abs() < Z_MAX);
        assert!(z_of_ranks(&times(0.0), &times(60.0)) < -Z_MAX);
        assert!(z_of_ranks(&times(60.0), &times(0.0)) > Z_MAX);
    }
}
