//! The domain: a room is a log, a member is a cursor. It knows no bytes, no sockets and no JSON.
//!
//! [`Chat`] is fed with what connections say ([`Chat::hello`], [`Chat::command`]), with what becomes of
//! them ([`Chat::blocked`], [`Chat::drained`], [`Chat::closed`]), with what the logs answer
//! ([`Chat::committed`]) and with the time ([`Chat::expire`], [`Chat::turn_end`]); what it wants said and
//! logged is then polled ([`Chat::poll_output`], [`Chat::poll_request`]). It never calls out.
//!
//! How records reach their readers is in `cursor`, how presence, typing and receipts do is in `gather`.

mod asked;
mod changes;
mod create;
mod cursor;
mod fetch;
mod gather;
mod hello;
mod history;
mod inbox;
mod keys;
mod members;
pub mod model;
mod moderate;
mod pages;
mod restore;
mod ring;
mod room;
mod search;
mod send;
mod session;
mod standing;
mod state;
mod suspend;
#[cfg(test)]
mod tests;
mod touch;
mod user;

pub use hello::Hello;
pub use model::code::Code;
pub use model::command::{Command, Op, RequestId};
pub use model::event::Event;
pub use model::limits::Limits;
pub use model::name::{RoomName, UserName};
pub use model::record::{Body, Epoch, Record, SharedRecord};
pub use model::reply::{Refusal, Reply};
pub use model::stats::Stats;

use std::ops::ControlFlow;

use self::asked::{Asker, Asking, Change};
use self::keys::{RoomKey, UserKey};
use self::model::event::LeftReason;
use self::model::log::{LogReply, LogRequest, Snapshot};
use self::model::output::{Output, Request};
use self::session::Session;
use self::state::{State, Timer};
use crate::net::ConnId;
use crate::time::Tick;
use crate::time::clock::Now;

/// All users, rooms and cursors.
#[derive(Debug)]
pub struct Chat {
    state: State,
}

impl Chat {
    /// Bytes that one user takes, its name, session and membership in one room included.
    pub const USER_BYTES: u64 = 256;
    /// Bytes that one room takes, without its ring.
    pub const ROOM_BYTES: u64 = 656;

    /// Nobody, nowhere. `now` tells this start's epochs from those of others.
    #[must_use]
    pub fn new(limits: Limits, now: Now) -> Self {
        Self { state: State::new(limits, now) }
    }

    /// Takes up what was kept of the rooms, before anybody comes.
    pub fn restore(&mut self, now: Now, kept: Snapshot) {
        self.state.now = now;
        restore::restore(&mut self.state, kept);
    }

    /// A connection says who it is. Refused if it has said so already.
    pub fn hello(&mut self, now: Now, conn: ConnId, request: Request, hello: Hello<'_>) {
        self.state.now = now;
        hello::hello(&mut self.state, conn, request, hello);
    }

    /// A connection asks for something; [`Code::HelloFirst`] if it has not said who it is.
    pub fn command(&mut self, now: Now, conn: ConnId, request: Request, command: Command<'_>) {
        self.state.now = now;
        if let Some((request, command)) = asked::put_off(&mut self.state, conn, request, command) {
            run(&mut self.state, conn, request, command);
        }
    }

    /// A flush has left `queued` bytes of this connection behind.
    pub fn blocked(&mut self, conn: ConnId, queued: usize) {
        if let Some(session) = self.state.session_mut(conn) {
            session.credit.blocked(queued);
        }
    }

    /// Nothing waits for this connection any more: its cursors that are behind go on.
    pub fn drained(&mut self, now: Now, conn: ConnId) {
        self.state.now = now;
        if let Some(session) = self.state.session_mut(conn) {
            session.credit.drained();
            cursor::pump(&mut self.state, conn);
            gather::refresh(&mut self.state, conn);
        }
    }

    /// The connection is gone. Nothing happens if it never said hello.
    pub fn closed(&mut self, now: Now, conn: ConnId) {
        self.state.now = now;
        hello::end_session(&mut self.state, conn);
    }

