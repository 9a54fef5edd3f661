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
pub const HEADER_LEN_MAX: usize = 14;
/// The longest payload of a control frame (section 5.5).
pub const CONTROL_LEN_MAX: usize = 125;

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
    /// The first fault in the order of the bytes, as soon as the byte is there: so the answer does not
    /// depend on how the input was cut.
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
    if first & RSV2_RSV3 != 0 || (compressed && !compression) {
        return Err(Violation::ReservedBit);
    }
    let opcode = Opcode::decode(first)?;
    if opcode.is_control() && first & FIN == 0 {
        return Err(Violation::FragmentedControl);
    }
    if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        return Err(Violation::MisplacedCompression);
    }
    Ok(opcode)
}

/// The second byte: the mask bit and the short length.
fn decode_second(second: u8, opcode: Opcode, role: Role) -> Result<u8, Violation> {
    match (role, second & MASKED != 0) {
        (Role::Server, false) => return Err(Violation::UnmaskedFrame),
        (Role::Client, true) => return Err(Violation::MaskedFrame),
        (Role::Server, true) | (Role::Client, false) => {}
    }
    let short_len = second & !MASKED;
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
