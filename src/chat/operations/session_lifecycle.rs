//! How sessions begin, are resumed, and end.

use super::absence::{arm_absence, open_user, update_presence};
use super::identify::{self, Who};
use super::resume::resume_room;
use super::room_end::let_go;
use super::{
    Chat, admins, claims, credentials, invitations, invite_links, load, needs, profile,
    tell_other_nodes,
};
use crate::chat::delivery::Reader;
use crate::chat::directory::{Secret, Session};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::hello::Hello;
use crate::chat::model::identity::Source;
use crate::chat::model::limits::{
    READ_MARK_BYTES, RESUME_BYTES_MAX, RESUMED_ROOM_BYTES, WELCOME_INVITATIONS_BYTES_MAX,
};
use crate::chat::model::name::UserName;
use crate::chat::model::output::{Output, Request};
use crate::chat::model::people::PeopleChange;
use crate::chat::model::reply::{ReadMarks, Refusal, Reply, ResumedRoom, Resumption};
use crate::chat::model::sessions::Claimed;
use crate::chat::model::webhook::NoticeKind;
use crate::chat::pending::PeopleOp;
use crate::net::{CloseReason, ConnId};

/// How many marks of others the welcome tells that answers for so many rooms.
const fn resume_marks_max(rooms: usize) -> usize {
    RESUME_BYTES_MAX.saturating_sub(rooms.saturating_mul(RESUMED_ROOM_BYTES)) / READ_MARK_BYTES
}

/// A connection says who it is, and where it was.
pub(in crate::chat) fn hello(chat: &mut Chat, conn: ConnId, request: Request, hello: Hello<'_>) {
    if chat.delivery.reader(conn).is_none() && !chat.pending.held.contains(&conn) {
        let needs = needs::of_hello(chat, &hello, identify::names(chat, &hello));
        if !needs.0.is_empty() {
            return load::wait_hello(chat, (conn, request), hello, needs);
        }
    }
    begin(chat, conn, request, hello);
}

/// Does the `hello`, now that everything is in memory that it needs.
pub(super) fn begin(chat: &mut Chat, conn: ConnId, request: Request, hello: Hello<'_>) {
    begin_claimed(chat, (conn, request), hello, None);
}

/// Does the `hello`; `claimed` is what came of claiming its session from all nodes, `None` if it
/// was not claimed yet, or need not be.
pub(super) fn begin_claimed(
    chat: &mut Chat,
    (conn, request): (ConnId, Request),
    hello: Hello<'_>,
    claimed: Option<Claimed>,
) {
    match begin_session(chat, conn, &hello, claimed) {
        Ok(Begun::Claim(name, source)) => {
            claims::claim(chat, (conn, request), hello, (name, source));
        }
        Ok(Begun::Held(changes)) => {
            // Nothing more is read from it meanwhile: what follows a `hello` relies on its answer.
            chat.pending.held.insert(conn);
            let hello = Box::new(hello.into_owned());
            chat.change_people(PeopleOp::Hello { conn, request, hello }, changes);
        }
        Ok(Begun::Visit) => chat.context.reply(conn, request, Ok(Reply::Done)),
        Ok(Begun::Session(user, resumed)) => {
            if let Some(display) = hello.identity.as_ref().and_then(|it| it.display.as_deref()) {
                profile::seed(chat, user, display.trim());
            }
            let positions = hello.resume.map_or_else(Vec::new, |resume| resume.positions);
            let mut rooms = Vec::with_capacity(positions.len());
            let mut marks_left = Some(resume_marks_max(positions.len()));
            for position in positions {
                // One room that cannot be resumed does not keep the client from the others: it is
                // told with them.
                let outcome = resume_room(chat, (conn, user), &position, resumed);
                let requested = position.room.into_owned().into_boxed_str();
                rooms.push(match outcome {
                    Ok((key, resumption)) => {
                        let name = &chat.rooms[key].name;
                        let name = (*name.as_str() != *requested).then(|| name.clone());
                        let marks = take_marks(chat, (conn, user), key, &mut marks_left);
                        ResumedRoom { requested, name, resumption, marks }
                    }
                    Err(refusal) => {
                        let resumption = Resumption::Refused(refusal);
                        ResumedRoom { requested, name: None, resumption, marks: Vec::new() }
                    }
                });
            }
            let (invitations, more_invitations) = invitations::within(
                invitations::seen_by(chat, (conn, user)),
                WELCOME_INVITATIONS_BYTES_MAX,
            );
            let welcome = Reply::Welcome {
                user: chat.directory[user].name.clone(),
                session: Secret::new(user, hello.secret).to_text(),
                time: chat.context.now.wall_ms,
                resumed,
                rooms,
                is_admin: admins::is_admin(chat, (conn, user)),
                may_invite: invite_links::may_invite(chat, &chat.directory[user].name),
                invitations,
                more_invitations,
            };
            chat.context.reply(conn, request, Ok(welcome));
            tell_other_nodes::look_later(chat, user);
            // After the welcome, which says where each cursor begins.
            chat.catch_up(conn);
            // What was left out is told by `refresh`, which runs when something wakes the
            // connection.
            if marks_left.is_none() {
                chat.context.wake(conn);
            }
        }
        Err(refusal) => {
            if let Some(claimed) = claimed {
                claims::give_up(chat, &hello, claimed);
            }
            chat.context.reply(conn, request, Err(refusal));
        }
    }
}

