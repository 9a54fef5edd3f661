//! What is to be done, with every setting decided.

use std::net::SocketAddr;

use super::pattern::Pattern;
use crate::client::Framing;

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
    pub(crate) rooms: u32,
    /// What a room's name begins with; its number follows.
    pub(crate) room_prefix: String,
    /// Everybody sends, and not only the first member of each room.
    pub(crate) all_send: bool,
    pub(crate) load: Load,
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
    /// Connections join their rooms; otherwise they only say hello.
    pub(crate) joins: bool,
    /// Sessions' secrets are kept, so that connections can return.
    pub(crate) keeps_sessions: bool,
    /// What chance is made of.
    pub(crate) seed: u64,
    /// Bytes of one message from the server at most.
    pub(crate) message_len_max: usize,
}

impl Plan {
    /// Whether the target speaks the chat protocol.
    pub(crate) const fn is_chinwag(&self) -> bool {
        matches!(self.dialect, Dialect::Chinwag)
    }

    /// The room of a connection.
    pub(crate) const fn room_of(&self, peer: u32) -> u32 {
        peer % self.rooms
    }

    /// Whether a connection is one that sends.
    pub(crate) const fn sends(&self, peer: u32) -> bool {
        self.all_send || peer < self.rooms
    }
}
