//! What of a room a user has not read, as far as the ring has it.

use super::Room;
use crate::chat::model::name::UserName;
use crate::chat::model::record::{Body, SharedRecord};

/// Whether the ring shows what is unread, and, if it is wanted, the last message.
pub(in crate::chat) fn is_in_ring(room: &Room, read: u64, last: bool) -> bool {
    let first = room.ring.first().unwrap_or(room.head + 1);
    let is_whole = !room.is_stored() || first <= room.oldest;
    is_whole || (first <= read + 1 && (!last || room.ring.from(0).any(is_message)))
}

/// Whether a record that the user has not read counts.
pub(in crate::chat) fn is_unread(record: &SharedRecord, me: &UserName) -> bool {
    is_message(record) && record.from != *me
}

/// Whether a record is a message that is not deleted.
pub(in crate::chat) fn is_message(record: &SharedRecord) -> bool {
    matches!(record.body, Body::Message { .. })
}
