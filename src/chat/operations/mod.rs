//! What the domain does: each command, each answer of the logs and each timer, over all parts of
//! its state.
//!
//! ```text
//!   command ──▶ run ──▶ execute ──▶ Answer::Now      the reply is sent at once
//!                           └─────▶ Answer::Later    a PendingOp waits; `log_replies` resumes it
//! ```

pub(super) mod absence;
pub(super) mod accounts;
pub(super) mod ack;
mod admins;
mod audit;
mod blocks;
mod claim_replies;
mod claims;
mod close;
mod create;
pub(super) mod credentials;
mod direct;
mod directory;
mod edits;
mod export;
mod faults;
pub(super) mod forget;
mod grants;
mod handover;
mod history;
mod identify;
mod inbox;
mod invitations;
pub(super) mod invite_links;
mod join;
mod leave;
mod load;
mod load_replies;
mod log_grown;
mod log_renewed;
pub(super) mod log_replies;
mod members;
mod membership;
mod mentions;
mod moderation;
mod needs;
pub(super) mod operator;
pub(super) mod other_nodes;
pub(super) mod outsiders;
mod owners;
mod passwords;
mod people;
mod profile;
mod push;
mod record_stored;
mod rename;
pub(super) mod reports;
pub(super) mod restore;
mod restrictions;
mod resume;
mod room_begin;
pub(super) mod room_end;
mod search;
mod send;
pub(super) mod session_lifecycle;
mod stale_rights;
mod suspensions;
mod tell_other_nodes;
mod threads;
pub(super) mod watch;

use super::Chat;
use super::directory::Quota;
use super::keys::UserKey;
use super::model::code::Code;
use super::model::command::Command;
use super::model::output::Request;
use super::model::reply::{Refusal, Reply};
use super::pending::{DeferredReading, EXCLUSIVE_WEIGHT, JoinPosition, PendingOp, Requester};
use crate::net::ConnId;

/// The outcome of an operation that was not refused.
pub(super) enum Answer {
    /// The reply, to be sent now.
    Now(Reply),
    /// The reply has been sent, or will be when the log has answered.
    Later,
}

/// A connection asks for something. A reading waits until what the connection has sent before is
/// answered.
///
/// From here on the command is handed on by reference, since it is large: by value each step would
/// copy it.
pub(super) fn handle_command(
    chat: &mut Chat,
    conn: ConnId,
    request: Request,
    command: &mut Command<'_>,
) {
    // What the connection waits for, if that is less than one exclusive operation, are records.
    let is_sending = |weight| (1..EXCLUSIVE_WEIGHT).contains(&weight);
    // The connection is looked up once; what follows is handed its user.
    let reader = chat.delivery.reader(conn);
    let user = reader.map(|reader| reader.user);
    let is_sending = reader.is_some_and(|reader| is_sending(reader.pending_weight));
    // Its first request shows that the welcome has come: the secret of before is spent.
    if let Some(secret) = user.and_then(|user| chat.directory.end_former(user, conn)) {
        claims::tell_used(chat, secret);
    }
    if !is_sending || chat.pending.is_deferred(conn) {
        return run(chat, (conn, user), request, command);
    }
    // What was sent must be found by who reads after it: the log numbers the records in its order,
    // but a page could be read before they are written.
    match taken(command).into_reading() {
        Ok(command) => chat.defer(conn, request, command),
        Err(mut command) => run(chat, (conn, user), request, &mut command),
    }
}

/// The command, which is used up.
const fn taken<'a>(command: &mut Command<'a>) -> Command<'a> {
    std::mem::replace(command, Command::Ping)
}

/// Does what a connection asks for, and answers unless the logs must be asked first.
pub(super) fn run(
    chat: &mut Chat,
    (conn, user): (ConnId, Option<UserKey>),
    request: Request,
    command: &mut Command<'_>,
) {
    let Some(user) = user else {
        let refusal = Refusal::new(Code::HelloFirst, "say hello first").field("op", "hello");
        return chat.context.reply(conn, request, Err(refusal));
    };
    // Before anything is judged: a room that is only not in memory would look like one that does
    // not exist.
    if let Some(wanted) = needs::of_command(chat, (conn, user), command) {
        return load::wait_command(chat, (conn, request), taken(command), wanted);
    }
    run_now(chat, (conn, user), request, command);
}

/// Does the command, now that everything is in memory that it needs.
fn run_now(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    request: Request,
    command: &mut Command<'_>,
) {
    // Before the room is looked for: a token for some rooms must not tell which others there are.
    let allowed = credentials::check(chat, (conn, &chat.directory[user].name), command);
    let mut by = Requester { conn, user, request };
    let result = match allowed {
        Ok(()) => execute(chat, &mut by, command),
        Err(refusal) => Err(refusal),
    };
    chat.answer(by, result);
}

