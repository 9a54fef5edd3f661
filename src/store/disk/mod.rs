//! Logs that survive: an SQLite file, a thread that writes it and one that reads it; while the whole file is looked at, a third
//! ([`check`]).
//!
//! ```text
//!            the loop's thread          │  the writer's                     │  the reader's
//!  ─────────────────────────────────────┼───────────────────────────────────┼────────────────
//!   request ─ gather ─ flush ─▶ Intake ─┼▶ batch ─▶ Engine ─ commit, sync ─┐│
//!      └──────────────── Read ──────────┼──────────────────────────────────┼┼▶ Reader ─┐
//!   poll ◀──────────────────── Replies ◀┼──────────────────────────────────┘┼──────────┘
//! ```

mod append;
mod check;
mod database;
mod engine;
mod fault;
pub(in crate::store) mod identity;
mod intake;
pub(in crate::store) mod load;
mod meta;
mod op;
pub(in crate::store) mod open;
mod pending;
mod read;
mod reader;
mod replies;
pub(in crate::store) mod reserve;
pub(in crate::store) mod row;
pub(in crate::store) mod schema;
pub(in crate::store) mod search;
mod store;
pub(in crate::store) mod suspend;
#[cfg(test)]
pub(in crate::store) mod testing;
#[cfg(test)]
mod tests;
mod touch;
mod writer;

pub(in crate::store) use open::FILE;
pub use open::OpenError;
pub use replies::Wake;
pub use store::{Options, Store};
