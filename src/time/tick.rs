//! A point on the monotonic time line, in milliseconds.

use std::fmt;
use std::time::Duration;

/// Milliseconds since the process began to count: monotonic, unaffected by changes of the wall
/// clock.
///
/// All arithmetic saturates, so a deadline computed from a hostile or mistyped duration is at worst
/// "never" ([`Tick::MAX`]), not a panic.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// The beginning of the time line.
    pub const ZERO: Self = Self(0);
    /// Later than anything that will happen.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `millis` milliseconds after the beginning.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The point `duration` later, rounded up to a millisecond, [`Tick::MAX`] if that is out of
    /// range.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        // Rounded up: a sub-millisecond wait would spin.
        let rest = u64::from(duration.subsec_nanos().div_ceil(1_000_000));
        // In 64 bits, since a division of 128 costs more than the rest of a deadline.
        let millis = duration.as_secs().saturating_mul(1_000).saturating_add(rest);
        Self(self.0.saturating_add(millis))
    }

    /// The time that has passed since `earlier`, zero if `earlier` is later than this.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_out_of_range_is_never_instead_of_a_panic() {
        assert_eq!(Tick::from_millis(5).after(Duration::MAX), Tick::MAX);
        assert_eq!(Tick::MAX.after(Duration::from_millis(1)), Tick::MAX);
    }

    #[test]
    fn a_part_of_a_millisecond_counts_as_a_whole_one() {
        assert_eq!(Tick::ZERO.after(Duration::from_micros(1)), Tick::from_millis(1));
        assert_eq!(Tick::ZERO.after(Duration::from_millis(1)), Tick::from_millis(1));
        assert_eq!(Tick::ZERO.after(Duration::ZERO), Tick::ZERO);
        assert_eq!(Tick::ZERO.after(Duration::new(7, 999_000_001)), Tick::from_millis(8_000));
    }

    #[test]
    fn time_since_a_later_point_is_zero() {
        assert_eq!(Tick::from_millis(3).since(Tick::from_millis(9)), Duration::ZERO);
        assert_eq!(Tick::from_millis(9).since(Tick::from_millis(3)), Duration::from_millis(6));
    }
}
