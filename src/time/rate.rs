//! Token buckets, in six bytes each, and bounded tables of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Tick;

/// How many requests may come at once, and how fast more may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// From one token to the next.
    interval_us: u64,
    /// How far ahead of the steady rate one may be.
    ahead_us: u64,
}

/// A token bucket: the moment, in microseconds, at which it would be full again. In six bytes,
/// since every connection has two; they last for nine years of ticks, after which it stays full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket([u16; 3]);

impl Rate {
    /// `per_s` a second, `burst` at once; `None` if there is no limit.
    #[must_use]
    pub fn new(per_s: Option<u32>, burst: u32) -> Option<Self> {
        let interval_us = 1_000_000 / u64::from(per_s?.max(1));
        let ahead_us = interval_us.saturating_mul(u64::from(burst.max(1)));
        Some(Self { interval_us, ahead_us })
    }

    /// Microseconds from one token to the next.
    #[must_use]
    pub const fn interval_us(self) -> u64 {
        self.interval_us
    }
}

impl Bucket {
    /// One that was never taken from: it has its whole burst.
    pub const FULL: Self = Self([0; 3]);
    /// The last moment that it can say.
    const MICROS_MAX: u64 = (1 << 48) - 1;

    /// The moment at which it would be full again, in microseconds of the ticks' time line.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        let [low, middle, high] = self.0;
        (high as u64) << 32 | (middle as u64) << 16 | low as u64
    }

    /// The inverse of [`Bucket::as_micros`], for the first nine years of ticks.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the bits are cut into three parts")]
    pub const fn from_micros(micros: u64) -> Self {
        let micros = if micros < Self::MICROS_MAX { micros } else { Self::MICROS_MAX };
        Self([micros as u16, (micros >> 16) as u16, (micros >> 32) as u16])
    }

    /// From when on there is a token.
    #[must_use]
    pub const fn ready_at(self, rate: Option<Rate>) -> Tick {
        let Some(rate) = rate else { return Tick::ZERO };
        // Rounded up: a moment too early would find no token, and the loop would come back at once.
        Tick::from_millis(self.ready_us(rate).div_ceil(1_000))
    }

    /// Whether there is a token.
    #[must_use]
    pub const fn is_ready(self, now: Tick, rate: Option<Rate>) -> bool {
        match rate {
            Some(rate) => self.ready_us(rate) <= now.as_millis().saturating_mul(1_000),
            None => true,
        }
    }

    const fn ready_us(self, Rate { interval_us, ahead_us }: Rate) -> u64 {
        self.as_micros().saturating_add(interval_us).saturating_sub(ahead_us)
    }

    /// Takes a token, which the caller knows to be there.
    pub fn take(&mut self, now: Tick, rate: Option<Rate>) {
        let Some(Rate { interval_us, .. }) = rate else { return };
        let now_us = now.as_millis().saturating_mul(1_000);
        *self = Self::from_micros(self.as_micros().max(now_us).saturating_add(interval_us));
    }

    /// Whether it is full, so that it need not be remembered.
    const fn is_full(self, now: Tick) -> bool {
        self.as_micros() <= now.as_millis().saturating_mul(1_000)
    }
}

/// How long a table that was found full of buckets in use is not looked through again.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// The buckets of many, each with the same rate. Only those are kept that are not full, and at most
/// so many: whoever comes when there is no place for another is not limited.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Option<Rate>,
    kept: BTreeMap<K, Bucket>,
    kept_max: usize,
    purge_at: Tick,
}

impl<K: Ord + Copy> Buckets<K> {
    /// Full buckets, of which at most `kept_max` are ever kept.
    #[must_use]
    pub const fn new(rate: Option<Rate>, kept_max: usize) -> Self {
        Self { rate, kept: BTreeMap::new(), kept_max, purge_at: Tick::ZERO }
    }

    /// Fills all buckets at another rate from now on. What was taken stays taken.
    pub const fn set_rate(&mut self, rate: Option<Rate>, kept_max: usize) {
        self.rate = rate;
        self.kept_max = kept_max;
    }

