//! One connection while an input of it is handled.

use super::Turn;
use super::closing;
use super::context::SessionContext;
use super::delivery::{self, Delivery};
use super::state::{Protocol, SessionState};
use crate::chat::model::output::Request;
use crate::chat::model::reply::{Refusal, Reply};
use crate::collections::Slots;
use crate::http::HeadParser;
use crate::net::{CloseReason, Effect, Ending, SharedFrame};

/// Answers that may wait for a cursor or a log before no more is read from their connection.
const OWED_MAX: u32 = 64;

/// One connection while an input of it is handled: its state, which was looked up once and is not
/// in the table meanwhile, with all that it shares with the others.
pub(super) struct Session<'a, 't> {
    pub state: SessionState,
    pub others: &'a mut Slots<SessionState>,
    pub context: &'a mut SessionContext,
    pub heads: &'a mut HeadParser,
    pub turn: &'a mut Turn<'t>,
}

impl<'t> Session<'_, 't> {
    /// Takes apart what has come until it is used up, or too many answers wait: then the rest is
    /// kept, and no more is read.
    pub(super) fn consume(&mut self, bytes: &mut [u8]) {
        let mut input = bytes;
        loop {
            if self.state.backlog.is_some() {
                return self.defer(input);
            }
            if input.is_empty() {
                return;
            }
            let is_backpressured = self.is_backpressured();
            if self.state.is_closing() {
                return;
            }
            if is_backpressured {
                return self.defer(input);
            }
            let goes_on = match &self.state.protocol {
                Protocol::Http { .. } => self.http_step(&mut input),
                Protocol::WebSocket { .. } => self.websocket_step(&mut input),
                Protocol::Echo { .. } => self.echo_step(&mut input),
                Protocol::Tcp(_) => {
                    let mut rest = &*input;
                    let goes_on = self.tcp_step(&mut rest);
                    let used = input.len() - rest.len();
                    input = input.get_mut(used..).unwrap_or_default();
                    goes_on
                }
                Protocol::Closing => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Whether so many answers wait that no more is read. All that were given so far count: they
    /// are delivered before.
    pub(super) fn is_backpressured(&mut self) -> bool {
        self.flush_outputs();
        self.state.answers.bytes(self.context.turn) > self.context.outbound_soft()
            || self.turn.chat.owed(self.state.conn) > OWED_MAX
    }

    /// Keeps input until the answers have drained.
    fn defer(&mut self, input: &[u8]) {
        let conn = self.state.conn;
        let backlog = self.state.backlog.get_or_insert_default();
        backlog.bytes.extend_from_slice(input);
        self.turn.effects.push(Effect::Pause { conn });
        // The domain wakes those who wait for its answers.
        if self.turn.chat.owed(conn) <= OWED_MAX {
            self.turn.effects.push(Effect::Wake { conn });
        }
    }

    /// Nothing waits for the connection any more: what was put off goes on.
    pub(super) fn resume(&mut self) {
        self.flush_outputs();
        let Some(mut backlog) = self.state.backlog.take() else { return };
        self.consume(&mut backlog.bytes);
        match &mut self.state.backlog {
            Some(rest) => rest.is_last |= backlog.is_last,
            None if backlog.is_last => self.on_finished(),
            None => self.turn.effects.push(Effect::Resume { conn: self.state.conn }),
        }
    }

    /// The peer has sent FIN: the connection ends, after its backlog and, over plain TCP, when all
    /// that it has asked for is answered.
    pub(super) fn on_finished(&mut self) {
        if let Some(backlog) = &mut self.state.backlog {
            backlog.is_last = true;
            return;
        }
        let reason = match &self.state.protocol {
            Protocol::Tcp(_) => {
                self.tcp_finish();
                self.context.finished.push(self.state.conn);
                return;
            }
            Protocol::Http { partial, .. } if partial.is_empty() => CloseReason::HttpDone,
            Protocol::Http { .. } | Protocol::WebSocket { .. } | Protocol::Echo { .. } => {
                CloseReason::PeerGone
            }
            Protocol::Closing => return,
        };
        self.close(Vec::new(), (reason, Ending::Flush));
    }

    /// Delivers what the domain has to say so far, to this connection and to others.
    pub(super) fn flush_outputs(&mut self) {
        self.delivery().flush_outputs();
    }

    /// Ends the connection once what the domain has said to it is on its way.
    pub(super) fn end(&mut self, reason: CloseReason) {
        self.flush_outputs();
        let conn = self.state.conn;
        self.delivery().end(conn, reason);
    }

    /// Sends the last bytes of the protocol and closes; the domain forgets the connection at once.
    pub(super) fn close(&mut self, goodbye: Vec<u8>, how: (CloseReason, Ending)) {
        self.flush_outputs();
        closing::close(&mut self.state, goodbye, how, self.turn);
        self.turn.chat.handle_closed(self.turn.now, self.state.conn);
    }

    /// Sends bytes that answer the connection's own input, after all that the domain has said
    /// before.
    pub(super) fn send(&mut self, out: Vec<u8>) {
        self.flush_outputs();
        if !out.is_empty() && !self.state.is_closing() {
            self.state.answers.give(self.context.turn, out.len());
            let conn = self.state.conn;
            self.turn.effects.push(Effect::Send { conn, frame: SharedFrame::from(out) });
        }
    }

    /// Answers a request in place of the domain.
    pub(super) fn answer(&mut self, request: &Request, result: &Result<Reply, Refusal>) {
        self.flush_outputs();
        delivery::answer(&mut self.state, self.context, None, (request, result));
    }

    const fn delivery(&mut self) -> Delivery<'_, 't> {
        let Self { state, others, context, turn, .. } = self;
        Delivery { active: Some(state), states: others, context, turn }
    }
}
