//! One run by several processes, where one has too few descriptors, or too little of a core.
//!
//! Each does its share with connections and rooms of its own, and verifies all of that; this
//! process starts them, has them begin together, and measures the server.
//!
//! ```text
//! this process          each of the others (chinwag-bench --share K/N …)
//!     start ──────────────▶ connects
//!      mark ◀───"opened"─── becomes quiet
//!      mark ◀───"ready"──── waits
//!            ────"go"─────▶ sends, warms up
//!      mark                 measures
//!      mark                 drains
//!   adds up ◀───results──── ends
//! ```
//!
//! A process whose standard input ends has nobody left to work for, and ends too.

mod merge;
mod split;
mod start_signal;
mod worker_pool;

use std::ffi::OsString;
use std::time::Duration;

use merge::Marks;
use worker_pool::{Step, WorkerPool};

pub(crate) use split::{check, processes, take};
pub(crate) use start_signal::{StartSignal, StartState};

use super::choices::Kind;
use super::failure::Failure;
use super::latency::Latency;
use super::measure::Meter;
use super::progress::Progress;
use super::results::{Results, Series};
use chinwag::time::clock::Clock;

/// Never.
const NEVER: u64 = u64::MAX;
/// How often the server is looked at.
const SAMPLE_EVERY_US: u64 = 500_000;

/// What several processes are to do.
#[derive(Debug)]
pub(crate) struct Job {
    /// The words after `chinwag-bench`, which name the target.
    pub(crate) words: Vec<OsString>,
    pub(crate) count: u32,
    pub(crate) kind: Kind,
    pub(crate) warm_up_us: u64,
    pub(crate) measured_us: u64,
}

/// Has the job done, and adds to `results` what came of it.
pub(crate) fn run(
    job: &Job,
    clock: Clock,
    (meter, progress): (Meter, Progress),
    mut results: Results,
) -> Result<Results, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("cannot start it anew: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let first = meter.mark(clock.micros());
    let mut pool = WorkerPool::start(&program, &job.words, job.count).map_err(failed)?;
    let sample_at = first.at_us + SAMPLE_EVERY_US;
    let mut coordinator =
        Coordinator { clock, meter, progress, series: Series::new(first), sample_at };
    let mut marks = Marks { first, ..Marks::default() };
    results.generator.processes = job.count.into();
    let outcome = coordinator.run(job, &mut pool, &mut marks);
    coordinator.progress.clear();
    let parts = pool.into_results();
    merge::add_failures(&mut results, &parts);
    match outcome {
        Ok(true) => {
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            merge::add_up(&mut results, &marks, &parts, job.kind == Kind::Handshake);
            let series: Vec<_> = parts.iter().map(|part| &*part.series).collect();
            results.series = merge::add_series(coordinator.series.into_samples(), &series);
        }
        Ok(false) => results.fail("nothing was measured"),
        Err(failure) => results.fail(failure),
    }
    Ok(results)
}

/// Leads the processes through the run and measures the server meanwhile.
struct Coordinator {
    clock: Clock,
    meter: Meter,
    progress: Progress,
    series: Series,
    sample_at: u64,
}

impl Coordinator {
    /// Leads the processes through the run, and says whether they came as far as to measure. `Err`
    /// says which of them ended too early.
    fn run(&mut self, job: &Job, pool: &mut WorkerPool, marks: &mut Marks) -> Result<bool, String> {
        let say = |what: &str| format!("{} processes: {what}", job.count);
        self.progress.say(&say("connecting"));
        self.wait(pool, NEVER, |pool| pool.has_reached(Step::Opened) || pool.has_one_through())?;
        marks.opened = self.meter.mark(self.clock.micros());
        self.progress.say(&say("settling"));
        self.wait(pool, NEVER, |pool| pool.has_reached(Step::Ready) || pool.has_one_through())?;
        if pool.has_one_through() {
            return Ok(false);
        }
        marks.held = self.meter.mark(self.clock.micros());
        self.progress.say(&say("measuring"));
        pool.begin();
        let begin = self.clock.micros() + job.warm_up_us;
        self.wait(pool, begin, |pool| pool.has_reached(Step::Done))?;
        marks.before = self.meter.mark(self.clock.micros());
        let end = marks.before.at_us + job.measured_us;
        self.wait(pool, end, |pool| pool.has_reached(Step::Done))?;
        marks.after = self.meter.mark(self.clock.micros());
        self.progress.say(&say("draining"));
        self.wait(pool, NEVER, |pool| pool.has_reached(Step::Done))?;
        Ok(true)
    }

    /// Waits until it `is_done`, or until a moment on the clock.
    fn wait(
        &mut self,
        pool: &mut WorkerPool,
        until_us: u64,
        is_done: impl Fn(&WorkerPool) -> bool,
    ) -> Result<(), String> {
        loop {
            if let Some(failure) = pool.failure() {
                return Err(failure);
            }
            let now_us = self.clock.micros();
            if is_done(pool) || now_us >= until_us {
                return Ok(());
            }
            if now_us >= self.sample_at {
                let mark = self.meter.glance(now_us);
                self.series.push(mark, 0, 0, &Latency::new());
                self.sample_at = now_us + SAMPLE_EVERY_US;
            }
            let left = until_us.min(self.sample_at).saturating_sub(now_us);
            pool.poll(Duration::from_micros(left));
        }
    }
}
