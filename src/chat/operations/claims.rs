//! Sessions where several nodes share the logs: each is claimed from all of them before it begins,
//! so that its secret is good at every node and at one only.
//!
//! ```text
//!  hello ─▶ Load: whose was the former one? ─▶ Claim ─▶ Claimed ─▶ the session begins
//!                                                └▶ the node where that is live: Replaced, 4010
//! ```
//!
//! What follows from the answers is in [`claim_replies`](super::claim_replies). With one node
//! nothing of this is asked for: what the directory knows is all that there is.

use std::collections::BTreeMap;

use super::Chat;
use super::absence::{arm_absence, check_lookalike, open_user};
use crate::chat::directory::Secret;
use crate::chat::keys::UserKey;
use crate::chat::model::code::Code;
use crate::chat::model::hello::Hello;
use crate::chat::model::identity::Source;
use crate::chat::model::log::LogRequest;
use crate::chat::model::name::UserName;
use crate::chat::model::output::Request;
use crate::chat::model::reply::Refusal;
use crate::chat::model::sessions::{
    Claimed, FormerSession, SessionChange, SessionClaim, SessionSecret,
};
use crate::chat::pending::PendingOp;
use crate::net::ConnId;

/// Whether sessions are known to other nodes, too.
pub(super) const fn is_shared(chat: &Chat) -> bool {
    chat.context.node.is_some()
}

/// The secret of the session that a `hello` wants to return to.
pub(super) fn former_secret(hello: &Hello<'_>) -> Option<Secret> {
    Secret::parse(&hello.resume.as_ref()?.session)
}

/// The former session, if it was found and is of the name that is wanted.
pub(super) fn former<'a>(hello: &'a Hello<'_>) -> Option<&'a FormerSession> {
    let former = hello.resume.as_ref()?.former.as_ref()?;
    hello.name.as_deref().is_none_or(|wanted| wanted == former.user.as_str()).then_some(former)
}

/// The secret of the former session, if other nodes must be asked for it.
pub(super) fn unknown_former(chat: &Chat, hello: &Hello<'_>) -> Option<SessionSecret> {
    let is_wanted = is_shared(chat) && !hello.is_visit;
    former_secret(hello).filter(|_| is_wanted).map(Secret::shared)
}

/// The other nodes have answered.
pub(super) fn note_former(hello: &mut Hello<'_>, found: &BTreeMap<SessionSecret, FormerSession>) {
    if let Some(resume) = &mut hello.resume
        && let Some(secret) = Secret::parse(&resume.session)
        && let Some(former) = found.get(&secret.shared())
    {
        resume.former = Some(former.clone());
    }
}

/// Whether a session of the user may begin here, as far as this node knows: asked before the former
/// one ends.
///
/// # Errors
///
/// Those of beginning it.
pub(super) fn check(chat: &Chat, hello: &Hello<'_>, name: &UserName) -> Result<(), Refusal> {
    let Some(user) = chat.directory.user_named(name.as_str()) else {
        return check_lookalike(chat, name);
    };
    let replaced =
        former_secret(hello).and_then(|secret| chat.directory.session_with_secret(user, secret));
    let sessions_max = chat.context.limits.sessions_per_user;
    let sessions = chat.directory[user].sessions.len() - usize::from(replaced.is_some());
    if sessions >= sessions_max {
        return Err(too_many(sessions_max));
    }
    Ok(())
}

/// The refusal of one session more than there may be.
pub(super) fn too_many(sessions_max: usize) -> Refusal {
    let refusal = Refusal::new(Code::TooManySessions, "you have as many sessions as you may");
    refusal.limit(sessions_max)
}

/// Claims the session of a `hello`. Nothing more is read of its connection meanwhile.
pub(super) fn claim(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    hello: Hello<'_>,
    (user, source): (UserName, Source),
) {
    // It is here from now on, with the rooms that were loaded for it: what happens to it meanwhile
    // finds it so. A guest's name would be taken by that when it is judged once more.
    if source != Source::Guest
        && let Err(refusal) = open_user(chat, &user, source)
    {
        return chat.context.reply(conn, request, Err(refusal));
    }
    let is_own = former(&hello).is_some_and(|former| former.user == user);
    let claim = SessionClaim {
        secret: Secret::shared_of(hello.secret),
        former: former_secret(&hello).filter(|_| is_own).map(Secret::shared),
        user: user.clone(),
        is_guest: source == Source::Guest,
        conn,
    };
    chat.pending.held.insert(conn);
    // What was loaded for it stays until it has begun.
    chat.pending.loads.pin(&user);
    let hello = Box::new(hello.into_owned());
    let ticket = chat.begin(PendingOp::Claim { conn, request, hello, user });
    chat.context.requests.push_back(LogRequest::Claim(ticket, claim));
}

/// The session of this user does not begin: it goes again, unless it is here otherwise.
pub(super) fn leave_again(chat: &mut Chat, name: &UserName) {
    if let Some(user) = chat.directory.user_named(name.as_str())
        && chat.directory[user].sessions.is_empty()
        && chat.directory[user].visits() == 0
    {
        arm_absence(chat, user);
    }
}

/// More may be read of a connection, unless it waits still.
pub(super) fn wake_unless_held(chat: &mut Chat, conn: ConnId) {
    if !chat.pending.held.contains(&conn) {
        chat.context.wake(conn);
    }
}

/// A session that was claimed does not begin: nobody was told its secret, and the one of before is
/// good still.
pub(super) fn give_up(chat: &mut Chat, hello: &Hello<'_>, claimed: Claimed) {
    if claimed != Claimed::Taken {
        let change = SessionChange::End(Secret::shared_of(hello.secret));
        chat.context.requests.push_back(LogRequest::Session(change));
    }
}

/// A session has ended that may be resumed.
pub(super) fn tell_end(chat: &mut Chat, secret: Option<Secret>) {
    if let Some(secret) = secret.filter(|_| is_shared(chat)) {
        let change = SessionChange::End(secret.shared());
        chat.context.requests.push_back(LogRequest::Session(change));
    }
}

/// A client has asked for something on a session that went on from another one.
pub(super) fn tell_used(chat: &mut Chat, secret: Secret) {
    if is_shared(chat) {
        let change = SessionChange::Used(secret.shared());
        chat.context.requests.push_back(LogRequest::Session(change));
    }
}

/// A session has reported itself idle, or not to be so.
pub(super) fn tell_away(chat: &mut Chat, (conn, user): (ConnId, UserKey), away: bool) {
    if let Some(secret) = chat.directory.secret_of(user, conn).filter(|_| is_shared(chat)) {
        let change = SessionChange::Away(secret.shared(), away);
        chat.context.requests.push_back(LogRequest::Session(change));
    }
}

/// No session of the user can be resumed any more.
pub(super) fn end_all(chat: &mut Chat, user: &UserName) {
    if is_shared(chat) {
        let change = SessionChange::EndAll(user.clone());
        chat.context.requests.push_back(LogRequest::Session(change));
    }
}
