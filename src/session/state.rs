//! One connection's state between two of its inputs.

use std::time::Duration;

use super::ListenerKind;
use super::backlog::{Backlog, PeerEnd};
use super::context::SessionContext;
use super::encode::Format;
use super::errors_in_a_row::{Answered, ErrorsInARow};
use super::exchange::Exchange;
use super::stream::Stream;
use super::text_client::TextClient;
use crate::chat::model::send_credit::SendCredit;
use crate::collections::{SevenBytes, Slots};
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
    /// As a number of milliseconds: see [`SessionState::since`].
    since: SevenBytes,
    pub flags: Flags,
    pub commands: Bucket,
    pub controls: Bucket,
    /// The answers that it was given and has not taken.
    pub answers: SendCredit,
    rare: Option<Box<Rare>>,
}

/// What few connections have at a time, so that it takes no memory of the others.
#[derive(Debug, Default)]
struct Rare {
    /// As much of an HTTP head as has come.
    head: PartialHead,
    /// What was received and waits, and what the peer has said last after it.
    backlog: Option<Backlog>,
    errors: ErrorsInARow,
    /// When the last flush left bytes waiting.
    slow_at: Option<Tick>,
}

/// What is true of a connection, a bit for each [`Flag`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags(u8);

/// What may be true of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// Its hello counts for the rate of all.
    Counted,
    /// It was pinged, and nothing has come since.
    Pinged,
    /// The peer has sent FIN when nothing waited.
    Finished,
    /// It has said hello over WebSocket.
    Greeted,
    /// It is between two requests of HTTP.
    Idle,
    /// What its HTTP requests say of whom they speak for is believed.
    Proxy,
    /// It came by a listener of [`ListenerKind::Https`].
    Https,
    /// It came by a listener of [`ListenerKind::Admin`].
    Admin,
}

impl Flags {
    const fn bit(flag: Flag) -> u8 {
        match flag {
            Flag::Counted => 1,
            Flag::Pinged => 1 << 1,
            Flag::Finished => 1 << 2,
            Flag::Greeted => 1 << 3,
            Flag::Idle => 1 << 4,
            Flag::Proxy => 1 << 5,
            Flag::Https => 1 << 6,
            Flag::Admin => 1 << 7,
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
    /// HTTP requests, one after the other. A program's request is an `exchange` until it is
    /// answered. What else is known of such a connection is among its flags.
    Http { exchange: Option<Box<Exchange>> },
    /// The chat over WebSocket.
    WebSocket { decoder: ws::Decoder },
    /// The diagnostic echo over WebSocket.
    Echo { decoder: Box<ws::Decoder> },
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
            since: SevenBytes::new(now.as_millis()),
            flags: Flags::default(),
            commands: Bucket::default(),
            controls: Bucket::default(),
            answers: SendCredit::default(),
            rare: None,
        }
    }

    /// From when its deadline counts: until hello from the beginning of the protocol, later from
    /// when bytes last came, or when it was pinged.
    pub(super) const fn since(&self) -> Tick {
        Tick::from_millis(self.since.get())
    }

    /// It counts from this moment on.
    pub(super) const fn set_since(&mut self, since: Tick) {
        self.since = SevenBytes::new(since.as_millis());
    }

    /// A connection that speaks HTTP first, by a listener of this kind.
    pub(super) fn http(conn: ConnId, (kind, is_proxy): (ListenerKind, bool), now: Tick) -> Self {
        let mut state = Self::new(conn, Protocol::Http { exchange: None }, now);
        state.flags.set(Flag::Https, kind == ListenerKind::Https);
        state.flags.set(Flag::Admin, kind == ListenerKind::Admin);
        state.flags.set(Flag::Proxy, is_proxy);
        state
    }

    /// By what kind of listener it came that speaks HTTP.
    pub(super) const fn http_kind(&self) -> ListenerKind {
        if self.flags.has(Flag::Admin) {
            ListenerKind::Admin
        } else if self.flags.has(Flag::Https) {
            ListenerKind::Https
        } else {
            ListenerKind::Http
        }
    }

    /// As much of an HTTP head as has come; nothing of it is left.
    pub(super) fn take_head(&mut self) -> PartialHead {
        self.change_rare(|rare| std::mem::take(&mut rare.head))
    }

    /// As much of an HTTP head has come.
    pub(super) fn keep_head(&mut self, head: PartialHead) {
        if !head.is_empty() {
            self.rare.get_or_insert_default().head = head;
        }
    }

