//! What a stream of events reads, without a session and without entering a room.

use super::name::RoomName;
use super::record::Epoch;

/// A room that is to be read, and from where on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch<'a> {
    /// The room, by name.
    pub room: &'a str,
    /// The last position that the reader has, with the epoch if it knows it; `None`: only what
    /// comes from now on.
    pub after: Option<(Option<&'a str>, u64)>,
}

/// Where a stream begins in one of its rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which of its rooms.
    pub room: RoomName,
    /// Its log's epoch.
    pub epoch: Epoch,
    /// What follows is above this seq.
    pub seq: u64,
    /// The reader's position belongs to another epoch: it begins at the head.
    pub is_reset: bool,
}
