//! Accounts: registration, logins, passwords, invite links.
//!
//! ```text
//!  register, login, password ──▶ throttled ──▶ HashJob ─▶ … ─▶ on_hashed
//!                                                   └──▶ written, all or nothing ──▶ answered
//! ```
//!
//! What a stranger learns: at registration that a name is taken; at a login nothing. An unknown
//! name takes the same way through the same queue as a wrong password, and the same time: also
//! where the hashes of some accounts were made at another cost, of which each login spends all.

use super::identify::check_free;
use super::passwords::{account_of, cannot_hash, check_accounts, hash, release, throttle};
use super::{Answer, Chat, credentials, invite_links, load, needs, suspensions};
use crate::chat::model::account::{
    Account, Extra, HashOf, Hashed, Hidden, Invite, Login, SecretHash,
};
use crate::chat::model::code::Code;
use crate::chat::model::command::Command;
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::log::Ticket;
use crate::chat::model::name::UserName;
use crate::chat::model::output::{Output, Request};
use crate::chat::model::people::PeopleChange;
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{HashOp, PendingOp, PeopleOp, Requester, Stranger};
use crate::net::{CloseReason, ConnId};

/// A request about accounts that brings secrets, or comes before `hello`.
pub(in crate::chat) fn handle(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    command: Command<'_>,
    extra: Extra,
) {
    let is_stranger = chat.delivery.reader(conn).is_none() && !chat.pending.held.contains(&conn);
    if is_stranger && let Command::Register { name, .. } = &command {
        let wanted = needs::of_registration(chat, name);
        if !wanted.is_empty() {
            return load::wait_account(chat, (conn, request), (command, extra), wanted);
        }
    }
    begin(chat, (conn, request), command, extra);
}

/// Does the request, now that everything is in memory that it needs.
pub(super) fn begin(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    command: Command<'_>,
    extra: Extra,
) {
    let user = chat.delivery.reader(conn).map(|reader| reader.user);
    // These come here past the place where everything else is asked for its rights.
    if matches!(command, Command::InviteLink { .. } | Command::Accept { .. })
        && let Some(user) = user
        && let Err(refusal) = credentials::check(chat, (conn, &chat.directory[user].name), &command)
    {
        return chat.context.reply(conn, request, Err(refusal));
    }
    let result = match (command, user) {
        (Command::Register { name, password, invite, agent }, None) => {
            let agent = agent.unwrap_or_default();
            let by = (conn, request.clone(), &*agent);
            register(chat, by, (&name, password, invite.is_some()), extra)
        }
        (Command::Login { name, password, agent }, None) => {
            let agent = agent.unwrap_or_default();
            login(chat, (conn, request.clone(), &*agent), (&name, password), extra)
        }
        (Command::Register { .. } | Command::Login { .. }, Some(_)) => {
            let message = "you have said who you are on this connection";
            Err(Refusal::new(Code::BadField, message)
                .field("op", "register and login before hello"))
        }
        (Command::InviteLink { uses, for_ms, rooms }, Some(user)) => {
            let mut by = Requester { conn, user, request: request.clone() };
            invite_links::invite_link(chat, &mut by, (uses, for_ms, &rooms), &extra.new)
        }
        (Command::Accept { .. }, Some(user)) => {
            let mut by = Requester { conn, user, request: request.clone() };
            invite_links::accept(chat, &mut by, extra.given)
        }
        _ => Err(Refusal::new(Code::HelloFirst, "say hello first").field("op", "hello")),
    };
    match result {
        Ok(Answer::Now(reply)) => chat.context.reply(conn, request, Ok(reply)),
        Ok(Answer::Later) => {}
        Err(refusal) => chat.context.reply(conn, request, Err(refusal)),
    }
}

fn register(
    chat: &mut Chat,
    (conn, request, agent): (ConnId, Request, &str),
    (name, password, is_invited): (&str, Hidden, bool),
    extra: Extra,
) -> Result<Answer, Refusal> {
    let Extra { new, given, address } = extra;
    check_accounts(chat, conn)?;
    let name = UserName::parse(name).map_err(|error| Refusal::name("name", error))?;
    // Before the throttle: a mistake of the form must not cost a try.
    if password.reveal().eq_ignore_ascii_case(name.as_str()) {
        let refusal = Refusal::new(Code::BadField, "the password is the name");
        return Err(refusal.field("password", "something that nobody guesses"));
    }
    invite_links::check_invite(chat, given, is_invited)?;
    throttle(chat, &name, address)?;
    check_free(chat, &name)?;
    let who = Stranger { conn, request, name, agent: agent.into(), login: new, address };
    hash(chat, conn, (password, None, Vec::new()), HashOp::Register(Box::new(who), given))
}

