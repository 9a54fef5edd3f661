//! How fast hellos are taken of all clients together.
//!
//! After a restart thousands come back at once, and each hello costs what hundreds of messages do,
//! with what it has missed. So those beyond the rate are told, each its own, when it is their turn:
//! who is in goes on undisturbed, and the others come back one after another. Only a hello that was
//! accepted counts, so that whoever brings wrong tokens keeps nobody out.

use std::time::Duration;

use crate::time::Tick;
use crate::time::rate::{Bucket, Rate};

/// The longest time that a client is told to wait. When so many wait that it does not suffice,
/// their turns begin anew, and some come twice.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// The rate of all hellos.
#[derive(Debug)]
pub(super) struct HelloRate {
    rate: Option<Rate>,
    bucket: Bucket,
    /// The last turn that was promised.
    promised: Tick,
    /// The rest of that moment below a millisecond, in microseconds.
    promised_us: u64,
    /// Whether clients on this machine count, too.
    pub counts_loopback: bool,
}

impl HelloRate {
    pub(super) const fn new(rate: Option<Rate>, counts_loopback: bool) -> Self {
        let bucket = Bucket::FULL;
        Self { rate, bucket, promised: Tick::ZERO, promised_us: 0, counts_loopback }
    }

    /// Takes hellos at another rate from now on.
    pub(super) const fn set_rate(&mut self, rate: Option<Rate>) {
        self.rate = rate;
    }

    /// Whether there is a place for a hello now.
    ///
    /// # Errors
    ///
    /// After what time there is one for this client, and for no other who asks.
    pub(super) fn check(&mut self, now: Tick) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let ready_at = self.bucket.ready_at(self.rate);
        if ready_at <= now {
            return Ok(());
        }
        if self.promised < ready_at || self.promised.since(now) >= WAIT_MAX {
            (self.promised, self.promised_us) = (ready_at, 0);
        }
        self.promised_us += rate.interval_us();
        self.promised = self.promised.after(Duration::from_millis(self.promised_us / 1_000));
        self.promised_us %= 1_000;
        Err(self.promised.since(now))
    }

    /// A hello was accepted.
    pub(super) fn take(&mut self, now: Tick) {
        self.bucket.take(now, self.rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_who_come_at_once_are_in_after_seconds_and_none_asks_more_than_three_times() {
        let mut hellos = HelloRate::new(Rate::new(Some(1_000), 4_096), false);
        let mut due = std::collections::BTreeMap::from([(1_000, vec![0; 10_000])]);
        let (mut last, mut most) = (0, 0);
        while let Some((ms, clients)) = due.pop_first() {
            for tries in clients {
                let now = Tick::from_millis(ms);
                match hellos.check(now) {
                    Ok(()) => {
                        hellos.take(now);
                        (last, most) = (ms, most.max(tries + 1));
                    }
                    Err(wait) => {
                        let at = ms + u64::try_from(wait.as_millis()).unwrap();
                        due.entry(at).or_default().push(tries + 1);
                    }
                }
            }
        }
        assert!((6_800..8_000).contains(&last), "the last one came in at {last} ms");
        assert!(most <= 3, "somebody had to ask {most} times");
    }

    #[test]
    fn those_who_must_wait_have_each_a_turn_of_their_own() {
        let mut hellos = HelloRate::new(Rate::new(Some(100), 1), false);
        let now = Tick::from_millis(5_000);
        assert_eq!(hellos.check(now), Ok(()));
        hellos.take(now);
        let waits: Vec<u128> = (0..5).map(|_| hellos.check(now).unwrap_err().as_millis()).collect();
        assert_eq!(waits, [20, 30, 40, 50, 60]);
        // A hello that is not accepted takes no place.
        let later = Tick::from_millis(5_010);
        assert_eq!((hellos.check(later), hellos.check(later)), (Ok(()), Ok(())));
    }

    #[test]
    fn nobody_is_told_to_wait_for_longer_than_a_minute() {
        let mut hellos = HelloRate::new(Rate::new(Some(1), 1), false);
        let now = Tick::from_millis(5_000);
        hellos.take(now);
        assert!(
            (0..1_000).all(|_| hellos.check(now).unwrap_err() <= WAIT_MAX + Duration::from_secs(1))
        );
    }

    #[test]
    fn without_a_rate_everybody_comes_in() {
        let mut hellos = HelloRate::new(None, false);
        for _ in 0..10_000 {
            assert_eq!(hellos.check(Tick::ZERO), Ok(()));
            hellos.take(Tick::ZERO);
        }
    }
}
