//! The framings of a plain TCP connection, told apart by its first byte.
//!
//! | first byte | [`Framing`] | an item is | ignored |
//! |---|---|---|---|
//! | `{` | [`Framing::Lines`] | one JSON text, ended by `\n` or `\r\n` | empty lines |
//! | `0x00` | [`Framing::Lengths`] | a 4-byte big-endian length, and its bytes | empty items |
//! | any other | [`Framing::Text`] | a line of text, ended by `\n`, `\r`, or both | empty lines, telnet |
//!
//! The mark of a byte order before the first byte is skipped. [`Foreign`] names what comes here by
//! mistake.
//!
//! Bytes in, items out: no socket, no clock, and the same items however the bytes were split.
//! [`wire`](crate::wire) parses the items.
//!
//! # Items that are too long
//!
//! An item above the limit is reported once, as [`Item::TooLong`], as soon as that is certain; the
//! rest of it is skipped without being kept, and the connection goes on with what follows. With
//! lengths it is refused before any of its bytes have come: nothing is ever allocated because a
//! peer announced it. A length of 2^24 or more is not skipped but [`Item::Malformed`]: its first
//! byte is not the `0x00` with which each item begins, so the two ends disagree on where they are,
//! and nothing after it can be trusted.

mod decoder;
mod encode;
mod foreign;
mod item;
mod telnet;

pub use decoder::Decoder;
pub use encode::{TooLong, encode_length, encode_line, put_length};
pub use foreign::Foreign;
pub use item::{Framing, Item};
pub use telnet::TelnetAnswer;

/// Bytes of the length before each item, big-endian, of which the first is `0x00`.
pub const LENGTH_BYTES: usize = 4;
/// Bytes of the longest item that the length framing can carry.
pub const LENGTH_MAX: usize = (1 << 24) - 1;

// The first byte of a length must be the `0x00` by which the framing is recognised.
const _: () = assert!(LENGTH_MAX < 1 << 24);
