//! Renders replies and events as JSON: one object on one line, without the line end.
//!
//! Everything is appended to the buffer of the caller. The literals are the protocol as it is on
//! the wire.

mod auth;
mod event;
mod export;
mod field;
mod push;
mod record;
mod refusal;
mod reply;
mod report;
mod restrictions;
mod threads;
mod webhook;
mod welcome;

pub use event::{bye, event, ping, reset};
pub use export::export_part;
pub use record::{item, record_event, record_name};
pub use refusal::{refusal, refusal_alone, refused, refused_event};
pub use reply::{data_alone, help, reply};
pub use webhook::webhook_event;
pub use welcome::stated_limits;

use crate::chat::model::limits::Limits;
use crate::chat::model::name::UserName;

/// The circumstances on which a rendering depends.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The user who reads it: only their own items carry the `cid`.
    pub viewer: Option<&'a UserName>,
    /// What the server allows: refusals and the welcome name them.
    pub limits: &'a Limits,
    /// What the reply to `hello` states of them: [`stated_limits`], which is made once, since it is
    /// a fifth of what a `hello` takes.
    pub stated: &'a str,
    /// The server's name and version, as in `chinwag 0.1.0`.
    pub server: &'a str,
}

#[cfg(test)]
mod tests;
