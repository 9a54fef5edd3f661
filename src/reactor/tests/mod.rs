//! The reactor with real sockets on loopback and a virtual clock, turn by turn.

mod closing;
mod connecting;
mod deadlines;
mod flow;
mod harness;
mod limits;
mod stop;
mod turns;
