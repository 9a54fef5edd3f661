//! Who has another display name, status text or colour.

use super::{EVENT_OVERHEAD_NAMES, EphemeralMut, NAME_BYTES};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::event::Event;
use crate::chat::model::limits::{PRESENCE_NAMES_MAX, PROFILES_PAGE_MAX};
use crate::chat::model::name::UserName;
use crate::chat::model::output::Output;
use crate::chat::model::profile::PublicProfile;
use crate::net::ConnId;
use crate::time::Tick;

/// Whose profiles are to be told in one room.
#[derive(Debug, Default)]
pub(super) struct RoomProfiles {
    /// They, each once; may hold users that are members no more.
    pub(super) changes: Vec<UserKey>,
    /// The earliest next event.
    pub(super) at: Tick,
}

impl RoomProfiles {
    /// When there is something to tell.
    pub(super) fn due(&self) -> Option<Tick> {
        (!self.changes.is_empty()).then_some(self.at)
    }
}

impl EphemeralMut<'_> {
    /// A user says something else of itself: all its rooms are told in time.
    pub(in crate::chat) fn profile_changed(&mut self, user: UserKey) {
        let directory = self.directory;
        for &(room, _) in &directory[user].memberships {
            self.list_profile(room, user);
        }
    }

    /// Somebody is a member who may say something of itself.
    pub(in crate::chat) fn profile_joined(&mut self, key: MembershipKey) {
        let (user, room) = (self.rooms[key].user, self.rooms[key].room);
        if self.directory.profiles.of(&self.directory[user].name).is_some() {
            self.list_profile(room, user);
        }
    }

    /// In large rooms nobody is told: clients ask for those whom they show.
    fn list_profile(&mut self, key: RoomKey, user: UserKey) {
        if self.rooms[key].members.len() > PRESENCE_NAMES_MAX {
            return;
        }
        let changes = &mut self.ephemeral.room(key).profiles.changes;
        if !changes.contains(&user) {
            changes.push(user);
        }
        self.arm(key);
    }

    /// Tells whose profiles have changed, so many at once that no event is long.
    pub(super) fn tell_profiles(&mut self, key: RoomKey) {
        let at = self.context.now.tick.after(self.context.limits.presence_interval);
        let profiles = &mut self.ephemeral.room(key).profiles;
        profiles.at = at;
        let rest = profiles.changes.split_off(profiles.changes.len().min(PROFILES_PAGE_MAX));
        let mut users = std::mem::replace(&mut profiles.changes, rest);
        users.retain(|&user| {
            self.directory.user(user).is_some_and(|row| row.membership(key).is_some())
        });
        let apart = self.blockers_of(key, &users);
        if let Some(told) = self.profiles_event(key, &users, None) {
            self.tell_room(key, told, |user| apart.contains(&user));
        }
        for viewer in apart {
            if let Some(told) = self.profiles_event(key, &users, Some(viewer)) {
                self.tell_user(key, viewer, told);
            }
        }
    }

    /// What these say of themselves, for a viewer or for all, and as how many names it counts.
    fn profiles_event(
        &self,
        key: RoomKey,
        users: &[UserKey],
        viewer: Option<UserKey>,
    ) -> Option<(Event, usize)> {
        let is_hidden = |user| viewer.is_some_and(|it| self.directory.has_blocked(it, user));
        let shown = users.iter().filter(|&&user| !is_hidden(user));
        let mut users: Vec<_> = shown.map(|&user| self.profile_of(user)).collect();
        users.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let bytes: usize = users.iter().map(|(_, profile)| profile.rendered_len_max()).sum();
        let room = self.rooms[key].name.clone();
        (!users.is_empty()).then(|| (Event::Profiles { room, users }, bytes.div_ceil(NAME_BYTES)))
    }

    fn profile_of(&self, user: UserKey) -> (UserName, PublicProfile) {
        let name = self.directory[user].name.clone();
        let profile = self.directory.profiles.of(&name);
        let profile = profile.map(|profile| profile.at(self.context.now.wall_ms));
        (name, profile.unwrap_or_default())
    }

    /// Tells one connection, which may have missed some of it, what members say of themselves.
    pub(super) fn tell_profiles_state(&mut self, to: ConnId, key: RoomKey, viewer: UserKey) {
        let room = &self.rooms[key];
        if room.members.len() > PRESENCE_NAMES_MAX || self.directory.profiles.is_empty() {
            return;
        }
        let users: Vec<UserKey> = self.rooms.users(key).collect();
        // Also those who say nothing: they may have said something before.
        for page in users.chunks(PROFILES_PAGE_MAX) {
            let Some((event, names)) = self.profiles_event(key, page, Some(viewer)) else {
                continue;
            };
            let turn = self.context.turn;
            if let Some(reader) = self.delivery.reader_mut(to) {
                reader.credit.give(turn, (names + EVENT_OVERHEAD_NAMES) * NAME_BYTES);
            }
            self.context.outputs.push_back(Output::Event { to, event });
        }
    }
}
