//! Reading in a turn, and telling the handler what came.

use std::mem;

use super::address_limits::{AddressShare, TooMany};
use super::step::Step;
use super::{Reactor, budget, read, tls};
use crate::net::{CloseReason, ConnId, Ending, Handler, Input, IpAddr, SharedFrame};
use crate::time::Tick;
use crate::time::clock::Now;

/// Bytes read from one connection in one turn, however long the bulk list is: enough for a request,
/// so that every connection makes progress.
pub(super) const READ_LEN_MIN: usize = 256;

/// Bytes that are read from one connection until the whole bulk list has been flushed: so few that
/// their broadcast, which is somewhat longer than the request, seldom exceeds
/// [`ReactorConfig::unflushed_max`](super::ReactorConfig::unflushed_max).
const READ_PER_ROUND: usize = 10 * 1024;

const _: () = assert!(READ_LEN_MIN <= READ_PER_ROUND);

impl Reactor {
    pub(super) fn read(&mut self, now: Now, handler: &mut impl Handler) {
        // One length for the whole turn: the list that it depends on grows while the turn reads.
        let len_max = self.read_len_max();
        // Taken out while the handler runs, since it is lent the bytes and `self` applies its
        // effects.
        let mut scratch = mem::take(&mut self.scratch);
        let mut budget = self.read_per_turn_max;
        // A connection that is queued again meanwhile waits for the next turn, so that one which
        // always has more cannot use up the turn.
        let mut passes = self.connections.shared.lists.readable.len().min(budget::READS_MAX);
        while budget > 0 && passes > 0 && !self.connections.shared.has_made_much() {
            let Some(room) = scratch.get_mut(..len_max) else { break };
            let Some(step) = read::read_next(&mut self.connections, room) else { break };
            passes -= 1;
            let len = self.take_step(now, step, &mut scratch, handler);
            budget = budget.saturating_sub(len);
        }
        for _ in 0..budget::HANDSHAKE_READS_MAX {
            let Some(step) = read::read_arriving(&mut self.connections, &mut scratch) else {
                break;
            };
            self.take_step(now, step, &mut scratch, handler);
        }
        self.scratch = scratch;
    }

    /// Does what a read came to; returns how many bytes it brought.
    fn take_step(
        &mut self,
        now: Now,
        step: Step,
        scratch: &mut [u8],
        handler: &mut impl Handler,
    ) -> usize {
        match step {
            Step::Received(conn, len) => {
                if let Some(bytes) = scratch.get_mut(..len) {
                    self.dispatch(now, Input::Received { conn, bytes }, handler);
                }
                len
            }
            Step::Finished(conn) => {
                self.dispatch(now, Input::Finished { conn }, handler);
                0
            }
            Step::Discarded(len) => len,
            Step::Opened(conn, len) => {
                self.take_plaintext(now, conn, handler);
                len
            }
            Step::NotTls(conn, len) => {
                let bytes = scratch.get(..len).unwrap_or_default();
                let arrival = self.connections.arrivals.get(&conn.slot());
                let tls = arrival.and_then(|arrival| self.acceptor.tls(arrival.listener));
                // Told in clear, and once: mostly a browser that was given `http` for `https`.
                let answer = tls.map(|tls| (tls.otherwise)(bytes, now)).unwrap_or_default();
                self.connections.reject_arriving(now, conn, (answer, CloseReason::TlsBroken));
                len
            }
            Step::Announced(conn, client) => {
                self.take_announced(now, conn, client, handler);
                0
            }
            Step::Broken(conn, reason) => {
                self.connections.close(now.tick, conn, reason, Ending::Flush);
                0
            }
        }
    }

    /// A proxy has said whom a connection speaks for.
    fn take_announced(
        &mut self,
        now: Now,
        conn: ConnId,
        client: Option<IpAddr>,
        handler: &mut impl Handler,
    ) {
        if let Some(client) = client
            && let Some(listener) = self.connections.arrivals.get(&conn.slot())
            && let (listener, is_tls) = (listener.listener, listener.tls.is_some())
        {
            if is_tls && self.acceptor.is_barred(now, client) {
                let nothing = SharedFrame::new();
                return self.connections.reject_arriving(now, conn, (nothing, CloseReason::Banned));
            }
            if let Err(excess) = self.count_for(now.tick, conn, client) {
                let refusal = self.acceptor.refusal(now, listener, excess);
                return self.connections.reject_arriving(
                    now,
                    conn,
                    (refusal, CloseReason::Overloaded),
                );
            }
        }
        // With TLS the handshake comes next, and the handler learns of the connection after it.
        let Some(arrival) = self.connections.on_announced(conn) else { return };
        let tls::Arrival { peer, listener, mut head, .. } = arrival;
        self.dispatch(now, Input::Opened { conn, listener, peer }, handler);
        if !head.is_empty() && self.connections.is_open(conn) {
            self.dispatch(now, Input::Received { conn, bytes: &mut head }, handler);
        }
    }

    /// Has a connection count for the client that it speaks for, and not for its proxy.
    pub(super) fn count_for(
        &mut self,
        now: Tick,
        conn: ConnId,
        client: IpAddr,
    ) -> Result<(), TooMany> {
        let Some(share) = self.connections.share(conn) else { return Ok(()) };
        let (share, result) = match self.acceptor.recount(now, share, client) {
            Ok(share) => (share, Ok(())),
            Err(too_many) => (AddressShare::TOTAL_ONLY, Err(too_many)),
        };
        self.connections.set_client(conn, client, share);
        result
    }

    /// A connection has shown who it is, and counts accordingly.
    pub(super) fn count_as_open(&mut self, conn: ConnId) {
        let Some(share) = self.connections.share(conn) else { return };
        let share = self.acceptor.count_as_open(share);
        self.connections.set_share(conn, share);
    }

    /// Tells the handler what a connection's ciphertext has become.
    fn take_plaintext(&mut self, now: Now, conn: ConnId, handler: &mut impl Handler) {
        let outcome = mem::take(&mut self.connections.shared.tls.outcome);
        // Taken out while the handler runs, as the scratch buffer is.
        let mut plain = mem::take(&mut self.connections.shared.tls.plain);
        if let Some(tls::Arrival { peer, listener, .. }) = outcome.opened {
            self.dispatch(now, Input::Opened { conn, listener, peer }, handler);
        }
        if !plain.is_empty() && self.connections.is_open(conn) {
            self.dispatch(now, Input::Received { conn, bytes: &mut plain }, handler);
        }
        if outcome.is_finished && self.connections.is_open(conn) {
            self.dispatch(now, Input::Finished { conn }, handler);
        }
        // Given back whatever became of the connection: the next one needs it.
        plain.clear();
        self.connections.shared.tls.plain = plain;
    }

    /// Bytes that are read from one connection in this turn: fewer, the more turns it takes to
    /// flush the bulk list. So a fast sender in a large room is slowed down to the pace of its
    /// flushes, and the turns stay short.
    fn read_len_max(&self) -> usize {
        let portions = self.connections.shared.lists.bulk.len() / self.flushes.bulk.max(1);
        let share = READ_PER_ROUND.checked_div(portions).unwrap_or(usize::MAX);
        share.max(READ_LEN_MIN).min(self.scratch.len())
    }
}
