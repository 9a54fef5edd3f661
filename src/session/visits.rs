//! What programs have asked over HTTP: asked of the domain once the visit has begun, and answered
//! when all of it is.

use super::Turn;
use super::closing;
use super::context::SessionContext;
use super::exchange::{
    Answered, FilePlan, Plan, Stage, StreamPlan, of_answers, refused, retry_after_s, status_of,
};
use super::state::{Flag, Protocol, SessionState};
use super::stream::Stream;
use crate::chat::model::file;
use crate::chat::model::output::Request;
use crate::chat::model::record::Body;
use crate::chat::{Code, Op, Refusal, Reply, RequestId};
use crate::files::FileJob;
use crate::http::{self, Condition, Method, Response, Status};
use crate::net::{CloseReason, ConnId, Effect, Ending};
use crate::wire::{self, Context, Parsed, render};

/// Bytes of an answer that are set aside at once: what a message comes to.
const ANSWER_LEN: usize = 128;

/// The requests that were not answered, each with its index.
pub(super) fn take_requests(state: &mut SessionState) -> Vec<(usize, String)> {
    let Protocol::Http { exchange: Some(exchange), .. } = &mut state.protocol else {
        return Vec::new();
    };
    let requests = exchange.requests.iter_mut().zip(&exchange.answers).enumerate();
    let open = requests.filter(|(_, (_, answer))| answer.is_none());
    open.map(|(index, (text, _))| (index, std::mem::take(text))).collect()
}

/// Those of a list may be asked again.
pub(super) fn give_back(state: &mut SessionState, requests: Vec<(usize, String)>) {
    let Protocol::Http { exchange: Some(exchange), .. } = &mut state.protocol else { return };
    for (index, text) in requests {
        exchange.requests[index] = text;
    }
}

/// The stream that waits for its visit to begin.
pub(super) fn take_stream(state: &mut SessionState) -> Option<Box<StreamPlan>> {
    let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol else { return None };
    match std::mem::replace(&mut exchange.plan, Plan::Nothing) {
        Plan::Stream(plan) => Some(plan),
        other => {
            exchange.plan = other;
            None
        }
    }
}

/// The visit has begun for which a stream was asked: it begins, or is refused.
pub(super) fn begin_stream(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    mut plan: Box<StreamPlan>,
) {
    let (conn, now) = (state.conn, turn.now);
    if !std::mem::replace(&mut plan.has_asked, true)
        && !turn.chat.is_ready_to_watch(now, (conn, unnamed()), &plan.watches())
    {
        if let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol {
            // As if the visit were to begin: what follows its answer is the stream.
            (exchange.plan, exchange.stage) = (Plan::Stream(plan), Stage::Visiting);
        }
        return;
    }
    let plan = &*plan;
    let begun = turn.chat.handle_watch(now, conn, &plan.watches());
    let refusal = match &begun {
        // One that may be read is worth a stream: the others are told of in it.
        Ok(rooms) if rooms.iter().any(Result::is_ok) => None,
        Ok(rooms) => rooms.iter().find_map(|room| room.as_ref().err()).cloned(),
        Err(refusal) => Some(refusal.clone()),
    };
    let rooms = begun.unwrap_or_default();
    if let Some(refusal) = refusal {
        return finish(state, context, turn, refused(refusal.into()));
    }
    let Protocol::Http { exchange: Some(exchange) } = &state.protocol else { return };
    let mut head = Response::new(Status::Ok)
        .field("Content-Type", "text/event-stream; charset=utf-8")
        .field("Cache-Control", "no-store")
        // nginx would gather the events otherwise until a buffer of its own is full.
        .field("X-Accel-Buffering", "no")
        .endless();
    if let Some(origin) = &plan.origin {
        head = head.allow_origin(origin.clone());
    }
    if exchange.method == Method::Head {
        return finish(state, context, turn, head);
    }
    let start = context.outgoing.bytes.len();
    let head = head.date(context.dates.at(now.wall_ms));
    head.render(&mut context.outgoing.bytes, Method::Get, false);
    context.metrics.http.count_response(head.status().code());
    let stream = Stream::begin(&mut context.outgoing.bytes, conn, (plan, &rooms));
    state.protocol = Protocol::Events(Box::new(stream));
    context.outgoing.stage(conn, start);
    // What follows the request is not read: the stream is the connection's last response.
    let is_leaving = state.is_leaving();
    if state.end_backlog() {
        turn.effects.push(Effect::Resume { conn });
    }
    state.set_since(now.tick);
    if let Some(address) = plan.client {
        turn.effects.push(Effect::Client { conn, address });
    }
    // It counts no longer as one that has not said who it is.
    turn.effects.push(Effect::Settled { conn });
    turn.effects.push(Effect::Arm { conn, deadline: state.deadline(now.tick, context) });
    if is_leaving {
        context.closing.push((conn, CloseReason::PeerGone));
    }
}

