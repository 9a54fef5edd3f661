//! All connections, and everything that the handler can ask of them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry};
use slab::Slab;
use socket2::SockRef;

use super::addresses::Place;
use super::config::ReactorConfig;
use super::connect;
use super::connection::{Connection, Marks, Phase};
use super::outbound::{FramePool, Outbound, detached};
use super::ready::Lists;
use super::source::Source;
use crate::metrics::ReactorMetrics;
use crate::net::{CloseReason, ConnId, Ending, SharedFrame};
use crate::time::Tick;
use crate::time::wheel::TimerWheel;

/// Connections that are turned away and linger for that at a time; further ones are just closed.
const TURNED_AWAY_MAX: usize = 64;

/// A broadcast to more than this is flushed in portions, so that it does not hold up what is sent to one.
const BULK_RECIPIENTS_MIN: usize = 65;

/// A connection that has been removed.
pub(super) struct Gone {
    pub(super) id: ConnId,
    pub(super) reason: CloseReason,
    pub(super) place: Place,
    /// Whether the handler has heard of it.
    pub(super) was_told: bool,
}

/// All connections with their frames and deadlines.
///
/// Invariants: a connection is on a list exactly if its mark says so, except that a list may name a slot
/// whose connection has gone or has been replaced, which the missing mark shows; it is in `ended`
/// exactly if its phase is; the wheel holds no timer of a slot that is vacant.
pub(super) struct Connections {
    pub(super) slab: Slab<Connection>,
    pub(super) pool: FramePool,
    /// Keyed by slot.
    pub(super) wheel: TimerWheel<u32>,
    pub(super) lists: Lists,
    pub(super) registry: Registry,
    pub(super) metrics: Arc<ReactorMetrics>,
    /// The handler's names of those that are still connecting, by slot.
    pub(super) connecting: BTreeMap<usize, u64>,
    /// Given to the last connection.
    generation: u64,
    turned_away: usize,
    /// See [`ReactorConfig::unflushed_max`].
    unflushed_max: usize,
    outbound_bytes_max: usize,
    pub(super) send_buffer_len: usize,
    pub(super) stall_timeout: Duration,
    close_timeout: Duration,
}

impl Connections {
    pub(super) fn new(
        config: &ReactorConfig,
        registry: Registry,
        metrics: Arc<ReactorMetrics>,
    ) -> Self {
        // The most that there will be, so that no growth ever copies a million connections in one turn; pages that
        // are not used are not resident.
        let slots = config.connections_max.min(ConnId::SLOTS_MAX) + TURNED_AWAY_MAX;
        Self {
            slab: Slab::with_capacity(slots),
            pool: FramePool::new(),
            wheel: TimerWheel::with_capacity(slots),
            lists: Lists::default(),
            registry,
            metrics,
            connecting: BTreeMap::new(),
            generation: 0,
            turned_away: 0,
            unflushed_max: ReactorConfig::unflushed_max(config.outbound_bytes_max),
            outbound_bytes_max: config.outbound_bytes_max,
            send_buffer_len: config.send_buffer_len,
            stall_timeout: config.stall_timeout,
            close_timeout: config.close_timeout,
        }
    }

    /// Connections that the handler knows.
    pub(super) fn len(&self) -> usize {
        self.slab.len() - self.turned_away - self.connecting.len()
    }

    /// Whether the connection is there and not closing.
    pub(super) fn is_open(&mut self, id: ConnId) -> bool {
        open(&mut self.slab, id).is_some()
    }

    /// Registers a socket, once for all its life unless it blocks, and names it.
    ///
    /// # Errors
    ///
    /// If the poller takes no more, or there are as many connections as can be named.
    pub(super) fn insert(&mut self, stream: TcpStream, place: Place) -> io::Result<ConnId> {
        self.register(stream, place, Interest::READABLE)
    }

