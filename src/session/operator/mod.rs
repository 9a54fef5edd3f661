//! The admin API: who may ask, and what is answered.
//!
//! ```text
//!  head ─▶ token ─▶ route ─▶ body ─▶ asked ─▶ an answer at once
//!                                        └──▶ a list ─▶ scanned, a step a turn ─▶ the answer
//! ```

mod query;
mod scan;
mod stats;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::scan::View;
use super::api::Begun;
use super::context::SessionContext;
use super::exchange::{AdminAsked, JSON, Plan, Problem, Scan, Stage, TopList, refused};
use super::input::Session;
use super::state::Protocol;
use crate::admin::asked::{
    ClosedQuery, ConnectionSort, ConnectionsQuery, Nothing, RoomSort, RoomsQuery,
};
use crate::admin::routes::{self, Call, Route, Verb};
use crate::admin::{self, told};
use crate::auth::secret;
use crate::chat::{Code, Refusal};
use crate::http::{self, Head, Method, Methods, Response, Status};
use crate::net::{CloseReason, Effect};

/// What a request comes to.
enum Answer {
    /// This.
    Now(Response),
    /// A list that is to be made.
    Scan(Scan),
}

impl SessionContext {
    /// Begins an operator's request.
    pub(super) fn begin_admin(&self, head: &Head<'_>) -> Begun {
        let planned = self.admin_plan(head);
        self.begin(head, planned.map(|asked| (Plan::Admin(Box::new(asked)), None)))
    }

    fn admin_plan(&self, head: &Head<'_>) -> Result<AdminAsked, Problem> {
        let is_open = routes::at(head.path()).any(|route| route.is_open);
        if !is_open {
            // Before the path: a stranger does not learn what there is.
            self.check_admin_token(head)?;
        }
        let verb = match head.method() {
            Method::Get | Method::Head => Some(Verb::Get),
            Method::Post => Some(Verb::Post),
            Method::Options | Method::Other => None,
        };
        let routes: Vec<&Route> = routes::at(head.path()).collect();
        let route = routes.iter().find(|route| Some(route.verb) == verb);
        let Some(route) = route else {
            let has = |verb| routes.iter().any(|route| route.verb == verb);
            let allowed = match (has(Verb::Get), has(Verb::Post)) {
                (true, true) => Methods::GetHeadAndPost,
                (true, false) => Methods::GetAndHead,
                (false, true) => Methods::Post,
                (false, false) => return Err(http::Refusal::NotFound.into()),
            };
            return Err(http::Refusal::MethodNotAllowed { allowed }.into());
        };
        Ok(AdminAsked { route: Some(route), query: head.query().unwrap_or_default().into() })
    }

    fn check_admin_token(&self, head: &Head<'_>) -> Result<(), Problem> {
        let Some(expected) = &self.admin_token else {
            let message = "the admin API is off: set admin_token or admin_token_file";
            return Err(Refusal::new(Code::Forbidden, message).into());
        };
        let given = http::bearer(head)?.map(secret::hash_any);
        if given.is_some_and(|given| secret::is_same(&given, expected)) {
            return Ok(());
        }
        let message = match given {
            Some(_) => "this is not the admin_token of this server",
            None => "say who you are",
        };
        let refusal = Refusal::new(Code::Unauthorized, message);
        Err(refusal.field("token", "Authorization: Bearer with the admin_token").into())
    }
}

impl Session<'_, '_> {
    /// All of an operator's request has come.
    pub(super) fn on_admin_asked(&mut self, asked: &AdminAsked, body: &[u8]) {
        match self.admin_answer(asked, body) {
            Ok(Answer::Now(response)) => self.finish_exchange(&response),
            Ok(Answer::Scan(scan)) => {
                if let Protocol::Http { exchange: Some(exchange), .. } = &mut self.state.protocol {
                    exchange.stage = Stage::Scanning(Box::new(scan));
                }
                self.scan_on();
            }
            Err(refusal) => self.finish_exchange(&refused(refusal.into())),
        }
    }

