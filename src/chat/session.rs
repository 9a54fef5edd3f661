//! A session: a connection that has said who it is.

use super::keys::{RoomKey, UserKey};
use super::model::output::Encoding;
use crate::collections::{Few, Ledger};
use crate::net::ConnId;

/// A session's secret: who knows it may take the session over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Secret(pub [u8; 16]);

/// Where a session's subscription stands in its room.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubRef {
    pub room: RoomKey,
    /// The index in the room's subs.
    pub index: u32,
}

/// A connection that has said hello, in one cache line: a fan-out visits many.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Session {
    pub conn: ConnId,
    pub user: UserKey,
    pub encoding: Encoding,
    /// Nobody looks at it.
    pub away: bool,
    /// How many of the subs are behind.
    pub behind: u32,
    /// Replies that wait for a cursor which is behind.
    pub held: u8,
    /// Requests that wait for the logs, by [weight](super::asked::Asked::weight).
    pub waiting: u8,
    /// What decides whether its cursors are live.
    pub credit: Ledger,
    pub secret: Secret,
    /// By room.
    pub subs: Few<SubRef>,
}

impl Secret {
    /// The secret of these bits.
    pub(super) const fn new(bits: u128) -> Self {
        Self(bits.to_ne_bytes())
    }
}

impl Session {
    /// How many answers it waits for.
    pub(super) fn owed(&self) -> u32 {
        u32::from(self.held) + u32::from(self.waiting)
    }

    /// Where the subscription to `room` stands: its index in `subs`, or where it would be.
    pub(super) fn find(&self, room: RoomKey) -> Result<usize, usize> {
        self.subs.binary_search_by_key(&room, |sub| sub.room)
    }

    /// The index in the subs of `room`.
    pub(super) fn index_in(&self, room: RoomKey) -> Option<usize> {
        let found = self.subs.get(self.find(room).ok()?)?;
        usize::try_from(found.index).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_cache_line() {
        assert_eq!(size_of::<Option<Session>>(), 64);
    }
}
