//! Sessions: each connection's protocol stack, between the reactor's bytes and the domain's
//! commands.
//!
//! ```text
//!            ┌─ http ─▶ page, health, metrics
//!            │    ├──▶ operator ─▶ lists of what there is
//!            │    ├──▶ api ─▶ visits, stream ────────────▶ chat
//!  bytes ─▶ ─┤    └──▶ websocket ──────────┬─▶ commands ─▶ chat
//!            └─ plain_tcp ──┬──────────────┘                │
//!                           └─▶ text_lines ─▶ commands      │ outputs
//!  bytes ◀─── outgoing ◀── encode ◀── delivery, fan_out ◀───┘
//! ```
//!
//! An input finds its connection's [state](state::SessionState) once and handles it as a
//! `Session`, together with what all sessions share (`SessionContext`). Then everything that the
//! domain has to say is delivered, to that connection and to others.
//!
//! A connection for which too many answers wait is not read from until they have drained, and one
//! that sends faster than the rate is read at the rate: bytes that were received and not parsed are
//! its [backlog](backlog::Backlog), and nothing of it is answered before its turn.

mod api;
mod backlog;
mod closing;
mod commands;
mod context;
mod deadlines;
mod delivery;
mod echo;
mod encode;
mod entropy;
mod errors_in_a_row;
mod exchange;
mod fan_out;
mod gauges;
mod handover;
mod hello_rate;
mod http;
mod input;
mod login;
mod operator;
mod outgoing;
mod peers;
mod plain_tcp;
mod proof;
mod proxy_header;
mod public_docs;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod text_client;
mod text_lines;
mod tokens;
mod transfers;
mod visits;
mod websocket;

use std::sync::Arc;

pub use self::entropy::{Entropy, Pool};
pub use self::exchange::OperatorWish;
pub use self::handover::Carried;

use self::context::SessionContext;
use self::delivery::Delivery;
use self::input::Session;
use self::peers::{Peer, Peers};
use self::state::{Flag, Protocol, SessionState, find};
use self::tokens::Tokens;
use crate::admin::Health;
use crate::admin::responses::Nodes;
use crate::chat::model::account::SecretHash;
use crate::chat::{Chat, Limits};
use crate::collections::Slots;
use crate::config::{Config, Difference};
use crate::files::{FileAnswer, FileJob};
use crate::http::{HeadParser, PolicyError};
use crate::metrics::Metrics;
use crate::net::{CloseReason, ConnId, Effect, Effects, Ending, IpAddr, is_in};
use crate::time::clock::Now;

/// Connections that are sent away in one turn when the server stops: 2 ms.
const DRAINED_PER_TURN_MAX: usize = 256;

/// Slots that one turn looks at for those.
const SLOTS_PER_TURN_MAX: usize = 64 * 1024;

/// How much each connection widens the window over which all come back: what a server takes that
/// has just started.
const RETURN_MS: u64 = 2;

/// The narrowest window: the server needs a moment to be back.
const DRAIN_WINDOW_MS_MIN: u64 = 1_000;

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

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// HTTP: the page, and WebSocket.
    Http,
    /// The same over TLS.
    Https,
    /// Plain TCP.
    Tcp,
    /// HTTP for the operator: metrics and health.
    Admin,
}

/// The sessions of all connections.
#[derive(Debug)]
pub struct Sessions {
    /// By connection slot.
    states: Slots<SessionState>,
    context: SessionContext,
    heads: HeadParser,
    drain: Drain,
}

/// How far the server has got with sending its clients away.
#[derive(Clone, Copy, Debug, Default)]
struct Drain {
    /// Connections that were told when to come back.
    told: u64,
    /// Connections that there were when it began.
    all: u64,
    /// No slot below has a connection that is still to be sent away: nobody comes any more.
    next_slot: usize,
}

impl Sessions {
    /// No sessions.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if a configured host or origin is malformed.
    pub fn new(
        config: &Config,
        limits: Limits,
        metrics: Arc<Metrics>,
        entropy: Entropy,
    ) -> Result<Self, PolicyError> {
        Ok(Self {
            states: Slots::new(),
            context: SessionContext::new(config, limits, metrics, entropy)?,
            heads: HeadParser::new(context::head_limits(config)),
            drain: Drain::default(),
        })
    }

