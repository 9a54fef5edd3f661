//! What programs ask over HTTP. One request comes to requests of the protocol itself, which the
//! domain gets as from any connection; who asks is there for them only, without a session.
//!
//! ```text
//!  head ─▶ Plan ─▶ body ─▶ requests ─▶ hello of a visit ─▶ commands ─▶ answers ─▶ response
//!            └─ refused ─▶ body, read over ───────────────────────────────────────▶┘
//! ```

use super::context::SessionContext;
use super::exchange::{Exchange, Plan, Problem, Stage, Target, refused};
use super::input::Session;
use super::state::Protocol;
use super::{Turn, proof, stream, tokens, visits};
use crate::auth::secret;
use crate::chat::model::identity::Identity;
use crate::chat::model::output::{Encoding, Request};
use crate::chat::{Code, Hello, Op, Refusal};
use crate::http::percent::{decode_form, form_field, form_fields};
use crate::http::{self, Body, Head, Method, Methods, Name, Response, expects_continue};

/// Bytes of a body that is read over so that the connection can go on.
const DRAINED_MAX: u64 = 64 * 1024;
/// Bytes of a message to a hook: monitors tell much of which little is kept.
const HOOK_LEN_MAX: u64 = 256 * 1024;

/// Who asks: what it has shown, or else the name by which it goes where names are believed.
type Requester = (Option<Identity>, Option<String>);

/// What a head comes to.
pub(super) enum Begun {
    /// An answer at once; whether the connection may go on.
    Answered { response: Box<Response>, method: Method, keep_alive: bool },
    /// The exchange goes on when the body has come; whether the client waits to be told to send it.
    Exchange(Box<Exchange>, bool),
}

impl SessionContext {
    /// Begins the exchange of a program's request. `named` is who a proxy says that it is.
    pub(super) fn begin_exchange(
        &mut self,
        head: &Head<'_>,
        named: Option<Identity>,
        turn: &Turn<'_>,
    ) -> Begun {
        let planned = self.plan(head, named, turn);
        self.begin(head, planned)
    }

    /// Begins the exchange of a request for which this is planned.
    pub(super) fn begin(
        &self,
        head: &Head<'_>,
        planned: Result<(Plan, Requester), Problem>,
    ) -> Begun {
        let (plan, asker) = match planned {
            Ok(_) if has_condition(head) => return refuse(head, http::Refusal::Condition.into()),
            Ok(planned) => planned,
            Err(problem) => return refuse(head, problem),
        };
        let len_max = match plan {
            Plan::Hook { .. } => HOOK_LEN_MAX,
            Plan::Upload(_) => self.limits.file_bytes.unwrap_or(0),
            _ => u64::try_from(self.request_len_max).unwrap_or(u64::MAX),
        };
        // `curl -X POST` announces no body, and so there is none (RFC 9112 section 6.3).
        let may_lack = matches!(&plan, Plan::Admin(request) if request.takes_nothing());
        let body = match body_of(head, len_max) {
            Err(http::Refusal::LengthMissing) if may_lack => Ok(Body::of_length(0)),
            body => body,
        };
        match body {
            Ok(body) => exchange(head, (Stage::Body, body), plan, asker),
            Err(refusal) => refuse(head, refusal.into()),
        }
    }

    /// What is asked for, and by whom.
    fn plan(
        &mut self,
        head: &Head<'_>,
        named: Option<Identity>,
        turn: &Turn<'_>,
    ) -> Result<(Plan, Requester), Problem> {
        let target = Target::of(head.path()).ok_or(http::Refusal::NotFound)?;
        // Before who asks: a wrong method is wrong for everybody (405), and nothing is told by
        // saying so.
        let allowed = target.methods();
        let is_allowed = match head.method() {
            Method::Get | Method::Head => allowed != Methods::Post,
            Method::Post => matches!(allowed, Methods::Post | Methods::GetHeadAndPost),
            Method::Put => allowed == Methods::GetHeadAndPut,
            Method::Options | Method::Other => false,
        };
        if !is_allowed {
            return Err(http::Refusal::MethodNotAllowed { allowed }.into());
        }
        if let Target::Hook(secret) = target {
            let hash = secret::hash(secret, &[secret::HOOK]);
            let identity = hash.and_then(|hash| turn.chat.bearer(&hash));
            let good = |row: &Identity| row.expires.is_none_or(|until| until > turn.now.wall_ms);
            let identity = identity.filter(good).ok_or(http::Refusal::NoHook)?;
            return Ok((Plan::hook(head, &identity)?, (Some(identity), None)));
        }
        let is_file = matches!(target, Target::Files | Target::Contents(_) | Target::File(..));
        if is_file && self.limits.file_bytes.is_none() {
            let refusal = Refusal::new(Code::NotSupported, "files are not taken here");
            return Err(refusal.hint(Some("[files] enabled".to_owned())).into());
        }
        check_query(head.query().unwrap_or_default())?;
        let asker = self.api_asker(head, named, turn)?;
        let mut plan = target.plan(head)?;
        if matches!(plan, Plan::Upload(_)) && asker.0.as_ref().is_some_and(may_not_send) {
            let message = "the key may not send, so that it has no use for files either";
            return Err(Refusal::new(Code::Forbidden, message).into());
        }
        if let Plan::Stream(stream) = &mut plan {
            stream.origin = http::OriginPolicy::other(head).map(Into::into);
        }
        Ok((plan, asker))
    }

