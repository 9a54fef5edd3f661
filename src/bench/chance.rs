//! Chance that can be repeated: everything follows from the seed.

/// A sequence of numbers that look random (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // Thirty-two bits are plenty for a chance.
        let bits = u32::try_from(self.bits() >> 32).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

/// Shares that fall as 1/1, 1/2, 1/3, …: rooms of a chat are that different.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    /// The sums of the shares up to each rank.
    sums: Vec<f64>,
}

impl Zipf {
    /// So many ranks.
    pub(crate) fn new(ranks: u32) -> Self {
        let mut sum = 0.0;
        let sums = (1..=ranks).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        Self { sums: sums.collect() }
    }

    /// A rank from 0 on, the first ones more often.
    pub(crate) fn pick(&self, chance: &mut Chance) -> u32 {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let at = chance.unit() * all;
        let rank = self.sums.partition_point(|sum| *sum <= at);
        u32::try_from(rank.min(self.sums.len().saturating_sub(1))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_has_the_same_chances_and_another_seed_others() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..8).map(|_| chance.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).iter().all(|&n| n < 1_000));
        assert_eq!(Chance::new(1).below(0), 0);
    }

    #[test]
    fn a_room_of_rank_n_is_an_nth_as_frequent_as_the_first() {
        let (zipf, mut chance) = (Zipf::new(4), Chance::new(7));
        let mut counts = [0_u32; 4];
        for _ in 0..25_000 {
            counts[zipf.pick(&mut chance) as usize] += 1;
        }
        // 25,000 is the sum of these.
        for (count, expect) in counts.into_iter().zip([12_000, 6_000, 4_000, 3_000]) {
            assert!(count.abs_diff(expect) < 400, "{counts:?}");
        }
    }
}