/// Asks the domain the request of this index of the connection's, unless that is refused.
pub(super) fn ask(
    context: &SessionContext,
    turn: &mut Turn<'_>,
    (conn, index): (ConnId, usize),
    text: &str,
) -> Option<(Request, Refusal)> {
    let refused = |refusal| {
        let id = Some(RequestId(index.to_string().as_str().into()));
        Some((Request { id, op: Op::Send }, refusal))
    };
    match wire::parse(text, &context.limits) {
        Ok((request, Parsed::Command(command))) => {
            turn.chat.handle_command(turn.now, conn, request, command);
            None
        }
        Ok((_, Parsed::Help { .. })) => {
            refused(Refusal::new(Code::NotSupported, "ask for help over a WebSocket"))
        }
        Err(fault) => refused(fault.refusal),
    }
}

/// The domain has answered. What follows is done when all is answered.
pub(super) fn on_reply(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    (request, result): (&Request, &Result<Reply, Refusal>),
) {
    let conn = state.conn;
    let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol else { return };
    if matches!(exchange.stage, Stage::Visiting) {
        match result {
            Ok(_) => {
                exchange.stage = Stage::Answering;
                context.visits.push(conn);
            }
            Err(refusal) => {
                let response = refused(refusal.clone().into());
                finish(state, context, turn, response);
            }
        }
        return;
    }
    if matches!(exchange.stage, Stage::Loading(_)) {
        return on_loaded(state, context, turn, result.as_ref().err());
    }
    if let Stage::Acting(done) = &exchange.stage {
        let response = match result {
            Ok(_) => (**done).clone(),
            Err(refusal) => refused(refusal.clone().into()),
        };
        return finish(state, context, turn, response);
    }
    // The requests of a visit have their index as id: answers come in any order, and are given in
    // that of the request.
    let index = request.id.as_ref().and_then(|id| id.0.as_str().parse::<usize>().ok());
    let Some(place) = index.and_then(|index| exchange.answers.get_mut(index)) else { return };
    if matches!(exchange.plan, Plan::File(_)) {
        return on_page(state, context, turn, result);
    }
    let mut object = Vec::with_capacity(ANSWER_LEN);
    let out = &mut object;
    let status = match result {
        Ok(reply) => {
            let viewer = turn.chat.user(conn);
            let (limits, stated) = (&context.limits, &*context.stated_limits);
            let shown = Context { viewer, limits, stated, server: context.server };
            render::data_alone(out, reply, &shown);
            if matches!(reply, Reply::Sent { .. }) { Status::Created } else { Status::Ok }
        }
        Err(refusal) => {
            render::refusal_alone(out, refusal);
            status_of(refusal.code)
        }
    };
    context.metrics.chat.replies.count(result.as_ref().map_or_else(|no| no.code.number(), |_| 0));
    let retry_after_s = result.as_ref().err().and_then(retry_after_s);
    *place = Some(Answered { status, object, retry_after_s });
    exchange.repeated += usize::from(matches!(result, Ok(Reply::Sent { dup: true, .. })));
    if exchange.answers.iter().all(Option::is_some) {
        if exchange.asks_again() {
            return context.visits.push(conn);
        }
        let response = of_answers(exchange);
        finish(state, context, turn, response);
    }
}

/// The room is in memory of which the operator wants a list, or is not there.
fn on_loaded(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    refusal: Option<&Refusal>,
) {
    let conn = state.conn;
    let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol else { return };
    let Stage::Loading(scan) = std::mem::replace(&mut exchange.stage, Stage::Answering) else {
        return;
    };
    let refusal = refusal.cloned().or_else(|| scan.refusal(turn.chat));
    if let Some(refusal) = refusal {
        return finish(state, context, turn, refused(refusal.into()));
    }
    exchange.stage = Stage::Scanning(scan);
    turn.effects.push(Effect::Wake { conn });
}

