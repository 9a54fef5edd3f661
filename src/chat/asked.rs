//! What the domain has asked of the logs, and what it does when they answer.

use super::changes::Mark;
use super::cursor::{self, refusal_of};
use super::history::Excerpt;
use super::keys::{AskedKey, RoomKey, UserKey};
use super::members::{end_membership, keep_member};
use super::model::command::{Command, Page};
use super::model::log::{Answer, LogFault, LogReply, LogRequest, Query, RoomMeta, Ticket};
use super::model::name::UserName;
use super::model::output::{Output, Request};
use super::model::record::SharedRecord;
use super::model::reply::{InboxRow, Refusal, Reply};
use super::pages::PageId;
use super::room::Sender;
use super::search::Found;
use super::session::Session;
use super::standing::Pending;
use super::state::State;
use super::{Then, fetch, hello, history, inbox, moderate, search, suspend};
use crate::collections::Key as _;
use crate::net::ConnId;

/// The [weight](Asked::weight) of what a connection waits for one at a time: more than of all that it may wait for
/// together.
pub(super) const LONG: u8 = 65;

/// Who waits for an answer of the logs, and for what.
#[derive(Debug)]
pub(super) enum Asked {
    /// A record to be stored. The room stays while one of it is under way.
    Append {
        /// The room.
        room: RoomKey,
        /// Who is to be answered.
        sender: Sender,
    },
    /// A reading, to be done when what its connection has sent before is answered.
    PutOff {
        /// The connection.
        conn: ConnId,
        /// The request.
        request: Request,
        /// What is to be read.
        command: Command<'static>,
    },
    /// A change to be written before it is answered.
    Change {
        /// Who asks.
        asker: Asker,
        /// The room, which stays meanwhile.
        room: RoomKey,
        /// What.
        change: Change,
    },
    /// A page for cursors that are behind.
    Page(PageId),
    /// A part of the log for one who asks.
    History {
        /// Who asks.
        asker: Asker,
        /// The room.
        room: RoomKey,
        /// Which part is being read.
        part: Part,
        /// When the reading began.
        since: Mark,
    },
    /// What of an inbox is not in memory.
    Inbox {
        /// Who asks.
        asker: Asker,
        /// The rows, by name.
        rows: Vec<InboxRow>,
        /// Those of them that are asked for, in the order in which they are.
        open: Vec<usize>,
        /// What names the answer, and whether there is more behind it.
        end: (u64, bool),
        /// When the reading began.
        since: Mark,
    },
    /// A search.
    Search {
        /// Who asks.
        asker: Asker,
        /// What was found in memory.
        here: Vec<Found>,
        /// When the reading began.
        since: Mark,
    },
}

/// Who has asked for something by which request.
#[derive(Debug)]
pub(super) struct Asker {
    pub conn: ConnId,
    pub user: UserKey,
    /// The user's name: once the user is forgotten, the key may be another's.
    pub name: UserName,
    pub request: Request,
}

/// A change of who is a member.
#[derive(Debug)]
pub(super) enum Change {
    /// The user has become one, and wants a cursor behind this position, or at the head.
    Enter(Option<(Option<Box<str>>, u64)>),
    /// The user wants to be one no more.
    Leave,
    /// The user has invited another.
    Invite(UserName),
}

/// A part of a log that is being read.
#[derive(Debug)]
pub(super) enum Part {
    /// One page in one direction.
    Whole(Page),
    /// The lower half of a page around a seq; so many records are wanted in all.
    Lower(u64, u32),
    /// The upper half of a page around a seq, and the lower one.
    Upper(u64, Vec<SharedRecord>),
}

/// What is to be asked of the logs for somebody.
#[derive(Debug)]
pub(super) enum Asking {
    /// That a change is written.
    Change(RoomKey, Change),
    /// A part of a log.
    History(RoomKey, Part, Query),
    /// What of an inbox is not in memory: its rows, and which of them are asked for.
    Inbox { rows: Vec<InboxRow>, open: Vec<usize>, end: (u64, bool), query: Query },
    /// A search, and what was found in memory.
    Search(Vec<Found>, Query),
}

