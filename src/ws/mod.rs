//! WebSocket, sans-io and for both roles: RFC 6455 whole, and permessage-deflate (RFC 7692).
//!
//! Bytes in, values out. A [`Decoder`] per connection turns received bytes into [`Item`]s, in
//! place: a message that arrives whole is unmasked where it lies and lent out, without a copy or an
//! allocation. A connection owns memory only while a frame or a fragmented message is incomplete,
//! and only for bytes that were received. [`Shared`] is the scratch space of all connections.
//!
//! ```
//! use chinwag::ws::{Decoder, Item, Role, Settings, Shared};
//!
//! let settings = Settings::new(Role::Client, 16_384);
//! let mut shared = Shared::default();
//! let mut decoder = Decoder::new(None);
//! let mut received = *b"\x81\x02hi\x81\x02yo";
//!
//! let mut rest = &mut received[..];
//! let mut said = Vec::new();
//! while let Some(item) = decoder.decode(&mut rest, &settings, &mut shared)? {
//!     if let Item::Text(text) = item {
//!         said.push(text.to_owned());
//!     }
//! }
//! assert_eq!(said, ["hi", "yo"]);
//! # Ok::<(), chinwag::ws::Violation>(())
//! ```
//!
//! | noun | is |
//! |---|---|
//! | [`FrameHeader`] | section 5.2, decoded and encoded |
//! | [`Decoder`] | frames to messages: fragments, limits, UTF-8, inflation |
//! | [`encode()`] and its kin | messages to frames |
//! | [`Compressor`] | messages to compressed ones, where it pays |
//! | [`extension`] | the negotiation in the handshake |
//! | [`Closing`] | the closing handshake |
//! | [`Violation`] | every fault of a peer, and its close code |

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod close_code;
mod closing;
mod compress;
mod decoder;
mod encode;
pub mod extension;
mod header;
mod inflate;
mod item;
mod mask;
mod partial;
mod settings;
#[cfg(test)]
mod tests;
mod utf8;
mod violation;

pub use close_code::{CloseCode, REASON_LEN_MAX, decode_close};
pub use closing::{CloseAnswer, Closing};
pub use compress::{CompressPolicy, Compressor};
pub use decoder::Decoder;
pub use encode::{encode, encode_close, encode_compressed, encode_frame, encode_text_header};
pub use extension::{Deflate, WindowBits};
pub use header::{CONTROL_LEN_MAX, FrameHeader, HEADER_LEN_MAX, HeaderBytes, Opcode};
pub use inflate::Inflater;
pub use item::{Item, Shared};
pub use mask::{MaskKey, mask};
pub use settings::{FRAGMENTS_MAX, Settings};
pub use violation::Violation;

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It accepted the connection: it receives masked frames and sends unmasked ones.
    Server,
    /// It opened the connection: it sends masked frames and receives unmasked ones.
    Client,
}
