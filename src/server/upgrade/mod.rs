//! An upgrade without a disconnect: a new process of the server, perhaps of another version, goes
//! on where this one is, with its listeners, its connections and all that is not stored.
//!
//! ```text
//!  old process                                 new process
//!  SIGUSR2 ── starts ───────────────────────▶  reads the configuration, certificates, pages …
//!      Hello, with the listening sockets ───▶
//!  goes on serving                        ◀──  Prepared             (or Refused, and why)
//!  freezes: reads and accepts nothing,
//!  until all that was asked for is answered;
//!  closes the store
//!      State, with the connections' sockets ▶  opens the store, takes everything up
//!                                         ◀──  Ready                (or Refused, and why)
//!      Take ──────────────────────────────▶    from here on there is no way back
//!  sends those with TLS away, and ends    ◀──  Serving
//! ```
//!
//! What happens when one of them ends in the middle, or hangs:
//!
//! | until | the old one ends | the new one ends, or is late |
//! |---|---|---|
//! | the last `State` was sent | the new one ends too; clients come back when a supervisor has started another | the old one goes on |
//! | `Take` was sent | the new one has everything and goes on | the old one goes on |
//! | after it | nothing changes | the old one ends with an error; clients come back |
//!
//! There are never two: the old one opens the store again only when it has seen the new one end,
//! which it kills before, and the new one never touches a connection before `Take` or the end of
//! the old one.

mod answer;
mod channel;
mod format;
mod predecessor;
mod successor;

pub(super) use format::{ConnectionState, Part};
pub(super) use predecessor::{Next, Predecessor};
pub(super) use successor::{Candidate, Successor};

pub use answer::{Answer, answer_file};
pub use predecessor::refuse;

/// How much longer than it may keep the clients waiting an upgrade may take to get ready for that.
const PREPARE_FACTOR: u32 = 6;
