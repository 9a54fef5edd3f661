//! A hash map that cannot be iterated.

#![expect(clippy::disallowed_types, reason = "the one place that wraps the standard map")]

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

/// A map for keys that clients choose: hashed with a random key, so that nobody can make them collide, and
/// without iteration, so that the random order is never seen.
pub struct KeyedMap<K, V> {
    map: HashMap<K, V>,
}

impl<K: Eq + Hash, V> KeyedMap<K, V> {
    /// An empty map, which has allocated nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { map: HashMap::new() }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The value of `key`.
    #[must_use]
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key)
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.map.contains_key(key)
    }

    /// Sets the value of `key` and returns the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// The value of `key`, which is made first where there is none.
    pub fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        self.map.entry(key).or_insert_with(value)
    }

    /// Removes `key` and returns its value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.map.remove(key)
    }

    /// Gives back the memory of entries that are gone, once a quarter or less of it is in use.
    pub fn shrink_if_sparse(&mut self) {
        if self.map.capacity() / 4 > self.map.len() {
            self.map.shrink_to(self.map.len() * 2);
        }
    }
}

impl<K: Eq + Hash, V> Default for KeyedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for KeyedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedMap").field("len", &self.map.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_is_gone_and_its_memory_can_be_given_back() {
        let mut map = KeyedMap::new();
        for key in 0..10_000u32 {
            assert_eq!(map.insert(key, key + 1), None);
        }
        for key in 1..10_000 {
            assert_eq!(map.remove(&key), Some(key + 1));
            map.shrink_if_sparse();
        }
        assert_eq!((map.len(), map.get(&0), map.get(&1)), (1, Some(&1), None));
        assert!(map.map.capacity() < 100, "{} places for one entry", map.map.capacity());
    }
}
