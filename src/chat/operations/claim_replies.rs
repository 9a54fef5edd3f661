//! What becomes of claims of sessions, which [`claims`](super::claims) makes.

use super::claims::{give_up, leave_again, wake_unless_held};
use super::faults::refusal_of;
use super::{Chat, identify, session_lifecycle};
use crate::chat::model::log::{LogFault, Ticket};
use crate::chat::model::output::Output;
use crate::chat::model::sessions::Claimed;
use crate::chat::pending::PendingOp;
use crate::net::{CloseReason, ConnId};

/// By how many bits a secret is turned to make another name of it: all of them stay in it.
const TURN_BITS: u32 = 37;

/// A session was claimed, or could not be.
pub(super) fn on_claimed(chat: &mut Chat, ticket: Ticket, outcome: Result<Claimed, LogFault>) {
    let Some(PendingOp::Claim { conn, request, mut hello, user }) = chat.finish(ticket) else {
        return;
    };
    chat.pending.loads.unpin(&user);
    // The connection may be gone.
    if !chat.pending.held.remove(&conn) {
        if let Ok(claimed) = outcome {
            give_up(chat, &hello, claimed);
        }
        return leave_again(chat, &user);
    }
    if !matches!(outcome, Ok(Claimed::New | Claimed::Resumed { .. })) {
        leave_again(chat, &user);
    }
    let refusal = match outcome {
        Err(fault) => refusal_of(fault),
        Ok(Claimed::Taken) => {
            let former = hello.resume.as_mut().and_then(|resume| resume.former.take());
            if former.is_none() && hello.name.is_some() {
                identify::taken()
            } else {
                if former.is_none() {
                    // Another node has the name that was made up here: other bits make another.
                    hello.secret = hello.secret.rotate_left(TURN_BITS);
                }
                session_lifecycle::hello(chat, conn, request, *hello);
                return wake_unless_held(chat, conn);
            }
        }
        Ok(claimed) => {
            session_lifecycle::begin_claimed(chat, (conn, request), *hello, Some(claimed));
            leave_again(chat, &user);
            return wake_unless_held(chat, conn);
        }
    };
    chat.context.reply(conn, request, Err(refusal));
    chat.context.wake(conn);
}

/// The session of a connection goes on at another node.
pub(super) fn on_replaced(chat: &mut Chat, conn: ConnId) {
    let Some(reader) = chat.delivery.reader(conn).filter(|reader| !reader.is_visit) else {
        // The answer to its claim comes later than that.
        if chat.pending.held.remove(&conn) {
            chat.context.outputs.push_back(Output::Close { conn, reason: CloseReason::Replaced });
        }
        return;
    };
    let user = reader.user;
    // Its secret is nobody's any more.
    if let Some(secret) = chat.directory.secret_of(user, conn) {
        chat.directory.take_over(user, secret);
    }
    chat.context.outputs.push_back(Output::Close { conn, reason: CloseReason::Replaced });
    session_lifecycle::end_session(chat, conn);
}
