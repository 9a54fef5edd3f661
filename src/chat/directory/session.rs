//! A session: a connection that has said who it is.

use crate::net::ConnId;

/// A session's secret: who knows it may take the session over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::chat) struct Secret([u8; 16]);

/// A connection that has said hello.
#[derive(Debug)]
pub(in crate::chat) struct Session {
    pub conn: ConnId,
    pub secret: Secret,
    /// The client reported itself idle.
    pub away: bool,
}

/// A session whose connection is gone, and which may be resumed: what it has said of itself holds
/// then, too.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct EndedSession {
    pub secret: Secret,
    pub away: bool,
}

impl Secret {
    /// The secret of these bits.
    pub(in crate::chat) const fn new(bits: u128) -> Self {
        Self(bits.to_ne_bytes())
    }

    /// Reads the text that [`Secret::to_text`] made; `None` for anything else, which is no session
    /// of ours.
    pub(in crate::chat) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('s').filter(|digits| digits.len() == 32)?;
        // Before `from_str_radix`, which takes a sign and capitals as well: one secret must have
        // one spelling.
        let hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        u128::from_str_radix(digits, 16).ok().filter(|_| hex).map(Self::new)
    }

    /// The secret as it stands in the protocol.
    pub(in crate::chat) fn to_text(self) -> Box<str> {
        format!("s{:032x}", u128::from_ne_bytes(self.0)).into_boxed_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_as_it_was_written_and_in_no_other_spelling() {
        for bits in [0, 1, 0xabc, u128::MAX] {
            assert_eq!(Secret::parse(&Secret::new(bits).to_text()), Some(Secret::new(bits)));
        }
        for text in ["", "s", "0", "s0", &format!("s{:032X}", u128::MAX), &format!("t{:032x}", 1)] {
            assert_eq!(Secret::parse(text), None, "{text:?}");
        }
        assert_eq!(Secret::parse(&format!("s+{:031x}", 1)), None, "a sign is no digit");
    }
}
