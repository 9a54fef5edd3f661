//! The whole server above the reactor in a simulated world: a virtual clock, clients that stall,
//! split, vanish and return, and a checker over everything that all of them see.
//!
//! A run is determined by its seed. `SIM_SEED` runs one seed, `SIM_SEEDS` that many, `SIM_STEPS`
//! sets the steps of each, `SIM_SHOWN` how many failures are shown; a failure prints the seed that
//! repeats it.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::struct_excessive_bools,
    clippy::unwrap_used,
    reason = "tests may read the environment, and fail; a client's story is a list of meta"
)]

mod accounts;
mod client;
mod cluster;
mod codec;
mod history;
mod link;
mod lists;
mod plan;
mod player;
mod reactor;
mod stage;
mod store;
mod tamper;
mod trace;
mod vectors;
mod world;

use accounts::AccountFault;
use store::{EngineFault, StoreFault};
use tamper::NetworkFault;
use world::{Outcome, Planted, run};

/// Worlds in which each planted fault has to be found.
const FOUND_MIN: u32 = 4;
/// Worlds in which a broken store is looked for at most, their steps, and how many of them must
/// show it.
const STORE_FAULT_WORLDS: u64 = 240;
const STORE_FAULT_STEPS: u64 = 1_200;
const STORE_FAULTS_FOUND_MIN: usize = 2;
/// Times that a planted fault may happen in one world without harm.
const HARMLESS_MAX: u64 = 20;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn check(seed: u64, steps: u64) -> Outcome {
    let outcome = run(seed, steps, Planted::default());
    let fault = outcome.fault.as_deref();
    assert_eq!(fault, None, "SIM_SEED={seed} SIM_STEPS={steps} repeats this");
    outcome
}

/// Runs each of `seeds`, and returns what became of them.
fn run_all(seeds: &[u64], steps: u64) -> Vec<(u64, Outcome)> {
    let (some, others) = seeds.split_at(seeds.len() / 2);
    let run_some = |seeds: &[u64]| -> Vec<_> {
        seeds.iter().map(|&seed| (seed, run(seed, steps, Planted::default()))).collect()
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_some(others));
        let mut outcomes = run_some(some);
        outcomes.extend(running.join().expect("a world that does not panic"));
        outcomes
    })
}

#[test]
fn every_promise_holds_under_any_schedule() {
    let steps = setting("SIM_STEPS").unwrap_or(2_000);
    let seeds: Vec<u64> = match setting("SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..setting("SIM_SEEDS").unwrap_or(200)).collect(),
    };
    let outcomes = run_all(&seeds, steps);
    let faulty = |(seed, outcome): &(u64, Outcome)| {
        let fault = outcome.fault.as_ref()?;
        Some(format!("SIM_SEED={seed} SIM_STEPS={steps} repeats this: {fault}"))
    };
    let failed: Vec<String> = outcomes.iter().filter_map(faulty).collect();
    let most = usize::try_from(setting("SIM_SHOWN").unwrap_or(5)).unwrap_or(usize::MAX);
    let shown = failed.get(..most).unwrap_or(&failed);
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), shown.join("\n"));

    let mut sum = Outcome::default();
    for (_, outcome) in &outcomes {
        sum.add(outcome);
    }
    println!("{} seeds: {sum:?}", outcomes.len());
    if seeds.len() >= 50 {
        assert!(sum.has_everything(), "what is not simulated is not shown: {sum:?}");
    }
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
    for &fault in NetworkFault::ALL {
        // Some happen in few worlds only; and what comes late but before nothing that matters, or
        // is lost just before the connection is, does no harm: once may pass, often may not.
        let mut found = 0;
        for seed in 0..80 {
            let outcome = run(seed, 1_000, Planted { fault: Some(fault), ..Planted::default() });
            found += u32::from(outcome.tampered > 0 && outcome.fault.is_some());
            let harmless = outcome.tampered < HARMLESS_MAX;
            assert!(harmless || outcome.fault.is_some(), "{fault:?} is not found, seed {seed}");
            if found == FOUND_MIN {
                break;
            }
        }
        assert_eq!(found, FOUND_MIN, "{fault:?} is hardly ever found");
    }
}

/// What is wrong in the world of `seed` with a broken store, in words; `None` if nothing is, or if
/// its store was never asked for what it breaks. The domain's own assertions count as a find.
fn find(store_fault: StoreFault, seed: u64) -> (bool, Option<String>) {
    let planted = Planted { store_fault: Some(store_fault), ..Planted::default() };
    let outcome = std::panic::catch_unwind(|| run(seed, STORE_FAULT_STEPS, planted));
    match outcome {
        Ok(outcome) => (outcome.tampered > 0, outcome.fault.filter(|_| outcome.tampered > 0)),
        Err(_) => (true, Some("an assertion of the domain's".to_owned())),
    }
}

