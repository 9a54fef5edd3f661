//! Rooms that were dropped, and which the reader may still find: until the writer has removed them,
//! and until what was read before is answered.

use std::collections::{BTreeSet, VecDeque};

use crate::chat::model::load::Begun;
use crate::chat::model::log::{Answer, LogReply, Ticket};

/// The row ids of rooms that were dropped. They are never given again.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// Those that the writer has not been asked about.
    new: BTreeSet<i64>,
    /// Those of which it is to say that they are gone, in the order in which it was asked.
    in_flight: VecDeque<BTreeSet<i64>>,
    /// Those that are gone, but may be in the answer to what was asked before.
    gone: BTreeSet<i64>,
}

impl Dropped {
    /// No ticket of the domain's.
    const TICKET: Ticket = Ticket(u64::MAX);

    /// The room of this row is dropped.
    pub(super) fn add(&mut self, row: i64) {
        self.new.insert(row);
    }

    /// The ticket by which the writer is asked to say when they are gone, if there are any.
    pub(super) fn next_sync(&mut self) -> Option<Ticket> {
        if self.new.is_empty() {
            return None;
        }
        self.in_flight.push_back(std::mem::take(&mut self.new));
        Some(Self::TICKET)
    }

    /// Something is read from now on, and nothing else is that was asked for before.
    pub(super) fn begin_load(&mut self) {
        self.gone.clear();
    }

    /// The reply as the domain is to have it, if it is one for it.
    pub(super) fn take_out(&mut self, reply: LogReply) -> Option<LogReply> {
        match reply {
            LogReply::Synced { ticket: Self::TICKET, outcome } => {
                let rows = self.in_flight.pop_front().unwrap_or_default();
                // What could not be written is asked about with the next ones.
                let place = if outcome.is_ok() { &mut self.gone } else { &mut self.new };
                place.extend(rows);
                None
            }
            LogReply::Answer { ticket, outcome: Ok(Answer::Loaded(mut found)) } => {
                found.rooms.retain(|room| !self.has(room));
                Some(LogReply::Answer { ticket, outcome: Ok(Answer::Loaded(found)) })
            }
            reply => Some(reply),
        }
    }

    fn has(&self, room: &Begun) -> bool {
        let Some(kept) = &room.kept else { return false };
        let mut all = self.in_flight.iter().chain([&self.new, &self.gone]);
        all.any(|rows| rows.contains(&kept.row))
    }
}
