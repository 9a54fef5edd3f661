//! Inputs: events that the reactor tells the handler.

use std::net::SocketAddr;

use super::{CloseReason, ConnId, ConnectFault};

/// Which listener a connection came in by: its index in the reactor's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerId(pub u8);

/// A signal that asks the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// The first SIGTERM or SIGINT: stop in good order.
    Drain,
    /// A second one: stop at once.
    Now,
}

/// One event.
///
/// For each connection: first `Opened` or `Connected`, last `Closed`, nothing after it.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was accepted.
    Opened {
        /// Its name from now on.
        conn: ConnId,
        /// The listener that accepted it.
        listener: ListenerId,
        /// The other end's address.
        peer: SocketAddr,
    },
    /// A connection that [`Effect::Connect`] asked for is there.
    ///
    /// [`Effect::Connect`]: super::Effect::Connect
    Connected {
        /// Its name from now on.
        conn: ConnId,
        /// What the handler called it.
        tag: u64,
    },
    /// A connection that [`Effect::Connect`] asked for cannot be made.
    ///
    /// [`Effect::Connect`]: super::Effect::Connect
    Unreachable {
        /// What the handler called it.
        tag: u64,
        /// Why not.
        fault: ConnectFault,
    },
    /// Bytes arrived. The handler may change them in place; they are gone when it returns.
    Received {
        /// The connection that they came by.
        conn: ConnId,
        /// At least one byte, at most the read budget.
        bytes: &'a mut [u8],
    },
    /// The peer will send nothing more (FIN); it may still be reading.
    Finished {
        /// The connection.
        conn: ConnId,
    },
    /// Bytes wait: the socket takes no more for now, or it is not their turn yet and they are many.
    /// Told in each turn in which that has changed, so that `queued` is current;
    /// [`Input::Drained`] follows in time.
    Blocked {
        /// The connection.
        conn: ConnId,
        /// Bytes that wait in its outbound ring.
        queued: usize,
    },
    /// The outbound ring is empty: told after [`Input::Blocked`], and once for each
    /// [`Effect::Wake`].
    ///
    /// [`Effect::Wake`]: super::Effect::Wake
    Drained {
        /// The connection.
        conn: ConnId,
    },
    /// The deadline that [`Effect::Arm`] set has passed; it is no longer armed.
    ///
    /// [`Effect::Arm`]: super::Effect::Arm
    Expired {
        /// The connection.
        conn: ConnId,
    },
    /// The connection is gone; its name means nothing from now on.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why: the first reason that was given, by the handler, the peer or the reactor.
        reason: CloseReason,
    },
    /// A connection is from an address that [`Effect::FindByAddress`] asked for.
    ///
    /// [`Effect::FindByAddress`]: super::Effect::FindByAddress
    AddressFound {
        /// The connection.
        conn: ConnId,
    },
    /// So many bytes wait for all connections together, as the last flush has left them: told
    /// before [`Input::Blocked`] and [`Input::Drained`] if that has changed, where a bound is set.
    Waiting {
        /// The bytes; what is shared counts for each connection.
        bytes: usize,
    },
    /// The address for which a connection speaks has as many as it may: see [`Effect::Client`].
    ///
    /// [`Effect::Client`]: super::Effect::Client
    AddressFull {
        /// The connection.
        conn: ConnId,
    },
    /// Another thread woke the reactor: the store has answers. Said once for any number of wakes,
    /// and possibly when the answers have been taken already.
    StoreReady,
    /// The handler's own alarm went off; it is no longer set.
    Alarm,
    /// The process was asked to stop.
    Stop(StopSignal),
    /// The process was asked to read again what may change while it runs (SIGHUP).
    Reload,
    /// The process was asked to hand everything to a new one (SIGUSR2).
    Upgrade,
    /// All inputs of this turn have been dispatched. The flush follows, so this is the moment to
    /// send what was collected during the turn.
    TurnEnd,
}
