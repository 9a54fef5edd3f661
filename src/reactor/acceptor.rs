//! Taking new connections from the listeners, within the limits and whatever fails.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};

use super::addresses::{Addresses, Place};
use super::backoff::{AcceptBackoff, Fault};
use super::config::ReactorConfig;
use super::listener;
use super::source::Source;
use crate::metrics::ReactorMetrics;
use crate::net::ListenerId;
use crate::time::Tick;

/// Connections that one attempt turns away when descriptors have run out.
const SHED_MAX: usize = 16;

/// Somebody who came.
pub(super) enum Arrival {
    /// A connection within the limits.
    Welcome {
        stream: TcpStream,
        peer: SocketAddr,
        listener: ListenerId,
        /// To be given back by [`Acceptor::left`].
        place: Place,
    },
    /// A connection over a limit, and what it is to be told.
    TurnedAway { stream: TcpStream, refusal: Bytes },
}

struct Listener {
    socket: TcpListener,
    addr: SocketAddr,
    refusal: Bytes,
    limited: bool,
    /// An edge came, and no attempt since has found that nobody waits.
    is_ready: bool,
}

/// The listeners with their limits.
pub(super) struct Acceptor {
    listeners: Vec<Listener>,
    /// Where to look first for somebody who waits.
    next: usize,
    backoff: AcceptBackoff,
    addresses: Addresses,
    connections_max: usize,
    /// Connections that count for the limit.
    counted: usize,
    /// Held so that there is one descriptor left to turn somebody away with when there is no other.
    spare: Option<File>,
    metrics: Arc<ReactorMetrics>,
}

impl Acceptor {
    /// Opens all listeners and registers each under its token.
    ///
    /// # Errors
    ///
    /// If one cannot be opened, in words.
    pub(super) fn bind(
        config: &ReactorConfig,
        registry: &Registry,
        metrics: Arc<ReactorMetrics>,
    ) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(config.listeners.len());
        for (nth, listener) in config.listeners.iter().enumerate() {
            let mut socket = TcpListener::from_std(listener::open(config, listener)?);
            registry.register(&mut socket, Source::Listener(nth).token(), Interest::READABLE)?;
            let addr = socket.local_addr()?;
            let (refusal, limited) = (listener.refusal.clone(), listener.limited);
            listeners.push(Listener { socket, addr, refusal, limited, is_ready: true });
        }
        Ok(Self {
            listeners,
            next: 0,
            backoff: AcceptBackoff::new(),
            addresses: Addresses::new(config.connections_per_address_max, config.loopback_counts),
            connections_max: config.connections_max,
            counted: 0,
            spare: open_spare(),
            metrics,
        })
    }

    /// Where the listener listens, with the port that the kernel chose.
    pub(super) fn local_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.listeners.get(usize::from(listener.0)).map(|listener| listener.addr)
    }

    /// An edge: somebody waits at the listener.
    pub(super) fn note_ready(&mut self, nth: usize) {
        if let Some(listener) = self.listeners.get_mut(nth) {
            listener.is_ready = true;
        }
    }

    /// Whether somebody may be waiting who can be attended to at once.
    pub(super) fn has_work(&self, now: Tick) -> bool {
        !self.backoff.is_pausing(now) && self.is_anyone_waiting()
    }

    /// When to try again after descriptors ran out, [`Tick::MAX`] if they have not.
    pub(super) fn retry_at(&self) -> Tick {
        if self.is_anyone_waiting() { self.backoff.retry_at() } else { Tick::MAX }
    }

    /// The next one who came. Each attempt takes one from `budget`; `None` if it is used up or nobody
    /// is waiting who can be attended to now.
    ///
    /// # Errors
    ///
    /// If a listening socket is broken: going on would be up and deaf.
    pub(super) fn poll(&mut self, now: Tick, budget: &mut usize) -> io::Result<Option<Arrival>> {
        if self.backoff.is_pausing(now) {
            return Ok(None);
        }
        while let Some(nth) = self.next_ready().filter(|_| *budget > 0) {
            *budget -= 1;
            let error = match self.listeners[nth].socket.accept() {
                Ok((stream, peer)) => {
                    self.backoff.succeeded();
                    self.next = nth + 1;
                    return Ok(Some(self.admit(nth, stream, peer)));
                }
                Err(error) => error,
            };
            match Fault::of(&error) {
                Fault::NobodyWaits => self.listeners[nth].is_ready = false,
                Fault::Lost => self.metrics.accept_lost.add(1),
                Fault::Exhausted => {
                    self.pause(now, &error);
                    self.shed(nth);
                    return Ok(None);
                }
                Fault::Broken => {
                    let addr = self.listeners[nth].addr;
                    let text = format!("cannot accept connections on {addr} any more: {error}");
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
        Ok(None)
    }

    /// A connection has ended.
    pub(super) fn left(&mut self, place: Place) {
        if place != Place::FREE {
            self.counted -= 1;
            self.addresses.leave(place);
        }
    }

    /// Closes all listeners.
    pub(super) fn close(&mut self) {
        self.listeners.clear();
    }

    /// The next listener at which somebody waits, one after the other, so that none waits for a loud one.
    fn next_ready(&self) -> Option<usize> {
        let count = self.listeners.len();
        (self.next..self.next + count)
            .map(|nth| nth % count)
            .find(|nth| self.listeners.get(*nth).is_some_and(|listener| listener.is_ready))
    }

    fn is_anyone_waiting(&self) -> bool {
        self.listeners.iter().any(|listener| listener.is_ready)
    }

    fn admit(&mut self, nth: usize, stream: TcpStream, peer: SocketAddr) -> Arrival {
        let listener = &self.listeners[nth];
        let id = ListenerId(u8::try_from(nth).unwrap_or(u8::MAX));
        if !listener.limited {
            return Arrival::Welcome { stream, peer, listener: id, place: Place::FREE };
        }
        if self.counted >= self.connections_max {
            self.metrics.refused_full.add(1);
            return Arrival::TurnedAway { stream, refusal: listener.refusal.clone() };
        }
        let Ok(place) = self.addresses.enter(peer.ip()) else {
            self.metrics.refused_address.add(1);
            return Arrival::TurnedAway { stream, refusal: listener.refusal.clone() };
        };
        self.counted += 1;
        Arrival::Welcome { stream, peer, listener: id, place }
    }

    fn pause(&mut self, now: Tick, error: &io::Error) {
        self.metrics.accept_exhausted.add(1);
        if let Some(times) = self.backoff.exhausted(now) {
            let open = self.counted;
            log::warn!(times, open; "cannot accept connections for now: {error}");
        }
    }

    /// Turns away a few of those who wait, with the spare descriptor, so that they can go elsewhere.
    fn shed(&mut self, nth: usize) {
        let listener = &mut self.listeners[nth];
        if self.spare.take().is_some() {
            for _ in 0..SHED_MAX {
                match listener.socket.accept() {
                    Ok((stream, _)) => turn_away(&stream, &listener.refusal),
                    Err(error) => {
                        listener.is_ready = Fault::of(&error) != Fault::NobodyWaits;
                        break;
                    }
                }
            }
        }
        self.spare = open_spare();
    }
}

/// Says the refusal as far as the socket takes it at once; the caller closes it.
pub(super) fn turn_away(mut stream: &TcpStream, refusal: &[u8]) {
    // Best effort: whoever does not get to read it sees a closed connection.
    let _told = stream.write(refusal);
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}
