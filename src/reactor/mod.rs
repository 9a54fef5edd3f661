//! The loop: readiness in, bytes out, on one thread.
//!
//! ```text
//! wait    poll(epoll, until the next deadline, rounded up to a millisecond)
//! connect the outcomes of connections that this end began, if it is a client's
//! accept  until none is waiting, the turn's budget or the limit; without descriptors it backs off
//! read    each ready connection into one shared scratch buffer, at most its turn's budget
//! expire  the wheel's due timers
//! report  what the last flush left behind, and that the store has answers
//! handle  after each of these: handler.handle(now, input, effects), then the effects are applied
//! flush   each dirty connection once: what this turn produced, in one call
//! close   those that have ended, at this one safe point
//! ```
//!
//! # The rules of edge-triggered polling
//!
//! An edge is told once. Code that does not use it up must remember it:
//! 1. a read that leaves something behind keeps [`Flags::READABLE`](connection::Flags::READABLE)
//!    and puts the connection on the ready list; so does one that stops at a FIN that was announced
//!    with the bytes;
//! 2. a read that fills less than the buffer has used the edge up, without asking for `WouldBlock`;
//! 3. a paused connection remembers its edge until it is resumed; one that is paused at the rate is
//!    read on once its FIN is announced;
//! 4. a write that is taken only in part has made the kernel promise a writable edge, and no other
//!    write is tried before it;
//! 5. an accept that stops early keeps its listener ready; one that fails for want of descriptors
//!    is tried again by timer;
//! 6. while any list is not empty, the next wait does not wait.
//!
//! # Fairness
//!
//! A turn accepts, and reads from one connection and in all, as much as the configuration says,
//! offers at most 256 KiB to one socket, and flushes what was sent to single connections before the
//! next portion of what was sent to many. While portions wait it reads less from each connection.
//! Each step is bounded ([`budget`]), so that a turn is short under any load; what is left over
//! gathers meanwhile, and leaves in fewer and larger writes.

mod acceptor;
mod address_limits;
mod arriving;
mod backoff;
mod budget;
mod config;
mod connect;
mod connection;
mod connections;
pub mod descriptors;
mod expire;
mod flush;
mod handover;
mod listener;
mod outbound;
mod proxy_header;
mod read;
mod receive;
mod sealed;
mod shared;
mod slow_turn;
mod source;
mod step;
mod stop;
#[cfg(test)]
mod tests;
mod tls;
mod unix_socket;
mod wait;
mod waker;
mod work_lists;

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use mio::{Events, Poll};

use self::acceptor::{Acceptor, Arrival};
pub use self::config::{Endpoint, Excess, ListenerConfig, ReactorConfig, TlsListener};
use self::connections::Connections;
pub use self::handover::Carried;
use self::slow_turn::{SlowTurns, Work};
use self::source::Source;
use self::stop::StopSignals;
pub use self::stop::{EarlySignals, blocked as blocked_signals};
use self::wait::EVENTS_MAX;
pub use self::waker::Waker;
use self::work_lists::{Attempt, Report};
use crate::metrics::{CLOSE_REASONS_MAX, ReactorMetrics};
use crate::net::{CloseReason, ConnId, Effect, Effects, Handler, Input, ListenerId};
use crate::time::Tick;
use crate::time::clock::{Clock, Now};

const _: () = assert!(CloseReason::ALL.len() <= CLOSE_REASONS_MAX, "a reason without a counter");

/// How much of a turn is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// All of it.
    Turning,
    /// Nothing is accepted or read, and no connection's deadline is told.
    Frozen,
    /// The same, and the loop is left at the end of the turn, to be gone on with.
    Yielding,
}

/// Why the loop was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// [`Effect::Exit`] is fulfilled.
    Exited,
    /// [`Effect::Yield`] was asked for.
    Yielded,
}

/// Sockets, deadlines and waiting frames, and the loop that drives them. See the [module](self).
pub struct Reactor {
    poll: Poll,
    events: Events,
    /// Whether the last wait filled `events`, so that the kernel may hold more edges.
    is_flooded: bool,
    scratch: Box<[u8]>,
    acceptor: Acceptor,
    connections: Connections,
    signals: Option<StopSignals>,
    waker: Waker,
    /// Another thread has woken the loop, and the handler is not told yet.
    is_woken: bool,
    effects: Effects,
    expired: Vec<ConnId>,
    /// The handler's alarm.
    alarm: Tick,
    /// Since when deadlines have been held up, [`Tick::MAX`] if they are not.
    held_since: Tick,
    /// What the handler was last told to wait for all connections; `None` if there is no bound, so
    /// that it is not told.
    waiting_told: Option<u64>,
    /// When to leave the loop at the latest, if at all.
    exit_at: Option<Tick>,
    mode: Mode,
    accepts_per_turn_max: usize,
    read_per_turn_max: usize,
    flushes: flush::Bounds,
    slow_turns: SlowTurns,
    metrics: Arc<ReactorMetrics>,
}

