//! A slab whose keys are of a type of their own.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use slab::Slab;

/// A key of a [`Table`]: a newtype over a dense, small number, so that keys of two tables cannot be
/// swapped.
pub trait Key: Copy {
    /// The key of this index.
    fn from_index(index: usize) -> Self;
    /// The index.
    fn index(self) -> usize;
}

/// Values by dense keys that are used again after their value was removed.
pub struct Table<K, V> {
    slab: Slab<V>,
    key: PhantomData<K>,
}

impl<K: Key, V> Table<K, V> {
    /// An empty table, which owns no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { slab: Slab::new(), key: PhantomData }
    }

    /// Adds a value under a free key.
    pub fn insert(&mut self, value: V) -> K {
        K::from_index(self.slab.insert(value))
    }

    /// Removes the value of `key`, `None` if there is none.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let removed = self.slab.try_remove(key.index());
        if self.slab.is_empty() && self.slab.capacity() > 1024 {
            self.slab = Slab::new();
        }
        removed
    }

    /// The value of `key`.
    pub fn get(&self, key: K) -> Option<&V> {
        self.slab.get(key.index())
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.slab.get_mut(key.index())
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// All keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.slab.iter().map(|(index, value)| (K::from_index(index), value))
    }
}

impl<K: Key, V> Default for Table<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// For keys that are known to be in use; any other is a bug.
impl<K: Key, V> Index<K> for Table<K, V> {
    type Output = V;

    fn index(&self, key: K) -> &V {
        &self.slab[key.index()]
    }
}

/// For keys that are known to be in use; any other is a bug.
impl<K: Key, V> IndexMut<K> for Table<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        &mut self.slab[key.index()]
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.slab.len())
    }
}
