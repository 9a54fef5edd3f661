//! The bound of what the server says in one message, which the welcome states: small clients have
//! a buffer of a fixed size.

use crate::chat::model::limits::{
    CID_LEN_MAX, INBOX_BYTES_MAX, Limits, PAGE_BYTES_MAX, RECORD_OVERHEAD, SEARCH_BYTES_MAX,
    TOPIC_LEN_MAX, WELCOME_INVITATIONS_BYTES_MAX,
};
use crate::chat::model::mentions::MENTIONS_BYTES_MAX;
use crate::chat::model::name::{DIRECT_LEN_MAX, NAME_LEN_MAX};

/// Bytes of a message besides its records, rooms or users: the request's id, names, numbers.
const ENVELOPE: usize = 1024;
/// Bytes of the welcome besides its rooms: every limit, each with its name.
const WELCOME: usize = 2 * 1024;
/// Bytes of the message of a room that cannot be resumed.
pub(super) const RESUMPTION_MESSAGE_MAX: usize = 64;
/// Bytes that one room takes in the answer to a resume, its name included.
const RESUMPTION_LEN_MAX: usize = DIRECT_LEN_MAX + RESUMPTION_MESSAGE_MAX + 102;
/// Bytes of the longest of the answers that no limit changes: the description of all operations.
const FIXED: usize = 16 * 1024;

/// Bytes of the longest JSON text that the server sends in one message: a WebSocket frame without
/// its header, a line or what follows a length. It holds for what was stored under the present
/// limits: a text that was taken when `message_bytes` was larger is still shown whole.
#[must_use]
pub fn frame_len_max(limits: &Limits) -> usize {
    // Each byte of a text is escaped as two at most.
    let text = limits.message_bytes.max(TOPIC_LEN_MAX).saturating_mul(2);
    let names = DIRECT_LEN_MAX + 2 * NAME_LEN_MAX + 6 * CID_LEN_MAX;
    let record = text.saturating_add(RECORD_OVERHEAD + names + MENTIONS_BYTES_MAX);
    let found = SEARCH_BYTES_MAX + SEARCH_BYTES_MAX.max(record);
    let welcome = limits.rooms_per_user.saturating_mul(RESUMPTION_LEN_MAX);
    let welcome = welcome.saturating_add(WELCOME);
    let welcome = welcome.saturating_add(WELCOME_INVITATIONS_BYTES_MAX);
    let longest = [record, PAGE_BYTES_MAX, found, INBOX_BYTES_MAX, welcome, FIXED];
    longest.into_iter().max().unwrap_or_default().saturating_add(ENVELOPE)
}
