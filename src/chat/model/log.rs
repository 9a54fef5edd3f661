//! The boundary to the store of the logs: what the domain asks, and what it learns.
//!
//! The log assigns `seq` and `at`, and the domain learns of a record when the log has it, at the
//! level of durability that the room promises. Only then is the record shown to anyone.
//!
//! ```text
//!  Open ─ Append ─ PutMeta ─ Sync ─ Drop ─▶ the writer, in this order ─▶ Appended, Synced, Pruned
//!  Read ──────────────────────────────▶ the reader ────────────────▶ Answer
//!  Load ▶ the reader ▶ Begun ▶ Open … Settle ▶ Synced ▶ Close          (see [`load`](super::load))
//! ```
//!
//! Where several nodes share the logs, each learns what the others do:
//!
//! ```text
//!  Grown    others' records, dense, in order with the answers to one's own; and changed facts
//!  Renewed  the room is another than was told      Gone  it is no more
//!  Tell ▶ the other nodes ▶ Told                   (see [`other_nodes`](super::other_nodes))
//!  Claim ▶ Claimed, and at another node Replaced   (see [`sessions`](super::sessions))
//! ```
//!
//! Requests to one log are done in order. A [`RoomMeta`] is safe before any record that was
//! appended after it, so that a client that is told of the record can rely on it. Metadata that
//! could not be written stays with the store until it is; records that could not be written are
//! refused.

use std::sync::Arc;

pub use super::cids::{CidSecret, RememberedCid};
pub use super::draft::{Draft, TargetCheck};
pub use super::inbox::{InboxFound, InboxQuery};
use super::load::{Begun, Found, Kept, Wanted};
pub use super::log_id::{LogId, Ticket};
pub use super::meta::{MemberMeta, MetaKey, Restriction, RestrictionMeta, RoomMeta};
use super::name::{RoomName, UserName};
use super::notice::{EventSet, Notice};
use super::other_nodes::{NodeId, Told};
use super::people::{People, PeopleChange};
use super::policy::Retention;
pub use super::query::{Answer, Query};
use super::record::{Epoch, SharedRecord};
use super::reply::Durability;
use super::sessions::{Claimed, SessionChange, SessionClaim};
pub use super::suspensions::{Expiry, Network, Suspensions};
use crate::net::ConnId;
use crate::time::Tick;
use crate::time::wall_watch::WallWatch;

/// What the domain asks of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRequest {
    /// A room is there: its log begins, empty, or goes on, if a log of this name is kept.
    Open {
        /// The log's name.
        log: LogId,
        /// The room's name.
        room: RoomName,
        /// The log's epoch, if it begins.
        epoch: Epoch,
        /// What its records survive.
        durability: Durability,
        /// For how long they are kept.
        retention: Retention,
        /// What was loaded with the room, as it came; `None` of one that is not kept.
        kept: Option<Kept>,
    },
    /// The log, which has begun empty and is in memory, goes on where another process has left it.
    Adopt {
        /// Which log.
        log: LogId,
        /// The last seq.
        head: u64,
        /// When the last record was put there.
        last_at: u64,
        /// The messages that are not put there again.
        cids: Vec<RememberedCid>,
    },
    /// Put a record at the log's end. A message with the `cid` of an earlier one by the same user
    /// is not put there again, and no record without an effect. Answered by [`LogReply::Appended`].
    Append {
        /// Which log.
        log: LogId,
        /// To be named in the answer.
        ticket: Ticket,
        /// The record.
        draft: Draft,
    },
    /// Remember a fact, at leisure: later facts of the same kind replace those that were not
    /// written yet. Where logs are shared, marks of a member never go back, and who is a member
    /// already keeps the role: that changes with records only.
    PutMeta {
        /// Which log.
        log: LogId,
        /// What.
        meta: RoomMeta,
    },
    /// Say when everything that was asked of this log before is written, at the level of its room:
    /// answered by [`LogReply::Synced`].
    Sync {
        /// Which log.
        log: LogId,
        /// To be named in the answer.
        ticket: Ticket,
    },
    /// As [`Self::Sync`], but on the disk whatever the level of the room is: it is going to be
    /// forgotten.
    Settle {
        /// Which log.
        log: LogId,
        /// To be named in the answer.
        ticket: Ticket,
    },
    /// Nothing more is asked of this log: the room is forgotten, and stays in the store. All that
    /// was asked before is on the disk.
    Close {
        /// Which log.
        log: LogId,
    },
    /// Read from logs that are stored: answered by [`LogReply::Answer`], in any order.
    Read {
        /// To be named in the answer.
        ticket: Ticket,
        /// What.
        query: Query,
    },
    /// Change what is kept of people, all of it or nothing: answered by [`LogReply::Synced`] when
    /// it is written.
    People {
        /// To be named in the answer.
        ticket: Ticket,
        /// What.
        changes: Vec<PeopleChange>,
    },
    /// Tell the webhooks of something that is in no log; it is written before what is asked for
    /// afterwards, or with it.
    Notice(Notice),
    /// Tell the other nodes of something that is in no log, at leisure; it may be lost. Asked only
    /// where logs are shared.
    Tell(Told),
    /// A session is to begin: answered by [`LogReply::Claimed`] when that is written. Asked only
    /// where logs are shared.
    Claim(Ticket, SessionClaim),
    /// Something has become of a session; written at leisure, after what was asked before. Asked
    /// only where logs are shared.
    Session(SessionChange),
    /// The room ends for all who are in it, and its log with it: answered by [`LogReply::Synced`]
    /// when that is so; [`LogFault::Taken`] if another node has changed who may do it, or the room.
    /// Asked only where logs are shared.
    End {
        /// Which log.
        log: LogId,
        /// To be named in the answer.
        ticket: Ticket,
        /// What the others are told.
        farewell: Box<Farewell>,
    },
    /// The room is gone, and its log with it. Where logs are shared it stays if others have entered
    /// it or put something there, as far as this node was not told; and nothing happens if it is
    /// gone already.
    Drop {
        /// Which log.
        log: LogId,
    },
}

