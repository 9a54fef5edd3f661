//! The operator, acting from outside: by the admin API, under a name of its own, which is nobody's.
//!
//! In rooms it acts as a visit does, by the same operations as everybody: it needs no membership
//! and no role. Over people it acts here. Nothing takes effect before it is written.

use std::sync::Arc;

use super::{Chat, accounts, claims, identify, load, needs, suspensions};
use crate::chat::model::account::{KEYS_MAX, Key};
use crate::chat::model::code::Code;
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::load::Wanted;
use crate::chat::model::log::Suspensions;
use crate::chat::model::name::UserName;
use crate::chat::model::operator::OperatorAct;
use crate::chat::model::output::{Output, Request};
use crate::chat::model::people::{AuditedAct, PeopleChange};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::PeopleOp;
use crate::net::{CloseReason, ConnId};
use crate::time::clock::Now;

/// The door of the operator.
impl Chat {
    /// What is to be in memory before a name is kept for the operator.
    #[must_use]
    pub fn needs_of_name(&self, name: &UserName) -> Wanted {
        needs::of_registration(self, name.as_str())
    }

    /// Keeps the operator's name from everybody else; `false` if it is somebody's already.
    pub fn reserve_operator(&mut self, now: Now, name: &UserName) -> bool {
        self.arrive_at(now);
        reserve(self, name)
    }

    /// The operator acts over people, under its name; answered when that is written.
    pub fn handle_operator(
        &mut self,
        now: Now,
        requester: (ConnId, Request),
        (by, act): (&UserName, OperatorAct),
    ) {
        self.arrive_at(now);
        if let OperatorAct::AddKey(key) = &act {
            let wanted = needs::of_registration(self, key.name.as_str());
            if !wanted.is_empty() {
                return load::wait_operator(self, requester, (by, act), wanted);
            }
        }
        self::act(self, requester, (by, act));
    }

