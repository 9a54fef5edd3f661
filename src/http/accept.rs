//! The proof that a server understands WebSocket: RFC 6455 sections 1.3 and 4.2.2.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// The constant that is hashed with a key (section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Takes a last character whose low bits, which no byte is made of, are not zero: the key that
/// section 4.1 prints has such (erratum 3150), and the answer is made of the text as it came.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Characters of an accept value: 20 bytes in base64.
const ACCEPT_TEXT_LEN: usize = 4 * 20_usize.div_ceil(3);

/// The value of `Sec-WebSocket-Accept`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcceptKey([u8; ACCEPT_TEXT_LEN]);

impl AcceptKey {
    /// The answer to `key`, the value of `Sec-WebSocket-Key`; `None` if that is not a base64
    /// form of 16 bytes.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        // Room for the padding, which the decoder wants and estimates with; a longer key does not
        // fit.
        let mut nonce = [0; 18];
        if LENIENT.decode_slice(key, &mut nonce) != Ok(16) {
            return None;
        }
        let mut hash = sha1_smol::Sha1::new();
        // The text as it came, and not the bytes that it stands for (section 4.2.2).
        hash.update(key);
        hash.update(GUID.as_bytes());
        let mut text = [0; ACCEPT_TEXT_LEN];
        let written = STANDARD.encode_slice(hash.digest().bytes(), &mut text);
        written.ok().map(|_| Self(text))
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for AcceptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key that a client makes of 16 random bytes.
#[must_use]
pub fn encode_key(nonce: [u8; 16]) -> String {
    STANDARD.encode(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_holds() {
        let accept = AcceptKey::of(b"dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        assert_eq!(accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_clients_key_is_accepted() {
        for byte in 0..=u8::MAX {
            assert!(AcceptKey::of(encode_key([byte; 16]).as_bytes()).is_some());
        }
    }

    #[test]
    fn bits_of_a_key_that_no_byte_is_made_of_may_be_anything() {
        for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".chars() {
            let key = format!("AQIDBAUGBwgJCgsMDQ4PE{last}==");
            assert!(AcceptKey::of(key.as_bytes()).is_some(), "{key}");
        }
    }

    #[test]
    fn what_is_not_16_bytes_of_base64_is_refused() {
        for key in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZQ=a",
            "dGhlIHNhbXBsZSBub25jZQAA",
            "dGhlIHNhbXBsZSBub25jZQA=",
            "dGhlIHNhbXBsZSBub25j====",
            "dGhlIHNhbXBsZSBub25j ZQ=",
            "dGhlIHNhbXBsZSBub25jZ-==",
            "dGhlIHNhbXBsZSBub25jZ_==",
            "========================",
            "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
        ] {
            assert_eq!(AcceptKey::of(key.as_bytes()), None, "{key:?}");
        }
        assert_eq!(AcceptKey::of(&[0xff; 24]), None);
    }
}
