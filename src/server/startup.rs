//! Starting the server: the store, the listeners, the loop.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use super::admin_token::AdminTokenError;
use super::bounds::{has_stored_rooms, preload};
use super::certificates::{CertificateError, CertificateWatch};
use super::files::FileStart;
use super::listening::{addresses, announce, listeners, name_of, page_place};
use super::supervisor::Supervisor;
use super::token_keys::{KeyWatch, TokenKeyError};
use super::upgrade::{Next, Part, Predecessor, Successor};
use super::upgrade_progress::HandedOver;
use super::webhook_start::WebhookStart;
use super::{
    Beginning, ConfigWatch, EngineError, Hashing, Server, Sources, admin_token, engine, token_keys,
};
use crate::auth::password::Cost;
use crate::chat::model::log::{Logs, Snapshot};
use crate::config::{Config, Loaded};
use crate::http::PolicyError;
use crate::metrics::Metrics;
use crate::net::{Effects, ListenerId};
use crate::pg::Address;
use crate::reactor::descriptors::{self, Descriptors};
use crate::reactor::{Left, Reactor, Waker, blocked_signals};
use crate::session::Entropy;
use crate::store::{self, OpenError, SharedOutbox};
use crate::time::clock::Clock;
use crate::webhooks::{AuthoritiesError, check_authorities};

/// Why the server could not start or go on.
#[derive(Debug)]
pub enum ServeError {
    /// A configured host or origin is malformed.
    Policy(PolicyError),
    /// The store could not be opened.
    Store(OpenError),
    /// A key of tokens cannot be used.
    TokenKeys(TokenKeyError),
    /// The token of the admin API cannot be used.
    AdminToken(AdminTokenError),
    /// A certificate or its key cannot be used.
    Certificate(CertificateError),
    /// The authorities that receivers of webhooks are known by cannot be read.
    Authorities(AuthoritiesError),
    /// The engine of a cluster cannot be spoken to.
    Engine(EngineError),
    /// The system refused something.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error}"),
            Self::TokenKeys(error) => write!(f, "{error}"),
            Self::AdminToken(error) => write!(f, "{error}"),
            Self::Certificate(error) => write!(f, "{error}"),
            Self::Authorities(error) => write!(f, "{error}"),
            Self::Engine(error) => write!(f, "{error}"),
            Self::Io(error) => write!(f, "{error}{}", remedy(error)),
        }
    }
}

/// Where the system tells which signals are blocked.
const OWN_STATUS: &str = "/proc/self/status";

/// What to do about what the system refuses.
fn remedy(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => "; raise the limit of descriptors (ulimit -n, LimitNOFILE)",
        Some(Errno::NFILE) => "; the system has no descriptors left: raise fs.file-max",
        Some(Errno::AGAIN) => {
            "; raise the limit of processes and threads (ulimit -u, TasksMax, pids)"
        }
        _ => "",
    }
}

impl std::error::Error for ServeError {}

impl ServeError {
    /// The setting, or the label of the table of a key, that names what is wrong.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        match self {
            Self::TokenKeys(error) => error.table.as_deref(),
            Self::AdminToken(_) => Some("admin_token_file"),
            Self::Certificate(error) => Some(error.setting),
            Self::Authorities(_) => Some("webhooks.authorities"),
            Self::Engine(error) => error.setting(),
            Self::Policy(_) | Self::Store(_) | Self::Io(_) => None,
        }
    }
}

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

impl From<EngineError> for ServeError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<AuthoritiesError> for ServeError {
    fn from(error: AuthoritiesError) -> Self {
        Self::Authorities(error)
    }
}

impl From<CertificateError> for ServeError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

impl From<TokenKeyError> for ServeError {
    fn from(error: TokenKeyError) -> Self {
        Self::TokenKeys(error)
    }
}

impl From<AdminTokenError> for ServeError {
    fn from(error: AdminTokenError) -> Self {
        Self::AdminToken(error)
    }
}

impl From<PolicyError> for ServeError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

