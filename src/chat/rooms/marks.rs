//! Marks on their way to the log: how far users say that they have received and read, which counts
//! when it is kept, and not before.
//!
//! ```text
//!  ack ─▶ gathered ─ PutMeta, Sync ─▶ being written ─ Synced ─▶ the membership's marks, told
//! ```
//!
//! So what anybody is told of a mark is what a crash cannot take back.

use std::collections::BTreeMap;

use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::log::Ticket;
use crate::net::ConnId;
use crate::time::Tick;

/// How far a user has received and read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::chat) struct Marks {
    pub recv: u64,
    pub read: u64,
}

/// One `ack` that waits until its marks are kept.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct WaitingAck {
    pub ticket: Ticket,
    pub room: RoomKey,
    pub conn: ConnId,
    /// Up to which seq it said that the user has read.
    pub read: u64,
    pub kind: AckKind,
}

/// What waits for marks to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum AckKind {
    /// An `ack` that is answered.
    Answered,
    /// One without an `id`, of which only a refusal is told. A later one joins it.
    Quiet,
    /// An inbox, which is answered by itself.
    Inbox,
}

/// Marks that were asked for and are to be written, and who waits for that.
#[derive(Debug, Default)]
pub(in crate::chat) struct AskedMarks {
    pub marks: Marks,
    pub acks: Vec<WaitingAck>,
}

/// All marks that are not kept yet.
#[derive(Debug, Default)]
pub(in crate::chat) struct UnkeptMarks {
    /// To be written with the next batch.
    pub gathered: BTreeMap<MembershipKey, AskedMarks>,
    /// Handed to the logs, which have not answered yet.
    writing: BTreeMap<MembershipKey, Marks>,
    /// Handed to the logs, which could not write them then, and do so when they can.
    failed: BTreeMap<MembershipKey, Marks>,
    /// When the last batch was handed over.
    pub saved_at: Tick,
}

impl Marks {
    /// The higher of both.
    pub(in crate::chat) fn max(self, other: Self) -> Self {
        Self { recv: self.recv.max(other.recv), read: self.read.max(other.read) }
    }
}

impl UnkeptMarks {
    /// The highest that was asked for of a membership, if it is not kept yet.
    pub(in crate::chat) fn of(&self, key: MembershipKey) -> Marks {
        let gathered = self.gathered.get(&key).map(|batch| batch.marks).unwrap_or_default();
        // The highest of all stages, so that no later write of the row takes one back that is ahead
        // of it.
        let handed_over = [&self.writing, &self.failed].map(|marks| marks.get(&key).copied());
        handed_over.into_iter().flatten().fold(gathered, Marks::max)
    }

    /// Whether marks of the membership are on their way.
    pub(in crate::chat) fn is_under_way(&self, key: MembershipKey) -> bool {
        self.gathered.contains_key(&key) || self.writing.contains_key(&key)
    }

    /// Whether all marks are kept.
    pub(super) fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.writing.is_empty() && self.failed.is_empty()
    }

    /// Whether marks of any of these are not kept.
    pub(super) fn has_any(&self, keys: &[MembershipKey]) -> bool {
        keys.iter().any(|key| self.is_under_way(*key) || self.failed.contains_key(key))
    }

    /// These are handed to the logs.
    pub(in crate::chat) fn begin(&mut self, key: MembershipKey, marks: Marks) {
        let writing = self.writing.entry(key).or_default();
        *writing = writing.max(marks);
    }

    /// The logs have these, or could not write them.
    pub(in crate::chat) fn end(&mut self, key: MembershipKey, marks: Marks, is_kept: bool) {
        // A later batch may have raised what is being written; that one ends it.
        if self.writing.get(&key).is_some_and(|writing| writing.max(marks) == marks) {
            self.writing.remove(&key);
        }
        if is_kept {
            self.failed.remove(&key);
        } else {
            let failed = self.failed.entry(key).or_default();
            *failed = failed.max(marks);
        }
    }

    /// The membership has ended. Who waits for its marks is answered with the next batch.
    pub(in crate::chat) fn forget(&mut self, key: MembershipKey) {
        self.writing.remove(&key);
        self.failed.remove(&key);
    }
}
