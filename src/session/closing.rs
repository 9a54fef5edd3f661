//! How connections are ended from this side, and what the peer is told.

use super::Turn;
use super::context::SessionContext;
use super::encode::{Encoder, Format};
use super::exchange::refused;
use super::state::{Flag, Protocol, SessionState};
use super::stream;
use crate::chat::{Code, Refusal};
use crate::http::{self, Method, Response};
use crate::net::{CloseReason, Effect, Ending, SharedFrame};
use crate::wire::{close_code, close_words, events, render, text};
use crate::ws::{CloseCode, encode_close};

/// After how long a request that the server has interrupted is to be sent again.
const RETRY_MS: u64 = 1_000;

/// Ends a connection with the goodbye of its protocol. The domain is not told.
pub(super) fn end(
    state: &mut SessionState,
    context: &mut SessionContext,
    reason: CloseReason,
    turn: &mut Turn<'_>,
) {
    // What follows would be taken for more of the file.
    if state.is_sending_file() {
        return close(state, Vec::new(), (reason, Ending::Linger), turn);
    }
    if let Some((refusal, method)) = interrupted(state, reason) {
        return answer(state, context, (refused(refusal.into()), method), (reason, turn));
    }
    // Nobody has said who asks: it is the address.
    if reason == CloseReason::Banned && matches!(state.protocol, Protocol::Http { .. }) {
        return refuse_banned(state, context, "", turn);
    }
    let goodbye = goodbye(state, &mut context.encoder, reason);
    close(state, goodbye, (reason, Ending::Linger), turn);
}

/// What becomes of a request over HTTP that is under way, of which nothing was answered yet.
fn interrupted(state: &SessionState, reason: CloseReason) -> Option<(Refusal, Method)> {
    let Protocol::Http { exchange: Some(exchange) } = &state.protocol else { return None };
    let (mut words, mut again) = (close_words(reason).to_owned(), "send the request again");
    if exchange.may_be_done() {
        words.push_str(", and what was asked may have been done");
        again = "send it again with the same Idempotency-Key";
    }
    let refusal = match reason {
        CloseReason::Shutdown | CloseReason::Rebalance => {
            let message = format!("{words}; {again}");
            Refusal::new(Code::ShuttingDown, message).retry_after_ms(RETRY_MS)
        }
        CloseReason::TokenExpired => Refusal::new(Code::TokenExpired, words),
        CloseReason::Banned => Refusal::new(Code::Suspended, words),
        CloseReason::BadToken | CloseReason::LoginEnded => Refusal::new(Code::Unauthorized, words),
        _ => return None,
    };
    Some((refusal, exchange.method))
}

/// Ends a connection that speaks HTTP with the response to its request.
fn answer(
    state: &mut SessionState,
    context: &mut SessionContext,
    (response, method): (Response, Method),
    (reason, turn): (CloseReason, &mut Turn<'_>),
) {
    let response = response.date(context.dates.at(turn.now.wall_ms));
    context.metrics.http.count_response(response.status().code());
    let mut out = Vec::new();
    response.render(&mut out, method, false);
    close(state, out, (reason, Ending::Linger), turn);
}

/// Ends a connection that speaks HTTP, whose address is banned for this reason, empty if none was
/// given.
pub(super) fn refuse_banned(
    state: &mut SessionState,
    context: &mut SessionContext,
    why: &str,
    turn: &mut Turn<'_>,
) {
    let refusal = http::Refusal::Banned;
    let response = if why.is_empty() {
        Response::from(refusal)
    } else {
        let status = refusal.status();
        Response::text(status, format!("{}: {refusal}: {why}\n", status.line()))
    };
    answer(state, context, (response, Method::Get), (CloseReason::Banned, turn));
}

/// Sends the last bytes and closes.
pub(super) fn close(
    state: &mut SessionState,
    goodbye: Vec<u8>,
    (reason, ending): (CloseReason, Ending),
    turn: &mut Turn<'_>,
) {
    // The first reason stands: what fails while a connection is being ended is a consequence.
    if state.is_closing() {
        return;
    }
    let conn = state.conn;
    // From here on its input is discarded, and nothing is rendered for it.
    state.protocol = Protocol::Closing;
    state.take_head();
    state.end_backlog();
    state.flags.set(Flag::Finished, false);
    if !goodbye.is_empty() {
        turn.effects.push(Effect::Send { conn, frame: SharedFrame::from(goodbye) });
    }
    turn.effects.push(Effect::Close { conn, reason, ending });
}

/// A close frame, or the event or line that says why the connection ends.
pub(super) fn goodbye(state: &SessionState, encoder: &mut Encoder, reason: CloseReason) -> Vec<u8> {
    let mut out = Vec::new();
    let (code, words) = (close_code(reason), close_words(reason));
    match (&state.protocol, state.format()) {
        (Protocol::WebSocket { .. } | Protocol::Echo { .. }, _) => {
            encode_close(CloseCode::new(code), words, None, &mut out);
        }
        (Protocol::Tcp(_), Some(Format::Text)) => {
            text::bye(&mut out, if reason == CloseReason::Bye { "" } else { words });
        }
        (Protocol::Tcp(_), format) => {
            let format = format.unwrap_or(Format::Lines);
            encoder.message(format, &mut out, |out| render::bye(out, code, words));
        }
        (Protocol::Events(_), _) => stream::goodbye(&mut out, reason),
        // HTTP has no farewell: a response that nobody asked for would be taken for the next one's.
        (Protocol::Http { .. } | Protocol::Closing, _) => {}
    }
    out
}

/// The bytes that ask whether the peer is still there.
pub(super) fn ping(state: &SessionState, encoder: &mut Encoder) -> SharedFrame {
    /// An empty ping: final, unmasked. It is the same for all, and takes no memory.
    const PING: &[u8] = &[0x89, 0];
    match state.format() {
        Some(format @ (Format::Lines | Format::Lengths)) => {
            let mut out = Vec::new();
            encoder.message(format, &mut out, render::ping);
            out.into()
        }
        Some(Format::Text) => SharedFrame::new(),
        Some(Format::Events | Format::ManyEvents) => SharedFrame::from_static(events::COMMENT),
        Some(Format::WebSocket | Format::Deflate(_)) | None => SharedFrame::from_static(PING),
    }
}