/// How far others have read in a room of a resume. Where they are more than the welcome holds, the
/// connection is told later, as one that has missed it.
fn take_marks(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    key: RoomKey,
    left: &mut Option<usize>,
) -> ReadMarks {
    let marks = chat.ephemeral_mut().read_marks(key, user);
    *left = left.and_then(|left| left.checked_sub(marks.len()));
    if left.is_some() {
        return marks;
    }
    chat.delivery_mut().mark_stale(conn, key);
    Vec::new()
}

/// What became of a `hello` that was not refused.
enum Begun {
    /// The user's session has begun; whether it is a former one.
    Session(UserKey, bool),
    /// Its connection may ask for something, and nobody is told of it.
    Visit,
    /// First it has to be stored that the name is somebody's.
    Held(Vec<PeopleChange>),
    /// First the session has to be claimed for this user.
    Claim(UserName, Source),
}

fn begin_session(
    chat: &mut Chat,
    conn: ConnId,
    hello: &Hello<'_>,
    claimed: Option<Claimed>,
) -> Result<Begun, Refusal> {
    if chat.delivery.reader(conn).is_some() || chat.pending.held.contains(&conn) {
        return Err(second_hello());
    }
    let (known, user) = match identify::who(chat, hello)? {
        Who::Former(secret, user) => (Some(secret), user),
        Who::Named(name, source) => {
            if claims::is_shared(chat) && !hello.is_visit && claimed.is_none() {
                claims::check(chat, hello, &name)?;
                return Ok(Begun::Claim(name, source));
            }
            let user = open_user(chat, &name, source)?;
            // A name that was remembered from a time without proof may be an account's now.
            chat.directory[user].source = source;
            let is_resumed = matches!(claimed, Some(Claimed::Resumed { .. }));
            (claims::former_secret(hello).filter(|_| is_resumed), user)
        }
        Who::New(bound) => return Ok(Begun::Held(vec![PeopleChange::Bind(bound)])),
        // Such a write is under way already: this one is answered when that is done.
        Who::Unwritten(_) => return Ok(Begun::Held(Vec::new())),
    };
    if hello.is_visit {
        begin_visit(chat, (conn, user), hello)?;
        return Ok(Begun::Visit);
    }
    let replaced = known.and_then(|secret| chat.directory.session_with_secret(user, secret));
    let sessions_max = chat.context.limits.sessions_per_user;
    let sessions = chat.directory[user].sessions.len();
    // Who takes a session over adds none, so that a client at the bound can always come back.
    if sessions - usize::from(replaced.is_some()) >= sessions_max {
        return Err(claims::too_many(sessions_max));
    }
    // Asked before the take-over, by which the secret and what was said with it are gone.
    let away = match claimed {
        Some(Claimed::Resumed { away }) => away,
        _ => known.is_some_and(|secret| chat.directory.is_away(user, secret)),
    };
    // Before the old connection ends, which would keep the secret for yet another resume.
    if let Some(secret) = known {
        chat.directory.take_over(user, secret);
    }
    if let Some(conn) = replaced {
        chat.context.outputs.push_back(Output::Close { conn, reason: CloseReason::Replaced });
        end_session(chat, conn);
    }
    // Whoever is not there any more when the welcome comes has no other secret than this one.
    if let Some(former) = known {
        chat.directory.keep_former(user, (Secret::new(user, hello.secret), former));
    }
    // After the end of the one that it replaces, so that the bound on sessions holds at each
    // moment.
    add_session(chat, (conn, user), hello, away);
    if let Some(login) = hello.identity.as_ref().and_then(|identity| identity.login) {
        note_login(chat, (conn, user), login);
    }
    Ok(Begun::Session(user, known.is_some()))
}

