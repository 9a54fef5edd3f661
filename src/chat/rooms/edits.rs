//! Edits and deletions, made to the records in memory; what they do to a record is in
//! [`model::edits`](crate::chat::model::edits).

use super::{RingBudget, Room};
use crate::chat::model::edits;
use crate::chat::model::record::{Body, Record, SharedRecord};

/// Makes the change that `record` is to the room's ring.
pub(super) fn apply_to_ring(rings: &mut RingBudget, room: &mut Room, change: &Record) {
    let (Body::Edit { target, text: Some(_) } | Body::Deletion { target }) = change.body else {
        return;
    };
    // An edit changes its target; a deletion also the edits, which are behind it.
    let affected = room.ring.from(target).filter_map(|record| edits::apply(record, change));
    let affected: Vec<Record> = affected.collect();
    for record in affected {
        rings.replace(&mut room.ring, SharedRecord::new(record));
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
        for change in changes {
            if let Some(changed) = edits::apply(record, change) {
                *record = SharedRecord::new(changed);
            }
        }
    }
}