/// Runs the server until it is told to stop. Each listener is announced on standard output. At
/// SIGHUP the configuration is read again from its `sources`; at SIGUSR2 another process takes the
/// place of this one.
///
/// # Errors
///
/// [`ServeError`] if it cannot start, or the poller breaks.
pub fn serve(loaded: &Loaded, sources: Sources) -> Result<(), ServeError> {
    if !sources.environment.takes_over() {
        let (mut reactor, mut server, clock) = prepare(loaded, sources, &mut None)?;
        if let Some(address) = engine::address(&loaded.config)? {
            join_cluster(&reactor, &mut server, &address, (&loaded.config, clock))?;
            return run((&mut reactor, server), &loaded.config, clock);
        }
        let preload = preload(&loaded.config);
        let opened = (&*server.metrics, Some(preload), reactor.waker());
        let kept = open_store(&loaded.config, &clock, opened)?;
        let waker = reactor.waker();
        set_store(&mut server, kept, &loaded.config, (clock, waker));
        server.reserve_operator(clock.now(), &loaded.config.admin_name);
        if loaded.config.auth_policy().accounts {
            let page = page_of(&loaded.config, &server, &reactor);
            server.invite_first(clock.now(), &page);
        }
        return run((&mut reactor, server), &loaded.config, clock);
    }
    // Started by another server, which goes on serving until this one can: whatever fails here is
    // said to it, so that its operator is told why and nobody's connection is lost.
    let mut predecessor = Some(Predecessor::meet()?);
    let begun = prepare(loaded, sources, &mut predecessor)
        .and_then(|begun| take_over(&loaded.config, begun, &mut predecessor));
    match begun {
        Ok((mut reactor, server, clock)) => run((&mut reactor, server), &loaded.config, clock),
        Err(error) => {
            if let Some(other) = &mut predecessor {
                other.refuse(&error.to_string());
            }
            Err(error)
        }
    }
}

/// A server with all that it is made of.
type Begun = (Reactor, Server, Clock);

/// Everything but the store: what takes long and changes nothing.
fn prepare(
    loaded: &Loaded,
    sources: Sources,
    predecessor: &mut Option<Predecessor>,
) -> Result<Begun, ServeError> {
    let config = &loaded.config;
    // Deadlines are carried over as ticks: they mean the same moment only on a clock that goes on.
    let clock = predecessor.as_ref().map_or_else(Clock::start, Predecessor::clock);
    let supervisor = Supervisor::find(&sources.environment);
    let descriptors =
        descriptors::raise(std::fs::read_to_string(descriptors::LIMITS).ok().as_deref());
    let connections_max = connections_max(config, descriptors);
    if descriptors.connections_max() == 0 {
        return Err(without_connections(descriptors.limit).into());
    }
    let certificates = watch_certificates(config, clock)?;
    check_authorities(&config.webhooks.authorities)?;
    let find = certificates.as_ref().map(|watch| &watch.in_use);
    let (mut reactor_config, kinds, names) = listeners(config, connections_max, find, predecessor)?;
    reactor_config.early_signals = sources.early_signals.clone();
    // Before the store is opened: a port that is taken must not cost a long recovery first.
    let reactor = Reactor::bind(&reactor_config)?;
    let metrics = Arc::new(Metrics { reactor: reactor.metrics(), ..Metrics::default() });
    // In the place of the store until it is opened: a server without logs would be a state that
    // every caller has to think of.
    let logs = store::in_memory_with(config.store.cids);
    let mut server =
        Server::new(config, kinds, (metrics, Entropy::System(Box::default())), clock.now(), logs)?;
    let verifier = token_keys::verifier(config)?;
    server.sessions.set_verifier(verifier);
    if let Some(token) = admin_token::load(config)? {
        server.sessions.set_admin_token(token);
    }
    let waker = reactor.waker();
    server.key_watch = KeyWatch::start(&config.token_keys, move || _ = waker.wake())?;
    // Now, while the sockets are at hand: at SIGUSR2 the thread that starts the process has no
    // reactor to ask for them.
    let successor =
        Successor::new((sources.program.clone(), config.data.clone()), names, (&reactor, clock))?;
    server.upgrading.set_successor(successor);
    let waker = reactor.waker();
    let wake = move || _ = waker.wake();
    server.config_watch = Some(ConfigWatch::start(loaded.clone(), sources, wake)?);
    server.certificates = certificates;
    if config.auth_policy().accounts {
        // It fails only if the poller is gone, and the loop with it.
        let waker = reactor.waker();
        let cost = Cost::within(config.memory);
        // Of nodes with different budgets one kind renews: two would undo what the other has done.
        let renews = config.cluster.engine.is_none() || cost == Cost::Usual;
        server.set_hashing(Hashing::start((cost, renews), Arc::new(move || _ = waker.wake()))?);
    }
    server.supervisor = supervisor;
    Ok((reactor, server, clock))
}

