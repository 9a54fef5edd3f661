//! What is asked of the logs that are stored, and what is answered.

use super::inbox::{InboxFound, InboxQuery};
use super::listed_rooms::{DirectoryQuery, StoredRoom};
use super::load::{Found, Wanted};
use super::log_id::LogId;
use super::name::{RoomName, UserName};
use super::people::AuditedAct;
use super::record::SharedRecord;
use super::thread::{FollowedThread, ThreadPage, ThreadQuery};

/// What is read from logs that are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The first `limit` records of these seqs that there are, ascending: as many as
    /// [`PAGE_BYTES_MAX`](super::limits::PAGE_BYTES_MAX) holds, and at least one.
    Page {
        /// Which log.
        log: LogId,
        /// The first seq.
        from: u64,
        /// The last seq.
        to: u64,
        /// How many.
        limit: u32,
    },
    /// The last `limit` records below a seq: as many as a page holds, ascending.
    Below {
        /// Which log.
        log: LogId,
        /// The seq.
        seq: u64,
        /// How many.
        limit: u32,
    },
    /// What the inbox of a user shows of these rooms.
    Inbox {
        /// Who looks: own messages are not unread.
        user: UserName,
        /// The rooms.
        rows: Vec<InboxQuery>,
    },
    /// The latest messages that contain all these words, in any of these logs: none after the one
    /// with which they are more than [`PAGE_BYTES_MAX`](super::limits::PAGE_BYTES_MAX).
    Search {
        /// Who searches.
        user: UserName,
        /// Where: logs in which the user is a member.
        logs: Vec<LogId>,
        /// Words, as they were typed; the last one may be the beginning of a word.
        text: Box<str>,
        /// Only what was found after this place of an earlier answer.
        before: Option<u64>,
        /// How many.
        limit: u32,
    },
    /// Rooms and users that are not in memory. Nobody asks for more before this is answered. Where
    /// logs are shared, rooms that are in memory may be among them: what other nodes have put there
    /// is told before the answer, which need not have them.
    Load(Box<Wanted>),
    /// What was noted of owners and administrators, latest first.
    Audit {
        /// Who asks.
        user: UserName,
        /// Only in this room.
        room: Option<RoomName>,
        /// Only before the act of this id.
        before: Option<u64>,
        /// How many.
        limit: u32,
    },
    /// The last messages of a thread below a seq: as many as a page holds.
    Thread(ThreadQuery),
    /// The threads that a user follows in these logs, those first whose marks were changed last.
    Threads {
        /// Who.
        user: UserName,
        /// The logs.
        logs: Vec<LogId>,
    },
    /// The rooms that everybody may find, by name: conversations and private rooms are not among
    /// them.
    Directory(DirectoryQuery),
    /// What a user has written, and all of these logs, oldest first: as many as a page holds.
    Written {
        /// Who.
        user: UserName,
        /// The direct conversations.
        logs: Vec<LogId>,
        /// Only what is after this place of an earlier answer.
        above: u64,
        /// How many.
        limit: u32,
    },
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Page`] and [`Query::Below`].
    Records {
        /// The records, ascending, dense.
        records: Vec<SharedRecord>,
        /// The log's head when they were read: changes of a higher seq are not in them.
        as_of: u64,
    },
    /// To [`Query::Inbox`], row by row.
    Inbox(Vec<InboxFound>),
    /// To [`Query::Search`].
    Found {
        /// The messages, latest first.
        items: Vec<(LogId, SharedRecord)>,
        /// The place after which to look for more, `None` if that was all.
        next: Option<u64>,
    },
    /// To [`Query::Load`]. Rooms that were dropped since it was asked are not in it.
    Loaded(Found),
    /// To [`Query::Audit`].
    Acts {
        /// The acts with their ids.
        acts: Vec<(u64, AuditedAct)>,
        /// Whether there are more.
        more: bool,
    },
    /// To [`Query::Thread`].
    Thread(ThreadPage),
    /// To [`Query::Threads`].
    Threads(Vec<FollowedThread>),
    /// To [`Query::Directory`].
    Rooms {
        /// The rooms, by name.
        rooms: Vec<StoredRoom>,
        /// The name after which to look for more, `None` if that was all.
        next: Option<RoomName>,
    },
    /// To [`Query::Written`].
    Written {
        /// The records, with the names of their rooms.
        items: Vec<(RoomName, SharedRecord)>,
        /// The place after which to look for more, `None` if that was all.
        next: Option<u64>,
    },
}