    /// Takes so many tokens from the bucket of `key`.
    ///
    /// # Errors
    ///
    /// From when on there are as many; none is taken then.
    pub fn take(&mut self, now: Tick, key: K, tokens: u32) -> Result<(), Tick> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut bucket = self.kept.get(&key).copied().unwrap_or_default();
        // What costs more than a burst costs a burst.
        let cost_us = rate.interval_us.saturating_mul(u64::from(tokens)).min(rate.ahead_us);
        let now_us = now.as_millis().saturating_mul(1_000);
        let full_at_us = bucket.as_micros().max(now_us).saturating_add(cost_us);
        let ready_us = full_at_us.saturating_sub(rate.ahead_us);
        if ready_us > now_us {
            return Err(Tick::from_millis(ready_us.div_ceil(1_000)));
        }
        bucket = Bucket::from_micros(full_at_us);
        // Who is known keeps its place: a crowd of others must not be a way to a fresh bucket.
        if self.kept.contains_key(&key) || self.has_place(now) {
            self.kept.insert(key, bucket);
        }
        Ok(())
    }

    /// Gives a token back that was taken from the bucket of `key`.
    pub fn give_back(&mut self, key: K) {
        if let (Some(rate), Some(bucket)) = (self.rate, self.kept.get_mut(&key)) {
            *bucket = Bucket::from_micros(bucket.as_micros().saturating_sub(rate.interval_us));
        }
    }

    /// Whether another bucket may be kept; drops those that are full, at intervals.
    fn has_place(&mut self, now: Tick) -> bool {
        if self.kept.len() >= self.kept_max && now >= self.purge_at {
            self.purge_at = now.after(PURGE_INTERVAL);
            self.kept.retain(|_, bucket| !bucket.is_full(now));
        }
        self.kept.len() < self.kept_max
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

    #[test]
    fn each_key_has_a_bucket_and_what_was_refused_costs_nothing() {
        let mut buckets = Buckets::new(Rate::new(Some(10), 20), 100);
        let at = Tick::from_millis;
        for key in [1, 2] {
            assert_eq!(buckets.take(at(1_000), key, 15), Ok(()));
            assert_eq!(buckets.take(at(1_000), key, 6), Err(at(1_100)));
            assert_eq!(buckets.take(at(1_000), key, 5), Ok(()));
            assert_eq!(buckets.take(at(1_000), key, 1), Err(at(1_100)));
            assert_eq!(buckets.take(at(1_099), key, 1), Err(at(1_100)));
            assert_eq!(buckets.take(at(1_100), key, 1), Ok(()));
        }
        buckets.give_back(1);
        buckets.give_back(3);
        assert_eq!(buckets.take(at(1_100), 1, 1), Ok(()), "what was given back");
        assert_eq!(buckets.take(at(1_100), 1, 1), Err(at(1_200)));
        assert_eq!(buckets.take(at(60_000), 1, 1_000), Ok(()), "more than a burst is a burst");
        assert_eq!(buckets.take(at(60_000), 1, 1), Err(at(60_100)));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_those_that_are_full() {
        let mut buckets = Buckets::new(Rate::new(Some(1), 1), 100);
        let at = Tick::from_millis;
        for key in 0..1_000 {
            assert_eq!(buckets.take(at(1_000), key, 1), Ok(()));
        }
        assert_eq!(buckets.kept.len(), 100);
        assert!(buckets.take(at(1_000), 5, 1).is_err(), "those that are kept are limited");
        assert_eq!(buckets.take(at(1_000), 500, 1), Ok(()), "others are not");
        assert_eq!(buckets.take(at(3_000), 500, 1), Ok(()));
        assert_eq!(buckets.kept.len(), 1);
        assert!(buckets.take(at(3_000), 500, 1).is_err());
        // Who is known keeps its place in a table that is full.
        let mut buckets = Buckets::new(Rate::new(Some(1), 2), 1);
        let taken = [(); 3].map(|()| buckets.take(at(1_000), 7, 1).is_ok());
        assert_eq!(taken, [true, true, false]);
    }
}
