//! What the API is asked for.

use serde::de::{Deserialize, Deserializer, Error as _};

use super::shape::{Described, Kind, shapes, words};

/// How many rows of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub usize);

impl Limit {
    /// The most rows of one answer.
    pub const MAX: usize = 1_000;
    /// How many there are if nothing is said of it.
    pub const DEFAULT: usize = 100;
}

impl Default for Limit {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

impl Described for Limit {
    const KIND: Kind = Kind::Number(1, Self::MAX as u64);
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        let rows = usize::try_from(number).ok().filter(|rows| (1..=Self::MAX).contains(rows));
        rows.map(Self).ok_or_else(|| D::Error::custom("limit: must be between 1 and 1000"))
    }
}

words! {
    /// In which order connections are listed.
    ConnectionSort {
        /// Those first that lag most.
        Lag => "lag",
        /// Those first for which most bytes wait.
        Bytes => "bytes",
        /// Those first that were silent for longest.
        Idle => "idle",
        /// Those first that came last.
        Since => "since",
    }

    /// In which order rooms are listed.
    RoomSort {
        /// By name.
        Name => "name",
        /// The largest first.
        Members => "members",
        /// Those first that most connections are subscribed to.
        Subscribers => "subscribers",
        /// Those first with the longest log.
        Seq => "seq",
    }
}

shapes! {
    /// Nothing.
    asked Nothing {}

    /// Which connections.
    asked ConnectionsQuery {
        /// Which first: those that lag most, for which most bytes wait, that were silent for
        /// longest, or that came last. "since" without it.
        sort: Option<ConnectionSort>,
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those of this user.
        user: Option<String>,
    }

    /// Which connections that have ended.
    asked ClosedQuery {
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those of this user.
        user: Option<String>,
        /// Only those that have ended for this reason.
        reason: Option<String>,
    }

    /// Which rooms.
    asked RoomsQuery {
        /// In which order: by name, or those with most members, subscribers or records first.
        /// "name" without it.
        sort: Option<RoomSort>,
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those behind this place: the `next` of the page before.
        after: Option<String>,
    }
}
