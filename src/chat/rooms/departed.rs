//! Who has left memory rooms or was removed from them: what tells them from those whose memberships
//! were lost with the log.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::keys::RoomKey;
use crate::chat::model::name::UserName;

/// Departures that are remembered, some 6 MB. When there are more, everybody counts as departed:
/// who wants to be in a room then says so by `join`.
const DEPARTED_MAX: usize = if cfg!(test) { 64 } else { 1 << 16 };

/// Users that have left a memory room, or were removed, and have not joined it again.
///
/// Invariant: `count` is how many there are, at most [`DEPARTED_MAX`].
#[derive(Debug, Default)]
pub(in crate::chat) struct Departed {
    pub(super) by_room: BTreeMap<RoomKey, BTreeSet<UserName>>,
    count: usize,
    /// There were more than are remembered.
    pub(super) is_full: bool,
}

impl Departed {
    /// The user has left the room, or was removed from it.
    pub(in crate::chat) fn add(&mut self, room: RoomKey, user: &UserName) {
        // Forgetting the oldest instead would let somebody back in who was removed.
        if self.count == DEPARTED_MAX && !self.is_known(room, user) {
            // Never unset, since it is not known who was not noted.
            self.is_full = true;
        } else if self.by_room.entry(room).or_default().insert(user.clone()) {
            self.count += 1;
        }
    }

    /// The user has joined the room.
    pub(super) fn remove(&mut self, room: RoomKey, user: &UserName) {
        let Some(users) = self.by_room.get_mut(&room) else { return };
        self.count -= usize::from(users.remove(user));
        if users.is_empty() {
            self.by_room.remove(&room);
        }
    }

    /// The room is gone.
    pub(super) fn remove_room(&mut self, room: RoomKey) {
        self.count -= self.by_room.remove(&room).map_or(0, |users| users.len());
    }

    /// Whether the user has left the room or was removed, as far as anybody knows.
    pub(in crate::chat) fn is_known(&self, room: RoomKey, user: &UserName) -> bool {
        self.is_full || self.by_room.get(&room).is_some_and(|users| users.contains(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::Key as _;

    #[test]
    fn more_departures_than_are_remembered_count_for_everybody() {
        let name = |number: usize| UserName::parse(&format!("u{number}")).unwrap();
        let [one, other] = [1, 2].map(|index| RoomKey::new(index, 1));
        let mut departed = Departed::default();
        for number in 0..DEPARTED_MAX {
            departed.add(one, &name(number));
            departed.add(one, &name(number));
        }
        assert!(departed.is_known(one, &name(3)) && !departed.is_known(other, &name(3)));
        departed.remove(one, &name(3));
        assert!(!departed.is_known(one, &name(3)));
        departed.add(one, &name(3));
        departed.remove_room(one);
        assert!(!departed.is_known(one, &name(3)), "a room that is gone takes its own along");
        for number in 0..=DEPARTED_MAX {
            departed.add(other, &name(number));
        }
        assert!(departed.is_known(one, &name(0)), "not knowing is not consent");
    }
}
