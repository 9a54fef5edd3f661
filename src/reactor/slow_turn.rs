//! A turn that took so long that people may have noticed is told in the log, with what it did.

use std::time::Duration;

use crate::log::Throttle;
use crate::metrics::ReactorMetrics;
use crate::time::Tick;

/// From how many microseconds on a turn is told: five times what one may take under any load.
const SLOW_MICROS: u64 = 100_000;
/// Lines at once; then one more in this time.
const LINES: u32 = 10;
const EVERY: Duration = Duration::from_secs(10);

/// What the loop has done so far. A turn reads these counters once: the time of each of its steps
/// would cost every turn more than the rare slow one is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    accepted: u64,
    reads: u64,
    received_bytes: u64,
    writes: u64,
    sent_bytes: u64,
}

impl Work {
    pub(super) fn until_now(metrics: &ReactorMetrics) -> Self {
        Self {
            accepted: metrics.accepted.value(),
            reads: metrics.reads.value(),
            received_bytes: metrics.received_bytes.value(),
            writes: metrics.writes.value(),
            sent_bytes: metrics.sent_bytes.value(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            accepted: self.accepted.saturating_sub(before.accepted),
            reads: self.reads.saturating_sub(before.reads),
            received_bytes: self.received_bytes.saturating_sub(before.received_bytes),
            writes: self.writes.saturating_sub(before.writes),
            sent_bytes: self.sent_bytes.saturating_sub(before.sent_bytes),
        }
    }
}

/// Tells of slow turns.
#[derive(Debug)]
pub(super) struct SlowTurns(Throttle);

impl SlowTurns {
    pub(super) fn new() -> Self {
        Self(Throttle::new(LINES, EVERY))
    }

    /// A turn that began after the work `before` took so long. Returns what is told of it: what it
    /// did, and how many slow ones were not told before it.
    pub(super) fn look(
        &mut self,
        now: Tick,
        micros: u64,
        (before, metrics): (Work, &ReactorMetrics),
    ) -> Option<(Work, u64)> {
        if micros < SLOW_MICROS {
            return None;
        }
        let suppressed = self.0.admit(now)?;
        let work = Work::until_now(metrics).since(before);
        let (millis, Work { accepted, reads, received_bytes, writes, sent_bytes }) =
            (micros / 1_000, work);
        log::warn!(
            millis, accepted, reads, received_bytes, writes, sent_bytes, suppressed;
            "a turn of the loop was slow, and nobody was served meanwhile; if it did little, the machine was busy"
        );
        Some((work, suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_turn_is_told_with_what_it_did_and_a_flood_of_them_is_not() {
        let metrics = ReactorMetrics::default();
        metrics.reads.add(1_000);
        let before = Work::until_now(&metrics);
        metrics.reads.add(7);
        metrics.writes.add(3);
        metrics.sent_bytes.add(4_096);
        let mut slow = SlowTurns::new();
        let mut look = |micros, now| slow.look(Tick::from_millis(now), micros, (before, &metrics));
        assert_eq!(look(SLOW_MICROS - 1, 0), None);
        let did = Work { accepted: 0, reads: 7, received_bytes: 0, writes: 3, sent_bytes: 4_096 };
        for _ in 0..LINES {
            assert_eq!(look(SLOW_MICROS, 0), Some((did, 0)));
        }
        assert_eq!(look(SLOW_MICROS, 0), None);
        let later = u64::try_from(EVERY.as_millis()).unwrap();
        assert_eq!(look(SLOW_MICROS, later), Some((did, 1)));
    }
}
