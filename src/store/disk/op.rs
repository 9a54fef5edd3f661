//! What the writer is asked to do.

use crate::chat::model::log::{
    Appended, Draft, LogFault, LogId, LogReply, Restriction, RoomMeta, Ticket,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Durability;

use super::database::Level;

/// One request, in the order in which they were made.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are appends")]
pub(super) enum Op {
    /// A log begins or goes on.
    Open(LogId, Box<Opening>),
    /// Put a record there.
    Append(Append),
    /// Remember a fact.
    PutMeta(LogId, RoomMeta),
    /// Say when everything before is written.
    Sync(Ticket, Level),
    /// Forget the log.
    Drop(LogId),
}

/// A record to be put at a log's end.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) log: LogId,
    pub(super) ticket: Ticket,
    pub(super) level: Level,
    /// When it was asked for: milliseconds since 1970.
    pub(super) wall_ms: u64,
    pub(super) draft: Draft,
}

/// What a log begins with.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) name: RoomName,
    pub(super) durability: Durability,
    pub(super) retention: Retention,
    /// Its row as it is stored, or as it is to be stored first.
    pub(super) row: RoomRow,
    /// The row is stored.
    pub(super) stored: bool,
}

/// What the store knows of a room besides its name and its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoomRow {
    pub(super) id: i64,
    pub(super) epoch: Epoch,
    pub(super) durability: Durability,
    pub(super) tail: Tail,
}

/// What changes with each record of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last seq.
    pub(super) head: u64,
    /// The first seq that is still there, head + 1 if none is.
    pub(super) oldest: u64,
    /// When the last record came.
    pub(super) at: u64,
    /// Bytes of text and data of all records that are there.
    pub(super) bytes: u64,
}

/// What a fact is about: a later one about the same takes its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matter {
    Access,
    Topic,
    Member(UserName),
    Restriction(UserName, Restriction),
}

impl Matter {
    /// What this fact is about.
    pub(super) fn of(meta: &RoomMeta) -> Self {
        match meta {
            RoomMeta::Access { .. } => Self::Access,
            RoomMeta::Topic(_) => Self::Topic,
            RoomMeta::Member(user, _) => Self::Member(user.clone()),
            RoomMeta::Restriction(user, standing, _) => Self::Restriction(user.clone(), *standing),
        }
    }
}

impl Op {
    /// The level that is asked for, if one is.
    pub(super) const fn level(&self) -> Option<Level> {
        match self {
            Self::Append(append) => Some(append.level),
            Self::Sync(_, level) => Some(*level),
            Self::Open(..) | Self::PutMeta(..) | Self::Drop(_) => None,
        }
    }
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    /// For an append of this weight.
    Append(Ticket, usize),
    Sync(Ticket),
}

impl Waiting {
    /// Who waits for what is asked, if anybody does.
    pub(super) fn of(op: &Op) -> Option<Self> {
        match op {
            Op::Append(append) => Some(Self::Append(append.ticket, append.weight())),
            Op::Sync(ticket, _) => Some(Self::Sync(*ticket)),
            Op::Open(..) | Op::PutMeta(..) | Op::Drop(_) => None,
        }
    }

    /// The answer if it was not done.
    pub(super) const fn refused(self, fault: LogFault) -> LogReply {
        match self {
            Self::Append(ticket, _) => {
                LogReply::Appended { ticket, outcome: Appended::Refused(fault) }
            }
            Self::Sync(ticket) => LogReply::Synced { ticket, outcome: Err(fault) },
        }
    }

    /// The answer if everything is written; what became of an append is said on its own.
    pub(super) const fn done(self) -> Option<LogReply> {
        match self {
            Self::Append(..) => None,
            Self::Sync(ticket) => Some(LogReply::Synced { ticket, outcome: Ok(()) }),
        }
    }
}

impl Append {
    /// Bytes that it counts for.
    pub(super) fn weight(&self) -> usize {
        usize::try_from(self.draft.weight).unwrap_or(usize::MAX)
    }
}

/// A number of the file that is never negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