    /// A log has answered.
    pub fn committed(&mut self, now: Now, reply: LogReply) {
        self.state.now = now;
        asked::heard(&mut self.state, reply);
    }

    /// Does what is due; to be called when [`Chat::next_deadline`] has passed.
    pub fn expire(&mut self, now: Now) {
        self.state.now = now;
        while let Some(timer) = self.state.wheel.poll(now.tick) {
            match timer {
                Timer::Absent(user) => hello::absent(&mut self.state, user),
                Timer::Gathered(room) => gather::gathered(&mut self.state, room),
                Timer::Empty(room) => members::expire_room(&mut self.state, room),
                Timer::Save => inbox::save(&mut self.state),
                Timer::Retry => fetch::retry(&mut self.state),
            }
        }
    }

    /// The earliest moment at which [`Chat::expire`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Tick {
        self.state.wheel.next_deadline().unwrap_or(Tick::MAX)
    }

    /// All of a turn's inputs have been handed over: what it has added to the next room is fanned out.
    /// `false` if that was all; [`Chat::turn_end`] follows. What is said between two rooms is still
    /// in the cache.
    pub fn settle_next(&mut self, now: Now) -> bool {
        self.state.now = now;
        let Some(room) = self.state.dirty.pop() else { return false };
        cursor::settle(&mut self.state, room);
        true
    }

    /// A turn ends: what it has added to the rooms and was not fanned out yet is.
    pub fn turn_end(&mut self, now: Now) {
        while self.settle_next(now) {}
        self.state.turn = self.state.turn.wrapping_add(1);
    }

    /// The server is stopping: no record is taken any more ([`Code::ShuttingDown`]), and what was gathered of
    /// receipts is handed to the logs. What the logs have been asked for is still answered.
    pub fn stop(&mut self, now: Now) {
        self.turn_end(now);
        inbox::save(&mut self.state);
        self.state.stopping = true;
    }

    /// Tells a session that the server is stopping, and when to come back: within `window_ms`.
    pub fn drain(&mut self, to: ConnId, (reconnect_after_ms, window_ms): (u64, u64)) {
        if self.state.session(to).is_some() {
            let event = Event::Drain { reconnect_after_ms, window_ms, reason: "restart" };
            self.state.said.push_back(Output::Event { to, event });
        }
    }

    /// The next thing to be said, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.state.said.pop_front()
    }

    /// The next request to the logs, in order.
    pub fn poll_request(&mut self) -> Option<LogRequest> {
        self.state.requests.pop_front()
    }

    /// The name of the user on this connection, `None` before hello.
    #[must_use]
    pub fn user(&self, conn: ConnId) -> Option<&UserName> {
        let session = self.state.session(conn)?;
        self.state.users.get(session.user).map(|user| &user.name)
    }

    /// How many answers this connection waits for, because a cursor is not yet at their place or a log has not
    /// answered. Once they have become few, [`Output::Wake`] says so.
    #[must_use]
    pub fn owed(&self, conn: ConnId) -> u32 {
        self.state.session(conn).map_or(0, Session::owed)
    }

    /// How many answers of the logs this connection waits for.
    #[must_use]
    pub fn waiting(&self, conn: ConnId) -> u32 {
        self.state.session(conn).map_or(0, |session| u32::from(session.waiting))
    }

    /// How many answers of the logs are waited for in all.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.state.asked.len()
    }

    /// Who may not use the server at all.
    #[must_use]
    pub fn suspended(&self) -> &model::log::Suspensions {
        &self.state.suspended
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.state.limits
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let behind = self.state.sessions.iter().map(|session| u64::from(session.behind)).sum();
        Stats { behind, ..self.state.stats }
    }

    /// How many users, rooms and memberships there are, and the bytes of all recent rings and pages of stored logs.
    #[must_use]
    pub fn sizes(&self) -> [usize; 4] {
        let state = &self.state;
        let rings = state.rings.bytes() + state.pages.bytes();
        [state.users.len(), state.rooms.len(), state.memberships.len(), rings]
    }

    /// Checks every invariant of the tables; for tests, in builds with debug assertions.
    pub fn debug_check(&self) {
        state::debug_check(&self.state);
    }
}