    /// As much of an HTTP head as has come, if anything has.
    pub(super) fn head(&self) -> Option<&PartialHead> {
        self.rare.as_ref().map(|rare| &rare.head).filter(|head| !head.is_empty())
    }

    /// What was received and waits, and what the peer has said last after it.
    pub(super) fn backlog(&self) -> Option<&Backlog> {
        self.rare.as_ref()?.backlog.as_ref()
    }

    /// The same, to be changed.
    pub(super) fn backlog_mut(&mut self) -> Option<&mut Backlog> {
        self.rare.as_mut()?.backlog.as_mut()
    }

    /// The backlog, which is begun if there is none.
    pub(super) fn begin_backlog(&mut self) -> &mut Backlog {
        self.rare.get_or_insert_default().backlog.get_or_insert_default()
    }

    /// Nothing waits any more, nor is the peer's last word to be answered. Returns whether there
    /// was a backlog.
    pub(super) fn end_backlog(&mut self) -> bool {
        self.change_rare(|rare| rare.backlog.take().is_some())
    }

    /// How many errors it has made in a row.
    pub(super) fn errors(&self) -> ErrorsInARow {
        self.rare.as_ref().map_or_else(ErrorsInARow::default, |rare| rare.errors)
    }

    /// It has made so many.
    pub(super) fn set_errors(&mut self, errors: ErrorsInARow) {
        if errors != self.errors() {
            self.rare.get_or_insert_default().errors = errors;
        }
    }

    /// A request waits for the log.
    pub(super) fn on_waiting(&mut self) {
        self.change_rare(|rare| rare.errors.on_waiting());
    }

    /// A request succeeded.
    pub(super) fn on_success(&mut self, answered: Answered) {
        self.change_rare(|rare| rare.errors.on_success(answered));
    }

    /// When the last flush left bytes waiting; `None` if none did of late. While the socket is
    /// slow, a pong may be, too.
    pub(super) fn slow_at(&self) -> Option<Tick> {
        self.rare.as_ref()?.slow_at
    }

    /// A flush has left bytes waiting.
    pub(super) fn set_slow_at(&mut self, now: Tick) {
        self.rare.get_or_insert_default().slow_at = Some(now);
    }

    /// Whether its socket was slow is remembered for no longer than this.
    pub(super) fn forget_slow(&mut self, now: Tick, after: Duration) {
        self.change_rare(|rare| rare.slow_at = rare.slow_at.filter(|at| at.after(after) > now));
    }