    /// The same, for what the poller should watch from the start.
    pub(super) fn register(
        &mut self,
        mut stream: TcpStream,
        place: Place,
        interest: Interest,
    ) -> io::Result<ConnId> {
        let entry = self.slab.vacant_entry();
        // The last generation is that of the tokens that name no connection.
        let generation = self.generation + 1;
        let id = ConnId::new(entry.key(), generation)
            .filter(|_| generation < ConnId::GENERATION_MAX)
            .ok_or_else(|| io::Error::other("as many connections as can be named"))?;
        self.registry.register(&mut stream, Source::Connection(id).token(), interest)?;
        self.generation = generation;
        let outbound = Outbound::new(self.outbound_bytes_max);
        entry.insert(Connection::new(id, stream, place, outbound));
        Ok(id)
    }

    /// Tells a connection that is over a limit so and lets it linger, unknown to the handler.
    pub(super) fn turn_away(&mut self, now: Tick, stream: TcpStream, refusal: SharedFrame) {
        if refusal.is_empty() || self.turned_away >= TURNED_AWAY_MAX {
            super::acceptor::turn_away(&stream, &refusal);
            return;
        }
        let Ok(id) = self.insert(stream, Place::FREE) else { return };
        let Some(connection) = self.slab.get_mut(id.slot()) else { return };
        connection.marks.set(Marks::UNTOLD);
        self.turned_away += 1;
        self.send(id, refusal);
        self.close(now, id, CloseReason::Overloaded, Ending::Linger);
    }

    /// Appends to the ring of one connection.
    pub(super) fn send(&mut self, id: ConnId, frame: SharedFrame) {
        self.push(id, frame, Marks::URGENT);
    }

    /// Appends to the rings of many.
    pub(super) fn broadcast(&mut self, to: &[ConnId], frame: &SharedFrame) {
        let mark = if to.len() < BULK_RECIPIENTS_MIN { Marks::URGENT } else { Marks::BULK };
        for id in to {
            self.push(*id, frame.clone(), mark);
        }
    }

    #[inline]
    fn push(&mut self, id: ConnId, frame: SharedFrame, mark: Marks) {
        let Some(connection) = open(&mut self.slab, id) else { return };
        // It has to wait, so it must not keep others' bytes in memory.
        let frame = if connection.marks.any(Marks::BLOCKED) { detached(frame) } else { frame };
        // The handler hears of what waits only after a flush, so not much may wait for one.
        let is_much = connection.outbound.queued() > self.unflushed_max;
        let mark = if is_much { Marks::URGENT } else { mark };
        if connection.outbound.push(&mut self.pool, frame).is_ok() {
            self.lists.note_dirty(connection, mark);
        } else {
            self.lists.end(connection, CloseReason::Overloaded, Marks::RESET);
        }
    }

    /// Sets the handler's deadline.
    pub(super) fn arm(&mut self, id: ConnId, deadline: Tick) {
        let Some(connection) = open(&mut self.slab, id) else { return };
        connection.deadline = deadline;
        ensure_timer(&mut self.wheel, connection);
    }

    /// Has the handler told once when the ring is empty after a flush.
    pub(super) fn wake(&mut self, id: ConnId) {
        let Some(connection) = open(&mut self.slab, id) else { return };
        connection.marks.set(Marks::WAKE);
        self.lists.note_dirty(connection, Marks::URGENT);
    }

    pub(super) fn pause(&mut self, id: ConnId) {
        let Some(connection) = open(&mut self.slab, id) else { return };
        connection.marks.set(Marks::PAUSED);
    }

    pub(super) fn resume(&mut self, id: ConnId) {
        let Some(connection) = open(&mut self.slab, id) else { return };
        connection.marks.clear(Marks::PAUSED);
        // The edge may have come while nobody wanted it.
        self.lists.note_readable(connection);
    }

    pub(super) fn limit_outbound(&mut self, id: ConnId, bytes_max: usize) {
        let Some(connection) = open(&mut self.slab, id) else { return };
        connection.outbound.limit(bytes_max);
    }