    /// Who asks: by a token, or by what a proxy says.
    fn api_asker(
        &mut self,
        head: &Head<'_>,
        named: Option<Identity>,
        turn: &Turn<'_>,
    ) -> Result<Requester, Problem> {
        if let Some(token) = http::bearer(head)? {
            if self.tokens.is_on() && !proof::is_ours(token) {
                let verified = self.tokens.verify(token, turn.now);
                let asker = verified.map(|identity| (Some(identity), None));
                return asker.map_err(|unfit| tokens::refusal(unfit).into());
            }
            return Ok((Some(proof::identity(turn.chat, token, turn.now.wall_ms)?), None));
        }
        let is_write = matches!(head.method(), Method::Post | Method::Put);
        if named.is_some() && is_write && super::proxy_header::is_unsure(head) {
            // The proxy's cookie comes with what any page sends.
            return Err(http::Refusal::OriginUnsure.into());
        }
        let name = name_of(head)?.filter(|name| !name.is_empty());
        if named.is_none() && !(self.limits.auth.none && name.is_some()) {
            let expected = if self.limits.auth.none {
                "Authorization: Bearer with a key (chinwag key add), or ?as=NAME"
            } else {
                "Authorization: Bearer with a key (chinwag key add) or the token of a login"
            };
            let refusal = Refusal::new(Code::Unauthorized, "say who you are");
            return Err(refusal.field("token", expected).into());
        }
        Ok((named, name))
    }
}

/// Who asks, where names are believed.
fn name_of(head: &Head<'_>) -> Result<Option<String>, Problem> {
    let name = form_field(head.query().unwrap_or_default(), "as");
    let decoded = name.map(|name| {
        decode_form(name).ok_or_else(|| {
            let refusal = Refusal::new(Code::BadField, "the query is not UTF-8");
            refusal.field("as", "a name in percent-encoded UTF-8").into()
        })
    });
    decoded.transpose()
}

/// The fields of queries, each of which stands there once. Only the rooms of a stream are several.
const QUERY_FIELDS: [&str; 11] = [
    "as",
    "before",
    "after",
    "around",
    "limit",
    "epoch",
    "since",
    "upload",
    "offset",
    "size",
    "lastEventId",
];

/// Refuses a query with a field twice, of which two readers could take different ones.
fn check_query(query: &str) -> Result<(), Problem> {
    // Nearly always it is one field.
    if !query.contains('&') {
        return Ok(());
    }
    let is_again = |name: &&str| form_fields(query, name).nth(1).is_some();
    let Some(name) = QUERY_FIELDS.into_iter().find(is_again) else { return Ok(()) };
    let refusal = Refusal::new(Code::BadField, format!("{name} is given twice"));
    Err(refusal.field(name, "each field once").into())
}

/// Whether the identity is a key that may send nowhere.
fn may_not_send(identity: &Identity) -> bool {
    !identity.grants.is_empty() && !identity.grants.iter().any(|grant| grant.rights.send)
}

/// Whether a request that may change something has a condition, which nobody would look at.
fn has_condition(head: &Head<'_>) -> bool {
    !matches!(head.method(), Method::Get | Method::Head)
        && [Name::IfMatch, Name::IfNoneMatch].into_iter().any(|name| head.value(name).is_some())
}

fn refuse(head: &Head<'_>, problem: Problem) -> Begun {
    read_over(head, refused(problem))
}