/// Runs the deferred reading of a connection, if everything that it has sent before is answered.
fn resume_deferred(chat: &mut Chat, conn: ConnId) {
    // Nearly always nothing is, and the connection need not be looked up.
    if !chat.pending.is_deferred(conn) {
        return;
    }
    let reader = chat.delivery.reader(conn);
    if reader.is_some_and(|reader| reader.pending_weight > EXCLUSIVE_WEIGHT) {
        return;
    }
    let user = reader.map(|reader| reader.user);
    if let Some(PendingOp::Deferred(reading)) = chat.take_deferred(conn) {
        // Their answers wait for the end of the turn with the records, and must not come after it.
        chat.delivery_mut().fan_out_sends_of(conn);
        // It is run once, whatever the connection waits for by now: deferred again and again it
        // would never be answered.
        chat.pending.resuming = Some(conn);
        let DeferredReading { request, mut command, .. } = *reading;
        run(chat, (conn, user), request, &mut command);
        chat.pending.resuming = None;
    }
}

/// Does what a user asks for.
fn execute(
    chat: &mut Chat,
    by: &mut Requester,
    command: &mut Command<'_>,
) -> Result<Answer, Refusal> {
    let user = by.user;
    if let Command::Send(message) = command {
        return send::send(chat, by, message);
    }
    if let Some(quota) = quota_of(command) {
        // Taken whether or not it is refused later: a refusal has cost the look-ups.
        let now = chat.context.now.tick;
        chat.quotas.take(now, user, quota)?;
    }
    match taken(command) {
        Command::Edit { room, target, text, weight } => {
            send::check_rate(chat, user)?;
            edits::edit(chat, by, (&room, target), (&text, weight))
        }
        Command::Delete { room, target } => edits::delete(chat, by, (&room, target)),
        Command::React { room, target, emoji, remove, weight } => {
            send::check_rate(chat, user)?;
            edits::react(chat, by, (&room, target), (&emoji, remove, weight))
        }
        Command::Topic { room, text: Some(text), weight } => {
            send::check_rate(chat, user)?;
            send::set_topic(chat, by, &room, (&text, weight))
        }
        Command::Topic { room, text: None, .. } => send::topic(chat, by, &room),
        Command::Moderate { room, user: target, command, reason, weight } => {
            let (room, target, reason) = (&*room, &*target, &*reason);
            let wish = moderation::Wish { room, user: target, command, reason, weight };
            moderation::moderate(chat, by, &wish)
        }
        Command::Invite { room, user: invited, reason } => {
            invitations::invite(chat, by, (&room, &invited), &reason)
        }
        Command::Uninvite { room, user: invited } => {
            invitations::uninvite(chat, by, (&room, &invited))
        }
        Command::Join { room, after, epoch } => {
            let epoch = epoch.map(|epoch| epoch.into_owned().into_boxed_str());
            let position = after.map(|after| JoinPosition { epoch, after });
            join::join(chat, by, &room, position)
        }
        Command::Create { room, topic, private, policy } => {
            let (topic, policy) = (topic.as_deref(), policy.as_deref());
            create::create(chat, by, &create::Plan { name: &room, topic, private, policy })
        }
        Command::Leave { room } => leave::leave(chat, by, &room),
        Command::LeaveAndClose { room } => leave::close(chat, by, &room),
        Command::Close { room, reason, sure } => close::close(chat, by, &room, (&reason, sure)),
        Command::Rename { room, name } => {
            send::check_rate(chat, user)?;
            rename::rename(chat, by, &room, &name)
        }
        Command::Password { old, new } => accounts::change_password(chat, by, (old, new)),
        Command::EndLogin { which } => accounts::end_login(chat, by, &which),
        Command::MarkThread { room, thread, wish, epoch } => {
            threads::mark(chat, by, (&room, epoch.as_deref()), (thread, wish))
        }
        Command::Block { user, on } => blocks::block(chat, by, (&user, on)),
        Command::Profile { display, status, color } => {
            let status = status.as_ref().map(|(text, for_ms)| (&**text, *for_ms));
            profile::profile(chat, by, (display.as_deref(), status, color))
        }
        Command::PushSubscribe { endpoint, key, secret, agent } => {
            let agent = agent.as_deref().unwrap_or_default();
            let device = push::Device { endpoint: &endpoint, key: *key, secret, agent };
            push::subscribe(chat, by, &device)
        }
        Command::PushUnsubscribe { which } => push::unsubscribe(chat, by, &which),
        Command::Report { about, reason } => reports::report(chat, by, (&about, &reason)),
        Command::Settle { report } => reports::settle_report(chat, by, report),
        other => execute_reading(chat, by, other),
    }
}

