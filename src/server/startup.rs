//! Starting the server: the store, the listeners, the loop.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use super::{Hashing, Server, rejection};
use crate::auth::secret;
use crate::chat::model::log::{Logs, Snapshot};
use crate::chat::model::policy::Policies;
use crate::chat::model::reply::Durability;
use crate::config::Config;
use crate::http::PolicyError;
use crate::metrics::Metrics;
use crate::net::ListenerId;
use crate::reactor::descriptors::{self, Descriptors};
use crate::reactor::{ListenerConfig, Reactor, ReactorConfig, Waker};
use crate::session::{Entropy, ListenerKind};
use crate::store::{self, OpenError};
use crate::time::clock::Clock;

/// Bytes read from one connection in one turn: a hundred short messages, so that a client that
/// floods costs the others some 0.2 ms a turn.
const READ_LEN_MAX: usize = 16 * 1024;

/// Why the server could not start or go on.
#[derive(Debug)]
pub enum ServeError {
    /// A configured host or origin is malformed.
    Policy(PolicyError),
    /// The store could not be opened.
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
    let descriptors =
        descriptors::raise(std::fs::read_to_string(descriptors::LIMITS).ok().as_deref());
    let connections_max = connections_max(config, descriptors);
    let (reactor_config, kinds) = listeners(config, connections_max);
    let mut reactor = Reactor::bind(&reactor_config)?;
    let metrics = Arc::new(Metrics { reactor: reactor.metrics(), ..Metrics::default() });
    let kept = open_store(config, &clock, &metrics, reactor.waker())?;
    let waker = reactor.waker();
    let mut server = Server::new(config, kinds, (metrics, Entropy::System), clock.now(), kept)?;
    if config.auth_policy().accounts {
        // It fails only if the poller is gone, and the loop with it.
        server.set_hashing(Hashing::start(Arc::new(move || _ = waker.wake()))?);
        invite_admin(&reactor, &mut server, &clock)?;
    }
    if let Err(error) = announce(&reactor, &server.listeners) {
        // Its reader is gone, or the disk that it goes to is full: the chat can go on without it.
        log::warn!(error:%; "standard output cannot be written: where the server listens is not said there");
    }
    for warning in config.warnings() {
        log::warn!("{warning}");
    }
    log::info!(version = env!("CARGO_PKG_VERSION"), connections = connections_max; "serving");
    reactor.run(&clock, &mut server)?;
    // Closes the store, which writes what waits first.
    drop(server);
    log::info!("stopped");
    Ok(())
}

/// Says on standard output by which link the first administrator comes in, if there is none yet: at
/// each start another one, since only its hash is kept.
fn invite_admin(reactor: &Reactor, server: &mut Server, clock: &Clock) -> io::Result<()> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|error| io::Error::other(error.to_string()))?;
    let link = secret::make(secret::ADMIN, bits);
    if !server.invite_admin(clock.now(), &link) {
        return Ok(());
    }
    let http = server.listeners.iter().zip(0u8..).find(|(kind, _)| **kind == ListenerKind::Http);
    let addr = http.and_then(|(_, id)| reactor.local_addr(ListenerId(id)));
    let place = addr.map_or_else(String::new, |addr| format!("http://{addr}"));
    let mut out = io::stdout().lock();
    writeln!(out, "first administrator {place}/#invite={} (for one use)", link.text())?;
    out.flush()
}

/// The logs, and what was kept of them. Where all rooms are in memory and nothing was stored
/// before, no file is made.
fn open_store(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    waker: Waker,
) -> Result<(Box<dyn Logs>, Snapshot), OpenError> {
    let keeps_names = !config.auth_policy().is_only_names();
    if !keeps_names && !has_stored_rooms(config) && !store::is_there(&config.data) {
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

/// How many connections there may be: as many as are configured, and no more than descriptors
/// allow.
fn connections_max(config: &Config, descriptors: Descriptors) -> usize {
    let fit = usize::try_from(descriptors.connections_max()).unwrap_or(usize::MAX);
    let connections_max = config.limits.connections.unwrap_or(fit).min(fit);
    let why = match config.limits.connections {
        Some(wanted) if wanted > fit => "limits.connections is more than RLIMIT_NOFILE allows",
        Some(_) => "limits.connections",
        None if descriptors.limit < descriptors.ceiling => {
            "RLIMIT_NOFILE, which the system does not let this process raise"
        }
        None => "RLIMIT_NOFILE, less those kept for other files",
    };
    log::info!(connections = connections_max, descriptors = descriptors.limit, why; "capacity");
    connections_max
}

/// The reactor's configuration, and what each listener is for.
fn listeners(config: &Config, connections_max: usize) -> (ReactorConfig, Vec<ListenerKind>) {
    let mut listeners = Vec::new();
    let mut kinds = Vec::new();
    for (kind, addresses) in [
        (ListenerKind::Http, &config.listen),
        (ListenerKind::Tcp, &config.tcp),
        (ListenerKind::Admin, &config.admin),
    ] {
        for &addr in addresses {
            listeners.push(ListenerConfig {
                keep_alive: kind == ListenerKind::Tcp,
                refusal: rejection::of(kind),
                limited: kind != ListenerKind::Admin,
                ..ListenerConfig::new(addr)
            });
            kinds.push(kind);
        }
    }
    let limits = &config.limits;
    let reactor = ReactorConfig {
        listeners,
        connections_max,
        connections_per_address_max: limits.per_address.unwrap_or(u32::MAX),
        loopback_counts: limits.per_address_loopback,
        read_len_max: READ_LEN_MAX.min(limits.read_ahead),
        outbound_bytes_max: limits.outbound_hard_bytes,
        send_buffer_len: limits.send_buffer_bytes,
        stall_timeout: config.timeouts.stall,
        close_timeout: config.timeouts.close,
        ..ReactorConfig::default()
    };
    (reactor, kinds)
}

/// Says on standard output where the server listens, a line for each listener.
fn announce(reactor: &Reactor, kinds: &[ListenerKind]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (kind, id) in kinds.iter().zip(0u8..) {
        let Some(addr) = reactor.local_addr(ListenerId(id)) else { continue };
        match kind {
            ListenerKind::Http => writeln!(out, "listening http://{addr} (WebSocket at /ws)")?,
            ListenerKind::Tcp => writeln!(out, "listening tcp://{addr}")?,
            ListenerKind::Admin => writeln!(out, "listening admin http://{addr}")?,
        }
    }
    out.flush()
}
