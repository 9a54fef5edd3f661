//! The domain: a room is a log, a member is a cursor. It knows no bytes, no sockets and no JSON.
//!
//! [`Chat`] is fed with what connections say ([`Chat::hello`], [`Chat::command`]), with what becomes of
//! them ([`Chat::blocked`], [`Chat::drained`], [`Chat::closed`]), with what the logs answer
//! ([`Chat::committed`]) and with the time ([`Chat::expire`], [`Chat::turn_end`]); what it wants said and
//! logged is then polled ([`Chat::poll_said`], [`Chat::poll_request`]). It never calls out.
//!
//! How records reach their readers is in `cursor`, how presence, typing and receipts do is in `gather`.

pub mod code;
pub mod command;
mod create;
mod cursor;
pub mod event;
mod gather;
mod hello;
mod inbox;
mod keys;
pub mod limits;
pub mod log;
mod members;
mod moderate;
pub mod name;
pub mod outbox;
pub mod policy;
pub mod record;
pub mod reply;
mod ring;
mod room;
mod send;
mod session;
mod standing;
mod state;
mod stats;
mod suspend;
#[cfg(test)]
mod tests;
mod touch;
mod user;

pub use code::Code;
pub use command::{Command, Op, RequestId};
pub use event::Event;
pub use hello::Hello;
pub use limits::Limits;
pub use name::{RoomName, UserName};
pub use record::{Body, Epoch, Record, SharedRecord};
pub use reply::{Refusal, Reply};
pub use stats::Stats;

