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

pub(super) use self::read::batch;
pub(in crate::store) use self::rows::{
    end, find_dead, insert, load, position_of_new, revive, rotate,
};
pub(super) use self::unwritten::{
    NOTICES_WAITING_MAX, UnwrittenOutbox, highest_record, put_notice,
};
pub use crate::chat::model::outbox::{
    BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Batch, DeadLetter, Position, StoredWebhook, Update,
};
