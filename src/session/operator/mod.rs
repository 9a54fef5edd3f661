//! The admin API: who may ask, and what is answered.
//!
//! ```text
//!  head ─▶ token ─▶ route ─▶ body ─▶ asked ─▶ an answer at once
//!                                        └──▶ a list ─▶ scanned, a step a turn ─▶ the answer
//! ```

mod act;
mod look;
mod query;
mod scan;
mod stats;

use serde::Serialize;

use self::scan::View;
use super::api::Begun;
use super::context::SessionContext;
use super::exchange::{AdminRequest, JSON, Plan, Problem, Scan, Stage, cid_of, is_json, refused};
use super::input::Session;
use super::state::Protocol;
use super::visits::unnamed;
use crate::admin::responses;
use crate::admin::routes::{self, Route, Verb};
use crate::auth::secret;
use crate::chat::model::identity::Identity;
use crate::chat::model::limits::CID_LEN_MAX;
use crate::chat::model::operator::OperatorAct;
use crate::chat::{Code, Refusal};
use crate::config::Difference;
use crate::http::{self, Head, Method, Methods, Response, Status};
use crate::net::Effect;

/// What a request comes to.
enum Answer {
    /// This.
    Now(Response),
    /// A list that is to be made.
    Scan(Scan),
    /// Requests of the protocol, and whether they came as a list.
    Ask(Vec<String>, bool),
    /// An act over people, and the answer once it is written.
    Act(OperatorAct, Response),
    /// What comes when the configuration was read again.
    Reload,
}

impl SessionContext {
    /// Begins an operator's request.
    pub(super) fn begin_admin(&self, head: &Head<'_>) -> Begun {
        let planned = self.admin_plan(head);
        self.begin(head, planned.map(|request| (Plan::Admin(Box::new(request)), (None, None))))
    }

    fn admin_plan(&self, head: &Head<'_>) -> Result<AdminRequest, Problem> {
        // The documentation of the API is open; nothing of the server is told by it.
        let is_open = routes::at(head.path()).any(|route| route.is_open);
        if !is_open {
            // Before the path: a stranger does not learn what there is.
            self.check_admin_token(head)?;
        }
        let verb = match head.method() {
            Method::Get | Method::Head => Some(Verb::Get),
            Method::Post => Some(Verb::Post),
            Method::Put | Method::Options | Method::Other => None,
        };
        let routes: Vec<&Route> = routes::at(head.path()).collect();
        let route = routes.iter().find(|route| Some(route.verb) == verb);
        let Some(route) = route else {
            let has = |verb| routes.iter().any(|route| route.verb == verb);
            let allowed = match (has(Verb::Get), has(Verb::Post)) {
                (true, true) => Methods::GetHeadAndPost,
                (true, false) => Methods::GetAndHead,
                (false, true) => Methods::Post,
                (false, false) => return Err(http::Refusal::NoRoute.into()),
            };
            return Err(http::Refusal::MethodNotAllowedThere { allowed }.into());
        };
        let query: Box<str> = head.query().unwrap_or_default().into();
        if route.verb == Verb::Post {
            if !route.request.fields.is_empty() && !is_json(head) {
                return Err(http::Refusal::ContentTypeOfApi.into());
            }
            if !query.is_empty() {
                let message = "what is to be done stands in the body: there is no query";
                return Err(Refusal::new(Code::BadField, message).into());
            }
        }
        let cid = if route.is_idempotent { cid_of(head)? } else { None };
        // Here and not for each room: it is refused as a whole.
        if cid.as_ref().is_some_and(|cid| !(1..=CID_LEN_MAX).contains(&cid.len())) {
            let refusal = Refusal::new(Code::BadField, "this is no Idempotency-Key");
            return Err(refusal.field("cid", "1 to 64 bytes").into());
        }
        Ok(AdminRequest { route: Some(route), query, cid })
    }

    fn check_admin_token(&self, head: &Head<'_>) -> Result<(), Problem> {
        let Some(expected) = &self.admin_token else {
            let message = "the admin API is off: set admin_token or admin_token_file";
            return Err(Refusal::new(Code::Forbidden, message).into());
        };
        // What cannot be a token is a wrong one.
        let given = http::bearer(head).map(|token| token.map(secret::hash_any));
        if let Ok(Some(given)) = &given
            // By hashes, and in constant time: how long it takes tells nothing of the token.
            && secret::is_same(given, expected)
        {
            return Ok(());
        }
        let message = match given {
            Ok(Some(_)) | Err(_) => "this is not the admin_token of this server",
            Ok(None) => "say who you are",
        };
        let refusal = Refusal::new(Code::Unauthorized, message);
        Err(refusal.field("token", "Authorization: Bearer with the admin_token").into())
    }
}

