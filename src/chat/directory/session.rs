//! A session: a connection that has said who it is.

use crate::chat::keys::UserKey;
use crate::chat::model::sessions::SessionSecret;
use crate::collections::{Few, Key};
use crate::net::ConnId;

/// A session's secret: who knows it may take the session over. It begins with the place of its user
/// among all, by which that is found; the other 96 bits are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::chat) struct Secret([u8; 16]);

/// A connection that has said hello: 24 bytes, which the list of a user's sessions does not exceed
/// as long as there is one.
#[derive(Clone, Debug)]
pub(in crate::chat) struct Session {
    pub conn: ConnId,
    /// The secret, with [`Secret::AWAY`] among the bits of the place, which has fewer.
    marked: [u8; 16],
}

impl Session {
    /// The session of this secret; the client has reported itself idle if it is `away`.
    pub(in crate::chat) fn new(conn: ConnId, secret: Secret, away: bool) -> Self {
        let mut session = Self { conn, marked: secret.0 };
        session.set_away(away);
        debug_assert_eq!(session.secret(), secret, "the place of a user is below 2^28");
        session
    }

    pub(in crate::chat) const fn secret(&self) -> Secret {
        let bits = u128::from_ne_bytes(self.marked);
        // Of a secret that is spent all bits are set, of others neither of these two.
        let is_spent = bits & Secret::SPENT_MARK != 0;
        Secret::of_bits(if is_spent { bits | Secret::AWAY } else { bits & !Secret::AWAY })
    }

    /// The secret is another one from now on.
    pub(super) fn set_secret(&mut self, secret: Secret) {
        *self = Self::new(self.conn, secret, self.is_away());
    }

    /// Whether the client reported itself idle.
    pub(in crate::chat) const fn is_away(&self) -> bool {
        u128::from_ne_bytes(self.marked) & Secret::AWAY != 0
    }

    /// The client reports itself idle, or back.
    pub(in crate::chat) const fn set_away(&mut self, away: bool) {
        let bits = u128::from_ne_bytes(self.marked);
        let bits = if away { bits | Secret::AWAY } else { bits & !Secret::AWAY };
        self.marked = bits.to_ne_bytes();
    }
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it.
const _: () = assert!(size_of::<Few<Session>>() <= 24);

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
    /// Bits after the place of the user.
    const RANDOM_BITS: u32 = 96;
    /// A bit above the largest place, in which a [`Session`] says that its client is away.
    const AWAY: u128 = 1 << 127;
    /// Another one, which only [`Secret::SPENT`] has.
    const SPENT_MARK: u128 = 1 << 126;

    /// The secret of these random bits for the user at this place.
    pub(in crate::chat) fn new(user: UserKey, bits: u128) -> Self {
        let SessionSecret(random) = Self::shared_of(bits);
        Self::of_bits((user.index() as u128) << Self::RANDOM_BITS | random)
    }

    /// Its random part, which is all that nodes share: a user's place differs from node to node.
    pub(in crate::chat) const fn shared(self) -> SessionSecret {
        Self::shared_of(u128::from_ne_bytes(self.0))
    }

    /// The random part of these bits.
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

// Neither of the marks is ever a part of a place.
const _: () = assert!((UserKey::INDEX_MAX as u128) << Secret::RANDOM_BITS < Secret::SPENT_MARK);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_its_secret_whether_its_client_is_away_or_not() {
        let conn = ConnId::new(3, 5).unwrap();
        let last = UserKey::new(UserKey::INDEX_MAX, 0);
        for secret in
            [Secret::new(UserKey::new(0, 0), 1), Secret::new(last, u128::MAX), Secret::SPENT]
        {
            for away in [false, true] {
                let mut session = Session::new(conn, secret, away);
                assert_eq!((session.secret(), session.is_away()), (secret, away));
                session.set_away(!away);
                assert_eq!((session.secret(), session.is_away()), (secret, !away));
                session.set_secret(Secret::SPENT);
                assert_eq!((session.secret(), session.is_away()), (Secret::SPENT, !away));
            }
        }
    }

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
