//! Who is typing.

use super::EphemeralMut;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::event::Event;
use crate::chat::model::limits::{PRESENCE_NAMES_MAX, TYPING_LASTS};
use crate::collections::Key as _;
use crate::time::Tick;

/// Users that a typing event names, at most.
pub(super) const TYPING_NAMES_MAX: usize = 10;

/// Who is typing in one room.
#[derive(Debug, Default)]
pub(super) struct RoomTyping {
    /// The users that are typing, and until when they count as typing.
    typists: Vec<(UserKey, Tick)>,
    /// Somebody has begun or stopped since this was last told.
    pub(super) changed: bool,
    /// How many were told last.
    told: usize,
    /// The earliest next event.
    pub(super) at: Tick,
}

impl RoomTyping {
    /// When there is something to tell, or somebody no longer counts as typing.
    pub(super) fn due(&self) -> Option<Tick> {
        let expiry = self.typists.iter().map(|&(_, until)| until).min();
        let change = self.changed.then_some(self.at);
        expiry.into_iter().chain(change).min()
    }

    /// Who is typing until when, and how many were told last.
    pub(super) fn parts(&self) -> (&[(UserKey, Tick)], u64) {
        (&self.typists, u64::try_from(self.told).unwrap_or(u64::MAX))
    }

    /// The inverse of [`RoomTyping::parts`].
    pub(super) fn set(&mut self, typists: Vec<(UserKey, Tick)>, told: u64) {
        self.typists = typists;
        self.told = usize::try_from(told).unwrap_or(usize::MAX);
    }

    /// A user does not type any more. Returns whether it did.
    pub(super) fn remove(&mut self, user: UserKey) -> bool {
        let before = self.typists.len();
        self.typists.retain(|&(typist, _)| typist != user);
        let removed = self.typists.len() != before;
        self.changed |= removed;
        removed
    }

    /// Removes those whose time is over.
    pub(super) fn expire(&mut self, now: Tick) {
        let before = self.typists.len();
        self.typists.retain(|&(_, until)| until > now);
        self.changed |= self.typists.len() != before;
    }
}

impl EphemeralMut<'_> {
    /// A user says that it is typing. In large rooms nobody is told.
    pub(in crate::chat) fn typing(&mut self, key: RoomKey, user: UserKey) {
        if self.rooms[key].members.len() > PRESENCE_NAMES_MAX {
            return;
        }
        let until = self.context.now.tick.after(TYPING_LASTS);
        let typing = &mut self.ephemeral.room(key).typing;
        if let Some(known) = typing.typists.iter_mut().find(|(typist, _)| *typist == user) {
            // No change to tell: clients repeat `typing` every few seconds while their user types.
            known.1 = until;
        } else if typing.typists.len() < TYPING_NAMES_MAX {
            // More than these are of no use to a reader, and each costs every member a name.
            typing.typists.push((user, until));
            typing.changed = true;
            // Any number but 0 will do until the next telling: `stop_typing` asks only whether it
            // may skip the look-up, which each `send` would pay otherwise.
            self.rooms[key].typists = u8::MAX;
        }
        self.arm(key);
    }

    /// A user has said what it was typing.
    pub(in crate::chat) fn stop_typing(&mut self, key: RoomKey, user: UserKey) {
        if self.rooms[key].typists == 0 {
            return;
        }
        let gathered = self.ephemeral.gathered.get_mut(key.index());
        if gathered.is_some_and(|gathered| gathered.typing.remove(user)) {
            self.arm(key);
        }
    }

    /// Tells who is typing; each typist is told who else is.
    pub(super) fn tell_typing(&mut self, key: RoomKey) {
        let at = self.context.now.tick.after(self.context.limits.presence_interval);
        let typing = &mut self.ephemeral.room(key).typing;
        typing.changed = false;
        // Set although the event may reach nobody: the interval bounds the work, not only the
        // bytes.
        typing.at = at;
        let typists: Vec<UserKey> = typing.typists.iter().map(|&(user, _)| user).collect();
        let names = typists.len();
        self.rooms[key].typists = u8::try_from(names).unwrap_or(u8::MAX);
        let told = std::mem::replace(&mut typing.told, names);
        let event = self.typing_event(key, None);
        let mut apart = self.blockers_of(key, &typists);
        apart.retain(|user| !typists.contains(user));
        self.tell_room(key, (event, names), |user| {
            typists.contains(&user) || apart.contains(&user)
        });
        for user in apart {
            let event = self.typing_event(key, Some(user));
            self.tell_user(key, user, (event, names));
        }
        // Nobody is told that they alone are typing.
        if told.max(names) > 1 {
            for user in typists {
                let event = self.typing_event(key, Some(user));
                self.tell_user(key, user, (event, names));
            }
        }
    }

    /// The users that are typing, apart from `viewer` and those whom the viewer has blocked.
    pub(super) fn typing_event(&self, key: RoomKey, viewer: Option<UserKey>) -> Event {
        let gathered = self.ephemeral.gathered.get(key.index());
        let typists = gathered.into_iter().flat_map(|gathered| &gathered.typing.typists);
        let is_shown = |user| self.is_shown(viewer, user);
        let others = typists.filter(|&&(user, _)| is_shown(user));
        let mut users: Vec<_> =
            others.map(|&(user, _)| self.directory[user].name.clone()).collect();
        users.sort_unstable();
        Event::Typing { room: self.rooms[key].name.clone(), users }
    }
}
