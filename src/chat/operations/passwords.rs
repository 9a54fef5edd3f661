//! What all requests about accounts go through: whether there are any, how often somebody may try,
//! and the queue of the passwords that are hashed.

use super::{Answer, Chat};
use crate::chat::model::account::{Account, HashJob, HashOf, Hidden};
use crate::chat::model::code::Code;
use crate::chat::model::identity::Source;
use crate::chat::model::log::Ticket;
use crate::chat::model::name::UserName;
use crate::chat::model::output::Request;
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{HashOp, PendingOp, Requester};
use crate::net::{ConnId, IpAddr};

/// When to try again where too many passwords wait to be hashed.
const HASH_RETRY_MS: u64 = 2_000;

/// # Errors
///
/// [`Code::NotSupported`] where there are no accounts, [`Code::Busy`] while the server stops.
pub(super) fn check_accounts(chat: &Chat, conn: ConnId) -> Result<(), Refusal> {
    if !chat.context.limits.auth.accounts {
        let message = "this server has no accounts: its auth does not list them";
        return Err(Refusal::new(Code::NotSupported, message));
    }
    // One at a time for each stranger, which bounds what one connection can put into the queue.
    if chat.pending.held.contains(&conn) {
        return Err(Refusal::new(Code::BadField, "one at a time").field("op", "after the answer"));
    }
    Ok(())
}

/// # Errors
///
/// [`Code::RateLimited`] for who tries too often.
pub(super) fn throttle(
    chat: &mut Chat,
    name: &UserName,
    address: Option<IpAddr>,
) -> Result<(), Refusal> {
    let now = chat.context.now.tick;
    chat.accounts.attempt(now, name, address).map_err(|after_ms| {
        Refusal::new(Code::RateLimited, "too many tries").retry_after_ms(after_ms.max(1))
    })
}

/// Has a password hashed, while its connection waits; or compared, at these costs.
///
/// # Errors
///
/// [`Code::RateLimited`] if too many wait.
pub(super) fn hash(
    chat: &mut Chat,
    held: ConnId,
    (password, of, costs): (Hidden, Option<HashOf>, Vec<Box<str>>),
    op: HashOp,
) -> Result<Answer, Refusal> {
    if !chat.accounts.may_hash() {
        let refusal = Refusal::new(Code::RateLimited, "too many log in at this moment");
        return Err(refusal.retry_after_ms(HASH_RETRY_MS));
    }
    chat.accounts.hashing += 1;
    // Who has said hello is held back by the weight of the operation instead.
    if chat.delivery.reader(held).is_none() {
        chat.pending.held.insert(held);
    }
    let Ticket(ticket) = chat.begin(PendingOp::Hash(op));
    chat.accounts.jobs.push_back(HashJob { ticket, password, of, costs });
    Ok(Answer::Later)
}

/// Answers a connection that has waited, and lets it go on.
pub(super) fn release(
    chat: &mut Chat,
    conn: ConnId,
    request: Request,
    result: Result<Reply, Refusal>,
) {
    if chat.pending.held.remove(&conn) {
        chat.context.reply(conn, request, result);
        // Requests that arrived meanwhile wait in its backlog, and the socket may have nothing more
        // to announce.
        chat.context.wake(conn);
    }
}

/// The user's account.
pub(super) fn account_of(chat: &Chat, by: &Requester) -> Result<Account, Refusal> {
    // Whoever was away while its password was hashed may be forgotten by now.
    let user = chat.directory.user(by.user).filter(|user| user.source == Source::Account);
    user.and_then(|user| chat.accounts.account(&user.name)).cloned().ok_or_else(|| {
        Refusal::new(Code::NotSupported, "you have no account here: somebody else says who you are")
    })
}

pub(super) fn cannot_hash() -> Refusal {
    Refusal::new(Code::Internal, "the password could not be hashed")
}
