//! What a connection has proved, while it lives: in which rooms it holds, when it ends, and how it
//! is renewed.
//!
//! ```text
//!  hello ──▶ holds ── a minute before its end ──▶ `expires` ──▶ 2002, and the connection ends
//!             ▲                                      │
//!             └────────── refresh, the same user ────┘
//! ```

use std::time::Duration;

use super::session_lifecycle::end_session;
use super::{Chat, grants};
use crate::chat::context::Timer;
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op, Reported, Target};
use crate::chat::model::event::{Event, LeftReason};
use crate::chat::model::identity::{Identity, Rights, Source};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::output::{Output, Request};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::rooms::no_such_room;
use crate::net::{CloseReason, ConnId};

/// How long before its end a client is told, so that it can bring another token.
const WARNED_BEFORE_MS: u64 = 60_000;
/// The longest time that a timer is armed for: the wall clock may be set meanwhile.
const LOOK_AGAIN_MS: u64 = 600_000;

/// Keeps what a connection has proved in its `hello`, if that matters later.
pub(super) fn keep(chat: &mut Chat, conn: ConnId, identity: Option<&Identity>) {
    let Some(identity) = identity else { return };
    // Most identities have none of these, and their connections no row: an idle connection must not
    // pay for tokens that it does not use.
    let is_plain = identity.expires.is_none() && identity.token_id.is_none() && !identity.is_admin;
    if !is_plain || !identity.grants.is_empty() || identity.is_operator() {
        chat.directory.credentials.insert(conn, identity.clone());
        arm(chat, conn);
    }
}

/// What a connection has proved to another process.
pub(super) fn adopt(chat: &mut Chat, conn: ConnId, identity: Identity, is_warned: bool) {
    chat.directory.credentials.insert(conn, identity);
    if let Some(row) = chat.directory.credentials.get_mut(conn) {
        row.is_warned = is_warned;
    }
    arm(chat, conn);
}

/// The connection is gone.
pub(super) fn forget(chat: &mut Chat, conn: ConnId) {
    let timer = chat.directory.credentials.remove(conn).and_then(|row| row.timer);
    if let Some(timer) = timer {
        chat.context.wheel.cancel(timer);
    }
}

/// Has the connection looked at when it is to be told, or ends.
fn arm(chat: &mut Chat, conn: ConnId) {
    let now = chat.context.now;
    let Some(row) = chat.directory.credentials.get_mut(conn) else { return };
    let timer = row.identity.expires.map(|expires| {
        let due = if row.is_warned { expires } else { expires.saturating_sub(WARNED_BEFORE_MS) };
        // The end is a moment of the wall clock, and timers count ticks.
        let wait_ms = due.saturating_sub(now.wall_ms).min(LOOK_AGAIN_MS);
        now.tick.after(Duration::from_millis(wait_ms))
    });
    let timer = timer.map(|deadline| chat.context.wheel.arm(deadline, Timer::TokenDue(conn)));
    if let Some(former) = std::mem::replace(&mut row.timer, timer) {
        chat.context.wheel.cancel(former);
    }
}

/// The end of what a connection has proved is near, or there.
pub(in crate::chat) fn on_due(chat: &mut Chat, conn: ConnId) {
    let wall_ms = chat.context.now.wall_ms;
    let Some(row) = chat.directory.credentials.get_mut(conn) else { return };
    row.timer = None;
    let Some(expires) = row.identity.expires else { return };
    if wall_ms >= expires {
        let refusal = Refusal::new(Code::TokenExpired, "the token has expired; get a new one");
        return end(chat, conn, refusal, CloseReason::TokenExpired);
    }
    let in_ms = expires - wall_ms;
    if in_ms <= WARNED_BEFORE_MS && !std::mem::replace(&mut row.is_warned, true) {
        chat.context.tell(conn, Event::Expires { in_ms });
    }
    arm(chat, conn);
}

/// Ends the connections whose tokens were taken back.
pub(super) fn end_revoked(chat: &mut Chat) {
    if chat.directory.suspended.revoked.is_empty() {
        return;
    }
    let is_revoked = |conn: &ConnId| {
        let name = chat.user(*conn);
        let identity = chat.directory.credentials.get(*conn);
        name.zip(identity)
            .is_some_and(|(name, row)| chat.directory.suspended.has_revoked(row, name))
    };
    // Collected first, since ending a session changes the table that is walked.
    let revoked: Vec<ConnId> =
        chat.directory.credentials.connections().filter(is_revoked).collect();
    for conn in revoked {
        end(chat, conn, revocation(), CloseReason::BadToken);
    }
}

