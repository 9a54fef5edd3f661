//! The outbox of the webhooks: a position in the logs for each, and rows for what is in no log.
//!
//! ```text
//!  records   1 … 17 18 19 20 21 …    by id, of all rooms     ┐ one order: a notice comes after the
//!  notices         ▲ 5    ▲ 6        joins, connections, …   ┘ record that it names
//!  webhook     (17, 4) ─── what is above its position, and of its rooms and kinds, is to be sent
//! ```
//!
//! Records are not copied: what is sent is what the log says at that moment, so that a message
//! which was deleted meanwhile is sent without its text. A position is kept when something was
//! delivered; until then it is delivered again, also after a kill. Where all rooms are in memory
//! there is no file, and no webhook.
//!
//! What happens in memory rooms waits in memory
//! ([`Outbox`](super::shared_outbox::Outbox)) and is lost with them.

mod read;
mod rows;
#[cfg(test)]
mod tests;
mod unwritten;

use crate::chat::model::webhook::Webhook;

pub(super) use self::read::batch;
pub use self::read::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Batch};
pub(in crate::store) use self::rows::{
    end, find_dead, insert, load, position_of_new, revive, rotate,
};
pub use self::unwritten::Update;
pub(super) use self::unwritten::{
    NOTICES_WAITING_MAX, UnwrittenOutbox, highest_record, put_notice,
};

/// A place in the order of all records and notices: behind both of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The id of a record.
    pub record: u64,
    /// The id of a notice.
    pub notice: u64,
}

/// A webhook with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// Up to where everything was delivered or given up.
    pub position: Position,
    /// Where the batch ends that is tried again.
    pub batch_end: Option<Position>,
    /// Attempts that failed in a row.
    pub attempts: u32,
    /// When the next may be made: milliseconds since 1970.
    pub next_at: u64,
    /// Why nothing more is sent to it, if so.
    pub ended: Option<Box<str>>,
    /// How often a command has asked for another try.
    pub revived: u64,
    /// Dead letters that a command wants to be tried again, the oldest first.
    pub again: Vec<DeadLetter>,
    /// Dead letters in all.
    pub dead: u64,
}

/// What could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number; 0 before it has one.
    pub id: u64,
    /// Of which webhook.
    pub webhook: Box<str>,
    /// Since when: milliseconds since 1970.
    pub at: u64,
    /// Behind where it begins.
    pub from: Position,
    /// Where it ends; where that is the beginning, what was there is gone.
    pub to: Position,
    /// Events that it has, or had.
    pub events: u64,
    /// Why.
    pub why: Box<str>,
}