    /// Notes an act of the operator that has nothing else to be written, and whom it was about.
    pub fn note_operator(&mut self, now: Now, by: &UserName, act: (&'static str, &str)) {
        self.arrive_at(now);
        let noted = audited(self, by, act);
        self.change_people(PeopleOp::Noted, vec![noted]);
    }

    /// Whether the operator has changed who may not use the server at all.
    #[must_use]
    pub const fn has_suspended(&self) -> bool {
        self.resuspended
    }

    /// Who may not use the server at all, if the operator has changed it.
    pub fn poll_suspended(&mut self) -> Option<&Suspensions> {
        std::mem::take(&mut self.resuspended).then_some(&*self.directory.suspended)
    }
}

/// Keeps the operator's name from everybody else; `false` if it is somebody's already.
fn reserve(chat: &mut Chat, name: &UserName) -> bool {
    if let Some(bound) = chat.directory.identities.of_name(name.as_str()) {
        // A program of this name speaks under it already.
        return bound.source == Source::Key && chat.accounts.key_named(name).is_none();
    }
    if is_persons(chat, name) {
        return false;
    }
    let bound = PeopleChange::Bind(program(chat, name));
    chat.change_people(PeopleOp::Noted, vec![bound]);
    true
}

/// The operator acts over people; answered when it is written.
pub(super) fn act(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    (by, act): (&UserName, OperatorAct),
) {
    match changes(chat, by, &act) {
        Ok(changes) => {
            let act = Box::new(act);
            chat.change_people(PeopleOp::Operator { conn, request, act }, changes);
        }
        Err(refusal) => chat.context.reply(conn, request, Err(refusal)),
    }
}

/// What is to be written for an act.
fn changes(chat: &Chat, by: &UserName, act: &OperatorAct) -> Result<Vec<PeopleChange>, Refusal> {
    let mut changes = Vec::new();
    let audit = match act {
        OperatorAct::AddKey(key) => {
            if key.name == *by {
                let message = "this is admin_name, which is nobody else's: choose another name";
                return Err(Refusal::new(Code::NameTaken, message).field("name", "a free name"));
            }
            check_key(chat, key)?;
            if chat.directory.identities.of_name(key.name.as_str()).is_none() {
                changes.push(PeopleChange::Bind(program(chat, &key.name)));
            }
            changes.push(PeopleChange::Key(key.clone()));
            (if key.is_hook { "hook" } else { "key" }, key.name.as_str().into())
        }
        OperatorAct::EndKey { name, is_hook } => {
            let key = chat.accounts.key_named(name).filter(|key| key.is_hook == *is_hook);
            if key.is_none() {
                let what = if *is_hook { "hook" } else { "key" };
                let message = format!("there is no {what} of this name");
                return Err(
                    Refusal::new(Code::NoSuchUser, message).field("name", "one that is listed")
                );
            }
            changes.push(PeopleChange::EndKey(name.clone()));
            (if *is_hook { "end hook" } else { "end key" }, name.as_str().into())
        }
        OperatorAct::Suspend(whom, expiry) => {
            changes.push(PeopleChange::Suspend(whom.clone(), expiry.clone()));
            ("ban", whom.to_string())
        }
        OperatorAct::Unsuspend(whom) => {
            if !chat.directory.suspended.has(whom) {
                let refusal = Refusal::new(Code::NoSuchUser, "nobody of this name is banned");
                return Err(refusal.field("user", "one whose ban is listed"));
            }
            changes.push(PeopleChange::Unsuspend(whom.clone()));
            ("unban", whom.to_string())
        }
        OperatorAct::EndSessions(name) => {
            let is_known = chat.directory.user_named(name.as_str()).is_some()
                || chat.accounts.account(name).is_some();
            if !is_known {
                let refusal = Refusal::new(Code::NoSuchUser, "there is no such user");
                return Err(refusal.field("user", "one that is listed"));
            }
            let logins = chat.accounts.logins_of(name).map(|login| login.id);
            changes.extend(logins.map(PeopleChange::EndLogin));
            ("end sessions", name.as_str().to_owned())
        }
    };
    let audit = (audit.0, &*audit.1);
    // In the same write as the act: there is none without a trace of who did it.
    changes.push(audited(chat, by, audit));
    Ok(changes)
}

/// An act is written, or could not be.
pub(super) fn on_written(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    act: OperatorAct,
    outcome: Result<(), Refusal>,
) {
    if outcome.is_ok() {
        apply(chat, act);
    }
    chat.context.reply(conn, request, outcome.map(|()| Reply::Done));
}

fn apply(chat: &mut Chat, act: OperatorAct) {
    match act {
        OperatorAct::AddKey(key) => chat.accounts.put_key(key),
        OperatorAct::EndKey { name, .. } => {
            chat.accounts.end_key(&name);
            accounts::close_ended(chat);
        }
        OperatorAct::Suspend(whom, expiry) => suspend(chat, |all| all.put(whom, expiry)),
        OperatorAct::Unsuspend(whom) => suspend(chat, |all| all.end(&whom)),
        OperatorAct::EndSessions(name) => {
            let logins: Vec<u64> = chat.accounts.logins_of(&name).map(|login| login.id).collect();
            // One that was being written meanwhile was not among those of the write: without this
            // its token would hold again after a restart.
            let changes: Vec<_> = logins.iter().copied().map(PeopleChange::EndLogin).collect();
            if !changes.is_empty() {
                chat.change_people(PeopleOp::Noted, changes);
            }
            accounts::end_logins(chat, &name, &logins);
            claims::end_all(chat, &name);
            let Some(user) = chat.directory.user_named(name.as_str()) else { return };
            for &conn in &chat.directory[user].connections() {
                let reason = CloseReason::LoginEnded;
                chat.context.outputs.push_back(Output::Close { conn, reason });
                super::session_lifecycle::end_session(chat, conn);
            }
            // Otherwise one could come back by the secret of a session that was ended.
            chat.directory.forget_secrets(user);
        }
    }
}

/// Changes who may not use the server. The store on a file does not tell what this process has
/// written there itself.
fn suspend(chat: &mut Chat, change: impl FnOnce(&mut Suspensions)) {
    // A copy: it is shared, and who holds the one from before keeps that.
    let mut all = Suspensions::clone(&chat.directory.suspended);
    change(&mut all);
    let all = Arc::new(all);
    suspensions::set(chat, &all);
    chat.resuspended = true;
}

/// # Errors
///
/// [`Code::NameTaken`], and [`Code::TooLarge`] for more keys than there may be.
fn check_key(chat: &Chat, key: &Key) -> Result<(), Refusal> {
    if chat.accounts.keys().count() >= KEYS_MAX {
        let refusal = Refusal::new(Code::TooLarge, "there are as many keys as there may be");
        return Err(refusal.limit(KEYS_MAX));
    }
    if chat.accounts.key_named(&key.name).is_some() {
        let message = "there is a key or hook of this name: end it first, or choose another name";
        return Err(Refusal::new(Code::NameTaken, message).field("name", "a free name"));
    }
    match chat.directory.identities.of_name(key.name.as_str()) {
        // The name of a program stays one's.
        Some(bound) if bound.source == Source::Key => return Ok(()),
        None if !is_persons(chat, &key.name) => {}
        Some(_) | None => {
            let message = "this name is somebody's: give the program another one";
            return Err(Refusal::new(Code::NameTaken, message).field("name", "a free name"));
        }
    }
    identify::check_free(chat, &key.name)
}

/// Whether a person is known by this name.
fn is_persons(chat: &Chat, name: &UserName) -> bool {
    let user = chat.directory.user_named(name.as_str());
    user.is_some_and(|user| chat.directory[user].source != Source::Key)
}

fn program(chat: &Chat, name: &UserName) -> Bound {
    Bound {
        name: name.clone(),
        source: Source::Key,
        issuer: "".into(),
        subject: name.as_str().into(),
        display: None,
        at: chat.context.now.wall_ms,
    }
}

fn audited(chat: &Chat, by: &UserName, (act, whom): (&'static str, &str)) -> PeopleChange {
    let (by, at) = (Some(by.clone()), chat.context.now.wall_ms);
    PeopleChange::Audit(AuditedAct { by, act: act.into(), whom: whom.into(), room: None, at })
}
