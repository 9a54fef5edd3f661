//! Numbers that look random and can be repeated: for simulations, load and tests, never for
//! secrets.

use std::time::Duration;

/// A sequence of numbers that follows from a seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`; 0 if that is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        // The remainder favours small numbers by less than `end` in 2^64, which no use of it could
        // notice.
        let bits = self.bits();
        if end == 0 { 0 } else { bits % end }
    }

    /// A number from `start` to below `end`; `start` if there is none.
    pub const fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end.saturating_sub(start))
    }

    /// A length of time from zero to `max`, in whole milliseconds.
    pub fn up_to(&mut self, max: Duration) -> Duration {
        let millis = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.below(millis.saturating_add(1)))
    }

    /// An index into a list of this length; 0 if it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        let end = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(end)).unwrap_or(0)
    }

    /// Whether something happens that happens once in so many times.
    pub const fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of `choices`.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        // 32 bits are exact in a float, and fine enough for a probability.
        let bits = u32::try_from(self.bits() >> 32).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            std::array::from_fn::<_, 8, _>(|_| rng.below(1_000))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn it_is_the_published_sequence() {
        // The first numbers of the reference implementation for this seed.
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.bits(), 6_457_827_717_110_365_317);
        assert_eq!(rng.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut rng = Rng::new(3);
        for _ in 0..1_000 {
            assert!(rng.below(7) < 7);
            assert!((5..9).contains(&rng.between(5, 9)));
            assert!(rng.index(3) < 3);
            assert!((0.0..1.0).contains(&rng.unit()));
        }
        assert_eq!((rng.below(0), rng.between(4, 4), rng.index(0)), (0, 4, 0));
        assert!(rng.once_in(1));
    }
}