    /// Ends a connection, at the end of the turn at the earliest.
    pub(super) fn close(&mut self, now: Tick, id: ConnId, reason: CloseReason, ending: Ending) {
        let Some(connection) = open(&mut self.slab, id) else { return };
        connection.phase = match ending {
            Ending::Abort => return self.lists.end(connection, reason, Marks::RESET),
            Ending::Flush if connection.outbound.is_empty() => {
                return self.lists.end(connection, reason, Marks::default());
            }
            Ending::Flush => Phase::Flushing(reason),
            Ending::Linger => Phase::Lingering(reason),
        };
        connection.deadline = now.after(self.close_timeout);
        connection.stall_at = Tick::MAX;
        ensure_timer(&mut self.wheel, connection);
        self.lists.note_dirty(connection, Marks::URGENT);
        self.lists.note_readable(connection);
    }

    /// Notes which connections are from one of these addresses.
    pub(super) fn seek(&mut self, addresses: &[IpAddr]) {
        for (_, connection) in &self.slab {
            let peer = connection.stream.peer_addr().map(|peer| peer.ip().to_canonical());
            if peer.is_ok_and(|peer| addresses.contains(&peer)) {
                self.lists.sought.push(connection.id);
            }
        }
    }

    /// Ends every connection that is left.
    pub(super) fn end_all(&mut self, reason: CloseReason) {
        connect::abandon_all(self);
        for (_, connection) in &mut self.slab {
            self.lists.end(connection, reason, Marks::RESET);
        }
    }

    /// Removes and closes the next connection that has ended.
    pub(super) fn poll_ended(&mut self) -> Option<Gone> {
        let slot = self.lists.ended.pop_front()?;
        let mut connection = self.slab.try_remove(slot as usize)?;
        let Phase::Ended(reason) = connection.phase else { return None };
        connection.outbound.clear(&mut self.pool);
        connection.timer.and_then(|timer| self.wheel.cancel(timer));
        if connection.marks.any(Marks::RESET) {
            // Best effort: if it fails, the peer sees FIN instead of a reset.
            let _set = SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO));
        }
        let was_told = !connection.marks.any(Marks::UNTOLD);
        self.turned_away -= usize::from(!was_told);
        let Connection { id, place, .. } = connection;
        Some(Gone { id, reason, place, was_told })
    }
}

/// The connection of that name, if it is there and not closing.
#[inline]
fn open(slab: &mut Slab<Connection>, id: ConnId) -> Option<&mut Connection> {
    slab.get_mut(id.slot())
        .filter(|connection| connection.id == id && connection.phase == Phase::Open)
}

/// The slot as the lists keep it.
pub(super) fn slot_of(id: ConnId) -> u32 {
    u32::try_from(id.slot()).unwrap_or(u32::MAX)
}

/// Sees to it that the wheel fires by the connection's next deadline. It may fire earlier: an entry is only
/// ever moved forward, and one that finds nothing due is armed again.
pub(super) fn ensure_timer(wheel: &mut TimerWheel<u32>, connection: &mut Connection) {
    let due = connection.deadline.min(connection.stall_at);
    if due == Tick::MAX {
        return;
    }
    if let Some(timer) = connection.timer {
        if wheel.deadline(timer).is_some_and(|armed| armed <= due) {
            return;
        }
        wheel.cancel(timer);
    }
    connection.timer = Some(wheel.arm(due, slot_of(connection.id)));
}

/// Registers the socket for writable edges too, from its first refusal on.
///
/// Every socket is writable when it is new, so watching for it from the start would make each
/// connection's first event one that says nothing.
pub(super) fn watch_write(registry: &Registry, connection: &mut Connection) -> io::Result<()> {
    if connection.marks.any(Marks::WATCHES_WRITE) {
        return Ok(());
    }
    let token = Source::Connection(connection.id).token();
    registry.reregister(&mut connection.stream, token, Interest::READABLE | Interest::WRITABLE)?;
    connection.marks.set(Marks::WATCHES_WRITE);
    Ok(())
}

/// Sends FIN, and has what comes discarded until the peer's.
pub(super) fn finish_lingering(
    lists: &mut Lists,
    connection: &mut Connection,
    reason: CloseReason,
) {
    let fin = connection.stream.shutdown(Shutdown::Write);
    if fin.is_err() || connection.marks.any(Marks::FINISHED) {
        lists.end(connection, reason, Marks::default());
    } else {
        connection.phase = Phase::Discarding(reason);
    }
}
