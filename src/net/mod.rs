//! The boundary between the reactor and what runs on it: plain data, no behaviour.
//!
//! The reactor turns readiness into an [`Input`], the [`Handler`] turns each input into
//! [`Effect`]s, and the reactor applies these in order after the handler has returned. Nothing is
//! re-entrant, nothing is a callback, and so the same handler runs under the real reactor and under
//! a simulated one.

mod close;
mod conn_id;
mod connect;
mod effect;
mod input;
mod network;

pub use close::{CloseReason, Ending};
pub use conn_id::ConnId;
pub use connect::{Connect, ConnectFault, Peer};
pub use effect::{Effect, Effects, Pause, SharedFrame};
pub use input::{Input, ListenerId, StopSignal};
pub use network::{BadNetwork, Network, is_in};
/// An address without a port, as plain data.
pub use std::net::IpAddr;

use crate::time::clock::Now;

/// What runs on the reactor.
pub trait Handler {
    /// Takes one input at the moment `now` and says what should follow.
    fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects);
}
