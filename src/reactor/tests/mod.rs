//! The reactor with real sockets on loopback and a virtual clock, turn by turn.

mod bench;
mod flow;

pub(super) use bench::{Bench, Client, Scripted};
