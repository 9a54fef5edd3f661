//! HTTP requests: the page, health, the admin listener's answers, and the way into WebSocket.

use super::api::{self, Begun};
use super::context::{ECHO_OUTBOUND_MAX, SessionContext};
use super::exchange::{Exchange, Plan, Stage, is_there};
use super::input::Session;
use super::proof;
use super::state::{Flag, Protocol};
use super::{ListenerKind, Turn};
use crate::admin::{self, Answer};
use crate::auth::jwt::Unfit;
use crate::chat::Code;
use crate::chat::model::identity::Identity;
use crate::http::{
    self, Admitted, Head, HttpDate, Method, Parsed, Refusal, Response, Route, Scheme, Status,
    Upgrade, render_switching,
};
use crate::net::{CloseReason, ConnId, Effect, Ending, IpAddr, is_in};
use crate::page::Asset;
use crate::ws::{self, extension};

/// The path of the chat's WebSocket.
const WEBSOCKET: &str = "/ws";
/// The path of the diagnostic WebSocket.
const ECHO: &str = "/echo";
/// What a client is told that waits before it sends a body.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a request comes to.
enum Outcome {
    /// A response; the connection goes on if `keep_alive`.
    Respond { response: Response, method: Method, keep_alive: bool },
    /// A program's request, of which the body may be missing; whether the client waits to be told
    /// to send it.
    Exchange { exchange: Box<Exchange>, waits: bool },
    /// The connection becomes a WebSocket.
    Switch { head: Vec<u8>, protocol: Protocol, identity: Option<Box<Identity>> },
}

impl Outcome {
    /// The same, of somebody who has shown who it is.
    fn with(self, identity: Option<Identity>) -> Self {
        match self {
            Self::Switch { head, protocol, .. } => {
                Self::Switch { head, protocol, identity: identity.map(Box::new) }
            }
            Self::Respond { .. } | Self::Exchange { .. } => self,
        }
    }
}

impl From<Begun> for Outcome {
    fn from(begun: Begun) -> Self {
        match begun {
            Begun::Answered { response, method, keep_alive } => {
                Self::Respond { response: *response, method, keep_alive }
            }
            Begun::Exchange(exchange, waits) => Self::Exchange { exchange, waits },
        }
    }
}

impl Session<'_, '_> {
    /// Takes one request off the front of `input`. `false` if there is no whole one, or the
    /// connection ends.
    pub(super) fn http_step(&mut self, input: &mut &mut [u8]) -> bool {
        let Self { state, context, heads, turn, .. } = self;
        let mut partial = state.take_head();
        let (kind, is_proxy) = (state.http_kind(), state.flags.has(Flag::Proxy));
        let is_first = state.flags.has(Flag::Idle);
        state.flags.set(Flag::Idle, false);
        let method = partial.method_so_far(input);
        let outcome = match heads.parse(&mut partial, input) {
            Ok(Parsed::Incomplete) => {
                state.keep_head(partial);
                // The time for a head counts from its first byte and not from the end of the
                // request before it.
                if is_first {
                    state.set_since(turn.now.tick);
                }
                // The parser has kept what came, so that it is used up.
                *input = &mut [];
                let deadline = state.since().after(context.timeouts.head);
                turn.effects.push(Effect::Arm { conn: state.conn, deadline });
                return false;
            }
            Ok(Parsed::Head { head, consumed }) => {
                let date = context.dates.at(turn.now.wall_ms);
                // From anybody else the field is an invention: it would lift a ban, or put it on
                // another.
                let client = if is_proxy { context.client(&head) } else { None };
                let mut outcome = context.outcome((is_proxy, &head), kind, (date, turn));
                if let Some(address) = client {
                    // Here and not at the accept: only the head says whom a proxy speaks for.
                    log::debug!(conn:% = state.conn, peer:% = address; "a proxy speaks for it");
                    state.flags.set(Flag::Counted, context.is_counted(address));
                    let is_banned = turn.chat.suspended().address(address, turn.now.wall_ms);
                    if is_banned.is_some() && kind != ListenerKind::Admin {
                        outcome = refuse(Refusal::Banned, &head);
                    } else if matches!(outcome, Outcome::Switch { .. }) {
                        turn.effects.push(Effect::Client { conn: state.conn, address });
                        // Who tries too many passwords is not the proxy.
                        context.set_client(state.conn, address);
                    } else if let Outcome::Exchange { exchange, .. } = &mut outcome
                        && let Plan::Stream(plan) = &mut exchange.plan
                    {
                        // Told when it begins: until then others may ask on the same connection.
                        plan.client = Some(address);
                    }
                }
                let rest = std::mem::take(input);
                *input = rest.get_mut(consumed..).unwrap_or_default();
                outcome
            }
            Err(refusal) => {
                Outcome::Respond { response: refusal.into(), method, keep_alive: false }
            }
        };
        self.apply(outcome)
    }

