//! The engine: a handler on the project's own reactor that opens connections, keeps time, verifies what
//! arrives and measures.
//!
//! ```text
//!  opening ──▶ settling ──▶ warming up ──▶ measuring ──▶ draining ──▶ over
//!                              ▲               │ (once for each window)
//!                              └───────────────┘
//! ```
//!
//! What is done meanwhile is a [`Scenario`]'s business.

mod chat;
mod core;
mod peer;
mod plain;
mod receive;
mod returns;
mod room;
#[cfg(test)]
mod tests;
mod verify;

use std::time::Duration;

pub(crate) use self::core::{Core, Happening, Tally, name_of};
pub(crate) use self::peer::Stage;

use super::latency::Latency;
use super::ledger::Fault;
use super::measure::{Mark, Meter};
use super::progress::Progress;
use super::results::{Counts, Results, Series};
use crate::net::{CloseReason, ConnectFault, Effect, Effects, Ending, Handler, Input};
use crate::time::Tick;
use crate::time::clock::Now;

/// Of silence, until it counts as quiet: presence is told once a second.
const QUIET_US: u64 = 1_500_000;
/// However restless the server is, it goes on after this.
const SETTLE_US_MAX: u64 = 30_000_000;
/// Never.
pub(crate) const NEVER: u64 = u64::MAX;

/// What a run does with its connections.
pub(crate) trait Scenario {
    /// The run begins: mostly, everybody is to come in.
    fn start(&mut self, core: &mut Core, effects: &mut Effects) {
        core.open(0..core.plan.connections, effects);
    }

    /// A connection is there and upgraded.
    fn upgraded(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
        core.enter(peer, effects);
    }

    /// A connection is in its room.
    fn entered(&mut self, _core: &mut Core, _peer: u32, _effects: &mut Effects) {}

    /// Everybody is in, and it has become quiet.
    fn begin(&mut self, _core: &mut Core, _now_us: u64, _effects: &mut Effects) {}

    /// So many of a connection's own messages have come back, or were answered.
    fn returned(&mut self, _core: &mut Core, _at: (u32, u64), _count: u64, _effects: &mut Effects) {
    }

    /// A request of the scenario's own was answered.
    fn replied(
        &mut self,
        core: &mut Core,
        (peer, _now_us): (u32, u64),
        (_id, answer): (u64, Result<String, String>),
        _effects: &mut Effects,
    ) {
        if let Err(text) = answer {
            core.note_unexpected(peer, &text);
        }
    }

    /// A connection that we ended has ended.
    fn left(&mut self, _core: &mut Core, _peer: u32, _effects: &mut Effects) {}

    /// The server has ended a connection. Whether that was to be expected.
    fn gone(&mut self, _core: &mut Core, _peer: u32, _why: &str, _effects: &mut Effects) -> bool {
        false
    }

    /// The server asks a connection to come back after so many milliseconds.
    fn asked_back(&mut self, _peer: u32, _after_ms: u64) {}

    /// A slow reader has received so many bytes.
    fn heard(&mut self, _core: &mut Core, _at: (u32, u64), _len: usize, _effects: &mut Effects) {}

    /// What is measured begins now.
    fn measuring(
        &mut self,
        _core: &mut Core,
        _now_us: u64,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        Ok(())
    }

    /// A connection cannot be made. `Err` ends the run.
    fn unreachable(
        &mut self,
        _core: &mut Core,
        _peer: u32,
        fault: ConnectFault,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        Err(format!("cannot connect: {fault}"))
    }

    /// A turn ends; returns when it wants to be asked again at the latest, in µs.
    fn turn(
        &mut self,
        _core: &mut Core,
        _now_us: u64,
        _effects: &mut Effects,
    ) -> Result<u64, String> {
        Ok(NEVER)
    }

    /// Whether another window is to be measured after this one; whatever is different in it begins now.
    fn next_window(&mut self, _core: &mut Core, _effects: &mut Effects) -> bool {
        false
    }

