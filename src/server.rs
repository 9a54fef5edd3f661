//! The composition root: wires the reactor, the sessions, the domain and the logs, and owns nothing else.
//!
//! # What a connection costs
//!
//! An idle WebSocket connection with a name and a room owns no buffer and, while its lists have one element and
//! its name has at most 22 bytes, no allocation of its own. Its rows lie in pages of 16 KiB that are
//! never copied:
//!
//! | bytes | what | where |
//! |---:|---|---|
//! | 64 | the socket with its outbound ring, a cache line | [`reactor`](crate::reactor) |
//! | 24 | its timer | [`time::wheel`](crate::time::wheel) |
//! | 88 | its protocol stack | [`session`](crate::session) |
//! | 64 | the domain's session, a cache line, with its place in one room | [`chat`](crate::chat) |
//! | 80 | the user, with name and place in one room | [`chat`](crate::chat) |
//! | 48 | the membership | [`chat`](crate::chat) |
//! | 28 | the cursor, and the member's place: arrays of the room, which double | [`chat`](crate::chat) |
//! | 21 | the entries under its name and its session's secret | [`collections`](crate::collections) |
//!
//! That is 417 bytes. Measured are 435 to 450 with 10,000 to 19,000 over sockets, 437 with a million
//! (`scripts/million`), and 425 with a million without sockets (`cargo bench --bench million`). The allocator
//! keeps some of what a burst has taken, so that on a machine too busy to read in time there may be 80 more.
//!
//! | bytes | for each |
//! |---:|---|
//! | 180 | connection before hello, instead of all the above |
//! | 64 | connection over plain TCP, more |
//! | 76 | further room, and 128 once, for lists of more than one |
//! | 340 | further session of a user |
//! | 16, and its length | name of more than 22 bytes |
//! | 240 | user who is remembered without a connection |
//! | 656 | room, without its recent records |
//!
//! What moves is bounded: for a connection that does not read, `limits.outbound_hard_bytes`, 40 for each of at
//! most 1,024 frames, and what one read has brought; for what is incomplete, one message; for the rooms
//! together, `limits.ring_total_bytes`, and an eighth of it for pages of stored logs that cursors read; for all
//! `cid`s of memory rooms that are remembered, 20 MB; for what waits for the disk, 16 MiB of records.
//!
//! Rooms and memberships that are stored are in memory, too, whether anybody is there or not: by the table above,
//! 656 bytes a room, 240 a user and 64 for each further membership. SQLite's caches take up to 16 MiB
//! for the writer and 2 MiB for the reader.

use std::fmt;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use crate::chat::model::log::{LogReply, Logs, Snapshot};
use crate::chat::model::policy::Policies;
use crate::chat::model::reply::Durability;
use crate::chat::{Chat, Limits};
use crate::config::Config;
use crate::http::{Method, PolicyError, Refusal, Response};
use crate::metrics::Metrics;
use crate::net::{CloseReason, Effect, Effects, Handler, Input, ListenerId, StopSignal};
use crate::reactor::descriptors::{self, Descriptors};
use crate::reactor::{ListenerConfig, Reactor, ReactorConfig, Waker};
use crate::session::{Door, Entropy, Sessions, Turn};
use crate::store::{self, OpenError};
use crate::time::Tick;
use crate::time::clock::{Clock, Now};

/// How long a client that was refused since the server is full should wait.
const FULL_RETRY_S: u32 = 10;

/// Bytes read from one connection in one turn: a hundred short messages, so that whoever floods costs the others
/// some 0.2 ms a turn.
const READ_LEN_MAX: usize = 16 * 1024;

/// Why the server could not start or go on.
#[derive(Debug)]
pub enum ServeError {
    /// A configured host or origin is none.
    Policy(PolicyError),
    /// What is stored could not be opened.
    Store(OpenError),
    /// The system refused something.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<OpenError> for ServeError {
    fn from(error: OpenError) -> Self {
        Self::Store(error)
    }
}

impl From<PolicyError> for ServeError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