impl Asking {
    /// Asks.
    pub(super) fn ask(self, state: &mut State, asker: Asker) {
        match self {
            Self::Change(room, change) => ask_change(state, asker, room, change),
            Self::History(room, part, query) => {
                let since = state.changes.begin();
                ask(state, Asked::History { asker, room, part, since }, query);
            }
            Self::Inbox { rows, open, end, query } => {
                let since = state.changes.begin();
                ask(state, Asked::Inbox { asker, rows, open, end, since }, query);
            }
            Self::Search(here, query) => {
                let since = state.changes.begin();
                ask(state, Asked::Search { asker, here, since }, query);
            }
        }
    }
}

impl State {
    /// Keeps the books for a request that is about to be made.
    pub(super) fn note_asked(&mut self, asked: Asked) -> Ticket {
        if let Some(room) = asked.room().and_then(|room| self.rooms.get_mut(room)) {
            room.asked += 1;
        }
        if let Some(session) = asked.conn().and_then(|conn| self.session_mut(conn)) {
            session.waiting = session.waiting.saturating_add(asked.weight());
        }
        Ticket(self.asked.insert(asked).index())
    }

    fn answered(&mut self, ticket: Ticket) -> Option<Asked> {
        let asked = self.asked.remove(AskedKey::from_index(ticket.0))?;
        if let Some(room) = asked.room().and_then(|room| self.rooms.get_mut(room)) {
            room.asked = room.asked.saturating_sub(1);
        }
        if let Some(conn) = asked.conn() {
            let weight = asked.weight();
            self.relieve(conn, |session| session.waiting = session.waiting.saturating_sub(weight));
        }
        Some(asked)
    }
}

impl Asked {
    /// For how many answers it counts. What is read is long: a connection waits for one of it at a time, so that
    /// all that it waits for fits its hard limit. What a connection asks for behind a `join` or `leave` is meant
    /// for the time after it, so that this is waited for, too.
    pub(super) const fn weight(&self) -> u8 {
        match self {
            Self::Append { .. } | Self::Page(_) => 1,
            Self::PutOff { .. }
            | Self::Change { .. }
            | Self::History { .. }
            | Self::Inbox { .. }
            | Self::Search { .. } => LONG,
        }
    }

    /// The room that must stay.
    const fn room(&self) -> Option<RoomKey> {
        match self {
            Self::Append { room, .. } | Self::Change { room, .. } | Self::History { room, .. } => {
                Some(*room)
            }
            Self::PutOff { .. } | Self::Page(_) | Self::Inbox { .. } | Self::Search { .. } => None,
        }
    }

    /// When it began to be read, if changes that are told meanwhile are to be made to it.
    pub(super) const fn since(&self) -> Option<Mark> {
        match self {
            Self::History { since, .. }
            | Self::Inbox { since, .. }
            | Self::Search { since, .. } => Some(*since),
            // Pages keep their own books.
            Self::Page(_) | Self::Append { .. } | Self::PutOff { .. } | Self::Change { .. } => None,
        }
    }

    /// Whose answer it is.
    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Append { sender, .. } => Some(sender.conn),
            Self::PutOff { conn, .. } => Some(*conn),
            Self::Change { asker, .. }
            | Self::History { asker, .. }
            | Self::Inbox { asker, .. }
            | Self::Search { asker, .. } => Some(asker.conn),
            Self::Page(_) => None,
        }
    }
}

/// Puts a reading off until what its connection has sent before is answered; anything else is returned.
pub(super) fn put_off<'a>(
    state: &mut State,
    conn: ConnId,
    request: Request,
    command: Command<'a>,
) -> Option<(Request, Command<'a>)> {
    // What it waits for, if that is less than one long thing, are records.
    let is_sending = |session: &Session| (1..LONG).contains(&session.waiting);
    if !state.session(conn).is_some_and(is_sending) || state.put_off.contains_key(&conn) {
        return Some((request, command));
    }
    match command.into_reading() {
        Ok(command) => {
            let Ticket(index) = state.note_asked(Asked::PutOff { conn, request, command });
            state.put_off.insert(conn, AskedKey::from_index(index));
            None
        }
        Err(command) => Some((request, command)),
    }
}

