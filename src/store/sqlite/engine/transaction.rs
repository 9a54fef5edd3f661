//! What a batch has done so far.

use std::collections::BTreeMap;

use super::super::files;
use super::super::room_row::RoomCounters;
use super::super::unwritten_meta::UnwrittenMeta;
use crate::chat::model::log::{Appended, LogId, LogReply, Ticket};

/// What a transaction has done so far, and what undoes it.
#[derive(Default)]
pub(super) struct Transaction {
    pub(super) replies: Vec<LogReply>,
    /// The answers among them that speak of records of before: they hold though it fails for want
    /// of space.
    pub(super) known: Vec<(Ticket, Appended)>,
    /// The counters of before, of the rooms that records were appended to.
    pub(super) before: BTreeMap<LogId, RoomCounters>,
    /// What was unwritten before the transaction.
    pub(super) written: UnwrittenMeta,
    /// The id of the last record before the transaction.
    pub(super) last: i64,
    /// What is said of files once it is committed, and to whom.
    pub(super) files: Vec<files::Answer>,
}

impl Transaction {
    /// Notes an answer that holds whatever becomes of the transaction.
    pub(super) fn note_known(&mut self, log: LogId, ticket: Ticket, outcome: &Appended) {
        let is_known = match outcome {
            Appended::Duplicate { seq, .. } | Appended::Conflict { seq } => {
                self.before.get(&log).is_some_and(|before| *seq <= before.head)
            }
            Appended::Unknown => true,
            Appended::Stored(_)
            | Appended::NoSuchMessage
            | Appended::NotYours
            | Appended::TooOld
            | Appended::TooLarge(_)
            | Appended::NoSuchReference(_)
            | Appended::InThread(_)
            | Appended::Refused(_)
            | Appended::Undecided
            | Appended::Stale => false,
        };
        if is_known {
            self.known.push((ticket, outcome.clone()));
        }
    }
}