/// Does what changes no log and no membership.
fn execute_reading(
    chat: &mut Chat,
    by: &mut Requester,
    command: Command<'_>,
) -> Result<Answer, Refusal> {
    let user = by.user;
    if chat.context.pressure.is_full() && is_long(&command) {
        return Err(faults::no_memory());
    }
    match command {
        Command::Ping => Ok(Answer::Now(Reply::Pong { time: chat.context.now.wall_ms })),
        Command::Rooms { since } => inbox::rooms(chat, by, since),
        Command::Ack { room, recv, read, epoch } => {
            ack::ack(chat, by, (&room, epoch.as_deref()), (recv, read))
        }
        Command::Typing { room } => {
            let (key, _) = chat.lookup().find_speaker(user, &room)?;
            chat.ephemeral_mut().typing(key, user);
            tell_other_nodes::tell_typing(chat, key, user);
            Ok(Answer::Now(Reply::Done))
        }
        Command::Status { away } => Ok(set_away(chat, (by.conn, user), away)),
        Command::History { room, page, limit, epoch } => {
            history::history(chat, by, (&room, epoch.as_deref()), (page, limit))
        }
        Command::Search { room, text, before, limit } => {
            search::search(chat, by, (room.as_deref(), &text), (before, limit))
        }
        Command::Thread { room, thread, before, limit } => {
            threads::thread(chat, by, (&room, thread), (before, limit))
        }
        Command::Threads { room } => threads::threads(chat, by, room.as_deref()),
        Command::Presence { room } => {
            let (key, _) = outsiders::reads(chat, (by.conn, user), &room)?;
            Ok(Answer::Now(chat.ephemeral_mut().presence_reply(key, user)))
        }
        Command::Members { room, limit, after } => {
            members::members(chat, by, &room, (limit, after.as_deref()))
        }
        Command::Restrictions { room, limit, after } => {
            restrictions::restrictions(chat, (by.conn, user), &room, (limit, after.as_deref()))
        }
        Command::Logins => accounts::logins(chat, by),
        Command::Blocked => Ok(blocks::blocked(chat, user)),
        Command::Whois { users } => Ok(profile::whois(chat, (by.conn, user), &users)),
        Command::PushSubscriptions => push::subscriptions(chat, by),
        Command::Reports { room, limit, after } => {
            reports::reports(chat, (by.conn, user), (room.as_deref(), limit, after))
        }
        Command::Audit { room, before, limit } => {
            audit::audit(chat, by, (room.as_deref(), before, limit))
        }
        Command::Directory { text, after, limit } => {
            Ok(directory::directory(chat, by, (text.as_deref(), after.as_deref()), limit))
        }
        Command::Export { after } => Ok(export::export(chat, by, after)),
        Command::Hello { .. } => Err(session_lifecycle::second_hello()),
        _ => {
            let message = "this server does not have this operation yet";
            Err(Refusal::new(Code::NotSupported, message))
        }
    }
}

/// Searches cost the store more than a page.
const SEARCH_TOKENS: u32 = 5;

/// What a command counts as for its user; a `send` is counted where it is refused, since one that
/// is repeated is not.
const fn quota_of(command: &Command<'_>) -> Option<(Quota, u32)> {
    match command {
        Command::Join { .. }
        | Command::Create { .. }
        | Command::Rename { .. }
        | Command::Invite { .. }
        | Command::Block { .. }
        | Command::Profile { .. }
        | Command::PushSubscribe { .. }
        | Command::Report { .. } => Some((Quota::Joins, 1)),
        Command::History { .. }
        | Command::Thread { .. }
        | Command::Threads { .. }
        | Command::Whois { .. } => Some((Quota::Readings, 1)),
        Command::Search { .. }
        | Command::Export { .. }
        | Command::Directory { .. }
        | Command::Audit { .. } => Some((Quota::Readings, SEARCH_TOKENS)),
        _ => None,
    }
}

/// Whether the answer may be a page or a list.
const fn is_long(command: &Command<'_>) -> bool {
    matches!(
        command,
        Command::Rooms { .. }
            | Command::History { .. }
            | Command::Search { .. }
            | Command::Thread { .. }
            | Command::Threads { .. }
            | Command::Presence { .. }
            | Command::Members { .. }
            | Command::Whois { .. }
            | Command::Restrictions { .. }
            | Command::Reports { .. }
            | Command::Export { .. }
            | Command::Directory { .. }
            | Command::Audit { .. }
    )
}

fn set_away(chat: &mut Chat, (conn, user): (ConnId, UserKey), away: bool) -> Answer {
    let mut sessions = chat.directory[user].sessions.iter_mut();
    if let Some(session) = sessions.find(|session| session.conn == conn) {
        session.set_away(away);
    }
    claims::tell_away(chat, (conn, user), away);
    absence::update_presence(chat, user);
    Answer::Now(Reply::Done)
}