/// What is told to those who are in a room that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Who ends it.
    pub from: UserName,
    /// Why, empty if no reason was given.
    pub reason: Box<str>,
}

/// Why a request that was right was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogFault {
    /// Too many requests wait already.
    Busy,
    /// There is no room left to store it.
    Full,
    /// The store fails: its disk, or its file.
    Broken,
    /// The stored data is not what was written.
    Corrupt,
    /// The query would take too long.
    TooDear,
    /// Somebody else was first.
    Taken,
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The record is in the log.
    Stored(SharedRecord),
    /// The same message is in the log already, or what the record says is so already: it would have
    /// no effect. That record was told before, also another node's.
    Duplicate {
        /// Since which record.
        seq: u64,
        /// When the log took it.
        at: u64,
    },
    /// The `cid` belongs to another message.
    Conflict {
        /// That message's seq.
        seq: u64,
    },
    /// The log does not have this message, about which it was only asked.
    Unknown,
    /// The target is no message, or one that was deleted.
    NoSuchMessage,
    /// The target is another user's.
    NotYours,
    /// The target is too old.
    TooOld,
    /// The target keeps so many bytes of data beside the new text.
    TooLarge(usize),
    /// The seq in this field of a message is not that of a message, or not any more.
    NoSuchReference(&'static str),
    /// The `thread` of a message begins none: it belongs to the one that this seq has begun.
    InThread(u64),
    /// Not now, for this reason. It is not in the log and will not be.
    Refused(LogFault),
    /// It may be in the log, or not: whoever wants to know asks again with the same `cid`. If it is
    /// there, [`LogReply::Grown`] has it.
    Undecided,
    /// It is not in the log: what its sender may do was changed at another node. What has changed
    /// was told before, by [`LogReply::Grown`].
    Stale,
}

