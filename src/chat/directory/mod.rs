//! Users, their sessions and their names: who is here, and who may come back.
//!
//! ```text
//!   name ──▶ User ──< Session     one for each connection that has said hello
//!              ▲
//!   secret ────┘                  of a live session, or of one that has ended and may be resumed
//! ```
//!
//! Sessions are in their users' rows: nearly every user has one. It knows no rooms. A user's row
//! has a place for the keys of its memberships, which `rooms` fills.

mod awaited;
mod blocks;
mod credentials;
mod elsewhere;
mod identities;
mod profiles;
mod pushes;
mod quotas;
mod reports;
mod session;
mod user;

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use self::awaited::Awaited;
use self::blocks::Blocks;
use self::credentials::Credentials;
use self::elsewhere::Elsewhere;
use self::identities::Identities;
use self::profiles::Profiles;
pub(super) use self::pushes::News;
use self::pushes::Pushes;
use self::reports::Reports;
use self::session::EndedSession;
pub(super) use quotas::{Quota, Quotas};
pub(super) use reports::Full;
pub(super) use session::{Secret, Session};
pub(super) use user::User;

use super::keys::UserKey;
use super::model::identity::Source;
use super::model::log::Suspensions;
use super::model::name::{Names, UserName};
use super::model::reply::Presence;
use crate::collections::{Inside, Key as _, KeyedMap, Table};
use crate::net::ConnId;

/// Stale entries that the list of absent users may have beside one for each user.
const ABSENT_STALE_MAX: usize = 1024;

/// All users and sessions.
///
/// Invariants:
/// - every user is found by its name;
/// - the secrets of a user's sessions, and those of ended ones that may come back, begin with its
///   place among the users, or are in `moved`.
#[derive(Debug, Default)]
pub(super) struct Directory {
    users: Table<UserKey, User, Inside<User>>,
    /// By their names, and by what these look like.
    by_name: Names<UserKey>,
    /// Users without a session, longest absent first; may hold users that are back or gone.
    absent: VecDeque<UserKey>,
    /// Secrets that were made when their users had another place, in a process before this one.
    /// Those of users that are gone stay until the next one.
    moved: KeyedMap<Secret, UserKey>,
    /// Names by which nobody has come yet.
    pub awaited: Awaited,
    /// Whose the names are.
    pub identities: Identities,
    /// Who wants to hear nothing of whom.
    pub blocks: Blocks,
    /// What users say of themselves.
    pub profiles: Profiles,
    /// Devices that are told by Web Push.
    pub pushes: Pushes,
    /// What was reported and is not settled.
    pub reports: Reports,
    /// What connections have proved that ends or is restricted.
    pub credentials: Credentials,
    /// Who is at other nodes.
    pub elsewhere: Elsewhere,
    /// Users and addresses that may not use the server.
    pub suspended: Arc<Suspensions>,
}

impl Index<UserKey> for Directory {
    type Output = User;

    fn index(&self, key: UserKey) -> &User {
        &self.users[key]
    }
}

impl IndexMut<UserKey> for Directory {
    fn index_mut(&mut self, key: UserKey) -> &mut User {
        &mut self.users[key]
    }
}

impl Directory {
    /// The user's row, if it is still there.
    pub(super) fn user(&self, key: UserKey) -> Option<&User> {
        self.users.get(key)
    }

    /// The user of this name.
    pub(super) fn user_named(&self, name: &str) -> Option<UserKey> {
        self.by_name.find(name, &self.users, |user| user.name.as_str() == name)
    }

    /// Another user whose name looks like this one. Who never came has no name that others could
    /// be taken for.
    pub(super) fn lookalike(&self, name: &str) -> Option<UserKey> {
        let has_name = |user: &User, is_it: &dyn Fn(&str) -> bool| is_it(user.name.as_str());
        self.by_name.lookalike(name, &self.users, has_name, User::has_come)
    }

    /// The user whose session has or had this secret, if it can still come back.
    pub(super) fn user_of_secret(&self, secret: Secret) -> Option<UserKey> {
        let moved = self.moved.get(&secret).copied();
        let key = moved.or_else(|| self.users.key_at(secret.place()))?;
        let user = self.users.get(key)?;
        let live = user.sessions.iter().map(Session::secret);
        let mut all = live.chain(user.resumable().iter().map(|session| session.secret));
        all.any(|own| user.is_by(own, secret)).then_some(key)
    }

    /// A secret of another process is good for this user.
    pub(super) fn adopt_secret(&mut self, user: UserKey, secret: Secret) {
        // A spent secret is nobody's, and stays so.
        if secret != Secret::SPENT && secret.place() != user.index() {
            self.moved.insert(secret, user);
        }
    }

    /// A session of the user may be resumed.
    pub(super) fn adopt_ended(&mut self, user: UserKey, secret: Secret, away: bool) {
        self.adopt_secret(user, secret);
        self.users[user].absence_mut().resumable.push(EndedSession { secret, away });
    }

