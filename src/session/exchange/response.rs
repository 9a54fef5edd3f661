//! The responses to programs: the protocol's answers with the status of HTTP that fits them.

use super::Exchange;
use super::plan::Plan;
use super::problem::Problem;
use crate::chat::{Code, Refusal};
use crate::http::{self, Response, Status};
use crate::wire::render;

/// The type of all answers to programs.
pub(in crate::session) const JSON: &str = "application/json";

/// The response to what is refused: the protocol's error object.
pub(in crate::session) fn refused(problem: Problem) -> Response {
    match problem {
        Problem::Protocol(refusal) => {
            let mut out = Vec::new();
            render::refusal_alone(&mut out, &refusal);
            respond(status_of(refusal.code), out, retry_after_s(&refusal))
        }
        Problem::Http(refusal) => {
            let code = match refusal.status() {
                Status::Unauthorized => Code::Unauthorized,
                Status::Forbidden => Code::Forbidden,
                Status::NotFound => Code::NoSuchRoom,
                Status::ContentTooLarge | Status::HeadTooLarge => Code::TooLarge,
                _ => Code::BadField,
            };
            let mut out = Vec::new();
            render::refusal_alone(&mut out, &Refusal::new(code, refusal.to_string()));
            let response = respond(refusal.status(), out, None);
            match refusal {
                http::Refusal::MethodNotAllowed { allowed }
                | http::Refusal::MethodNotAllowedThere { allowed } => {
                    response.field("Allow", allowed.allow())
                }
                _ => response,
            }
        }
    }
}

/// The response of which all answers are there: one object, or a list of them in the order of the
/// requests. One that failed gives the whole its status.
pub(in crate::session) fn of_answers(exchange: &mut Exchange) -> Response {
    let answers = std::mem::take(&mut exchange.answers);
    let failed = answers.iter().flatten().find(|answer| answer.status.code() >= 400);
    let first = answers.iter().flatten().next();
    let status = match (&exchange.plan, exchange.is_batch) {
        // Each room's answer says what became of it there.
        (Plan::Admin(_), true) => Status::Created,
        _ => failed.or(first).map_or(Status::Ok, |answer| answer.status),
    };
    // A response has one `Retry-After` for all: the longest suits each of them.
    let retry_after_s = answers.iter().flatten().filter_map(|answer| answer.retry_after_s).max();
    if matches!(exchange.plan, Plan::Hook { .. }) && status.code() < 400 {
        // As those say whose hooks these are like.
        return Response::text(Status::Ok, "ok");
    }
    let mut objects = answers.into_iter().flatten().map(|answer| answer.object);
    if !exchange.is_batch {
        return respond(status, objects.next().unwrap_or_default(), retry_after_s);
    }
    let mut out = br#"{"messages":["#.to_vec();
    for (at, object) in objects.enumerate() {
        out.extend_from_slice(if at == 0 { b"" } else { b"," });
        out.extend_from_slice(&object);
    }
    out.extend_from_slice(b"]}");
    respond(status, out, retry_after_s)
}

fn respond(status: Status, body: Vec<u8>, retry_after_s: Option<u32>) -> Response {
    let response = Response::new(status).field("Cache-Control", "no-store").body(JSON, body);
    let response = match retry_after_s {
        Some(seconds) => response.number("Retry-After", seconds),
        None => response,
    };
    if status == Status::Unauthorized {
        return response.field("WWW-Authenticate", "Bearer");
    }
    response
}

/// In how many whole seconds the same can succeed.
pub(in crate::session) fn retry_after_s(refusal: &Refusal) -> Option<u32> {
    let seconds = refusal.retry_after_ms?.div_ceil(1_000).max(1);
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// The status that says most of what a code says.
pub(in crate::session) const fn status_of(code: Code) -> Status {
    match code {
        Code::BadJson
        | Code::UnknownOp
        | Code::BadField
        | Code::HelloFirst
        | Code::UnsupportedVersion => Status::BadRequest,
        Code::Unauthorized | Code::TokenExpired | Code::TokenNotForUs => Status::Unauthorized,
        Code::Suspended
        | Code::NotMember
        | Code::Forbidden
        | Code::Banned
        | Code::Muted
        | Code::ReadOnly
        | Code::InviteOnly => Status::Forbidden,
        Code::NoSuchRoom | Code::NoSuchUser | Code::NoSuchMessage | Code::SeqUnavailable => {
            Status::NotFound
        }
        Code::NameTaken
        | Code::RoomExists
        | Code::RoomFull
        | Code::TooManyRooms
        | Code::TooManySessions
        | Code::EpochChanged
        | Code::CidConflict
        | Code::EditWindowOver => Status::Conflict,
        Code::TooLarge => Status::ContentTooLarge,
        Code::RateLimited => Status::TooManyRequests,
        Code::Busy | Code::ShuttingDown => Status::ServiceUnavailable,
        Code::StorageFull => Status::InsufficientStorage,
        Code::Internal => Status::InternalError,
        Code::NotSupported => Status::NotImplemented,
    }
}
