//! The domain's tables, and how their rows hang together.
//!
//! ```text
//!   User ──< Session          a connection that has said hello
//!     │         │
//!     │         └──< Sub      a session's subscription to a room: the cursor
//!     └──< Membership >── Room ──< Sub
//! ```
//!
//! A row names others by key. Whoever removes a row mends the rows that name it; `debug_check` walks all
//! of it, and the simulation calls that after each step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::asked::{Asked, LONG};
use super::changes::Changes;
use super::keys::{AskedKey, MembershipKey, RoomKey, UserKey};
use super::model::limits::Limits;
use super::model::log::{LogId, LogRequest, Suspensions};
use super::model::name::{RoomName, UserName};
use super::model::output::Output;
use super::model::record::Epoch;
use super::model::reply::Presence;
use super::model::stats::Stats;
use super::pages::Pages;
use super::ring::RingBudget;
use super::room::Room;
use super::session::{Secret, Session};
use super::user::{Membership, User};
use crate::collections::{Key as _, KeyIndex, Slots, Table};
use crate::net::ConnId;
use crate::time::clock::Now;
use crate::time::wheel::TimerWheel;

/// Which part of the bytes of all rings the pages of stored logs may take, beside them.
const PAGES_PART: usize = 8;
/// Answers that a connection waits for at which more is read from it again.
const OWED_ENOUGH: u32 = 32;

/// What a deadline of the domain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A user's leave grace, or the end of a guest's memberships.
    Absent(UserKey),
    /// A room has gathered presence, typing or receipts long enough.
    Gathered(RoomKey),
    /// A room has had no member for long enough.
    Empty(RoomKey),
    /// Receipts have been gathered long enough to be written.
    Save,
    /// Pages that could not be read are to be tried again.
    Retry,
}

/// Everything that the domain knows.
#[derive(Debug)]
pub(super) struct State {
    pub limits: Limits,
    pub now: Now,
    /// Rises with each turn: what a session was given in an earlier one has been flushed.
    pub turn: u32,
    /// By connection slot.
    pub sessions: Slots<Session>,
    /// By the secrets of their sessions, those that have ended and may come back included.
    pub users_by_secret: KeyIndex<UserKey>,
    pub users: Table<UserKey, User>,
    pub users_by_name: KeyIndex<UserKey>,
    pub rooms: Table<RoomKey, Room>,
    pub rooms_by_name: KeyIndex<RoomKey>,
    pub memberships: Table<MembershipKey, Membership>,
    pub asked: Table<AskedKey, Asked>,
    /// The readings that wait for what their connections have sent before.
    pub put_off: BTreeMap<ConnId, AskedKey>,
    /// Rooms with records that have not been fanned out.
    pub dirty: Vec<RoomKey>,
    /// Users without a session, longest absent first; may hold users that are back or gone.
    pub absent: VecDeque<(UserKey, UserName)>,
    /// Rooms without a member, longest empty first; may hold rooms that have members or are gone.
    pub empty: VecDeque<(RoomKey, LogId)>,
    /// The index of the room that is looked at next for whether it can go.
    pub silent_from: usize,
    pub rings: RingBudget,
    pub pages: Pages,
    pub changes: Changes,
    /// Connections whose cursors wait to have a page read that could not be.
    pub stuck: Vec<ConnId>,
    /// Memberships whose receipts are not written yet.
    pub unsaved: Vec<MembershipKey>,
    /// The server is stopping: nothing more is taken.
    pub stopping: bool,
    pub wheel: TimerWheel<Timer>,
    /// The number of the next log and the last epoch that was given out.
    pub logs: u64,
    pub epoch: Epoch,
    /// Rises with each change that the inbox of somebody shows.
    pub rev: u64,
    /// Where the name of a room is spelled to be looked for.
    pub spelling: String,
    pub said: VecDeque<Output>,
    pub requests: VecDeque<LogRequest>,
    /// Who may not use the server, by name.
    pub suspended: Arc<Suspensions>,
    pub stats: Stats,
}

