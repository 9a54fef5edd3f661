//! One connection's state between two of its inputs.

use super::ListenerKind;
use super::backlog::{Backlog, PeerEnd};
use super::context::SessionContext;
use super::encode::Format;
use super::errors_in_a_row::ErrorsInARow;
use super::exchange::Exchange;
use super::stream::Stream;
use super::text_client::TextClient;
use crate::chat::model::send_credit::SendCredit;
use crate::collections::Slots;
use crate::http::PartialHead;
use crate::line::{self, Framing};
use crate::net::ConnId;
use crate::time::Tick;
use crate::time::rate::Bucket;
use crate::ws;

/// One connection's protocol stack. What is the same for all connections is in
/// [`SessionContext`].
#[derive(Debug)]
pub(super) struct SessionState {
    pub conn: ConnId,
    pub protocol: Protocol,
    /// From when its deadline counts: until hello from the beginning of the protocol, later from
    /// when bytes last came, or when it was pinged.
    pub since: Tick,
    pub flags: Flags,
    pub commands: Bucket,
    pub controls: Bucket,
    /// The answers that it was given and has not taken.
    pub answers: SendCredit,
    pub errors: ErrorsInARow,
    /// What was received and waits, and what the peer has said last after it.
    pub backlog: Option<Box<Backlog>>,
}

/// What is true of a connection, and when its socket was slow: four bytes, since there is one for
/// each connection.
///
/// ```text
///  31 .................. 3   2..0
/// +------------------------+------+
/// | slow, in seconds       | Flag |
/// +------------------------+------+
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags(u32);

/// What may be true of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// Its hello counts for the rate of all.
    Counted,
    /// It was pinged, and nothing has come since.
    Pinged,
    /// The peer has sent FIN when nothing waited.
    Finished,
}

impl Flags {
    const BITS: u32 = 3;

    const fn bit(flag: Flag) -> u32 {
        match flag {
            Flag::Counted => 1,
            Flag::Pinged => 1 << 1,
            Flag::Finished => 1 << 2,
        }
    }

    /// Whether this is true.
    pub(super) const fn has(self, flag: Flag) -> bool {
        self.0 & Self::bit(flag) != 0
    }

    /// Whether this is true from now on.
    pub(super) const fn set(&mut self, flag: Flag, is_true: bool) {
        self.0 = if is_true { self.0 | Self::bit(flag) } else { self.0 & !Self::bit(flag) };
    }

    /// When the last flush left bytes waiting, rounded up to a second; `None` if none did. While
    /// the socket is slow, a pong may be, too.
    pub(super) const fn slow_at(self) -> Option<Tick> {
        match self.0 >> Self::BITS {
            0 => None,
            slow_s => Some(Tick::from_millis(slow_s as u64 * 1_000)),
        }
    }

    /// A flush has left bytes waiting. After 17 years of ticks it is always the same moment.
    pub(super) fn set_slow_at(&mut self, now: Tick) {
        let slow_s = now.as_millis().div_ceil(1_000).min(u64::from(u32::MAX >> Self::BITS));
        let flags = self.0 & ((1 << Self::BITS) - 1);
        self.0 = u32::try_from(slow_s).unwrap_or(0) << Self::BITS | flags;
    }
}

/// What a connection speaks at the moment.
///
/// ```text
///  Http ──▶ WebSocket ──┐
///    │ ├──▶ Echo ───────┼──▶ Closing
///    │ └──▶ Events ─────┤
///    └──────────────────┤
///  Tcp ─────────────────┘
/// ```
#[derive(Debug)]
pub(super) enum Protocol {
    /// HTTP requests, one after the other; `is_idle` between two of them. What they say of whom
    /// they speak for is believed if `is_proxy`.
    /// A program's request is an `exchange` until it is answered.
    Http {
        partial: PartialHead,
        kind: ListenerKind,
        is_proxy: bool,
        is_idle: bool,
        exchange: Option<Box<Exchange>>,
    },
    /// The chat over WebSocket.
    WebSocket { decoder: ws::Decoder, format: Format, is_greeted: bool },
    /// The diagnostic echo over WebSocket.
    Echo { decoder: ws::Decoder },
    /// The chat over plain TCP.
    Tcp(Box<PlainTcp>),
    /// A stream of events, which is the last response of an HTTP connection.
    Events(Box<Stream>),
    /// The last bytes are on their way, and whatever comes is ignored.
    Closing,
}

