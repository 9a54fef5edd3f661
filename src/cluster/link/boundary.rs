//! What goes into a link and what comes out of it.

use std::time::Duration;

use bytes::Bytes;

use crate::chat::model::other_nodes::NodeId;
use crate::cluster::check::Level;
use crate::pg::{EngineError, Row};
use crate::time::Tick;

/// One of the two connections of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// It appends, beats, and tells the others. What is asked of it is done in order, and each
    /// commit is waited for.
    Writer,
    /// It listens and reads: what waits for no standby.
    Reader,
    /// It leads to no engine but to the bus, if there is one: nothing is asked of it.
    Bus,
}

/// One connection of a lane: its number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// Which lane; while hosts are tried, several connections are of [`Lane::Writer`].
    pub lane: Lane,
    /// Its number.
    pub life: u32,
}

/// What the driver of the connections reports. Connections that were closed may still be named.
#[derive(Clone, Debug)]
pub enum LinkInput<'a> {
    /// The connection is there, and TLS if the address asks for it: what is sent next are messages
    /// of PostgreSQL's protocol.
    Connected {
        /// Which.
        hop: Hop,
        /// Nobody can read along: TLS, loopback or a Unix socket.
        is_private: bool,
    },
    /// The connection could not be made, or TLS has failed: it is closed.
    Failed {
        /// Which.
        hop: Hop,
        /// In words, such as `connection refused: does PostgreSQL listen there?`.
        why: String,
    },
    /// Bytes have come.
    Received {
        /// Which connection.
        hop: Hop,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The connection was closed by the engine, or has broken.
    Closed {
        /// Which.
        hop: Hop,
    },
    /// [`Link::deadline`](super::Link::deadline) has passed.
    Expired,
}

impl LinkInput<'_> {
    /// Whether it is about a connection of this lane.
    pub(super) fn is_of(&self, lane: Lane) -> bool {
        match self {
            Self::Connected { hop, .. }
            | Self::Failed { hop, .. }
            | Self::Received { hop, .. }
            | Self::Closed { hop } => hop.lane == lane,
            Self::Expired => false,
        }
    }
}

/// What the driver of the connections has to do, in this order. A connection that it has just
/// reported as closed may still be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEffect {
    /// Make a connection: resolve the host anew, try each of its addresses.
    Connect {
        /// What it is called from now on.
        hop: Hop,
        /// Where: an index into [`Address::hosts`](crate::pg::Address::hosts); of [`Lane::Bus`] 0,
        /// the bus's.
        host: usize,
        /// When it is closed if it is of no use until then.
        deadline: Tick,
    },
    /// Send these bytes.
    Send {
        /// On which connection.
        hop: Hop,
        /// The bytes.
        bytes: Bytes,
    },
    /// Close the connection, or stop making it; what was sent before is sent if that is possible
    /// without waiting.
    Close {
        /// Which.
        hop: Hop,
    },
}

/// What a link reports to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A statement was done, or was refused as a whole.
    Answered {
        /// The tag that it was asked with.
        tag: u64,
        /// Its rows, or why it was refused.
        outcome: Result<Vec<Row>, EngineError>,
    },
    /// No answer has come, and none will: the statement may have been done or not, and may still be
    /// done later.
    Lost {
        /// The tag that it was asked with.
        tag: u64,
    },
    /// Statements are taken: both connections are there and checked, and all that can be read has
    /// reached a standby if the level is [`Level::Replicated`]. It ends [`Self::Slow`] and
    /// [`Self::Down`].
    Up {
        /// The number of this node, for the bus and the registry. It changes only if the node was
        /// away for so long that it counted as gone.
        node: NodeId,
        /// What a commit survives.
        level: Level,
        /// It is another engine than the last time, another timeline, or it was started since:
        /// all that is held is to be compared with it.
        is_changed: bool,
    },
    /// An answer takes long, or a connection was lost: what is to be written waits, in order, for
    /// [`Self::Up`] or [`Self::Down`].
    Slow,
    /// The engine is away: statements are refused, and so is whoever would have to wait for them,
    /// until [`Self::Up`].
    Down {
        /// In words, for logging and people: each host, and what is wrong with it.
        why: String,
    },
    /// Rooms have grown, or other facts of them have changed, at another node.
    Grew {
        /// The rooms, ascending.
        rooms: Vec<i64>,
    },
    /// Another node tells something.
    Bus {
        /// Which node.
        node: NodeId,
        /// What: as it was given to [`Link::tell`](super::Link::tell).
        payload: Bytes,
    },
    /// A node has begun to listen, or may have missed what it was told: it is to be told all that
    /// is so here. After [`Self::Up`], this comes for each node; a bus is heard by all, so that one
    /// telling serves several of these events in a row.
    NodeBegun {
        /// Which.
        node: NodeId,
    },
    /// What others have told may not have been heard: heads are to be compared soon.
    Missed,
    /// A node is no more: it has left, or was not heard of for ten seconds.
    NodeGone {
        /// Which.
        node: NodeId,
    },
}