/// The connection may ask for something as the user, without a session. A stream, which stays,
/// counts as one.
///
/// # Errors
///
/// [`Code::TooManySessions`].
fn begin_visit(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    hello: &Hello<'_>,
) -> Result<(), Refusal> {
    if hello.encoding.is_stream() {
        let row = &chat.directory[user];
        let visits = usize::try_from(row.visits()).unwrap_or(usize::MAX);
        let sessions_max = chat.context.limits.sessions_per_user;
        if row.sessions.len().saturating_add(visits) >= sessions_max {
            return Err(claims::too_many(sessions_max));
        }
        chat.context.stats.streams += 1;
    }
    credentials::keep(chat, conn, hello.identity.as_ref());
    let reader = Reader::new(conn, user, hello.encoding);
    chat.delivery.add_reader(Reader { is_visit: true, ..reader });
    chat.directory[user].begin_visit();
    if let Some(login) = hello.identity.as_ref().and_then(|identity| identity.login) {
        note_login(chat, (conn, user), login);
    }
    Ok(())
}

/// The refusal of a `hello` on a connection that has said it already.
pub(super) fn second_hello() -> Refusal {
    let refusal = Refusal::new(Code::BadField, "this connection has said hello already");
    refusal.field("op", "hello once, first")
}

fn add_session(chat: &mut Chat, (conn, user): (ConnId, UserKey), hello: &Hello<'_>, away: bool) {
    credentials::keep(chat, conn, hello.identity.as_ref());
    let session = Session::new(conn, Secret::new(user, hello.secret), away);
    chat.directory.add_session(user, session);
    chat.delivery.add_reader(Reader::new(conn, user, hello.encoding));
    chat.context.stats.sessions += 1;
    notice(chat, user, true);
    if let Some(timer) = chat.directory[user].end_absence() {
        chat.context.wheel.cancel(timer);
    }
    update_presence(chat, user);
}

/// Tells the webhooks that a connection of a user has begun or ended.
fn notice(chat: &mut Chat, user: UserKey, opened: bool) {
    let user = &chat.directory[user];
    let left = u64::try_from(user.sessions.len()).unwrap_or(u64::MAX);
    chat.context.notice(None, Some(&user.name), NoticeKind::Connection { opened, left });
}

/// A login is used by this connection.
fn note_login(chat: &mut Chat, (conn, user): (ConnId, UserKey), login: u64) {
    chat.accounts.live.insert(conn, login);
    if chat.directory[user].source == Source::Key {
        return;
    }
    let name = chat.directory[user].name.clone();
    if let Some(used) = chat.accounts.use_login(login, &name, chat.context.now.wall_ms) {
        chat.change_people(PeopleOp::Noted, vec![PeopleChange::Used(login, used)]);
    }
}

/// The connection is gone, or its session is another connection's now.
pub(in crate::chat) fn end_session(chat: &mut Chat, conn: ConnId) {
    let Some(reader) = chat.delivery.reader(conn) else { return };
    let (user, is_visit) = (reader.user, reader.is_visit);
    let is_stream = reader.encoding.is_stream();
    let rooms: Vec<RoomKey> = reader.subscriptions.iter().map(|row| row.room).collect();
    // First, since it counts against the reader that is about to go.
    chat.take_deferred(conn);
    for room in rooms {
        chat.delivery_mut().unsubscribe(conn, room);
        if is_stream {
            let_go(chat, room);
        }
    }
    credentials::forget(chat, conn);
    chat.delivery.remove_reader(conn);
    if is_visit {
        chat.context.stats.streams -= u64::from(is_stream);
        let row = &mut chat.directory[user];
        row.end_visit();
        if row.visits() == 0 && row.sessions.is_empty() {
            arm_absence(chat, user);
        }
        return;
    }
    let secrets_max = chat.context.limits.sessions_per_user;
    let ended = chat.directory.end_session(user, conn, secrets_max);
    claims::tell_end(chat, ended);
    chat.context.stats.sessions -= 1;
    notice(chat, user, false);
    // Other sessions may be away while this one was not: without one, presence waits for the grace
    // instead, so that a client which reconnects is not told off and on.
    if chat.directory[user].sessions.is_empty() {
        arm_absence(chat, user);
        tell_other_nodes::tell_present(chat, user);
    } else {
        update_presence(chat, user);
    }
}
