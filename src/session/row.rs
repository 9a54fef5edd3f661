//! One connection's state.

use super::bucket::Bucket;
use super::format::Format;
use super::human::Person;
use crate::collections::Ledger;
use crate::http::PartialHead;
use crate::line::{self, Framing};
use crate::net::ConnId;
use crate::time::Tick;
use crate::ws;

/// One connection's protocol stack: what is the same for all connections is in
/// [`Edge`](super::edge::Edge).
#[derive(Debug)]
pub(super) struct Row {
    pub conn: ConnId,
    pub stage: Stage,
    /// From when its deadline counts: the stage's beginning until hello, later when bytes last came, or when
    /// it was pinged.
    pub since: Tick,
    /// Nothing has come since it was pinged.
    pub pinged: bool,
    /// When the last flush left bytes behind, in seconds, rounded up, 0 if none did: while the socket is
    /// slow, a pong may be, too.
    pub slow_s: u32,
    pub commands: Bucket,
    pub controls: Bucket,
    /// The answers that wait for it: what decides whether more is read from it.
    pub ledger: Ledger,
    pub errors: u32,
    /// What has been received but not looked at, since the answers pile up.
    pub backlog: Option<Box<Backlog>>,
}

/// What a connection speaks at the moment.
#[derive(Debug)]
pub(super) enum Stage {
    /// HTTP requests, one after the other; `idle` between two of them.
    Http { partial: PartialHead, admin: bool, idle: bool },
    /// The chat over WebSocket.
    Ws { decoder: ws::Decoder, format: Format, greeted: bool },
    /// The diagnostic echo over WebSocket.
    Echo { decoder: ws::Decoder },
    /// The chat over plain TCP.
    Tcp(Box<Plain>),
    /// The last bytes are on their way; whatever comes is ignored.
    Ending,
}

/// A plain TCP connection.
#[derive(Debug, Default)]
pub(super) struct Plain {
    pub decoder: line::Decoder,
    pub framing: Option<Framing>,
    pub greeted: bool,
    pub person: Option<Box<Person>>,
}

/// Input that waits until the answers before it have drained.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub bytes: Vec<u8>,
    /// The peer has sent FIN behind it.
    pub finished: bool,
}

impl Row {
    pub(super) fn new(conn: ConnId, stage: Stage, now: Tick) -> Self {
        Self {
            conn,
            stage,
            since: now,
            pinged: false,
            slow_s: 0,
            commands: Bucket::default(),
            controls: Bucket::default(),
            ledger: Ledger::default(),
            errors: 0,
            backlog: None,
        }
    }

    /// Counts an error. `true` if there were too many in a row.
    pub(super) const fn err(&mut self, errors_max: u32) -> bool {
        self.errors = self.errors.saturating_add(1);
        self.errors >= errors_max
    }

    /// How events are rendered for it, if it takes any.
    pub(super) const fn format(&self) -> Option<Format> {
        match &self.stage {
            Stage::Ws { format, .. } => Some(*format),
            Stage::Tcp(plain) => match plain.framing {
                Some(Framing::Lines) => Some(Format::Lines),
                Some(Framing::Lengths) => Some(Format::Lengths),
                Some(Framing::Human) => Some(Format::Human),
                None => None,
            },
            Stage::Http { .. } | Stage::Echo { .. } | Stage::Ending => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_small() {
        assert_eq!(size_of::<Option<Row>>(), 88);
    }
}
