//! Rooms and epochs of another process, with which this one goes on.

use super::departed::Departed;
use super::removals::Removals;
use super::{Rooms, push_record};
use crate::chat::keys::RoomKey;
use crate::chat::model::record::{Epoch, SharedRecord};

impl Rooms {
    /// The last epoch that was given out, and the one below the first.
    pub(in crate::chat) const fn epochs(&self) -> (Epoch, Epoch) {
        (self.epoch, self.epoch_before)
    }

    /// Gives out epochs above these, which count as those of this start. What ended before `rev` is
    /// not known.
    pub(in crate::chat) fn adopt_epochs(&mut self, (last, before): (Epoch, Epoch), rev: u64) {
        (self.epoch, self.epoch_before) = (last, before);
        self.removals = Removals::new(rev);
    }

    /// The recent records of a room.
    pub(in crate::chat) fn adopt_ring(
        &mut self,
        key: RoomKey,
        records: Vec<SharedRecord>,
        bounds: (usize, usize),
    ) {
        for record in records {
            push_record(&mut self.rings, (key, &mut self.table[key]), record, bounds);
            self.make_place();
        }
    }
}

impl Departed {
    /// Whether there were more than are remembered.
    pub(in crate::chat) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// There were more than are remembered.
    pub(in crate::chat) const fn set_full(&mut self) {
        self.is_full = true;
    }

    /// Who has left this room, or was removed.
    pub(in crate::chat) fn of_room(&self, room: RoomKey) -> Vec<crate::chat::UserName> {
        self.by_room.get(&room).into_iter().flatten().cloned().collect()
    }
}
