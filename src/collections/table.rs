//! Values by generational keys.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use super::Pages;
use super::key::Key;

/// The end of the list of free places.
const NIL: u32 = u32::MAX;

/// Values by keys that the table gives out. A place is used again after its value was removed, the
/// last one first, but under a key of another generation: a key is never given out twice, and one
/// whose value was removed finds nothing.
///
/// Invariants:
/// - A place has a generation that no value there had before, and none above
///   [`Key::GENERATION_MAX`]: a place that has used them all up is not used again.
/// - `generation_max` is at least the generation of every place.
pub struct Table<K, V, W = Beside<V>> {
    places: Pages<Place<W>>,
    /// The first free place.
    free: u32,
    len: usize,
    /// The generation of a place that is used for the first time.
    generation_min: u32,
    generation_max: u32,
    key: PhantomData<(K, V)>,
}

/// A value as a table keeps it: with its generation.
pub trait WithGeneration<V> {
    /// The value of this generation.
    fn new(value: V, generation: u32) -> Self;
    /// Its generation.
    fn generation(&self) -> u32;
    /// The value.
    fn value(&self) -> &V;
    /// The value, to be changed.
    fn value_mut(&mut self) -> &mut V;
    /// The value alone.
    fn into_value(self) -> V;
}

/// A value beside its generation.
#[derive(Debug)]
pub struct Beside<V> {
    generation: u32,
    value: V,
}

/// A value that has room for its generation within itself, where padding would be otherwise.
#[derive(Debug)]
pub struct Inside<V>(V);

/// What has room for the generation that a table gives it.
pub trait HasGeneration {
    /// The generation that was set last.
    fn generation(&self) -> u32;
    /// It is of this one.
    fn set_generation(&mut self, generation: u32);
}

impl<V> WithGeneration<V> for Beside<V> {
    #[inline]
    fn new(value: V, generation: u32) -> Self {
        Self { generation, value }
    }

    #[inline]
    fn generation(&self) -> u32 {
        self.generation
    }

    #[inline]
    fn value(&self) -> &V {
        &self.value
    }

    #[inline]
    fn value_mut(&mut self) -> &mut V {
        &mut self.value
    }

    #[inline]
    fn into_value(self) -> V {
        self.value
    }
}

impl<V: HasGeneration> WithGeneration<V> for Inside<V> {
    #[inline]
    fn new(mut value: V, generation: u32) -> Self {
        value.set_generation(generation);
        Self(value)
    }

    #[inline]
    fn generation(&self) -> u32 {
        self.0.generation()
    }

    #[inline]
    fn value(&self) -> &V {
        &self.0
    }

    #[inline]
    fn value_mut(&mut self) -> &mut V {
        &mut self.0
    }

    #[inline]
    fn into_value(self) -> V {
        self.0
    }
}

enum Place<W> {
    Free {
        /// The generation of the next value.
        generation: u32,
        /// The next free place.
        next: u32,
    },
    Taken(W),
}

impl<K: Key, V, W: WithGeneration<V>> Table<K, V, W> {
    /// An empty table, which owns no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            places: Pages::new(),
            free: NIL,
            len: 0,
            generation_min: 0,
            generation_max: 0,
            key: PhantomData,
        }
    }

    /// Adds a value under a new key.
    ///
    /// # Panics
    ///
    /// With more than [`Key::INDEX_MAX`] values.
    pub fn insert(&mut self, value: V) -> K {
        self.len += 1;
        let index = self.free as usize;
        // The place that was freed last is likely still in the cache.
        if let Some(place) = self.places.get_mut(index)
            && let Place::Free { generation, next } = *place
        {
            self.free = next;
            *place = Place::Taken(W::new(value, generation));
            return K::new(index, generation);
        }
        let index = self.places.len();
        assert!(index <= K::INDEX_MAX, "a table has no index left for another value");
        let generation = self.generation_min;
        self.places.push(Place::Taken(W::new(value, generation)));
        K::new(index, generation)
    }

    /// Removes the value of `key`, `None` if it has none any more. With the last value all memory
    /// is given back, unless a place has used up its generations.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let generation = key.generation();
        let place = self.places.get_mut(key.index())?;
        place.value::<V>(generation)?;
        let next = Place::Free { generation: generation.saturating_add(1), next: self.free };
        let Place::Taken(taken) = std::mem::replace(place, next) else { return None };
        self.len -= 1;
        // A place that has used them all up leaves the list: under a generation for the second time
        // an old key would find a new value.
        if generation < K::GENERATION_MAX {
            self.free = u32::try_from(key.index()).unwrap_or(NIL);
            self.generation_max = self.generation_max.max(generation + 1);
        } else {
            self.generation_max = u32::MAX;
        }
        // The places are forgotten with their generations, so the new ones begin above those.
        let can_forget = self.generation_max <= K::GENERATION_MAX;
        if self.len == 0 && can_forget && self.places.len() > Pages::<Place<W>>::PAGE {
            let generation_min = self.generation_max;
            *self = Self { generation_min, generation_max: generation_min, ..Self::new() };
        }
        Some(taken.into_value())
    }

    /// The value of `key`, `None` if it was removed.
    #[inline]
    pub fn get(&self, key: K) -> Option<&V> {
        self.places.get(key.index())?.value(key.generation())
    }

    /// The value of `key`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match self.places.get_mut(key.index())? {
            Place::Taken(taken) if taken.generation() == key.generation() => {
                Some(taken.value_mut())
            }
            Place::Taken(_) | Place::Free { .. } => None,
        }
    }

    /// The key of the value that is at `index` now.
    pub fn key_at(&self, index: usize) -> Option<K> {
        self.at(index).map(|(key, _)| key)
    }

    /// The value that is at `index` now, and its key.
    #[inline]
    pub fn at(&self, index: usize) -> Option<(K, &V)> {
        match self.places.get(index)? {
            Place::Taken(taken) => Some((K::new(index, taken.generation()), taken.value())),
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

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All keys and values, by index.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(index, place)| match place {
            Place::Taken(taken) => Some((K::new(index, taken.generation()), taken.value())),
            Place::Free { .. } => None,
        })
    }
}

