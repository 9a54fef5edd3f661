//! What happened, as one number and some counts.

use std::hash::{DefaultHasher, Hash, Hasher};

use chinwag::net::CloseReason;

use crate::codec::Received;

/// What clients were told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Messages that they heard.
    pub(crate) heard: u64,
    pub(crate) gaps: usize,
    /// Rooms that went on where a former connection had ended.
    pub(crate) resumed: usize,
    /// Repeated messages that were known.
    pub(crate) dups: usize,
    /// Connections that were told that their user was put out of a room.
    pub(crate) put_out: usize,
    /// Connections that were told that a room is no more.
    pub(crate) ended: usize,
    /// Connections that ended.
    pub(crate) closed: usize,
    /// Records that came by streams of events, and positions from which these went on.
    pub(crate) streamed: usize,
    pub(crate) returned: usize,
}

impl Told {
    /// Adds what was told in another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.heard += other.heard;
        self.gaps += other.gaps;
        self.resumed += other.resumed;
        self.dups += other.dups;
        self.put_out += other.put_out;
        self.ended += other.ended;
        self.closed += other.closed;
        self.streamed += other.streamed;
        self.returned += other.returned;
    }
}

/// The same seed makes the same trace.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hasher: DefaultHasher,
    pub(crate) told: Told,
}

impl Trace {
    pub(crate) fn on_received(&mut self, client: usize, heard: &Received) {
        self.told.heard += 1;
        self.hasher.write_usize(client);
        match heard {
            Received::Switched => self.hasher.write_u8(0),
            Received::Text(text) => text.hash(&mut self.hasher),
            Received::Ping(payload) => payload.hash(&mut self.hasher),
            Received::Close(code) => code.hash(&mut self.hasher),
            Received::Head(status) => status.hash(&mut self.hasher),
            Received::Event(id, data) => (id, data).hash(&mut self.hasher),
        }
    }

    pub(crate) fn closed(&mut self, client: usize, reason: CloseReason) {
        self.told.closed += 1;
        self.hasher.write_usize(client);
        reason.hash(&mut self.hasher);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
