//! The client's end of a connection, sans-io: the opening, messages in and out, plain lines too.
//!
//! Made for programs that hold many connections on one thread, such as the load generator: nothing
//! here belongs to one connection, so that a connection costs what its user keeps of it.
//! [`Framing`] takes one whole unit off the front of what was received and leaves the rest alone;
//! [`Template`] is a message that is encoded once and sent many times with another number in it;
//! [`Opening`] is the handshake of all connections to one server.

mod framing;
mod opening;
mod template;

pub use framing::{Framing, MASK, Unit};
pub use opening::Opening;
pub use template::{Part, Template};
