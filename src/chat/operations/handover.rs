//! What another process of the server goes on with: handed out by the one that ends, and taken up
//! by the one that begins.
//!
//! ```text
//!  head_state ─ room_states ─ user_states ─ reader_state of each connection
//!      │             │             │             │            nothing waits for a log meanwhile
//!  adopt_head ─ adopt_room ─── adopt_user ─ adopt_reader ─ resume
//! ```
//!
//! What the store has is read there: the rooms that somebody uses at once, and the others when they
//! are needed, as ever.

use std::collections::BTreeMap;

use super::Chat;
use super::absence::{arm_absence, senders_to};
use super::ack;
use super::credentials;
use super::forget;
use super::load_replies::load_found;
use super::moderation::restrict;
use super::room_begin::open_log;
use super::room_end::retire_room;
use crate::chat::context::Timer;
use crate::chat::delivery::Reader;
use crate::chat::directory::{Secret, Session};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::handover::{
    GatheredState, HeadState, MemberState, MemoryRoomState, ReaderState, RoomState, UserState,
};
use crate::chat::model::identity::Source;
use crate::chat::model::load::{Found, Kept, Wanted};
use crate::chat::model::log::{LogId, LogRequest};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::reply::{Durability, Presence};
use crate::chat::rooms::{Marks, Membership};
use crate::net::ConnId;
use crate::time::clock::Now;

/// Handing out.
impl Chat {
    /// Hands everything to the logs that is gathered for them, so that nothing waits for its time.
    pub fn flush_to_logs(&mut self, now: Now) {
        self.arrive_at(now);
        self.end_turn(now);
        ack::save(self);
    }

    /// What holds for all rooms.
    #[must_use]
    pub fn head_state(&self) -> HeadState {
        let (blocks, profiles) = (self.directory.blocks.dated(), self.directory.profiles.all());
        HeadState {
            rev: (self.context.rev, self.context.first_rev),
            epochs: self.rooms.epochs(),
            is_departed_full: self.rooms.departed.is_full(),
            blocks: blocks.map(|(user, other, at)| (user.clone(), other.clone(), at)).collect(),
            profiles: profiles.map(|(user, profile)| (user.clone(), profile.clone())).collect(),
        }
    }

    /// The stored rooms that somebody uses: these are to be in memory first.
    #[must_use]
    pub fn rooms_in_use(&self) -> Vec<RoomName> {
        let is_needed = |key: RoomKey| {
            let parts = (&self.directory, &self.rooms);
            !forget::is_unused(self, key) || self.ephemeral.state(parts, key).is_some()
        };
        let stored = self.rooms.table.iter().filter(|(_, room)| room.is_stored());
        let needed = stored.filter(|&(key, _)| is_needed(key));
        needed.map(|(_, room)| room.name.clone()).collect()
    }

    /// All rooms of which something is not stored.
    #[must_use]
    pub fn room_states(&self) -> Vec<RoomState> {
        let rooms = self.rooms.table.iter();
        rooms.filter_map(|(key, _)| self.room_state(key)).collect()
    }

    fn room_state(&self, key: RoomKey) -> Option<RoomState> {
        let room = &self.rooms[key];
        let gathered = self.ephemeral.state((&self.directory, &self.rooms), key);
        let memory = (!room.is_stored()).then(|| MemoryRoomState {
            log: (room.epoch, room.head),
            policy: room.moderation.policy().map(Into::into),
            access: (room.private, room.owned),
            topic: room.topic.clone(),
            former: room.moderation.former().to_vec(),
            records: room.ring.from(0).cloned().collect(),
            // The log has them.
            cids: Vec::new(),
            members: self.rooms.members(key).map(|row| self.member_state(row)).collect(),
            restrictions: {
                let holding = room.moderation.holding(self.context.now.wall_ms);
                holding.cloned().collect()
            },
            departed: self.rooms.departed.of_room(key),
        });
        if memory.is_none() && gathered.is_none() {
            return None;
        }
        Some(RoomState { name: room.name.clone(), memory, gathered: gathered.unwrap_or_default() })
    }