impl Reactor {
    /// Opens the listeners and prepares everything; connections are accepted once it runs.
    ///
    /// # Errors
    ///
    /// If a listener cannot be opened (the text names the address, what is wrong and what would be
    /// right) or the process is out of descriptors.
    pub fn bind(config: &ReactorConfig) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        let metrics = Arc::new(ReactorMetrics::default());
        let acceptor = Acceptor::bind(config, registry, Arc::clone(&metrics))?;
        let connections = Connections::new(config, registry.try_clone()?, Arc::clone(&metrics));
        let waker = Waker::new(registry)?;
        let early = &config.early_signals;
        let watch = |()| StopSignals::watch(registry, Source::Signals.token(), early);
        let signals = config.signals.then_some(()).map(watch).transpose()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            is_flooded: false,
            scratch: vec![0; config.read_len_max.max(receive::READ_LEN_MIN)].into_boxed_slice(),
            acceptor,
            connections,
            signals,
            waker,
            is_woken: false,
            effects: Effects::new(),
            expired: Vec::new(),
            alarm: Tick::MAX,
            held_since: Tick::MAX,
            waiting_told: config.outbound_total_max.map(|_| 0),
            exit_at: None,
            mode: Mode::Turning,
            accepts_per_turn_max: config.accepts_per_turn_max,
            read_per_turn_max: config.read_per_turn_max,
            flushes: flush::Bounds {
                all: config.flushes_per_turn_max,
                bulk: config.bulk_flushes_per_turn_max,
            },
            slow_turns: SlowTurns::new(),
            metrics,
        })
    }

    /// The address of a listener, with the port that the kernel chose; `None` if the index is
    /// unknown.
    #[must_use]
    pub fn local_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.acceptor.local_addr(listener)
    }

    /// Where a listener listens, for people: an address, or `unix:` and a path.
    #[must_use]
    pub fn listener_name(&self, listener: ListenerId) -> Option<String> {
        self.acceptor.name(listener)
    }

    /// The counters of this reactor.
    #[must_use]
    pub fn metrics(&self) -> Arc<ReactorMetrics> {
        Arc::clone(&self.metrics)
    }

    /// A handle that wakes this reactor.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Turns until [`Effect::Exit`] is fulfilled, or until [`Effect::Yield`]: then it may be called
    /// again.
    ///
    /// # Errors
    ///
    /// If the poller or a listening socket is broken, from which it cannot recover.
    pub fn run(&mut self, clock: &Clock, handler: &mut impl Handler) -> io::Result<Left> {
        let mut ended = clock.micros();
        loop {
            self.wait(self.time_to_wait(Tick::from_millis(ended / 1000)))?;
            let (now, began) = clock.now_and_micros();
            let before = Work::until_now(&self.metrics);
            let flow = self.turn(now, handler)?;
            ended = clock.micros();
            let micros = ended.saturating_sub(began);
            self.metrics.count_turn(micros);
            self.slow_turns.look(now.tick, micros, (before, &self.metrics));
            if flow.is_break() {
                if self.mode == Mode::Yielding {
                    self.mode = Mode::Frozen;
                    return Ok(Left::Yielded);
                }
                return Ok(Left::Exited);
            }
        }
    }

    /// One turn with what the last wait brought; `Break` once [`Effect::Exit`] is fulfilled.
    fn turn(&mut self, now: Now, handler: &mut impl Handler) -> io::Result<ControlFlow<()>> {
        self.connections.shared.made_bytes = 0;
        let was_stopped = self.was_stopped(now.tick);
        if self.mode == Mode::Turning {
            self.connect(now, handler);
            self.accept(now, handler)?;
            self.read(now, handler);
        }
        if !self.is_held_up(now.tick, was_stopped) {
            self.expire(now, handler);
        }
        // Before the turn's end, so that what lagging cursors are sent leaves with the turn's own.
        self.report(now, handler);
        if mem::take(&mut self.is_woken) {
            // After the reads, so that answers that came meanwhile are taken with the others.
            self.dispatch(now, Input::StoreReady, handler);
        }
        self.dispatch(now, Input::TurnEnd, handler);
        flush::flush(&mut self.connections, now.tick, self.flushes);
        self.close(now, handler, budget::CLOSES_MAX);
        // After the flush, when the ring of most connections is empty.
        if self.connections.shared.pool.trim(now.tick) {
            self.connections.shared.lists.trim();
            self.effects.shrink_to(work_lists::KEPT);
        }
        self.count();
        Ok(self.leave(now, handler))
    }

    /// Dispatches the outcomes of connections that this end began, before anything is read from
    /// them, and the connections that the handler asked for by address.
    fn connect(&mut self, now: Now, handler: &mut impl Handler) {
        for conn in mem::take(&mut self.connections.shared.lists.addresses_found) {
            // An earlier one of the same turn may have ended it, here and below.
            if self.connections.is_open(conn) {
                self.dispatch(now, Input::AddressFound { conn }, handler);
            }
        }
        for conn in mem::take(&mut self.connections.shared.lists.addresses_full) {
            if self.connections.is_open(conn) {
                self.dispatch(now, Input::AddressFull { conn }, handler);
            }
        }
        for Attempt { tag, outcome } in mem::take(&mut self.connections.shared.lists.attempts) {
            let input = match outcome {
                Ok(conn) => Input::Connected { conn, tag },
                Err(fault) => Input::Unreachable { tag, fault },
            };
            self.dispatch(now, input, handler);
        }
    }

    fn accept(&mut self, now: Now, handler: &mut impl Handler) -> io::Result<()> {
        self.acceptor.set_waiting(self.connections.shared.pool.queued_bytes());
        let mut budget = self.accepts_per_turn_max;
        while let Some(arrival) = self.acceptor.poll(now, &mut budget)? {
            match arrival {
                Arrival::Rejected { stream, refusal } => {
                    self.connections.reject(now.tick, stream, refusal);
                }
                Arrival::Accepted { stream, peer, listener, share } => {
                    let tls = self.acceptor.tls(listener).map(|tls| Arc::clone(&tls.config));
                    let has_header = self.acceptor.has_proxy_header(listener);
                    let arrives = has_header || tls.is_some();
                    let conn = if arrives {
                        let arrival = tls::Arrival { peer, listener, tls, head: Vec::new() };
                        let accepted = (stream, share);
                        self.connections.insert_arriving(now, accepted, arrival, has_header)
                    } else {
                        self.connections.insert(stream, share)
                    };
                    let Ok(conn) = conn else {
                        self.metrics.accept_lost.add(1);
                        self.acceptor.release(share);
                        continue;
                    };
                    self.metrics.accepted.add(1);
                    if !arrives {
                        self.dispatch(now, Input::Opened { conn, listener, peer }, handler);
                    }
                }
            }
        }
        Ok(())
    }

    fn expire(&mut self, now: Now, handler: &mut impl Handler) {
        if self.mode == Mode::Turning {
            self.expire_connections(now, handler);
        }
        if self.alarm <= now.tick {
            self.alarm = Tick::MAX;
            self.dispatch(now, Input::Alarm, handler);
        }
    }

    fn expire_connections(&mut self, now: Now, handler: &mut impl Handler) {
        let mut expired = mem::take(&mut self.expired);
        expire::expire(&mut self.connections, now.tick, &mut expired);
        for conn in expired.drain(..) {
            // An earlier one of these may have closed it.
            if self.connections.is_open(conn) {
                self.dispatch(now, Input::Expired { conn }, handler);
            }
        }
        self.expired = expired;
    }

    fn report(&mut self, now: Now, handler: &mut impl Handler) {
        self.connections.shared.made_bytes = 0;
        let waiting = self.connections.shared.pool.queued_bytes();
        if self.waiting_told.is_some_and(|told| told != waiting) {
            self.waiting_told = Some(waiting);
            let bytes = usize::try_from(waiting).unwrap_or(usize::MAX);
            self.dispatch(now, Input::Waiting { bytes }, handler);
        }
        let mut late = Vec::new();
        let mut left = budget::DRAINED_MAX;
        for report in mem::take(&mut self.connections.shared.lists.reports) {
            // Whoever has drained may be sent much, and can wait; how much waits must be known.
            let is_drained = matches!(report, Report::Drained(_));
            if is_drained && (left == 0 || self.connections.shared.has_made_much()) {
                late.push(report);
            } else if let Some(input) = flush::input_of(&self.connections, report) {
                left -= usize::from(is_drained);
                self.dispatch(now, input, handler);
            }
        }
        late.append(&mut self.connections.shared.lists.reports);
        self.connections.shared.lists.reports = late;
        if self.signals.as_mut().is_some_and(StopSignals::take_reload) {
            self.dispatch(now, Input::Reload, handler);
        }
        if self.signals.as_mut().is_some_and(StopSignals::take_upgrade) {
            self.dispatch(now, Input::Upgrade, handler);
        }
        while let Some(signal) = self.signals.as_mut().and_then(StopSignals::poll) {
            self.dispatch(now, Input::Stop(signal), handler);
        }
    }

    fn close(&mut self, now: Now, handler: &mut impl Handler, count_max: usize) {
        for _ in 0..count_max {
            // At this point of the turn alone: nothing below holds a slot that is about to be used
            // again.
            let Some(removed) = self.connections.poll_ended() else { return };
            self.acceptor.release(removed.share);
            let (conn, reason) = (removed.id, removed.reason);
            if !removed.is_rejected
                && let Some(counter) = self.metrics.closed.get(reason as usize)
            {
                counter.add(1);
            }
            if !removed.is_hidden {
                self.dispatch(now, Input::Closed { conn, reason }, handler);
            }
        }
    }

    fn count(&self) {
        self.metrics.connections.set(self.connections.len() as u64);
        self.metrics.queued_frames.set(self.connections.shared.pool.in_use() as u64);
        self.metrics.queued_bytes.set(self.connections.shared.pool.queued_bytes());
        let (begun, waiting) = self.connections.shared.tls.handshakes();
        self.metrics.handshaking.set(begun as u64);
        self.metrics.handshakes_waiting.set(waiting as u64);
        self.metrics.timers.set(self.connections.shared.wheel.len() as u64);
    }

    /// Ends the loop if the handler asked for it and no connection is left, or its deadline has
    /// passed.
    fn leave(&mut self, now: Now, handler: &mut impl Handler) -> ControlFlow<()> {
        if self.mode == Mode::Yielding {
            return ControlFlow::Break(());
        }
        let Some(deadline) = self.exit_at else { return ControlFlow::Continue(()) };
        if self.connections.len() > 0 && now.tick < deadline {
            return ControlFlow::Continue(());
        }
        connect::abandon_all(&mut self.connections);
        self.connections.end_all(CloseReason::Shutdown);
        self.close(now, handler, usize::MAX);
        ControlFlow::Break(())
    }

    /// Hands one input to the handler and applies its effects.
    fn dispatch(&mut self, now: Now, input: Input<'_>, handler: &mut impl Handler) {
        handler.handle(now, input, &mut self.effects);
        if self.effects.is_empty() {
            return;
        }
        // The vector is kept between inputs, so that the usual input allocates nothing.
        let mut effects = mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.apply(now.tick, effect);
        }
        self.effects = effects;
    }

    fn apply(&mut self, now: Tick, effect: Effect) {
        let connections = &mut self.connections;
        match effect {
            Effect::Connect(connect) => connect::begin(connections, &connect),
            Effect::Send { conn, frame } => connections.send(conn, frame),
            Effect::Broadcast { to, frame } => connections.broadcast(&to, &frame),
            Effect::Arm { conn, deadline } => connections.arm(conn, deadline),
            Effect::Wake { conn } => connections.wake(conn),
            Effect::Pause { conn, pause } => connections.pause(conn, pause),
            Effect::Resume { conn } => connections.resume(conn),
            Effect::OutboundMax { conn, bytes_max } => connections.limit_outbound(conn, bytes_max),
            Effect::Close { conn, reason, ending } => connections.close(now, conn, reason, ending),
            // An alarm for the past is due now, and not late.
            Effect::Alarm { deadline } => self.alarm = deadline.max(now),
            Effect::FindByAddress { addresses } => connections.find_by_address(&addresses),
            Effect::Client { conn, address } => {
                if self.count_for(now, conn, address).is_err() {
                    self.connections.shared.lists.addresses_full.push(conn);
                }
            }
            Effect::Settled { conn } => self.count_as_open(conn),
            Effect::Bar { addresses } => self.acceptor.bar(addresses),
            Effect::StopAccepting => self.acceptor.close(),
            Effect::Exit { deadline } => self.exit_at = Some(deadline),
            Effect::Freeze => self.mode = Mode::Frozen,
            Effect::Thaw => self.mode = Mode::Turning,
            Effect::Yield => self.mode = Mode::Yielding,
        }
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("connections", &self.connections.len())
            .field("wheel", &self.connections.shared.wheel)
            .finish_non_exhaustive()
    }
}
