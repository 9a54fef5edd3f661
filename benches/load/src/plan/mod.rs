//! What is to be done, with every setting decided.

mod from_args;

use std::net::SocketAddr;

pub(crate) use from_args::{from_args, settings};

use crate::choices::Senders;
use crate::pattern::Pattern;
use chinwag::client::Framing;

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Load {
    /// Each sender keeps so many of its messages under way.
    Window(u64),
    /// So many messages a second from all senders together, whatever becomes of them.
    Rate(f64),
}

/// What the target speaks.
#[derive(Clone, Debug)]
pub(crate) enum Dialect {
    /// This server's protocol.
    Chinwag,
    /// It passes on what it is sent, as it came.
    Plain,
}

/// Who is in which room.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    /// Each connection in the next room, around and around.
    Even,
    /// The first so many pairs of connections talk to each other; who is left shares one room.
    Pairs(u32),
    /// As listed for each connection.
    Listed(Box<[u32]>),
}

/// Who connects while messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReconnectMode {
    /// Nobody: all have connected before.
    None,
    /// New users, while others leave.
    NewUsers,
    /// Users who were cut off resume their sessions.
    SameUsers,
    /// Members leave, and resume.
    Both,
}

/// A run with every setting decided.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where to connect.
    pub(crate) addr: SocketAddr,
    /// As it stands in the `Host` field.
    pub(crate) host: String,
    /// The path, in which `{room}` is the room's number.
    pub(crate) path: String,
    pub(crate) framing: Framing,
    pub(crate) dialect: Dialect,
    /// What messages say.
    pub(crate) pattern: Pattern,
    /// What a connection says first to a target that is not Chinwag, with `{room}` and `{from}`.
    pub(crate) greeting: Option<String>,
    pub(crate) connections: u32,
    /// The numbers of the first connection and of the first room: those before belong to other
    /// processes.
    pub(crate) first_peer: u32,
    pub(crate) first_room: u32,
    /// Rooms, pairs included.
    pub(crate) rooms: u32,
    /// What a room's name begins with; its number follows.
    pub(crate) room_prefix: String,
    pub(crate) layout: Layout,
    pub(crate) senders: Senders,
    pub(crate) load: Load,
    /// Whether all but the senders listen to Server-Sent Events.
    pub(crate) events: bool,
    /// Whether senders are sent their own messages.
    pub(crate) echo: bool,
    pub(crate) warm_up_us: u64,
    pub(crate) measured_us: u64,
    /// Connections that are being opened at a time.
    pub(crate) at_a_time: u32,
    /// Local addresses to connect from; 1 leaves it to the kernel.
    pub(crate) sources: u32,
    /// Readers that are slow, and the bytes that each of them reads in a second: 0 for none at all.
    pub(crate) slow: u32,
    pub(crate) crawl_per_s: u64,
    /// How many of the slow readers read that much.
    pub(crate) crawlers: u32,
    /// Without anything event for so long, nothing will any more.
    pub(crate) patience_us: u64,
    pub(crate) reconnect_mode: ReconnectMode,
    /// Messages a second to the room of those who are in no pair.
    pub(crate) background_per_s: f64,
    /// What random choices follow from.
    pub(crate) seed: u64,
    /// Bytes of one message from the server at most.
    pub(crate) message_len_max: usize,
}

impl Plan {
    /// Whether the target speaks the chat protocol.
    pub(crate) const fn is_chinwag(&self) -> bool {
        matches!(self.dialect, Dialect::Chinwag)
    }

    /// Whether everybody sends, and not only the first member of each room.
    pub(crate) fn everybody_sends(&self) -> bool {
        self.senders == Senders::All
    }

    /// Whether members come and go while messages are sent, so that not every message has somebody
    /// to get it.
    pub(crate) const fn is_open_house(&self) -> bool {
        matches!(self.reconnect_mode, ReconnectMode::NewUsers | ReconnectMode::Both)
    }

    /// Whether sessions' secrets are kept, so that connections can return.
    pub(crate) const fn keeps_sessions(&self) -> bool {
        matches!(self.reconnect_mode, ReconnectMode::SameUsers | ReconnectMode::Both)
    }

    /// The room of a connection.
    pub(crate) fn room_of(&self, peer: u32) -> u32 {
        match &self.layout {
            Layout::Even => peer % self.rooms,
            Layout::Pairs(pairs) => (peer / 2).min(*pairs),
            Layout::Listed(rooms) => rooms.get(peer as usize).copied().unwrap_or(0),
        }
    }

    /// The two who talk in a room, if it is a pair's.
    pub(crate) fn pair(&self, room: u32) -> Option<(u32, u32)> {
        match self.layout {
            Layout::Pairs(pairs) if room < pairs => Some((2 * room, 2 * room + 1)),
            _ => None,
        }
    }

    /// How messages to and from a connection are told apart.
    pub(crate) fn framing_of(&self, peer: u32) -> Framing {
        if self.events && !self.sends(peer) { Framing::Events } else { self.framing }
    }

    /// Whether a connection is one that sends.
    pub(crate) fn sends(&self, peer: u32) -> bool {
        match self.layout {
            Layout::Even => self.everybody_sends() || peer < self.rooms,
            // The first one after the pairs is the one who speaks in the background.
            Layout::Pairs(pairs) => peer <= 2 * pairs,
            Layout::Listed(_) => true,
        }
    }
}