impl Session<'_, '_> {
    /// All of an operator's request has come.
    pub(super) fn on_admin_request(&mut self, request: &AdminRequest, body: &[u8]) {
        match self.admin_answer(request, body) {
            Ok(Answer::Now(response)) => self.finish_exchange(response),
            Ok(Answer::Scan(scan)) => {
                self.begin_scan(scan);
            }
            Ok(Answer::Ask(requests, is_batch)) => {
                // By the same way as everybody else's: what the operator does in a room is a
                // record, and noted as one.
                let identity = Identity::operator(self.context.operator.clone());
                if let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol {
                    exchange.identity = Some(identity);
                }
                self.visit(requests, is_batch);
            }
            Ok(Answer::Act(act, done)) => {
                // Set before it is asked: in memory the answer may come at once.
                self.set_stage(Stage::Acting(Box::new(done)));
                let (now, conn) = (self.turn.now, self.state.conn);
                let by = &self.context.operator;
                self.turn.chat.handle_operator(now, (conn, unnamed()), (by, act));
                self.flush_outputs();
            }
            Ok(Answer::Reload) => self.set_stage(Stage::Reloading),
            Err(refusal) => self.finish_exchange(refused(refusal.into())),
        }
    }

    /// Begins a list, once what it is of is in memory.
    fn begin_scan(&mut self, scan: Scan) {
        let (now, conn) = (self.turn.now, self.state.conn);
        if let Scan::Members { room, .. } = &scan
            && !self.turn.chat.is_ready_to_list(now, (conn, unnamed()), room)
        {
            self.set_stage(Stage::Loading(Box::new(scan)));
            return self.flush_outputs();
        }
        if let Some(refusal) = scan.refusal(self.turn.chat) {
            return self.finish_exchange(refused(refusal.into()));
        }
        self.set_stage(Stage::Scanning(Box::new(scan)));
        self.scan_on();
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol {
            exchange.stage = stage;
        }
    }

    fn admin_answer(&mut self, request: &AdminRequest, body: &[u8]) -> Result<Answer, Refusal> {
        let Some(route) = request.route else {
            return Err(Refusal::new(Code::Internal, "the request was lost"));
        };
        match route.verb {
            Verb::Get => self.look(route, &request.query),
            Verb::Post => self.act(route, body, request.cid.as_deref()),
        }
    }

    /// The configuration was read again, or is wrong and nothing of it was taken.
    pub(super) fn on_reloaded(&mut self, outcome: &Result<Vec<Difference>, Vec<String>>) {
        match &self.state.protocol {
            Protocol::Http { exchange: Some(exchange) }
                if matches!(exchange.stage, Stage::Reloading) => {}
            _ => return,
        }
        let response = match outcome {
            Ok(differences) => {
                let of = |is_live: bool| {
                    let some = differences.iter().filter(move |row| row.is_live == is_live);
                    some.map(|row| responses::Setting {
                        name: &row.name,
                        from: row.from.as_deref(),
                        to: row.to.as_deref(),
                    })
                };
                let (changed, needs_restart) = (of(true).collect(), of(false).collect());
                respond(&responses::Reloaded { changed, needs_restart })
            }
            Err(faults) => {
                let message = format!("nothing of it was taken: {}", faults.join("; "));
                refused(Refusal::new(Code::BadField, message).into())
            }
        };
        self.finish_exchange(response);
        // What has come meanwhile goes on.
        self.resume();
    }

    /// Goes on with the list that is being made, if there is one.
    pub(super) fn scan_on(&mut self) {
        let Self { state, others, context, turn, .. } = self;
        let conn = state.conn;
        let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol else { return };
        let Stage::Scanning(scan) = &mut exchange.stage else { return };
        let view = View { states: others, context, chat: turn.chat, now: turn.now };
        // In parts, since a list of a million connections takes longer than a turn may.
        if scan.step(&view) {
            let body = scan.render(&view);
            self.finish_exchange(respond_with(body));
        } else {
            // Told in the next turn, so that others have theirs in between.
            turn.effects.push(Effect::Wake { conn });
        }
    }
}

fn respond(response: &impl Serialize) -> Response {
    respond_with(json(response))
}

fn respond_with(body: Vec<u8>) -> Response {
    Response::new(Status::Ok).field("Cache-Control", "no-store").body(JSON, body)
}

/// What is told, as JSON.
fn json(response: &impl Serialize) -> Vec<u8> {
    // Nothing that is told has keys that are no texts.
    let mut out = serde_json::to_vec(response).unwrap_or_default();
    out.push(b'\n');
    out
}