    /// The connection on which the user has the live session of this secret.
    pub(super) fn session_with_secret(&self, user: UserKey, secret: Secret) -> Option<ConnId> {
        let row = &self.users[user];
        let mut sessions = row.sessions.iter();
        sessions.find(|session| row.is_by(session.secret(), secret)).map(|session| session.conn)
    }

    /// Whether one user has blocked the other.
    pub(super) fn has_blocked(&self, user: UserKey, other: UserKey) -> bool {
        !self.blocks.is_empty() && self.blocks.has(&self[user].name, &self[other].name)
    }

    /// How many users there are.
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// Adds a user whose name nobody has.
    pub(super) fn add_user(&mut self, name: &UserName, source: Source) -> UserKey {
        let mut user = User::new(name.clone(), source);
        user.presence = self.elsewhere.of(name).unwrap_or(Presence::Off);
        let key = self.users.insert(user);
        self.by_name.insert(name.as_str(), key);
        key
    }

    /// How many users have come at some time.
    pub(super) fn known_len(&self) -> usize {
        self.users.len() - self.awaited.users
    }

    /// Nobody has come by the name of this user yet, or somebody has.
    pub(super) fn set_awaited(&mut self, key: UserKey, is_awaited: bool) {
        let user = &mut self.users[key];
        self.awaited.users -= usize::from(user.is_awaited);
        self.awaited.users += usize::from(is_awaited);
        user.is_awaited = is_awaited;
    }

    /// Removes a user without sessions and memberships.
    pub(super) fn remove_user(&mut self, key: UserKey) -> Option<User> {
        let user = self.users.remove(key)?;
        self.awaited.users -= usize::from(user.is_awaited);
        debug_assert!(user.sessions.is_empty(), "a user with a session is not forgotten");
        debug_assert!(user.memberships.is_empty(), "a member is not forgotten");
        self.by_name.remove(user.name.as_str(), key);
        Some(user)
    }

    /// Adds the session of a connection that has none.
    pub(super) fn add_session(&mut self, user: UserKey, session: Session) {
        self.users[user].sessions.push(session);
    }

    /// The session of this secret was resumed by another, which stays good until this one is used.
    pub(super) fn keep_former(&mut self, user: UserKey, (own, former): (Secret, Secret)) {
        self.users[user].absence_mut().formers.push((own, former));
    }

    /// The client of this session has got its welcome: the secret that it came by is spent. Returns
    /// that of the session, if there was one to be spent.
    pub(super) fn end_former(&mut self, user: UserKey, conn: ConnId) -> Option<Secret> {
        let row = &mut self.users[user];
        let absence = row.absence.as_mut().filter(|absence| !absence.formers.is_empty())?;
        let session = row.sessions.iter().find(|session| session.conn == conn)?;
        let (secret, before) = (session.secret(), absence.formers.len());
        absence.formers.retain(|(own, _)| *own != secret);
        (absence.formers.len() < before).then_some(secret)
    }

    /// Whether the session of this secret has reported itself idle, which it says once.
    pub(super) fn is_away(&self, user: UserKey, secret: Secret) -> bool {
        let user = &self.users[user];
        let live = user.sessions.iter().map(|session| (session.secret(), session.is_away()));
        let ended = user.resumable().iter().map(|session| (session.secret, session.away));
        live.chain(ended).any(|(own, away)| away && user.is_by(own, secret))
    }

    /// Ends a session. Its secret stays good for a resume, unless it has been taken over; each user
    /// has at most `secrets_max` such secrets, of which the oldest goes. Returns it if it is good.
    pub(super) fn end_session(
        &mut self,
        user: UserKey,
        conn: ConnId,
        secrets_max: usize,
    ) -> Option<Secret> {
        let sessions = &mut self.users[user].sessions;
        let place = sessions.iter().position(|session| session.conn == conn);
        let session = sessions.get(place?)?;
        let (secret, away) = (session.secret(), session.is_away());
        // Not if another connection has taken the session over: its secret is that one's now.
        // Asked while the session is still listed: the index alone names only a user, and the rows
        // say whether the secret is one of theirs.
        let may_return = self.user_of_secret(secret).is_some();
        let row = &mut self.users[user];
        place.map(|place| row.sessions.remove(place));
        if may_return {
            let resumable = &mut row.absence_mut().resumable;
            resumable.push(EndedSession { secret, away });
            if resumable.len() > secrets_max {
                // The oldest, since a client that comes back does so with its latest secret.
                let gone = resumable.remove(0);
                row.absence_mut().formers.retain(|(own, _)| *own != gone.secret);
            }
        }
        may_return.then_some(secret)
    }