fn login(
    chat: &mut Chat,
    (conn, request, agent): (ConnId, Request, &str),
    (name, password): (&str, Hidden),
    extra: Extra,
) -> Result<Answer, Refusal> {
    let Extra { new, address, .. } = extra;
    check_accounts(chat, conn)?;
    // What is no name is nobody's: the answer is the same.
    let known = UserName::stored(name);
    let name = known.clone().unwrap_or_else(UserName::nobody);
    throttle(chat, &name, address)?;
    let account = known.and_then(|name| chat.accounts.account(&name));
    // A name without an account is compared too, with a hash of nobody, and at all costs that
    // accounts have, so that the time of the answer does not tell which names there are.
    let hash_of = account.map(|account| account.hash.clone());
    let of = hash_of.clone().map_or(HashOf::Nobody, HashOf::Account);
    let who = Stranger { conn, request, name, agent: agent.into(), login: new, address };
    let costs = chat.accounts.costs();
    hash(chat, conn, (password, Some(of), costs), HashOp::Login(Box::new(who), hash_of))
}

/// A password was hashed or compared.
pub(in crate::chat) fn on_hashed(chat: &mut Chat, ticket: Ticket, outcome: Hashed) {
    // Before anything that may return: a job that is done frees its place, whatever became of the
    // one who asked.
    chat.accounts.hashing = chat.accounts.hashing.saturating_sub(1);
    let Some(PendingOp::Hash(op)) = chat.finish(ticket) else { return };
    match op {
        HashOp::Register(who, invite) => {
            if !chat.pending.held.contains(&who.conn) {
                return;
            }
            let (conn, request) = (who.conn, who.request.clone());
            if let Err(refusal) = registered(chat, *who, invite, outcome) {
                release(chat, conn, request, Err(refusal));
            }
        }
        HashOp::Login(who, hash_of) => {
            if !chat.pending.held.contains(&who.conn) {
                return;
            }
            let (conn, request) = (who.conn, who.request.clone());
            if let Err(refusal) = compared(chat, *who, hash_of, outcome) {
                release(chat, conn, request, Err(refusal));
            }
        }
        HashOp::Password(mut by, new) => {
            let result = password_hashed(chat, &mut by, new, outcome);
            chat.answer(by, result);
        }
    }
}

/// The password of a registration is hashed: the account is written, with its first login and what
/// becomes of the link, all of it or nothing.
fn registered(
    chat: &mut Chat,
    who: Stranger,
    given: Option<SecretHash>,
    outcome: Hashed,
) -> Result<(), Refusal> {
    let Hashed::Made(hash) = outcome else { return Err(cannot_hash()) };
    // Much may have happened since it was asked for.
    invite_links::check_invite(chat, given, given.is_some())?;
    check_free(chat, &who.name)?;
    let wall_ms = chat.context.now.wall_ms;
    let invite = given.and_then(|hash| chat.accounts.invite(&hash, wall_ms)).cloned();
    let is_admin = invite.as_ref().is_some_and(|invite| invite.is_admin);
    let account = Account { name: who.name.clone(), hash, is_admin };
    let bound = Bound {
        name: who.name.clone(),
        source: Source::Account,
        issuer: "".into(),
        subject: who.name.as_str().into(),
        display: None,
        at: wall_ms,
    };
    let login = new_login(chat, &who);
    let mut changes = vec![
        PeopleChange::Bind(bound),
        PeopleChange::Account(account.clone()),
        PeopleChange::Login(login.clone()),
    ];
    if let Some(invite) = &invite {
        // Counted now and given back on a failure: a link for one must not let in two while the
        // first is being written.
        chat.accounts.count_use(&invite.hash, true);
        changes.push(PeopleChange::UseInvite(invite.hash));
    }
    if is_admin {
        changes.push(PeopleChange::EndAdminInvites);
    }
    let op = PeopleOp::Register { who: Box::new(who), account, login, invite };
    chat.change_people(op, changes);
    Ok(())
}

/// A registration is written, or could not be.
pub(super) fn on_registered(
    chat: &mut Chat,
    who: Stranger,
    (account, login, invite): (Account, Login, Option<Invite>),
    outcome: Result<(), Refusal>,
) {
    if let Err(refusal) = outcome {
        if let Some(invite) = &invite {
            chat.accounts.count_use(&invite.hash, false);
        }
        return release(chat, who.conn, who.request, Err(refusal));
    }
    chat.accounts.put_account(account);
    chat.accounts.put_login(login);
    let rooms =
        invite.map_or_else(Vec::new, |invite| invite_links::grant(chat, &who.name, &invite));
    let token = Hidden::new(who.login.text());
    release(chat, who.conn, who.request, Ok(Reply::LoggedIn { user: who.name, token, rooms }));
}

