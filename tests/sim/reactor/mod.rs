//! A reactor without sockets: obeys the contract of `chinwag::net` and the order of the real one's
//! turn, on [`Link`]s and a clock that the world moves.

mod conn;
mod turn;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chinwag::net::{
    CloseReason, ConnId, Effect, Effects, Ending, Handler, Input, Pause, StopSignal,
};
use chinwag::reactor::ReactorConfig;
use chinwag::rng::Rng;
use chinwag::time::Tick;
use chinwag::time::clock::Now;

use self::conn::{Conn, Phase};
use crate::link::Link;
use crate::store::CrashPlan;

/// What tells a reactor whether its handler's store has answers.
pub(crate) trait Answers: std::fmt::Debug {
    fn has_replies(&self) -> bool;
}

/// What the configuration of the real reactor says.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) outbound_max: usize,
    /// Whether the handler is told how much waits for all connections.
    pub(crate) tells_waiting: bool,
    pub(crate) stall: Duration,
    pub(crate) close: Duration,
    /// A broadcast to at least this many is flushed in portions.
    pub(crate) bulk_min: usize,
    /// The portion.
    pub(crate) bulk_per_turn: usize,
}

/// What the next turn reports of the last flush.
#[derive(Clone, Copy, Debug)]
enum Report {
    Blocked(ConnId),
    Drained(ConnId),
}

/// A connection that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    pub(crate) link: usize,
    pub(crate) reason: CloseReason,
}

#[derive(Debug)]
pub(crate) struct Reactor {
    config: Config,
    rng: Rng,
    crash_plan: CrashPlan,
    /// The store whose answers are told.
    disk: Option<Box<dyn Answers>>,
    slots: Vec<Option<Conn>>,
    generation: u64,
    /// Links that ask to be accepted.
    waiting: VecDeque<usize>,
    reports: Vec<Report>,
    bulk: VecDeque<usize>,
    effects: Effects,
    stop: Option<StopSignal>,
    alarm: Tick,
    exit_at: Option<Tick>,
    accepting: bool,
    /// Nothing is accepted or read, and no connection's deadline is told.
    pub(crate) frozen: bool,
    /// Those that ended in this turn.
    pub(crate) gone: Vec<Gone>,
    /// The most bytes that ever waited for one connection.
    pub(crate) queued_peak: usize,
    /// How many times a flush left bytes behind.
    pub(crate) blocks: u64,
    /// It has left the loop.
    pub(crate) exited: bool,
}

impl Reactor {
    pub(crate) const fn new(
        config: Config,
        rng: Rng,
        crash_plan: CrashPlan,
        disk: Option<Box<dyn Answers>>,
    ) -> Self {
        Self {
            config,
            rng,
            crash_plan,
            disk,
            slots: Vec::new(),
            generation: 0,
            waiting: VecDeque::new(),
            reports: Vec::new(),
            bulk: VecDeque::new(),
            effects: Effects::new(),
            stop: None,
            alarm: Tick::MAX,
            exit_at: None,
            accepting: true,
            frozen: false,
            gone: Vec::new(),
            queued_peak: 0,
            blocks: 0,
            exited: false,
        }
    }

    /// The process is dead: nobody listens.
    pub(crate) fn die(&mut self) {
        self.accepting = false;
        self.waiting.clear();
    }

    /// A client connects. `false` if nobody listens any more.
    pub(crate) fn connect(&mut self, link: usize) -> bool {
        if self.accepting {
            self.waiting.push_back(link);
        }
        self.accepting
    }