    /// A head was not complete in time.
    pub(super) fn http_timeout(&mut self) {
        let method = self.state.head().map_or(Method::Get, |head| head.method_so_far(&[]));
        self.respond(Response::from(Refusal::HeadTimeout), (method, false));
        self.close(Vec::new(), (CloseReason::HeadTimeout, Ending::Linger));
    }

    /// Does what a request comes to. `true` if the connection goes on, with what follows in the
    /// input.
    fn apply(&mut self, outcome: Outcome) -> bool {
        self.state.set_since(self.turn.now.tick);
        match outcome {
            Outcome::Respond { response, method, keep_alive } => {
                self.answer_at_once(response, (method, keep_alive))
            }
            Outcome::Exchange { exchange, waits } => self.take_exchange(exchange, waits),
            Outcome::Switch { head, protocol, identity } => {
                if let Some(identity) = identity {
                    self.context.tokens.keep(self.state.conn, *identity);
                }
                self.switch_to(head, protocol);
                true
            }
        }
    }

    /// Answers a request that needs nothing more. `true` if the next one may follow.
    fn answer_at_once(&mut self, response: Response, (method, keep_alive): (Method, bool)) -> bool {
        let conn = self.state.conn;
        let is_refused = response.status().code() >= 400;
        self.respond(response, (method, keep_alive));
        if keep_alive {
            self.state.flags.set(Flag::Idle, true);
            let deadline = self.turn.now.tick.after(self.context.timeouts.keep_alive);
            self.turn.effects.push(Effect::Arm { conn, deadline });
            self.turn.effects.push(Effect::Settled { conn });
            return true;
        }
        let reason = if is_refused { CloseReason::HttpRefused } else { CloseReason::HttpDone };
        self.close(Vec::new(), (reason, Ending::Linger));
        false
    }

    /// Begins the exchange of a program's request, whose client may wait to be told that its body
    /// is wanted. `true` if the connection goes on.
    fn take_exchange(&mut self, mut exchange: Box<Exchange>, waits: bool) -> bool {
        let is_upload = if let Plan::Upload(plan) = &mut exchange.plan {
            // Nobody sends a file for nothing: first it is asked whether it is taken.
            plan.waits = waits;
            matches!(exchange.stage, Stage::Body)
        } else {
            false
        };
        if let Protocol::Http { exchange: place } = &mut self.state.protocol {
            *place = Some(exchange);
        }
        if is_upload {
            self.state.commands.take(self.turn.now.tick, self.context.command_rate);
            self.visit(Vec::new(), false);
            return !self.state.is_closing();
        }
        if waits {
            self.send(CONTINUE.to_vec());
        }
        self.begin_body()
    }