/// Lets the server keep what it is told, and webhooks be told of it.
fn set_store(
    server: &mut Server,
    (mut logs, outbox): (StoredLogs, Option<SharedOutbox>),
    config: &Config,
    (clock, waker): (Clock, Waker),
) {
    // Taken out of what the chat gets: only who signs a push is to hold the key.
    let push_key = logs.1.people.push_key.take();
    let wall = logs.1.wall;
    server.set_logs(clock.now(), logs);
    if let Some(outbox) = outbox {
        server.files = FileStart::new(config, (Arc::clone(&outbox), clock), waker.clone());
        server.files.iter_mut().for_each(FileStart::start);
        let counted = Arc::clone(&server.metrics.webhooks);
        let mut webhooks = WebhookStart::new(outbox, &config.webhooks, (clock, wall), counted);
        server.begin_pushes(clock.now(), &mut webhooks, (push_key, &config.push), waker);
        server.set_webhooks(webhooks);
    }
}

/// Lets the server share its logs with the other nodes of this engine.
fn join_cluster(
    reactor: &Reactor,
    server: &mut Server,
    address: &Address,
    (config, clock): (&Config, Clock),
) -> Result<(), ServeError> {
    if store::is_there(&config.data) {
        log::warn!(
            data:% = config.data.display();
            "there is a database of a server that was alone: it is not used while [cluster] engine is set"
        );
    }
    let waker = reactor.waker();
    // It fails only if the poller is gone, and the loop with it.
    let wake: store::Wake = Arc::new(move || _ = waker.wake());
    let shared = engine::open((address, config), clock.now(), Arc::clone(&wake))?;
    let counted = Arc::clone(&server.metrics.webhooks);
    let mut webhooks = WebhookStart::new(shared.outbox(), &config.webhooks, (clock, None), counted);
    webhooks.await_pushes(&config.push, (Arc::clone(&server.metrics.pushes), wake));
    server.set_webhooks(webhooks);
    let invites = config.auth_policy().accounts;
    let page = invites.then(|| page_of(config, server, reactor));
    let admin_name = config.admin_name.clone();
    server.set_shared(shared, Beginning { admin_name, invites_to: page });
    if let Some((mut files, desk)) = FileStart::shared(config, clock, reactor.waker()) {
        files.start();
        (server.files, server.file_desk) = (Some(files), Some(desk));
    }
    log::info!(engine:% = address; "the log is shared");
    Ok(())
}

/// Goes on with what another process hands over, once it is to.
fn take_over(
    config: &Config,
    (mut reactor, mut server, clock): Begun,
    predecessor: &mut Option<Predecessor>,
) -> Result<Begun, ServeError> {
    let Some(other) = predecessor.as_mut() else { return Ok((reactor, server, clock)) };
    other.prepared()?;
    let names: Vec<String> = addresses(config).map(|listener| name_of(&listener)).collect();
    let (mut parts, mut connections) = (Vec::new(), Vec::new());
    // All of it is taken before the store is opened, which the other one closes meanwhile.
    loop {
        match other.next()? {
            Next::Domain(part) => parts.push(part),
            Next::Connections(all) => {
                for (socket, state) in all {
                    let here = |number| other.listener_here(&names, number).map(ListenerId);
                    let queued = state.bytes.queued();
                    let conn = reactor.adopt(clock.now(), (socket, state.bytes), here)?;
                    let stack = state.session.map(|session| (session, state.reader));
                    connections.extend(conn.zip(stack).map(|(conn, own)| ((conn, queued), own)));
                }
            }
            Next::End => break,
        }
    }
    // The rooms in use are named by the other one, and nobody is to wait for more than these.
    let opened = (&*server.metrics, None, reactor.waker());
    let kept = open_store(config, &clock, opened)?;
    set_store(&mut server, kept, config, (clock, reactor.waker()));
    let now = clock.now();
    // Rooms and people before connections: a session that is adopted refers to both.
    for part in parts {
        server.adopt_domain(now, part).map_err(io::Error::other)?;
    }
    let mut effects = Effects::new();
    for (conn, stack) in connections {
        server.adopt(now, conn, stack, &mut effects);
        // After each of them, not at the end: the effects of thousands would be held at once.
        reactor.apply_all(now.tick, &mut effects);
    }
    // Only after the last connection: what is gathered about who is typing or here goes to readers
    // that must all be there.
    server.adopt_domain(now, Part::End).map_err(io::Error::other)?;
    server.reserve_operator(now, &config.admin_name);
    if let Some(other) = predecessor.take() {
        other.take_over()?;
    }
    Ok((reactor, server, clock))
}

