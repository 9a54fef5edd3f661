//! The state that all connections share, and the steps of one connection that change it.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Registry};

use super::budget::MADE_BYTES_MAX;
use super::config::ReactorConfig;
use super::connection::{Connection, Flags, Phase, WriteBounds};
use super::outbound::{FramePool, detached};
use super::source::Source;
use super::tls::TlsTable;
use super::work_lists::WorkLists;
use crate::metrics::ReactorMetrics;
use crate::net::{CloseReason, SharedFrame};
use crate::time::Tick;
use crate::time::wheel::IndexWheel;

/// Everything of [`Connections`](super::connections::Connections) but the connections: a function
/// can borrow one of those and this at the same time, so that each step looks its connection up
/// once.
pub(super) struct Shared {
    pub(super) pool: FramePool,
    /// One timer for each connection, by slot: at the earlier of its deadlines, or before.
    pub(super) wheel: IndexWheel,
    pub(super) lists: WorkLists,
    pub(super) registry: Registry,
    pub(super) metrics: Arc<ReactorMetrics>,
    /// The ciphers of the connections that have any.
    pub(super) tls: TlsTable,
    /// See [`ReactorConfig::unflushed_max`].
    unflushed_max: usize,
    /// Bytes that this turn has made for single connections.
    pub(super) made_bytes: u64,
    pub(super) stall_timeout: Duration,
    pub(super) writes: WriteBounds,
}

impl Shared {
    pub(super) fn new(
        config: &ReactorConfig,
        slots: usize,
        registry: Registry,
        metrics: Arc<ReactorMetrics>,
    ) -> Self {
        Self {
            pool: FramePool::new(),
            wheel: IndexWheel::with_capacity(slots),
            lists: WorkLists::default(),
            registry,
            metrics,
            tls: TlsTable::new(config.handshakes_max),
            unflushed_max: ReactorConfig::unflushed_max(config.outbound_bytes_max),
            made_bytes: 0,
            stall_timeout: config.stall_timeout,
            writes: WriteBounds::new(config),
        }
    }

    /// Appends to the ring of a connection and queues its flush by `flag`.
    #[inline]
    pub(super) fn push(&mut self, connection: &mut Connection, frame: SharedFrame, flag: Flags) {
        // It will wait for a while, so it must not keep the rest of a turn's buffer in memory.
        let frame = if connection.flags.any(Flags::BLOCKED) { detached(frame) } else { frame };
        if connection.outbound.push(&mut self.pool, frame).is_err() {
            return self.lists.end(connection, CloseReason::Overloaded, Flags::RESET);
        }
        self.lists.queue_flush(connection, flag);
        if self.has_much(connection) {
            if flag == Flags::BULK {
                self.lists.is_overdue = true;
                self.lists.report_blocked(connection);
            } else {
                self.lists.is_much_urgent = true;
            }
        }
    }

    /// Whether so much waits for the connection, of which a flush has not told the handler, that it
    /// must learn of it before the flush.
    pub(super) fn has_much(&self, connection: &Connection) -> bool {
        let is_much = connection.outbound.queued() > self.unflushed_max;
        is_much && !connection.flags.any(Flags::BLOCKED)
    }

    /// Whether this turn has made so much for single connections that it takes no more requests.
    pub(super) const fn has_made_much(&self) -> bool {
        self.made_bytes >= MADE_BYTES_MAX
    }

    /// Makes the wheel fire by the connection's next deadline. It may fire earlier: a timer is only
    /// ever moved forward, and one that finds nothing due is armed again. So a read that postpones
    /// the deadline costs no work in the wheel.
    pub(super) fn ensure_timer(&mut self, connection: &mut Connection) {
        let due = connection.deadline.min(connection.stall_at);
        // Nothing is due; a timer that is armed already will find that out.
        if due == Tick::MAX {
            return;
        }
        let slot = connection.slot();
        if self.wheel.deadline(slot).is_none_or(|armed| armed > due) {
            self.wheel.arm(due, slot);
        }
    }

    /// Registers the socket for writable edges too, at its first refusal.
    ///
    /// Not before, because every new socket is writable: each connection's first event would say
    /// nothing.
    pub(super) fn watch_write(&self, connection: &mut Connection) -> io::Result<()> {
        if connection.flags.any(Flags::WATCHES_WRITE) {
            return Ok(());
        }
        let token = Source::Connection(connection.id).token();
        let both = Interest::READABLE | Interest::PRIORITY | Interest::WRITABLE;
        self.registry.reregister(&mut connection.stream, token, both)?;
        connection.flags.set(Flags::WATCHES_WRITE);
        Ok(())
    }

    /// Sends FIN, after which the peer's bytes are discarded until its own FIN.
    pub(super) fn finish_lingering(&mut self, connection: &mut Connection, reason: CloseReason) {
        // The peer sees the end of what it was sent, and can still finish its own (RFC 9293 section
        // 3.6).
        let fin = connection.stream.shutdown(Shutdown::Write);
        if fin.is_err() || connection.flags.any(Flags::FINISHED) {
            self.lists.end(connection, reason, Flags::default());
        } else {
            connection.phase = Phase::Discarding(reason);
        }
    }
}