/// Refuses a request, whatever its method. Its body is read over where another request may follow
/// it.
pub(super) fn read_over(head: &Head<'_>, response: Response) -> Begun {
    let body = match Body::framed(head, DRAINED_MAX) {
        // Without either of the fields that announce one there is none (RFC 9112 section 6.3).
        Err(http::Refusal::LengthMissing) => Ok(Body::of_length(0)),
        body => body,
    };
    let coding = head.value(Name::TransferEncoding);
    // In other words a proxy in front may have read the end elsewhere.
    let is_plain = coding.is_none_or(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    let keep_alive = match body {
        // A client that waits may send the body or not.
        Ok(body) if head.keep_alive() && !expects_continue(head) && is_plain => {
            if !body.is_done() {
                let stage = Stage::Refused(Box::new(response));
                return exchange(head, (stage, body), Plan::Nothing, (None, None));
            }
            true
        }
        Ok(_) | Err(_) => false,
    };
    Begun::Answered { response: Box::new(response), method: head.method(), keep_alive }
}

/// The body of a request, of at most so many bytes.
fn body_of(head: &Head<'_>, len_max: u64) -> Result<Body, http::Refusal> {
    match head.method() {
        Method::Post | Method::Put | Method::Other => Body::of(head, len_max),
        // A GET that announces a body was refused before.
        Method::Get | Method::Head | Method::Options => Ok(Body::of_length(0)),
    }
}

fn exchange(
    head: &Head<'_>,
    (stage, body): (Stage, Body),
    plan: Plan,
    (identity, name): Requester,
) -> Begun {
    let waits = expects_continue(head) && !body.is_done();
    // The head is gone when the body has come, so that all that is needed of it is kept here.
    let exchange = Exchange {
        method: head.method(),
        keep_alive: head.keep_alive(),
        stage,
        body,
        bytes: Vec::new(),
        plan,
        identity,
        name: name.map(Into::into),
        requests: Vec::new(),
        answers: Vec::new(),
        is_batch: false,
        repeated: 0,
    };
    Begun::Exchange(Box::new(exchange), waits)
}

impl Session<'_, '_> {
    /// Takes some of a body off the front of `input`. `false` if the connection ends.
    pub(super) fn body_step(&mut self, input: &mut &mut [u8]) -> bool {
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return false;
        };
        if exchange.is_upload() {
            return self.on_upload_bytes(input).unwrap_or(false);
        }
        let consumed = match exchange.body.advance(input) {
            Ok(progress) => {
                if matches!(exchange.stage, Stage::Body) {
                    exchange.bytes.extend_from_slice(progress.data);
                }
                progress.consumed
            }
            Err(refusal) => {
                self.give_up_body(refusal);
                return false;
            }
        };
        let is_done = exchange.body.is_done();
        let rest = std::mem::take(input);
        *input = rest.get_mut(consumed..).unwrap_or_default();
        if is_done {
            self.on_body();
        } else if input.is_empty() {
            let deadline = self.state.since().after(self.context.timeouts.head);
            self.arm(deadline);
        }
        !self.state.is_closing()
    }

    /// A head was taken: what has no body is complete. `false` if the connection ends.
    pub(super) fn begin_body(&mut self) -> bool {
        let deadline = self.state.since().after(self.context.timeouts.head);
        match &self.state.protocol {
            Protocol::Http { exchange: Some(exchange) } if exchange.body.is_done() => {
                self.on_body();
            }
            _ => self.arm(deadline),
        }
        !self.state.is_closing()
    }

    /// The rest of a body does not come, or not in time.
    pub(super) fn give_up_body(&mut self, refusal: http::Refusal) {
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return;
        };
        exchange.keep_alive = false;
        let response = match &exchange.stage {
            // What is wrong was known before, and sending all of it would not help.
            Stage::Refused(response) => (**response).clone(),
            _ => refused(refusal.into()),
        };
        self.finish_exchange(response);
    }

    /// All of the body has come: the domain is told who asks, and then asked.
    pub(super) fn on_body(&mut self) {
        let now = self.turn.now;
        let len_max = self.context.limits.message_bytes;
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return;
        };
        if let Stage::Refused(response) = &exchange.stage {
            let response = (**response).clone();
            return self.finish_exchange(response);
        }
        let body = std::mem::take(&mut exchange.bytes);
        if let Plan::Admin(request) = &mut exchange.plan {
            let request = std::mem::take(request);
            return self.on_admin_request(&request, &body);
        }
        let (requests, is_batch) = match exchange.plan.requests(&body, len_max) {
            Ok(found) => found,
            Err(refusal) => return self.finish_exchange(refused(refusal.into())),
        };
        // A token of the rate, as for a command: a request over HTTP is not cheaper.
        self.state.commands.take(now.tick, self.context.command_rate);
        self.visit(requests, is_batch);
    }

    /// Tells the domain who asks; the requests follow when it is in.
    pub(super) fn visit(&mut self, requests: Vec<String>, is_batch: bool) {
        let (now, conn) = (self.turn.now, self.state.conn);
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return;
        };
        let encoding = match &exchange.plan {
            Plan::Stream(plan) => stream::encoding(plan),
            _ => Encoding::default(),
        };
        exchange.answers = vec![None; requests.len()];
        (exchange.requests, exchange.is_batch) = (requests, is_batch);
        exchange.stage = Stage::Visiting;
        let (identity, name) = (exchange.identity.take(), exchange.name.take());
        let name = name.filter(|_| identity.is_none());
        let Some(secret) = self.context.entropy.secret() else {
            let refusal = Refusal::new(Code::Internal, "the system has no random numbers to give");
            return self.finish_exchange(refused(refusal.into()));
        };
        let hello = Hello {
            name: name.as_deref().map(Into::into),
            resume: None,
            secret,
            encoding,
            identity,
            is_visit: true,
        };
        self.turn.chat.handle_hello(now, conn, Request { id: None, op: Op::Hello }, hello);
        self.flush_outputs();
    }

    pub(super) fn finish_exchange(&mut self, response: Response) {
        self.flush_outputs();
        visits::finish(&mut self.state, self.context, self.turn, response);
    }
}
