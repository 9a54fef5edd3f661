//! Frame headers: RFC 6455 section 5.2.
//!
//! ```text
//!  byte 0          byte 1          bytes 2..      then
//! +---+-----+------+---+----------+-------------+-----------+
//! |FIN| RSV |opcode| M | len (7)  | len 16 / 64 | mask (4)  |
//! +---+-----+------+---+----------+-------------+-----------+
//! ```

use std::ops::Deref;

use super::{MaskKey, Role, Violation};

/// The longest header: two bytes, a 64-bit length and a mask.
pub const HEADER_LEN_MAX: usize = 2 + 8 + 4;
/// The longest payload of a control frame (section 5.5).
pub const CONTROL_LEN_MAX: usize = 125;

// Of the first byte, then of the second: see the drawing above.
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;
const LEN_16_FOLLOWS: u8 = 0x7e;
const LEN_64_FOLLOWS: u8 = 0x7f;

/// What a frame is (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of the message under way.
    Continuation,
    /// A text message or its first fragment.
    Text,
    /// A binary message or its first fragment.
    Binary,
    /// The closing handshake.
    Close,
    /// A question whether the peer lives.
    Ping,
    /// The answer.
    Pong,
}

impl Opcode {
    /// The opcode in the low four bits of a frame's first byte.
    ///
    /// # Errors
    ///
    /// [`Violation::ReservedOpcode`].
    pub const fn decode(first: u8) -> Result<Self, Violation> {
        Ok(match first & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            opcode => return Err(Violation::ReservedOpcode { opcode }),
        })
    }

    /// The inverse of [`Opcode::decode`].
    #[must_use]
    pub const fn encode(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether it is a control frame's.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// RSV1: the message is compressed (RFC 7692 section 6).
    pub compressed: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key that the payload is masked with, if it is.
    pub mask: Option<MaskKey>,
    /// Bytes of payload, below 2^63.
    pub payload_len: u64,
}

impl FrameHeader {
    /// An unmasked, uncompressed frame that is a whole message.
    #[must_use]
    pub const fn new(opcode: Opcode, payload_len: u64) -> Self {
        Self { fin: true, compressed: false, opcode, mask: None, payload_len }
    }

