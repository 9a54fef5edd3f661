//! Connections and listeners that one process hands to the next: bytes, deadlines and descriptors.
//!
//! The kernel keeps a socket open as long as one process has a descriptor of it. So the process
//! that ends only lets go of its own, and sends nothing: no peer can tell. Edges are no part of
//! this: the poller of the next process tells the state of each socket when it is registered there.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use bytes::Bytes;
use mio::net::TcpStream;

use super::Reactor;
use super::address_limits::AddressShare;
use super::connection::{Connection, Flags, Phase};
use super::tls::Arrival;
use super::work_lists::Report;
use crate::net::{CloseReason, ConnId, Effects, IpAddr, ListenerId};
use crate::pack::{pack_enum, pack_struct};
use crate::time::Tick;
use crate::time::clock::Now;

/// What has been noted of a connection and is not in its socket.
#[derive(Debug)]
pub struct Carried {
    /// The handler's, and that of a socket that takes nothing.
    deadlines: (Tick, Tick),
    /// What waits for the socket, and how much may.
    outbound: Bytes,
    outbound_max: usize,
    flags: u16,
    phase: CarriedPhase,
    /// It counts for its address, there as half-open; or for the limit of all.
    counts: (Option<bool>, bool),
    client: Option<IpAddr>,
}

/// Where it is in its life.
#[derive(Debug)]
enum CarriedPhase {
    /// A PROXY header has come in part, at the listener of this number.
    Arriving {
        peer: SocketAddr,
        listener: u8,
        head: Vec<u8>,
    },
    Open,
    Flushing(CloseReason),
    Lingering(CloseReason),
    Discarding(CloseReason),
}

/// What is noted in flags and cannot be seen at the socket.
const KEPT: Flags = Flags::PAUSED.and(Flags::PACED).and(Flags::FINISHED).and(Flags::WAKE);

impl Carried {
    /// Bytes that wait for the socket.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbound.len()
    }

    /// Whether the handler knows the connection.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, CarriedPhase::Open)
    }

    /// Whether the handler has never heard of it.
    #[must_use]
    pub const fn is_arriving(&self) -> bool {
        matches!(self.phase, CarriedPhase::Arriving { .. })
    }
}

impl Reactor {
    /// The listening sockets, in their order.
    pub fn listening(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.acceptor.descriptors()
    }

    /// Every connection that can go on in another process, with its socket. Not those with TLS,
    /// whose keys stay where they are, nor those that are rejected.
    pub fn carry(&self) -> impl Iterator<Item = (ConnId, Carried, BorrowedFd<'_>)> {
        let drained =
            self.connections.shared.lists.reports.iter().filter_map(|report| match report {
                Report::Drained(conn) => Some(*conn),
                Report::Blocked(_) => None,
            });
        // Whoever has drained and is not told yet is told there.
        let drained: BTreeSet<ConnId> = drained.collect();
        self.connections.slab.iter().filter_map(move |(_, connection)| {
            let mut carried = self.carry_one(connection)?;
            if drained.contains(&connection.id) {
                carried.flags |= Flags::WAKE.within(KEPT);
            }
            Some((connection.id, carried, connection.stream.as_fd()))
        })
    }

    fn carry_one(&self, connection: &Connection) -> Option<Carried> {
        if connection.is_tls || connection.flags.any(Flags::HIDDEN) {
            return None;
        }
        let slot = connection.id.slot();
        let phase = match connection.phase {
            Phase::Connecting | Phase::Ended(_) => return None,
            Phase::Arriving => {
                let arrival = self.connections.arrivals.get(&slot)?;
                let Arrival { peer, listener, head, .. } = arrival.clone();
                CarriedPhase::Arriving { peer, listener: listener.0, head }
            }
            Phase::Open => CarriedPhase::Open,
            Phase::Flushing(reason) => CarriedPhase::Flushing(reason),
            Phase::Lingering(reason) => CarriedPhase::Lingering(reason),
            Phase::Discarding(reason) => CarriedPhase::Discarding(reason),
        };
        let mut outbound = Vec::new();
        connection.outbound.copy_front(&self.connections.shared.pool, usize::MAX, &mut outbound);
        Some(Carried {
            deadlines: (connection.deadline, connection.stall_at),
            outbound: outbound.into(),
            outbound_max: connection.outbound.bytes_max(),
            flags: connection.flags.within(KEPT),
            phase,
            counts: (connection.share.of_address(), connection.share != AddressShare::UNCOUNTED),
            client: self.connections.clients.get(&slot).copied(),
        })
    }

