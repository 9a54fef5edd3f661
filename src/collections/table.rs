//! Values whose keys are of a type of their own.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use super::Pages;

/// A key of a [`Table`]: a newtype over a dense, small number, so that keys of two tables cannot be
/// swapped.
pub trait Key: Copy {
    /// The key of this index.
    fn from_index(index: usize) -> Self;
    /// The index.
    fn index(self) -> usize;
}

/// No free place: the end of the list of those.
const NIL: u32 = u32::MAX;

/// Values by dense keys that are used again after their value was removed, the last one first.
pub struct Table<K, V> {
    places: Pages<Place<V>>,
    /// The first free place.
    free: u32,
    len: usize,
    key: PhantomData<K>,
}

enum Place<V> {
    /// It names the next one.
    Free {
        next: u32,
    },
    Taken(V),
}

impl<K: Key, V> Table<K, V> {
    /// An empty table, which owns no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: Pages::new(), free: NIL, len: 0, key: PhantomData }
    }

    /// Adds a value under a free key.
    ///
    /// # Panics
    ///
    /// With 2^32 − 1 values.
    pub fn insert(&mut self, value: V) -> K {
        self.len += 1;
        let index = self.free as usize;
        if let Some(place) = self.places.get_mut(index) {
            if let Place::Free { next } = *place {
                self.free = next;
            }
            *place = Place::Taken(value);
            return K::from_index(index);
        }
        let index = self.places.len();
        assert!(index < NIL as usize, "four billion values are in one table");
        self.places.push(Place::Taken(value));
        K::from_index(index)
    }

    /// Removes the value of `key`, `None` if there is none. With the last one all memory is given back.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let index = u32::try_from(key.index()).ok()?;
        let place = self.places.get_mut(key.index())?;
        if matches!(place, Place::Free { .. }) {
            return None;
        }
        let Place::Taken(removed) = std::mem::replace(place, Place::Free { next: self.free })
        else {
            return None;
        };
        self.free = index;
        self.len -= 1;
        if self.len == 0 && self.places.len() > Pages::<Place<V>>::PAGE {
            *self = Self::new();
        }
        Some(removed)
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: K) -> Option<&V> {
        self.places.get(key.index())?.value()
    }

    /// The value of `key`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match self.places.get_mut(key.index())? {
            Place::Taken(value) => Some(value),
            Place::Free { .. } => None,
        }
    }

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// How many places there are, free ones included: above the index of each value.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(index, place)| Some((K::from_index(index), place.value()?)))
    }
}

impl<V> Place<V> {
    const fn value(&self) -> Option<&V> {
        match self {
            Self::Taken(value) => Some(value),
            Self::Free { .. } => None,
        }
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
        self.get(key).expect("a key in use")
    }
}

/// For keys that are known to be in use; any other is a bug.
impl<K: Key, V> IndexMut<K> for Table<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        self.get_mut(key).expect("a key in use")
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slab::Slab;

    use super::*;

    impl Key for usize {
        fn from_index(index: usize) -> Self {
            index
        }

        fn index(self) -> usize {
            self
        }
    }

    proptest! {
        #[test]
        fn a_table_is_what_a_slab_is(
            ops in prop::collection::vec((any::<bool>(), 0..40usize), 0..300),
        ) {
            let (mut table, mut slab) = (Table::<usize, String>::new(), Slab::new());
            for (nth, (inserts, key)) in ops.into_iter().enumerate() {
                if inserts {
                    let value = nth.to_string();
                    prop_assert_eq!(table.insert(value.clone()), slab.insert(value));
                } else {
                    prop_assert_eq!(table.remove(key), slab.try_remove(key));
                }
                prop_assert_eq!(table.get(key), slab.get(key));
                prop_assert_eq!((table.len(), table.is_empty()), (slab.len(), slab.is_empty()));
            }
            prop_assert!(table.iter().eq(slab.iter()));
        }
    }

    #[test]
    fn memory_is_given_back_when_the_last_value_goes() {
        let mut table = Table::<usize, usize>::new();
        let keys: Vec<usize> = (0..100_000).map(|value| table.insert(value)).collect();
        for key in keys {
            assert_eq!(table.remove(key), Some(key));
        }
        assert!(table.places.is_empty());
        assert_eq!(table.insert(7), 0);
    }

    #[test]
    fn a_free_place_costs_nothing_beside_a_value_with_a_niche() {
        assert_eq!(size_of::<Place<(u64, bool)>>(), 16);
    }
}