/// What the store of the logs answers or reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogReply {
    /// To [`LogRequest::Append`].
    Appended {
        /// The append's ticket.
        ticket: Ticket,
        /// What became of the record.
        outcome: Appended,
    },
    /// To [`LogRequest::Sync`], [`LogRequest::Settle`], [`LogRequest::End`] and
    /// [`LogRequest::People`].
    Synced {
        /// Which.
        ticket: Ticket,
        /// Whether all that was asked before is written.
        outcome: Result<(), LogFault>,
    },
    /// To [`LogRequest::Read`].
    Answer {
        /// Which.
        ticket: Ticket,
        /// What was read.
        outcome: Result<Answer, LogFault>,
    },
    /// The oldest records of a log are gone.
    Pruned {
        /// Which log.
        log: LogId,
        /// The first seq that is still there, head + 1 if none is.
        oldest: u64,
    },
    /// Whether records can be written has changed.
    Health(Result<(), LogFault>),
    /// A command has changed what is kept of people: all of it as it is now.
    People(Box<People>),
    /// Who may not use the server at all, from now on: all of them.
    Suspended(Arc<Suspensions>),
    /// Rooms that are not open have records that are not to be kept: they are to be loaded.
    Overdue(Vec<RoomName>),
    /// What webhooks are told from now on, all of them together.
    Webhooks(EventSet),
    /// Other nodes have put records into a log: the next ones after all that were told of it
    /// before, own ones included. Then these facts hold, in place of the last of their kind (and
    /// user): those that came with the records, and those that came without any.
    Grown {
        /// Which log.
        log: LogId,
        /// The records, ascending, dense above the head.
        records: Vec<SharedRecord>,
        /// What others have changed.
        meta: Vec<RoomMeta>,
    },
    /// A log is another than was told: it was begun by another node first, or it has a new epoch.
    /// Nothing of what was known of the room holds, and what waits for it is answered after this.
    Renewed {
        /// Which log.
        log: LogId,
        /// The room as it is now, under the same name.
        begun: Box<Begun>,
    },
    /// Another node has dropped or ended the room, and its log with it. What waits for it is still
    /// answered; nothing is asked of it any more, but perhaps to be dropped.
    Gone {
        /// Which log.
        log: LogId,
        /// Who has ended the room for all, and why; `None` if nobody has, or if that is not known.
        farewell: Option<Box<Farewell>>,
    },
    /// To [`LogRequest::Claim`].
    Claimed(Ticket, Result<Claimed, LogFault>),
    /// The session of this connection goes on at another node.
    Replaced(ConnId),
    /// Another node tells something that is in no log.
    Told {
        /// Which node.
        node: NodeId,
        /// What it tells.
        told: Told,
    },
    /// A node has begun to tell, or listens again after it could not: it is to be told all that is
    /// so here.
    NodeBegun {
        /// Which.
        node: NodeId,
    },
    /// A node is heard no more, or this one could not listen for a while: whatever it told is over,
    /// unless it tells it again.
    NodeGone {
        /// Which.
        node: NodeId,
    },
}

/// What the store has of the rooms when the server starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The rooms that are in memory from the start.
    pub rooms: Vec<Begun>,
    /// The rooms, and with them the users, that are in the store only, until they are loaded.
    pub elsewhere: Elsewhere,
    /// Who may not use the server.
    pub suspended: Arc<Suspensions>,
    /// Who there is.
    pub people: People,
    /// What webhooks are told, all of them together.
    pub webhooks: EventSet,
    /// The number of this node, where logs are shared with others.
    pub node: Option<NodeId>,
    /// Whether the wall clock can be believed, if the store knows that from before.
    pub wall: Option<WallWatch>,
}

/// What the store has besides, to be asked for by [`Query::Load`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Whether there may be anything that is not in memory, now or later.
    pub on_demand: bool,
    /// How many rooms.
    pub rooms: usize,
    /// The highest epoch of the rooms.
    pub newest: Option<Epoch>,
    /// Where names are proved for the first time: those of members and of who is restricted.
    pub names: Vec<UserName>,
}

/// The store of the logs as the server sees it: requests in, replies out, and nothing blocks.
pub trait Logs: std::fmt::Debug {
    /// Takes a request; its answer is then to be polled, now or in a later turn.
    fn request(&mut self, now: crate::time::clock::Now, request: LogRequest);

    /// All requests of a step have been handed over: what was gathered may be passed on.
    fn flush(&mut self);

    /// The next reply.
    fn poll(&mut self) -> Option<LogReply>;

    /// Reads rooms and users at once, where nobody is kept waiting by that: before anybody comes,
    /// or after [`Logs::resume`].
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    fn load(&mut self, wanted: &Wanted) -> Result<Found, String> {
        _ = wanted;
        Ok(Found::default())
    }

    /// The key with which the `cid`s of logs in memory are hashed.
    fn cid_secret(&self) -> CidSecret {
        CidSecret { key: 0, check: 0 }
    }

    /// The `cid`s that are remembered of a log in memory, oldest first.
    fn remembered(&self, log: LogId) -> Vec<RememberedCid> {
        _ = log;
        Vec::new()
    }

    /// Remembers by this key from now on, before anything is remembered. `false` if what another
    /// process remembers by it means nothing here.
    fn adopt_cid_secret(&mut self, secret: CidSecret) -> bool {
        _ = secret;
        false
    }

    /// The process stops: the files, which are closed when this is dropped, are not waited for
    /// beyond this moment.
    fn close_by(&mut self, deadline: Tick) {
        _ = deadline;
    }

    /// Begins to close the files, so that another process can open them: nothing is to be asked
    /// any more.
    fn suspend(&mut self) {}

    /// Waits until the files are closed, no longer than `patience`: whether they are, with all that
    /// was asked for.
    fn await_suspended(&self, patience: std::time::Duration) -> bool {
        _ = patience;
        true
    }

    /// Opens the files again after [`Logs::suspend`]: the logs that are stored are then to be
    /// opened anew, those in memory go on.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to do. Whatever is asked from then on is refused.
    fn resume(&mut self) -> Result<(), String> {
        Ok(())
    }
}
