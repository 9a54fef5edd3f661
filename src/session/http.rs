//! HTTP requests: the page, health, the admin listener's answers, and the way into WebSocket.

use super::deliver::find;
use super::edge::{ECHO_OUTBOUND_MAX, Edge, frame};
use super::end::close;
use super::format::Format;
use super::row::{Row, Stage};
use super::{Sessions, Turn};
use crate::admin::{self, Answer};
use crate::chat::Chat;
use crate::http::{
    Admitted, Head, Method, Parsed, Refusal, Response, Route, Status, Upgrade, render_switching,
};
use crate::net::{CloseReason, ConnId, Effect, Ending};
use crate::page::Asset;
use crate::ws::{self, extension};

/// The path of the chat's WebSocket.
const WEBSOCKET: &str = "/ws";
/// The path of the diagnostic WebSocket.
const ECHO: &str = "/echo";
/// The path at which both listeners say whether the server is well.
const HEALTH: &str = "/healthz";

/// What a request comes to.
enum Outcome {
    /// A response; the connection goes on if `keep_alive`.
    Respond { response: Response, method: Method, keep_alive: bool },
    /// The connection becomes a WebSocket.
    Switch { head: Vec<u8>, stage: Stage },
}

impl Sessions {
    /// Takes one request off the front of `input`. `false` if there is no whole one, or the connection
    /// ends.
    pub(super) fn http_step(
        &mut self,
        conn: ConnId,
        input: &mut &mut [u8],
        turn: &mut Turn<'_>,
    ) -> bool {
        let Self { rows, edge, heads, .. } = self;
        let Some(row) = find(rows, conn) else { return false };
        let Stage::Http { partial, admin, idle } = &mut row.stage else { return false };
        let began = std::mem::replace(idle, false);
        let outcome = match heads.parse(partial, input) {
            Ok(Parsed::Incomplete) => {
                if began {
                    row.since = turn.now.tick;
                }
                *input = &mut [];
                turn.effects
                    .push(Effect::Arm { conn, deadline: row.since.after(edge.deadlines.head) });
                return false;
            }
            Ok(Parsed::Head { head, consumed }) => {
                let outcome = edge.answer(&head, *admin, turn.chat);
                let rest = std::mem::take(input);
                *input = rest.get_mut(consumed..).unwrap_or_default();
                outcome
            }
            Err(refusal) => refuse(refusal, None),
        };
        apply(row, edge, outcome, turn)
    }

    /// A head was not complete in time.
    pub(super) fn http_timeout(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        let response = Response::from(Refusal::HeadTimeout);
        respond(row, edge, &response, (Method::Get, false), turn);
        close(row, Vec::new(), (CloseReason::HeadTimeout, Ending::Linger), turn);
    }
}

impl Edge {
    fn answer(&self, head: &Head<'_>, admin: bool, chat: &Chat) -> Outcome {
        let keep_alive = head.keep_alive();
        let method = head.method();
        if admin {
            return match self.admission.admit(head, |path| Route::Page(path.to_owned())) {
                Ok(Admitted::Page(path)) => {
                    super::gauges::update(&self.metrics, chat, self.sessions_bytes);
                    let answer = admin::respond(&path, &self.metrics, self.health);
                    Outcome::Respond { response: plain(answer), method, keep_alive }
                }
                Ok(_) => refuse(Refusal::NotFound, Some(head)),
                Err(refusal) => refuse(refusal, Some(head)),
            };
        }
        match self.admission.admit(head, |path| self.route(path)) {
            Ok(Admitted::Page(asset)) => {
                Outcome::Respond { response: asset.response(head), method, keep_alive }
            }
            Ok(Admitted::Health) => {
                let response = plain(admin::healthz(self.health));
                Outcome::Respond { response, method, keep_alive }
            }
            Ok(Admitted::WebSocket(upgrade)) => self.switch(head, &upgrade, false),
            Ok(Admitted::Echo(upgrade)) => self.switch(head, &upgrade, true),
            Err(refusal) => refuse(refusal, Some(head)),
        }
    }

