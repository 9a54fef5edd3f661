//! All connections, and everything that the handler can ask of them.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry};
use slab::Slab;
use socket2::SockRef;

use super::address_limits::AddressShare;
use super::config::ReactorConfig;
use super::connection::{Connection, Flags, Phase};
use super::outbound::Outbound;
use super::shared::Shared;
use super::source::Source;
use super::tls::Arrival;
use crate::metrics::ReactorMetrics;
use crate::net::{CloseReason, ConnId, Ending, Network, Pause, SharedFrame, is_in};
use crate::time::Tick;

/// Rejected connections that linger at a time so that their peers can read why; further ones are
/// closed at once.
const REJECTED_MAX: usize = 64;

/// A broadcast to at least this many is flushed in portions, so that it does not delay what is sent
/// to one.
const BULK_RECIPIENTS_MIN: usize = 65;

// Lingering rejected connections must not matter beside those that are served.
const _: () = assert!(REJECTED_MAX < ConnId::SLOTS_MAX / 1024);

/// A connection that has been removed.
pub(super) struct Removed {
    pub(super) id: ConnId,
    pub(super) reason: CloseReason,
    pub(super) share: AddressShare,
    /// The handler never knew it.
    pub(super) is_hidden: bool,
    /// It was over a limit.
    pub(super) is_rejected: bool,
}

/// All connections with their frames and deadlines.
///
/// Invariants: a connection is on a list exactly if its flag says so, except that a list may name a
/// slot whose connection has gone or has been replaced, which the missing flag shows; it is in
/// `ended` exactly if its phase is; the wheel holds no timer of a slot that is vacant.
pub(super) struct Connections {
    pub(super) slab: Slab<Connection>,
    pub(super) shared: Shared,
    /// The handler's tags of the connections that are still connecting, by slot.
    pub(super) connecting: BTreeMap<usize, u64>,
    /// The connections that are shaking hands, by slot.
    pub(super) arrivals: BTreeMap<usize, Arrival>,
    /// Whom the connections speak for that came by a proxy, by slot.
    pub(super) clients: BTreeMap<usize, IpAddr>,
    /// The generation of the newest connection.
    generation: u64,
    rejected: usize,
    outbound_bytes_max: usize,
    pub(super) send_buffer_len: usize,
    pub(super) handshake_timeout: Duration,
    close_timeout: Duration,
}

impl Connections {
    pub(super) fn new(
        config: &ReactorConfig,
        registry: Registry,
        metrics: Arc<ReactorMetrics>,
    ) -> Self {
        // As many as there can ever be, so that no growth copies a million connections in one turn.
        // Pages that were never used take no memory.
        let slots = config.connections_max.min(ConnId::SLOTS_MAX) + REJECTED_MAX;
        Self {
            slab: Slab::with_capacity(slots),
            shared: Shared::new(config, slots, registry, metrics),
            connecting: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            clients: BTreeMap::new(),
            generation: 0,
            rejected: 0,
            outbound_bytes_max: config.outbound_bytes_max,
            send_buffer_len: config.send_buffer_len,
            handshake_timeout: config.handshake_timeout,
            close_timeout: config.close_timeout,
        }
    }

    /// Connections that the handler knows.
    pub(super) fn len(&self) -> usize {
        self.slab.len() - self.rejected - self.connecting.len() - self.arrivals.len()
    }

    /// Whether the connection is there and not closing.
    pub(super) fn is_open(&mut self, id: ConnId) -> bool {
        self.open(id).is_some()
    }

    /// The connection of that id, if it is there and not closing, beside the state that all share.
    #[inline]
    fn open(&mut self, id: ConnId) -> Option<(&mut Connection, &mut Shared)> {
        self.find(id).filter(|(connection, _)| connection.phase == Phase::Open)
    }

