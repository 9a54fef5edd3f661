//! What a plain connection says, and how it marks where that ends.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::telnet::TelnetAnswer;

/// How a connection marks where its items end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// JSON texts, one a line.
    Lines,
    /// JSON texts, each after its length.
    Lengths,
    /// Lines of a text client.
    Text,
}

impl Framing {
    /// The framing of a connection whose first byte is `first`.
    #[must_use]
    pub const fn of(first: u8) -> Self {
        match first {
            b'{' => Self::Lines,
            0 => Self::Lengths,
            _ => Self::Text,
        }
    }
}

/// An item, or what went wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A whole item without its framing: at least one byte, at most the limit.
    Message(&'a [u8]),
    /// A line or a length without anything: not to be answered, but counted, so that nobody sends
    /// millions.
    Empty,
    /// A telnet command that must be answered, with these bytes.
    Answer(TelnetAnswer),
    /// An item that is longer than the limit: said once, and the rest of it is skipped.
    TooLong {
        /// The limit that it exceeds, in bytes.
        limit: usize,
    },
    /// A length that cannot be one. Nothing more will be decoded; the connection has to end.
    Malformed,
}

crate::pack::pack_enum!(Framing { 0: Lines, 1: Lengths, 2: Text });
