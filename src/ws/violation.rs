//! What a peer can do wrong, and the close code that answers it.

use std::fmt;

use super::CloseCode;

/// One fault of the peer's. It is final: the connection fails (RFC 6455 section 7.1.7), and the
/// decoder discards whatever follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// RSV2 or RSV3 is set, or RSV1 without a negotiated extension (section 5.2).
    ReservedBit,
    /// RSV1 on a control frame or a continuation: compression is said once, at a message's start
    /// (RFC 7692 section 6).
    MisplacedCompression,
    /// An opcode that no version of the protocol defines (section 5.2).
    ReservedOpcode {
        /// The opcode, 3–7 or 11–15.
        opcode: u8,
    },
    /// A control frame without FIN (section 5.4).
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    OversizedControl,
    /// A frame of a client's without a mask (section 5.1).
    UnmaskedFrame,
    /// A frame of a server's with a mask (section 5.1).
    MaskedFrame,
    /// A length in more bytes than it needs (section 5.2).
    NonMinimalLength,
    /// A 64-bit length with its highest bit set (section 5.2).
    LengthOverflow,
    /// A continuation where no message had begun (section 5.4).
    UnexpectedContinuation,
    /// A new message inside a fragmented one (section 5.4).
    InterleavedMessage,
    /// A message larger than is accepted, as received or inflated.
    MessageTooLong {
        /// The limit in bytes.
        len_max: usize,
    },
    /// A message in more fragments than are accepted, empty ones included.
    TooManyFragments {
        /// The limit.
        fragments_max: u32,
    },
    /// Text or a fragment of it is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// A compressed message is no DEFLATE data (RFC 7692 section 7.2.2).
    InvalidDeflate,
    /// A binary message where only text is accepted.
    UnexpectedBinary,
    /// A close frame with half a code (section 5.5.1).
    TruncatedClose,
    /// A close code that must not stand on the wire (section 7.4).
    BadCloseCode {
        /// The code.
        code: u16,
    },
    /// A close reason that is not UTF-8 (section 5.5.1).
    BadCloseReason,
}

impl Violation {
    /// The code to close with.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBit
            | Self::MisplacedCompression
            | Self::ReservedOpcode { .. }
            | Self::FragmentedControl
            | Self::OversizedControl
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::NonMinimalLength
            | Self::LengthOverflow
            | Self::UnexpectedContinuation
            | Self::InterleavedMessage
            | Self::TruncatedClose
            | Self::BadCloseCode { .. } => CloseCode::PROTOCOL_ERROR,
            Self::UnexpectedBinary => CloseCode::UNSUPPORTED,
            Self::InvalidUtf8 | Self::InvalidDeflate | Self::BadCloseReason => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::MessageTooLong { .. } | Self::TooManyFragments { .. } => {
                CloseCode::MESSAGE_TOO_BIG
            }
        }
    }
}

/// A sentence for the close frame's reason: at most 123 bytes, and what helps.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::ReservedBit => "a reserved bit is set that no negotiated extension uses",
            Self::MisplacedCompression => {
                "RSV1 belongs on the first frame of a message, not on control or continuation frames"
            }
            Self::ReservedOpcode { opcode } => {
                return write!(f, "opcode {opcode} is reserved");
            }
            Self::FragmentedControl => "a control frame must not be fragmented",
            Self::OversizedControl => "a control frame carries at most 125 bytes",
            Self::UnmaskedFrame => "a client must mask its frames",
            Self::MaskedFrame => "a server must not mask its frames",
            Self::NonMinimalLength => "the length must use the fewest possible bytes",
            Self::LengthOverflow => "the highest bit of a 64-bit length must be 0",
            Self::UnexpectedContinuation => "a continuation frame without a message to continue",
            Self::InterleavedMessage => "a new message began before the last fragment of another",
            Self::MessageTooLong { len_max } => {
                return write!(f, "a message may have at most {len_max} bytes");
            }
            Self::TooManyFragments { fragments_max } => {
                return write!(f, "a message may have at most {fragments_max} fragments");
            }
            Self::InvalidUtf8 => "text is not valid UTF-8",
            Self::InvalidDeflate => {
                "a compressed message is not valid DEFLATE by itself (client_no_context_takeover)"
            }
            Self::UnexpectedBinary => "binary messages are not accepted here, only text",
            Self::TruncatedClose => "a close frame has no payload or at least a two-byte code",
            Self::BadCloseCode { code } => {
                return write!(f, "{code} is not a close code that may be sent");
            }
            Self::BadCloseReason => "the close reason is not valid UTF-8",
        };
        f.write_str(text)
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::close_code::REASON_LEN_MAX;

    #[test]
    fn every_violation_has_a_sentence_that_fits_into_a_close_frame() {
        let all = [
            (Violation::ReservedBit, 1002),
            (Violation::MisplacedCompression, 1002),
            (Violation::ReservedOpcode { opcode: 15 }, 1002),
            (Violation::FragmentedControl, 1002),
            (Violation::OversizedControl, 1002),
            (Violation::UnmaskedFrame, 1002),
            (Violation::MaskedFrame, 1002),
            (Violation::NonMinimalLength, 1002),
            (Violation::LengthOverflow, 1002),
            (Violation::UnexpectedContinuation, 1002),
            (Violation::InterleavedMessage, 1002),
            (Violation::MessageTooLong { len_max: usize::MAX }, 1009),
            (Violation::TooManyFragments { fragments_max: u32::MAX }, 1009),
            (Violation::InvalidUtf8, 1007),
            (Violation::InvalidDeflate, 1007),
            (Violation::UnexpectedBinary, 1003),
            (Violation::TruncatedClose, 1002),
            (Violation::BadCloseCode { code: u16::MAX }, 1002),
            (Violation::BadCloseReason, 1007),
        ];
        for (violation, code) in all {
            let text = violation.to_string();
            assert!((10..=REASON_LEN_MAX).contains(&text.len()), "{text}");
            assert_eq!(violation.close_code().as_u16(), code, "{text}");
        }
    }
}