/// Begins what was asked for about files, now that it is known who asks. `false` if it is something
/// else.
pub(super) fn begin_transfer(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &Turn<'_>,
) -> bool {
    let conn = state.conn;
    let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol else { return false };
    let Some(user) = turn.chat.user(conn) else { return false };
    let owner: Box<str> = user.as_str().into();
    match &mut exchange.plan {
        Plan::Upload(plan) => {
            let (key, hash) = (plan.key.take(), plan.hash.take());
            let (offset, size) = (plan.offset, plan.size);
            exchange.stage = Stage::Beginning;
            context.uploading.insert(conn);
            context.file_jobs.push(FileJob::Begin { conn, owner, key, hash, offset, size });
            true
        }
        Plan::Progress(plan) => {
            let (key, hash) = ((owner, std::mem::take(&mut plan.key)), plan.hash.take());
            exchange.stage = Stage::Storing;
            context.file_jobs.push(FileJob::Progress(conn, key, hash));
            true
        }
        _ => false,
    }
}

/// The domain has shown the message that refers to the file, or not: whoever may read it may read
/// the file.
fn on_page(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    result: &Result<Reply, Refusal>,
) {
    let conn = state.conn;
    let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol else { return };
    let Plan::File(plan) = &mut exchange.plan else { return };
    let found = match result {
        Ok(Reply::History { items, .. }) => items
            .iter()
            .find(|record| record.seq == plan.seq)
            .and_then(|record| match &record.body {
                Body::Message { data: Some(data), .. } => Some(&**data),
                _ => None,
            })
            .filter(|data| file::references(data).contains(&plan.id)),
        Ok(_) => None,
        Err(refusal) => {
            let response = refused(refusal.clone().into());
            return finish(state, context, turn, response);
        }
    };
    let Some(data) = found else {
        return finish(state, context, turn, refused(FilePlan::not_there()));
    };
    // Only now: who may not read the file must not learn by a condition which version is there.
    let response = match plan.condition {
        Condition::Met => None,
        Condition::Known => Some(plan.kept(Response::new(Status::NotModified))),
        Condition::Failed => Some(refused(http::Refusal::OtherVersion.into())),
    };
    if let Some(response) = response {
        return finish(state, context, turn, response);
    }
    plan.name = wire::posted::file_name(data, plan.id.as_str()).unwrap_or_default().into();
    let id = plan.id.clone();
    exchange.stage = Stage::Opening;
    context.file_jobs.push(FileJob::Open(conn, id));
}

/// A request to the domain that names none of the protocol: only so that it is answered.
pub(super) fn unnamed() -> Request {
    Request { id: Some(RequestId("0".into())), op: Op::Help }
}

/// Answers the request: the visit is over, and the connection goes on or ends.
pub(super) fn finish(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    response: Response,
) {
    let is_leaving = state.is_leaving();
    let Protocol::Http { exchange: Some(exchange) } = &mut state.protocol else { return };
    exchange.keep_alive &= !is_leaving && !response.is_endless();
    let (method, keep_alive) = (exchange.method, exchange.keep_alive);
    let response = response.date(context.dates.at(turn.now.wall_ms));
    let mut out = Vec::new();
    response.render(&mut out, method, keep_alive);
    let status = response.status().code();
    context.metrics.http.count_response(status);
    let reason = if status >= 400 { CloseReason::HttpRefused } else { CloseReason::HttpDone };
    finish_with(state, context, turn, out, reason);
}

/// The same with the last bytes of the response, which may have begun before.
pub(super) fn finish_with(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    out: Vec<u8>,
    reason: CloseReason,
) {
    let conn = state.conn;
    let Protocol::Http { exchange } = &mut state.protocol else { return };
    let Some(exchange) = exchange.take() else { return };
    state.flags.set(Flag::Idle, true);
    let keep_alive = exchange.keep_alive && !state.is_leaving();
    context.abandon_upload(conn);
    // For the domain a visit is a connection that comes and goes, whatever becomes of its socket.
    turn.chat.handle_closed(turn.now, conn);
    if keep_alive {
        state.set_since(turn.now.tick);
        state.answers.give(context.turn, out.len());
        turn.effects.push(Effect::Send { conn, frame: out.into() });
        let deadline = turn.now.tick.after(context.timeouts.keep_alive);
        turn.effects.push(Effect::Arm { conn, deadline });
        // The next request may be here already: no byte more would come to wake the session for it.
        if state.is_waiting() {
            turn.effects.push(Effect::Wake { conn });
        }
    } else {
        closing::close(state, out, (reason, Ending::Linger), turn);
    }
}
