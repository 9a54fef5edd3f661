//! What a connection has sent and the server has not come to yet.

use crate::ws::CloseCode;

/// Input that waits for its turn at the rate, or until the answers before it have drained; and the
/// peer's last word, which is answered after it.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub unread: Unread,
    pub end: Option<PeerEnd>,
    /// More came before the end than is kept.
    pub is_cut: bool,
}

/// How the peer has said that nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerEnd {
    /// By FIN.
    Fin,
    /// By a WebSocket close frame with this code.
    Close(Option<CloseCode>),
    /// By `/quit`.
    Quit,
}

/// Input that waits. It is used up from its front without being moved.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// The requests of one message, a line each: they come before the bytes.
    pub lines: String,
    pub lines_done: usize,
    pub bytes: Vec<u8>,
    pub bytes_done: usize,
}

impl Unread {
    /// The requests that wait.
    pub(super) fn lines(&self) -> &str {
        self.lines.get(self.lines_done..).unwrap_or_default()
    }

    /// The bytes that wait.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.bytes_done..).unwrap_or_default()
    }

    /// Keeps the rest of a message, when those before it are used up.
    pub(super) fn keep_lines(&mut self, lines: &str) {
        debug_assert!(self.lines().is_empty(), "one message at a time");
        // Into the memory of the lines before: a client that is paced comes here for each message.
        lines.clone_into(&mut self.lines);
        self.lines_done = 0;
    }

    /// Bytes of memory that it takes besides itself.
    pub(super) const fn memory(&self) -> usize {
        self.lines.capacity() + self.bytes.capacity()
    }

    const fn is_empty(&self) -> bool {
        self.lines_done >= self.lines.len() && self.bytes_done >= self.bytes.len()
    }
}

impl Backlog {
    /// Whether some input waits.
    pub(super) const fn is_waiting(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Adds what has come after it, as far as no more than `len_max` bytes wait then.
    pub(super) fn append(&mut self, bytes: &[u8], len_max: usize) {
        let room = len_max.saturating_sub(self.unread.bytes.len() - self.unread.bytes_done);
        let kept = bytes.get(..room).unwrap_or(bytes);
        // Only after FIN can more come than there is room for: until then the socket is not read.
        self.is_cut |= kept.len() < bytes.len();
        self.unread.bytes.extend_from_slice(kept);
    }
}
