//! Where an edge comes from, as the poller's token.

use mio::Token;

use crate::net::ConnId;

/// Listeners that can be told apart.
const LISTENERS_MAX: usize = 256;

/// What is registered with the poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A connection, by its name.
    Connection(ConnId),
    /// A listener, by its index, at most 255.
    Listener(usize),
    /// The signal pipe.
    Signals,
    /// Another thread.
    Waker,
}

impl Source {
    /// The token of this source. Connections have their names; the others have the names of the
    /// last generation, which no connection ever gets.
    pub(super) fn token(self) -> Token {
        let slot = match self {
            Self::Connection(id) => return pack(id),
            Self::Listener(nth) => nth.min(LISTENERS_MAX - 1),
            Self::Signals => LISTENERS_MAX,
            Self::Waker => LISTENERS_MAX + 1,
        };
        ConnId::new(slot, ConnId::GENERATION_MAX).map_or(Token(usize::MAX), pack)
    }

    /// The inverse of [`Source::token`].
    #[inline]
    pub(super) fn of(token: Token) -> Self {
        let id = ConnId::from_u64(token.0 as u64);
        // Connections come first: nearly every edge is one of theirs.
        if id.generation() != ConnId::GENERATION_MAX {
            return Self::Connection(id);
        }
        match id.slot() {
            nth @ ..LISTENERS_MAX => Self::Listener(nth),
            LISTENERS_MAX => Self::Signals,
            _ => Self::Waker,
        }
    }
}

const _: () = assert!(usize::BITS == u64::BITS, "a token must hold a ConnId");

#[expect(clippy::cast_possible_truncation, reason = "asserted above")]
fn pack(id: ConnId) -> Token {
    Token(id.as_u64() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart() {
        let last = ConnId::new(ConnId::SLOTS_MAX - 1, ConnId::GENERATION_MAX - 1).unwrap();
        for source in [
            Source::Connection(ConnId::new(0, 1).unwrap()),
            Source::Connection(ConnId::new(5, 7).unwrap()),
            Source::Connection(last),
            Source::Listener(0),
            Source::Listener(255),
            Source::Signals,
            Source::Waker,
        ] {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
