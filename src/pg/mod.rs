//! The client's side of PostgreSQL's protocol, version 3.0: bytes in, values out.
//!
//! No sockets, no clock, no files. The messages and SCRAM are those of `postgres-protocol`; what is
//! here is the order in which they may come, the bounds, and requests that are pipelined.
//!
//! ```text
//!  Client::new ──▶ startup message
//!      │ authentication: trust, SCRAM-SHA-256, a password in clear over TLS only
//!      ▼
//!  Reply::Ready
//!      │ request: Parse (the first time), Bind, Execute, Sync     one after the other,
//!      │ script:  Query                                           nobody waits for answers
//!      ▼
//!  Reply::Rows | Reply::Failed, one for each request, in their order
//!  Reply::Notified, at any time
//! ```
//!
//! Parameters and results are binary. Each request ends with a `Sync` of its own, so that it is a
//! transaction of its own and a failure is its own, too.
//!
//! # Bounds
//!
//! | what | at most | then |
//! |---|---|---|
//! | a message of the engine | [`MESSAGE_LEN_MAX`] | [`Fault::TooLong`], the connection is of no use |
//! | the rows of one answer | [`REPLY_BYTES_MAX`] | the same |
//! | requests without an answer | [`REQUESTS_MAX`] | [`Busy`], nothing is sent |

mod address;
mod client;
mod error;
mod param;
mod row;

pub use address::{Address, AddressFault, Host, Security};
pub use client::{
    Busy, Client, Login, MESSAGE_LEN_MAX, REPLY_BYTES_MAX, REQUESTS_MAX, Reply, Statement,
};
pub use error::{EngineError, Fault};
pub use param::Param;
pub use row::{Row, WrongType};

/// What a client says before anything else to have TLS; the engine answers with [`TLS_YES`] or
/// another byte.
pub const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The engine's answer to [`TLS_REQUEST`] if it speaks TLS: the handshake follows.
pub const TLS_YES: u8 = b'S';