    fn member_state(&self, row: &Membership) -> MemberState {
        let user = &self.directory[row.user];
        MemberState {
            user: (user.name.clone(), user.source),
            is_awaited: user.is_awaited,
            role: row.role,
            counted: row.is_counted(),
            marks: (row.marks().recv, row.marks().read),
            joined: row.joined(),
        }
    }

    /// The log of this room, if there is one.
    #[must_use]
    pub fn log_of(&self, room: &RoomName) -> Option<LogId> {
        self.rooms.named(room.as_str()).map(|key| self.rooms[key].log)
    }

    /// The users that are there, or were lately. The sessions of connections that are not carried
    /// over may be resumed.
    #[must_use]
    pub fn user_states(&self, is_carried: impl Fn(ConnId) -> bool) -> Vec<UserState> {
        let users = self.directory.users();
        users.filter_map(|(key, _)| self.user_state(key, &is_carried)).collect()
    }

    fn user_state(&self, key: UserKey, is_carried: impl Fn(ConnId) -> bool) -> Option<UserState> {
        let user = &self.directory[key];
        let (carried, left): (Vec<_>, Vec<_>) =
            user.sessions.iter().partition(|session| is_carried(session.conn));
        let ended = user.resumable().iter().map(|session| (session.secret, session.away));
        let left = left.iter().map(|session| (session.secret(), session.is_away()));
        let resumable: Vec<_> =
            ended.chain(left).map(|(secret, away)| (secret.to_text(), away)).collect();
        let is_here = !user.sessions.is_empty() || user.presence != Presence::Off;
        if !is_here && resumable.is_empty() && !user.is_guest() {
            return None;
        }
        // The grace goes on where it was for who was gone, and begins now for who loses its last
        // connection.
        let absent_since = match &user.absence {
            _ if !carried.is_empty() => None,
            Some(absence) if user.sessions.is_empty() && user.visits() == 0 => Some(absence.since),
            _ => Some(self.context.now.tick),
        };
        let formers = user.absence.iter().flat_map(|absence| &absence.formers);
        let formers = formers.map(|(own, former)| (own.to_text(), former.to_text())).collect();
        let named = (user.name.clone(), user.source);
        // Rooms of those who are off may have been left out.
        let is_whole = user.is_whole && !user.is_off();
        let presence = user.presence;
        Some(UserState { user: named, presence, absent_since, resumable, formers, is_whole })
    }

    /// A connection that has said hello; `None` for any other.
    #[must_use]
    pub fn reader_state(&self, conn: ConnId) -> Option<ReaderState> {
        let reader = self.delivery.reader(conn).filter(|reader| !reader.is_visit)?;
        let user = &self.directory[reader.user];
        let session = user.sessions.iter().find(|session| session.conn == conn)?;
        let credential = self.directory.credentials.state(conn);
        Some(ReaderState {
            user: user.name.clone(),
            secret: session.secret().to_text(),
            away: session.is_away(),
            encoding: reader.encoding,
            credential,
            login: self.accounts.live.get(&conn).copied(),
            cursors: self.delivery.cursors(&self.rooms, conn),
        })
    }

    /// What the store is to be asked for before [`Chat::reopen_logs`].
    #[must_use]
    pub fn stored_rooms(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for (_, room) in self.rooms.table.iter().filter(|(_, room)| room.is_stored()) {
            wanted.add_room(room.name.clone(), false);
        }
        wanted
    }

