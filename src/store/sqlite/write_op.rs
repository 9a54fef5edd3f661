//! What the writer is asked to do.

use std::sync::mpsc::SyncSender;

use crate::chat::model::log::{Appended, Draft, LogFault, LogId, LogReply, RoomMeta, Ticket};
use crate::chat::model::name::RoomName;
use crate::chat::model::people::PeopleChange;
use crate::chat::model::policy::Retention;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Durability;
use crate::chat::model::webhook::Notice;

use super::connection::Level;
use super::files::FileChange;
use super::outbox::Update;
use super::room_row::RoomRow;
use crate::chat::model::file_rows::FileOutcome;

/// One request; they are done in the order in which they were made.
#[derive(Debug)]
pub(super) enum Op {
    /// A log begins or goes on.
    Open(LogId, Box<Opening>),
    /// Append a record.
    Append(Append),
    /// Store room metadata.
    PutMeta(LogId, RoomMeta),
    /// Reply when everything before is written.
    Sync(Ticket, Level),
    /// Change what is kept of people.
    People(Ticket, Vec<PeopleChange>),
    /// Tell the webhooks of something that is in no log.
    Notice(Box<Notice>),
    /// Keep what has become of something that was sent to a webhook.
    Outbox(Update),
    /// Change what is known of files, and say what has come of it once it is committed.
    File(Box<FileChange>, SyncSender<FileOutcome>),
    /// Forget the log.
    Drop(LogId),
    /// Forget the log, which stays in the file.
    Close(LogId),
}

/// A record to be appended.
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
    pub(super) epoch: Epoch,
    pub(super) durability: Durability,
    pub(super) retention: Retention,
    /// Its row as it is stored, or as it is to be stored.
    pub(super) row: RoomRow,
    /// The row is stored.
    pub(super) is_stored: bool,
}

impl Op {
    /// Whether somebody waits until it is done.
    pub(super) const fn is_awaited(&self) -> bool {
        matches!(self, Self::Append(_) | Self::Sync(..) | Self::People(..) | Self::File(..))
    }

    /// The level that the request asks for, if it does.
    pub(super) const fn level(&self) -> Option<Level> {
        match self {
            Self::Append(append) => Some(append.level),
            Self::Sync(_, level) => Some(*level),
            // Who is told that a name is its own must find it so after a loss of power.
            // What is in a file is removed when it is known that its row is.
            Self::People(..) | Self::File(..) => Some(Level::Disk),
            Self::Open(..)
            | Self::PutMeta(..)
            | Self::Notice(_)
            | Self::Outbox(_)
            | Self::Drop(_)
            | Self::Close(_) => None,
        }
    }
}

impl Append {
    /// Bytes that it counts for.
    pub(super) fn weight(&self) -> usize {
        usize::try_from(self.draft.weight).unwrap_or(usize::MAX)
    }
}

/// A request that has to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unanswered {
    /// An append of this weight.
    Append(Ticket, usize),
    Sync(Ticket),
    People(Ticket),
}

impl Unanswered {
    /// What of a request has to be answered, if anything.
    pub(super) fn of(op: &Op) -> Option<Self> {
        match op {
            Op::Append(append) => Some(Self::Append(append.ticket, append.weight())),
            Op::Sync(ticket, _) => Some(Self::Sync(*ticket)),
            Op::People(ticket, _) => Some(Self::People(*ticket)),
            Op::Open(..)
            | Op::PutMeta(..)
            | Op::Notice(_)
            | Op::Outbox(_)
            | Op::File(..)
            | Op::Drop(_)
            | Op::Close(_) => None,
        }
    }

    pub(super) const fn ticket(self) -> Ticket {
        let (Self::Append(ticket, _) | Self::Sync(ticket) | Self::People(ticket)) = self;
        ticket
    }

    /// The answer if it was not done.
    pub(super) const fn refused(self, fault: LogFault) -> LogReply {
        match self {
            Self::Append(ticket, _) => {
                LogReply::Appended { ticket, outcome: Appended::Refused(fault) }
            }
            Self::Sync(ticket) | Self::People(ticket) => {
                LogReply::Synced { ticket, outcome: Err(fault) }
            }
        }
    }

    /// The answer to a sync once everything is written; all else has got its own answer by then.
    pub(super) const fn synced(self) -> Option<LogReply> {
        match self {
            Self::Append(..) | Self::People(_) => None,
            Self::Sync(ticket) => Some(LogReply::Synced { ticket, outcome: Ok(()) }),
        }
    }
}