impl State {
    pub(super) fn new(limits: Limits, now: Now) -> Self {
        Self {
            rings: RingBudget::new(limits.ring_total_bytes),
            pages: Pages::new(limits.ring_total_bytes / PAGES_PART),
            changes: Changes::default(),
            stuck: Vec::new(),
            unsaved: Vec::new(),
            stopping: false,
            limits,
            now,
            turn: 0,
            sessions: Slots::new(),
            users_by_secret: KeyIndex::new(),
            users: Table::new(),
            users_by_name: KeyIndex::new(),
            rooms: Table::new(),
            rooms_by_name: KeyIndex::new(),
            memberships: Table::new(),
            asked: Table::new(),
            put_off: BTreeMap::new(),
            dirty: Vec::new(),
            absent: VecDeque::new(),
            empty: VecDeque::new(),
            silent_from: 0,
            wheel: TimerWheel::new(),
            logs: 0,
            // Epochs of different starts are apart by the wall time, those of one start by a counter.
            epoch: Epoch(now.wall_ms.wrapping_shl(20)),
            // Above those of earlier starts, which clients may still have.
            rev: now.wall_ms.saturating_mul(1_000),
            spelling: String::new(),
            said: VecDeque::new(),
            requests: VecDeque::new(),
            suspended: Arc::default(),
            stats: Stats::default(),
        }
    }

    /// The session of a connection, if it has said hello.
    pub(super) fn session(&self, conn: ConnId) -> Option<&Session> {
        self.sessions.get(conn.slot()).filter(|session| session.conn == conn)
    }

    /// The session of a connection, to be changed.
    pub(super) fn session_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.sessions.get_mut(conn.slot()).filter(|session| session.conn == conn)
    }

    /// The user of this name.
    pub(super) fn user_named(&self, name: &str) -> Option<UserKey> {
        self.users_by_name.find(name, |key| self.users[key].name.as_str() == name)
    }

    /// The room of this name.
    pub(super) fn room_named(&self, name: &str) -> Option<RoomKey> {
        self.rooms_by_name.find(name, |key| self.rooms[key].name.as_str() == name)
    }

    /// The user whose session has or had this secret, if it can still come back.
    pub(super) fn user_of(&self, secret: Secret) -> Option<UserKey> {
        self.users_by_secret.find(&secret, |key| {
            let user = &self.users[key];
            let sessions = user.sessions.iter().filter_map(|&conn| self.session(conn));
            sessions.map(|session| session.secret).any(|other| other == secret)
                || user.lapsed().contains(&secret)
        })
    }

    /// The next number of the inbox's history.
    pub(super) fn next_rev(&mut self) -> u64 {
        self.rev += 1;
        self.rev
    }

    /// A room with a log that was never there before, under the policy that was `chosen` by name, or else
    /// the one for its name.
    pub(super) fn add_room(&mut self, name: RoomName, chosen: Option<&str>) -> RoomKey {
        self.logs += 1;
        self.epoch = Epoch(self.epoch.0.wrapping_add(1));
        // The log takes the room's place for its slot.
        let policy = self.limits.policies.of(&name, chosen);
        let room = Room::new(name, LogId::new(0, self.logs), self.epoch, policy);
        let key = self.rooms.insert(room);
        self.rooms[key].log = LogId::new(key.index(), self.logs);
        self.rooms[key].order.choose(chosen);
        key
    }

    /// Changes how much a session waits for. Once half of what it may wait for is gone, whoever has stopped
    /// reading from it is told.
    pub(super) fn relieve(&mut self, conn: ConnId, change: impl FnOnce(&mut Session)) {
        let Some(session) = self.session_mut(conn) else { return };
        let before = session.owed();
        change(session);
        self.note_relief(conn, before);
    }

    /// See [`State::relieve`], for a session that waited for so many answers before.
    pub(super) fn note_relief(&mut self, conn: ConnId, before: u32) {
        let owed = self.session(conn).map_or(0, Session::owed);
        if before > OWED_ENOUGH && owed <= OWED_ENOUGH {
            self.said.push_back(Output::Wake { conn });
        }
    }
}

