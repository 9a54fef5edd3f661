//! A hash map for keys that clients choose.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;

#[expect(clippy::disallowed_types, reason = "this is the wrapper that hides the order")]
type Map<K, V> = std::collections::HashMap<K, V>;

/// A map whose hash is keyed at random, so that nobody can choose colliding keys, and which cannot
/// be iterated, so that its order cannot be seen.
pub struct KeyedMap<K, V> {
    map: Map<K, V>,
}

impl<K: Eq + Hash, V> KeyedMap<K, V> {
    /// An empty map, which owns no memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
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

    /// Sets the value of `key`, and returns the former one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// The value of `key`, which is first set to `value()` if it is missing.
    pub fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        self.map.entry(key).or_insert_with(value)
    }

    /// Removes `key` and gives memory back when little of it is in use.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let removed = self.map.remove(key);
        // Only at an eighth, so that a map whose size swings does not grow and shrink all the time.
        if self.map.capacity() > 1024 && self.map.len() < self.map.capacity() / 8 {
            self.map.shrink_to(self.map.len() * 2);
        }
        removed
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

impl<K, V> Default for KeyedMap<K, V> {
    fn default() -> Self {
        Self { map: Map::default() }
    }
}

impl<K, V> fmt::Debug for KeyedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyedMap({})", self.map.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_when_the_map_empties() {
        let mut map = KeyedMap::new();
        for key in 0..100_000 {
            map.insert(key, key);
        }
        for key in 0..100_000 {
            assert_eq!(map.remove(&key), Some(key));
        }
        assert!(map.is_empty());
        assert!(map.map.capacity() < 4096, "{}", map.map.capacity());
    }
}
