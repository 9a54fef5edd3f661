//! Popularity as it is among the rooms of a chat: the first has twice as many as the second.

use chinwag::rng::Rng;

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
    pub(crate) fn pick(&self, rng: &mut Rng) -> u32 {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let at = rng.unit() * all;
        let rank = self.sums.partition_point(|sum| *sum <= at);
        u32::try_from(rank.min(self.sums.len().saturating_sub(1))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_of_rank_n_is_an_nth_as_frequent_as_the_first() {
        let (zipf, mut rng) = (Zipf::new(4), Rng::new(7));
        let mut counts = [0_u32; 4];
        for _ in 0..25_000 {
            counts[zipf.pick(&mut rng) as usize] += 1;
        }
        // 25,000 is the sum of these.
        for (count, expect) in counts.into_iter().zip([12_000, 6_000, 4_000, 3_000]) {
            assert!(count.abs_diff(expect) < 400, "{counts:?}");
        }
    }
}
