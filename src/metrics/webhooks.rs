//! What the webhooks count.

use super::{Counter, Gauge};

/// The webhooks' cells, all written by the thread that serves them.
#[derive(Debug, Default)]
pub struct WebhookMetrics {
    /// Webhooks to which something is sent.
    pub live: Gauge,
    /// Webhooks whose last request failed.
    pub failing: Gauge,
    /// Requests that were taken.
    pub delivered: Counter,
    /// Requests that failed.
    pub failed: Counter,
    /// Events in the requests that were taken.
    pub events: Counter,
    /// Events that were given up, or went since too many waited.
    pub dead: Counter,
    /// When the oldest event that waits happened: a millisecond more than its time by the monotonic
    /// clock, 0 if none waits.
    oldest_since: Gauge,
}

impl WebhookMetrics {
    /// The oldest event that waits is so old, by a clock that shows `now_ms`; `None` if none waits.
    pub fn set_oldest(&self, age_ms: Option<u64>, now_ms: u64) {
        let since = age_ms.map(|age| now_ms.saturating_sub(age).saturating_add(1));
        self.oldest_since.set(since.unwrap_or(0));
    }

    /// How old the oldest event that waits is, in milliseconds; 0 if none waits.
    #[must_use]
    pub fn oldest_age_ms(&self, now_ms: u64) -> u64 {
        let since = self.oldest_since.value().checked_sub(1);
        since.map_or(0, |since| now_ms.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_event_grows_older_while_nobody_looks() {
        let metrics = WebhookMetrics::default();
        assert_eq!(metrics.oldest_age_ms(5_000), 0);
        metrics.set_oldest(Some(2_000), 10_000);
        assert_eq!(metrics.oldest_age_ms(11_000), 3_000);
        metrics.set_oldest(None, 11_000);
        assert_eq!(metrics.oldest_age_ms(12_000), 0);
    }
}