    /// Goes on with a connection of another process. `listener` says which listener is which here.
    ///
    /// # Errors
    ///
    /// If the poller takes no more, or there are as many connections as can be named.
    pub fn adopt(
        &mut self,
        now: Now,
        (socket, carried): (OwnedFd, Carried),
        listener: impl Fn(u8) -> Option<ListenerId>,
    ) -> io::Result<Option<ConnId>> {
        let stream = TcpStream::from_std(std::net::TcpStream::from(socket));
        let Carried { deadlines, outbound, outbound_max, flags, phase, counts, client } = carried;
        let share = if counts.1 {
            // Whom a proxy has named, if one has: the socket's own address is the proxy's.
            let address = client.or_else(|| stream.peer_addr().ok().map(|peer| peer.ip()));
            self.acceptor.adopt(address.zip(counts.0))
        } else {
            AddressShare::UNCOUNTED
        };
        let phase = match phase {
            CarriedPhase::Arriving { peer, listener: number, head } => {
                let Some(listener) = listener(number) else { return Ok(None) };
                let arrival = Arrival { peer, listener, tls: None, head };
                return self
                    .connections
                    .insert_arriving(now, (stream, share), arrival, true)
                    .map(Some);
            }
            CarriedPhase::Open => Phase::Open,
            CarriedPhase::Flushing(reason) => Phase::Flushing(reason),
            CarriedPhase::Lingering(reason) => Phase::Lingering(reason),
            CarriedPhase::Discarding(reason) => Phase::Discarding(reason),
        };
        let conn = self.connections.insert(stream, share)?;
        if let Some(client) = client {
            self.connections.clients.insert(conn.slot(), client);
        }
        let shared = &mut self.connections.shared;
        let Some(connection) = self.connections.slab.get_mut(conn.slot()) else { return Ok(None) };
        (connection.deadline, connection.stall_at) = deadlines;
        connection.phase = phase;
        connection.flags.set(Flags::of(flags, KEPT));
        // It was within its bound there: what had found space must not be refused here.
        connection.outbound.limit(usize::MAX);
        if !outbound.is_empty() {
            // The handler waits to be told.
            connection.flags.set(Flags::WAKE);
        }
        _ = connection.outbound.push(&mut shared.pool, outbound);
        connection.outbound.limit(outbound_max);
        // No event of the poller need come for one that only waits to be written to.
        let is_closing = matches!(phase, Phase::Flushing(_) | Phase::Lingering(_));
        if is_closing || connection.flags.any(Flags::WAKE) {
            shared.lists.queue_flush(connection, Flags::URGENT);
        }
        shared.ensure_timer(connection);
        Ok(Some(conn))
    }

    /// Applies effects outside of a turn.
    pub fn apply_all(&mut self, now: Tick, effects: &mut Effects) {
        effects.drain(..).for_each(|effect| self.apply(now, effect));
    }

    /// Lets go of the listeners, and of the connections that `is_carried` names: they go on in
    /// another process. Nothing is said of them any more.
    pub fn release(&mut self, is_carried: impl Fn(ConnId) -> bool) {
        self.acceptor.release_listeners(&self.connections.shared.registry);
        let carried = self.connections.slab.iter().map(|(_, connection)| connection.id);
        let carried: Vec<ConnId> = carried.filter(|&conn| is_carried(conn)).collect();
        for conn in carried {
            if let Some(share) = self.connections.release(conn) {
                self.acceptor.release(share);
            }
        }
    }

    /// Whether the process was asked to stop, and the handler does not know it yet.
    pub fn is_asked_to_stop(&mut self) -> bool {
        self.signals.as_mut().is_some_and(super::StopSignals::is_stopping)
    }

    /// Leaves the loop at this moment at the latest, or when no connection is left.
    pub const fn leave_by(&mut self, deadline: Tick) {
        self.exit_at = Some(deadline);
    }

    /// Says the handler's alarm at this moment.
    pub const fn set_alarm(&mut self, at: Tick) {
        self.alarm = at;
    }

    /// Accepts, reads and tells deadlines again.
    pub const fn thaw(&mut self) {
        self.mode = super::Mode::Turning;
    }
}

impl super::Connections {
    /// Lets go of a connection's descriptor.
    fn release(&mut self, conn: ConnId) -> Option<AddressShare> {
        let mut connection = self.slab.try_remove(conn.slot())?;
        connection.outbound.clear(&mut self.shared.pool);
        self.shared.wheel.cancel(connection.slot());
        // The socket stays open elsewhere, so that closing the descriptor does not take it off.
        _ = self.shared.registry.deregister(&mut connection.stream);
        self.arrivals.remove(&conn.slot());
        self.clients.remove(&conn.slot());
        Some(connection.share)
    }
}

pack_struct!(Carried {
    deadlines: (Tick, Tick),
    outbound: Bytes,
    outbound_max: usize,
    flags: u16,
    phase: CarriedPhase,
    counts: (Option<bool>, bool),
    client: Option<IpAddr>,
});
pack_enum!(CarriedPhase {
    0: Arriving { peer: SocketAddr, listener: u8, head: Vec<u8> },
    1: Open,
    2: Flushing(reason: CloseReason),
    3: Lingering(reason: CloseReason),
    4: Discarding(reason: CloseReason),
});