impl<W> Place<W> {
    #[inline]
    fn value<V>(&self, wanted: u32) -> Option<&V>
    where
        W: WithGeneration<V>,
    {
        match self {
            Self::Taken(taken) if taken.generation() == wanted => Some(taken.value()),
            Self::Taken(_) | Self::Free { .. } => None,
        }
    }
}

impl<K: Key, V, W: WithGeneration<V>> Default for Table<K, V, W> {
    fn default() -> Self {
        Self::new()
    }
}

/// For keys whose value is known to be there; any other is a bug.
impl<K: Key, V, W: WithGeneration<V>> Index<K> for Table<K, V, W> {
    type Output = V;

    fn index(&self, key: K) -> &V {
        self.get(key).expect("a key whose value was not removed")
    }
}

/// For keys whose value is known to be there; any other is a bug.
impl<K: Key, V, W: WithGeneration<V>> IndexMut<K> for Table<K, V, W> {
    fn index_mut(&mut self, key: K) -> &mut V {
        self.get_mut(key).expect("a key whose value was not removed")
    }
}

impl<K, V, W> fmt::Debug for Table<K, V, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.len)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::{CompactKey, WideKey};
    use super::*;

    /// Has so few generations that places use them up.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct ShortLived(usize, u32);

    impl Key for ShortLived {
        const INDEX_MAX: usize = 1 << 20;
        const GENERATION_MAX: u32 = 5;

        fn new(index: usize, generation: u32) -> Self {
            Self(index, generation)
        }

        fn index(self) -> usize {
            self.0
        }

        fn generation(self) -> u32 {
            self.1
        }
    }

    /// Inserts and removes, and asks for every key that was ever given out.
    fn check<K: Key + Ord + fmt::Debug>(ops: Vec<(bool, usize)>) {
        let mut table = Table::<K, [usize; 500]>::new();
        let (mut there, mut given) = (BTreeMap::new(), Vec::new());
        for (value, (inserts, nth)) in ops.into_iter().enumerate() {
            if inserts || given.is_empty() {
                let key = table.insert([value; 500]);
                assert!(!given.contains(&key), "no key is given out twice");
                given.push(key);
                there.insert(key, value);
            } else {
                let key = given[nth % given.len()];
                assert_eq!(table.remove(key).map(|value| value[0]), there.remove(&key));
            }
            for &key in &given {
                assert_eq!(table.get(key).map(|value| &value[0]), there.get(&key));
                assert_eq!(table.get_mut(key).is_some(), there.contains_key(&key));
                let is_there = table.key_at(key.index()) == Some(key);
                assert_eq!(is_there, there.contains_key(&key));
            }
            assert_eq!((table.len(), table.is_empty()), (there.len(), there.is_empty()));
            assert!(table.iter().map(|(key, value)| (key, value[0])).eq(there.clone()));
        }
    }

    fn ops() -> impl Strategy<Value = Vec<(bool, usize)>> {
        prop::collection::vec((any::<bool>(), any::<usize>()), 0..150)
    }

    proptest! {
        #[test]
        fn a_key_finds_its_value_until_that_is_removed(ops in ops()) {
            check::<CompactKey>(ops.clone());
            check::<WideKey>(ops.clone());
            check::<ShortLived>(ops);
        }
    }

    #[test]
    fn a_place_without_generations_left_is_not_used_again() {
        let mut table = Table::<ShortLived, ()>::new();
        for generation in 0..=ShortLived::GENERATION_MAX {
            let key = table.insert(());
            assert_eq!(key, ShortLived(0, generation));
            table.remove(key);
        }
        assert_eq!(table.insert(()), ShortLived(1, 0));
    }

    #[test]
    fn memory_is_given_back_when_the_last_value_goes() {
        let mut table = Table::<CompactKey, usize>::new();
        let keys: Vec<_> = (0..100_000).map(|value| table.insert(value)).collect();
        for (value, &key) in keys.iter().enumerate() {
            assert_eq!(table.remove(key), Some(value));
        }
        assert!(table.places.is_empty());
        let key = table.insert(7);
        assert_eq!((key.index(), key.generation()), (0, 1));
        assert_eq!(table.get(keys[0]), None);
    }

    #[test]
    fn a_place_costs_the_generation_beside_a_value_with_a_niche() {
        assert_eq!(size_of::<Place<Beside<(u32, bool)>>>(), 12);
        assert_eq!(size_of::<Place<Beside<(u64, bool)>>>(), 24);
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Roomy(u64, u32, bool);

    impl HasGeneration for Roomy {
        fn generation(&self) -> u32 {
            self.1
        }

        fn set_generation(&mut self, generation: u32) {
            self.1 = generation;
        }
    }

    #[test]
    fn a_value_with_room_for_its_generation_costs_nothing_besides() {
        assert_eq!(size_of::<Place<Inside<Roomy>>>(), size_of::<Roomy>());
        let mut table = Table::<CompactKey, Roomy, Inside<Roomy>>::new();
        let first = table.insert(Roomy(7, 0, true));
        assert_eq!(table.remove(first), Some(Roomy(7, 0, true)));
        let second = table.insert(Roomy(8, 0, true));
        assert_eq!((second.index(), second.generation()), (0, 1));
        assert_eq!((table.get(first), table.get(second)), (None, Some(&Roomy(8, 1, true))));
        assert_eq!(table.key_at(0), Some(second));
    }
}
