//! The limits of decoding.

use super::Role;

/// Frames in one message, empty ones included, unless set otherwise.
pub const FRAGMENTS_MAX: u32 = 1024;

/// Settings that many connections share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which side this is.
    pub role: Role,
    /// The largest message that is accepted, in bytes, inflated if it was compressed. One more is
    /// [`Violation::MessageTooLong`](super::Violation::MessageTooLong), as soon as a header
    /// announces it.
    ///
    /// Of a message that arrives in pieces no more than this is kept; of a compressed one, which
    /// may be larger than what it holds, an eighth and 64 bytes more.
    pub message_len_max: usize,
    /// The most frames in one message, empty ones included. One more is
    /// [`Violation::TooManyFragments`](super::Violation::TooManyFragments).
    pub fragments_max: u32,
    /// Whether binary messages are accepted; if not, the first header of one is
    /// [`Violation::UnexpectedBinary`](super::Violation::UnexpectedBinary).
    pub accept_binary: bool,
}

impl Settings {
    /// Settings with 1,024 fragments a message, binary accepted.
    #[must_use]
    pub const fn new(role: Role, message_len_max: usize) -> Self {
        Self { role, message_len_max, fragments_max: FRAGMENTS_MAX, accept_binary: true }
    }

    /// The most bytes of a message on the wire. A compressor without any skill, 9 bits for each 8
    /// and some for its blocks, still passes.
    pub(super) const fn wire_len_max(&self, compressed: bool) -> usize {
        if !compressed {
            return self.message_len_max;
        }
        self.message_len_max.saturating_add(self.message_len_max / 8).saturating_add(64)
    }
}