fn new_login(chat: &mut Chat, who: &Stranger) -> Login {
    let at = chat.context.now.wall_ms;
    // To the minute, as every later use is noted, so that an active login is not written at each
    // request.
    let id = chat.accounts.next_login(|last| chat.context.id_above(last));
    let used = at - at % 60_000;
    let agent = who.agent.clone();
    Login { id, name: who.name.clone(), hash: who.login.hash(), agent, at, used }
}

/// The password of a login is compared.
fn compared(
    chat: &mut Chat,
    who: Stranger,
    hash_of: Option<Hidden>,
    outcome: Hashed,
) -> Result<(), Refusal> {
    let (is_right, renewed) = match outcome {
        Hashed::Compared(is_right) => (is_right, None),
        Hashed::Renewed(hash) => (true, Some(hash)),
        Hashed::Made(_) | Hashed::Failed => return Err(cannot_hash()),
    };
    let is_present = |hash: &Hidden| chat.accounts.is_password_of(&who.name, hash);
    let hash_of = hash_of.filter(|hash| is_right && is_present(hash));
    let Some(hash_of) = hash_of else { return Err(wrong_password()) };
    // Only after the password was right: a stranger must not learn who is suspended.
    suspensions::check(chat, &who.name)?;
    chat.accounts.succeeded(&who.name, who.address);
    let login = new_login(chat, &who);
    let mut changes = Vec::new();
    if let Some(oldest) = chat.accounts.surplus(&who.name) {
        changes.push(PeopleChange::EndLogin(oldest));
        end_logins(chat, &who.name, &[oldest]);
    }
    changes.push(PeopleChange::Login(login.clone()));
    if let Some(to) = &renewed {
        let (name, from, to) = (who.name.clone(), hash_of.clone(), to.clone());
        changes.push(PeopleChange::Rehash { name, from, to });
    }
    chat.change_people(PeopleOp::Login { who: Box::new(who), login, hash_of, renewed }, changes);
    Ok(())
}

fn wrong_password() -> Refusal {
    let refusal = Refusal::new(Code::Unauthorized, "name or password is wrong");
    refusal.field("password", "the password of this name")
}

/// A login is written, or could not be.
pub(super) fn on_logged_in(
    chat: &mut Chat,
    who: Stranger,
    (login, hash_of, renewed): (Login, &Hidden, Option<Hidden>),
    outcome: Result<(), Refusal>,
) {
    let reply = outcome.and_then(|()| {
        // It may have been changed while a login with the former one was on its way, and whoever
        // knows that is to be kept out.
        if !chat.accounts.is_password_of(&who.name, hash_of) {
            chat.change_people(PeopleOp::Noted, vec![PeopleChange::EndLogin(login.id)]);
            return Err(wrong_password());
        }
        chat.accounts.put_login(login);
        if let Some(to) = renewed {
            chat.accounts.rehash(&who.name, hash_of, to);
        }
        let token = Hidden::new(who.login.text());
        Ok(Reply::LoggedIn { user: who.name, token, rooms: Vec::new() })
    });
    release(chat, who.conn, who.request, reply);
}

/// Has the password changed, if the old one is right.
pub(super) fn change_password(
    chat: &mut Chat,
    by: &mut Requester,
    (old, new): (Hidden, Hidden),
) -> Result<Answer, Refusal> {
    let account = account_of(chat, by)?;
    throttle(chat, &account.name, None)?;
    let of = HashOf::Account(account.hash);
    let conn = by.conn;
    // Without the costs of others: who asks has this account.
    hash(chat, conn, (old, Some(of), Vec::new()), HashOp::Password(by.take(), Some(new)))
}

fn password_hashed(
    chat: &mut Chat,
    by: &mut Requester,
    new: Option<Hidden>,
    outcome: Hashed,
) -> Result<Answer, Refusal> {
    let account = account_of(chat, by)?;
    match (outcome, new) {
        (Hashed::Compared(true) | Hashed::Renewed(_), Some(new)) => {
            chat.accounts.succeeded(&account.name, None);
            let conn = by.conn;
            hash(chat, conn, (new, None, Vec::new()), HashOp::Password(by.take(), None))
        }
        (Hashed::Compared(false), _) => {
            let refusal = Refusal::new(Code::Unauthorized, "the old password is wrong");
            Err(refusal.field("old", "your password"))
        }
        (Hashed::Made(hash), None) => {
            let account = Account { hash, ..account };
            let current = chat.accounts.live.get(&by.conn).copied();
            let others = chat.accounts.logins_of(&account.name).map(|login| login.id);
            let ended: Vec<u64> = others.filter(|id| Some(*id) != current).collect();
            let mut changes = vec![PeopleChange::Account(account.clone())];
            changes.extend(ended.iter().map(|id| PeopleChange::EndLogin(*id)));
            let account = Some((account, current));
            let op = PeopleOp::Account { by: by.take(), account, ended };
            chat.change_people(op, changes);
            Ok(Answer::Later)
        }
        _ => Err(cannot_hash()),
    }
}