    /// Returns the header of a frame that `role` received, and the header's own length in bytes, or
    /// `None` if `input` ends before the header does; the caller then retries with more bytes.
    /// Nothing is consumed. `compression` says whether the extension was negotiated.
    ///
    /// # Errors
    ///
    /// The first fault in the order of the bytes, as soon as the byte is there: so the answer does
    /// not depend on how the input was cut.
    pub fn decode(
        input: &[u8],
        role: Role,
        compression: bool,
    ) -> Result<Option<(Self, usize)>, Violation> {
        let Some((&first, rest)) = input.split_first() else {
            return Ok(None);
        };
        let opcode = decode_first(first, compression)?;
        let Some((&second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        let short_len = decode_second(second, opcode, role)?;
        let Some((payload_len, len_len)) = decode_len(short_len, rest)? else {
            return Ok(None);
        };
        let (mask, header_len) = match role {
            // A server's frame with a mask was refused with its second byte.
            Role::Client => (None, 2 + len_len),
            Role::Server => match rest.get(len_len..).and_then(<[u8]>::first_chunk) {
                Some(&key) => (Some(key), 6 + len_len),
                None => return Ok(None),
            },
        };
        let (fin, compressed) = (first & FIN != 0, first & RSV1 != 0);
        Ok(Some((Self { fin, compressed, opcode, mask, payload_len }, header_len)))
    }

    /// The header on the wire.
    #[must_use]
    pub fn encode(&self) -> HeaderBytes {
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.compressed { RSV1 } else { 0 };
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        let mut header = HeaderBytes::EMPTY;
        header.push(&[fin | rsv1 | self.opcode.encode()]);
        match (u8::try_from(self.payload_len), u16::try_from(self.payload_len)) {
            (Ok(len @ ..=125), _) => header.push(&[masked | len]),
            (_, Ok(len)) => {
                header.push(&[masked | LEN_16_FOLLOWS]);
                header.push(&len.to_be_bytes());
            }
            _ => {
                header.push(&[masked | LEN_64_FOLLOWS]);
                header.push(&self.payload_len.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            header.push(&key);
        }
        header
    }
}

/// The first byte: FIN, the reserved bits and the opcode.
fn decode_first(first: u8, compression: bool) -> Result<Opcode, Violation> {
    let compressed = first & RSV1 != 0;
    // A bit that no extension was agreed on for fails the connection (section 5.2).
    if first & RSV2_RSV3 != 0 || (compressed && !compression) {
        return Err(Violation::ReservedBit);
    }
    let opcode = Opcode::decode(first)?;
    // Control frames are never fragmented (section 5.5), so that they can be answered at once.
    if opcode.is_control() && first & FIN == 0 {
        return Err(Violation::FragmentedControl);
    }
    // The first frame says it for its message (RFC 7692 section 6): those that continue it must
    // not.
    if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        return Err(Violation::MisplacedCompression);
    }
    Ok(opcode)
}

/// The second byte: the mask bit and the short length.
fn decode_second(second: u8, opcode: Opcode, role: Role) -> Result<u8, Violation> {
    // Section 5.1: a client masks every frame, so that no page can put bytes of its choice on the
    // wire before a proxy that takes them for HTTP; a server masks none.
    match (role, second & MASKED != 0) {
        (Role::Server, false) => return Err(Violation::UnmaskedFrame),
        (Role::Client, true) => return Err(Violation::MaskedFrame),
        (Role::Server, true) | (Role::Client, false) => {}
    }
    let short_len = second & !MASKED;
    // Judged here: the longer forms of the length begin with a short one above 125.
    if opcode.is_control() && short_len > 125 {
        return Err(Violation::OversizedControl);
    }
    Ok(short_len)
}

/// The payload's length, and how many bytes of `rest` it took.
fn decode_len(short_len: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    match short_len {
        LEN_16_FOLLOWS => {
            let Some(len) = rest.first_chunk() else { return Ok(None) };
            let len = u16::from_be_bytes(*len);
            if len < 126 {
                return Err(Violation::NonMinimalLength);
            }
            Ok(Some((u64::from(len), 2)))
        }
        LEN_64_FOLLOWS => {
            let Some(len) = rest.first_chunk() else { return Ok(None) };
            let len = u64::from_be_bytes(*len);
            if len > u64::MAX >> 1 {
                return Err(Violation::LengthOverflow);
            }
            // The shorter form would have held it, and only the shortest is allowed (section 5.2).
            if u16::try_from(len).is_ok() {
                return Err(Violation::NonMinimalLength);
            }
            Ok(Some((len, 8)))
        }
        len => Ok(Some((u64::from(len), 0))),
    }
}

/// An encoded header or the start of one, kept in place: at most [`HEADER_LEN_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderBytes {
    bytes: [u8; HEADER_LEN_MAX],
    len: u8,
}

impl HeaderBytes {
    /// No byte yet.
    pub(super) const EMPTY: Self = Self { bytes: [0; HEADER_LEN_MAX], len: 0 };

    /// Appends `bytes`, or nothing if there is no room for them.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(usize::from(self.len)..);
        let Some(room) = room.and_then(|room| room.get_mut(..bytes.len())) else {
            return;
        };
        room.copy_from_slice(bytes);
        self.len += u8::try_from(bytes.len()).unwrap_or_default();
    }
}

impl Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

crate::pack::pack_enum!(Opcode {
    0: Continuation,
    1: Text,
    2: Binary,
    8: Close,
    9: Ping,
    10: Pong
});
crate::pack::pack_struct!(FrameHeader {
    fin: bool,
    compressed: bool,
    opcode: Opcode,
    mask: Option<MaskKey>,
    payload_len: u64,
});
crate::pack::pack_struct!(HeaderBytes { bytes: [u8; HEADER_LEN_MAX], len: u8 });

#[cfg(test)]
mod tests {
    use super::*;

    type Decoded = Result<Option<(FrameHeader, usize)>, Violation>;

    #[track_caller]
    fn check(input: &[u8], role: Role, expect: Decoded) {
        assert_eq!(FrameHeader::decode(input, role, true), expect, "{input:x?}");
    }

    const KEY: MaskKey = [1, 2, 3, 4];

