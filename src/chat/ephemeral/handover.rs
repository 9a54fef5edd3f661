//! Presence, typing and receipts of a room, for the next process.

use super::{Ephemeral, EphemeralMut};
use crate::chat::directory::Directory;
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::handover::GatheredState;
use crate::chat::model::name::UserName;
use crate::chat::model::policy::PresenceMode;
use crate::chat::model::reply::Presence;
use crate::chat::rooms::{MemberFlag, Rooms};
use crate::collections::Key as _;

impl Ephemeral {
    /// What a room has gathered and told, if anything ever was.
    pub(in crate::chat) fn state(
        &self,
        (directory, rooms): (&Directory, &Rooms),
        key: RoomKey,
    ) -> Option<GatheredState> {
        let gathered = self.gathered.get(key.index())?;
        let name = |user| directory[user].name.clone();
        let present = rooms.members(key).filter(|row| row.published != Presence::Off);
        let is_there = |key: &&MembershipKey| rooms.memberships.get(**key).is_some();
        let readers = gathered.receipts.readers.iter().filter(is_there);
        let (counts_only, gone, presence_at) = gathered.presence.parts();
        let (typists, told) = gathered.typing.parts();
        Some(GatheredState {
            v: gathered.presence.v,
            counts_only: (counts_only, gathered.presence.whole),
            published: present.map(|row| (name(row.user), row.published)).collect(),
            gone: gone.to_vec(),
            presence_at,
            typists: typists.iter().map(|&(user, until)| (name(user), until)).collect(),
            typing: (gathered.typing.changed, told, gathered.typing.at),
            receipts: (
                readers.map(|&member| name(rooms[member].user)).collect(),
                gathered.receipts.at,
            ),
            profiles: (
                gathered
                    .profiles
                    .changes
                    .iter()
                    .filter_map(|&user| Some(directory.user(user)?.name.clone()))
                    .collect(),
                gathered.profiles.at,
            ),
        })
    }
}

impl EphemeralMut<'_> {
    /// Goes on with what another process has gathered and told in a room.
    pub(in crate::chat) fn adopt(&mut self, key: RoomKey, state: GatheredState) {
        let member = |of: &Self, name: &UserName| {
            let user = of.directory.user_named(name.as_str())?;
            Some((user, of.directory[user].membership(key)?))
        };
        let (mut count, mut is_whole) = (0, state.counts_only.1);
        for (name, presence) in &state.published {
            if let Some((_, row)) = member(self, name) {
                self.rooms[row].published = *presence;
                count += 1;
            } else {
                is_whole = true;
            }
        }
        let typists = state.typists.iter();
        let typists: Vec<_> =
            typists.filter_map(|(name, until)| Some((member(self, name)?.0, *until))).collect();
        let readers = state.receipts.0.iter().filter_map(|name| Some(member(self, name)?.1));
        let readers: Vec<MembershipKey> = readers.collect();
        for &reader in &readers {
            self.rooms[reader].set(MemberFlag::HasReceipt, true);
        }
        let profiles = state.profiles.0.iter().filter_map(|name| Some(member(self, name)?.0));
        let profiles: Vec<UserKey> = profiles.collect();
        // Any number but 0 will do until it is told again.
        self.rooms[key].typists = if typists.is_empty() { 0 } else { u8::MAX };
        let gathered = self.ephemeral.room(key);
        gathered.presence.set((state.v, count), (state.counts_only.0, is_whole), state.gone);
        gathered.presence.set_at(state.presence_at);
        let (changed, told, at) = state.typing;
        gathered.typing.set(typists, told);
        (gathered.typing.changed, gathered.typing.at) = (changed, at);
        (gathered.receipts.readers, gathered.receipts.at) = (readers, state.receipts.1);
        (gathered.profiles.changes, gathered.profiles.at) = (profiles, state.profiles.1);
    }

    /// All users and rooms are as they were: what differs from what was told is to be told.
    pub(in crate::chat) fn resume_telling(&mut self) {
        let keys: Vec<RoomKey> = self.rooms.table.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.note_changes(key);
            self.arm(key);
        }
    }

    fn note_changes(&mut self, key: RoomKey) {
        if self.rooms[key].presence == PresenceMode::Off {
            return;
        }
        for member in self.rooms[key].members.clone() {
            let row = &self.rooms[member];
            if self.directory[row.user].presence != row.published {
                self.presence_changed(member);
            }
        }
    }
}
