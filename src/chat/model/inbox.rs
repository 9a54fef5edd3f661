//! An inbox, and what it is read from: rooms whose unread messages are not in memory.

use super::log_id::LogId;
use super::name::RoomName;
use super::record::{Epoch, SharedRecord};

/// One row of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// The room's present name.
    pub room: RoomName,
    /// The names that it had before, oldest first.
    pub former: Box<[RoomName]>,
    /// Its log's epoch.
    pub epoch: Epoch,
    /// The head of its log.
    pub seq: u64,
    /// Up to which seq the user's clients have received.
    pub recv: u64,
    /// Up to which seq the user has read.
    pub read: u64,
    /// Messages above `read` that are not the user's own.
    pub unread: u64,
    /// Those of them that name the user, or the room.
    pub mentions: u64,
    /// Those of them that belong to a thread; 0 where nobody can follow one.
    pub in_threads: u64,
    /// The last message, if the log still has it.
    pub last: Option<SharedRecord>,
}

/// One room of [`Query::Inbox`](super::log::Query::Inbox).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxQuery {
    /// Which log.
    pub log: LogId,
    /// Up to which seq the user has read.
    pub read: u64,
    /// The last seq that counts.
    pub head: u64,
    /// Whether the last message is wanted.
    pub last: bool,
}

/// What there is of one room of [`Query::Inbox`](super::log::Query::Inbox).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxFound {
    /// Messages of others above what was read, counted up to
    /// [`UNREAD_MAX`](super::limits::UNREAD_MAX).
    pub unread: u64,
    /// Those of them that [name](super::mentions::names) the user, among the latest
    /// [`MENTIONING_MAX`](super::limits::MENTIONING_MAX) with an `@`.
    pub mentions: u64,
    /// Those of them that belong to a thread; 0 where nobody can follow one.
    pub in_threads: u64,
    /// The last message, if it is wanted.
    pub last: Option<SharedRecord>,
}
