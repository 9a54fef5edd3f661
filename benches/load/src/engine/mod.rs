//! The engine: a handler on the project's own reactor that opens connections, keeps time, verifies
//! what arrives and measures.
//!
//! ```text
//!  opening ──▶ settling ──▶ (waiting) ──▶ warming up ──▶ measuring ──▶ draining ──▶ over
//!                                            ▲               │ (once for each window)
//!                                            └───────────────┘
//! ```
//!
//! It waits only as one of several processes. What is done meanwhile is a [`Scenario`]'s business.

mod chat;
mod core;
mod names;
mod openings;
mod peer;
mod phases;
mod plain;
mod receive;
mod returns;
mod room;
mod scenario;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use self::core::Core;
use self::core::{CoreEvent, Tally};
pub(crate) use self::names::name_of;
pub(crate) use self::peer::Stage;
use self::phases::Phase;
pub(crate) use self::scenario::{Scenario, Window};

use super::latency::Latency;
use super::ledger::Fault;
use super::measure::{Mark, Meter};
use super::processes::{StartSignal, StartState};
use super::progress::Progress;
use super::results::{Counts, Results, Series};
use chinwag::net::{CloseReason, Effect, Effects, Ending, Handler, Input};
use chinwag::time::Tick;
use chinwag::time::clock::Now;

/// Never.
pub(crate) const NEVER: u64 = u64::MAX;
/// Nobody waits for the results.
const DESERTED: &str = "who started this process has ended";

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
    received_at: u64,
    turn_at: u64,
    spun_us: u64,
    spun_before: u64,
    is_spinning: bool,
    sample_at: u64,
    sample_every: u64,
    alarm: Tick,
    asked_to_stop: bool,
    /// Who says when to begin, if this is one of several processes.
    start_signal: Option<StartSignal>,
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
            received_at: 0,
            turn_at: 0,
            spun_us: 0,
            spun_before: 0,
            is_spinning: false,
            sample_at: 0,
            // A short run needs enough samples for a curve, a long one must not have too many.
            sample_every: if whole_us > 30_000_000 { 1_000_000 } else { 250_000 },
            alarm: Tick::MAX,
            asked_to_stop: false,
            start_signal: None,
            core,
        }
    }

    /// Has it wait for a word before it sends anything.
    pub(crate) fn await_signal(&mut self, start_signal: Option<StartSignal>) {
        self.start_signal = start_signal;
    }

    fn begin(&mut self, effects: &mut Effects) {
        self.turn_at = self.core.clock.micros();
        self.sample_at = self.turn_at + self.sample_every;
        self.progress_seen = (self.turn_at, 0);
        self.first = self.meter.mark(self.turn_at);
        self.scenario.start(&mut self.core, effects);
    }

    /// Passes on what has happened.
    fn dispatch(&mut self, now_us: u64, effects: &mut Effects) {
        // A scenario that handles an event may cause further ones.
        while !self.core.events.is_empty() {
            for event in std::mem::take(&mut self.core.events) {
                if self.phase != Phase::Over {
                    self.dispatch_one(event, now_us, effects);
                }
            }
        }
    }

    fn dispatch_one(&mut self, event: CoreEvent, now_us: u64, effects: &mut Effects) {
        let (core, scenario) = (&mut self.core, &mut self.scenario);
        match event {
            CoreEvent::Upgraded(peer) => scenario.on_upgraded(core, peer, effects),
            CoreEvent::Entered(peer) => scenario.on_joined(core, peer, effects),
            CoreEvent::Left(peer) => scenario.on_left(core, peer, effects),
            CoreEvent::Replied(peer, id, answer) => {
                scenario.on_reply(core, (peer, now_us), (id, answer), effects);
            }
            CoreEvent::AskedBack(peer, after_ms) => scenario.on_drain(peer, after_ms),
            CoreEvent::Gone(peer, why) => {
                if !scenario.on_closed(core, peer, &why, effects) {
                    let words = format!("{}: {why}", core.title(peer));
                    core.ledger.add(Fault::Disconnected, 1, words);
                }
            }
            CoreEvent::Unreachable(peer, fault) => {
                if let Err(failure) = scenario.on_unreachable(core, peer, fault, effects) {
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
        // Turns in which nothing came were spent waiting for a moment: no work of the generator's.
        if self.received_at < self.turn_at && self.is_spinning {
            self.spun_us += now_us - self.turn_at;
        }
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
            if self
                .start_signal
                .as_mut()
                .is_some_and(|start_signal| start_signal.poll() == StartState::ParentGone)
            {
                return self.fail(DESERTED.to_owned(), effects);
            }
        }
        self.set_alarm(now_us, due, step.min(self.sample_at), effects);
    }

    /// Has the next turn come in time. What the scenario wants comes to the microsecond: within the
    /// last millisecond the loop does not wait, since the system's waits are no finer.
    fn set_alarm(&mut self, now_us: u64, due: u64, step: u64, effects: &mut Effects) {
        self.is_spinning = due / 1000 <= now_us / 1000;
        let millis = (due / 1000).min(step.div_ceil(1000));
        let alarm = Tick::from_millis(millis);
        if alarm != self.alarm || self.is_spinning {
            self.alarm = alarm;
            effects.push(Effect::Alarm { deadline: alarm });
        }
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
                let now_us = self.core.clock.micros();
                self.received_at = now_us;
                let Some(peer) = self.core.find(conn) else { return };
                let own = self.core.receive(peer, bytes, now_us, effects);
                if self.core.peers[peer as usize].is_slow() {
                    self.scenario.on_message(&mut self.core, (peer, now_us), bytes.len(), effects);
                }
                if own > 0 {
                    self.scenario.on_own_messages(&mut self.core, (peer, now_us), own, effects);
                }
                if !self.core.events.is_empty() {
                    self.dispatch(now_us, effects);
                }
            }
            Input::TurnEnd => {
                self.core.tick(now.tick);
                self.turn(self.core.clock.micros(), effects);
            }
            Input::Connected { conn, tag } => {
                self.received_at = self.turn_at;
                let peer = u32::try_from(tag).unwrap_or(u32::MAX);
                self.core.on_connected(conn, peer, effects);
                self.dispatch(self.turn_at, effects);
            }
            Input::Unreachable { tag, fault } => {
                let peer = u32::try_from(tag).unwrap_or(u32::MAX);
                self.core.on_unreachable(peer, fault, effects);
                self.dispatch(self.turn_at, effects);
            }
            // Nothing of ours is left to say to a server that has closed its side.
            Input::Finished { conn } => {
                let (reason, ending) = (CloseReason::PeerGone, Ending::Flush);
                effects.push(Effect::Close { conn, reason, ending });
            }
            Input::Closed { conn, reason } => {
                if let Some(peer) = self.core.find(conn) {
                    self.core.on_closed(peer, reason, effects);
                    self.dispatch(self.turn_at, effects);
                }
            }
            // The first interrupt lets the run drain and report; the second ends it at once.
            Input::Stop(_) if self.asked_to_stop => self.end(effects),
            Input::Stop(_) => self.asked_to_stop = true,
            Input::Opened { .. }
            | Input::AddressFound { .. }
            | Input::AddressFull { .. }
            | Input::Blocked { .. }
            | Input::Waiting { .. }
            | Input::Drained { .. }
            | Input::Expired { .. }
            | Input::StoreReady
            | Input::Reload
            | Input::Upgrade
            | Input::Alarm => {}
        }
    }
}