    /// Changes what few have, if it is one of them, and gives the memory back with the last of it.
    #[inline]
    fn change_rare<T: Default>(&mut self, change: impl FnOnce(&mut Rare) -> T) -> T {
        let Some(rare) = &mut self.rare else { return T::default() };
        let changed = change(rare);
        let Rare { head, backlog, errors, slow_at } = &**rare;
        let has_erred = *errors != ErrorsInARow::default();
        if head.is_empty() && backlog.is_none() && slow_at.is_none() && !has_erred {
            self.rare = None;
        }
        changed
    }

    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.protocol, Protocol::Closing)
    }

    /// Bytes that have come in part, or wait for their turn.
    pub(super) fn held(&self) -> usize {
        let waiting = self.backlog().map_or(0, |backlog| backlog.unread.memory());
        waiting
            + self.head().map_or(0, PartialHead::memory)
            + match &self.protocol {
                Protocol::Http { exchange } => {
                    exchange.as_ref().map_or(0, |exchange| exchange.memory())
                }
                Protocol::WebSocket { decoder } => decoder.gathered_len(),
                Protocol::Echo { decoder } => decoder.gathered_len(),
                Protocol::Tcp(plain) => plain.decoder.gathered_len(),
                Protocol::Events(stream) => stream.memory(),
                Protocol::Closing => 0,
            }
    }

    /// Whether it speaks HTTP, and nothing of a request has come.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.protocol, Protocol::Http { exchange: None }) && self.head().is_none()
    }

    /// Whether the domain owes the answer to a request over HTTP, so that nothing more is read.
    pub(super) fn is_answering(&self) -> bool {
        match &self.protocol {
            Protocol::Http { exchange: Some(exchange) } => exchange.is_answering(),
            _ => false,
        }
    }

    /// Whether the thread that keeps files has something to do for it.
    pub(super) fn waits_for_file(&self) -> bool {
        match &self.protocol {
            Protocol::Http { exchange: Some(exchange) } => exchange.is_about_file(),
            _ => false,
        }
    }

    /// Whether a part of a file is on its way to the peer.
    pub(super) fn is_sending_file(&self) -> bool {
        match &self.protocol {
            Protocol::Http { exchange: Some(exchange) } => exchange.is_sending(),
            _ => false,
        }
    }

    /// Whether the body of a request has come in part.
    pub(super) const fn is_in_body(&self) -> bool {
        matches!(&self.protocol, Protocol::Http { exchange: Some(_) })
    }

    /// Whether input waits, so that no more is read.
    pub(super) fn is_waiting(&self) -> bool {
        let is_held =
            |plain: &PlainTcp| plain.text.as_ref().is_some_and(|text| text.held.is_some());
        self.backlog().is_some_and(Backlog::is_waiting)
            || matches!(&self.protocol, Protocol::Tcp(plain) if is_held(plain))
    }

    /// Whether the peer has said its last word, and only answers are still due.
    pub(super) fn is_leaving(&self) -> bool {
        self.flags.has(Flag::Finished)
            || self.backlog().is_some_and(|it| it.end.is_some() && !it.is_waiting())
    }

    /// Whether a person has said `/quit`.
    pub(super) fn has_quit(&self) -> bool {
        self.backlog().is_some_and(|backlog| backlog.end == Some(PeerEnd::Quit))
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
            Protocol::Http { .. } => !self.flags.has(Flag::Admin),
            Protocol::WebSocket { .. } => !self.flags.has(Flag::Greeted),
            Protocol::Tcp(plain) => !plain.is_greeted,
            Protocol::Echo { .. } | Protocol::Events(_) | Protocol::Closing => false,
        }
    }

    /// How events are put on the wire for it, if it takes any.
    pub(super) const fn format(&self) -> Option<Format> {
        match &self.protocol {
            Protocol::WebSocket { decoder } => Some(Format::of_deflate(decoder.deflate())),
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
            Protocol::WebSocket { .. } => self.flags.set(Flag::Greeted, true),
            Protocol::Tcp(plain) => plain.is_greeted = true,
            Protocol::Http { .. }
            | Protocol::Echo { .. }
            | Protocol::Events(_)
            | Protocol::Closing => return,
        }
        self.set_since(now);
    }
}

/// The state of a connection.
pub(super) fn find(states: &mut Slots<SessionState>, conn: ConnId) -> Option<&mut SessionState> {
    states.get_mut(conn.slot()).filter(|state| state.conn == conn)
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it.
const _: () = assert!(size_of::<Option<SessionState>>() <= 64);

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> SessionState {
        SessionState::new(ConnId::from_u64(1), Protocol::Closing, Tick::from_millis(7))
    }

    #[test]
    fn flags_do_not_touch_each_other() {
        let about_life = [Flag::Counted, Flag::Pinged, Flag::Finished, Flag::Greeted];
        let all = [about_life, [Flag::Idle, Flag::Proxy, Flag::Https, Flag::Admin]].concat();
        for &one in &all {
            let mut flags = Flags::default();
            flags.set(one, true);
            for &flag in &all {
                assert_eq!(flags.has(flag), flag == one, "{flag:?} beside {one:?}");
            }
            flags.set(one, false);
            assert!(!flags.has(one));
        }
    }

    #[test]
    fn what_few_have_takes_memory_only_while_one_of_it_is_there() {
        let mut state = state();
        state.on_waiting();
        state.on_success(Answered::AtOnce);
        state.set_errors(ErrorsInARow::default());
        assert!(!state.end_backlog() && state.rare.is_none());
        let mut errors = state.errors();
        errors.on_error(Answered::AtOnce, false, 3);
        state.set_errors(errors);
        state.set_slow_at(Tick::from_millis(1_000));
        state.begin_backlog().end = Some(PeerEnd::Fin);
        assert!(state.end_backlog() && state.backlog().is_none());
        state.forget_slow(Tick::from_millis(4_999), Duration::from_secs(4));
        assert_eq!((state.errors(), state.slow_at()), (errors, Some(Tick::from_millis(1_000))));
        state.forget_slow(Tick::from_millis(5_000), Duration::from_secs(4));
        assert_eq!((state.errors(), state.slow_at()), (errors, None));
        state.on_success(Answered::AtOnce);
        assert!(state.rare.is_none());
    }
}