    /// The process is asked to stop.
    pub(crate) const fn stop(&mut self, signal: StopSignal) {
        self.stop = Some(signal);
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// The next moment at which something is due.
    pub(crate) fn next_deadline(&self) -> Tick {
        let due = self.slots.iter().flatten().map(|conn| conn.deadline.min(conn.stall_at));
        due.min().unwrap_or(Tick::MAX).min(self.alarm).min(self.exit_at.unwrap_or(Tick::MAX))
    }

    /// The connections that another process goes on with, and how much waits for each.
    pub(crate) fn carried(&self) -> Vec<(ConnId, usize)> {
        let there = self.slots.iter().flatten();
        let there = there.filter(|conn| !matches!(conn.phase, Phase::Ended(_)));
        there.map(|conn| (conn.id, conn.queued)).collect()
    }

    /// Another process goes on with the connections, and has asked for this.
    pub(crate) fn go_on(&mut self, now: Now, effects: Effects) {
        // What was to be told was for the other one; who has drained is told again.
        for report in std::mem::take(&mut self.reports) {
            if let Report::Drained(conn) = report {
                self.apply(now.tick, Effect::Wake { conn });
            }
        }
        self.alarm = now.tick;
        for conn in self.slots.iter_mut().flatten().filter(|conn| conn.queued > 0) {
            (conn.wake, conn.urgent) = (true, true);
        }
        for effect in effects {
            self.apply(now.tick, effect);
        }
    }

    /// The process that had this connection takes it along when it ends: its link.
    pub(crate) fn forget(&mut self, id: ConnId) -> Option<usize> {
        let slot = self.slots.get_mut(id.slot())?;
        slot.take_if(|conn| conn.id == id).map(|conn| conn.link)
    }

    fn open(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self.slots.get_mut(id.slot())?.as_mut()?;
        (conn.id == id && conn.phase == Phase::Open).then_some(conn)
    }

    fn insert(&mut self, link: usize) -> ConnId {
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        self.generation += 1;
        let id = ConnId::new(slot, self.generation).expect("a simulation has few connections");
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(Conn::new(id, link, self.config.outbound_max));
        id
    }

    fn tell(&mut self, now: Now, input: Input<'_>, handler: &mut impl Handler) {
        if !self.crash_plan.cross() {
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        handler.handle(now, input, &mut effects);
        for effect in effects.drain(..) {
            // A process that crashed in the middle of this turn has no effects.
            if !self.crash_plan.is_dead() {
                self.apply(now.tick, effect);
            }
        }
        self.effects = effects;
    }

    fn apply(&mut self, now: Tick, effect: Effect) {
        match effect {
            Effect::Connect(connect) => unreachable!("a server connects to nobody: {connect:?}"),
            Effect::Send { conn, frame } => self.push(conn, frame, false),
            Effect::Broadcast { to, frame } => {
                let bulk = to.len() >= self.config.bulk_min;
                for conn in to {
                    self.push(conn, frame.clone(), bulk);
                }
            }
            Effect::Arm { conn, deadline } => {
                self.open(conn).into_iter().for_each(|conn| conn.deadline = deadline);
            }
            Effect::Wake { conn } => {
                if let Some(conn) = self.open(conn) {
                    conn.wake = true;
                    conn.urgent = true;
                }
            }
            Effect::Pause { conn, pause } => {
                if let Some(conn) = self.open(conn) {
                    conn.paused = true;
                    conn.paced = pause == Pause::Rate;
                }
            }
            Effect::Resume { conn } => {
                if let Some(conn) = self.open(conn) {
                    conn.paused = false;
                    conn.paced = false;
                }
            }
            Effect::OutboundMax { conn, bytes_max } => {
                self.open(conn).into_iter().for_each(|conn| conn.queued_max = bytes_max);
            }
            Effect::Close { conn, reason, ending } => self.close(now, conn, reason, ending),
            Effect::Alarm { deadline } => self.alarm = deadline,
            Effect::FindByAddress { .. }
            | Effect::Client { .. }
            | Effect::Settled { .. }
            | Effect::Bar { .. }
            | Effect::Freeze
            | Effect::Thaw
            | Effect::Yield => {}
            Effect::StopAccepting => {
                self.accepting = false;
                // When a listener is closed, the kernel resets the connections that wait in its
                // backlog.
                self.waiting.clear();
            }
            Effect::Exit { deadline } => self.exit_at = Some(deadline),
        }
    }

    fn push(&mut self, id: ConnId, frame: chinwag::net::SharedFrame, bulk: bool) {
        let unflushed_max = ReactorConfig::unflushed_max(self.config.outbound_max);
        let Some(conn) = self.open(id) else { return };
        if !conn.push(frame) {
            end(conn, CloseReason::Overloaded, true);
            return;
        }
        let queued = conn.queued;
        let is_much = queued > unflushed_max && !conn.blocked;
        conn.owes_drained |= bulk && is_much;
        if bulk && !conn.urgent && !conn.bulk {
            conn.bulk = true;
            self.bulk.push_back(id.slot());
        } else if !bulk {
            conn.urgent = true;
        }
        if bulk && is_much {
            self.reports.push(Report::Blocked(id));
        }
        self.queued_peak = self.queued_peak.max(queued);
    }

    fn close(&mut self, now: Tick, id: ConnId, reason: CloseReason, ending: Ending) {
        let close = self.config.close;
        let Some(conn) = self.open(id) else { return };
        conn.phase = match ending {
            Ending::Abort => return end(conn, reason, true),
            Ending::Flush if conn.queued == 0 => return end(conn, reason, false),
            Ending::Flush => Phase::Flushing(reason),
            Ending::Linger => Phase::Lingering(reason),
        };
        conn.deadline = now.after(close);
        conn.stall_at = Tick::MAX;
        conn.urgent = true;
    }
}

/// Ends a connection at the end of the turn; one that is closing keeps its reason.
fn end(conn: &mut Conn, reason: CloseReason, reset: bool) {
    let reason = match conn.phase {
        Phase::Ended(_) => return,
        Phase::Open => reason,
        Phase::Flushing(first) | Phase::Lingering(first) | Phase::Discarding(first) => first,
    };
    conn.phase = Phase::Ended(reason);
    conn.reset |= reset;
}

/// The client's side of a connection that has ended.
fn hang_up(link: &mut Link, conn: &Conn) {
    if conn.reset {
        link.down.clear();
        link.down_reset = true;
    }
    link.down_fin = true;
}

/// All clients connect from this machine.
fn peer(link: usize) -> SocketAddr {
    let port = u16::try_from(link % 60_000).unwrap_or(0);
    SocketAddr::from((Ipv4Addr::LOCALHOST, port + 1))
}