/// Runs the server until it is told to stop. Each listener is announced on standard output.
///
/// # Errors
///
/// [`ServeError`] if it cannot start, or the poller breaks.
pub fn serve(config: &Config) -> Result<(), ServeError> {
    let clock = Clock::start();
    let descriptors = descriptors::raise()?;
    let connections_max = connections_max(config, descriptors);
    let (reactor_config, doors) = listeners(config, connections_max);
    let mut reactor = Reactor::bind(&reactor_config)?;
    let metrics = Arc::new(Metrics { reactor: reactor.metrics(), ..Metrics::default() });
    let kept = open_store(config, &clock, &metrics, reactor.waker())?;
    let mut server = Server::new(config, doors, (metrics, Entropy::System), clock.now(), kept)?;
    if let Err(error) = announce(&reactor, &server.doors) {
        // Who listens there is gone, or its disk is full; the chat need not be.
        log::warn!(error:%; "standard output cannot be written: where the server listens is not said there");
    }
    log::info!(version = env!("CARGO_PKG_VERSION"), connections = connections_max; "serving");
    reactor.run(&clock, &mut server)?;
    // Closes the store: what waits is written.
    drop(server);
    log::info!("stopped");
    Ok(())
}

/// The logs, and what was kept of them. Where all rooms are in memory and nothing was stored before, no file is
/// made.
fn open_store(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    waker: Waker,
) -> Result<(Box<dyn Logs>, Snapshot), OpenError> {
    if !has_stored_rooms(config) && !store::is_there(&config.data) {
        return Ok(store::in_memory());
    }
    let options = store::Options { data: config.data.clone(), metrics: Arc::clone(&metrics.store) };
    // It fails only if the poller is gone, and the loop with it.
    let wake = move || _ = waker.wake();
    store::open(&options, *clock, Arc::new(wake))
}

/// Whether there may be rooms whose records outlive the process.
fn has_stored_rooms(config: &Config) -> bool {
    let Policies { rules, otherwise, direct } = &config.policies;
    let rules = rules.iter().map(|rule| &rule.policy);
    rules.chain([otherwise, direct]).any(|policy| policy.durability != Durability::Memory)
}

/// How many connections there may be: as many as are configured, and no more than descriptors allow.
fn connections_max(config: &Config, descriptors: Descriptors) -> usize {
    let fit = usize::try_from(descriptors.connections_max()).unwrap_or(usize::MAX);
    let connections_max = config.limits.connections.unwrap_or(fit).min(fit);
    let why = match config.limits.connections {
        Some(wanted) if wanted > fit => "limits.connections is more than RLIMIT_NOFILE allows",
        Some(_) => "limits.connections",
        None => "RLIMIT_NOFILE, less those kept for other files",
    };
    log::info!(connections = connections_max, descriptors = descriptors.limit, why; "capacity");
    connections_max
}

/// The reactor's configuration, and what each listener is for.
fn listeners(config: &Config, connections_max: usize) -> (ReactorConfig, Vec<Door>) {
    let mut full = Vec::new();
    let refusal = Refusal::Overloaded { retry_after_s: FULL_RETRY_S };
    Response::from(refusal).render(&mut full, Method::Get, false);
    let mut bye = Vec::new();
    let reason = CloseReason::Overloaded;
    crate::wire::render::bye(
        &mut bye,
        crate::wire::close_code(reason),
        crate::wire::close_words(reason),
    );
    bye.push(b'\n');

    let mut listeners = Vec::new();
    let mut doors = Vec::new();
    let mut listen = |addr: SocketAddr, door: Door, refusal: Vec<u8>| {
        listeners.push(ListenerConfig {
            keep_alive: door == Door::Tcp,
            refusal: Bytes::from(refusal),
            limited: door != Door::Admin,
            ..ListenerConfig::new(addr)
        });
        doors.push(door);
    };
    listen(config.listen, Door::Http, full);
    if let Some(addr) = config.tcp {
        listen(addr, Door::Tcp, bye);
    }
    if let Some(addr) = config.admin {
        listen(addr, Door::Admin, Vec::new());
    }
    let limits = &config.limits;
    let per_address = limits.per_address.and_then(|max| u32::try_from(max).ok());
    let reactor = ReactorConfig {
        listeners,
        connections_max,
        connections_per_address_max: per_address.unwrap_or(u32::MAX),
        loopback_counts: limits.per_address_loopback,
        read_len_max: READ_LEN_MAX,
        outbound_bytes_max: limits.outbound_hard_bytes,
        send_buffer_len: limits.send_buffer_bytes,
        stall_timeout: config.timeouts.stall,
        close_timeout: config.timeouts.close,
        ..ReactorConfig::default()
    };
    (reactor, doors)
}

