//! Keyed hashes of what clients choose, to be kept over processes.

use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher as _, Hash, Hasher as _};

/// Makes keyed hashes that another process can go on with: those of the standard library's own maps
/// have keys that nobody can hand on.
#[derive(Debug)]
pub(super) struct Hasher(u128);

impl Default for Hasher {
    fn default() -> Self {
        // The library's keys are random, and so is what they make of anything.
        let random = RandomState::new();
        let half = |which: u8| u128::from(random.hash_one(which));
        Self(half(0) << 64 | half(1))
    }
}

impl Hasher {
    /// With this key.
    pub(super) const fn new(key: u128) -> Self {
        Self(key)
    }

    /// The key.
    pub(super) const fn key(&self) -> u128 {
        self.0
    }

    /// One of several hashes of a value.
    pub(super) fn hash(&self, which: u8, value: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        // First, so that nobody who does not know it can tell what state the value meets.
        (self.0, which, value).hash(&mut hasher);
        hasher.finish()
    }
}