/// Serves to the end.
fn run(
    (reactor, mut server): (&mut Reactor, Server),
    config: &Config,
    clock: Clock,
) -> Result<(), ServeError> {
    let blocked = blocked_signals(&std::fs::read_to_string(OWN_STATUS).unwrap_or_default());
    if !blocked.is_empty() {
        let signals = blocked.join(", ");
        log::warn!(
            signals:%;
            "whatever has started this process has blocked these signals: they do nothing here"
        );
    }
    if let Err(error) = announce(reactor, config, &server.listeners) {
        // Its reader is gone, or the disk that it goes to is full: the chat can go on without it.
        log::warn!(error:%; "standard output cannot be written: where the server listens is not said there");
    }
    for part in &config.account {
        let (name, bytes, what) = (part.name, part.bytes, &part.what);
        log::info!(part = name, bytes, what:%; "memory");
    }
    for warning in config.warnings() {
        log::warn!("{warning}");
    }
    let pid = std::process::id();
    log::info!(version = env!("CARGO_PKG_VERSION"), pid; "serving");
    // The last that is done before the loop: systemd starts what waits for this unit at once.
    if let Some(supervisor) = &mut server.supervisor {
        supervisor.ready(clock.now().tick, "serving");
    }
    let mut handed_over = HandedOver::No;
    while reactor.run(&clock, &mut server)? == Left::Yielded {
        handed_over = server.hand_over(reactor, &clock);
    }
    // Closes the store, which writes what waits first.
    drop(server);
    if handed_over == HandedOver::Lost {
        let text = "the process that had taken over has ended: nobody serves";
        return Err(io::Error::other(text).into());
    }
    log::info!("stopped");
    Ok(())
}

/// The logs, and what was kept of them.
type StoredLogs = (Box<dyn Logs>, Snapshot);

/// The logs, and what was kept of them. Where all rooms are in memory and nothing was stored
/// before, no file is made. Without a `preload` rooms come over from another process.
fn open_store(
    config: &Config,
    clock: &Clock,
    (metrics, preload, waker): (&Metrics, Option<store::Preload>, Waker),
) -> Result<(StoredLogs, Option<SharedOutbox>), OpenError> {
    let keeps_names = !config.auth_policy().is_only_names();
    if !keeps_names && !has_stored_rooms(config) && !store::is_there(&config.data) {
        return Ok((store::in_memory_with(config.store.cids), None));
    }
    let options = store::Options {
        data: config.data.clone(),
        cache_bytes: config.store.cache_bytes,
        queue_bytes: config.store.queue_bytes,
        cids: config.store.cids,
        proves_names: keeps_names,
        ends_memory_rooms: preload.is_some(),
        preload: preload.unwrap_or_default(),
        policies: config.policies.clone(),
        metrics: Arc::clone(&metrics.store),
    };
    // It fails only if the poller is gone, and the loop with it.
    let wake = move || _ = waker.wake();
    let (logs, snapshot, outbox) = store::open_with_outbox(&options, *clock, Arc::new(wake))?;
    Ok(((logs, snapshot), Some(outbox)))
}

/// That nobody could connect, which the first one would find out.
fn without_connections(descriptors: u64) -> io::Error {
    io::Error::other(format!(
        "RLIMIT_NOFILE is {descriptors}, which leaves no descriptor for connections: raise the limit of \
         descriptors (ulimit -n, LimitNOFILE)"
    ))
}

/// How many connections there may be: as many as are configured, and no more than descriptors
/// allow.
fn connections_max(config: &Config, descriptors: Descriptors) -> usize {
    // A connection beyond this would be accepted and could then open no file, which hurts those
    // that are there; refused at the door it hurts nobody else.
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

/// The certificates, if a listener speaks TLS.
fn watch_certificates(
    config: &Config,
    clock: Clock,
) -> Result<Option<CertificateWatch>, ServeError> {
    let is_needed = addresses(config).any(|(_, address)| address.is_tls);
    is_needed.then(|| CertificateWatch::start(&config.tls, clock)).transpose()
}

/// Where the first administrator finds the page.
fn page_of(config: &Config, server: &Server, reactor: &Reactor) -> String {
    let by_listener = || page_place(&server.listeners, |id| reactor.local_addr(id));
    config.page_url().unwrap_or_else(by_listener)
}