    /// The logs of stored rooms were closed, and are to be open again, with what the store has of
    /// them.
    pub fn reopen_logs(&mut self, now: Now, found: Found) {
        self.arrive_at(now);
        let kept = found.rooms.into_iter().map(|room| (room.name, room.kept));
        let mut kept: BTreeMap<RoomName, Option<Kept>> = kept.collect();
        let stored = self.rooms.table.iter().filter(|(_, room)| room.is_stored());
        let stored: Vec<RoomKey> = stored.map(|(key, _)| key).collect();
        for key in stored {
            let policy = self.rooms[key].moderation.policy().map(Box::<str>::from);
            let kept = kept.remove(&self.rooms[key].name).flatten();
            open_log(self, key, policy.as_deref(), kept);
        }
    }
}

/// Taking up, in this order.
impl Chat {
    /// What the store has of rooms and users that are to be in memory before anybody asks for them:
    /// first, after [`Chat::restore`].
    pub fn adopt_found(&mut self, now: Now, found: Found) {
        self.arrive_at(now);
        load_found(self, found);
    }

    /// What holds for all rooms: after that.
    pub fn adopt_head(&mut self, now: Now, state: HeadState) {
        self.arrive_at(now);
        self.context.rev = self.context.rev.max(state.rev.0);
        self.context.first_rev = state.rev.1;
        self.rooms.adopt_epochs(state.epochs, self.context.rev);
        if state.is_departed_full {
            self.rooms.departed.set_full();
        }
        for (user, other, at) in state.blocks {
            self.directory.blocks.insert(user, other, at);
        }
        for (user, profile) in state.profiles {
            self.directory.profiles.set(user, profile);
        }
    }

    /// A room of which something is not stored.
    pub fn adopt_room(&mut self, state: RoomState) {
        let RoomState { name, memory, gathered } = state;
        let known = self.rooms.named(name.as_str());
        let key = match (known, memory) {
            (Some(key), _) => key,
            (None, Some(memory)) => adopt_memory_room(self, &name, memory),
            // The store does not have it any more.
            (None, None) => return,
        };
        if gathered != GatheredState::default() {
            self.ephemeral_mut().adopt(key, gathered);
        }
        // A room without members needs a timer of its own: the other process's has ended with it.
        retire_room(self, key);
    }

    /// A user that is there, or was lately.
    pub fn adopt_user(&mut self, state: UserState) {
        let UserState {
            user: (name, source),
            presence,
            absent_since,
            resumable,
            formers,
            is_whole,
        } = state;
        let key = user_of(self, &name, source);
        let row = &mut self.directory[key];
        (row.source, row.presence) = (source, presence);
        row.is_whole |= is_whole;
        // It has come, though not yet to this process: who waited for it gets its place back.
        if row.is_awaited {
            for sender in senders_to(self, key) {
                self.directory.awaited.end(&sender);
            }
            self.directory.set_awaited(key, false);
        }
        for (secret, away) in resumable {
            if let Some(secret) = Secret::parse(&secret) {
                self.directory.adopt_ended(key, secret, away);
            }
        }
        for (own, former) in formers {
            if let (Some(own), Some(former)) = (Secret::parse(&own), Secret::parse(&former)) {
                self.directory.adopt_secret(key, former);
                self.directory.keep_former(key, (own, former));
            }
        }
        let Some(since) = absent_since else { return };
        let deadline = since.after(self.context.limits.leave_grace);
        let absence = self.directory[key].absence_mut();
        absence.since = since;
        if let Some(timer) = absence.timer.take() {
            self.context.wheel.cancel(timer);
        }
        absence.timer = Some(self.context.wheel.arm(deadline, Timer::UserAbsent(key)));
    }