/// A plain TCP connection.
#[derive(Debug, Default)]
pub(super) struct PlainTcp {
    pub decoder: line::Decoder,
    /// How it is spoken to: known from the first byte on, and text until then for who is greeted as
    /// a person.
    pub framing: Option<Framing>,
    pub is_greeted: bool,
    /// It has asked to be pinged when it is silent. Otherwise the kernel finds out whether it is
    /// there.
    pub wants_pings: bool,
    /// There from the greeting or the first line of a person on.
    pub text: Option<Box<TextClient>>,
}

impl SessionState {
    pub(super) fn new(conn: ConnId, protocol: Protocol, now: Tick) -> Self {
        Self {
            conn,
            protocol,
            since: now,
            flags: Flags::default(),
            commands: Bucket::default(),
            controls: Bucket::default(),
            answers: SendCredit::default(),
            errors: ErrorsInARow::default(),
            backlog: None,
        }
    }

    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.protocol, Protocol::Closing)
    }

    /// Bytes that have come in part, or wait for their turn.
    pub(super) fn held(&self) -> usize {
        let waiting = self.backlog.as_ref().map_or(0, |backlog| backlog.unread.memory());
        waiting
            + match &self.protocol {
                Protocol::Http { partial, exchange, .. } => {
                    partial.memory() + exchange.as_ref().map_or(0, |exchange| exchange.memory())
                }
                Protocol::WebSocket { decoder, .. } | Protocol::Echo { decoder } => {
                    decoder.gathered_len()
                }
                Protocol::Tcp(plain) => plain.decoder.gathered_len(),
                Protocol::Events(stream) => stream.memory(),
                Protocol::Closing => 0,
            }
    }

    /// Whether it speaks HTTP, and nothing of a request has come.
    pub(super) const fn is_between_requests(&self) -> bool {
        match &self.protocol {
            Protocol::Http { partial, exchange: None, .. } => partial.is_empty(),
            _ => false,
        }
    }

    /// Whether the domain owes the answer to a request over HTTP, so that nothing more is read.
    pub(super) fn is_answering(&self) -> bool {
        match &self.protocol {
            Protocol::Http { exchange: Some(exchange), .. } => exchange.is_answering(),
            _ => false,
        }
    }

    /// Whether the thread that keeps files has something to do for it.
    pub(super) fn waits_for_file(&self) -> bool {
        match &self.protocol {
            Protocol::Http { exchange: Some(exchange), .. } => exchange.is_about_file(),
            _ => false,
        }
    }

    /// Whether a part of a file is on its way to the peer.
    pub(super) fn is_sending_file(&self) -> bool {
        match &self.protocol {
            Protocol::Http { exchange: Some(exchange), .. } => exchange.is_sending(),
            _ => false,
        }
    }

    /// Whether the body of a request has come in part.
    pub(super) const fn is_in_body(&self) -> bool {
        matches!(&self.protocol, Protocol::Http { exchange: Some(_), .. })
    }

    /// Whether input waits, so that no more is read.
    pub(super) fn is_waiting(&self) -> bool {
        let is_held =
            |plain: &PlainTcp| plain.text.as_ref().is_some_and(|text| text.held.is_some());
        self.backlog.as_ref().is_some_and(|backlog| backlog.is_waiting())
            || matches!(&self.protocol, Protocol::Tcp(plain) if is_held(plain))
    }

    /// Whether the peer has said its last word, and only answers are still due.
    pub(super) fn is_leaving(&self) -> bool {
        self.flags.has(Flag::Finished)
            || self.backlog.as_ref().is_some_and(|it| it.end.is_some() && !it.is_waiting())
    }

    /// Whether a person has said `/quit`.
    pub(super) fn has_quit(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| backlog.end == Some(PeerEnd::Quit))
    }

    /// Whether the rate allows the next request or control frame.
    pub(super) fn is_ready(&self, now: Tick, context: &SessionContext) -> bool {
        self.commands.is_ready(now, context.command_rate)
            && self.controls.is_ready(now, context.control_rate)
            && (!self.brings_token() || context.tokens.ready_at(self.conn) <= now)
    }

    /// From when on the rate allows the next request or control frame.
    pub(super) fn ready_at(&self, context: &SessionContext) -> Tick {
        let commands = self.commands.ready_at(context.command_rate);
        let ready_at = commands.max(self.controls.ready_at(context.control_rate));
        if self.brings_token() {
            // Only for who may bring a token: verifying costs, and its budget must not slow those
            // who are in.
            ready_at.max(context.tokens.ready_at(self.conn))
        } else {
            ready_at
        }
    }

    /// Whether a token may come with what it sends next.
    pub(super) const fn brings_token(&self) -> bool {
        match &self.protocol {
            Protocol::Http { kind, .. } => !matches!(kind, ListenerKind::Admin),
            Protocol::WebSocket { is_greeted, .. } => !*is_greeted,
            Protocol::Tcp(plain) => !plain.is_greeted,
            Protocol::Echo { .. } | Protocol::Events(_) | Protocol::Closing => false,
        }
    }

    /// How events are put on the wire for it, if it takes any.
    pub(super) const fn format(&self) -> Option<Format> {
        match &self.protocol {
            Protocol::WebSocket { format, .. } => Some(*format),
            Protocol::Tcp(plain) => match plain.framing {
                Some(Framing::Lines) => Some(Format::Lines),
                Some(Framing::Lengths) => Some(Format::Lengths),
                Some(Framing::Text) => Some(Format::Text),
                None => None,
            },
            Protocol::Events(stream) => Some(stream.format()),
            Protocol::Http { .. } | Protocol::Echo { .. } | Protocol::Closing => None,
        }
    }

    /// The person at the other end, if it is one.
    pub(super) fn text_client(&mut self) -> Option<&mut TextClient> {
        match &mut self.protocol {
            Protocol::Tcp(plain) => plain.text.as_deref_mut(),
            _ => None,
        }
    }

    /// Hello has been said.
    pub(super) fn on_greeted(&mut self, now: Tick) {
        match &mut self.protocol {
            Protocol::WebSocket { is_greeted, .. } => *is_greeted = true,
            Protocol::Tcp(plain) => plain.is_greeted = true,
            Protocol::Http { .. }
            | Protocol::Echo { .. }
            | Protocol::Events(_)
            | Protocol::Closing => return,
        }
        self.since = now;
    }
}

/// The state of a connection.
pub(super) fn find(states: &mut Slots<SessionState>, conn: ConnId) -> Option<&mut SessionState> {
    states.get_mut(conn.slot()).filter(|state| state.conn == conn)
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it.
const _: () = assert!(size_of::<Option<SessionState>>() <= 80);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_the_time_of_a_slow_socket_do_not_touch_each_other() {
        let all = [Flag::Counted, Flag::Pinged, Flag::Finished];
        for one in all {
            let mut flags = Flags::default();
            assert_eq!(flags.slow_at(), None);
            flags.set(one, true);
            flags.set_slow_at(Tick::from_millis(7_001));
            for flag in all {
                assert_eq!(flags.has(flag), flag == one, "{flag:?} beside {one:?}");
            }
            assert_eq!(flags.slow_at(), Some(Tick::from_millis(8_000)));
            flags.set(one, false);
            assert_eq!((flags.has(one), flags.slow_at()), (false, Some(Tick::from_millis(8_000))));
            flags.set_slow_at(Tick::MAX);
            assert!(!flags.has(one) && flags.slow_at() > Some(Tick::from_millis(500_000_000_000)));
        }
    }
}
