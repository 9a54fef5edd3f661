//! One connection while an input of it is handled.

use super::Turn;
use super::backlog::{Backlog, PeerEnd};
use super::closing;
use super::context::SessionContext;
use super::delivery::{self, Delivery};
use super::errors_in_a_row::Answered;
use super::state::{Flag, Protocol, SessionState};
use crate::chat::Code;
use crate::chat::model::output::Request;
use crate::chat::model::pressure::Pressure;
use crate::chat::model::reply::{Refusal, Reply};
use crate::collections::Slots;
use crate::http::{self, HeadParser};
use crate::net::{CloseReason, Effect, Ending, Pause, SharedFrame};
use crate::ws::encode_close;

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
    /// Bytes have come. What cannot be done yet waits, and no more is read meanwhile.
    pub(super) fn on_bytes(&mut self, bytes: &mut [u8]) {
        self.note_bytes();
        // What waits comes first, so that nothing overtakes it.
        if let Some(backlog) = self.state.backlog_mut() {
            // After its last word the peer has nothing more to say.
            if backlog.end.is_none() {
                backlog.append(bytes, self.context.read_ahead);
            }
            return;
        }
        // Nearly all is done at once, from the reactor's buffer, and never copied.
        let left = self.consume(bytes);
        let rest = bytes.get(bytes.len() - left..).unwrap_or_default();
        if !rest.is_empty() && !self.state.is_closing() {
            let backlog = self.state.begin_backlog();
            // Whole, since these bytes have been read and nobody will send them again; the bound is
            // on what is read after.
            backlog.append(rest, usize::MAX);
        }
        self.after_input();
    }

    /// Ends the connection if it holds more of what has come in part, or waits, than it may beside
    /// all others.
    pub(super) fn bound_held(&mut self, before: usize) {
        let held = self.state.held();
        if held == before {
            return;
        }
        self.context.inbound.change(before, held);
        let most = self.context.inbound.limit(usize::MAX).max(Pressure::LEAST);
        // Only who has just grown: the others hold what they were allowed to hold.
        if held > before && held > most {
            self.end(CloseReason::Overloaded);
            self.context.inbound.change(held, self.state.held());
        }
    }

    /// Takes apart what has come until it is used up or must wait; returns how much is left at its
    /// end.
    fn consume(&mut self, bytes: &mut [u8]) -> usize {
        let mut input = bytes;
        while !input.is_empty() {
            // For each item anew: one that was just done may have used up the rate, or the room for
            // answers.
            let must_wait = self.must_wait();
            if self.state.is_closing() {
                return 0;
            }
            if must_wait {
                return input.len();
            }
            let goes_on = match &self.state.protocol {
                Protocol::Http { exchange: Some(_) } => self.body_step(&mut input),
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
                // Such a response does not end, so that no request can follow it.
                Protocol::Events(_) | Protocol::Closing => false,
            };
            if !goes_on {
                return 0;
            }
        }
        0
    }

    /// Whether nothing more is taken apart for now: too many answers wait, or the rate is used up.
    pub(super) fn must_wait(&mut self) -> bool {
        self.is_backpressured()
            || self.state.is_answering()
            || !self.state.is_ready(self.turn.now.tick, self.context)
    }

    /// Whether so many answers wait that no more is read. All that were given so far count: they
    /// are delivered before.
    fn is_backpressured(&mut self) -> bool {
        self.flush_outputs();
        let waiting = self.state.answers.owed(self.context.turn);
        (waiting > 0 && waiting > self.turn.chat.outbound_limit())
            || self.turn.chat.owed(self.state.conn) > OWED_MAX
    }

    /// What waits goes on, if it may.
    pub(super) fn resume(&mut self) {
        if !self.state.is_waiting() {
            return;
        }
        if self.must_wait() {
            return self.pause();
        }
        self.say_held();
        let Some(backlog) = self.state.backlog_mut() else {
            if self.state.flags.has(Flag::Finished) {
                return self.leave();
            }
            // It was paused with nothing but a line that was held.
            return self.turn.effects.push(Effect::Resume { conn: self.state.conn });
        };
        // Taken out, since what is done with it may itself put something into the backlog.
        let mut unread = std::mem::take(&mut backlog.unread);
        let lines = unread.lines();
        let left = if lines.is_empty() { 0 } else { self.requests(lines) };
        unread.lines_done = unread.lines.len() - left;
        if left == 0 {
            let left = self.consume(unread.bytes_mut());
            unread.bytes_done = unread.bytes.len() - left;
        }
        // It is gone if the connection has ended.
        let Some(backlog) = self.state.backlog_mut() else { return };
        if !backlog.unread.lines.is_empty() {
            // Of a message among the bytes.
            (unread.lines, unread.lines_done) = (std::mem::take(&mut backlog.unread.lines), 0);
        }
        backlog.unread = unread;
        self.after_input();
    }

    /// Decides what follows when input was taken apart: it waits, the peer's last word is answered,
    /// or more is read.
    fn after_input(&mut self) {
        let Some(backlog) = self.state.backlog() else { return };
        if backlog.is_waiting() {
            return self.pause();
        }
        if backlog.end.is_some() {
            return self.leave();
        }
        self.state.end_backlog();
        self.note_bytes();
        self.turn.effects.push(Effect::Resume { conn: self.state.conn });
    }

    /// Stops reading until what waits may go on.
    fn pause(&mut self) {
        let conn = self.state.conn;
        if self.state.is_answering() {
            // The answer wakes it.
            return self.turn.effects.push(Effect::Pause { conn, pause: Pause::Answers });
        }
        if !self.is_backpressured() {
            // A connection has one deadline: it serves both what is due and the next token,
            // whichever is first.
            let due = self.state.deadline(self.turn.now.tick, self.context);
            let deadline = due.min(self.state.ready_at(self.context));
            self.turn.effects.push(Effect::Pause { conn, pause: Pause::Rate });
            return self.turn.effects.push(Effect::Arm { conn, deadline });
        }
        self.turn.effects.push(Effect::Pause { conn, pause: Pause::Answers });
        // The domain wakes those who wait for its answers.
        if self.turn.chat.owed(conn) <= OWED_MAX {
            self.turn.effects.push(Effect::Wake { conn });
        }
    }

    /// The peer has sent FIN: the connection ends when all that it has asked for is answered.
    pub(super) fn on_finished(&mut self) {
        if self.state.is_closing() || self.state.is_leaving() {
            return;
        }
        match self.state.backlog_mut() {
            Some(backlog) => backlog.end = Some(PeerEnd::Fin),
            None => self.state.flags.set(Flag::Finished, true),
        }
        if !self.state.is_waiting() {
            self.leave();
        }
    }

    /// The peer has taken its leave, which is answered when all that it has asked for is.
    pub(super) fn on_leave_taken(&mut self, end: PeerEnd) {
        self.state.begin_backlog().end = Some(end);
    }

    /// All that came before the peer's last word is under way: the connection ends when it is
    /// answered, and at its deadline at the latest.
    fn leave(&mut self) {
        let reason = match &self.state.protocol {
            Protocol::Http { exchange: Some(exchange) }
                if exchange.is_upload() || exchange.is_answering() =>
            {
                if exchange.is_upload() {
                    // Answered when what waits to be written has been.
                    self.on_upload_end();
                }
                self.state.set_since(self.turn.now.tick);
                let deadline = self.state.deadline(self.turn.now.tick, self.context);
                return self.arm(deadline);
            }
            Protocol::Http { exchange: Some(_) } => {
                return self.give_up_body(http::Refusal::BodyCut);
            }
            Protocol::Http { .. } if self.state.is_between_requests() => CloseReason::HttpDone,
            Protocol::Http { .. } | Protocol::Events(_) => CloseReason::PeerGone,
            Protocol::Closing => return,
            Protocol::Tcp(_) | Protocol::WebSocket { .. } | Protocol::Echo { .. } => {
                return self.await_answers();
            }
        };
        self.close(Vec::new(), (reason, Ending::Flush));
    }

    fn await_answers(&mut self) {
        if self.state.backlog().is_none_or(|backlog| !backlog.is_cut) {
            self.tcp_finish();
        }
        let (conn, now) = (self.state.conn, self.turn.now.tick);
        self.state.set_since(now);
        // Looked at when the turn ends: what was asked for in this input may be answered by then.
        self.context.finished.push(conn);
        let deadline = self.state.deadline(now, self.context);
        self.turn.effects.push(Effect::Arm { conn, deadline });
    }

    /// Ends a connection whose peer has said its last word, with all answers that there are.
    pub(super) fn farewell(&mut self) {
        let (end, is_cut) = match self.state.backlog() {
            Some(&Backlog { end: Some(end), is_cut, .. }) => (end, is_cut),
            None if self.state.flags.has(Flag::Finished) => (PeerEnd::Fin, false),
            Some(_) | None => return,
        };
        // Answers that wait for a cursor are said when the domain forgets the connection.
        self.turn.chat.handle_closed(self.turn.now, self.state.conn);
        let mut said = |reason| closing::goodbye(&self.state, &mut self.context.encoder, reason);
        let (goodbye, how) = match (end, &self.state.protocol) {
            (PeerEnd::Close(code), _) => {
                let mut out = Vec::new();
                encode_close(code, "", None, &mut out);
                (out, (CloseReason::Bye, Ending::Flush))
            }
            (PeerEnd::Quit, _) => (said(CloseReason::Bye), (CloseReason::Bye, Ending::Linger)),
            (PeerEnd::Fin, _) if is_cut => {
                (said(CloseReason::Unread), (CloseReason::Unread, Ending::Flush))
            }
            (PeerEnd::Fin, Protocol::Tcp(_)) => (Vec::new(), (CloseReason::Bye, Ending::Flush)),
            (PeerEnd::Fin, _) => (Vec::new(), (CloseReason::PeerGone, Ending::Flush)),
        };
        self.close(goodbye, how);
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
    pub(super) fn send(&mut self, out: impl Into<SharedFrame>) {
        self.flush_outputs();
        let frame = out.into();
        if !frame.is_empty() && !self.state.is_closing() {
            self.state.answers.give(self.context.turn, frame.len());
            let conn = self.state.conn;
            self.turn.effects.push(Effect::Send { conn, frame });
        }
    }

    /// Answers a request in place of the domain.
    pub(super) fn answer(&mut self, request: &Request, result: &Result<Reply, Refusal>) {
        self.flush_outputs();
        if let Err(refusal) = result {
            self.count_error(refusal.code);
        }
        let answered = Answered::AtOnce;
        delivery::answer(&mut self.state, self.context, None, (request, result), answered);
    }

    /// Counts an error of the client's. After too many in a row the connection ends.
    pub(super) fn count_error(&mut self, code: Code) {
        let others_wait = self.turn.chat.pending_of(self.state.conn) > 0;
        delivery::count_error(&mut self.state, self.context, code, (Answered::AtOnce, others_wait));
    }

    const fn delivery(&mut self) -> Delivery<'_, 't> {
        let Self { state, others, context, turn, .. } = self;
        Delivery { active: Some(state), states: others, context, turn }
    }
}
