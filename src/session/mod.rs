//! Sessions: each connection's protocol stack, between the reactor's bytes and the domain's commands.
//!
//! ```text
//!            ┌─ http ─▶ page, health, metrics
//!  bytes ─▶ ─┤    └──▶ ws ──▶ wire ─▶ chat          one row a connection, one [`Edge`](edge::Edge)
//!            └─ line ───────▶ wire ─▶ chat          for what all rows share
//!  bytes ◀─────── format ◀── render ◀─ said
//! ```
//!
//! A connection whose answers pile up is not read from until they have drained: what has been received
//! but not looked at is its backlog, and nothing of it is answered before there is room for the answer.

mod batch;
mod bucket;
mod deadline;
mod deliver;
mod echo;
mod edge;
mod end;
mod entropy;
mod format;
mod gauges;
mod http;
mod human;
mod row;
mod talk;

use std::sync::Arc;

pub use self::entropy::Entropy;

use self::deadline::Due;
use self::deliver::find;
use self::edge::Edge;
use self::row::{Row, Stage};
use crate::admin::Health;
use crate::chat::{Chat, Limits};
use crate::collections::Slots;
use crate::config::Config;
use crate::http::{HeadParser, PartialHead, PolicyError};
use crate::metrics::Metrics;
use crate::net::{CloseReason, ConnId, Effect, Effects, Ending};
use crate::time::clock::Now;

/// Answers that may wait for a cursor or a log before no more is read from their connection.
const OWED_MAX: u32 = 64;
/// Connections that are closed in one turn when the server stops: closing costs each of them a buffer.
const STOP_PORTION: usize = 4_096;

/// What an input is handled with: the moment, the domain, and what should follow.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The moment.
    pub now: Now,
    /// The domain.
    pub chat: &'a mut Chat,
    /// What should follow.
    pub effects: &'a mut Effects,
}

/// By which door a connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// HTTP: the page, and WebSocket.
    Http,
    /// Plain TCP.
    Tcp,
    /// The operator's.
    Admin,
}

/// The sessions of all connections.
#[derive(Debug)]
pub struct Sessions {
    /// By connection slot.
    rows: Slots<Row>,
    edge: Edge,
    heads: HeadParser,
    entropy: Entropy,
    /// To be ended once the domain has said what it has to say.
    doomed: Vec<(ConnId, CloseReason)>,
    /// To be ended when what this turn has brought is answered: their peers have sent FIN.
    finished: Vec<ConnId>,
    /// How many have been told that the server stops, and how many there were when it began to.
    sent_away: (u64, u64),
}

impl Sessions {
    /// No sessions.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if a configured host or origin is none.
    pub fn new(
        config: &Config,
        limits: Limits,
        metrics: Arc<Metrics>,
        entropy: Entropy,
    ) -> Result<Self, PolicyError> {
        let head_limits = crate::http::Limits {
            head_len_max: u16::try_from(config.http.head_bytes).unwrap_or(u16::MAX),
            fields_max: u16::try_from(config.http.fields).unwrap_or(u16::MAX),
            ..crate::http::Limits::DEFAULT
        };
        Ok(Self {
            rows: Slots::new(),
            edge: Edge::new(config, limits, metrics)?,
            heads: HeadParser::new(head_limits),
            entropy,
            doomed: Vec::new(),
            finished: Vec::new(),
            sent_away: (0, 0),
        })
    }

    /// A connection has come in.
    pub fn opened(&mut self, conn: ConnId, door: Door, turn: &mut Turn<'_>) {
        let http = |admin| Stage::Http { partial: PartialHead::default(), admin, idle: false };
        let stage = match door {
            Door::Http => http(false),
            Door::Admin => http(true),
            Door::Tcp => Stage::Tcp(Box::default()),
        };
        let row = Row::new(conn, stage, turn.now.tick);
        turn.effects.push(Effect::Arm { conn, deadline: row.deadline(&self.edge) });
        self.rows.insert(conn.slot(), row);
        self.edge.sessions_bytes += size_of::<Row>();
    }

    /// Bytes have come.
    pub fn received(&mut self, conn: ConnId, bytes: &mut [u8], turn: &mut Turn<'_>) {
        let Some(row) = find(&mut self.rows, conn) else { return };
        row.hear(turn.now.tick);
        match &mut row.backlog {
            Some(backlog) => backlog.bytes.extend_from_slice(bytes),
            None => self.consume(conn, bytes, turn),
        }
    }

