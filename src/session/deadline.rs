//! When a session is to be looked at, and what is then due.

use super::edge::Edge;
use super::row::{Row, Stage};
use crate::net::CloseReason;
use crate::time::Tick;

/// What is due when a session's deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A request head is not complete.
    Head,
    /// The connection has been idle between requests.
    KeepAlive,
    /// Nobody has said hello.
    Hello,
    /// Nothing has been heard for a while: ping, or give up.
    Silence,
}

impl Row {
    /// What its deadline is for, `None` if it has none.
    pub(super) fn due(&self) -> Option<Due> {
        match &self.stage {
            Stage::Http { idle: true, .. } => Some(Due::KeepAlive),
            Stage::Http { idle: false, .. } => Some(Due::Head),
            Stage::Ws { greeted: false, .. } => Some(Due::Hello),
            // A person's connection is kept by TCP's own keep-alive.
            Stage::Tcp(plain) if plain.person.is_some() => None,
            Stage::Tcp(plain) if !plain.greeted => Some(Due::Hello),
            Stage::Ws { .. } | Stage::Echo { .. } | Stage::Tcp(_) => Some(Due::Silence),
            Stage::Ending => None,
        }
    }

    /// When it is to be looked at next.
    pub(super) fn deadline(&self, edge: &Edge) -> Tick {
        let deadlines = &edge.deadlines;
        match self.due() {
            None => Tick::MAX,
            Some(Due::Head) => self.since.after(deadlines.head),
            Some(Due::KeepAlive) => self.since.after(deadlines.keep_alive),
            Some(Due::Hello) => self.since.after(deadlines.hello),
            Some(Due::Silence) if self.pinged => self.pong_by(edge),
            Some(Due::Silence) => self.since.after(deadlines.ping_after),
        }
    }

    /// When the answer to a ping is overdue, [`Tick::MAX`] if none is awaited.
    pub(super) fn pong_by(&self, edge: &Edge) -> Tick {
        if !self.pinged {
            return Tick::MAX;
        }
        let pong_by = self.since.after(edge.deadlines.pong);
        if self.slow_s == 0 {
            return pong_by;
        }
        let slow_at = Tick::from_millis(u64::from(self.slow_s) * 1_000);
        pong_by.max(slow_at.after(edge.deadlines.stall))
    }

    /// Bytes have come.
    pub(super) fn hear(&mut self, now: Tick) {
        if self.due() == Some(Due::Silence) {
            self.since = now;
            self.pinged = false;
        }
    }

    /// A flush has left `queued` bytes behind.
    pub(super) fn blocked(&mut self, now: Tick, queued: usize) {
        self.ledger.blocked(queued);
        self.slow_s = u32::try_from(now.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    }
}

impl Due {
    /// Why a connection ends whose deadline for this has passed.
    pub(super) const fn reason(self) -> CloseReason {
        match self {
            Self::Head => CloseReason::HeadTimeout,
            Self::KeepAlive => CloseReason::KeepAliveTimeout,
            Self::Hello => CloseReason::HelloTimeout,
            Self::Silence => CloseReason::NoPong,
        }
    }
}
