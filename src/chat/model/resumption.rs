//! How the rooms of a client that comes back go on.

use super::name::{RoomName, UserName};
use super::record::Epoch;
use super::refusal::Refusal;

/// Why records are not there any more, or not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapWhy {
    /// The log no longer keeps them.
    Pruned,
    /// More than may be asked for at once: the client pages by `history`.
    Limit,
}

impl GapWhy {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pruned => "pruned",
            Self::Limit => "limit",
        }
    }
}

/// How one room of a returning client goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// The records `from..=to` follow; none if `to` is `from - 1`.
    From {
        /// The first seq that follows.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The records `gap.0..=gap.1` are not there any more, then `from..=to` follow.
    Gap {
        /// The first and the last seq that are missing.
        gap: (u64, u64),
        /// Why.
        why: GapWhy,
        /// The first seq that follows.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The log began anew: what the client has belongs to another epoch.
    Reset {
        /// The present epoch.
        epoch: Epoch,
        /// The head of the log, at which the cursor starts.
        seq: u64,
    },
    /// The room cannot be returned to.
    Refused(Refusal),
}

impl Resumption {
    /// The seq with which a cursor begins that is to be brought up, `None` if it is live at the
    /// head.
    #[must_use]
    pub const fn next(&self) -> Option<u64> {
        match self {
            Self::From { from, .. } | Self::Gap { from, .. } => Some(*from),
            Self::Reset { .. } | Self::Refused(_) => None,
        }
    }
}

/// Users and up to which seq each has read, by name; those who have read nothing are left out.
pub type ReadMarks = Vec<(UserName, u64)>;

/// How one room of a resume goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumedRoom {
    /// The name that the client gave.
    pub requested: Box<str>,
    /// The name that the room has now, if that is another.
    pub name: Option<RoomName>,
    /// How it goes on.
    pub resumption: Resumption,
    /// How far others have read there.
    pub marks: ReadMarks,
}
