//! A user: somebody who is here, or is remembered.

use super::session::{EndedSession, Secret, Session};
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::identity::Source;
use crate::chat::model::name::UserName;
use crate::chat::model::reply::Presence;
use crate::collections::{Few, HasGeneration};
use crate::net::ConnId;
use crate::time::Tick;
use crate::time::wheel::TimerId;

/// Somebody, present or remembered.
#[derive(Debug)]
pub(in crate::chat) struct User {
    pub name: UserName,
    /// Its sessions, oldest first.
    pub sessions: Few<Session>,
    /// By room; kept by `rooms`.
    pub memberships: Few<(RoomKey, MembershipKey)>,
    /// As others are told, that is with the leave grace.
    pub presence: Presence,
    /// Who says who it is.
    pub source: Source,
    /// Nobody has come by the name yet: it is remembered for the messages that wait.
    pub is_awaited: bool,
    /// All rooms of which it is a member, or into which it is invited, are in memory.
    pub is_whole: bool,
    /// Kept by the table.
    generation: u32,
    /// There only for users that have been away, or are here without a session.
    pub absence: Option<Box<Absence>>,
}

/// What is known of a user that is away, or has been, or is here without a session.
#[derive(Debug, Default)]
pub(in crate::chat) struct Absence {
    /// Sessions that ended, by whose secrets the user can still return.
    pub resumable: Vec<EndedSession>,
    /// Secrets of its sessions, each with that which the session was resumed by: it stays good
    /// until the session's own is used, since the client may not have got the welcome.
    pub formers: Vec<(Secret, Secret)>,
    /// The leave grace, or the time until the user is forgotten.
    pub timer: Option<TimerId>,
    /// When its last session ended.
    pub since: Tick,
    /// It is in the directory's list of absent users.
    pub listed: bool,
    /// How many connections are there for one request each, without a session.
    visits: u32,
}

impl HasGeneration for User {
    fn generation(&self) -> u32 {
        self.generation
    }

    fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
    }
}

impl User {
    pub(super) const fn new(name: UserName, source: Source) -> Self {
        Self {
            name,
            sessions: Few::new(),
            memberships: Few::new(),
            presence: Presence::Off,
            source,
            is_awaited: false,
            is_whole: true,
            generation: 0,
            absence: None,
        }
    }

    /// The record of its absence, begun if there is none.
    pub(in crate::chat) fn absence_mut(&mut self) -> &mut Absence {
        self.absence.get_or_insert_default()
    }

    /// Sessions that ended, by whose secrets it can still return.
    pub(in crate::chat) fn resumable(&self) -> &[EndedSession] {
        self.absence.as_ref().map_or(&[], |absence| &absence.resumable)
    }

    /// Whether its session, or ended session, that has the secret `own` may be taken over by
    /// `secret`.
    pub(super) fn is_by(&self, own: Secret, secret: Secret) -> bool {
        let is_former = || {
            let absence = self.absence.as_ref();
            absence.is_some_and(|absence| absence.formers.contains(&(own, secret)))
        };
        secret != Secret::SPENT && (own == secret || is_former())
    }

    /// The connections of its sessions, oldest first; a copy, so that they can be walked while rows
    /// change.
    pub(in crate::chat) fn connections(&self) -> Few<ConnId> {
        let mut connections = Few::new();
        self.sessions.iter().for_each(|session| connections.push(session.conn));
        connections
    }

    /// Ends its absence. The timer that is returned is to be cancelled.
    pub(in crate::chat) fn end_absence(&mut self) -> Option<TimerId> {
        let absence = self.absence.as_mut()?;
        let timer = absence.timer.take();
        // An entry in the list of absent users, a secret or a visit still needs the box; it goes
        // with the last of them.
        let has_secrets = !(absence.resumable.is_empty() && absence.formers.is_empty());
        if !has_secrets && !absence.listed && absence.visits == 0 {
            self.absence = None;
        }
        timer
    }

    /// How many connections are there for one request each, without a session.
    pub(in crate::chat) fn visits(&self) -> u32 {
        self.absence.as_ref().map_or(0, |absence| absence.visits)
    }

    /// There is one more such connection.
    pub(in crate::chat) fn begin_visit(&mut self) {
        self.absence_mut().visits += 1;
    }

    /// There is one less such connection.
    pub(in crate::chat) fn end_visit(&mut self) {
        if let Some(absence) = &mut self.absence {
            absence.visits -= 1;
        }
        // Who is here by a session is not away, and needs none of this.
        if self.visits() == 0 && !self.sessions.is_empty() {
            let timer = self.end_absence();
            debug_assert!(timer.is_none(), "nobody waits for who is here");
        }
    }

    /// Whether the server gave the name: the user is forgotten after a while.
    pub(in crate::chat) fn is_guest(&self) -> bool {
        self.source == Source::Guest
    }

    /// Whether it is somebody, not only a name that somebody has written to.
    pub(in crate::chat) const fn has_come(&self) -> bool {
        !self.is_awaited
    }

    /// Whether it has no session and its leave grace is over.
    pub(in crate::chat) fn is_off(&self) -> bool {
        self.sessions.is_empty() && self.visits() == 0 && self.presence == Presence::Off
    }

    /// Its membership in `room`.
    pub(in crate::chat) fn membership(&self, room: RoomKey) -> Option<MembershipKey> {
        let found = self.find_membership(room).ok()?;
        self.memberships.get(found).map(|&(_, key)| key)
    }

    /// The place of the membership in `room`: its index in `memberships`, or where it would be.
    pub(in crate::chat) fn find_membership(&self, room: RoomKey) -> Result<usize, usize> {
        self.memberships.binary_search_by_key(&room, |&(room, _)| room)
    }
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it.
const _: () = assert!(size_of::<Option<User>>() <= 80);
