//! Who is invited where: the rooms of each name that has an invitation, so that a user who comes is
//! told of all of them without a walk over the rooms.

use crate::chat::keys::RoomKey;
use crate::chat::model::name::UserName;
use crate::collections::KeyedMap;

/// The rooms into which each name is invited. What is kept of an invitation is with its room.
#[derive(Debug, Default)]
pub(super) struct InvitationIndex(KeyedMap<UserName, Vec<RoomKey>>);

impl InvitationIndex {
    /// The rooms into which this name is invited; invitations that have run out may be among them.
    pub(super) fn rooms_of(&self, user: &UserName) -> &[RoomKey] {
        self.0.get(user).map_or(&[], Vec::as_slice)
    }

    /// The name is invited into the room.
    pub(super) fn add(&mut self, user: &UserName, room: RoomKey) {
        let rooms = self.0.get_or_insert_with(user.clone(), Vec::new);
        // A list, since a user has few: their number is bounded, and each invitation is checked
        // against it.
        if !rooms.contains(&room) {
            rooms.push(room);
        }
    }

    /// The name is not invited into the room any more.
    pub(super) fn remove(&mut self, user: &UserName, room: RoomKey) {
        let Some(rooms) = self.0.get_mut(user) else { return };
        rooms.retain(|&other| other != room);
        if rooms.is_empty() {
            self.0.remove(user);
        }
    }
}
