//! The whole server above the reactor in a simulated world: a virtual clock, clients that stall, split,
//! vanish and return, and a checker over everything that all of them see.
//!
//! A run is determined by its seed. `SIM_SEED` runs one seed, `SIM_SEEDS` that many, `SIM_STEPS` sets
//! the steps of each; a failure prints the seed that repeats it.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may read the environment, fail and print"
)]

mod client;
mod codec;
mod hist;
mod link;
mod plan;
mod reactor;
mod rng;
mod tamper;
mod trace;
mod world;

use tamper::Fault;
use world::{Outcome, run};

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn check(seed: u64, steps: u64) -> Outcome {
    let outcome = run(seed, steps, None);
    if let Some(fault) = &outcome.fault {
        panic!("SIM_SEED={seed} SIM_STEPS={steps} repeats this: {fault}");
    }
    outcome
}

#[test]
fn every_promise_holds_under_any_schedule() {
    let steps = setting("SIM_STEPS").unwrap_or(2_000);
    let seeds: Vec<u64> = match setting("SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..setting("SIM_SEEDS").unwrap_or(200)).collect(),
    };
    let outcomes = seeds.into_iter().map(|seed| (seed, run(seed, steps, None)));
    let failed: Vec<String> = outcomes
        .filter_map(|(seed, outcome)| {
            if setting("SIM_SEED").is_some() {
                println!("{outcome:#?}");
            }
            let fault = outcome.fault?;
            Some(format!("SIM_SEED={seed} SIM_STEPS={steps} repeats this: {fault}"))
        })
        .collect();
    let shown = &failed[..failed.len().min(5)];
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), shown.join("\n"));
}

#[test]
fn the_same_seed_makes_the_same_world() {
    for seed in [1, 2] {
        let (once, again) = (check(seed, 500), check(seed, 500));
        assert_eq!(once.trace, again.trace);
    }
}

#[test]
fn planted_faults_are_found() {
    for &fault in Fault::ALL {
        let mut tampered = 0;
        for seed in 0..6 {
            let outcome = run(seed, 1_000, Some(fault));
            tampered += outcome.tampered;
            if outcome.tampered > 0 {
                assert!(outcome.fault.is_some(), "{fault:?} is not found with seed {seed}");
            }
        }
        assert!(tampered > 0, "{fault:?} never happened");
    }
}