    /// The connection of that id in whatever phase, beside the state that all share.
    #[inline]
    pub(super) fn find(&mut self, id: ConnId) -> Option<(&mut Connection, &mut Shared)> {
        let connection = self.slab.get_mut(id.slot()).filter(|found| found.id == id)?;
        Some((connection, &mut self.shared))
    }

    /// Names an accepted socket and registers it for reading.
    ///
    /// # Errors
    ///
    /// If the poller takes no more, or there are as many connections as can be named.
    pub(super) fn insert(&mut self, stream: TcpStream, share: AddressShare) -> io::Result<ConnId> {
        // Priority says that a byte is urgent, at which a read stops.
        self.register(stream, share, Interest::READABLE | Interest::PRIORITY)
    }

    /// The same, for the given kinds of edges.
    pub(super) fn register(
        &mut self,
        mut stream: TcpStream,
        share: AddressShare,
        interest: Interest,
    ) -> io::Result<ConnId> {
        let entry = self.slab.vacant_entry();
        let generation = self.generation + 1;
        // The last generation is reserved for tokens that name no connection.
        let id = ConnId::new(entry.key(), generation)
            .filter(|_| generation < ConnId::GENERATION_MAX)
            .ok_or_else(|| io::Error::other("no name is left for another connection"))?;
        let token = Source::Connection(id).token();
        self.shared.registry.register(&mut stream, token, interest)?;
        // Only now: a name that was not given out is not used up.
        self.generation = generation;
        // It owns nothing yet: nodes come from the pool when something waits.
        let outbound = Outbound::new(self.outbound_bytes_max);
        entry.insert(Connection::new(id, stream, share, outbound));
        Ok(id)
    }

    /// Tells a peer over a limit why it is rejected, and lingers so that it can read it. The
    /// handler never learns of the connection.
    pub(super) fn reject(&mut self, now: Tick, stream: TcpStream, refusal: SharedFrame) {
        if refusal.is_empty() || self.rejected >= REJECTED_MAX {
            super::acceptor::write_refusal(&stream, &refusal);
            return;
        }
        let Ok(id) = self.insert(stream, AddressShare::UNCOUNTED) else { return };
        let Some((connection, shared)) = self.open(id) else { return };
        connection.flags.set(Flags::HIDDEN);
        shared.push(connection, refusal, Flags::URGENT);
        // Counted apart, so that `len` is what the handler knows.
        self.rejected += 1;
        self.close(now, id, CloseReason::Overloaded, Ending::Linger);
    }

    /// Appends to the ring of one connection.
    #[inline]
    pub(super) fn send(&mut self, id: ConnId, frame: SharedFrame) {
        if let Some((connection, shared)) = self.open(id) {
            shared.made_bytes += frame.len() as u64;
            shared.push(connection, frame, Flags::URGENT);
        }
    }

    /// Appends to the rings of many.
    pub(super) fn broadcast(&mut self, to: &[ConnId], frame: &SharedFrame) {
        // By the number of recipients and not by the length: each is a call.
        let flag = if to.len() < BULK_RECIPIENTS_MIN { Flags::URGENT } else { Flags::BULK };
        for id in to {
            if let Some((connection, shared)) = self.open(*id) {
                shared.push(connection, frame.clone(), flag);
            }
        }
    }

    /// Sets the handler's deadline.
    pub(super) fn arm(&mut self, id: ConnId, deadline: Tick) {
        let Some((connection, shared)) = self.open(id) else { return };
        connection.deadline = deadline;
        shared.ensure_timer(connection);
    }

    /// Reports to the handler, once, when the ring is empty after a flush.
    pub(super) fn wake(&mut self, id: ConnId) {
        let Some((connection, shared)) = self.open(id) else { return };
        connection.flags.set(Flags::WAKE);
        // Though nothing may wait: it is the flush of an empty ring that reports it.
        shared.lists.queue_flush(connection, Flags::URGENT);
    }