/// Does what was put off for a connection, if all that it has sent is answered.
fn take_up(state: &mut State, conn: ConnId) {
    if state.session(conn).is_some_and(|session| session.waiting > LONG) {
        return;
    }
    if let Some(Asked::PutOff { request, command, .. }) = forget_put_off(state, conn) {
        super::run(state, conn, request, command);
    }
}

/// Takes back what was put off for a connection.
pub(super) fn forget_put_off(state: &mut State, conn: ConnId) -> Option<Asked> {
    let key = state.put_off.remove(&conn)?;
    state.answered(Ticket(key.index()))
}

/// The logs have answered, or have something to say.
pub(super) fn heard(state: &mut State, reply: LogReply) {
    let conn = if state.put_off.is_empty() { None } else { asker_of(state, &reply) };
    match reply {
        LogReply::Appended { ticket, outcome } => {
            if let Some(Asked::Append { room, sender }) = state.answered(ticket) {
                let row = state.rooms.get_mut(room);
                let pending = row.and_then(|row| row.order.answered(ticket));
                cursor::appended(state, room, sender, outcome);
                moderate::answered(state, room, pending);
            }
        }
        LogReply::Synced { ticket, outcome } => {
            if let Some(Asked::Change { asker, room, change }) = state.answered(ticket) {
                if let Some(row) = state.rooms.get_mut(room) {
                    row.order.answered(ticket);
                }
                written(state, asker, room, change, outcome);
            }
        }
        LogReply::Answer { ticket, outcome } => read(state, ticket, outcome),
        LogReply::Pruned { log, oldest } => fetch::pruned(state, log, oldest),
        LogReply::Health(_) => {}
        LogReply::Suspended(suspended) => suspend::set(state, &suspended),
    }
    if let Some(conn) = conn {
        take_up(state, conn);
    }
    fetch::read_pages(state);
}

/// Whose request the logs have answered.
fn asker_of(state: &State, reply: &LogReply) -> Option<ConnId> {
    match reply {
        LogReply::Appended { ticket, .. }
        | LogReply::Synced { ticket, .. }
        | LogReply::Answer { ticket, .. } => {
            state.asked.get(AskedKey::from_index(ticket.0)).and_then(Asked::conn)
        }
        LogReply::Pruned { .. } | LogReply::Health(_) | LogReply::Suspended(_) => None,
    }
}

/// A change has been written, or could not be.
fn written(
    state: &mut State,
    asker: Asker,
    room: RoomKey,
    change: Change,
    outcome: Result<(), LogFault>,
) {
    let Asker { conn, user, name, request } = asker;
    let row = state.users.get(user).filter(|row| row.name == name);
    let membership = row.and_then(|row| row.membership(room));
    let Some(membership) = membership else {
        // Ended meanwhile by another.
        let result = match change {
            Change::Leave => Ok(Reply::Left { room: state.rooms[room].name.clone() }),
            Change::Enter(_) => match outcome {
                Ok(()) => Err(super::members::no_such_room()),
                Err(fault) => Err(refusal_of(fault)),
            },
            Change::Invite(_) => Err(super::members::not_member()),
        };
        super::members::retire_room(state, room);
        return state.said.push_back(Output::Reply { to: conn, request, result });
    };
    let done = match (change, outcome) {
        (Change::Enter(position), Ok(())) => {
            state.memberships[membership].told = true;
            hello::entered(state, (conn, user), room, position.as_ref())
        }
        (Change::Enter(_), Err(fault)) => {
            // Another session of the user's may have been told meanwhile.
            if !state.memberships[membership].told {
                end_membership(state, membership, None);
            }
            Err(refusal_of(fault))
        }
        (Change::Invite(invited), outcome) => {
            let outcome = outcome.map_err(refusal_of);
            moderate::invitation_written(state, (room, user), &invited, outcome)
        }
        (Change::Leave, outcome) => {
            // Somebody may have come in meanwhile, whom an only owner does not leave alone.
            let outcome = outcome.map_err(refusal_of);
            match outcome.and_then(|()| moderate::check_departure(state, membership)) {
                Ok(()) => {
                    let name = state.rooms[room].name.clone();
                    Ok((Reply::Left { room: name }, Then::Leave(membership)))
                }
                Err(refusal) => {
                    // Still a member, as was written before.
                    keep_member(state, membership);
                    Err(refusal)
                }
            }
        }
    };
    answer(state, conn, request, done);
}