/// Says on standard output where the server listens, a line for each listener.
fn announce(reactor: &Reactor, doors: &[Door]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (door, id) in doors.iter().zip(0u8..) {
        let Some(addr) = reactor.local_addr(ListenerId(id)) else { continue };
        match door {
            Door::Http => writeln!(out, "listening http://{addr} (WebSocket at /ws)")?,
            Door::Tcp => writeln!(out, "listening tcp://{addr}")?,
            Door::Admin => writeln!(out, "listening admin http://{addr}")?,
        }
    }
    out.flush()
}

/// The domain's bounds as they are configured.
fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    let timeouts = &config.timeouts;
    Limits {
        message_bytes: limits.message_bytes,
        rooms_per_user: limits.rooms,
        sessions_per_user: limits.sessions_per_user,
        members_per_room: limits.room_members,
        users: limits.users,
        rooms: limits.rooms_total,
        history_page: u32::try_from(limits.history_page).unwrap_or(u32::MAX),
        replay: u64::try_from(limits.replay).unwrap_or(u64::MAX),
        ring_records: limits.ring_records,
        ring_bytes: limits.ring_bytes,
        ring_total_bytes: limits.ring_total_bytes,
        outbound_soft: limits.outbound_soft_bytes,
        rate_per_s: limits.rate_per_s,
        burst: limits.burst,
        ping_after: timeouts.ping_after,
        leave_grace: timeouts.leave_grace,
        guest_membership: timeouts.guest_membership,
        presence_interval: timeouts.presence_interval,
        receipts_interval: timeouts.receipts_interval,
        open_join_creates: config.rooms.open_join_creates,
        edit_window: config.rooms.edit_window,
        policies: config.policies.clone(),
    }
}

/// Everything above the reactor.
#[derive(Debug)]
pub struct Server {
    chat: Chat,
    logs: Box<dyn Logs>,
    sessions: Sessions,
    doors: Vec<Door>,
    /// When the alarm is set for.
    alarm: Tick,
    /// Addresses from which nobody may use the server any more, to be looked for.
    banished: Vec<IpAddr>,
    /// Until when answers of the logs are waited for before the clients are sent away, if the server is stopping.
    stopping: Option<Tick>,
    drain_window_ms: u64,
    stop_timeout: std::time::Duration,
}

impl Server {
    /// A server with nobody in it. `doors` says what each listener is for, `logs` keeps the rooms, and `kept`
    /// is what was kept of them.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if a configured host or origin is none.
    pub fn new(
        config: &Config,
        doors: Vec<Door>,
        (metrics, entropy): (Arc<Metrics>, Entropy),
        now: Now,
        (logs, kept): (Box<dyn Logs>, Snapshot),
    ) -> Result<Self, PolicyError> {
        let limits = limits(config);
        let mut chat = Chat::new(limits.clone(), now);
        chat.restore(now, kept);
        Ok(Self {
            chat,
            logs,
            sessions: Sessions::new(config, limits, metrics, entropy)?,
            doors,
            alarm: Tick::MAX,
            banished: Vec::new(),
            stopping: None,
            drain_window_ms: u64::try_from(config.timeouts.drain_window.as_millis())
                .unwrap_or(u64::MAX),
            stop_timeout: config.timeouts.stop,
        })
    }

    /// The domain, to be looked at.
    #[must_use]
    pub const fn chat(&self) -> &Chat {
        &self.chat
    }