#[test]
fn broken_stores_are_found() {
    for &store_fault in StoreFault::ALL {
        let (mut broken, mut found) = (0, Vec::new());
        for seed in 0..STORE_FAULT_WORLDS {
            let (is_broken, fault) = find(store_fault, seed);
            broken += u32::from(is_broken);
            found.extend(fault.map(|fault| format!("seed {seed}: {fault:.160}")));
            if found.len() >= STORE_FAULTS_FOUND_MIN {
                break;
            }
        }
        println!("{store_fault:?}: {} of {broken} worlds, {:?}", found.len(), found.first());
        assert!(
            found.len() >= STORE_FAULTS_FOUND_MIN,
            "{store_fault:?} is found {found:?}, of {broken}"
        );
    }
}

#[test]
fn nodes_that_share_their_logs_keep_every_promise() {
    let steps = setting("SIM_STEPS").unwrap_or(1_500);
    let seeds: Vec<u64> = match setting("SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..setting("SIM_CLUSTER_SEEDS").unwrap_or(60)).collect(),
    };
    let mut sum = cluster::Outcome::default();
    let mut failed = Vec::new();
    for &seed in &seeds {
        let outcome = cluster::run(seed, steps, None);
        if let Some(fault) = &outcome.fault {
            failed.push(format!("SIM_SEED={seed} SIM_STEPS={steps} repeats this: {fault}"));
        }
        sum.add(&outcome);
    }
    println!("{} seeds of nodes: {sum:?}", seeds.len());
    let shown = failed.get(..5).unwrap_or(&failed);
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), shown.join("\n"));
    if seeds.len() >= 50 {
        assert!(sum.has_everything(), "what is not simulated is not shown: {sum:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_nodes() {
    let [once, again] = [1, 1].map(|seed| cluster::run(seed, 500, None));
    assert_eq!(once.trace, again.trace);
}

#[test]
fn broken_engines_are_found() {
    let only = std::env::var("SIM_FAULT").ok();
    let is_meant =
        |fault: &EngineFault| only.as_ref().is_none_or(|only| format!("{fault:?}") == *only);
    for &fault in EngineFault::ALL.iter().filter(|fault| is_meant(fault)) {
        let (mut broken, mut found) = (0, Vec::new());
        for seed in 0..STORE_FAULT_WORLDS {
            let run = || cluster::run(seed, STORE_FAULT_STEPS, Some(fault));
            let words = match std::panic::catch_unwind(run) {
                Ok(outcome) => {
                    broken += u32::from(outcome.tampered > 0);
                    outcome.fault.filter(|_| outcome.tampered > 0)
                }
                Err(_) => Some("an assertion of the domain's".to_owned()),
            };
            found.extend(words.map(|words| format!("seed {seed}: {words:.160}")));
            if found.len() >= STORE_FAULTS_FOUND_MIN {
                break;
            }
        }
        println!("{fault:?}: {} of {broken} worlds, {:?}", found.len(), found.first());
        assert!(found.len() >= STORE_FAULTS_FOUND_MIN, "{fault:?} is found {found:?}");
    }
}

#[test]
fn accounts_keep_every_promise_whoever_races_and_dies() {
    let steps = setting("SIM_STEPS").unwrap_or(1_000);
    let seeds: Vec<u64> = match setting("SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..setting("SIM_SEEDS").unwrap_or(100)).collect(),
    };
    let mut sum = accounts::Outcome::default();
    for &seed in &seeds {
        let outcome = accounts::run(seed, steps, None);
        let fault = outcome.fault.as_deref();
        assert_eq!(fault, None, "SIM_SEED={seed} SIM_STEPS={steps} repeats this");
        sum.add(&outcome);
    }
    println!("{} seeds of accounts: {sum:?}", seeds.len());
    if seeds.len() >= 50 {
        assert!(sum.has_everything(), "what is not simulated is not shown: {sum:?}");
    }
}

#[test]
fn what_is_broken_of_accounts_is_found() {
    for &fault in AccountFault::ALL {
        let worlds = || (0..STORE_FAULT_WORLDS).map(|seed| accounts::run(seed, 1_500, Some(fault)));
        let found = worlds().filter(|outcome| outcome.broken > 0 && outcome.fault.is_some());
        let found: Vec<_> = found.take(STORE_FAULTS_FOUND_MIN).collect();
        println!("{fault:?}: {:?}", found.first().map(|outcome| &outcome.fault));
        assert_eq!(found.len(), STORE_FAULTS_FOUND_MIN, "{fault:?} is hardly ever found");
    }
}
