//! Close codes and the payload of a close frame: RFC 6455 sections 5.5.1 and 7.4.

use std::fmt;

use super::Violation;
use super::header::CONTROL_LEN_MAX;

/// The longest reason that fits beside the code into a control frame, in bytes.
pub const REASON_LEN_MAX: usize = CONTROL_LEN_MAX - 2;

/// A close code that may stand on the wire: 1000–1003, 1007–1014 or 3000–4999 (section 7.4).
///
/// 1004, 1005, 1006 and 1015 are never sent; no value of this type holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away: a server stops, a page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data that is not accepted, such as binary where text is due.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Data that is not what its type says, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The peer broke a rule for which there is no other code.
    pub const POLICY: Self = Self(1008);
    /// A message was too big.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// A client missed an extension in the server's handshake.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// The server met something unexpected.
    pub const INTERNAL: Self = Self(1011);
    /// The server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A gateway got a bad answer.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code `code`, or `None` if it must not stand on the wire.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// A code of the registered or private range, 3000–4999; any other does not compile.
    #[must_use]
    pub const fn application<const CODE: u16>() -> Self {
        const { assert!(matches!(CODE, 3000..=4999), "application close codes are 3000-4999") };
        Self(CODE)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

/// The number alone.
impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Takes apart the payload of a close frame: nothing, or a code and a reason.
///
/// # Errors
///
/// [`Violation::TruncatedClose`] for a single byte, [`Violation::BadCloseCode`],
/// [`Violation::BadCloseReason`] if the reason is not UTF-8.
pub fn decode_close(payload: &[u8]) -> Result<(Option<CloseCode>, &str), Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok((None, "")) } else { Err(Violation::TruncatedClose) };
    };
    let code = u16::from_be_bytes(*code);
    let code = CloseCode::new(code).ok_or(Violation::BadCloseCode { code })?;
    let Ok(reason) = std::str::from_utf8(reason) else {
        return Err(Violation::BadCloseReason);
    };
    Ok((Some(code), reason))
}

/// The longest start of `reason` that fits into a close frame and ends between two characters.
#[must_use]
pub(super) fn reason_that_fits(reason: &str) -> &str {
    // A reason that ends inside a character would be a violation of ours (section 5.5.1).
    let end = reason.floor_char_boundary(REASON_LEN_MAX);
    reason.get(..end).unwrap_or_default()
}

impl crate::pack::Pack for CloseCode {
    const SHAPE: u64 = <u16 as crate::pack::Pack>::SHAPE;

    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        u16::unpack(input).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &[u8], expect: Result<(Option<u16>, &str), Violation>) {
        let found = decode_close(payload);
        assert_eq!(found.map(|(code, reason)| (code.map(CloseCode::as_u16), reason)), expect);
    }

    #[test]
    fn of_all_codes_exactly_those_of_the_registry_may_be_received() {
        for code in 0..=u16::MAX {
            let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let expect =
                if valid { Ok((Some(code), "")) } else { Err(Violation::BadCloseCode { code }) };
            check(&code.to_be_bytes(), expect);
        }
    }

    #[test]
    fn an_empty_payload_says_nothing_and_one_byte_is_a_fault() {
        check(b"", Ok((None, "")));
        check(b"\x03", Err(Violation::TruncatedClose));
    }

    #[test]
    fn the_reason_must_be_utf8() {
        check(b"\x03\xe8bye \xc3\xa9", Ok((Some(1000), "bye \u{e9}")));
        check(b"\x03\xe8\xc3", Err(Violation::BadCloseReason));
        check(b"\x03\xe8\xed\xa0\x80", Err(Violation::BadCloseReason));
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        assert_eq!(reason_that_fits("short"), "short");
        assert_eq!(reason_that_fits(&"x".repeat(200)).len(), REASON_LEN_MAX);
        // 41 characters of three bytes are 123; of two bytes, 61 fit and half a character does not.
        assert_eq!(reason_that_fits(&"\u{20ac}".repeat(50)).len(), 123);
        assert_eq!(reason_that_fits(&"\u{e9}".repeat(100)).len(), 122);
    }

    #[test]
    fn application_codes_are_built_at_compile_time() {
        assert_eq!(CloseCode::application::<4101>().as_u16(), 4101);
    }
}
