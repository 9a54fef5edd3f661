//! The one place that reads the operating system's clocks.

#![expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Tick;

/// A moment, as the loop reads it once a turn: the tick for deadlines, the wall time for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic time, for every deadline.
    pub tick: Tick,
    /// Milliseconds since 1970-01-01 UTC, for display only: it may jump in either direction.
    pub wall_ms: u64,
}

/// Counts ticks from the moment that it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose [`Tick::ZERO`] is now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// A clock that has counted so many microseconds already, as the one of another process.
    #[must_use]
    pub fn continued(micros: u64) -> Self {
        let now = Instant::now();
        Self { origin: now.checked_sub(Duration::from_micros(micros)).unwrap_or(now) }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now_and_micros().0
    }

    /// The present moment, and the microseconds since the start, of one reading.
    #[must_use]
    pub fn now_and_micros(&self) -> (Now, u64) {
        let micros = self.micros();
        // A clock before 1970 counts as 1970: whatever depends on it is held back by `wall_watch`.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let wall_ms = u64::try_from(wall).unwrap_or(u64::MAX);
        (Now { tick: Tick::from_millis(micros / 1_000), wall_ms }, micros)
    }

    /// Microseconds since the start, to measure how long a turn took.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