    pub(super) fn pause(&mut self, id: ConnId, pause: Pause) {
        let Some((connection, shared)) = self.open(id) else { return };
        connection.flags.set(Flags::PAUSED);
        match pause {
            Pause::Answers => connection.flags.clear(Flags::PACED),
            Pause::Rate => {
                connection.flags.set(Flags::PACED);
                // A FIN that is announced already is read in spite of the pause: see `takes_bytes`.
                shared.lists.queue_read(connection);
            }
        }
    }

    pub(super) fn resume(&mut self, id: ConnId) {
        let Some((connection, shared)) = self.open(id) else { return };
        connection.flags.clear(Flags::PAUSED.and(Flags::PACED));
        // The edge may have come during the pause, and is not told again.
        shared.lists.queue_read(connection);
    }

    pub(super) fn limit_outbound(&mut self, id: ConnId, bytes_max: usize) {
        let Some((connection, _)) = self.open(id) else { return };
        connection.outbound.limit(bytes_max);
    }

    /// Ends a connection, at the end of the turn at the earliest.
    pub(super) fn close(&mut self, now: Tick, id: ConnId, reason: CloseReason, ending: Ending) {
        let close_at = now.after(self.close_timeout);
        let Some((connection, shared)) = self.find(id) else { return };
        if !matches!(connection.phase, Phase::Open | Phase::Arriving) {
            return;
        }
        connection.phase = match ending {
            Ending::Abort => return shared.lists.end(connection, reason, Flags::RESET),
            // One with TLS has still to say that nothing more comes.
            Ending::Flush if connection.outbound.is_empty() && !connection.is_tls => {
                return shared.lists.end(connection, reason, Flags::default());
            }
            Ending::Flush => Phase::Flushing(reason),
            Ending::Linger => Phase::Lingering(reason),
        };
        connection.deadline = close_at;
        // From here on the close deadline bounds a stalled socket, too.
        connection.stall_at = Tick::MAX;
        shared.ensure_timer(connection);
        shared.lists.queue_flush(connection, Flags::URGENT);
        // What still comes has to be read, also to be discarded: a socket that is closed with
        // unread bytes resets the connection, and the peer loses what it has not read yet (RFC 1122
        // section 4.2.2.13).
        shared.lists.queue_read(connection);
    }

    /// Lists the connections that come from one of these addresses. The kernel is asked, so that an
    /// idle connection need not keep its peer's address.
    pub(super) fn find_by_address(&mut self, addresses: &[Network]) {
        for (_, connection) in &self.slab {
            let client = self.clients.get(&connection.id.slot()).copied();
            let peer = || connection.stream.peer_addr().ok().map(|peer| peer.ip());
            if client.or_else(peer).is_some_and(|peer| is_in(addresses, peer)) {
                self.shared.lists.addresses_found.push(connection.id);
            }
        }
    }

    /// Ends every connection that is left.
    pub(super) fn end_all(&mut self, reason: CloseReason) {
        for (_, connection) in &mut self.slab {
            self.shared.lists.end(connection, reason, Flags::RESET);
        }
    }

    /// Removes and closes the next connection that has ended.
    pub(super) fn poll_ended(&mut self) -> Option<Removed> {
        let slot = self.shared.lists.ended.pop_front()?;
        let mut connection = self.slab.try_remove(slot as usize)?;
        let Phase::Ended(reason) = connection.phase else { return None };
        connection.outbound.clear(&mut self.shared.pool);
        self.shared.wheel.cancel(connection.slot());
        if connection.flags.any(Flags::RESET) {
            // Best effort: if it fails, the peer sees FIN instead of a reset.
            let _set = SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO));
        }
        self.shared.tls.remove(&connection);
        let is_rejected = connection.flags.any(Flags::HIDDEN);
        self.rejected -= usize::from(is_rejected);
        let is_hidden = self.arrivals.remove(&connection.id.slot()).is_some() || is_rejected;
        self.clients.remove(&connection.id.slot());
        let Connection { id, share, .. } = connection;
        Some(Removed { id, reason, share, is_hidden, is_rejected })
    }
}