/// What a command has come to.
enum Done {
    /// An answer, and what follows it.
    Answered(Reply, Then),
    /// A record for the log: the answer follows when it has been taken.
    Logged(send::Logged),
    /// Something that the log must answer first.
    Asked(UserKey, Asking),
}

enum Then {
    Nothing,
    /// Tell what the cursor that was just made skips, and bring it up.
    Pump(Option<Event>),
    /// The membership ends.
    Leave(keys::MembershipKey),
}

fn follow(state: &mut State, conn: ConnId, then: Then) {
    match then {
        Then::Nothing => {}
        Then::Pump(gap) => {
            state.said.extend(gap.map(|event| Output::Event { to: conn, event }));
            cursor::pump(state, conn);
        }
        Then::Leave(key) => members::end_membership(state, key, Some(LeftReason::Left)),
    }
}

/// Does what a connection asks for, and answers unless the logs must be asked first.
fn run(state: &mut State, conn: ConnId, request: Request, command: Command<'_>) {
    let result = match state.session(conn).map(|session| session.user) {
        None => Err(Refusal::new(Code::HelloFirst, "say hello first").field("op", "hello")),
        Some(user) => execute(state, (conn, user), command),
    };
    match result {
        Ok(Done::Answered(reply, then)) => {
            state.said.push_back(Output::Reply { to: conn, request, result: Ok(reply) });
            follow(state, conn, then);
        }
        Ok(Done::Logged(draft)) => send::append(state, draft, request, conn),
        Ok(Done::Asked(user, asking)) => {
            let name = state.users[user].name.clone();
            asking.ask(state, Asker { conn, user, name, request });
        }
        Err(refusal) => {
            state.said.push_back(Output::Reply { to: conn, request, result: Err(refusal) });
        }
    }
}

/// Does what a user asks for.
fn execute(
    state: &mut State,
    (conn, user): (ConnId, UserKey),
    command: Command<'_>,
) -> Result<Done, Refusal> {
    let command = match draft(state, user, command) {
        ControlFlow::Break(logged) => return logged.map(Done::Logged),
        ControlFlow::Continue(command) => command,
    };
    let reply = match command {
        Command::Topic { room, text: None, .. } => {
            let (key, _) = members::find_membership(state, user, &room)?;
            let room = &state.rooms[key];
            Reply::Topic { room: room.name.clone(), text: room.topic.clone() }
        }
        Command::Join { room, after, epoch } => {
            return join(state, (conn, user), &room, after, epoch.as_deref());
        }
        Command::Create { room, topic, private, policy } => {
            let (topic, policy) = (topic.as_deref(), policy.as_deref());
            let plan = create::Plan { name: &room, topic, private, policy };
            return create::create(state, (conn, user), &plan);
        }
        Command::Invite { room, user: invited } => {
            return moderate::invite(state, user, &room, &invited);
        }
        Command::Leave { room } => return leave(state, user, &room),
        Command::Ping => Reply::Pong { time: state.now.wall_ms },
        Command::Rooms { since } => return Ok(inbox::rooms(state, user, since)),
        Command::Ack { room, recv, read, epoch } => {
            inbox::ack(state, user, (&room, epoch.as_deref()), recv, read)?
        }
        Command::Typing { room } => {
            let (key, membership) = members::find_membership(state, user, &room)?;
            standing::check_voice(state, membership)?;
            gather::typing(state, key, user);
            Reply::Done
        }
        Command::Status { away } => {
            if let Some(session) = state.session_mut(conn) {
                session.away = away;
            }
            hello::update_presence(state, user);
            Reply::Done
        }
        Command::History { room, page, limit, epoch } => {
            return history::history(state, user, (&room, epoch.as_deref()), page, limit);
        }
        Command::Search { room, text, before, limit } => {
            return search::search(state, user, (room.as_deref(), &text), before, limit);
        }
        Command::Presence { room } => {
            let (key, _) = members::find_membership(state, user, &room)?;
            gather::tell_due_presence(state, key);
            inbox::presence(state, key)
        }
        Command::Members { room, limit, after } => {
            inbox::members(state, user, &room, limit, after.as_deref())?
        }
        Command::Hello { .. } => {
            let refusal = Refusal::new(Code::BadField, "this connection has said hello already");
            return Err(refusal.field("op", "hello once, first"));
        }
        _ => {
            let refusal = "this server does not have this operation yet";
            return Err(Refusal::new(Code::NotSupported, refusal));
        }
    };
    Ok(Done::Answered(reply, Then::Nothing))
}