    /// Nothing more is to be sent.
    fn stop(&mut self, _core: &mut Core, _effects: &mut Effects) {}

    /// Whether all that is under way has arrived.
    fn is_drained(&self, core: &Core) -> bool {
        core.has_all()
    }

    /// Whether the server must have become quiet before it begins.
    fn waits_for_quiet(&self) -> bool {
        false
    }

    /// Adds what only this scenario knows.
    fn finish(&mut self, _core: &mut Core, _windows: &[Window], _results: &mut Results) {}

    /// The process of the server, if it has become another one.
    fn new_meter(&mut self) -> Option<Meter> {
        None
    }
}

/// What was measured in one window.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) before: Mark,
    pub(crate) after: Mark,
    pub(crate) tally: Tally,
    /// By class of room.
    pub(crate) latency: [Latency; 2],
    /// Time that the generator has only waited in, though busily.
    pub(crate) spun_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Settling { since: u64 },
    Warming { until: u64 },
    Measuring { until: u64 },
    Draining { check_at: u64 },
    Over,
}

/// A run under way.
pub(crate) struct Engine<S> {
    pub(crate) core: Core,
    pub(crate) scenario: S,
    meter: Meter,
    progress: Progress,
    series: Series,
    pub(crate) results: Results,
    /// Why it could not be done.
    pub(crate) failure: Option<String>,
    windows: Vec<Window>,
    total: [Latency; 2],
    phase: Phase,
    first: Mark,
    before: Mark,
    tally_before: Tally,
    /// Since when, and at which count, nothing has happened.
    progress_seen: (u64, u64),
    heard_at: u64,
    turn_at: u64,
    spun_us: u64,
    spun_before: u64,
    is_spinning: bool,
    was_told: bool,
    sample_at: u64,
    sample_every: u64,
    alarm: Tick,
    asked_to_stop: bool,
}

impl<S: Scenario> Engine<S> {
    pub(crate) fn new(
        core: Core,
        scenario: S,
        (meter, progress): (Meter, Progress),
        results: Results,
    ) -> Self {
        let first = meter.mark(core.clock.micros());
        let whole_us = core.plan.warm_up_us + core.plan.measured_us;
        Self {
            series: Series::new(first),
            scenario,
            meter,
            progress,
            results,
            failure: None,
            windows: Vec::new(),
            total: [Latency::new(), Latency::new()],
            phase: Phase::Opening,
            first,
            before: first,
            tally_before: Tally::default(),
            progress_seen: (0, 0),
            heard_at: 0,
            turn_at: 0,
            spun_us: 0,
            spun_before: 0,
            is_spinning: false,
            was_told: false,
            sample_at: 0,
            sample_every: if whole_us > 30_000_000 { 1_000_000 } else { 250_000 },
            alarm: Tick::MAX,
            asked_to_stop: false,
            core,
        }
    }

    fn begin(&mut self, effects: &mut Effects) {
        self.turn_at = self.core.clock.micros();
        self.sample_at = self.turn_at + self.sample_every;
        self.progress_seen = (self.turn_at, 0);
        self.first = self.meter.mark(self.turn_at);
        self.scenario.start(&mut self.core, effects);
    }

    /// Passes on what has happened.
    fn tell(&mut self, now_us: u64, effects: &mut Effects) {
        while !self.core.happenings.is_empty() {
            for happening in std::mem::take(&mut self.core.happenings) {
                if self.phase != Phase::Over {
                    self.tell_one(happening, now_us, effects);
                }
            }
        }
    }

