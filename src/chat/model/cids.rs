//! What a log in memory remembers of messages, so that one that is repeated is there once.

use crate::time::Tick;

/// A message with a `cid` that is in a log, as it is remembered: by keyed hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedCid {
    /// The hash of user and `cid`.
    pub key: (u64, u64),
    /// The hash of what was said.
    pub said: u64,
    /// The record's seq.
    pub seq: u64,
    /// When the log took it.
    pub at: u64,
    /// Since when it is remembered.
    pub since: Tick,
}

/// The `cid` of a message that was changed or is gone, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCid {
    /// The number of the room's row.
    pub room: i64,
    /// Who has sent it.
    pub sender: Box<str>,
    /// The client's own id of it.
    pub cid: Box<str>,
    /// The record's seq.
    pub seq: u64,
    /// When the log took it.
    pub at: u64,
}

/// The key of the hashes of [`RememberedCid`], and a hash that shows whether another process makes
/// the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidSecret {
    /// Random, of each process that begins anew: clients cannot make hashes collide.
    pub key: u128,
    /// The hash of nothing.
    pub check: u64,
}
