//! The result of a run of several nodes.

use crate::store::EngineCounts;

/// What the checker found, and how much there was to be found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// What is wrong, `None` if nothing is.
    pub(crate) fault: Option<String>,
    /// The trace as one number: the same for the same seed.
    pub(crate) trace: u64,
    /// Messages that clients heard.
    pub(crate) heard: u64,
    pub(crate) records: usize,
    /// Rooms that went on where a former connection had ended, mostly at another node.
    pub(crate) resumed: usize,
    /// Repeated messages that were known.
    pub(crate) dups: usize,
    /// Connections that were told that their user was put out of a room.
    pub(crate) put_out: usize,
    /// Connections that were told that a room is no more.
    pub(crate) ended: usize,
    /// Nodes that have died.
    pub(crate) crashes: u64,
    pub(crate) engine: EngineCounts,
    /// How many times the engine has broken a promise on purpose.
    pub(crate) tampered: u64,
}

impl Outcome {
    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.heard += other.heard;
        self.records += other.records;
        self.resumed += other.resumed;
        self.dups += other.dups;
        self.put_out += other.put_out;
        self.ended += other.ended;
        self.crashes += other.crashes;
        self.engine.add(other.engine);
    }

    /// Whether everything that the promises are about has happened.
    pub(crate) fn has_everything(&self) -> bool {
        let seen = self.resumed.min(self.dups).min(self.put_out).min(self.ended);
        seen > 10 && self.crashes.min(self.engine.least()) > 10
    }
}
