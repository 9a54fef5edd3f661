//! Outgoing connections, for clients that run on the reactor.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::time::Tick;

/// A connection to be made, for clients that run on the reactor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Where to.
    pub peer: Peer,
    /// The local address to connect from, `None` for the kernel's choice. One address has some
    /// 28,000 ports.
    pub source: Option<IpAddr>,
    /// The kernel's receive buffer (`SO_RCVBUF`) in bytes, `None` for its own choice: a small one
    /// makes a slow reader felt at once.
    pub receive_buffer_len: Option<u32>,
    /// When to give up.
    pub deadline: Tick,
    /// The handler's own name for it, which comes back with
    /// [`Input::Connected`](super::Input::Connected) or
    /// [`Input::Unreachable`](super::Input::Unreachable).
    pub tag: u64,
}

/// Where a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket of this machine's file system.
    Unix(PathBuf),
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Why a connection could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFault {
    /// No process listens there, or the other end closed at once.
    Refused,
    /// No answer came until the deadline.
    TimedOut,
    /// The source is not an address of this machine, or all of its ports towards there are taken.
    NoSource,
    /// There is no such socket in the file system.
    NoSocket,
    /// The process or the system has no descriptor left.
    NoDescriptor,
    /// Another error, by its number in the operating system; 0 if it has none.
    Other(i32),
}

/// As the end of a sentence: "cannot connect to 127.0.0.1:80: …".
impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("no process listens there"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::NoSource => f.write_str(
                "no port is left at the source address, or it is not one of this machine",
            ),
            Self::NoSocket => f.write_str("there is no such socket"),
            Self::NoDescriptor => f.write_str("no descriptor is left (ulimit -n)"),
            Self::Other(number) => write!(f, "error {number} of the operating system"),
        }
    }
}