    /// Tokens are verified by these keys from now on.
    pub fn set_verifier(&mut self, verifier: Option<crate::auth::jwt::Verifier>) {
        self.context.tokens = Tokens::new(verifier);
    }

    /// Opens the admin API to who brings the token of this hash. To be called before anybody comes:
    /// from then on it is remembered who connections are.
    pub fn set_admin_token(&mut self, token: SecretHash) {
        self.context.admin_token = Some(token);
        self.context.peers = Some(Peers::default());
    }

    /// Whether there is an admin API.
    #[must_use]
    pub const fn has_admin_token(&self) -> bool {
        self.context.admin_token.is_some()
    }

    /// Lets other settings hold from now on: those that are read again while the server runs.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if a configured host or origin is malformed; nothing has changed then.
    pub fn set_config(&mut self, config: &Config, limits: Limits) -> Result<(), PolicyError> {
        self.context.set_config(config, limits)
    }

    /// Other keys of tokens are in force.
    pub fn set_keys(&mut self, keys: crate::auth::keys::KeyTable) {
        if let Some(verifier) = self.context.tokens.verifier_mut() {
            verifier.set_keys(keys);
        }
    }

    /// A connection was accepted.
    pub fn handle_opened(
        &mut self,
        conn: ConnId,
        (kind, peer): (ListenerKind, IpAddr),
        turn: &mut Turn<'_>,
    ) {
        let now = turn.now.tick;
        let mut state = match kind {
            ListenerKind::Http | ListenerKind::Https | ListenerKind::Admin => {
                let is_proxy = is_in(&self.context.proxies, peer);
                SessionState::http(conn, (kind, is_proxy), now)
            }
            ListenerKind::Tcp => SessionState::new(conn, Protocol::Tcp(Box::default()), now),
        };
        state.flags.set(Flag::Counted, self.context.is_counted(peer));
        let deadline = state.deadline(now, &self.context);
        turn.effects.push(Effect::Arm { conn, deadline });
        self.states.insert(conn.slot(), state);
        self.context.sessions_bytes += self.row_bytes();
        if let Some(peers) = &mut self.context.peers {
            let since = turn.now.wall_ms;
            peers.opened(Peer::new(conn, kind, (peer, since)));
        }
    }

    /// From where a connection comes, for as long as it has not said hello: who tries too many
    /// passwords is known by it.
    pub fn set_address(&mut self, conn: ConnId, address: IpAddr) {
        if self.context.limits.auth.accounts {
            self.context.addresses.insert(conn, address);
        }
    }

    /// Bytes have come.
    pub fn handle_received(&mut self, conn: ConnId, bytes: &mut [u8], turn: &mut Turn<'_>) {
        self.with(conn, turn, |session| {
            session.on_bytes(bytes);
        });
    }

    /// The peer has sent FIN: what it has asked for is answered, then the connection ends.
    pub fn handle_finished(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        self.with(conn, turn, |session| {
            session.on_finished();
        });
    }

    /// A flush has left `queued` bytes waiting.
    pub fn handle_blocked(&mut self, conn: ConnId, queued: usize, turn: &mut Turn<'_>) {
        if let Some(state) = find(&mut self.states, conn) {
            state.on_blocked(turn.now.tick, queued);
            turn.chat.handle_blocked(conn, queued);
        }
    }

    /// Nothing waits for the connection any more: what was put off goes on.
    pub fn handle_drained(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        self.with(conn, turn, |session| {
            session.state.answers.set_queued(0);
            // In this order: what was told to wait comes before what has not been read yet.
            session.turn.chat.handle_drained(session.turn.now, conn);
            session.scan_on();
            session.ask_for_piece();
            session.resume();
        });
    }

    /// The connection's deadline has passed.
    pub fn handle_expired(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        self.with(conn, turn, |session| {
            session.on_expired();
        });
    }

