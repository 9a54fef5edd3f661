//! Replies and events into JSON: one object on one line, without the line's end.
//!
//! Everything is appended to a buffer of the caller's. The literals are the protocol as it stands on
//! the wire.

mod event;
mod record;
mod reply;
mod welcome;

pub use event::{bye, event, ping};
pub use record::{item, record_event, weight};
pub use reply::{help, refusal, refused, reply};

use crate::chat::model::limits::Limits;
use crate::chat::model::name::UserName;

/// What a rendering depends on besides the thing that is rendered.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose eyes it is for: only one's own items carry their `cid`.
    pub viewer: Option<&'a UserName>,
    /// The limits, which the welcome states.
    pub limits: &'a Limits,
    /// The server's name and version, as in `chinwag 0.1.0`.
    pub server: &'a str,
}

#[cfg(test)]
mod tests;