/// The refusal of a token that was taken back.
pub(super) fn revocation() -> Refusal {
    Refusal::new(Code::Unauthorized, "the token was taken back").field("token", "another one")
}

/// Ends a connection, which is told why.
fn end(chat: &mut Chat, conn: ConnId, refusal: Refusal, reason: CloseReason) {
    chat.context.reply(conn, Request { id: None, op: Op::Hello }, Err(refusal));
    chat.context.outputs.push_back(Output::Close { conn, reason });
    end_session(chat, conn);
}

/// A connection brings another token. It cannot become somebody else by it.
///
/// # Errors
///
/// [`Code::TokenNotForUs`] if it is of another user, or if the connection has come in without one.
pub(in crate::chat) fn refresh(
    chat: &mut Chat,
    conn: ConnId,
    identity: Identity,
) -> Result<Reply, Refusal> {
    let same = |row: &Identity| {
        (row.source, &row.issuer, &row.subject)
            == (identity.source, &identity.issuer, &identity.subject)
    };
    let name = chat.user(conn);
    if name.is_some_and(|name| chat.directory.suspended.has_revoked(&identity, name)) {
        return Err(revocation());
    }
    let row = chat.directory.credentials.get_mut(conn);
    let Some(row) = row.filter(|row| same(&row.identity)) else {
        let message = "this token is not of the user of this connection";
        return Err(
            Refusal::new(Code::TokenNotForUs, message).field("token", "one of the same user")
        );
    };
    let row = &mut *row;
    row.identity = identity;
    row.is_warned = false;
    arm(chat, conn);
    unsubscribe_hidden(chat, conn);
    Ok(Reply::Done)
}

/// Ends the subscriptions to rooms that the connection may not know of any more.
fn unsubscribe_hidden(chat: &mut Chat, conn: ConnId) {
    let Some(reader) = chat.delivery.reader(conn) else { return };
    let rooms: Vec<_> = reader.subscriptions.iter().map(|row| row.room).collect();
    for key in rooms {
        let room = chat.rooms[key].name.clone();
        if !chat.rooms[key].may_be_read(&chat.directory, conn) {
            chat.delivery_mut().fan_out(key);
            chat.delivery_mut().unsubscribe(conn, key);
            chat.context.tell(conn, Event::Left { room, reason: LeftReason::Left });
        }
    }
}

/// Requires that what the connection has proved lets it do this.
///
/// # Errors
///
/// [`Code::NoSuchRoom`] for a room of which it may not know, [`Code::ReadOnly`] where it may only
/// read, and [`Code::Forbidden`] where it may only send.
pub(super) fn check(
    chat: &Chat,
    (conn, name): (ConnId, &UserName),
    command: &Command<'_>,
) -> Result<(), Refusal> {
    let credentials = &chat.directory.credentials;
    if !credentials.is_restricted(conn) {
        return Ok(());
    }
    let needed = needs(command, name);
    if let Some(identity) = credentials.get(conn).filter(|row| row.source == Source::Key) {
        let needed = needed.map(|(room, needs)| (grants::rights_in(chat, conn, &room), needs));
        return check_key(identity, command, needed);
    }
    let Some((room, needs)) = needed else { return Ok(()) };
    let rights = grants::rights_in(chat, conn, &room);
    // A room of which nothing is allowed does not exist for this connection; where something is
    // allowed it is known, and the refusal may say what is missing.
    let (lacks_read, lacks_send) = (needs.read && !rights.read, needs.send && !rights.send);
    match (lacks_read, lacks_send) {
        (false, false) => Ok(()),
        _ if !rights.read && !rights.send => Err(no_such_room()),
        (_, true) => {
            Err(Refusal::new(Code::ReadOnly, "your token lets you only read in this room"))
        }
        (true, false) => {
            Err(Refusal::new(Code::Forbidden, "your token lets you only send to this room"))
        }
    }
}

