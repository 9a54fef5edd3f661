//! Users and addresses that may not use the server at all.

use std::sync::Arc;

use super::room_end::streams_of;
use super::session_lifecycle::end_session;
use super::{Chat, credentials};
use crate::chat::model::code::Code;
use crate::chat::model::log::Suspensions;
use crate::chat::model::name::UserName;
use crate::chat::model::output::Output;
use crate::chat::model::reply::Refusal;
use crate::chat::rooms::refusal_until;
use crate::net::CloseReason;

/// # Errors
///
/// [`Code::Suspended`] with the reason, and when the suspension ends if it does.
pub(super) fn check(chat: &Chat, name: &UserName) -> Result<(), Refusal> {
    let wall_ms = chat.context.now.wall_ms;
    let message = "you are suspended from this server";
    match chat.directory.suspended.user(name, wall_ms) {
        Some(expiry) => Err(refusal_until(Code::Suspended, message, expiry, wall_ms)),
        None => Ok(()),
    }
}

/// Another list is in force: users on it who are here have to go.
pub(super) fn set(chat: &mut Chat, suspended: &Arc<Suspensions>) {
    chat.directory.suspended = Arc::clone(suspended);
    // Sorted, since every `hello` searches it; the store gives it so, and copying is left to tests
    // and other sources.
    if !suspended.users.is_sorted_by(|(a, _), (b, _)| a <= b) {
        Arc::make_mut(&mut chat.directory.suspended).users.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let wall_ms = chat.context.now.wall_ms;
    for (name, _) in suspended.users.iter().filter(|(_, expiry)| !expiry.is_over(wall_ms)) {
        let Some(user) = chat.directory.user_named(name.as_str()) else { continue };
        let streams = streams_of(chat, user);
        for conn in chat.directory[user].connections().iter().copied().chain(streams) {
            chat.context.outputs.push_back(Output::Close { conn, reason: CloseReason::Banned });
            end_session(chat, conn);
        }
    }
    credentials::end_revoked(chat);
}
