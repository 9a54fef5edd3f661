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
    /// From when on there is a token.
    pub(super) const fn ready_at(self, rate: Option<Rate>) -> Tick {
        let Some(Rate { interval_us, ahead_us }) = rate else { return Tick::ZERO };
        let ready_us = self.0.saturating_add(interval_us).saturating_sub(ahead_us);
        Tick::from_millis(ready_us.div_ceil(1_000))
    }

    /// Takes a token, which the caller knows to be there.
    pub(super) fn take(&mut self, now: Tick, rate: Option<Rate>) {
        let Some(Rate { interval_us, .. }) = rate else { return };
        let now_us = now.as_millis().saturating_mul(1_000);
        self.0 = self.0.max(now_us).saturating_add(interval_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a token if there is one.
    fn take(bucket: &mut Bucket, ms: u64, rate: Option<Rate>) -> bool {
        let now = Tick::from_millis(ms);
        let is_ready = bucket.ready_at(rate) <= now;
        if is_ready {
            bucket.take(now, rate);
        }
        is_ready
    }

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let rate = Rate::new(Some(20), 3);
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert!(take(&mut bucket, 10_000, rate));
        }
        assert_eq!(bucket.ready_at(rate), Tick::from_millis(10_050));
        for (ms, is_ready) in [(10_049, false), (10_050, true), (10_050, false), (10_150, true)] {
            assert_eq!(take(&mut bucket, ms, rate), is_ready, "{ms}");
        }
    }

    #[test]
    fn a_rate_above_one_a_millisecond_is_kept_too() {
        let rate = Rate::new(Some(4_000), 1);
        let mut bucket = Bucket::default();
        let tries = (0..1_000).flat_map(|ms| std::iter::repeat_n(ms, 10));
        let passed = tries.filter(|&ms| take(&mut bucket, ms, rate)).count();
        assert!((990..=4_010).contains(&passed), "{passed}");
    }

    #[test]
    fn without_a_rate_everything_passes() {
        let mut bucket = Bucket::default();
        for _ in 0..10_000 {
            assert!(take(&mut bucket, 0, None));
        }
    }
}
