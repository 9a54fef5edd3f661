//! Accepting connections within the limits, even when descriptors run out.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mio::Registry;
use mio::net::TcpStream;

use super::address_limits::{AddressLimits, AddressShare, TooMany};
use super::backoff::{AcceptBackoff, AcceptFault};
use super::config::{Excess, ReactorConfig, TlsListener};
use super::listener::ListeningSocket;
use super::source::Source;
use crate::log::Throttle;
use crate::metrics::ReactorMetrics;
use crate::net::{IpAddr, ListenerId, Network, is_in};
use crate::time::Tick;
use crate::time::clock::Now;

/// How often a connection that should have come by a proxy is worth a line.
const STRANGERS_EVERY: Duration = Duration::from_secs(5);

/// Connections that one attempt rejects when descriptors have run out.
const SHED_MAX: usize = 16;

/// A connection that was accepted.
pub(super) enum Arrival {
    /// A connection within the limits.
    Accepted {
        stream: TcpStream,
        peer: SocketAddr,
        listener: ListenerId,
        /// To be given back by [`Acceptor::release`].
        share: AddressShare,
    },
    /// A connection over a limit, and the bytes that tell it so.
    Rejected { stream: TcpStream, refusal: Bytes },
}

struct Listener {
    socket: ListeningSocket,
    refusal: fn(Excess, Now) -> Bytes,
    limited: bool,
    tls: Option<TlsListener>,
    proxies: Option<Arc<[Network]>>,
    trusted: Arc<[Network]>,
    /// An edge came, and no attempt since has found the queue empty.
    is_ready: bool,
}

impl From<TooMany> for Excess {
    fn from(excess: TooMany) -> Self {
        match excess {
            TooMany::Connections => Self::PerAddress,
            TooMany::HalfOpen => Self::HalfOpen,
            TooMany::Connects => Self::Connects,
        }
    }
}

/// The listeners with their limits.
pub(super) struct Acceptor {
    listeners: Vec<Listener>,
    /// The listener that is asked next.
    next: usize,
    backoff: AcceptBackoff,
    addresses: AddressLimits,
    /// With whom no hands are shaken, and until when.
    barred: Vec<(Network, Option<u64>)>,
    connections_max: usize,
    /// Bytes that wait for all connections at which no more are let in.
    waiting_max: u64,
    /// Bytes that wait for all connections.
    waiting: u64,
    /// Connections that count for the limit.
    counted: usize,
    /// Held so that one descriptor is left for rejecting connections when there is no other.
    spare: Option<File>,
    /// Limits the lines about connections that should have come by a proxy.
    strangers: Throttle,
    metrics: Arc<ReactorMetrics>,
}

