//! Threads: the messages that belong to another one, who follows them, and how far.

use super::log_id::LogId;
use super::name::{RoomName, UserName};
use super::record::SharedRecord;

/// What a user wants to be kept of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadMark {
    /// Who.
    pub user: UserName,
    /// The room of the thread.
    pub room: RoomName,
    /// The seq of its first message.
    pub thread: u64,
    /// What.
    pub change: ThreadChange,
    /// When: milliseconds since 1970.
    pub at: u64,
}

/// How far somebody has read a thread, as a row of a store or an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMark {
    /// The row of its room.
    pub room: i64,
    /// The seq of the first message of its thread.
    pub thread: u64,
    /// Whose it is.
    pub user: Box<str>,
    /// Up to which seq the thread is read.
    pub read: u64,
    /// When that was changed last.
    pub at: u64,
    /// By choice the thread is not followed.
    pub off: bool,
}

/// What a user's sessions are told of a mark that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkNews {
    /// Whose it is.
    pub user: UserName,
    /// The room of the thread.
    pub room: RoomName,
    /// The seq of its first message.
    pub thread: u64,
    /// Whether it is followed now.
    pub following: bool,
    /// Up to which seq it is read, if that has changed.
    pub read: Option<u64>,
}

/// How a mark changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadChange {
    /// The thread is followed from here on: up to this seq it counts as read, unless it was
    /// followed before.
    Follow(u64),
    /// It is not followed, and does not become so by what others write. If it never was, it counts
    /// as read up to this seq should it be followed later.
    Unfollow(u64),
    /// It is read up to this seq. A mark never goes back; where none moves, since the thread is not
    /// followed or is read so far already, the change is refused as
    /// [`LogFault::Taken`](super::log::LogFault::Taken).
    Read(u64),
}

/// A thread that a user follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedThread {
    /// The log of its room.
    pub log: LogId,
    /// Its first message, of which a cluster has the beginning of the text only, and no data.
    pub root: SharedRecord,
    /// The seq of its last message; that of the first, if there is no other.
    pub last: u64,
    /// Up to which seq the user has read it.
    pub read: u64,
    /// The messages of others above that, counted up to
    /// [`THREAD_UNREAD_MAX`](super::limits::THREAD_UNREAD_MAX).
    pub unread: u64,
}

/// Which page of a thread is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadQuery {
    /// Who asks.
    pub user: UserName,
    /// The log of its room.
    pub log: LogId,
    /// The seq of its first message.
    pub thread: u64,
    /// Only messages below this seq.
    pub below: u64,
    /// The most messages of the page, besides the one with which the thread began.
    pub limit: u32,
}

/// The answer to a [`ThreadQuery`] about one thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadPage {
    /// Its messages, ascending; before all others the one with which it began.
    pub records: Vec<SharedRecord>,
    /// Whether there are earlier ones.
    pub more: bool,
    /// Up to which seq the user has read it, and how many messages of others are above that;
    /// `None` if it is not followed.
    pub mark: Option<(u64, u64)>,
}

/// A thread in the list of those that a user follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRow {
    /// The room.
    pub room: RoomName,
    /// The seq of its first message.
    pub thread: u64,
    /// Who has written that.
    pub from: UserName,
    /// The beginning of its text; empty, if it was deleted.
    pub text: Box<str>,
    /// The seq of its last message.
    pub seq: u64,
    /// Up to which seq the user has read it.
    pub read: u64,
    /// The messages of others above that.
    pub unread: u64,
}