    /// The secret of the session of a connection.
    pub(super) fn secret_of(&self, user: UserKey, conn: ConnId) -> Option<Secret> {
        let mut sessions = self.users[user].sessions.iter();
        sessions.find(|session| session.conn == conn).map(Session::secret)
    }

    /// Forgets the secret of a session that is taken over by another connection.
    pub(super) fn take_over(&mut self, user: UserKey, secret: Secret) {
        let row = &mut self.users[user];
        let live = row.sessions.iter().map(Session::secret);
        let all = live.chain(row.resumable().iter().map(|ended| ended.secret));
        let Some(own) = all.into_iter().find(|own| row.is_by(*own, secret)) else { return };
        let live = row.sessions.iter_mut().filter(|session| session.secret() == own);
        live.for_each(|session| session.set_secret(Secret::SPENT));
        if let Some(absence) = &mut row.absence {
            absence.resumable.retain(|ended| ended.secret != own);
            absence.formers.retain(|(other, _)| *other != own);
        }
    }

    /// Lets no ended session of the user be resumed any more.
    pub(super) fn forget_secrets(&mut self, user: UserKey) {
        if let Some(absence) = &mut self.users[user].absence {
            absence.resumable = Vec::new();
            absence.formers = Vec::new();
        }
    }

    /// Lists a user among the absent, unless it is listed.
    pub(super) fn list_absent(&mut self, user: UserKey) {
        if std::mem::replace(&mut self.users[user].absence_mut().listed, true) {
            return;
        }
        // Stale entries are swept when they outnumber users, so that listing costs O(1) on average.
        if self.absent.len() > 2 * self.users.len() + ABSENT_STALE_MAX {
            let users = &self.users;
            let is_listed = |row: &User| row.absence.as_ref().is_some_and(|absence| absence.listed);
            self.absent.retain(|&key| users.get(key).is_some_and(is_listed));
        }
        self.absent.push_back(user);
    }

    /// Takes the user off the list that was absent for longest and still is.
    pub(super) fn pop_absent(&mut self) -> Option<UserKey> {
        while let Some(key) = self.absent.pop_front() {
            let Some(user) = self.users.get_mut(key) else { continue };
            // Also for one who is back: it is listed again when it goes.
            user.absence_mut().listed = false;
            if user.is_off() {
                return Some(key);
            }
        }
        None
    }

    /// How many entries the list of absent users has, stale ones included.
    pub(super) fn absent_len(&self) -> usize {
        self.absent.len()
    }

    /// The presence that the user's sessions at all nodes amount to: online if one of them is, away
    /// if none is, and `None` without a session, and for a program.
    pub(super) fn presence_of_sessions(&self, user: UserKey) -> Option<Presence> {
        let here = self.presence_here(user);
        if here == Some(Presence::Online) || self.elsewhere.is_empty() {
            return here;
        }
        self.elsewhere.of(&self.users[user].name).or(here)
    }

    /// Whether the user is not here, nor was lately, wherever else it may be.
    pub(super) fn is_off_here(&self, user: UserKey) -> bool {
        let user = &self.users[user];
        let is_elsewhere = || {
            let is_here = !user.sessions.is_empty() || user.visits() > 0;
            !is_here && !self.elsewhere.is_empty() && self.elsewhere.has(&user.name)
        };
        user.is_off() || is_elsewhere()
    }

    /// The presence that follows from the sessions at this node.
    pub(super) fn presence_here(&self, user: UserKey) -> Option<Presence> {
        if self.users[user].source == Source::Key {
            return None;
        }
        let sessions = &self.users[user].sessions;
        let is_online = sessions.iter().any(|session| !session.is_away());
        let presence = if is_online { Presence::Online } else { Presence::Away };
        (!sessions.is_empty()).then_some(presence)
    }

    /// How many places for users there are, free ones included.
    pub(super) fn places(&self) -> usize {
        self.users.places()
    }

    /// The user in this place.
    pub(super) fn at(&self, place: usize) -> Option<&User> {
        self.users.at(place).map(|(_, user)| user)
    }

    /// Every user.
    pub(super) fn users(&self) -> impl Iterator<Item = (UserKey, &User)> {
        self.users.iter()
    }

    /// Checks the invariants.
    pub(super) fn debug_check(&self) {
        self.identities.debug_check();
        self.blocks.debug_check();
        self.profiles.debug_check();
        self.pushes.debug_check();
        self.elsewhere.debug_check();
        let awaited = self.users.iter().filter(|(_, user)| user.is_awaited).count();
        debug_assert_eq!(self.awaited.users, awaited, "those who have not come are counted");
        for (key, user) in self.users.iter() {
            debug_assert_eq!(self.user_named(user.name.as_str()), Some(key), "a user is found");
            let live = user.sessions.iter().map(Session::secret);
            for secret in user.resumable().iter().map(|ended| ended.secret).chain(live) {
                debug_assert_eq!(self.user_of_secret(secret), Some(key), "a user can come back");
            }
        }
    }
}
