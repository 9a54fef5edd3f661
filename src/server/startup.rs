//! Starting the server: the store, the listeners, the loop.

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::admin_token::AdminTokenError;
use super::bounds::has_stored_rooms;
use super::certificates::{CertificateWatch, InUse};
use super::files::FileStart;
use super::inherited::Inherited;
use super::supervisor::Supervisor;
use super::token_keys::{KeyWatch, TokenKeyError};
use super::upgrade::{Next, Part, Predecessor, Successor};
use super::upgrading::HandedOver;
use super::webhook_start::WebhookStart;
use super::{ConfigWatch, Hashing, Server, Sources, admin_token, rejection, token_keys};
use crate::auth::password::Cost;
use crate::auth::secret;
use crate::chat::model::log::{Logs, Snapshot};
use crate::config::{Config, ListenAddress, Loaded, Place};
use crate::http::PolicyError;
use crate::metrics::Metrics;
use crate::net::{Effects, ListenerId, Network};
use crate::reactor::descriptors::{self, Descriptors};
use crate::reactor::{Endpoint, Left, ListenerConfig, Reactor, ReactorConfig, TlsListener, Waker};
use crate::session::{Entropy, ListenerKind};
use crate::store::{self, OpenError, SharedOutbox};
use crate::time::clock::Clock;
use crate::time::rate::Rate;
use crate::tls;

/// Bytes read from one connection in one turn: a hundred short messages, so that a client that
/// floods costs the others some 0.2 ms a turn.
const READ_LEN_MAX: usize = 16 * 1024;

/// What clients that offer protocols (ALPN) must offer on listeners of HTTP.
const HTTP_PROTOCOL: &[u8] = b"http/1.1";
/// The same on listeners of plain TCP: a browser that was sent there is refused.
const TCP_PROTOCOL: &[u8] = b"chinwag";

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
        let kept = open_store(&loaded.config, &clock, &server.metrics, reactor.waker())?;
        let waker = reactor.waker();
        set_store(&mut server, kept, &loaded.config, (clock, waker));
        server.reserve_operator(clock.now(), &loaded.config.admin_name);
        if loaded.config.auth_policy().accounts {
            invite_admin(&reactor, &mut server, &clock)?;
        }
        return run((&mut reactor, server), &loaded.config, clock);
    }
    let mut predecessor = Some(Predecessor::meet()?);
    let begun = prepare(loaded, sources, &mut predecessor)
        .and_then(|begun| take_up(&loaded.config, begun, &mut predecessor));
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
    let clock = predecessor.as_ref().map_or_else(Clock::start, Predecessor::clock);
    let supervisor = Supervisor::find(&sources.environment);
    let descriptors =
        descriptors::raise(std::fs::read_to_string(descriptors::LIMITS).ok().as_deref());
    let connections_max = connections_max(config, descriptors);
    let certificates = watch_certificates(config, clock)?;
    let find = certificates.as_ref().map(|watch| &watch.in_use);
    let (reactor_config, kinds, names) = listeners(config, connections_max, find, predecessor)?;
    // Before the store is opened: a port that is taken must not cost a long recovery first.
    let reactor = Reactor::bind(&reactor_config)?;
    let metrics = Arc::new(Metrics { reactor: reactor.metrics(), ..Metrics::default() });
    let logs = store::in_memory_with(config.store.cids);
    let mut server = Server::new(config, kinds, (metrics, Entropy::System), clock.now(), logs)?;
    let verifier = token_keys::verifier(config)?;
    server.sessions.set_verifier(verifier);
    if let Some(token) = admin_token::load(config)? {
        server.sessions.set_admin_token(token);
    }
    let waker = reactor.waker();
    server.key_watch = KeyWatch::start(&config.token_keys, move || _ = waker.wake())?;
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
        server.set_hashing(Hashing::start(
            Cost::within(config.memory),
            Arc::new(move || _ = waker.wake()),
        )?);
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
    let push_key = logs.1.people.push_key.take();
    server.set_logs(clock.now(), logs);
    if let Some(outbox) = outbox {
        server.files = FileStart::new(config, (Arc::clone(&outbox), clock), waker.clone());
        server.files.iter_mut().for_each(FileStart::start);
        let counted = Arc::clone(&server.metrics.webhooks);
        let mut webhooks = WebhookStart::new(outbox, &config.webhooks, clock, counted);
        server.begin_pushes(clock.now(), &mut webhooks, (push_key, &config.push), waker);
        server.set_webhooks(webhooks);
    }
}

