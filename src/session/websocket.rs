//! The chat over WebSocket: messages into requests, control frames into their answers.

use super::backlog::PeerEnd;
use super::input::Session;
use super::state::{Flag, Protocol};
use crate::net::{CloseReason, Ending};
use crate::wire;
use crate::ws::{CloseCode, Item, Opcode, Violation, encode, encode_close};

impl Session<'_, '_> {
    /// Takes one message off the front of `input`. `false` if there is no whole one, or the
    /// connection ends.
    pub(super) fn websocket_step(&mut self, input: &mut &mut [u8]) -> bool {
        let is_greeted = self.state.flags.has(Flag::Greeted);
        let Protocol::WebSocket { decoder } = &mut self.state.protocol else { return false };
        let context = &mut *self.context;
        // Asked before the frame is taken off the input.
        let is_proxys = is_close_of_a_proxy(input);
        let settings = if is_greeted { &context.settings } else { &context.hello_settings };
        // A message may be lent from the scratch space, which nothing else needs meanwhile.
        let mut decoding = context.decoding.take().unwrap_or_default();
        let goes_on = match decoder.decode(input, settings, &mut decoding) {
            // The settings refuse binary messages.
            Ok(None | Some(Item::Binary(_))) => false,
            Ok(Some(Item::Text(text))) => {
                let left = self.requests(text);
                // One had to wait for the rate or for room: it and those after it are kept.
                if let Some(rest) = text.get(text.len() - left..).filter(|rest| !rest.is_empty()) {
                    self.state.begin_backlog().unread.keep_lines(rest);
                }
                true
            }
            Ok(Some(Item::Ping(payload))) => {
                self.pong(payload);
                true
            }
            Ok(Some(Item::Pong(_))) => {
                context.metrics.http.pongs.add(1);
                self.on_control_frame();
                true
            }
            Ok(Some(Item::Close { code, .. })) => {
                self.on_leave_taken(PeerEnd::Close(code));
                false
            }
            Err(Violation::UnmaskedFrame) if is_proxys => {
                log::debug!(conn:% = self.state.conn; "a proxy closed it");
                self.close(Vec::new(), (CloseReason::PeerGone, Ending::Flush));
                false
            }
            Err(violation) => {
                self.fail(violation);
                false
            }
        };
        self.context.decoding = Some(decoding);
        goes_on
    }

    /// Does requests, a line each, until one must wait; returns how many bytes are left then. What
    /// holds no request costs as much as one.
    pub(super) fn requests(&mut self, lines: &str) -> usize {
        let mut rest = lines;
        loop {
            // Several requests in one message, a line each: it saves frames, and JSON has no
            // newline within a text.
            self.take_token();
            if let Some(parsed) = wire::parse_next(&mut rest, &self.context.limits) {
                self.request(parsed);
            }
            if rest.is_empty() {
                return 0;
            }
            // After each request and not for the message: its lines are as many as the sender
            // likes.
            let must_wait = self.must_wait();
            if self.state.is_closing() {
                return 0;
            }
            if must_wait {
                return rest.len();
            }
        }
    }

    /// Answers a ping.
    fn pong(&mut self, payload: &[u8]) {
        self.on_control_frame();
        // The payload comes back as it is (RFC 6455 section 5.5.3); two bytes of header are enough
        // for the 125 that it has at most.
        let mut out = Vec::with_capacity(payload.len() + 2);
        encode(Opcode::Pong, payload, None, &mut out);
        self.send(out);
    }

    fn on_control_frame(&mut self) {
        self.state.controls.take(self.turn.now.tick, self.context.control_rate);
    }

    /// Fails a WebSocket (RFC 6455 section 7.1.7).
    pub(super) fn fail(&mut self, violation: Violation) {
        let conn = self.state.conn;
        if let Some(suppressed) = self.context.throttle.admit(self.turn.now.tick) {
            log::info!(conn:% = conn, violation:% = violation, suppressed; "violation");
        }
        // Nothing that follows is trusted: the connection ends, with the code that says why.
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

/// Whether `input` begins with a close frame 1001 that no client has made, since it is not masked:
/// some proxies send one to both ends when they reload their configuration.
fn is_close_of_a_proxy(input: &[u8]) -> bool {
    matches!(input, [0x88, 2..=125, 0x03, 0xe9, ..])
}