/// A change of an account by its user is written, or could not be.
pub(super) fn on_changed(
    chat: &mut Chat,
    by: Requester,
    (account, ended): (Option<(Account, Option<u64>)>, Vec<u64>),
    outcome: Result<(), Refusal>,
) {
    if outcome.is_ok() {
        if let Some((account, kept)) = account {
            let late = late_logins(chat, &account.name, (kept, &ended));
            chat.accounts.put_account(account);
            if !late.is_empty() {
                // Answered when their end is written, too: a crash must not bring them back to who
                // was told that they are over.
                // Those that have ended in the store have, whatever becomes of these.
                if let Some(name) = chat.directory.user(by.user).map(|user| user.name.clone()) {
                    end_logins(chat, &name, &ended);
                }
                let changes = late.iter().map(|id| PeopleChange::EndLogin(*id)).collect();
                let op = PeopleOp::Account { by, account: None, ended: late };
                return chat.change_people(op, changes);
            }
        }
        if let Some(user) = chat.directory.user(by.user) {
            let name = user.name.clone();
            // Before its own connection may end.
            chat.context.reply(by.conn, by.request, Ok(Reply::Done));
            return end_logins(chat, &name, &ended);
        }
    }
    chat.answer(by, outcome.map(|()| Answer::Now(Reply::Done)));
}

/// Logins with the former password that were written while it was being changed: they end as those
/// before them.
fn late_logins(chat: &Chat, name: &UserName, (kept, ended): (Option<u64>, &[u64])) -> Vec<u64> {
    let logins = chat.accounts.logins_of(name).map(|login| login.id);
    logins.filter(|id| Some(*id) != kept && !ended.contains(id)).collect()
}

/// Logins are over: so are the sessions of their connections.
pub(super) fn end_logins(chat: &mut Chat, name: &UserName, ids: &[u64]) {
    for id in ids {
        chat.directory.pushes.end_login(name, *id);
        for conn in chat.accounts.end_login(name, *id) {
            close(chat, conn);
        }
    }
}

/// Closes the connections whose logins or keys are not there any more.
pub(super) fn close_ended(chat: &mut Chat) {
    if chat.accounts.live.is_empty() {
        return;
    }
    let known = chat.accounts.ids();
    let live = chat.accounts.live.iter().filter(|(_, login)| !known.contains(login));
    let ended: Vec<ConnId> = live.map(|(conn, _)| *conn).collect();
    for conn in ended {
        close(chat, conn);
    }
}

fn close(chat: &mut Chat, conn: ConnId) {
    chat.context.outputs.push_back(Output::Close { conn, reason: CloseReason::LoginEnded });
    chat.accounts.live.remove(&conn);
    super::session_lifecycle::end_session(chat, conn);
}

/// Lists the logins of the user's account.
pub(super) fn logins(chat: &Chat, by: &Requester) -> Result<Answer, Refusal> {
    let account = account_of(chat, by)?;
    let logins = chat.accounts.logins_of(&account.name).cloned().collect();
    let current = chat.accounts.live.get(&by.conn).copied();
    Ok(Answer::Now(Reply::Logins { logins, current }))
}

/// Ends one login, the others, or all.
pub(super) fn end_login(
    chat: &mut Chat,
    by: &mut Requester,
    which: &str,
) -> Result<Answer, Refusal> {
    let account = account_of(chat, by)?;
    let current = chat.accounts.live.get(&by.conn).copied();
    let is_meant = |id: u64| match which {
        "all" => true,
        "others" => Some(id) != current,
        one => one.parse() == Ok(id),
    };
    let ids = chat.accounts.logins_of(&account.name).map(|login| login.id);
    let ended: Vec<u64> = ids.filter(|id| is_meant(*id)).collect();
    if ended.is_empty() && which != "others" {
        let refusal = Refusal::new(Code::BadField, "you have no such login");
        return Err(refusal.field("login", "the id of one of logins, \"others\" or \"all\""));
    }
    let changes = ended.iter().map(|id| PeopleChange::EndLogin(*id)).collect();
    chat.change_people(PeopleOp::Account { by: by.take(), account: None, ended }, changes);
    Ok(Answer::Later)
}