    /// Goes on with another protocol, as the response with this head says.
    fn switch_to(&mut self, head: Vec<u8>, protocol: Protocol) {
        let (conn, now) = (self.state.conn, self.turn.now.tick);
        self.context.metrics.http.count_response(101);
        self.context.metrics.http.handshakes.add(1);
        let timeouts = &self.context.timeouts;
        let deadline = if matches!(protocol, Protocol::Echo { .. }) {
            let bytes_max = ECHO_OUTBOUND_MAX;
            self.turn.effects.push(Effect::OutboundMax { conn, bytes_max });
            // It never says hello.
            self.turn.effects.push(Effect::Settled { conn });
            now.after(timeouts.ping_after)
        } else {
            now.after(timeouts.hello)
        };
        // What follows in the input is of the new protocol already.
        self.state.protocol = protocol;
        self.turn.effects.push(Effect::Send { conn, frame: head.into() });
        self.turn.effects.push(Effect::Arm { conn, deadline });
    }

    fn respond(&mut self, response: Response, (method, keep_alive): (Method, bool)) {
        let mut out = Vec::new();
        // With the date (RFC 9110 section 6.6.1), made once a second for all.
        let response = response.date(self.context.dates.at(self.turn.now.wall_ms));
        response.render(&mut out, method, keep_alive);
        let status = response.status().code();
        self.context.metrics.http.count_response(status);
        if status == 426 || status == 403 {
            self.context.metrics.http.handshakes_refused.add(1);
        }
        self.send(out);
    }
}

impl SessionContext {
    /// A proxy has said for whom a connection speaks.
    fn set_client(&mut self, conn: ConnId, address: IpAddr) {
        // Who tries too many passwords is not the proxy.
        self.addresses.entry(conn).and_modify(|peer| *peer = address);
        self.peers.iter_mut().for_each(|peers| peers.set_address(conn, address));
    }

    /// Whom a proxy's request speaks for.
    fn client(&self, head: &Head<'_>) -> Option<IpAddr> {
        http::forwarded_client(head, |address| is_in(&self.proxies, address))
    }

