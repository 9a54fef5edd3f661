//! The result of a run.

use crate::store::Counts;
use crate::trace::Told;

/// What the checker found, and how much there was to be found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// What is wrong, `None` if nothing is.
    pub(crate) fault: Option<String>,
    /// The trace as one number: the same for the same seed.
    pub(crate) trace: u64,
    pub(crate) steps: u64,
    pub(crate) told: Told,
    pub(crate) records: usize,
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
        self.told.add(other.told);
        self.records += other.records;
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
        let Told { gaps, resumed, dups, put_out, closed, streamed, returned, .. } = self.told;
        let rare = [gaps, resumed, dups, put_out, closed, streamed, returned];
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
        has_ended && rare.iter().min() > Some(&10) && self.lagged.min(self.blocks) > 10
    }
}
