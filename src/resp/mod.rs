//! The client's side of RESP3, the protocol of Valkey and Redis: bytes in, values out.
//!
//! No sockets, no clock, no files. Only what publish/subscribe needs is spoken; all types of RESP2
//! and RESP3 that a server may answer with are read.
//!
//! ```text
//!  Client::new ──▶ HELLO 3 [AUTH user password] SETNAME chinwag
//!      │           SUBSCRIBE channel
//!      ▼
//!  Reply::Ready
//!      │ publish: PUBLISH channel payload      nobody waits for answers
//!      ▼
//!  Reply::Message, whoever has published it, ourselves included
//! ```
//!
//! One connection subscribes and publishes, which RESP3 allows: Valkey, or Redis from 6 on.
//!
//! # Bounds
//!
//! | what | at most | then |
//! |---|---|---|
//! | a message of the server | [`MESSAGE_LEN_MAX`] bytes, [`ELEMENTS_MAX`] elements, [`DEPTH_MAX`] levels | [`Fault::TooLong`], the connection is of no use |
//! | publications without an answer | [`PUBLICATIONS_MAX`] | [`Busy`], nothing is sent |

mod address;
mod client;
mod decoder;
mod error;

pub use address::{Address, AddressFault};
pub use client::{Busy, Client, Login, PUBLICATIONS_MAX, Reply};
pub use decoder::{DEPTH_MAX, Decoder, ELEMENTS_MAX, MESSAGE_LEN_MAX, Value};
pub use error::Fault;