    /// What section 5.2 says about each first byte, in words of its own.
    fn fault_of_first(first: u8, compression: bool) -> Option<Violation> {
        let [fin, rsv1, rsv2, rsv3] = [0x80, 0x40, 0x20, 0x10].map(|bit| first & bit != 0);
        let opcode = first & 15;
        let control = opcode >= 8;
        if rsv2 || rsv3 || rsv1 && !compression {
            Some(Violation::ReservedBit)
        } else if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
            Some(Violation::ReservedOpcode { opcode })
        } else if control && !fin {
            Some(Violation::FragmentedControl)
        } else if rsv1 && (control || opcode == 0) {
            Some(Violation::MisplacedCompression)
        } else {
            None
        }
    }

    #[test]
    fn each_first_byte_with_and_without_a_mask_is_judged_as_the_rfc_says() {
        for (first, compression) in (0..=255).flat_map(|first| [(first, false), (first, true)]) {
            for (role, masked) in [
                (Role::Server, true),
                (Role::Server, false),
                (Role::Client, true),
                (Role::Client, false),
            ] {
                let second = if masked { 0x83 } else { 0x03 };
                let fault = fault_of_first(first, compression).or(match (role, masked) {
                    (Role::Server, false) => Some(Violation::UnmaskedFrame),
                    (Role::Client, true) => Some(Violation::MaskedFrame),
                    _ => None,
                });
                let input = [first, second, 1, 2, 3, 4, 5, 6];
                let found = FrameHeader::decode(&input, role, compression);
                match (fault, found) {
                    (Some(fault), found) => assert_eq!(found, Err(fault), "{first:x} {role:?}"),
                    (None, Ok(Some((header, len)))) => {
                        assert_eq!(len, 2 + 4 * usize::from(masked));
                        assert_eq!(header.payload_len, 3);
                        assert_eq!(header.mask, masked.then_some(KEY));
                        assert_eq!(header.fin, first >= 0x80);
                        assert_eq!(header.opcode.encode(), first & 15);
                    }
                    (None, found) => panic!("{first:x} {role:?}: {found:?}"),
                }
                let alone = FrameHeader::decode(&[first], role, compression);
                assert_eq!(
                    alone.err(),
                    fault_of_first(first, compression),
                    "as soon as it is there"
                );
            }
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was_encoded_and_every_prefix_of_it_is_incomplete() {
        let lens = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 32, u64::MAX >> 1];
        for (payload_len, mask) in lens.into_iter().flat_map(|len| [(len, None), (len, Some(KEY))])
        {
            let role = if mask.is_some() { Role::Server } else { Role::Client };
            for (opcode, fin, compressed) in [
                (Opcode::Text, true, false),
                (Opcode::Binary, false, true),
                (Opcode::Continuation, false, false),
            ] {
                let header = FrameHeader { fin, compressed, opcode, mask, payload_len };
                let encoded = header.encode();
                let shortest = if payload_len < 126 {
                    2
                } else if payload_len < 65_536 {
                    4
                } else {
                    10
                };
                assert_eq!(encoded.len(), shortest + if mask.is_some() { 4 } else { 0 });
                for end in 0..encoded.len() {
                    check(&encoded[..end], role, Ok(None));
                }
                check(&encoded, role, Ok(Some((header, encoded.len()))));
                let followed = [&encoded, &b"trailing"[..]].concat();
                check(&followed, role, Ok(Some((header, encoded.len()))));
            }
        }
    }

    #[test]
    fn a_length_that_could_be_shorter_is_refused() {
        for len in 0..126_u16 {
            let input = [&[0x82, 126][..], &len.to_be_bytes()].concat();
            check(&input, Role::Client, Err(Violation::NonMinimalLength));
        }
        for len in [0, 125, 126, 65_535_u64] {
            let input = [&[0x82, 127][..], &len.to_be_bytes()].concat();
            check(&input, Role::Client, Err(Violation::NonMinimalLength));
        }
    }

    #[test]
    fn a_length_with_its_highest_bit_set_is_refused_before_the_mask_has_come() {
        for len in [1 << 63, u64::MAX] {
            let input = [&[0x82, 0x80 | 127][..], &len.to_be_bytes()].concat();
            check(&input, Role::Server, Err(Violation::LengthOverflow));
        }
    }

    #[test]
    fn a_control_frame_has_at_most_125_bytes() {
        for first in [0x88, 0x89, 0x8a] {
            let header = FrameHeader::new(Opcode::decode(first).unwrap(), 125);
            check(&[first, 125], Role::Client, Ok(Some((header, 2))));
            for second in [126, 127] {
                check(&[first, second], Role::Client, Err(Violation::OversizedControl));
            }
        }
    }
}