    /// A connection that has said hello.
    pub fn adopt_reader(&mut self, conn: ConnId, state: ReaderState) {
        let Some(user) = self.directory.user_named(state.user.as_str()) else { return };
        let Some(secret) = Secret::parse(&state.secret) else { return };
        // A later `hello` with the secret of this session must find it.
        self.directory.adopt_secret(user, secret);
        self.directory.add_session(user, Session::new(conn, secret, state.away));
        self.delivery.add_reader(Reader::new(conn, user, state.encoding));
        self.context.stats.sessions += 1;
        if let Some(timer) = self.directory[user].end_absence() {
            self.context.wheel.cancel(timer);
        }
        if let Some((identity, is_warned)) = state.credential {
            credentials::adopt(self, conn, identity, is_warned);
        }
        if let Some(login) = state.login {
            self.accounts.live.insert(conn, login);
        }
        for cursor in state.cursors {
            // A room may have gone since the state was made: then there is nothing to read.
            if let Some(room) = self.rooms.named(cursor.room.as_str()) {
                self.delivery_mut().adopt(conn, room, cursor);
            }
        }
        self.delivery_mut().resume_reading(conn);
    }

    /// Everything was taken up: what is to be told is told in time.
    pub fn resume(&mut self) {
        self.ephemeral_mut().resume_telling();
    }
}

/// The user of this name, made if nobody has it.
fn user_of(chat: &mut Chat, name: &UserName, source: Source) -> UserKey {
    let known = chat.directory.user_named(name.as_str());
    known.unwrap_or_else(|| {
        let key = chat.directory.add_user(name, source);
        // It may be in rooms that are not in memory.
        chat.directory[key].is_whole = !chat.pending.loads.on_demand;
        arm_absence(chat, key);
        key
    })
}

fn adopt_memory_room(chat: &mut Chat, name: &RoomName, state: MemoryRoomState) -> RoomKey {
    let (epoch, head) = state.log;
    let chosen = state.policy.as_deref();
    let policy = chat.context.limits.policies.of(name, chosen);
    // The room brings its own epoch along, so none is used up for it.
    let last = chat.rooms.epoch;
    let key = chat.rooms.add(name.clone(), policy, chosen);
    chat.rooms.epoch = last;
    let rev = chat.context.next_rev();
    let room = &mut chat.rooms[key];
    // Whatever the policy says by now: its records were never stored.
    (room.epoch, room.durability, room.rev) = (epoch, Durability::Memory, rev);
    (room.private, room.owned) = state.access;
    open_log(chat, key, chosen, None);
    let bounds = (chat.context.limits.ring_records, chat.context.limits.ring_bytes);
    let log = chat.rooms[key].log;
    let last_at = state.records.last().map_or(0, |last| last.at);
    let cids = state.cids;
    // The log was opened empty: it goes on after `head`.
    chat.context.requests.push_back(LogRequest::Adopt { log, head, last_at, cids });
    chat.rooms.adopt_ring(key, state.records, bounds);
    let room = &mut chat.rooms[key];
    (room.head, room.topic) = (head, state.topic);
    chat.rooms.set_names(key, name.clone(), state.former);
    for (user, kind, meta) in state.restrictions {
        restrict(chat, (key, &user), kind, Some(meta));
    }
    for member in state.members {
        adopt_member(chat, key, member);
    }
    for user in &state.departed {
        chat.rooms.departed.add(key, user);
    }
    key
}

fn adopt_member(chat: &mut Chat, room: RoomKey, state: MemberState) {
    let (name, source) = state.user;
    let is_new = chat.directory.user_named(name.as_str()).is_none();
    let user = user_of(chat, &name, source);
    if is_new && state.is_awaited {
        chat.directory.set_awaited(user, true);
    }
    let (recv, read) = state.marks;
    let joined = state.joined;
    chat.context.joined = chat.context.joined.max(joined);
    let new = Membership::new(user, room, state.role, 0);
    let mut member = new.since((chat.context.rev, joined), state.counted);
    member.set_marks(Marks { recv, read });
    chat.rooms.add_member(&mut chat.directory, member);
    // The other one waits for somebody to come, who is counted with each conversation.
    if let Some(other) = chat.rooms[room].name.other_than(&name).map(Box::<str>::from)
        && chat.directory[user].is_awaited
    {
        chat.directory.awaited.begin(&other);
    }
}