    /// What the request of this head comes to.
    fn outcome(
        &mut self,
        (is_proxy, head): (bool, &Head<'_>),
        kind: ListenerKind,
        (date, turn): (HttpDate, &Turn<'_>),
    ) -> Outcome {
        let now = turn.now.tick;
        let keep_alive = head.keep_alive();
        let method = head.method();
        let scheme = match kind {
            ListenerKind::Https => Scheme::Https,
            ListenerKind::Http | ListenerKind::Tcp | ListenerKind::Admin => Scheme::Any,
        };
        if kind == ListenerKind::Admin {
            let route = |path: &str| {
                if path.starts_with(admin::routes::API) {
                    Route::Api
                } else {
                    Route::Page(path.to_owned())
                }
            };
            return match self.admin_admission.admit(head, scheme, route) {
                Ok(Admitted::Page(path)) => {
                    if let Some(asset) = self.dashboard.find(&path) {
                        let response = asset.response(head);
                        return Outcome::Respond { response, method, keep_alive };
                    }
                    self.update_gauges(turn.chat);
                    let answer = admin::respond(&path, &self.metrics, (&self.health, now));
                    Outcome::Respond { response: plain(answer), method, keep_alive }
                }
                Ok(Admitted::Api) => self.begin_admin(head).into(),
                Ok(_) => refuse(Refusal::NoRoute, head),
                Err(refusal) => refuse(refusal.of_admin(), head),
            };
        }
        // Before the request is admitted: a stranger that names a user is refused whatever it asks
        // for.
        let named = match self.proxy_header.identity(is_proxy, head) {
            Ok(named) => named,
            Err(refusal) => return refuse(refusal, head),
        };
        match self.admission.admit(head, scheme, |path| self.route(path)) {
            Ok(Admitted::Page(asset)) => {
                Outcome::Respond { response: asset.response(head), method, keep_alive }
            }
            Ok(Admitted::Health) => {
                let response =
                    plain(admin::healthy(head.path(), &self.metrics, (&self.health, now)));
                Outcome::Respond { response, method, keep_alive }
            }
            Ok(Admitted::Api) => self.begin_exchange(head, named, turn).into(),
            Ok(Admitted::WebSocket(upgrade)) => match self.bearer(upgrade.bearer, turn) {
                Ok(bearer) => self.switch(head, &upgrade, (date, false)).with(bearer.or(named)),
                Err(refusal) => refuse(refusal, head),
            },
            Ok(Admitted::Echo(upgrade)) => self.switch(head, &upgrade, (date, true)),
            Err(refusal) => refuse(refusal, head),
        }
    }

    /// Who the token of an upgrade is of. Others than signed ones and the server's own are not read
    /// here.
    fn bearer(
        &mut self,
        token: Option<&str>,
        turn: &Turn<'_>,
    ) -> Result<Option<Identity>, Refusal> {
        if let Some(token) = token.filter(|token| proof::is_ours(token)) {
            let proved = proof::identity(turn.chat, token, turn.now.wall_ms);
            return proved.map(Some).map_err(|refusal| match refusal.code {
                Code::TokenExpired => Refusal::TokenExpired,
                _ => Refusal::TokenRefused,
            });
        }
        // A JWT has dots. Any other word is not for this server, and proves nothing here.
        let Some(token) = token.filter(|token| self.tokens.is_on() && token.contains('.')) else {
            return Ok(None);
        };
        self.tokens.verify(token, turn.now).map(Some).map_err(|unfit| {
            log::info!(why:% = unfit; "the token of an upgrade is refused");
            if unfit == Unfit::Expired { Refusal::TokenExpired } else { Refusal::TokenRefused }
        })
    }

    fn route(&self, path: &str) -> Route<&Asset> {
        match path {
            WEBSOCKET => Route::WebSocket,
            ECHO if self.is_echo_on => Route::Echo,
            admin::HEALTHZ | admin::READYZ => Route::Health,
            _ if is_there(path) => Route::Api,
            // Last, so that no file can stand in the place of the server's own addresses.
            _ => {
                let asset = self.pages.find(path).or_else(|| self.docs.find(path));
                asset.map_or(Route::NotFound, Route::Page)
            }
        }
    }

    fn switch(
        &self,
        head: &Head<'_>,
        upgrade: &Upgrade<'_>,
        (date, is_echo): (HttpDate, bool),
    ) -> Outcome {
        let offered = upgrade.extensions.as_deref().map(str::as_bytes);
        let accepted = match extension::negotiate(offered.filter(|_| self.is_deflate_on)) {
            Ok(accepted) => accepted,
            Err(malformed) => {
                let response = Response::text(Status::BadRequest, format!("{malformed}\n"));
                let method = head.method();
                return Outcome::Respond { response, method, keep_alive: false };
            }
        };
        let extensions = accepted.map(|accepted| accepted.to_string());
        let mut out = Vec::with_capacity(256);
        let extensions = extensions.as_deref();
        render_switching(&mut out, date, &upgrade.accept, upgrade.protocol, extensions);
        let deflate = accepted.map(extension::Accepted::deflate);
        let decoder = ws::Decoder::new(deflate);
        let protocol = if is_echo {
            Protocol::Echo { decoder: Box::new(decoder) }
        } else {
            Protocol::WebSocket { decoder }
        };
        Outcome::Switch { head: out, protocol, identity: None }
    }
}

/// `head` is that of the request, which was well-formed.
fn refuse(refusal: Refusal, head: &Head<'_>) -> Outcome {
    let response = Response::from(refusal);
    if refusal.is_final() {
        return Outcome::Respond { response, method: head.method(), keep_alive: false };
    }
    api::read_over(head, response).into()
}

fn plain(answer: Answer) -> Response {
    let status = match answer.status {
        200 => Status::Ok,
        404 => Status::NotFound,
        _ => Status::ServiceUnavailable,
    };
    let response = Response::new(status).field("Cache-Control", "no-store");
    response.body(answer.content_type, answer.body.into_bytes())
}
