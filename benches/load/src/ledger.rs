//! What went wrong, counted, and the first few by name.

use std::fmt;

use super::results::Faults;

/// Faults that are told one by one.
const NAMED_MAX: usize = 10;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A message came before one that is missing.
    Gap,
    /// A message came again.
    Duplicate,
    /// A message came after a later one.
    Reordered,
    /// A message never came.
    Lost,
    /// Something came that nobody waited for, or not as it should be.
    Unexpected,
    /// The server ended a connection.
    Disconnected,
}

/// What went wrong.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) faults: Faults,
    /// The first few in words.
    pub(crate) named: Vec<String>,
}

impl Ledger {
    /// Counts a fault `count` times and keeps its words if it is among the first.
    pub(crate) fn add(&mut self, fault: Fault, count: u64, words: impl fmt::Display) {
        if count == 0 {
            return;
        }
        self.count(fault, count);
        self.name(fault, words);
    }

    /// Only counts.
    pub(crate) const fn count(&mut self, fault: Fault, count: u64) {
        let counter = match fault {
            Fault::Gap => &mut self.faults.gaps,
            Fault::Duplicate => &mut self.faults.duplicates,
            Fault::Reordered => &mut self.faults.reordered,
            Fault::Lost => &mut self.faults.lost,
            Fault::Unexpected => &mut self.faults.unexpected,
            Fault::Disconnected => &mut self.faults.disconnected,
        };
        *counter = counter.saturating_add(count);
    }

    /// Only keeps the words.
    pub(crate) fn name(&mut self, fault: Fault, words: impl fmt::Display) {
        if self.named.len() < NAMED_MAX {
            let kind = match fault {
                Fault::Gap => "gap",
                Fault::Duplicate => "duplicate",
                Fault::Reordered => "reordered",
                Fault::Lost => "lost",
                Fault::Unexpected => "unexpected",
                Fault::Disconnected => "disconnected",
            };
            self.named.push(format!("{kind}: {words}"));
        }
    }
}
