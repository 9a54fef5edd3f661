//! The result of a run of several nodes.

use crate::store::EngineCounts;
use crate::trace::Told;

/// What the checker found, and how much there was to be found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// What is wrong, `None` if nothing is.
    pub(crate) fault: Option<String>,
    /// The trace as one number: the same for the same seed.
    pub(crate) trace: u64,
    /// Rooms that were resumed went on at another node, mostly.
    pub(crate) told: Told,
    pub(crate) records: usize,
    /// Nodes that have died.
    pub(crate) crashes: u64,
    pub(crate) engine: EngineCounts,
    /// How many times the engine has broken a promise on purpose.
    pub(crate) tampered: u64,
}

impl Outcome {
    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.told.add(other.told);
        self.records += other.records;
        self.crashes += other.crashes;
        self.engine.add(other.engine);
    }

    /// Whether everything that the promises are about has happened.
    pub(crate) fn has_everything(&self) -> bool {
        let Told { resumed, dups, put_out, ended, .. } = self.told;
        resumed.min(dups).min(put_out).min(ended) > 10 && self.crashes.min(self.engine.least()) > 10
    }
}