    /// Takes what has come apart until it is used up, or the answers pile up: then the rest is kept, and
    /// no more is read.
    fn consume(&mut self, conn: ConnId, bytes: &mut [u8], turn: &mut Turn<'_>) {
        let mut input = bytes;
        loop {
            let Some(row) = find(&mut self.rows, conn) else { return };
            if row.backlog.is_some() || self.is_pressed(conn, turn.chat) {
                return self.put_off(conn, input, turn);
            }
            let Some(row) = find(&mut self.rows, conn) else { return };
            let goes_on = match &row.stage {
                Stage::Http { .. } => !input.is_empty() && self.http_step(conn, &mut input, turn),
                Stage::Ws { .. } => self.ws_step(conn, &mut input, turn),
                Stage::Echo { .. } => self.echo_step(conn, &mut input, turn),
                Stage::Tcp(_) => {
                    let mut rest = &*input;
                    let goes_on = self.tcp_step(conn, &mut rest, turn);
                    let used = input.len() - rest.len();
                    input = input.get_mut(used..).unwrap_or_default();
                    goes_on
                }
                Stage::Ending => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Whether the answers to a connection pile up.
    fn is_pressed(&mut self, conn: ConnId, chat: &Chat) -> bool {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return false };
        row.ledger.owed(edge.turn) > edge.soft() || chat.owed(conn) > OWED_MAX
    }

    /// Keeps input until the answers have drained.
    fn put_off(&mut self, conn: ConnId, input: &[u8], turn: &mut Turn<'_>) {
        let Some(row) = find(&mut self.rows, conn) else { return };
        if input.is_empty() && row.backlog.is_none() {
            return;
        }
        row.backlog.get_or_insert_default().bytes.extend_from_slice(input);
        turn.effects.push(Effect::Pause { conn });
        // The domain wakes those who wait for its answers.
        if turn.chat.owed(conn) <= OWED_MAX {
            turn.effects.push(Effect::Wake { conn });
        }
    }

    /// The peer has sent FIN: what it has asked for is answered, then the connection ends.
    pub fn finished(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Some(row) = find(&mut self.rows, conn) else { return };
        if let Some(backlog) = &mut row.backlog {
            backlog.finished = true;
            return;
        }
        let reason = match &row.stage {
            Stage::Tcp(_) => {
                self.tcp_finish(conn, turn);
                self.finished.push(conn);
                return;
            }
            Stage::Http { partial, .. } if partial.is_empty() => CloseReason::HttpDone,
            Stage::Http { .. } | Stage::Ws { .. } | Stage::Echo { .. } => CloseReason::PeerGone,
            Stage::Ending => return,
        };
        end::close(row, Vec::new(), (reason, Ending::Flush), turn);
        turn.chat.handle_closed(turn.now, conn);
    }

    /// A flush has left bytes behind.
    pub fn blocked(&mut self, conn: ConnId, queued: usize, turn: &mut Turn<'_>) {
        if let Some(row) = find(&mut self.rows, conn) {
            row.blocked(turn.now.tick, queued);
            turn.chat.handle_blocked(conn, queued);
        }
    }

    /// Nothing waits for the connection any more: what was put off goes on.
    pub fn drained(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Some(row) = find(&mut self.rows, conn) else { return };
        row.ledger.drained();
        turn.chat.handle_drained(turn.now, conn);
        self.say(turn);
        let Some(row) = find(&mut self.rows, conn) else { return };
        let Some(mut backlog) = row.backlog.take() else { return };
        self.consume(conn, &mut backlog.bytes, turn);
        let Some(row) = find(&mut self.rows, conn) else { return };
        match &mut row.backlog {
            Some(rest) => rest.finished |= backlog.finished,
            None if backlog.finished => self.finished(conn, turn),
            None => turn.effects.push(Effect::Resume { conn }),
        }
    }

    /// The connection's deadline has passed.
    pub fn expired(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        let deadline = row.deadline(edge);
        let Some(due) = row.due() else { return };
        if turn.now.tick < deadline {
            turn.effects.push(Effect::Arm { conn, deadline });
            return;
        }
        match due {
            Due::Silence => self.silent(conn, turn),
            Due::Head => self.http_timeout(conn, turn),
            Due::KeepAlive => {
                end::close(row, Vec::new(), (due.reason(), Ending::Flush), turn);
            }
            Due::Hello => self.end(conn, due.reason(), turn),
        }
    }

    /// The connection is gone.
    pub fn closed(&mut self, conn: ConnId, reason: CloseReason, turn: &mut Turn<'_>) {
        if find(&mut self.rows, conn).is_none() {
            return;
        }
        log::debug!(conn:% = conn, reason = reason.label(); "closed");
        self.rows.remove(conn.slot());
        self.edge.sessions_bytes -= size_of::<Row>();
        turn.chat.handle_closed(turn.now, conn);
        self.say(turn);
    }

    /// All of a turn's inputs have been handed over: the domain's records go out, and who has nothing
    /// more to ask for is let go.
    pub fn turn_end(&mut self, turn: &mut Turn<'_>) {
        while turn.chat.fan_out_next(turn.now) {
            self.say(turn);
        }
        turn.chat.end_turn(turn.now);
        self.say(turn);
        if !self.finished.is_empty() {
            self.finish(turn);
        }
        self.edge.turn = self.edge.turn.wrapping_add(1);
        self.edge.trim();
    }

    /// Ends those whose peers have sent FIN and been answered.
    fn finish(&mut self, turn: &mut Turn<'_>) {
        let mut finished = std::mem::take(&mut self.finished);
        self.finished.extend(finished.extract_if(.., |conn| turn.chat.pending_of(*conn) > 0));
        // Answers that wait for a cursor are said when the domain forgets the connection.
        for &conn in &finished {
            turn.chat.handle_closed(turn.now, conn);
        }
        self.say(turn);
        for conn in finished {
            let Some(row) = find(&mut self.rows, conn) else { continue };
            end::close(row, Vec::new(), (CloseReason::Bye, Ending::Flush), turn);
        }
    }

    /// The server is stopping: health says so.
    pub fn stop(&mut self, turn: &mut Turn<'_>) {
        self.edge.health = Health::Draining;
        self.sent_away.1 = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        self.say(turn);
    }

    /// Tells a portion of the connections when to come back, evenly spread over `window_ms`, and closes them.
    /// `false` if there are none left.
    pub fn send_away(&mut self, window_ms: u64, turn: &mut Turn<'_>) -> bool {
        let left = self.rows.iter().filter(|row| !matches!(row.stage, Stage::Ending));
        let leaving: Vec<ConnId> = left.map(|row| row.conn).take(STOP_PORTION).collect();
        for &conn in &leaving {
            let (told, all) = &mut self.sent_away;
            *told += 1;
            let after = window_ms.saturating_mul(*told) / (*all).max(*told);
            turn.chat.drain(conn, (after, window_ms));
            self.say(turn);
            self.end(conn, CloseReason::Shutdown, turn);
        }
        self.say(turn);
        !leaving.is_empty()
    }

    /// How many connections there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
