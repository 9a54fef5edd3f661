//! What the two sides agree upon: `Sec-WebSocket-Extensions`, RFC 6455 section 9.1 and RFC 7692
//! section 7.1.
//!
//! Only `permessage-deflate` is known, without context takeover in either direction: so no
//! connection owns a compressor or a window. As the server, [`negotiate`]; as a client, [`Offer`].

mod client;
mod list;
mod server;

pub use client::{BadResponse, Offer};
pub use list::{EXTENSIONS_LEN_MAX, EXTENSIONS_MAX, MalformedExtensions};
pub use server::{Accepted, negotiate};

/// The one extension's name.
const PERMESSAGE_DEFLATE: &str = "permessage-deflate";

/// What was agreed upon about compression, for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// The largest window that this side may compress with.
    pub window_bits: WindowBits,
}

/// The size of a compressor's window, as its logarithm to the base 2: 9–15.
///
/// RFC 7692 has 8, too, for which zlib has no raw stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum WindowBits {
    /// 512 bytes.
    Nine,
    /// 1 KiB.
    Ten,
    /// 2 KiB.
    Eleven,
    /// 4 KiB.
    Twelve,
    /// 8 KiB.
    Thirteen,
    /// 16 KiB.
    Fourteen,
    /// 32 KiB, where nothing else is said.
    #[default]
    Fifteen,
}

impl WindowBits {
    /// All, in ascending order.
    pub const ALL: [Self; 7] = [
        Self::Nine,
        Self::Ten,
        Self::Eleven,
        Self::Twelve,
        Self::Thirteen,
        Self::Fourteen,
        Self::Fifteen,
    ];

    /// The number of bits.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Nine => 9,
            Self::Ten => 10,
            Self::Eleven => 11,
            Self::Twelve => 12,
            Self::Thirteen => 13,
            Self::Fourteen => 14,
            Self::Fifteen => 15,
        }
    }

    /// The window of `bits` bits, `None` below 9 and above 15.
    #[must_use]
    pub fn new(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.as_u8() == bits)
    }

    /// The position in [`WindowBits::ALL`].
    pub(super) fn index(self) -> usize {
        usize::from(self.as_u8() - 9)
    }
}

/// The value of a window's parameter: 8–15 in decimal without leading zeros (section 7.1.2).
fn parse_window_bits(value: &str) -> Option<u8> {
    let bits = match value.as_bytes() {
        [digit @ b'8'..=b'9'] => digit - b'0',
        [b'1', digit @ b'0'..=b'5'] => 10 + (digit - b'0'),
        _ => return None,
    };
    Some(bits)
}

crate::pack::pack_struct!(Deflate { window_bits: WindowBits });
crate::pack::pack_enum!(WindowBits {
    9: Nine,
    10: Ten,
    11: Eleven,
    12: Twelve,
    13: Thirteen,
    14: Fourteen,
    15: Fifteen,
});
