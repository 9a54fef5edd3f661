//! How often somebody may try, by something by which they are told apart.

use std::collections::VecDeque;
use std::hash::Hash;

use crate::collections::KeyedMap;
use crate::time::Tick;

/// Keys that are remembered; at more, the one that was tried first is forgotten.
const KEYS_MAX: usize = 1 << 16;

/// A bucket for each key: so many tries at once, and one more after each interval.
///
/// Invariant: `order` has each key of `full_at` once.
#[derive(Debug)]
pub(super) struct Attempts<K: Eq + Hash> {
    /// When the bucket of a key is full again.
    full_at: KeyedMap<K, Tick>,
    order: VecDeque<K>,
    burst: u32,
    interval_ms: u64,
}

impl<K: Clone + Eq + Hash> Attempts<K> {
    pub(super) fn new((burst, interval_ms): (u32, u64)) -> Self {
        Self { full_at: KeyedMap::new(), order: VecDeque::new(), burst, interval_ms }
    }

    /// Takes a try, or says when there is one, in milliseconds.
    pub(super) fn take(&mut self, now: Tick, key: &K) -> Result<(), u64> {
        let window = u64::from(self.burst) * self.interval_ms;
        let known = self.full_at.get(key).copied();
        let full_at = known.unwrap_or(now).max(now).as_millis() + self.interval_ms;
        // One number for each key in place of a count and a time: the bucket holds what has not
        // flowed back by now.
        let behind = full_at - now.as_millis();
        if behind > window {
            return Err(behind - window);
        }
        if known.is_none() {
            self.forget(now);
            self.order.push_back(key.clone());
        }
        self.full_at.insert(key.clone(), Tick::from_millis(full_at));
        Ok(())
    }

    /// The last try does not count.
    pub(super) fn give_back(&mut self, key: &K) {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = Tick::from_millis(full_at.as_millis().saturating_sub(self.interval_ms));
        }
    }

    /// Forgets a few keys whose buckets are full, and one that is not where there are too many.
    fn forget(&mut self, now: Tick) {
        // Two for one that is added, so that what is full goes faster than it comes, and no call
        // has to walk all.
        for _ in 0..2 {
            let Some(key) = self.order.pop_front() else { return };
            let is_full = self.full_at.get(&key).is_none_or(|full_at| *full_at <= now);
            if is_full || self.order.len() + 1 >= KEYS_MAX {
                self.full_at.remove(&key);
            } else {
                self.order.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_back_one_by_one_and_what_was_right_does_not_count() {
        let at = Tick::from_millis;
        let mut attempts = Attempts::new((3, 100));
        for _ in 0..3 {
            assert_eq!(attempts.take(at(1_000), &"ann"), Ok(()));
        }
        assert_eq!(attempts.take(at(1_000), &"ann"), Err(100));
        assert_eq!(attempts.take(at(1_000), &"bob"), Ok(()), "another key is not counted");
        assert_eq!(attempts.take(at(1_100), &"ann"), Ok(()));
        assert_eq!(attempts.take(at(1_150), &"ann"), Err(50));
        attempts.give_back(&"ann");
        assert_eq!(attempts.take(at(1_150), &"ann"), Ok(()));
    }

    #[test]
    fn no_more_keys_are_remembered_than_the_bound() {
        let mut attempts = Attempts::new((1, 1_000_000));
        for key in 0..KEYS_MAX + 1_000 {
            assert_eq!(attempts.take(Tick::from_millis(1), &key), Ok(()));
        }
        assert!(attempts.order.len() <= KEYS_MAX && attempts.full_at.len() <= KEYS_MAX);
    }
}
