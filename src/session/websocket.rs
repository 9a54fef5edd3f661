//! The chat over WebSocket: messages into requests, control frames into their answers.

use super::input::Session;
use super::state::Protocol;
use crate::net::{CloseReason, Ending};
use crate::wire;
use crate::ws::{CloseCode, Item, Opcode, Violation, encode, encode_close};

impl Session<'_, '_> {
    /// Takes one message off the front of `input`. `false` if there is no whole one, or the
    /// connection ends.
    pub(super) fn websocket_step(&mut self, input: &mut &mut [u8]) -> bool {
        let Protocol::WebSocket { decoder, is_greeted, .. } = &mut self.state.protocol else {
            return false;
        };
        let context = &mut *self.context;
        let settings = if *is_greeted { &context.settings } else { &context.hello_settings };
        // A message may be lent from the scratch space, which nothing else needs meanwhile.
        let mut decoding = std::mem::take(&mut context.decoding);
        let goes_on = match decoder.decode(input, settings, &mut decoding) {
            Ok(None) => false,
            Ok(Some(Item::Text(text))) => {
                self.message(text);
                true
            }
            Ok(Some(Item::Ping(payload))) => self.pong(payload),
            Ok(Some(Item::Pong(_))) => {
                context.metrics.http.pongs.add(1);
                self.control_frame()
            }
            // The settings refuse it.
            Ok(Some(Item::Binary(_))) => self.control_frame(),
            Ok(Some(Item::Close { code, .. })) => {
                self.answer_close(code);
                false
            }
            Err(violation) => {
                self.fail(violation);
                false
            }
        };
        self.context.decoding = decoding;
        goes_on
    }

    /// Does the requests of one message, a line each, as long as not too many answers wait. The
    /// others are kept as a frame in which they could have come.
    fn message(&mut self, text: &str) {
        let mut rest = text;
        loop {
            let line_end = memchr::memchr(b'\n', rest.as_bytes());
            let cut = line_end.and_then(|end| rest.get(..end).zip(rest.get(end + 1..)));
            let (request, following) = cut.unwrap_or((rest, ""));
            rest = following;
            if !request.trim_ascii().is_empty() {
                let parsed = wire::parse(request, &self.context.limits);
                self.request(parsed);
            }
            if rest.is_empty() {
                return;
            }
            let is_backpressured = self.is_backpressured();
            if self.state.is_closing() {
                return;
            }
            if is_backpressured {
                break;
            }
        }
        let backlog = self.state.backlog.get_or_insert_default();
        encode(Opcode::Text, rest.as_bytes(), Some([0; 4]), &mut backlog.bytes);
    }

    /// Answers a ping. `false` if the connection ends, since there are too many.
    fn pong(&mut self, payload: &[u8]) -> bool {
        if !self.control_frame() {
            return false;
        }
        let mut out = Vec::with_capacity(payload.len() + 2);
        encode(Opcode::Pong, payload, None, &mut out);
        self.send(out);
        true
    }

    /// Counts a control frame. `false` if the connection ends, since there are too many.
    fn control_frame(&mut self) -> bool {
        let rate = self.context.control_rate;
        let is_within_rate = self.state.controls.take(self.turn.now.tick, rate).is_ok();
        if !is_within_rate {
            self.end(CloseReason::Flooding);
        }
        is_within_rate
    }

    /// Answers the peer's close frame, and closes.
    pub(super) fn answer_close(&mut self, code: Option<CloseCode>) {
        let mut out = Vec::new();
        encode_close(code, "", None, &mut out);
        self.close(out, (CloseReason::Bye, Ending::Flush));
    }

    /// Fails a WebSocket (RFC 6455 section 7.1.7).
    pub(super) fn fail(&mut self, violation: Violation) {
        let conn = self.state.conn;
        if let Some(suppressed) = self.context.throttle.admit(self.turn.now.tick) {
            log::info!(conn:% = conn, violation:% = violation, suppressed; "violation");
        }
        let code = violation.close_code();
        let mut out = Vec::new();
        encode_close(Some(code), &violation.to_string(), None, &mut out);
        let reason = match code {
            CloseCode::MESSAGE_TOO_BIG => CloseReason::TooBig,
            _ => CloseReason::Violation,
        };
        self.close(out, (reason, Ending::Linger));
    }
}
