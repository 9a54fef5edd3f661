//! The boundary to whoever keeps the logs: what the domain asks, and what it learns.
//!
//! The log assigns `seq` and `at`, and the domain learns of a record when the log has it, at the
//! level of durability that the room promises. Only then is the record shown to anyone.

use super::name::{RoomName, UserName};
use super::record::{Body, Epoch, SharedRecord};

/// Names an open log: one life of one room. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(u64);

impl LogId {
    /// Bits of the slot.
    const SLOT_BITS: u32 = 28;
    /// More slots than there ever are rooms.
    pub const SLOTS_MAX: usize = 1 << Self::SLOT_BITS;

    /// The log of this `life` in this `slot`, which no other open log has.
    #[must_use]
    pub fn new(slot: usize, life: u64) -> Self {
        debug_assert!(slot < Self::SLOTS_MAX, "a slot for each room");
        let slot = u64::try_from(slot).unwrap_or(u64::MAX) % (1 << Self::SLOT_BITS);
        Self((life << Self::SLOT_BITS) | slot)
    }

    /// A small number that no other open log has, the lowest ones first: an index into a table of logs.
    #[must_use]
    pub fn slot(self) -> usize {
        usize::try_from(self.0 % (1 << Self::SLOT_BITS)).unwrap_or(usize::MAX)
    }
}

/// Names an append that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub usize);

/// A record that is not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who says or does it.
    pub from: UserName,
    /// What.
    pub body: Body,
    /// See [`Record::weight`](super::Record::weight).
    pub weight: u32,
}

/// What the domain asks of the logs. Requests of one log are answered in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRequest {
    /// A room was made: its log begins, empty.
    Open {
        /// The log's name.
        log: LogId,
        /// The room's name.
        room: RoomName,
        /// The log's epoch.
        epoch: Epoch,
    },
    /// Put a record at the log's end. A message with the `cid` of an earlier one by the same user is not
    /// put there again.
    Append {
        /// Which log.
        log: LogId,
        /// To be named in the answer.
        ticket: Ticket,
        /// The record.
        draft: Draft,
    },
    /// The room is gone, and its log with it.
    Drop {
        /// Which log.
        log: LogId,
    },
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The record is in the log.
    Stored(SharedRecord),
    /// The same message is in the log already.
    Duplicate {
        /// Its seq.
        seq: u64,
        /// When the log took it.
        at: u64,
    },
    /// The `cid` belongs to another message.
    Conflict {
        /// That message's seq.
        seq: u64,
    },
    /// No such log, or it has reached the highest seq.
    Refused,
}

/// The answer to an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReply {
    /// Which append.
    pub ticket: Ticket,
    /// What became of it.
    pub outcome: Appended,
}