/// What makes a record, ready for the log; every other command as it was.
fn draft<'a>(
    state: &mut State,
    user: UserKey,
    command: Command<'a>,
) -> ControlFlow<Result<send::Logged, Refusal>, Command<'a>> {
    ControlFlow::Break(match command {
        Command::Send(message) => send::message(state, user, message),
        Command::Topic { room, text: Some(text), weight } => {
            send::topic(state, user, &room, &text, weight)
        }
        Command::Edit { room, target, text, weight } => {
            touch::edit(state, user, (&room, target), &text, weight)
        }
        Command::Delete { room, target } => touch::delete(state, user, (&room, target)),
        Command::React { room, target, emoji, remove, weight } => {
            touch::react(state, user, (&room, target), (&emoji, remove), weight)
        }
        Command::Moderate { room, user: target, command, reason, weight } => {
            let (room, target, reason) = (&*room, &*target, &*reason);
            let wish = moderate::Wish { room, user: target, command, reason, weight };
            moderate::moderate(state, user, &wish)
        }
        other => return ControlFlow::Continue(other),
    })
}

fn join(
    state: &mut State,
    (conn, user): (ConnId, UserKey),
    name: &str,
    after: Option<u64>,
    epoch: Option<&str>,
) -> Result<Done, Refusal> {
    let was_member = members::find_membership(state, user, name).is_ok();
    let key = match after {
        Some(after) => hello::enter_at(state, user, name, (epoch, after))?.0,
        None => hello::enter(state, user, name)?,
    };
    let position = after.map(|after| (epoch.map(Into::into), after));
    if state.rooms[key].is_stored() && !hello::is_told(state, user, key, was_member) {
        // A membership that is answered is one that a crash does not take back.
        return Ok(Done::Asked(user, Asking::Change(key, Change::Enter(position))));
    }
    let (reply, then) = hello::entered(state, (conn, user), key, position.as_ref())?;
    Ok(Done::Answered(reply, then))
}

fn leave(state: &mut State, user: UserKey, name: &str) -> Result<Done, Refusal> {
    let (key, membership) = members::find_membership(state, user, name)?;
    moderate::check_departure(state, membership)?;
    if state.rooms[key].is_stored() {
        return Ok(Done::Asked(user, Asking::Change(key, Change::Leave)));
    }
    let reply = Reply::Left { room: state.rooms[key].name.clone() };
    Ok(Done::Answered(reply, Then::Leave(membership)))
}

/// The refusal of what is not taken since the server is stopping.
fn shutting_down() -> Refusal {
    let refusal =
        Refusal::new(Code::ShuttingDown, "the server is stopping; send again after coming back");
    refusal.retry_after_ms(1_000)
}

/// The answer to `join` and `create`.
fn joined(state: &State, user: UserKey, key: RoomKey, reset: bool) -> Result<Reply, Refusal> {
    let room = &state.rooms[key];
    let Some(membership) = state.users[user].membership(key) else {
        // It has ended while it was being written: the user has left on another session.
        return Err(if room.private { members::no_such_room() } else { members::not_member() });
    };
    let membership = &state.memberships[membership];
    Ok(Reply::Joined {
        room: room.name.clone(),
        epoch: room.epoch,
        seq: room.head,
        oldest: room.oldest(),
        durable: room.durability,
        role: membership.role,
        read: membership.read,
        recv: membership.recv,
        members: u64::try_from(room.members.len()).unwrap_or(u64::MAX),
        v: room.gathered.presence.v,
        topic: room.topic.clone(),
        reset,
    })
}
