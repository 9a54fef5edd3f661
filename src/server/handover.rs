//! What the server hands to another process of it, and how it goes on with that.

use std::collections::BTreeSet;

use super::upgrade::{ConnectionState, Part};
use super::{Engine, Server, Turn};
use crate::chat::model::handover::{ReaderState, RoomState};
use crate::chat::model::load::Wanted;
use crate::chat::model::log::{Logs, Snapshot};
use crate::net::{ConnId, Effects, Handler as _, Input};
use crate::session;
use crate::time::clock::Now;

/// Items of one piece of the state: as many connections as a message can have descriptors.
const ITEMS_MAX: usize = 200;

impl Server {
    /// Whether nothing is under way: all that was asked for is answered and handed over.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.chat.pending() == 0 && self.chat.outputs() == 0 && !self.has_replies
    }

    /// Hands to the logs what is gathered for them.
    pub fn flush_to_logs(&mut self, now: Now) {
        self.chat.flush_to_logs(now);
        self.pass_requests(now);
    }

    /// What a connection's session is, and its reader if it has said hello; `None` if it cannot go
    /// on elsewhere.
    #[must_use]
    pub fn carry(&self, conn: ConnId) -> Option<(session::Carried, Option<Box<ReaderState>>)> {
        let session = self.sessions.carry(conn)?;
        Some((session, self.chat.reader_state(conn).map(Box::new)))
    }

    /// Everything that is not of one connection, in pieces. `carried` are the connections that go
    /// on elsewhere.
    pub(super) fn carry_domain(
        &self,
        carried: &BTreeSet<ConnId>,
        mut each: impl FnMut(Part) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        // First, so that the next process has read these rooms before memberships, users and
        // cursors name them.
        for piece in self.chat.rooms_in_use().chunks(ITEMS_MAX) {
            each(Part::InUse(piece.to_vec()))?;
        }
        each(Part::Head(Box::new(self.chat.head_state())))?;
        // Before the rooms: whether their remembered `cid`s are of use depends on it.
        each(Part::CidSecret(self.logs.cid_secret()))?;
        let remember = |mut room: RoomState| {
            if let Some(memory) = &mut room.memory {
                let log = self.chat.log_of(&room.name);
                memory.cids = log.map_or_else(Vec::new, |log| self.logs.remembered(log));
            }
            room
        };
        let mut rooms = self.chat.room_states().into_iter().map(remember);
        loop {
            let piece: Vec<_> = rooms.by_ref().take(ITEMS_MAX).collect();
            if piece.is_empty() {
                break;
            }
            each(Part::Rooms(piece))?;
        }
        let mut users = self.chat.user_states(|conn| carried.contains(&conn)).into_iter();
        loop {
            let piece: Vec<_> = users.by_ref().take(ITEMS_MAX).collect();
            if piece.is_empty() {
                return Ok(());
            }
            each(Part::Users(piece))?;
        }
    }

    /// Goes on with these logs, and what was kept in them. Before anybody comes.
    pub fn set_logs(&mut self, now: Now, (logs, kept): (Box<dyn Logs>, Snapshot)) {
        self.logs = Engine::Local(logs);
        self.chat.restore(now, kept);
    }

    /// Has rooms and users be in memory, before anybody comes.
    pub(super) fn load(&mut self, now: Now, wanted: &Wanted) -> Result<(), String> {
        if !wanted.is_empty() {
            let found = self.logs.load(wanted)?;
            self.chat.adopt_found(now, found);
            self.pass_requests(now);
        }
        Ok(())
    }

    /// Goes on with a piece of another process's state, apart from connections.
    ///
    /// # Errors
    ///
    /// If rooms cannot be read.
    pub(super) fn adopt_domain(&mut self, now: Now, part: Part) -> Result<(), String> {
        match part {
            Part::InUse(rooms) => {
                let mut wanted = Wanted::default();
                for room in rooms {
                    wanted.add_room(room, false);
                }
                self.load(now, &wanted)?;
            }
            Part::Head(head) => self.chat.adopt_head(now, *head),
            Part::CidSecret(secret) => {
                self.remembers = self.logs.adopt_cid_secret(secret);
                if !self.remembers {
                    log::warn!(
                        "messages that are repeated in memory rooms may be there twice: this version hashes otherwise than the one before it"
                    );
                }
            }
            Part::Rooms(rooms) => {
                for mut room in rooms {
                    room.memory.iter_mut().filter(|_| !self.remembers).for_each(|memory| {
                        memory.cids = Vec::new();
                    });
                    self.chat.adopt_room(room);
                }
            }
            Part::Users(users) => users.into_iter().for_each(|user| self.chat.adopt_user(user)),
            Part::Connections(_) => {}
            Part::End => self.chat.resume(),
        }
        self.pass_requests(now);
        Ok(())
    }

    /// Goes on with a connection of another process, for which `queued` bytes wait.
    pub fn adopt(
        &mut self,
        now: Now,
        (conn, queued): (ConnId, usize),
        (session, reader): (session::Carried, Option<Box<ReaderState>>),
        effects: &mut Effects,
    ) {
        let turn = &mut Turn { now, chat: &mut self.chat, effects };
        // Before the session, which may go on at once with what it has had.
        if let Some(reader) = reader {
            turn.chat.adopt_reader(conn, *reader);
        }
        self.sessions.adopt(conn, session, turn);
        // The reactor says it only when it changes, and these bytes waited before this process had
        // them.
        if queued > 0 {
            self.handle(now, Input::Blocked { conn, queued }, effects);
        }
    }

    /// The whole of the server as one value, for the simulation: what another server makes of it
    /// goes on as this one would have.
    #[must_use]
    pub fn carry_all(&self, conns: &[(ConnId, usize)]) -> Vec<u8> {
        let carried: BTreeSet<ConnId> = conns.iter().map(|&(conn, _)| conn).collect();
        let mut out = Vec::new();
        let mut each = |part: Part| {
            crate::pack::Pack::pack(&part, &mut out);
            Ok(())
        };
        _ = self.carry_domain(&carried, &mut each).and_then(|()| each(Part::End));
        for &(conn, queued) in conns {
            let states = self.carry(conn);
            crate::pack::Pack::pack(&(conn, queued, states), &mut out);
        }
        out
    }

    /// The inverse of [`Server::carry_all`]; `false` if `bytes` are not what that has made.
    pub fn adopt_all(&mut self, now: Now, mut bytes: &[u8], effects: &mut Effects) -> bool {
        use crate::pack::Pack as _;
        type Connection = (ConnId, usize, Option<(session::Carried, Option<Box<ReaderState>>)>);
        // All of them are read before the first is adopted: bytes that are cut off change nothing.
        let mut parts = Vec::new();
        while let Some(part) = Part::unpack(&mut bytes) {
            let is_last = matches!(part, Part::End);
            parts.push(part);
            if is_last {
                break;
            }
        }
        let Some(Part::End) = parts.pop() else { return false };
        for part in parts {
            if self.adopt_domain(now, part).is_err() {
                return false;
            }
        }
        while !bytes.is_empty() {
            let Some((conn, queued, states)) = Connection::unpack(&mut bytes) else { return false };
            if let Some(states) = states {
                self.adopt(now, (conn, queued), states, effects);
            }
        }
        self.adopt_domain(now, Part::End).is_ok()
    }

    /// Whether a connection that is being carried has a session here.
    pub(super) fn connection_state(
        &self,
        conn: ConnId,
        bytes: crate::reactor::Carried,
    ) -> Option<ConnectionState> {
        if bytes.is_arriving() {
            return Some(ConnectionState { bytes, session: None, reader: None });
        }
        let (session, reader) = self.carry(conn)?;
        Some(ConnectionState { bytes, session: Some(session), reader })
    }
}
