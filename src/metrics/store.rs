//! What the store counts.

use std::time::Duration;

use super::{Counter, Gauge, TURN_MICROS_BOUNDS};
use crate::time::Tick;

/// From here on a batch that has not ended counts as one that hangs: a disk that is merely slow
/// syncs in less.
const HANGS_AFTER: Duration = Duration::from_secs(10);

/// The store's cells: `busy` and `reads` are written by the loop, `intake` by whoever holds the
/// intake's lock, all others by the writer.
#[derive(Debug, Default)]
pub struct StoreMetrics {
    /// Batches that were committed.
    pub batches: Counter,
    /// Records in them.
    pub records: Counter,
    /// Microseconds that commits took, syncing included.
    pub commit_micros: Counter,
    /// Commits by duration: bucket `n` counts those of at most [`TURN_MICROS_BOUNDS`]`[n]`
    /// microseconds and more than the bound before; the last one all longer ones.
    pub commits_by_micros: [Counter; TURN_MICROS_BOUNDS.len() + 1],
    /// Records that were removed since they were kept long enough.
    pub pruned: Counter,
    /// Appends that were refused since too many waited.
    pub busy: Counter,
    /// Appends that were refused since they could not be written.
    pub refused: Counter,
    /// Questions that were put to the reader.
    pub reads: Counter,
    /// Appends that wait or are under way.
    pub intake: Gauge,
    /// 1 if records cannot be written, otherwise 0.
    pub trouble: Gauge,
    /// When the batch under way began: a millisecond more than its tick, 0 if there is none.
    batch_since: Gauge,
    /// Looks at the whole file that found nothing.
    pub checks_sound: Counter,
    /// Looks at the whole file that found damage.
    pub checks_damaged: Counter,
    /// Looks at the whole file that did not come to its end.
    pub checks_broken_off: Counter,
    /// Bytes of the file.
    pub file_bytes: Gauge,
    /// Bytes of its write-ahead log.
    pub log_bytes: Gauge,
}

impl StoreMetrics {
    /// A batch begins.
    pub fn begin_batch(&self, now: Tick) {
        self.batch_since.set(now.as_millis().saturating_add(1));
    }

    /// The batch has ended, well or not.
    pub fn end_batch(&self) {
        self.batch_since.set(0);
    }

    /// For how long the batch under way has been waiting for the disk; nothing without one.
    #[must_use]
    pub fn batch_age(&self, now: Tick) -> Duration {
        match self.batch_since.value().checked_sub(1) {
            Some(since) => now.since(Tick::from_millis(since)),
            None => Duration::ZERO,
        }
    }

    /// Whether the disk has not answered for so long that what is sent now had better be refused.
    #[must_use]
    pub fn hangs(&self, now: Tick) -> bool {
        self.batch_age(now) >= HANGS_AFTER
    }

    /// Counts one batch of `records` whose commit took `micros`.
    pub fn count_batch(&self, records: u64, micros: u64) {
        self.batches.add(1);
        self.records.add(records);
        self.commit_micros.add(micros);
        let bucket = TURN_MICROS_BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.commits_by_micros.get(bucket) {
            bucket.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_hangs_when_it_has_not_ended_for_long() {
        let metrics = StoreMetrics::default();
        let at = Tick::from_millis;
        assert!(!metrics.hangs(at(60_000)), "there is none");
        metrics.begin_batch(at(0));
        assert_eq!((metrics.hangs(at(9_999)), metrics.hangs(at(10_000))), (false, true));
        assert_eq!(metrics.batch_age(at(12_000)), Duration::from_secs(12));
        metrics.end_batch();
        assert!(!metrics.hangs(at(60_000)));
    }

    #[test]
    fn a_batch_is_counted_once_and_in_one_bucket() {
        let metrics = StoreMetrics::default();
        metrics.count_batch(3, 51);
        metrics.count_batch(0, u64::MAX);
        assert_eq!((metrics.batches.value(), metrics.records.value()), (2, 3));
        let counts = metrics.commits_by_micros.each_ref().map(Counter::value);
        assert_eq!((counts[1], counts[14], counts.iter().sum()), (1, 1, 2));
    }
}
