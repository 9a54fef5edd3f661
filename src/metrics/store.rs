//! What the store counts.

use std::time::Duration;

use super::{Counter, Gauge, TURN_MICROS_BOUNDS};

/// From here on a batch that has not ended counts as one that hangs: a disk that is merely slow
/// syncs in less.
const HANGS_AFTER_MS: u64 = 10_000;

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
    /// How often half a second was waited for a lock of another process.
    pub lock_waits: Counter,
    /// Appends that were refused since they could not be written.
    pub refused: Counter,
    /// Questions that were put to the reader.
    pub reads: Counter,
    /// Appends that wait or are under way.
    pub intake: Gauge,
    /// 1 if records cannot be written, otherwise 0.
    pub trouble: Gauge,
    /// When the batch under way began: a millisecond more than its time, 0 if there is none.
    batch_since: Gauge,
    /// Looks at the whole file that found nothing.
    pub checks_sound: Counter,
    /// Looks at the whole file that found damage.
    pub checks_damaged: Counter,
    /// Looks at the whole file that did not come to its end.
    pub checks_broken_off: Counter,
    /// How large the database file is, without its write-ahead log.
    pub file_bytes: Gauge,
    /// Bytes of its write-ahead log.
    pub log_bytes: Gauge,
}

impl StoreMetrics {
    /// A batch begins. Times are milliseconds of the monotonic clock.
    pub fn begin_batch(&self, now_ms: u64) {
        self.batch_since.set(now_ms.saturating_add(1));
    }

    /// The batch has ended, well or not.
    pub fn end_batch(&self) {
        self.batch_since.set(0);
    }

    /// For how many milliseconds the batch under way has been waiting for the disk; 0 without one.
    #[must_use]
    pub fn batch_age_ms(&self, now_ms: u64) -> u64 {
        let since = self.batch_since.value().checked_sub(1);
        since.map_or(0, |since| now_ms.saturating_sub(since))
    }

    /// Whether the disk has not answered for so long that what is sent now had better be refused.
    #[must_use]
    pub fn hangs(&self, now_ms: u64) -> bool {
        self.batch_age_ms(now_ms) >= HANGS_AFTER_MS
    }

    /// How long a commit takes.
    #[must_use]
    pub fn mean_commit(&self) -> Duration {
        Duration::from_micros(
            self.commit_micros.value().checked_div(self.batches.value()).unwrap_or(0),
        )
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
        assert!(!metrics.hangs(60_000), "there is none");
        metrics.begin_batch(0);
        assert_eq!((metrics.hangs(9_999), metrics.hangs(10_000)), (false, true));
        assert_eq!(metrics.batch_age_ms(12_000), 12_000);
        metrics.end_batch();
        assert!(!metrics.hangs(60_000));
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