    fn admin_answer(&self, asked: &AdminAsked, _body: &[u8]) -> Result<Answer, Refusal> {
        let Some(route) = asked.route else {
            return Err(Refusal::new(Code::Internal, "the request was lost"));
        };
        match route.call {
            Call::Stats => {
                let Nothing {} = asked.query(route)?;
                self.context.update_gauges(self.turn.chat);
                Ok(Answer::Now(respond(&stats::stats(self.context, self.turn.now))))
            }
            Call::Connections => {
                let ConnectionsQuery { sort, limit, user } = asked.query(route)?;
                let sort = sort.unwrap_or(ConnectionSort::Since);
                let top = TopList::new(limit.unwrap_or_default().0);
                Ok(Answer::Scan(Scan::Connections { sort, user, next: 0, top }))
            }
            Call::Closed => self.closed(asked.query(route)?),
            Call::Rooms => {
                let RoomsQuery { sort, limit, after } = asked.query(route)?;
                let limit = limit.unwrap_or_default().0;
                let top = match &after {
                    None => TopList::new(limit),
                    Some(place) => TopList::behind(limit, place).ok_or_else(bad_place)?,
                };
                let sort = sort.unwrap_or(RoomSort::Name);
                Ok(Answer::Scan(Scan::Rooms { sort, next: 0, top }))
            }
            Call::OpenApi => {
                let Nothing {} = asked.query(route)?;
                let response = Response::new(Status::Ok).field("Cache-Control", "no-cache");
                Ok(Answer::Now(response.body(JSON, admin::openapi().into_bytes())))
            }
        }
    }

    /// Connections that have ended: at most as many are looked at as are remembered.
    fn closed(&self, query: ClosedQuery) -> Result<Answer, Refusal> {
        let ClosedQuery { limit, user, reason } = query;
        let limit = limit.unwrap_or_default().0;
        if let Some(reason) = &reason
            && !CloseReason::ALL.iter().any(|known| known.label() == reason)
        {
            let labels: Vec<&str> = CloseReason::ALL.iter().map(|known| known.label()).collect();
            let refusal = Refusal::new(Code::BadField, "there is no such reason");
            return Err(refusal.field("reason", labels.join(", ")));
        }
        let peers = self.context.peers.iter();
        let rows = peers.flat_map(|peers| peers.latest_closed()).filter(|row| {
            let name = row.peer.user.as_ref().map(|name| name.as_str());
            (user.is_none() || user.as_deref() == name)
                && reason.as_ref().is_none_or(|reason| row.reason.label() == reason)
        });
        let connections = rows.take(limit).map(|row| told::ClosedConnection {
            id: scan::id(row.peer.conn),
            user: row.peer.user.as_ref().map(|name| name.as_str()),
            address: row.peer.address.to_canonical().to_string(),
            since: row.peer.since,
            until: row.until,
            reason: row.reason.label(),
            listener: scan::listener(row.peer.kind),
        });
        let told = told::ClosedConnections { connections: connections.collect() };
        Ok(Answer::Now(respond(&told)))
    }

    /// Goes on with the list that is being made, if there is one.
    pub(super) fn scan_on(&mut self) {
        let Self { state, others, context, turn, .. } = self;
        let conn = state.conn;
        let Protocol::Http { exchange: Some(exchange), .. } = &mut state.protocol else { return };
        let Stage::Scanning(scan) = &mut exchange.stage else { return };
        let view = View { states: others, context, chat: turn.chat, now: turn.now };
        if scan.step(&view) {
            let body = scan.render(&view);
            self.finish_exchange(&respond_with(body));
        } else {
            // Told in the next turn, so that others have theirs in between.
            turn.effects.push(Effect::Wake { conn });
        }
    }
}

impl AdminAsked {
    /// What stands in the query.
    fn query<T: DeserializeOwned>(&self, route: &Route) -> Result<T, Refusal> {
        query::parse(&self.query, route.asked)
    }
}

fn bad_place() -> Refusal {
    let refusal = Refusal::new(Code::BadField, "this is no place in the list");
    refusal.field("after", "the next of the page before")
}

fn respond(told: &impl Serialize) -> Response {
    respond_with(json(told))
}

fn respond_with(body: Vec<u8>) -> Response {
    Response::new(Status::Ok).field("Cache-Control", "no-store").body(JSON, body)
}

/// What is told, as JSON.
fn json(told: &impl Serialize) -> Vec<u8> {
    // Nothing that is told has keys that are no texts.
    let mut out = serde_json::to_vec(told).unwrap_or_default();
    out.push(b'\n');
    out
}
