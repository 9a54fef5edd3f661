//! What programs have asked over HTTP: asked of the domain once the visit has begun, and answered
//! when all of it is.

use super::Turn;
use super::closing;
use super::context::SessionContext;
use super::exchange::{Stage, of_answers, refused, retry_after_s, status_of};
use super::state::{Protocol, SessionState};
use crate::chat::model::output::Request;
use crate::chat::{Code, Op, Refusal, Reply, RequestId};
use crate::http::{Response, Status};
use crate::net::{CloseReason, ConnId, Effect, Ending};
use crate::wire::{self, Context, Parsed, render};

/// The requests that wait for their visit to begin.
pub(super) fn take_requests(state: &mut SessionState) -> Vec<String> {
    match &mut state.protocol {
        Protocol::Http { exchange: Some(exchange), .. } => std::mem::take(&mut exchange.requests),
        _ => Vec::new(),
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
    let Protocol::Http { exchange: Some(exchange), .. } = &mut state.protocol else { return };
    if matches!(exchange.stage, Stage::Visiting) {
        match result {
            Ok(_) => {
                exchange.stage = Stage::Asked;
                context.visits.push(conn);
            }
            Err(refusal) => {
                let response = refused(refusal.clone().into());
                finish(state, context, turn, &response);
            }
        }
        return;
    }
    if let Stage::Acting(done) = &exchange.stage {
        let response = match result {
            Ok(_) => (**done).clone(),
            Err(refusal) => refused(refusal.clone().into()),
        };
        return finish(state, context, turn, &response);
    }
    let index = request.id.as_ref().and_then(|id| id.0.as_str().parse::<usize>().ok());
    let Some(place) = index.and_then(|index| exchange.answers.get_mut(index)) else { return };
    let mut out = Vec::new();
    let status = match result {
        Ok(reply) => {
            let viewer = turn.chat.user(conn);
            let shown = Context { viewer, limits: &context.limits, server: context.server };
            render::data_alone(&mut out, reply, &shown);
            if matches!(reply, Reply::Sent { .. }) { Status::Created } else { Status::Ok }
        }
        Err(refusal) => {
            render::refusal_alone(&mut out, refusal);
            let after = retry_after_s(refusal);
            exchange.retry_after_s = exchange.retry_after_s.max(after);
            status_of(refusal.code)
        }
    };
    context.metrics.chat.replies.count(result.as_ref().map_or_else(|no| no.code.number(), |_| 0));
    *place = Some((status, out));
    if exchange.answers.iter().all(Option::is_some) {
        let response = of_answers(exchange);
        finish(state, context, turn, &response);
    }
}

/// Answers the request: the visit is over, and the connection goes on or ends.
pub(super) fn finish(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    response: &Response,
) {
    let conn = state.conn;
    let Protocol::Http { exchange, is_idle, .. } = &mut state.protocol else { return };
    let Some(exchange) = exchange.take() else { return };
    *is_idle = true;
    let keep_alive = exchange.keep_alive && !state.is_leaving();
    turn.chat.handle_closed(turn.now, conn);
    let response = response.clone().date(context.dates.at(turn.now.wall_ms));
    let mut out = Vec::new();
    response.render(&mut out, exchange.method, keep_alive);
    let status = response.status().code();
    context.metrics.http.count_response(status);
    if keep_alive {
        state.since = turn.now.tick;
        state.answers.give(context.turn, out.len());
        turn.effects.push(Effect::Send { conn, frame: out.into() });
        let deadline = turn.now.tick.after(context.timeouts.keep_alive);
        turn.effects.push(Effect::Arm { conn, deadline });
        if state.is_waiting() {
            turn.effects.push(Effect::Wake { conn });
        }
    } else {
        let reason = if status >= 400 { CloseReason::HttpRefused } else { CloseReason::HttpDone };
        closing::close(state, out, (reason, Ending::Linger), turn);
    }
}