/// Requires that a program's key lets it do this: to send, to change what it has sent, and to read,
/// in the rooms that it names. `needed` is what it may do in the room, and what it has to.
///
/// # Errors
///
/// [`Code::ReadOnly`] where it may only read, and otherwise [`Code::Forbidden`], alike whether the
/// room exists.
fn check_key(
    identity: &Identity,
    command: &Command<'_>,
    needed: Option<(Rights, Rights)>,
) -> Result<(), Refusal> {
    let is_for_keys = matches!(
        command,
        Command::Send(_)
            | Command::Edit { .. }
            | Command::Delete { .. }
            | Command::React { .. }
            | Command::Join { .. }
            | Command::Leave { .. }
            | Command::History { .. }
            | Command::Thread { .. }
            | Command::Presence { .. }
            | Command::Members { .. }
            | Command::Topic { text: None, .. }
    );
    let rights = match needed {
        _ if matches!(command, Command::Ping | Command::Hello { .. }) => return Ok(()),
        // Which rooms these are.
        None if matches!(command, Command::Rooms { .. })
            && identity.grants.iter().any(|grant| grant.rights.read) =>
        {
            return Ok(());
        }
        Some((rights, needs)) if is_for_keys => {
            if (rights.read || !needs.read) && (rights.send || !needs.send) {
                return Ok(());
            }
            rights
        }
        Some(_) | None => Rights::default(),
    };
    let code = if rights.read { Code::ReadOnly } else { Code::Forbidden };
    let rooms: Vec<&str> = identity.grants.iter().map(|grant| &*grant.rooms).collect();
    let can = match identity.grants.first().map(|grant| grant.rights) {
        Some(Rights { read: true, send: true }) => "read and send",
        Some(Rights { send: true, .. }) => "send",
        Some(_) | None => "read",
    };
    let message = format!("this key may {can} in {}, and nothing else", rooms.join(", "));
    Err(Refusal::new(code, message))
}

/// Which room a command is about, and what it needs there.
fn needs(command: &Command<'_>, user: &UserName) -> Option<(String, Rights)> {
    const READ: Rights = Rights { read: true, send: false };
    const SEND: Rights = Rights { read: false, send: true };
    const BOTH: Rights = Rights { read: true, send: true };
    let (room, rights) = match command {
        Command::Send(send) => match &send.target {
            Target::Room(room) => (room, SEND),
            Target::User(other) => {
                let other = UserName::parse(other).ok()?;
                return Some((RoomName::direct(user, &other).as_str().to_owned(), SEND));
            }
        },
        Command::Edit { room, .. }
        | Command::Delete { room, .. }
        | Command::React { room, .. }
        | Command::Typing { room }
        | Command::Topic { room, text: Some(_), .. } => (room, SEND),
        Command::Create { room, .. }
        | Command::LeaveAndClose { room }
        | Command::Close { room, .. }
        | Command::Rename { room, .. }
        | Command::Invite { room, .. }
        | Command::Uninvite { room, .. }
        | Command::Moderate { room, .. } => (room, BOTH),
        Command::Join { room, .. }
        | Command::Leave { room }
        | Command::Ack { room, .. }
        | Command::History { room, .. }
        | Command::Thread { room, .. }
        | Command::Threads { room: Some(room) }
        | Command::MarkThread { room, .. }
        | Command::Presence { room }
        | Command::Members { room, .. }
        | Command::Restrictions { room, .. }
        | Command::Topic { room, text: None, .. }
        | Command::Report { about: Reported::Message(room, _), .. }
        | Command::Report { about: Reported::User(_, Some(room)), .. }
        | Command::Reports { room: Some(room), .. }
        | Command::Audit { room: Some(room), .. }
        | Command::Search { room: Some(room), .. } => (room, READ),
        // About no room, or about all: what is told of each is left out where it is told.
        Command::Hello { .. }
        | Command::Refresh { .. }
        | Command::Register { .. }
        | Command::Login { .. }
        | Command::Password { .. }
        | Command::Logins
        | Command::EndLogin { .. }
        | Command::InviteLink { .. }
        | Command::Accept { .. }
        | Command::Block { .. }
        | Command::Blocked
        | Command::Profile { .. }
        | Command::Whois { .. }
        | Command::PushSubscribe { .. }
        | Command::PushUnsubscribe { .. }
        | Command::PushSubscriptions
        | Command::Report { about: Reported::User(_, None), .. }
        | Command::Reports { room: None, .. }
        | Command::Settle { .. }
        | Command::Export { .. }
        | Command::Audit { room: None, .. }
        | Command::Directory { .. }
        | Command::Ping
        | Command::Rooms { .. }
        | Command::Status { .. }
        | Command::Search { room: None, .. }
        | Command::Threads { room: None }
        | Command::Unsupported(_) => return None,
    };
    Some((room.to_string(), rights))
}