/// Goes on with what another process hands over, once it is to.
fn take_up(
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
    let kept = open_store(config, &clock, &server.metrics, reactor.waker())?;
    set_store(&mut server, kept, config, (clock, reactor.waker()));
    let now = clock.now();
    for part in parts {
        server.adopt_domain(now, part).map_err(io::Error::other)?;
    }
    let mut effects = Effects::new();
    for (conn, stack) in connections {
        server.adopt(now, conn, stack, &mut effects);
        reactor.apply_all(now.tick, &mut effects);
    }
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

/// Says on standard output by which link the first administrator comes in, if there is none yet: at
/// each start another one, since only its hash is kept.
fn invite_admin(reactor: &Reactor, server: &mut Server, clock: &Clock) -> io::Result<()> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|error| io::Error::other(error.to_string()))?;
    let link = secret::make(secret::ADMIN, bits);
    if !server.invite_admin(clock.now(), &link) {
        return Ok(());
    }
    let place = page_place(&server.listeners, |id| reactor.local_addr(id));
    let mut out = io::stdout().lock();
    let told = writeln!(out, "first administrator {place}/#invite={} (for one use)", link.text());
    if let Err(error) = told.and_then(|()| out.flush()) {
        // As in `serve`: whoever has an account need not wait for the first administrator.
        log::warn!(error:%; "standard output cannot be written: the link of the first administrator is not said there");
    }
    Ok(())
}

/// Where the page is, as far as it has an address of IP: empty if it has none.
fn page_place(kinds: &[ListenerKind], addr: impl Fn(ListenerId) -> Option<SocketAddr>) -> String {
    let place = kinds.iter().zip(0u8..).find_map(|(kind, id)| {
        let scheme = match kind {
            ListenerKind::Http => "http",
            ListenerKind::Https => "https",
            ListenerKind::Tcp | ListenerKind::Admin => return None,
        };
        addr(ListenerId(id)).map(|addr| format!("{scheme}://{addr}"))
    });
    place.unwrap_or_default()
}

/// The logs, and what was kept of them.
type StoredLogs = (Box<dyn Logs>, Snapshot);

/// The logs, and what was kept of them. Where all rooms are in memory and nothing was stored
/// before, no file is made.
fn open_store(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    waker: Waker,
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
        policies: config.policies.clone(),
        metrics: Arc::clone(&metrics.store),
    };
    // It fails only if the poller is gone, and the loop with it.
    let wake = move || _ = waker.wake();
    let (logs, snapshot, outbox) = store::open_with_outbox(&options, *clock, Arc::new(wake))?;
    Ok(((logs, snapshot), Some(outbox)))
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
fn listeners(
    config: &Config,
    connections_max: usize,
    find: Option<&Arc<InUse>>,
    predecessor: &mut Option<Predecessor>,
) -> io::Result<(ReactorConfig, Vec<ListenerKind>, Vec<String>)> {
    let mut listeners = Vec::new();
    let (mut kinds, mut names) = (Vec::new(), Vec::new());
    let mut inherited = Inherited::default();
    let proxies: Arc<[Network]> = config.proxies.as_slice().into();
    let ticketer = find.map(|_| tls::ticketer()).transpose().map_err(io::Error::other)?;
    let tls_with = |protocol: &[u8]| {
        let (find, ticketer) = find.cloned().zip(ticketer.clone())?;
        Some(tls::server_config(find, ticketer, protocol))
    };
    let http_tls = tls_with(HTTP_PROTOCOL).transpose().map_err(io::Error::other)?;
    let tcp_tls = tls_with(TCP_PROTOCOL).transpose().map_err(io::Error::other)?;
    for (kind, address) in addresses(config) {
        let name = name_of(&(kind, address));
        let taken_over = predecessor.as_mut().and_then(|other| other.listener(&name));
        names.push(name);
        let endpoint = match &address.place {
            Place::Unix(path) if let Some(socket) = taken_over => {
                Endpoint::TakenOver(Arc::new(socket), Some(path.clone()))
            }
            _ if let Some(socket) = taken_over => Endpoint::TakenOver(Arc::new(socket), None),
            Place::Ip(addr) => Endpoint::Ip(*addr),
            Place::Unix(path) => Endpoint::Unix(path.clone(), config.socket_mode),
            Place::Systemd => Endpoint::Inherited(inherited.next()?),
        };
        let server_config = if kind == ListenerKind::Tcp { &tcp_tls } else { &http_tls };
        let server_config = server_config.clone().filter(|_| address.is_tls);
        let tls = server_config
            .map(|config| TlsListener { config, otherwise: rejection::without_tls(kind) });
        listeners.push(ListenerConfig {
            keep_alive: kind == ListenerKind::Tcp,
            refusal: if address.is_tls { |_, _| Bytes::new() } else { rejection::of(kind) },
            limited: kind != ListenerKind::Admin,
            tls,
            proxies: address.has_proxy_header.then(|| Arc::clone(&proxies)),
            // Only a request can say whom it is for.
            trusted: if kind == ListenerKind::Tcp { Arc::from([]) } else { Arc::clone(&proxies) },
            endpoint,
        });
        kinds.push(kind);
    }
    let limits = &config.limits;
    let reactor = ReactorConfig {
        listeners,
        connections_max,
        connections_per_address_max: limits.per_address.unwrap_or(u32::MAX),
        half_open_per_address_max: limits.half_open_per_address.unwrap_or(u32::MAX),
        connects: Rate::new(limits.connects_per_s, limits.connects_burst),
        loopback_counts: limits.per_address_loopback,
        read_len_max: READ_LEN_MAX.min(limits.read_ahead),
        outbound_bytes_max: limits.outbound_hard_bytes,
        outbound_total_max: limits.outbound_total_bytes,
        segment_len_max: config.memory.map(|_| limits.send_buffer_bytes),
        receive_buffer_len: limits.receive_buffer_bytes,
        send_buffer_len: limits.send_buffer_bytes,
        stall_timeout: config.timeouts.stall,
        handshake_timeout: config.timeouts.handshake,
        handshakes_max: config.tls.handshakes,
        close_timeout: config.timeouts.close,
        ..ReactorConfig::default()
    };
    Ok((reactor, kinds, names))
}