    fn tell_one(&mut self, happening: Happening, now_us: u64, effects: &mut Effects) {
        let (core, scenario) = (&mut self.core, &mut self.scenario);
        match happening {
            Happening::Upgraded(peer) => scenario.upgraded(core, peer, effects),
            Happening::Entered(peer) => scenario.entered(core, peer, effects),
            Happening::Left(peer) => scenario.left(core, peer, effects),
            Happening::Replied(peer, id, answer) => {
                scenario.replied(core, (peer, now_us), (id, answer), effects);
            }
            Happening::AskedBack(peer, after_ms) => scenario.asked_back(peer, after_ms),
            Happening::Gone(peer, why) => {
                if !scenario.gone(core, peer, &why, effects) {
                    let words = format!("{}: {why}", core.title(peer));
                    core.ledger.add(Fault::Disconnected, 1, words);
                }
            }
            Happening::Unreachable(peer, fault) => {
                if let Err(failure) = scenario.unreachable(core, peer, fault, effects) {
                    self.fail(failure, effects);
                }
            }
        }
    }

    fn fail(&mut self, failure: String, effects: &mut Effects) {
        self.failure.get_or_insert(failure);
        self.end(effects);
    }

    /// What the end of a turn brings.
    fn turn(&mut self, now_us: u64, effects: &mut Effects) {
        if self.was_told {
            self.heard_at = now_us;
        } else if self.is_spinning {
            self.spun_us += now_us - self.turn_at;
        }
        self.was_told = false;
        self.turn_at = now_us;
        if self.phase == Phase::Over {
            return;
        }
        let due = match self.scenario.turn(&mut self.core, now_us, effects) {
            Ok(due) => due,
            Err(failure) => return self.fail(failure, effects),
        };
        if let Some(meter) = self.scenario.new_meter() {
            self.meter = meter;
        }
        let step = self.step(now_us, effects);
        if now_us >= self.sample_at {
            self.sample(now_us);
        }
        self.set_alarm(now_us, due, step.min(self.sample_at), effects);
    }

    /// Has the next turn come in time. What the scenario wants comes to the microsecond: within the last
    /// millisecond the loop does not wait, since the system's waits are no finer.
    fn set_alarm(&mut self, now_us: u64, due: u64, step: u64, effects: &mut Effects) {
        self.is_spinning = due / 1000 <= now_us / 1000;
        let millis = (due / 1000).min(step.div_ceil(1000));
        let alarm = Tick::from_millis(millis);
        if alarm != self.alarm || self.is_spinning {
            self.alarm = alarm;
            effects.push(Effect::Alarm { deadline: alarm });
        }
    }

