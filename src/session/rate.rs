//! Token buckets, in eight bytes each.

use crate::time::Tick;

/// How many requests may come at once, and how fast more may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// From one token to the next.
    interval_us: u64,
    /// How far ahead of the steady rate one may be.
    ahead_us: u64,
}

/// A token bucket: the moment, in microseconds, at which it would be full again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket(u64);

impl Rate {
    /// `per_s` a second, `burst` at once; `None` if there is no limit.
    pub(super) fn new(per_s: Option<u32>, burst: u32) -> Option<Self> {
        let interval_us = 1_000_000 / u64::from(per_s?.max(1));
        let ahead_us = interval_us.saturating_mul(u64::from(burst.max(1)));
        Some(Self { interval_us, ahead_us })
    }
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    ///
    /// The milliseconds until there is one again, at least one.
    pub(super) fn take(&mut self, now: Tick, rate: Option<Rate>) -> Result<(), u64> {
        let Some(Rate { interval_us, ahead_us }) = rate else { return Ok(()) };
        let now_us = now.as_millis().saturating_mul(1_000);
        let full_us = self.0.max(now_us).saturating_add(interval_us);
        match full_us.checked_sub(now_us.saturating_add(ahead_us)) {
            Some(early_us) if early_us > 0 => Err(early_us.div_ceil(1_000)),
            _ => {
                self.0 = full_us;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let rate = Rate::new(Some(20), 3);
        let mut bucket = Bucket::default();
        let at = Tick::from_millis(10_000);
        for _ in 0..3 {
            assert_eq!(bucket.take(at, rate), Ok(()));
        }
        assert_eq!(bucket.take(at, rate), Err(50));
        assert_eq!(bucket.take(Tick::from_millis(10_049), rate), Err(1));
        assert_eq!(bucket.take(Tick::from_millis(10_050), rate), Ok(()));
        assert_eq!(bucket.take(Tick::from_millis(10_050), rate), Err(50));
    }

    #[test]
    fn a_rate_above_one_a_millisecond_is_kept_too() {
        let rate = Rate::new(Some(4_000), 1);
        let mut bucket = Bucket::default();
        let taken = (0..1_000).flat_map(|ms| std::iter::repeat_n(Tick::from_millis(ms), 10));
        let passed = taken.filter(|&now| bucket.take(now, rate).is_ok()).count();
        assert!((990..=4_010).contains(&passed), "{passed}");
    }

    #[test]
    fn without_a_rate_everything_passes() {
        let mut bucket = Bucket::default();
        for _ in 0..10_000 {
            assert_eq!(bucket.take(Tick::ZERO, None), Ok(()));
        }
    }
}