/// What a listener is for, as another process knows it by.
fn name_of((kind, address): &(ListenerKind, &ListenAddress)) -> String {
    match &address.place {
        Place::Ip(addr) => format!("{kind:?} {addr}"),
        Place::Unix(path) => format!("{kind:?} unix:{}", path.display()),
        Place::Systemd => format!("{kind:?} systemd"),
    }
}

/// Where to listen, and for what, in the order of the listeners.
fn addresses(config: &Config) -> impl Iterator<Item = (ListenerKind, &ListenAddress)> {
    let http = config.listen.iter().map(|address| {
        (if address.is_tls { ListenerKind::Https } else { ListenerKind::Http }, address)
    });
    let tcp = config.tcp.iter().map(|address| (ListenerKind::Tcp, address));
    let admin = config.admin.iter().map(|address| (ListenerKind::Admin, address));
    http.chain(tcp).chain(admin)
}

/// The certificates, if a listener speaks TLS.
fn watch_certificates(config: &Config, clock: Clock) -> io::Result<Option<CertificateWatch>> {
    let is_needed = addresses(config).any(|(_, address)| address.is_tls);
    is_needed.then(|| CertificateWatch::start(&config.tls, clock)).transpose()
}

/// Says on standard output where the server listens, a line for each listener.
fn announce(reactor: &Reactor, config: &Config, kinds: &[ListenerKind]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let are_tls = addresses(config).map(|(_, address)| address.is_tls);
    for ((kind, is_tls), id) in kinds.iter().zip(are_tls).zip(0u8..) {
        let Some(addr) = reactor.listener_name(ListenerId(id)) else { continue };
        match kind {
            ListenerKind::Http => writeln!(out, "listening http://{addr} (WebSocket at /ws)")?,
            ListenerKind::Https => writeln!(out, "listening https://{addr} (WebSocket at /ws)")?,
            ListenerKind::Tcp if is_tls => writeln!(out, "listening tls://{addr}")?,
            ListenerKind::Tcp => writeln!(out, "listening tcp://{addr}")?,
            ListenerKind::Admin if is_tls => writeln!(out, "listening admin https://{addr}")?,
            ListenerKind::Admin => writeln!(out, "listening admin http://{addr}")?,
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::ListenerKind::{Admin, Http, Https, Tcp};
    use super::*;

    #[track_caller]
    fn check(kinds: &[ListenerKind], expect: &str) {
        // The first listener is in the file system, where no browser can go.
        let addr = |ListenerId(id)| (id > 0).then(|| SocketAddr::from(([127, 0, 0, 1], id.into())));
        assert_eq!(page_place(kinds, addr), expect);
    }

    #[test]
    fn the_first_administrator_is_sent_to_where_the_page_is() {
        check(&[Http, Tcp, Http], "http://127.0.0.1:2");
        check(&[Tcp, Admin, Https, Http], "https://127.0.0.1:2");
        check(&[Http, Tcp, Admin], "");
    }
}