impl Acceptor {
    /// Opens all listeners and registers each under its token.
    ///
    /// # Errors
    ///
    /// If one cannot be opened; the text says why and what to do.
    pub(super) fn bind(
        config: &ReactorConfig,
        registry: &Registry,
        metrics: Arc<ReactorMetrics>,
    ) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(config.listeners.len());
        // Listeners begin ready: connections may have come before the poller watched.
        for (nth, listener) in config.listeners.iter().enumerate() {
            let mut socket = ListeningSocket::open(config, listener)?;
            socket.register(registry, Source::Listener(nth).token())?;
            listeners.push(Listener {
                socket,
                refusal: listener.refusal,
                limited: listener.limited,
                tls: listener.tls.clone(),
                proxies: listener.proxies.clone(),
                trusted: Arc::clone(&listener.trusted),
                is_ready: true,
            });
        }
        Ok(Self {
            listeners,
            next: 0,
            backoff: AcceptBackoff::new(),
            addresses: AddressLimits::new(
                config.connections_per_address_max,
                config.loopback_counts,
            )
            .at_rate(config.connects)
            .with_half_open(config.half_open_per_address_max),
            barred: Vec::new(),
            connections_max: config.connections_max,
            waiting_max: config.waiting_max(),
            waiting: 0,
            counted: 0,
            spare: open_spare(),
            strangers: Throttle::new(1, STRANGERS_EVERY),
            metrics,
        })
    }

    /// So many bytes wait for all connections together.
    pub(super) const fn set_waiting(&mut self, bytes: u64) {
        self.waiting = bytes;
    }

    /// Where the listener listens, with the port that the kernel chose.
    pub(super) fn local_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.listeners.get(usize::from(listener.0))?.socket.local_addr()
    }

    /// The same for people, also in the file system.
    pub(super) fn name(&self, listener: ListenerId) -> Option<String> {
        Some(self.listeners.get(usize::from(listener.0))?.socket.name())
    }

    /// TLS of the listener, if its connections speak it.
    pub(super) fn tls(&self, listener: ListenerId) -> Option<&TlsListener> {
        self.listeners.get(usize::from(listener.0))?.tls.as_ref()
    }

    /// Whether the listener's connections begin with a PROXY header.
    pub(super) fn has_proxy_header(&self, listener: ListenerId) -> bool {
        self.listeners
            .get(usize::from(listener.0))
            .is_some_and(|listener| listener.proxies.is_some())
    }

    /// What a connection of the listener is told whose address is over a limit.
    pub(super) fn refusal(&self, now: Now, listener: ListenerId, excess: TooMany) -> Bytes {
        let listener = self.listeners.get(usize::from(listener.0));
        listener.map(|own| (own.refusal)(excess.into(), now)).unwrap_or_default()
    }

    /// Shakes no hands with these from now on.
    pub(super) fn bar(&mut self, addresses: Vec<(Network, Option<u64>)>) {
        self.barred = addresses;
    }

    /// Whether no hands are shaken with this address.
    pub(super) fn is_barred(&self, now: Now, address: IpAddr) -> bool {
        let holds = |until: Option<u64>| until.is_none_or(|until| until > now.wall_ms);
        let is = |(network, until): &(Network, _)| network.contains(address) && holds(*until);
        let is_barred = self.barred.iter().any(is);
        self.metrics.refused_banned.add(u64::from(is_barred));
        is_barred
    }

    /// A connection has shown who it is: what it counts for from now on.
    pub(super) fn count_as_open(&mut self, share: AddressShare) -> AddressShare {
        self.addresses.count_as_open(share)
    }

    /// Counts a connection for the address that it turns out to speak for.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if that has as many as it may, or connects too fast.
    pub(super) fn recount(
        &mut self,
        now: Tick,
        share: AddressShare,
        client: IpAddr,
    ) -> Result<AddressShare, TooMany> {
        if share == AddressShare::UNCOUNTED {
            return Ok(share);
        }
        // Given back first: a client at its bound that is named once more must not be refused for
        // its own sake.
        self.addresses.release(share);
        self.count(now, client)
    }

    /// Counts a connection for an address, and that it has come.
    fn count(&mut self, now: Tick, address: IpAddr) -> Result<AddressShare, TooMany> {
        // The rate first: who connects too fast takes no place from those who stay.
        let connected = self.addresses.connect(now, address);
        let counted = connected.and_then(|()| self.addresses.acquire(address));
        counted.inspect_err(|excess| match excess {
            TooMany::Connections => self.metrics.refused_address.add(1),
            TooMany::HalfOpen => self.metrics.refused_half_open.add(1),
            TooMany::Connects => self.metrics.refused_connects.add(1),
        })
    }

    /// An edge: connections wait at the listener.
    pub(super) fn on_ready(&mut self, nth: usize) {
        if let Some(listener) = self.listeners.get_mut(nth) {
            listener.is_ready = true;
        }
    }

    /// Whether connections may be waiting that can be accepted now.
    pub(super) fn has_work(&self, now: Tick) -> bool {
        !self.backoff.is_pausing(now) && self.is_any_ready()
    }

    /// When to try again after descriptors ran out, [`Tick::MAX`] if they have not.
    pub(super) fn retry_at(&self) -> Tick {
        if self.is_any_ready() { self.backoff.retry_at() } else { Tick::MAX }
    }

    /// The next connection. Each attempt takes one from `budget`; `None` if that is used up or no
    /// connection can be accepted now.
    ///
    /// # Errors
    ///
    /// If a listening socket is broken: the process would run on without accepting anybody.
    pub(super) fn poll(&mut self, now: Now, budget: &mut usize) -> io::Result<Option<Arrival>> {
        if self.backoff.is_pausing(now.tick) {
            return Ok(None);
        }
        while let Some(nth) = self.next_ready().filter(|_| *budget > 0) {
            // Failed attempts count, too, so that a stream of aborted connections cannot use up the
            // turn.
            *budget -= 1;
            let error = match self.listeners[nth].socket.accept() {
                Ok((stream, peer)) => {
                    self.backoff.on_success();
                    // Only a connection that was taken moves the turn on: a listener whose attempts
                    // fail is asked again, until its queue is empty.
                    self.next = nth + 1;
                    return Ok(Some(self.admit(now, nth, (stream, peer))));
                }
                Err(error) => error,
            };
            match AcceptFault::of(&error) {
                AcceptFault::NoneWaiting => self.listeners[nth].is_ready = false,
                AcceptFault::Lost => self.metrics.accept_lost.add(1),
                AcceptFault::Exhausted => {
                    self.pause(now.tick, &error);
                    self.shed(now, nth);
                    return Ok(None);
                }
                AcceptFault::Broken => {
                    let addr = self.listeners[nth].socket.name();
                    let text = format!("cannot accept connections on {addr} any more: {error}");
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
        Ok(None)
    }

    /// A connection has ended.
    pub(super) fn release(&mut self, share: AddressShare) {
        if share != AddressShare::UNCOUNTED {
            self.counted -= 1;
            self.addresses.release(share);
        }
    }

    /// Counts a connection that another process has accepted, whatever the limits say: for all, and
    /// for an address if it is one that counted, as half-open or not.
    pub(super) fn adopt(&mut self, of_address: Option<(IpAddr, bool)>) -> AddressShare {
        self.counted += 1;
        let Some((address, is_half_open)) = of_address else { return AddressShare::TOTAL_ONLY };
        let share = self.addresses.acquire(address).unwrap_or(AddressShare::TOTAL_ONLY);
        if is_half_open { share } else { self.addresses.count_as_open(share) }
    }

    /// The listening sockets, in their order.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.listeners.iter().map(|listener| listener.socket.as_fd())
    }

    /// Closes all listeners, which another process has: files of sockets stay.
    pub(super) fn release_listeners(&mut self, registry: &Registry) {
        for mut listener in self.listeners.drain(..) {
            listener.socket.release(registry);
        }
    }

    /// Closes all listeners.
    pub(super) fn close(&mut self) {
        self.listeners.clear();
    }

    /// The next listener at which connections wait, in rotation, so that a busy one does not starve
    /// the others.
    fn next_ready(&self) -> Option<usize> {
        let count = self.listeners.len();
        (self.next..self.next + count)
            .map(|nth| nth % count)
            .find(|nth| self.listeners.get(*nth).is_some_and(|listener| listener.is_ready))
    }

    fn is_any_ready(&self) -> bool {
        self.listeners.iter().any(|listener| listener.is_ready)
    }

    fn admit(&mut self, now: Now, nth: usize, (stream, peer): (TcpStream, SocketAddr)) -> Arrival {
        let listener = &self.listeners[nth];
        if let Some(proxies) = &listener.proxies
            && !is_in(proxies, peer.ip())
        {
            self.metrics.refused_proxy.add(1);
            if let Some(more) = self.strangers.admit(now.tick) {
                log::warn!(peer:% = peer.ip(), more; "closed a connection that is from none of the proxies: add its address to proxies, or connect elsewhere");
            }
            return Arrival::Rejected { stream, refusal: Bytes::new() };
        }
        let id = ListenerId(u8::try_from(nth).unwrap_or(u8::MAX));
        // The admin listener must be reachable even when the server is full.
        if !listener.limited {
            return Arrival::Accepted {
                stream,
                peer,
                listener: id,
                share: AddressShare::UNCOUNTED,
            };
        }
        // Before the counts by address, so that a full server makes no entries for those it turns
        // away.
        if self.counted >= self.connections_max {
            self.metrics.refused_full.add(1);
            let refusal = (listener.refusal)(Excess::Connections, now);
            return Arrival::Rejected { stream, refusal };
        }
        if self.waiting >= self.waiting_max {
            self.metrics.refused_memory.add(1);
            let refusal = (listener.refusal)(Excess::Memory, now);
            return Arrival::Rejected { stream, refusal };
        }
        // Whom a proxy speaks for is known later.
        let is_proxy = listener.proxies.is_some() || is_in(&listener.trusted, peer.ip());
        let (refusal, is_tls) = (listener.refusal, listener.tls.is_some());
        // With TLS only: to refuse it in the session, which can say why, would cost a handshake
        // first.
        if is_tls && listener.proxies.is_none() && self.is_barred(now, peer.ip()) {
            return Arrival::Rejected { stream, refusal: Bytes::new() };
        }
        let counted =
            if is_proxy { Ok(AddressShare::TOTAL_ONLY) } else { self.count(now.tick, peer.ip()) };
        let share = match counted {
            Ok(share) => share,
            Err(excess) => {
                return Arrival::Rejected { stream, refusal: refusal(excess.into(), now) };
            }
        };
        // Last, behind all that refuses: what is counted here is given back once, by `release`.
        self.counted += 1;
        Arrival::Accepted { stream, peer, listener: id, share }
    }

    fn pause(&mut self, now: Tick, error: &io::Error) {
        self.metrics.accept_exhausted.add(1);
        if let Some(times) = self.backoff.on_exhausted(now) {
            let open = self.counted;
            log::warn!(times, open; "cannot accept connections for now ({error}): raise ulimit -n or lower [limits] connections");
        }
    }

    /// Rejects a few waiting connections with the spare descriptor, so that their clients can go
    /// elsewhere instead of waiting.
    fn shed(&mut self, now: Now, nth: usize) {
        let listener = &mut self.listeners[nth];
        if self.spare.take().is_some() {
            let refusal = (listener.refusal)(Excess::Connections, now);
            for _ in 0..SHED_MAX {
                match listener.socket.accept() {
                    Ok((stream, _)) => write_refusal(&stream, &refusal),
                    Err(error) => {
                        listener.is_ready = AcceptFault::of(&error) != AcceptFault::NoneWaiting;
                        break;
                    }
                }
            }
        }
        self.spare = open_spare();
    }
}

/// Writes the refusal as far as the socket takes it at once; the caller closes it.
pub(super) fn write_refusal(mut stream: &TcpStream, refusal: &[u8]) {
    // Best effort: otherwise the client sees a closed connection.
    let _written = stream.write(refusal);
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}
