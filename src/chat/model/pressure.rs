//! How much of a budget that all connections share is left, and what that allows each of them.

/// How much of what is left one connection may have.
const PART: usize = 8;

/// A budget of bytes for what waits for, or has come in part from, all connections together.
///
/// Each may have an eighth of what is left, so that the fuller it is, the less that is: those that
/// have most meet their limit first, a single one never takes all, and something is always left for
/// who has nothing yet. One comparison decides, whatever the number of connections (dynamic
/// thresholds, as switches use them for packets).
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    total: usize,
    used: usize,
}

impl Pressure {
    /// Bytes that a connection may have however little is left, if it has nothing.
    pub const LEAST: usize = 4 * 1024;

    /// A budget of `total` bytes of which nothing is used; `None`: without a bound.
    #[must_use]
    pub const fn new(total: Option<usize>) -> Self {
        let total = match total {
            Some(total) => total,
            None => usize::MAX,
        };
        Self { total, used: 0 }
    }

    /// Bytes that are used.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.used
    }

    /// So many bytes are used.
    pub const fn set_used(&mut self, bytes: usize) {
        self.used = bytes;
    }

    /// One connection had `before` bytes and has `after` now.
    pub const fn change(&mut self, before: usize, after: usize) {
        self.used = self.used.saturating_sub(before).saturating_add(after);
    }

    /// Bytes that one connection may have, `most` at most.
    #[must_use]
    pub fn limit(&self, most: usize) -> usize {
        most.min(self.total.saturating_sub(self.used) / PART)
    }

    /// Whether more than half is used.
    #[must_use]
    pub const fn is_high(&self) -> bool {
        self.used > self.total / 2
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.used >= self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_that_take_what_they_may_never_use_it_up_and_who_has_most_is_limited_first() {
        let mut pressure = Pressure::new(Some(1 << 20));
        let mut queues = [0_usize; 100];
        queues[0] = 100_000;
        pressure.set_used(100_000);
        assert_eq!(pressure.limit(64 << 10), 64 << 10);
        for _ in 0..10_000 {
            for queue in &mut queues {
                if *queue + 100 <= pressure.limit(64 << 10) {
                    pressure.change(*queue, *queue + 100);
                    *queue += 100;
                }
            }
        }
        assert_eq!(queues[0], 100_000, "the largest gets no more");
        assert!(pressure.used() <= 1 << 20 && pressure.is_high() && !pressure.is_full());
        assert!(queues[1..].iter().all(|queue| *queue > 4_000), "each has a share");
    }

    #[test]
    fn without_a_bound_only_the_connection_s_own_counts() {
        let mut pressure = Pressure::new(None);
        pressure.change(0, 1 << 40);
        assert_eq!((pressure.limit(65_536), pressure.is_high()), (65_536, false));
    }
}