    /// How many connections have a session.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.sessions.len()
    }

    /// Carries the domain's requests to the logs, and the logs' answers back.
    fn run_logs(&mut self, now: Now) {
        loop {
            while let Some(request) = self.chat.poll_request() {
                self.logs.request(now, request);
            }
            self.logs.flush();
            let Some(mut reply) = self.logs.poll() else { return };
            loop {
                if let LogReply::Suspended(suspensions) = &reply {
                    self.banished = suspensions.addresses_at(now.wall_ms);
                }
                self.chat.on_log_reply(now, reply);
                let Some(next) = self.logs.poll() else { break };
                reply = next;
            }
        }
    }

    fn turn_end(&mut self, now: Now, effects: &mut Effects) {
        self.run_logs(now);
        if !self.banished.is_empty() {
            effects.push(Effect::FindByAddress { addresses: std::mem::take(&mut self.banished) });
        }
        let turn = &mut Turn { now, chat: &mut self.chat, effects };
        self.sessions.turn_end(turn);
        let Some(deadline) = self.stopping else { return self.arm_alarm(effects) };
        // What was accepted is answered first, if the logs do in time.
        if self.chat.pending() > 0 && now.tick < deadline {
            return effects.push(Effect::Alarm { deadline });
        }
        let turn = &mut Turn { now, chat: &mut self.chat, effects };
        if self.sessions.send_away(self.drain_window_ms, turn) {
            effects.push(Effect::Alarm { deadline: now.tick });
        }
    }

    /// Has the reactor wake the domain when it next has something to do.
    fn arm_alarm(&mut self, effects: &mut Effects) {
        let deadline = self.chat.next_deadline();
        if deadline != self.alarm {
            self.alarm = deadline;
            effects.push(Effect::Alarm { deadline });
        }
    }

    fn stop(&mut self, now: Now, signal: StopSignal, effects: &mut Effects) {
        effects.push(Effect::StopAccepting);
        let deadline = match signal {
            StopSignal::Now => now.tick,
            StopSignal::Drain => {
                log::info!(connections = self.sessions.len(); "stopping");
                self.chat.stop(now);
                self.run_logs(now);
                self.sessions.stop(&mut Turn { now, chat: &mut self.chat, effects });
                self.stopping = Some(now.tick.after(self.stop_timeout / 4));
                // Early, so that closing thousands of full sockets is over when the time is.
                now.tick.after(self.stop_timeout * 4 / 5)
            }
        };
        effects.push(Effect::Exit { deadline });
    }
}

impl Handler for Server {
    fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        let Self { chat, sessions, doors, .. } = self;
        let turn = &mut Turn { now, chat, effects };
        match input {
            Input::Opened { conn, listener, peer } => {
                let door = doors.get(usize::from(listener.0)).copied().unwrap_or(Door::Http);
                log::debug!(conn:% = conn, peer:% = peer; "opened");
                sessions.opened(conn, door, turn);
                if turn.chat.suspended().has_address(peer.ip(), now.wall_ms) && door != Door::Admin
                {
                    sessions.end(conn, CloseReason::Banned, turn);
                }
            }
            // A server connects to nobody.
            Input::Connected { .. } | Input::Unreachable { .. } => {}
            Input::Received { conn, bytes } => {
                sessions.received(conn, bytes, turn);
                self.run_logs(now);
            }
            Input::Finished { conn } => {
                sessions.finished(conn, turn);
                self.run_logs(now);
            }
            Input::Blocked { conn, queued } => sessions.blocked(conn, queued, turn),
            Input::Drained { conn } => {
                sessions.drained(conn, turn);
                self.run_logs(now);
            }
            Input::Expired { conn } => sessions.expired(conn, turn),
            Input::AddressFound { conn } => sessions.end(conn, CloseReason::Banned, turn),
            Input::Closed { conn, reason } => {
                sessions.closed(conn, reason, turn);
                // This comes after the turn's end, and perhaps nothing for a long time after it.
                self.arm_alarm(effects);
            }
            Input::Alarm => {
                self.alarm = Tick::MAX;
                turn.chat.handle_timers(now);
                sessions.say(turn);
            }
            Input::Stop(signal) => self.stop(now, signal, effects),
            Input::TurnEnd => self.turn_end(now, effects),
        }
    }
}