/// Checks that every row that names another is named back.
pub(super) fn debug_check(state: &State) {
    let subs: usize = state.sessions.iter().map(|row| check_session(state, row)).sum();
    let in_rooms: usize = state.rooms.iter().map(|(_, room)| room.subs.len()).sum();
    debug_assert_eq!(subs, in_rooms, "every subscription has a session");
    let bytes: usize = state.rooms.iter().map(|(_, room)| room.ring.bytes()).sum();
    debug_assert_eq!(state.rings.bytes(), bytes, "the rings are within the books");
    let members: usize = state.rooms.iter().map(|(key, room)| check_room(state, key, room)).sum();
    debug_assert_eq!(state.memberships.len(), members, "every membership has a room");
    for (key, user) in state.users.iter() {
        check_user(state, key, user);
    }
    state.pages.debug_check();
    check_asked(state);
}

/// Checks that whoever waits for the logs knows it.
fn check_asked(state: &State) {
    let readings = state.asked.iter().filter(|(_, asked)| asked.since().is_some());
    state.changes.debug_check(readings.count());
    let mut waiting = BTreeMap::new();
    for (_, asked) in state.asked.iter() {
        if let Some(conn) = asked.conn() {
            *waiting.entry(conn).or_insert(0_u32) += u32::from(asked.weight());
        }
    }
    for (&conn, &key) in &state.put_off {
        let asked = state.asked.get(key).and_then(Asked::conn);
        debug_assert_eq!(asked, Some(conn), "what was put off is asked for");
        let waiting = state.session(conn).map_or(0, |session| session.waiting);
        debug_assert!(waiting > LONG, "and waits for something");
    }
    for session in state.sessions.iter() {
        let waits = waiting.remove(&session.conn).unwrap_or(0);
        debug_assert_eq!(
            u32::from(session.waiting),
            waits.min(255),
            "a session knows what it asked"
        );
    }
}

/// Returns how many subscriptions the session has.
fn check_session(state: &State, session: &Session) -> usize {
    let user = &state.users[session.user];
    debug_assert!(user.sessions.contains(&session.conn), "a session is its user's");
    debug_assert_eq!(state.user_of(session.secret), Some(session.user), "and can come back");
    let mut behind = 0;
    let mut held = 0;
    for place in &session.subs {
        let index = usize::try_from(place.index).unwrap_or(usize::MAX);
        let sub = state.rooms[place.room].subs.get(index);
        let conn = sub.map(|sub| sub.conn);
        debug_assert_eq!(conn, Some(session.conn), "a subscription is where its session says");
        debug_assert!(user.membership(place.room).is_some(), "who subscribes is a member");
        let lag = sub.and_then(|sub| sub.behind.as_ref());
        behind += u32::from(lag.is_some());
        held += lag.map_or(0, |lag| lag.held.len());
    }
    debug_assert_eq!(session.behind, behind, "the session knows how many cursors are behind");
    debug_assert_eq!(usize::from(session.held), held, "and how many answers wait");
    session.subs.len()
}

/// Returns how many members the room has.
fn check_room(state: &State, key: RoomKey, room: &Room) -> usize {
    room.ring.debug_check();
    let changes: BTreeSet<MembershipKey> = room.gathered.presence.changes.iter().copied().collect();
    debug_assert_eq!(state.room_named(room.name.as_str()), Some(key), "a room is found");
    for (index, &member) in room.members.iter().enumerate() {
        let row = &state.memberships[member];
        debug_assert_eq!(row.room, key, "a member is of this room");
        debug_assert_eq!(usize::try_from(row.index), Ok(index), "and where it says");
        debug_assert!(!row.changed || changes.contains(&member), "and told of when it has changed");
    }
    let there = room.members.iter().map(|&member| &state.memberships[member]);
    let there = there.filter(|row| row.shown != Presence::Off).count();
    let told = usize::try_from(room.gathered.presence.count);
    debug_assert_eq!(told, Ok(there), "presence is counted");
    room.members.len()
}

fn check_user(state: &State, key: UserKey, user: &User) {
    debug_assert_eq!(state.user_named(user.name.as_str()), Some(key), "a user is found");
    for &secret in user.lapsed() {
        debug_assert_eq!(state.user_of(secret), Some(key), "a user can come back");
    }
    for &(room, member) in &user.memberships {
        let row = &state.memberships[member];
        debug_assert_eq!((row.user, row.room), (key, room), "a membership is the user's");
    }
}