    /// The connection is gone.
    pub fn handle_closed(&mut self, conn: ConnId, reason: CloseReason, turn: &mut Turn<'_>) {
        if find(&mut self.states, conn).is_none() {
            return;
        }
        log::debug!(conn:% = conn, reason = reason.label(); "closed");
        // Before the state goes: what the thread of files did for it later would be for nobody.
        self.context.abandon_upload(conn);
        self.forget(conn);
        if let Some(peers) = &mut self.context.peers {
            peers.closed(conn, reason, turn.now.wall_ms);
        }
        turn.chat.handle_closed(turn.now, conn);
        self.flush_outputs(turn);
    }

    /// All of a turn's inputs have been handled: the domain's records go out, and those are let go
    /// who have said their last word and been answered.
    pub fn handle_turn_end(&mut self, turn: &mut Turn<'_>) {
        // Room by room, so that what is said about one is still in the cache.
        while turn.chat.fan_out_next(turn.now) {
            self.delivery(turn).stage_outputs();
        }
        turn.chat.end_turn(turn.now);
        self.flush_outputs(turn);
        if !self.context.finished.is_empty() {
            self.let_go(turn);
        }
        self.context.on_turn_end();
    }

    /// Ends those whose peers have said their last word and been answered.
    fn let_go(&mut self, turn: &mut Turn<'_>) {
        let finished = &mut self.context.finished;
        let answered = finished.extract_if(.., |conn| turn.chat.pending_of(*conn) == 0);
        for conn in answered.collect::<Vec<ConnId>>() {
            self.with(conn, turn, |session| {
                session.farewell();
            });
        }
    }

    /// Ends a connection with the goodbye of its protocol; the domain forgets it at once.
    pub fn end(&mut self, conn: ConnId, reason: CloseReason, turn: &mut Turn<'_>) {
        self.delivery(turn).end(conn, reason);
    }

    /// Ends a connection from an address that was banned. The operator's stay, so that a ban can be
    /// taken back by who is banned with others.
    pub fn end_banned(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let state = find(&mut self.states, conn);
        // Whoever bans must still be able to lift it.
        let is_operators = state.is_some_and(|state| {
            matches!(state.protocol, Protocol::Http { .. }) && state.flags.has(Flag::Admin)
        });
        if !is_operators {
            self.end(conn, CloseReason::Banned, turn);
        }
    }

    /// Ends a connection from an address that is banned, before it has said anything. Who speaks
    /// HTTP is told why.
    pub fn refuse_banned(&mut self, conn: ConnId, why: &str, turn: &mut Turn<'_>) {
        match find(&mut self.states, conn) {
            Some(state) if matches!(state.protocol, Protocol::Http { .. }) => {
                closing::refuse_banned(state, &mut self.context, why, turn);
            }
            _ => self.end(conn, CloseReason::Banned, turn),
        }
    }

    /// The server is stopping, and health says so. Who has asked nothing by HTTP is let go at once,
    /// without waiting for the other end to close too.
    pub fn handle_stop(&mut self, turn: &mut Turn<'_>) {
        self.context.health = Health::Draining;
        let idle = self.states.iter().filter(|state| state.is_between_requests());
        let idle: Vec<ConnId> = idle.map(|state| state.conn).collect();
        for conn in idle {
            let Some(state) = find(&mut self.states, conn) else { continue };
            closing::close(state, Vec::new(), (CloseReason::Shutdown, Ending::Flush), turn);
        }
        self.expect_drain();
        self.flush_outputs(turn);
    }

    /// Monitors and load balancers are told this, unless the server is stopping.
    pub fn set_health(&mut self, health: Health) {
        if self.context.health != Health::Draining {
            self.context.health = health;
        }
    }

    /// The operator is told this of the cluster.
    pub fn set_nodes(&mut self, nodes: Nodes) {
        self.context.nodes = nodes;
    }

    /// All that are left are about to be drained.
    pub fn expect_drain(&mut self) {
        let left = self.states.iter().filter(|state| !state.is_closing()).count();
        self.drain.all = u64::try_from(left).unwrap_or(u64::MAX);
    }