/// Why a statement was not sent: it has not been and will not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// The link is not up.
    Down,
    /// [`ASKS_MAX`](super::bounds::ASKS_MAX) statements of the lane wait for answers, or this one
    /// is too large.
    Busy,
}

/// Who we are, and what is expected of the engine.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// The name of this node, for people.
    pub name: Box<str>,
    /// Where this node is, for people and clients.
    pub address: Box<str>,
    /// The version of this program.
    pub version: Box<str>,
    /// What a commit has to survive: an engine that gives less is refused.
    pub level: Level,
    /// For pauses, and the nonce by which this process is told from others: not to be guessed, and
    /// never the same for two processes.
    pub seed: u64,
}

/// Whether statements are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkState {
    /// As after [`LinkEvent::Up`].
    Up,
    /// As after [`LinkEvent::Slow`], and at the beginning.
    Slow,
    /// As after [`LinkEvent::Down`].
    Down,
}

impl LinkState {
    /// In a word, for metrics and people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Slow => "slow",
            Self::Down => "down",
        }
    }
}

/// A node, as the engine knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its number, never used again.
    pub id: NodeId,
    /// Its name, for people; two may have the same.
    pub name: Box<str>,
    /// Where it is.
    pub address: Box<str>,
    /// The version of its program.
    pub version: Box<str>,
    /// How long ago it was heard of.
    pub age: Duration,
    /// It is this one.
    pub is_own: bool,
}

/// Whether a bus carries what may be lost, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusHealth {
    /// What we publish comes back to us.
    pub is_up: bool,
    /// All nodes hear it: what may be lost is told over it, and not by the engine.
    pub is_used: bool,
    /// Where it is.
    pub host: String,
    /// The server and its version; empty before the first answer.
    pub server: Box<str>,
    /// Why it is not up.
    pub fault: Option<String>,
    /// How often it was lost.
    pub losses: u64,
}

/// How a link is, for `/readyz`, metrics and logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether statements are taken.
    pub state: LinkState,
    /// What a commit survives, while there is an engine.
    pub level: Option<Level>,
    /// The engine's host, an index into the address's.
    pub host: Option<usize>,
    /// The engine's version, as it writes it; empty while there is none.
    pub version: Box<str>,
    /// What is wrong, in sentences: of an engine that is used, what should be changed, otherwise
    /// why there is none.
    pub faults: Vec<String>,
    /// The number of this node, once it has one.
    pub node: Option<NodeId>,
    /// The nodes, this one included, as of the last beat.
    pub nodes: Vec<NodeRow>,
    /// How long the last beat took: as long as a write takes.
    pub beat_ms: Option<u64>,
    /// Statements that wait for an answer, of both lanes.
    pub waiting: usize,
    /// How often the engine was lost.
    pub losses: u64,
    /// Messages to other nodes that were dropped, since too many waited.
    pub dropped: u64,
    /// The bus, if there is one.
    pub bus: Option<BusHealth>,
    /// In sentences, of nodes that have no bus, or another one: then the engine carries everything.
    pub apart: Vec<String>,
}
