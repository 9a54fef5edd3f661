//! Which memberships have ended: what an inbox tells to a client that was away.

use std::collections::VecDeque;

use crate::chat::model::name::{RoomName, UserName};

/// Ended memberships that are remembered, some 2 MB. Who asks about earlier ones gets its whole
/// inbox.
const REMOVALS_MAX: usize = if cfg!(test) { 64 } else { 1 << 14 };

/// The memberships that ended last, oldest first.
#[derive(Debug)]
pub(in crate::chat) struct Removals {
    /// With the inboxes' `rev` at which each ended.
    list: VecDeque<(u64, UserName, RoomName)>,
    /// All later ones are in the list.
    known_since: u64,
}

impl Removals {
    /// None since `rev`; what was before is not known.
    pub(super) const fn new(rev: u64) -> Self {
        Self { list: VecDeque::new(), known_since: rev }
    }

    /// A membership has ended at this `rev`, which is the highest so far.
    pub(in crate::chat) fn add(&mut self, rev: u64, user: &UserName, room: &RoomName) {
        // Before the new one comes: one more than fits would double the list's memory for good.
        if self.list.len() == REMOVALS_MAX
            && let Some((forgotten, ..)) = self.list.pop_front()
        {
            // The rev of the one that went and not of the one that is first now: several can end
            // between two inboxes.
            self.known_since = forgotten;
        }
        self.list.push_back((rev, user.clone(), room.clone()));
    }

    /// Whether all that ended after this `rev` is known.
    pub(in crate::chat) const fn reach(&self, rev: u64) -> bool {
        // Nothing is lost by saying no: the client then gets the whole inbox instead of the
        // difference.
        rev >= self.known_since
    }

    /// The rooms of which the user's membership has ended after this `rev`, each once, by name; it
    /// may have begun again.
    pub(in crate::chat) fn of(&self, user: &UserName, rev: u64) -> Vec<&RoomName> {
        // The list is in the order of `rev`, so that an inbox pays for what is new and not for all.
        let from = self.list.partition_point(|&(at, ..)| at <= rev);
        let later = self.list.iter().skip(from).filter(|(_, who, _)| who == user);
        let mut rooms: Vec<&RoomName> = later.map(|(.., room)| room).collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_full_forgets_the_oldest_and_takes_no_more_memory() {
        let (user, room) = (UserName::parse("ann").unwrap(), RoomName::parse("den").unwrap());
        let mut removals = Removals::new(0);
        let full = u64::try_from(REMOVALS_MAX).unwrap();
        (1..=full).for_each(|rev| removals.add(rev, &user, &room));
        let capacity = removals.list.capacity();
        assert!(removals.reach(0));
        (full + 1..=3 * full).for_each(|rev| removals.add(rev, &user, &room));
        assert_eq!((removals.list.len(), removals.list.capacity()), (REMOVALS_MAX, capacity));
        assert!(removals.reach(2 * full) && !removals.reach(2 * full - 1));
    }
}
