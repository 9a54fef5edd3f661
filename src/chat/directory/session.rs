//! A session: a connection that has said who it is.

use crate::chat::keys::UserKey;
use crate::chat::model::sessions::SessionSecret;
use crate::collections::Key as _;
use crate::net::ConnId;

/// A session's secret: who knows it may take the session over. It begins with the place of its user
/// among all, by which that is found; the other 96 bits are random.
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
    /// That of a session which another connection has taken over: it is nobody's.
    pub(super) const SPENT: Self = Self([u8::MAX; 16]);
    /// Bits behind the place of the user.
    const RANDOM_BITS: u32 = 96;

    /// The secret of these random bits for the user at this place.
    pub(in crate::chat) fn new(user: UserKey, bits: u128) -> Self {
        let SessionSecret(random) = Self::shared_of(bits);
        Self::of_bits((user.index() as u128) << Self::RANDOM_BITS | random)
    }

    /// What is random in it: at other nodes its user has another place.
    pub(in crate::chat) const fn shared(self) -> SessionSecret {
        Self::shared_of(u128::from_ne_bytes(self.0))
    }

    /// The same of the secret that is made of these bits.
    pub(in crate::chat) const fn shared_of(bits: u128) -> SessionSecret {
        SessionSecret(bits & ((1 << Self::RANDOM_BITS) - 1))
    }

    const fn of_bits(bits: u128) -> Self {
        Self(bits.to_ne_bytes())
    }

    /// The place of its user.
    pub(super) fn place(self) -> usize {
        let place = u128::from_ne_bytes(self.0) >> Self::RANDOM_BITS;
        usize::try_from(place).unwrap_or(usize::MAX)
    }

    /// Reads the text that [`Secret::to_text`] made; `None` for anything else, which is no session
    /// of ours.
    pub(in crate::chat) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('s').filter(|digits| digits.len() == 32)?;
        // Before `from_str_radix`, which takes a sign and capitals as well: one secret must have
        // one spelling.
        let hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        u128::from_str_radix(digits, 16).ok().filter(|_| hex).map(Self::of_bits)
    }

    /// The secret as it stands in the protocol.
    pub(in crate::chat) fn to_text(self) -> Box<str> {
        let mut text = [b's'; 33];
        let mut rest = u128::from_ne_bytes(self.0);
        for digit in text.iter_mut().skip(1).rev() {
            let value = u8::try_from(rest % 16).unwrap_or(0);
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
            rest /= 16;
        }
        str::from_utf8(&text).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_as_it_was_written_and_in_no_other_spelling() {
        for bits in [0, 1, 0xabc, u128::MAX] {
            assert_eq!(
                Secret::parse(&Secret::of_bits(bits).to_text()),
                Some(Secret::of_bits(bits))
            );
        }
        for text in ["", "s", "0", "s0", &format!("s{:032X}", u128::MAX), &format!("t{:032x}", 1)] {
            assert_eq!(Secret::parse(text), None, "{text:?}");
        }
        assert_eq!(Secret::parse(&format!("s+{:031x}", 1)), None, "a sign is no digit");
    }
}
