//! Effects: requests of the handler to the reactor.

use bytes::Bytes;

use super::{CloseReason, ConnId, Connect, Ending, IpAddr, Network};
use crate::time::Tick;

/// Bytes encoded once and sent to any number of connections: a clone is a reference.
pub type SharedFrame = Bytes;

/// The effects of one or more inputs, in the order in which they are to be applied.
pub type Effects = Vec<Effect>;

/// What a connection is not read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The peer must take its answers first. If it takes none, it has stalled.
    Answers,
    /// It sends faster than it may. It cannot be blamed for what it does not take meanwhile, since
    /// it may be waiting for this end to read. Once it has sent FIN, the rest is read, so that the
    /// end of a connection is noticed.
    Rate,
}

/// A request to the reactor. An effect on a connection that is gone does nothing.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Begin to connect. What becomes of it is told in a later turn, exactly once; not at all if
    /// the loop is left before.
    Connect(Connect),
    /// Append `frame` to the connection's outbound ring; it leaves with this turn's flush.
    ///
    /// A ring that would exceed its hard limit takes nothing more and its connection is closed
    /// ([`CloseReason::Overloaded`]). A handler that counts what it sends never causes this.
    Send {
        /// To whom.
        conn: ConnId,
        /// What.
        frame: SharedFrame,
    },
    /// The same `frame` to each of `to`, as by [`Effect::Send`].
    Broadcast {
        /// To whom.
        to: Vec<ConnId>,
        /// What.
        frame: SharedFrame,
    },
    /// Set the connection's one deadline, in place of any earlier one. [`Tick::MAX`] is never.
    Arm {
        /// Whose.
        conn: ConnId,
        /// When [`Input::Expired`](super::Input::Expired) should be said.
        deadline: Tick,
    },
    /// Say [`Input::Drained`](super::Input::Drained) once: in the next turn if the ring is empty
    /// after the flush, otherwise as soon as it is.
    Wake {
        /// Whose.
        conn: ConnId,
    },
    /// Stop reading from the connection; the kernel's window then slows the peer down.
    Pause {
        /// Whose.
        conn: ConnId,
        /// What for.
        pause: Pause,
    },
    /// Read again.
    Resume {
        /// Whose.
        conn: ConnId,
    },
    /// Change the hard limit of the connection's outbound ring.
    OutboundMax {
        /// Whose.
        conn: ConnId,
        /// The new limit in bytes.
        bytes_max: usize,
    },
    /// Have a connection that has come by a proxy count for the address that it speaks for, and be
    /// found by that ([`Effect::FindByAddress`]). If that has as many connections as it may,
    /// [`Input::AddressFull`](super::Input::AddressFull) is said in the next turn.
    Client {
        /// Which.
        conn: ConnId,
        /// For whom it speaks.
        address: IpAddr,
    },
    /// End the connection. From here on it receives nothing more and effects on it do nothing.
    Close {
        /// Which.
        conn: ConnId,
        /// Why, as it will be told in [`Input::Closed`](super::Input::Closed).
        reason: CloseReason,
        /// What becomes of the bytes that still wait.
        ending: Ending,
    },
    /// Set the handler's own alarm, in place of any earlier one. [`Tick::MAX`] is never.
    Alarm {
        /// When [`Input::Alarm`](super::Input::Alarm) should be said.
        deadline: Tick,
    },
    /// Say [`Input::AddressFound`](super::Input::AddressFound) of every connection from one of
    /// these addresses, in the next turn. Costs a system call for each connection that there is.
    FindByAddress {
        /// The addresses and networks.
        addresses: Vec<Network>,
    },
    /// The connection has shown who it is: it no longer counts among those of its address that
    /// have not.
    Settled {
        /// Which.
        conn: ConnId,
    },
    /// Shake no hands with these from now on, in place of those that were named before: a handshake
    /// costs a thousand times what a message does. Who comes without TLS is still let in, and can
    /// be told why not.
    Bar {
        /// The addresses and networks, each until a time in milliseconds since 1970, if it ends.
        addresses: Vec<(Network, Option<u64>)>,
    },
    /// Close all listeners: new connections are refused by the kernel.
    StopAccepting,
    /// Leave the loop as soon as no connection is left, or at the deadline, whichever is first.
    Exit {
        /// The latest moment; connections that are left then are dropped.
        deadline: Tick,
    },
    /// Neither accept nor read any more, and say no connection's deadline, until [`Effect::Thaw`]:
    /// what waits is still sent.
    Freeze,
    /// Go on after [`Effect::Freeze`].
    Thaw,
    /// The same as [`Effect::Freeze`], and leave the loop at the end of this turn; it is gone on
    /// with where it was left.
    Yield,
}
