//! Edits, deletions and pruning, made to the records in memory; what they do to a record is in
//! [`model::edits`](crate::chat::model::edits).

use super::{RingBudget, Room, Rooms};
use crate::chat::keys::RoomKey;
use crate::chat::model::edits;
use crate::chat::model::record::{Body, Record, SharedRecord};

impl Rooms {
    /// Nothing of the room's ring is in its log any more.
    pub(in crate::chat) fn forget_ring(&mut self, key: RoomKey) {
        let ring = std::mem::take(&mut self.table[key].ring);
        self.rings.forget(&ring);
    }
}

/// Makes the change that `record` is to the room's ring.
pub(super) fn apply_to_ring(rings: &mut RingBudget, room: &mut Room, change: &Record) {
    let (Body::Edit { target, text: Some(_) } | Body::Deletion { target }) = change.body else {
        return;
    };
    // Of the target itself, and of its earlier edits, which are after it.
    change_ring(rings, room, target, |record| edits::apply(record, change));
}

/// Drops the records below `oldest` from the room's ring, and the texts that went with them.
pub(super) fn prune_ring(rings: &mut RingBudget, room: &mut Room, oldest: u64) {
    while room.ring.first().is_some_and(|first| first < oldest) {
        rings.pop(&mut room.ring);
    }
    // The ring may begin above `oldest` and still hold edits of messages that have gone.
    change_ring(rings, room, 0, |record| edits::prune(record, oldest));
}

fn change_ring(
    rings: &mut RingBudget,
    room: &mut Room,
    from: u64,
    change: impl Fn(&Record) -> Option<Record>,
) {
    // In two steps, since a record that changes its weight changes the budget beside the ring.
    let changed: Vec<Record> = room.ring.from(from).filter_map(|record| change(record)).collect();
    for record in changed {
        rings.replace(&mut room.ring, SharedRecord::new(record));
    }
}

/// Makes to records what their log has gone through that now begins at `oldest`.
pub(in crate::chat) fn apply_pruning<'a>(
    records: impl IntoIterator<Item = &'a mut SharedRecord>,
    oldest: u64,
) {
    for record in records {
        if let Some(pruned) = edits::prune(record, oldest) {
            *record = SharedRecord::new(pruned);
        }
    }
}

/// Makes changes of their log to records that were read before them.
pub(in crate::chat) fn apply_changes<'a>(
    records: impl IntoIterator<Item = &'a mut SharedRecord>,
    changes: &[&Record],
) {
    if changes.is_empty() {
        return;
    }
    for record in records {
        // All of them in their order: an edit may be followed by a deletion of the same message.
        for change in changes {
            if let Some(changed) = edits::apply(record, change) {
                *record = SharedRecord::new(changed);
            }
        }
    }
}
