//! A bound on the lines that clients can cause.

use std::time::Duration;

use crate::time::Tick;

/// A token bucket for one class of lines: some at once, then one each `period`.
///
/// ```
/// # use {chinwag::{log::Throttle, time::Tick}, std::time::Duration};
/// # let now = Tick::ZERO;
/// let mut violations = Throttle::new(5, Duration::from_secs(1));
/// if let Some(suppressed) = violations.admit(now) {
///     log::warn!(suppressed; "violation");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Throttle {
    burst: u32,
    period: Duration,
    tokens: u32,
    /// The moment from which the time towards the next token counts.
    since: Tick,
    suppressed: u64,
}

impl Throttle {
    /// Lets `burst` lines pass at once, and one more each `period`.
    #[must_use]
    pub const fn new(burst: u32, period: Duration) -> Self {
        Self { burst, period, tokens: burst, since: Tick::ZERO, suppressed: 0 }
    }

    /// Whether a line may be written now: if so, how many before it could not be.
    pub fn admit(&mut self, now: Tick) -> Option<u64> {
        self.refill(now);
        if self.tokens == 0 {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.tokens -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }

    fn refill(&mut self, now: Tick) {
        let period = self.period.as_millis().max(1);
        let earned = now.since(self.since).as_millis() / period;
        let tokens = u32::try_from(earned).unwrap_or(u32::MAX).saturating_add(self.tokens);
        if tokens >= self.burst {
            // A full bucket starts to count when it is next taken from.
            self.tokens = self.burst;
            self.since = now;
        } else if let Ok(millis) = u64::try_from(earned * period) {
            self.tokens = tokens;
            self.since = self.since.after(Duration::from_millis(millis));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the moments in milliseconds to a throttle of two lines and one more a second.
    #[track_caller]
    fn check(moments: &[u64], expect: &[Option<u64>]) {
        let mut throttle = Throttle::new(2, Duration::from_secs(1));
        let told: Vec<_> =
            moments.iter().map(|at| throttle.admit(Tick::from_millis(*at))).collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn the_line_after_a_pause_says_how_many_were_suppressed() {
        check(
            &[5_000, 5_000, 5_000, 5_999, 6_000, 6_001, 7_000],
            &[Some(0), Some(0), None, None, Some(2), None, Some(1)],
        );
    }

    #[test]
    fn a_part_of_a_period_is_not_lost_by_asking() {
        check(&[0, 0, 900, 1_800, 2_000], &[Some(0), Some(0), None, Some(1), Some(0)]);
    }

    #[test]
    fn a_long_pause_refills_no_more_than_the_burst() {
        let end = u64::MAX;
        check(&[0, 0, end, end, end], &[Some(0), Some(0), Some(0), Some(0), None]);
    }

    #[test]
    fn a_flood_costs_a_line_a_period() {
        let mut throttle = Throttle::new(2, Duration::from_secs(1));
        let passed = (0..100_000).filter(|at| throttle.admit(Tick::from_millis(at / 10)).is_some());
        assert_eq!(passed.count(), 2 + 9);
    }
}