/// Answers a request, and does what follows.
pub(super) fn answer(
    state: &mut State,
    to: ConnId,
    request: Request,
    done: Result<(Reply, Then), Refusal>,
) {
    let (result, then) = match done {
        Ok((reply, then)) => (Ok(reply), then),
        Err(refusal) => (Err(refusal), Then::Nothing),
    };
    state.said.push_back(Output::Reply { to, request, result });
    super::follow(state, to, then);
}

/// Something was read, or could not be.
fn read(state: &mut State, ticket: Ticket, outcome: Result<Answer, LogFault>) {
    let Some(asked) = state.answered(ticket) else { return };
    let changes = asked.since().map_or(Some(Vec::new()), |since| state.changes.end(since));
    // Too much was changed meanwhile to know what of it is in the answer.
    let outcome = outcome.and_then(|answer| Ok((answer, changes.ok_or(LogFault::Busy)?)));
    match (asked, outcome) {
        (Asked::Page(id), Ok((Answer::Records { records, .. }, _))) => {
            fetch::page_read(state, id, records);
        }
        (Asked::Page(id), _) => fetch::page_failed(state, id),
        (
            Asked::History { asker, room, part, .. },
            Ok((Answer::Records { records, as_of }, changes)),
        ) => {
            let excerpt = Excerpt { records, as_of, changes };
            history::history_read(state, asker, room, part, excerpt);
        }
        (Asked::Inbox { asker, rows, open, end, .. }, Ok((Answer::Inbox(found), changes))) => {
            let reply = inbox::inbox_read(state, (rows, &open), (found, end), &changes);
            answer(state, asker.conn, asker.request, Ok((reply, Then::Nothing)));
        }
        (Asked::Search { asker, here, .. }, Ok((Answer::Found { items, next }, changes))) => {
            let reply = search::found(state, asker.user, (here, items, next), &changes);
            answer(state, asker.conn, asker.request, Ok((reply, Then::Nothing)));
        }
        (
            Asked::History { asker, .. } | Asked::Inbox { asker, .. } | Asked::Search { asker, .. },
            outcome,
        ) => {
            let fault = outcome.err().unwrap_or(LogFault::Broken);
            answer(state, asker.conn, asker.request, Err(refusal_of(fault)));
        }
        (Asked::Append { .. } | Asked::PutOff { .. } | Asked::Change { .. }, _) => {
            debug_assert!(false, "an append is not read");
        }
    }
}

/// Asks the reader.
pub(super) fn ask(state: &mut State, asked: Asked, query: Query) {
    let ticket = state.note_asked(asked);
    state.requests.push_back(LogRequest::Read { ticket, query });
}

/// Has the membership that was just made, or is about to end, written before it is answered.
fn ask_change(state: &mut State, asker: Asker, room: RoomKey, change: Change) {
    let log = state.rooms[room].log;
    let is_departure = matches!(change, Change::Leave);
    let name = state.users[asker.user].name.clone();
    let ticket = state.note_asked(Asked::Change { asker, room, change });
    if is_departure {
        if state.rooms[room].owned {
            state.rooms[room].order.note(ticket, Pending::Departing(name.clone()));
        }
        state.requests.push_back(LogRequest::PutMeta { log, meta: RoomMeta::Member(name, None) });
    }
    state.requests.push_back(LogRequest::Sync { log, ticket });
}
