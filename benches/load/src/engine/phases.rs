//! The phases of a run, one after the other.

use std::time::Duration;

use super::scenario::{Scenario, Window};
use super::{DESERTED, Engine, NEVER};
use crate::processes::{StartSignal, StartState};
use chinwag::net::{Effect, Effects};
use chinwag::time::Tick;

/// Of silence, until it counts as quiet: presence is told once a second.
const QUIET_US: u64 = 1_500_000;
/// However restless the server is, it goes on after this.
const SETTLE_US_MAX: u64 = 30_000_000;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    Settling {
        since: u64,
    },
    /// Until all processes are to begin.
    Waiting,
    Warming {
        until: u64,
    },
    Measuring {
        until: u64,
    },
    Draining {
        check_at: u64,
    },
    Over,
}

impl<S: Scenario> Engine<S> {
    /// Goes on to the next phase when it is time. Returns when to look again.
    pub(super) fn step(&mut self, now_us: u64, effects: &mut Effects) -> u64 {
        match self.phase {
            Phase::Opening => {
                self.progress.connecting(self.core.ready.into(), self.core.plan.connections.into());
                if !self.core.is_settled() {
                    return self.watch(now_us, effects);
                }
                let mark = self.meter.mark(now_us);
                self.results.opened(self.core.tally.handshakes, &self.first, &mark);
                if let Some(start_signal) = &self.start_signal {
                    start_signal.opened();
                }
                self.progress.say("settling");
                self.phase = Phase::Settling { since: now_us };
                now_us
            }
            Phase::Settling { since } => self.await_quiet(now_us, since, effects),
            Phase::Waiting => match self.start_signal.as_mut().map(StartSignal::poll) {
                Some(StartState::Waiting) => now_us + 1_000,
                Some(StartState::ParentGone) => {
                    self.fail(DESERTED.to_owned(), effects);
                    NEVER
                }
                Some(StartState::Begin) | None => self.warm_up(now_us, effects),
            },
            Phase::Warming { until } if now_us >= until || self.asked_to_stop => {
                self.open_window(now_us);
                let until = now_us + self.core.plan.measured_us;
                self.phase = Phase::Measuring { until };
                if let Err(failure) = self.scenario.on_window(&mut self.core, now_us, effects) {
                    self.fail(failure, effects);
                }
                until
            }
            Phase::Measuring { until } if now_us >= until || self.asked_to_stop => {
                self.close_window(now_us, effects)
            }
            Phase::Warming { until } | Phase::Measuring { until } => until,
            Phase::Draining { check_at } => self.drain(now_us, check_at, effects),
            Phase::Over => NEVER,
        }
    }

    /// Fails a run in which nothing happens any more.
    fn watch(&mut self, now_us: u64, effects: &mut Effects) -> u64 {
        let count =
            self.core.tally.handshakes + u64::from(self.core.ready) + self.core.tally.others;
        if count != self.progress_seen.1 {
            self.progress_seen = (now_us, count);
        } else if now_us - self.progress_seen.0 > self.core.plan.patience_us {
            let (ready, all) = (self.core.ready, self.core.plan.connections);
            let under_way = self.core.under_way();
            self.fail(
                format!("the target does not answer: {ready} of {all} connections are in, {under_way} wait"),
                effects,
            );
        }
        self.progress_seen.0 + self.core.plan.patience_us + 1_000
    }

    fn await_quiet(&mut self, now_us: u64, since: u64, effects: &mut Effects) -> u64 {
        let until = if self.scenario.waits_for_quiet() {
            (self.received_at.max(since) + QUIET_US).min(since + SETTLE_US_MAX)
        } else {
            since + QUIET_US / 5
        };
        if now_us < until {
            return until;
        }
        let mark = self.meter.mark(now_us);
        self.results.held(self.core.ready.into(), &self.first, &mark);
        if let Some(start_signal) = &self.start_signal {
            start_signal.ready();
            self.phase = Phase::Waiting;
            return now_us;
        }
        self.warm_up(now_us, effects)
    }

    fn warm_up(&mut self, now_us: u64, effects: &mut Effects) -> u64 {
        self.scenario.begin(&mut self.core, now_us, effects);
        let until = now_us + self.core.plan.warm_up_us;
        self.phase = Phase::Warming { until };
        until
    }

    fn open_window(&mut self, now_us: u64) {
        self.before = self.meter.mark(now_us);
        self.tally_before = self.core.tally;
        self.spun_before = self.spun_us;
        self.core.window = (now_us, self.core.plan.measured_us);
        for latency in self.core.recent.iter_mut().chain(&mut self.total) {
            latency.clear();
        }
    }

    fn close_window(&mut self, now_us: u64, effects: &mut Effects) -> u64 {
        let after = self.meter.mark(now_us);
        // What is still under way counts for the latencies, too.
        self.add_to_total();
        self.windows.push(Window {
            before: self.before,
            after,
            tally: self.core.tally.since(&self.tally_before),
            latency: self.total.clone(),
            spun_us: self.spun_us - self.spun_before,
        });
        if !self.asked_to_stop && self.scenario.next_window(&mut self.core, effects) {
            let until = now_us + self.core.plan.warm_up_us;
            self.phase = Phase::Warming { until };
            return until;
        }
        self.scenario.stop(&mut self.core, effects);
        self.progress.say("draining");
        self.progress_seen = (now_us, 0);
        self.phase = Phase::Draining { check_at: now_us };
        now_us
    }

    fn drain(&mut self, now_us: u64, check_at: u64, effects: &mut Effects) -> u64 {
        let count = self.core.tally.bytes;
        if count != self.progress_seen.1 {
            self.progress_seen = (now_us, count);
        }
        let given_up = now_us - self.progress_seen.0 > self.core.plan.patience_us;
        if now_us < check_at && !given_up {
            return check_at;
        }
        if !given_up && !self.scenario.is_drained(&self.core) {
            // The look at everybody should cost little beside the work.
            let cost = self.core.clock.micros().saturating_sub(now_us);
            let check_at = now_us + 5_000 + 20 * cost;
            self.phase = Phase::Draining { check_at };
            return check_at;
        }
        self.add_to_total();
        if let Some(window) = self.windows.last_mut() {
            window.latency.clone_from(&self.total);
        }
        self.core.settle_accounts();
        self.end(effects);
        NEVER
    }

    /// Moves the latest latencies to the others.
    fn add_to_total(&mut self) {
        for (total, recent) in self.total.iter_mut().zip(&mut self.core.recent) {
            total.merge(recent);
            recent.clear();
        }
    }

    pub(super) fn sample(&mut self, now_us: u64) {
        let mark = self.meter.glance(now_us);
        let connections = self.core.ready.into();
        let deliveries = self.core.tally.deliveries;
        let sample = self.series.push(mark, connections, deliveries, &self.core.recent[0]);
        self.add_to_total();
        if let Phase::Measuring { until } = self.phase {
            self.progress.running(&sample, Duration::from_micros(until.saturating_sub(now_us)));
        }
        self.sample_at = now_us + self.sample_every;
    }

    /// Says goodbye to everybody and leaves the loop.
    pub(super) fn end(&mut self, effects: &mut Effects) {
        self.phase = Phase::Over;
        self.core.stop_opening();
        for peer in 0..self.core.plan.connections {
            self.core.leave(peer, true, effects);
        }
        let now = Tick::from_millis(self.core.clock.micros() / 1000);
        effects.push(Effect::Exit { deadline: now.after(Duration::from_secs(2)) });
    }
}