    /// Tells some of the connections when to come back, evenly spread over a window that grows with
    /// their number up to `window_ms_max`, and closes them. `false` if there were none left.
    pub fn drain(&mut self, window_ms_max: u64, turn: &mut Turn<'_>) -> bool {
        let places = self.states.places();
        let is_left = self.drain.next_slot < places;
        let end = places.min(self.drain.next_slot + SLOTS_PER_TURN_MAX);
        let mut leaving = Vec::new();
        while self.drain.next_slot < end && leaving.len() < DRAINED_PER_TURN_MAX {
            let state = self.states.get(self.drain.next_slot).filter(|state| !state.is_closing());
            leaving.extend(state.map(|state| state.conn));
            self.drain.next_slot += 1;
        }
        for conn in leaving {
            let Drain { told, all, .. } = &mut self.drain;
            *told += 1;
            // Who came after the count makes it larger: none is told a moment beyond the window.
            let all = (*all).max(*told);
            let window_ms = drain_window_ms(all, window_ms_max);
            let after_ms = window_ms.saturating_mul(*told) / all;
            turn.chat.drain(conn, (after_ms, window_ms));
            let mut delivery = self.delivery(turn);
            delivery.flush_outputs();
            delivery.end(conn, CloseReason::Shutdown);
        }
        self.flush_outputs(turn);
        is_left
    }

    /// Whether the operator wants something of the server.
    #[must_use]
    pub const fn has_wishes(&self) -> bool {
        !self.context.wishes.is_empty()
    }

    /// What the operator wants of the server.
    pub fn take_wishes(&mut self) -> Vec<OperatorWish> {
        std::mem::take(&mut self.context.wishes)
    }

    /// Whether anything is to be asked of the thread that keeps files.
    #[must_use]
    pub const fn has_file_jobs(&self) -> bool {
        !self.context.file_jobs.is_empty()
    }

    /// What is to be asked of the thread that keeps files.
    pub fn take_file_jobs(&mut self) -> Vec<FileJob> {
        std::mem::take(&mut self.context.file_jobs)
    }

    /// The connections that wait for that thread, or may.
    #[must_use]
    pub fn with_files(&self) -> Vec<ConnId> {
        let waiting = self.states.iter().filter(|state| state.waits_for_file());
        waiting.map(|state| state.conn).collect()
    }

    /// The thread that keeps files has answered this connection.
    pub fn handle_file(&mut self, conn: ConnId, answer: FileAnswer, turn: &mut Turn<'_>) {
        self.with(conn, turn, |session| session.on_file(answer));
    }

    /// The configuration was read again, as this connection has asked for.
    pub fn handle_reloaded(
        &mut self,
        conn: ConnId,
        outcome: &Result<Vec<Difference>, Vec<String>>,
        turn: &mut Turn<'_>,
    ) {
        self.with(conn, turn, |session| session.on_reloaded(outcome));
    }

    /// Delivers all that the domain has to say.
    pub fn flush_outputs(&mut self, turn: &mut Turn<'_>) {
        self.delivery(turn).flush_outputs();
    }

    const fn delivery<'a, 't>(&'a mut self, turn: &'a mut Turn<'t>) -> Delivery<'a, 't> {
        Delivery { active: None, states: &mut self.states, context: &mut self.context, turn }
    }

    /// Has an input handled by the session of its connection, and then delivers what came of it.
    /// The state is out of the table meanwhile, so that what is delivered to the same connection
    /// does not look it up again.
    fn with(
        &mut self,
        conn: ConnId,
        turn: &mut Turn<'_>,
        handle: impl FnOnce(&mut Session<'_, '_>),
    ) {
        let Self { states, context, heads, .. } = self;
        if states.get(conn.slot()).is_none_or(|state| state.conn != conn) {
            return;
        }
        let Some(state) = states.lend(conn.slot()) else { return };
        let held = state.held();
        let mut session = Session { state, others: states, context, heads, turn };
        handle(&mut session);
        session.flush_outputs();
        session.bound_held(held);
        let Session { state, others, .. } = session;
        others.give_back(conn.slot(), state);
    }

    /// Bytes that the tables take for each connection.
    const fn row_bytes(&self) -> usize {
        let peer = if self.context.peers.is_some() { Peers::ROW_BYTES } else { 0 };
        size_of::<SessionState>() + peer
    }

    /// How many connections there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// The time over which `all` connections come back, in milliseconds: a few of them as soon as the
/// server can be back, and none later than `most`.
fn drain_window_ms(all: u64, most: u64) -> u64 {
    all.saturating_mul(RETURN_MS).max(DRAIN_WINDOW_MS_MIN).min(most)
}
