//! The reactor with real sockets on loopback and a virtual clock, turn by turn.

mod bench;
mod closing;
mod connecting;
mod deadlines;
mod flow;
mod limits;
mod stop;