use self::event::LeftReason;
use self::keys::{RoomKey, UserKey};
use self::log::{Kept, LogReply, LogRequest};
use self::outbox::{Request, Said};
use self::reply::Resumption;
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
    pub const ROOM_BYTES: u64 = 648;

    /// Nobody, nowhere. `now` tells this start's epochs from those of others.
    #[must_use]
    pub fn new(limits: Limits, now: Now) -> Self {
        Self { state: State::new(limits, now) }
    }

    /// Takes up what was kept of the rooms, before anybody comes.
    pub fn restore(&mut self, now: Now, kept: Kept) {
        self.state.now = now;
        suspend::set(&mut self.state, &kept.suspended);
    }

    /// A connection says who it is. Refused if it has said so already.
    pub fn hello(&mut self, now: Now, conn: ConnId, request: Request, hello: Hello<'_>) {
        self.state.now = now;
        hello::hello(&mut self.state, conn, request, hello);
    }

    /// A connection asks for something; [`Code::HelloFirst`] if it has not said who it is.
    pub fn command(&mut self, now: Now, conn: ConnId, request: Request, command: Command<'_>) {
        let state = &mut self.state;
        state.now = now;
        let result = match state.session(conn).map(|session| session.user) {
            None => Err(Refusal::new(Code::HelloFirst, "say hello first").field("op", "hello")),
            Some(user) => execute(state, (conn, user), command),
        };
        match result {
            Ok(Done::Answered(reply, then)) => {
                state.said.push_back(Said::Reply { to: conn, request, result: Ok(reply) });
                follow(state, conn, then);
            }
            Ok(Done::Logged(draft)) => send::append(state, draft, request, conn),
            Err(refusal) => {
                state.said.push_back(Said::Reply { to: conn, request, result: Err(refusal) });
            }
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
        match reply {
            LogReply::Appended { ticket, outcome } => {
                cursor::appended(&mut self.state, ticket, outcome);
            }
            LogReply::Synced { .. }
            | LogReply::Answer { .. }
            | LogReply::Pruned { .. }
            | LogReply::Health(_) => {}
            LogReply::Suspended(suspended) => suspend::set(&mut self.state, &suspended),
        }
    }

    /// Does what is due; to be called when [`Chat::next_deadline`] has passed.
    pub fn expire(&mut self, now: Now) {
        self.state.now = now;
        while let Some(timer) = self.state.wheel.poll(now.tick) {
            match timer {
                Timer::Absent(user) => hello::absent(&mut self.state, user),
                Timer::Gathered(room) => gather::gathered(&mut self.state, room),
                Timer::Empty(room) => members::expire_room(&mut self.state, room),
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

    /// Tells every session that the server is stopping, and when to come back: evenly spread over
    /// `window_ms`.
    pub fn drain(&mut self, now: Now, window_ms: u64, reason: &'static str) {
        self.turn_end(now);
        let state = &mut self.state;
        let sessions = u64::try_from(state.sessions.len()).unwrap_or(u64::MAX);
        let slots = state.sessions.iter().zip(0u64..);
        for (session, place) in slots {
            let reconnect_after_ms = window_ms.saturating_mul(place + 1) / sessions.max(1);
            let event = Event::Drain { reconnect_after_ms, window_ms, reason };
            state.said.push_back(Said::Event { to: session.conn, event });
        }
    }

    /// The next thing to be said, in order.
    pub fn poll_said(&mut self) -> Option<Said> {
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

    /// How many answers are kept back for this connection until its cursors have come to their places.
    #[must_use]
    pub fn held(&self, conn: ConnId) -> u32 {
        self.state.session(conn).map_or(0, |session| u32::from(session.held))
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

    /// How many users, rooms and memberships there are, and the bytes of all recent rings.
    #[must_use]
    pub fn sizes(&self) -> [usize; 4] {
        let state = &self.state;
        let rings = state.rings.bytes();
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
            state.said.extend(gap.map(|event| Said::Event { to: conn, event }));
            cursor::pump(state, conn);
        }
        Then::Leave(key) => members::end_membership(state, key, Some(LeftReason::Left)),
    }
}

/// Does what a user asks for.
fn execute(
    state: &mut State,
    (conn, user): (ConnId, UserKey),
    command: Command<'_>,
) -> Result<Done, Refusal> {
    let reply = match command {
        Command::Send(message) => return send::message(state, user, message).map(Done::Logged),
        Command::Topic { room, text: Some(text), weight } => {
            return send::topic(state, user, &room, &text, weight).map(Done::Logged);
        }
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
            create::create(state, (conn, user), &plan)?
        }
        Command::Edit { room, target, text, weight } => {
            return touch::edit(state, user, (&room, target), &text, weight).map(Done::Logged);
        }
        Command::Delete { room, target } => {
            return touch::delete(state, user, (&room, target)).map(Done::Logged);
        }
        Command::React { room, target, emoji, remove, weight } => {
            let logged = touch::react(state, user, (&room, target), (&emoji, remove), weight);
            return logged.map(Done::Logged);
        }
        Command::Moderate { room, user: target, measure, reason, weight } => {
            let (room, target, reason) = (&*room, &*target, &*reason);
            let wish = moderate::Wish { room, user: target, measure, reason, weight };
            return moderate::moderate(state, user, &wish).map(Done::Logged);
        }
        Command::Invite { room, user: invited } => moderate::invite(state, user, &room, &invited)?,
        Command::Leave { room } => {
            let (key, membership) = members::find_membership(state, user, &room)?;
            let reply = Reply::Left { room: state.rooms[key].name.clone() };
            return Ok(Done::Answered(reply, Then::Leave(membership)));
        }
        Command::Ping => Reply::Pong { time: state.now.wall_ms },
        Command::Rooms { since } => inbox::rooms(state, user, since),
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
            inbox::history(state, user, (&room, epoch.as_deref()), page, limit)?
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
        Command::Search { .. } | Command::Unsupported(_) => {
            let refusal = "this server does not have this operation yet";
            return Err(Refusal::new(Code::NotSupported, refusal));
        }
    };
    Ok(Done::Answered(reply, Then::Nothing))
}

fn join(
    state: &mut State,
    (conn, user): (ConnId, UserKey),
    name: &str,
    after: Option<u64>,
    epoch: Option<&str>,
) -> Result<Done, Refusal> {
    let Some(after) = after else {
        let key = hello::enter(state, user, name)?;
        standing::use_invitation(state, key, user);
        cursor::subscribe(state, conn, key, None);
        return Ok(Done::Answered(joined(state, user, key, false)?, Then::Nothing));
    };
    let (key, resumption) = hello::enter_at(state, user, name, (epoch, after))?;
    standing::use_invitation(state, key, user);
    cursor::subscribe(state, conn, key, resumption.next());
    let reset = matches!(resumption, Resumption::Reset { .. });
    let gap = match resumption {
        Resumption::Gap { gap: (from, to), why, .. } => {
            Some(Event::Gap { room: state.rooms[key].name.clone(), from, to, why })
        }
        Resumption::From { .. } | Resumption::Reset { .. } | Resumption::Refused(_) => None,
    };
    Ok(Done::Answered(joined(state, user, key, reset)?, Then::Pump(gap)))
}

/// The answer to `join` and `create`.
fn joined(state: &State, user: UserKey, key: RoomKey, reset: bool) -> Result<Reply, Refusal> {
    let room = &state.rooms[key];
    let membership = state.users[user].membership(key).ok_or_else(members::no_such_room)?;
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