    /// Goes on to the next phase when it is time. Returns when to look again.
    fn step(&mut self, now_us: u64, effects: &mut Effects) -> u64 {
        match self.phase {
            Phase::Opening => {
                self.progress.connecting(self.core.ready.into(), self.core.plan.connections.into());
                if !self.core.is_settled() {
                    return self.watch(now_us, effects);
                }
                let mark = self.meter.mark(now_us);
                self.results.opened(self.core.tally.handshakes, &self.first, &mark);
                self.progress.say("settling");
                self.phase = Phase::Settling { since: now_us };
                now_us
            }
            Phase::Settling { since } => self.settle(now_us, since, effects),
            Phase::Warming { until } if now_us >= until || self.asked_to_stop => {
                self.open_window(now_us);
                let until = now_us + self.core.plan.measured_us;
                self.phase = Phase::Measuring { until };
                if let Err(failure) = self.scenario.measuring(&mut self.core, now_us, effects) {
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

    fn settle(&mut self, now_us: u64, since: u64, effects: &mut Effects) -> u64 {
        let until = if self.scenario.waits_for_quiet() {
            (self.heard_at.max(since) + QUIET_US).min(since + SETTLE_US_MAX)
        } else {
            since + QUIET_US / 5
        };
        if now_us < until {
            return until;
        }
        let mark = self.meter.mark(now_us);
        self.results.held(self.core.ready.into(), &self.first, &mark);
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
        self.gather();
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
        self.gather();
        if let Some(window) = self.windows.last_mut() {
            window.latency.clone_from(&self.total);
        }
        self.core.settle_accounts();
        self.end(effects);
        NEVER
    }

    /// Moves the latest latencies to the others.
    fn gather(&mut self) {
        for (total, recent) in self.total.iter_mut().zip(&mut self.core.recent) {
            total.merge(recent);
            recent.clear();
        }
    }

    fn sample(&mut self, now_us: u64) {
        let mark = self.meter.glance(now_us);
        let connections = self.core.ready.into();
        let deliveries = self.core.tally.deliveries;
        let sample = self.series.push(mark, connections, deliveries, &self.core.recent[0]);
        self.gather();
        if let Phase::Measuring { until } = self.phase {
            self.progress.running(&sample, Duration::from_micros(until.saturating_sub(now_us)));
        }
        self.sample_at = now_us + self.sample_every;
    }

    /// Says goodbye to everybody and leaves the loop.
    fn end(&mut self, effects: &mut Effects) {
        self.phase = Phase::Over;
        self.core.stop_opening();
        for peer in 0..self.core.plan.connections {
            self.core.leave(peer, true, effects);
        }
        let now = Tick::from_millis(self.core.clock.micros() / 1000);
        effects.push(Effect::Exit { deadline: now.after(Duration::from_secs(2)) });
    }

    /// What came of it.
    pub(crate) fn into_results(mut self) -> Results {
        self.progress.clear();
        let mut results = self.results;
        if let Some(window) = self.windows.last() {
            let own = window.after.generator.cpu_us.saturating_sub(window.before.generator.cpu_us);
            let counts = Counts {
                connections: self.core.ready.into(),
                handshakes: window.tally.handshakes,
                deliveries: window.tally.deliveries,
                sends: window.tally.sends,
                cpu_us: own.saturating_sub(window.spun_us),
                latency: window.latency[0].clone(),
                faults: self.core.ledger.faults,
            };
            results.measured(&counts, &window.before, &window.after);
        }
        self.scenario.finish(&mut self.core, &self.windows, &mut results);
        results.series = self.series.into_samples();
        for named in &self.core.ledger.named {
            results.fail(named.clone());
        }
        if let Some(failure) = self.failure {
            results.fail(failure);
        }
        results
    }
}

impl<S: Scenario> Handler for Engine<S> {
    fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        if self.turn_at == 0 {
            self.core.tick(now.tick);
            self.begin(effects);
        }
        match input {
            Input::Received { conn, bytes } => {
                self.was_told = true;
                let Some(peer) = self.core.find(conn) else { return };
                let now_us = self.core.clock.micros();
                let own = self.core.receive(peer, bytes, now_us, effects);
                if self.core.peers[peer as usize].is_slow() {
                    self.scenario.heard(&mut self.core, (peer, now_us), bytes.len(), effects);
                }
                if own > 0 {
                    self.scenario.returned(&mut self.core, (peer, now_us), own, effects);
                }
                if !self.core.happenings.is_empty() {
                    self.tell(now_us, effects);
                }
            }
            Input::TurnEnd => {
                self.core.tick(now.tick);
                self.turn(self.core.clock.micros(), effects);
            }
            Input::Connected { conn, tag } => {
                self.was_told = true;
                let peer = u32::try_from(tag).unwrap_or(u32::MAX);
                self.core.connected(conn, peer, effects);
                self.tell(self.turn_at, effects);
            }
            Input::Unreachable { tag, fault } => {
                let peer = u32::try_from(tag).unwrap_or(u32::MAX);
                self.core.unreachable(peer, fault, effects);
                self.tell(self.turn_at, effects);
            }
            Input::Finished { conn } => {
                let (reason, ending) = (CloseReason::PeerGone, Ending::Flush);
                effects.push(Effect::Close { conn, reason, ending });
            }
            Input::Closed { conn, reason } => {
                if let Some(peer) = self.core.find(conn) {
                    self.core.closed(peer, reason, effects);
                    self.tell(self.turn_at, effects);
                }
            }
            Input::Stop(_) if self.asked_to_stop => self.end(effects),
            Input::Stop(_) => self.asked_to_stop = true,
            Input::Opened { .. }
            | Input::Blocked { .. }
            | Input::Drained { .. }
            | Input::Expired { .. }
            | Input::Alarm => {}
        }
    }
}