    fn route(&self, path: &str) -> Route<&Asset> {
        match path {
            WEBSOCKET => Route::WebSocket,
            ECHO if self.echo => Route::Echo,
            HEALTH => Route::Health,
            _ => self.pages.find(path).map_or(Route::NotFound, Route::Page),
        }
    }

    fn switch(&self, head: &Head<'_>, upgrade: &Upgrade<'_>, echo: bool) -> Outcome {
        let offered = upgrade.extensions.as_deref().map(str::as_bytes);
        let accepted = match extension::negotiate(offered.filter(|_| self.deflate)) {
            Ok(accepted) => accepted,
            Err(malformed) => {
                let response = Response::text(Status::BadRequest, format!("{malformed}\n"));
                let method = head.method();
                return Outcome::Respond { response, method, keep_alive: false };
            }
        };
        let extensions = accepted.map(|accepted| accepted.to_string());
        let mut out = Vec::with_capacity(256);
        render_switching(&mut out, &upgrade.accept, upgrade.protocol, extensions.as_deref());
        let deflate = accepted.map(extension::Accepted::deflate);
        let decoder = ws::Decoder::new(deflate);
        let stage = if echo {
            Stage::Echo { decoder }
        } else {
            let format = deflate.map_or(Format::Ws, |deflate| Format::Deflate(deflate.window_bits));
            Stage::Ws { decoder, format, greeted: false }
        };
        Outcome::Switch { head: out, stage }
    }
}

/// `head` is that of the request, if it was well-formed.
fn refuse(refusal: Refusal, head: Option<&Head<'_>>) -> Outcome {
    let keep_alive = head.is_some_and(|head| head.keep_alive() && !refusal.is_final());
    let method = head.map_or(Method::Get, Head::method);
    Outcome::Respond { response: Response::from(refusal), method, keep_alive }
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

/// `true` if the connection goes on and what follows in the input is its.
fn apply(row: &mut Row, edge: &Edge, outcome: Outcome, turn: &mut Turn<'_>) -> bool {
    let conn = row.conn;
    row.since = turn.now.tick;
    match outcome {
        Outcome::Respond { response, method, keep_alive } => {
            let refused = response.status().code() >= 400;
            respond(row, edge, &response, (method, keep_alive), turn);
            if keep_alive {
                if let Stage::Http { idle, .. } = &mut row.stage {
                    *idle = true;
                }
                let deadline = turn.now.tick.after(edge.deadlines.keep_alive);
                turn.effects.push(Effect::Arm { conn, deadline });
                return true;
            }
            let reason = if refused { CloseReason::HttpRefused } else { CloseReason::HttpDone };
            close(row, Vec::new(), (reason, Ending::Linger), turn);
            false
        }
        Outcome::Switch { head, stage } => {
            edge.metrics.http.count_response(101);
            edge.metrics.http.handshakes.add(1);
            let deadline = if matches!(stage, Stage::Echo { .. }) {
                turn.effects.push(Effect::OutboundMax { conn, bytes_max: ECHO_OUTBOUND_MAX });
                turn.now.tick.after(edge.deadlines.ping_after)
            } else {
                turn.now.tick.after(edge.deadlines.hello)
            };
            row.stage = stage;
            turn.effects.push(Effect::Send { conn, frame: frame(head) });
            turn.effects.push(Effect::Arm { conn, deadline });
            true
        }
    }
}

fn respond(
    row: &mut Row,
    edge: &Edge,
    response: &Response,
    (method, keep_alive): (Method, bool),
    turn: &mut Turn<'_>,
) {
    let mut out = Vec::new();
    response.render(&mut out, method, keep_alive);
    let status = response.status().code();
    edge.metrics.http.count_response(status);
    if status == 426 || status == 403 {
        edge.metrics.http.handshakes_refused.add(1);
    }
    super::deliver::send(row, edge.turn, out, turn);
}
