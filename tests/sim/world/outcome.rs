//! The result of a run.

use crate::store::Counts;

/// What the checker found, and how much there was to be found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// What is wrong, `None` if nothing is.
    pub(crate) fault: Option<String>,
    /// The trace as one number: the same for the same seed.
    pub(crate) trace: u64,
    pub(crate) steps: u64,
    /// Messages that clients heard.
    pub(crate) heard: u64,
    pub(crate) records: usize,
    pub(crate) gaps: usize,
    /// Rooms that went on where a former connection had ended.
    pub(crate) resumed: usize,
    /// Repeated messages that were known.
    pub(crate) dups: usize,
    /// Connections that were told that their user was put out of a room.
    pub(crate) put_out: usize,
    /// Connections that ended.
    pub(crate) closed: usize,
    /// Records that came by streams of events, and positions from which these went on.
    pub(crate) streamed: usize,
    pub(crate) returned: usize,
    /// Cursors that fell behind since their connection was slow.
    pub(crate) lagged: u64,
    /// Flushes that left bytes behind.
    pub(crate) blocks: u64,
    /// The most bytes that waited for one connection.
    pub(crate) queued_peak: usize,
    /// Times that the process died, and was stopped in good order.
    pub(crate) crashes: u64,
    pub(crate) restarts: u64,
    /// Times that another process took its place, without a disconnect.
    pub(crate) upgrades: u64,
    pub(crate) store: Counts,
    /// Messages that were tampered with.
    pub(crate) tampered: u64,
}

impl Outcome {
    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.heard += other.heard;
        self.records += other.records;
        self.gaps += other.gaps;
        self.resumed += other.resumed;
        self.dups += other.dups;
        self.put_out += other.put_out;
        self.closed += other.closed;
        self.streamed += other.streamed;
        self.returned += other.returned;
        self.lagged += other.lagged;
        self.blocks += other.blocks;
        self.crashes += other.crashes;
        self.restarts += other.restarts;
        self.upgrades += other.upgrades;
        self.store.add(other.store);
        self.queued_peak = self.queued_peak.max(other.queued_peak);
    }

    /// Whether everything that the promises are about has happened.
    pub(crate) fn has_everything(&self) -> bool {
        let rare = [self.gaps, self.resumed, self.dups, self.closed, self.put_out];
        let rare = rare.iter().chain([&self.streamed, &self.returned]);
        let store = &self.store;
        let ends = [
            self.crashes,
            self.restarts,
            self.upgrades,
            store.failures,
            store.torn,
            store.unanswered,
        ];
        let ends = ends.iter().chain([&store.machines, &store.cut]);
        let has_ended = ends.min().is_some_and(|&least| least > 10);
        let has_ended = has_ended && store.pages.min(store.pruned) > 10;
        let has_ended = has_ended && store.loads.min(store.forgotten) > 10;
        has_ended && rare.min() > Some(&10) && self.lagged.min(self.blocks) > 10
    }
}
