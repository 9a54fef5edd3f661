//! Values by slots that another table assigns.

use std::fmt;

use super::Pages;

/// Values by slot. The slots are assigned elsewhere, the lowest free ones first, as the reactor
/// assigns those of connections.
pub struct Slots<T> {
    pages: Pages<Option<T>>,
    len: usize,
}

impl<T> Slots<T> {
    /// No values.
    #[must_use]
    pub const fn new() -> Self {
        Self { pages: Pages::new(), len: 0 }
    }

    /// Puts a value into a slot and returns the former one.
    pub fn insert(&mut self, slot: usize, value: T) -> Option<T> {
        let former = self.place(slot).replace(value);
        self.len += usize::from(former.is_none());
        former
    }

    /// The value in a slot, to be changed; a vacant slot is first given the default one.
    pub fn get_or_default(&mut self, slot: usize) -> &mut T
    where
        T: Default,
    {
        self.len += usize::from(self.place(slot).is_none());
        self.place(slot).get_or_insert_default()
    }

    fn place(&mut self, slot: usize) -> &mut Option<T> {
        // Slots are dense, so that at most one page is filled with vacant ones.
        while self.pages.len() <= slot {
            self.pages.push(None);
        }
        &mut self.pages[slot]
    }

    /// Takes the value out of a slot. With the last one all memory is given back.
    pub fn remove(&mut self, slot: usize) -> Option<T> {
        let removed = self.pages.get_mut(slot)?.take()?;
        self.len -= 1;
        // One page is kept, so that a server with one client does not allocate at each connection.
        if self.len == 0 && self.pages.len() > Pages::<Option<T>>::PAGE {
            self.pages = Pages::new();
        }
        Some(removed)
    }

    /// Takes the value out of a slot for a while: it counts as there, and is to be given back.
    #[inline]
    pub fn lend(&mut self, slot: usize) -> Option<T> {
        self.pages.get_mut(slot)?.take()
    }

    /// Puts a value back that was lent.
    #[inline]
    pub fn give_back(&mut self, slot: usize, value: T) {
        if let Some(place) = self.pages.get_mut(slot) {
            debug_assert!(place.is_none(), "nothing took its place meanwhile");
            *place = Some(value);
        }
    }

    /// The value in a slot.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<&T> {
        self.pages.get(slot)?.as_ref()
    }

    /// The value in a slot, to be changed.
    #[inline]
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut T> {
        self.pages.get_mut(slot)?.as_mut()
    }

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many slots there are, vacant ones included: above each that has a value.
    #[must_use]
    pub fn places(&self) -> usize {
        self.pages.len()
    }

    /// All values, by slot.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({})", self.len)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slots_are_what_a_map_by_slot_is(
            ops in prop::collection::vec((0..3usize, 0..60usize), 0..300),
        ) {
            let (mut slots, mut map) = (Slots::new(), BTreeMap::new());
            for (value, (what, slot)) in ops.into_iter().enumerate() {
                // Far apart, so that pages come and go.
                let slot = slot * 100;
                match what {
                    0 => prop_assert_eq!(slots.remove(slot), map.remove(&slot)),
                    1 => prop_assert_eq!(slots.insert(slot, value), map.insert(slot, value)),
                    _ => prop_assert_eq!(slots.get_mut(slot), map.get_mut(&slot)),
                }
                prop_assert_eq!(slots.get(slot), map.get(&slot));
                prop_assert_eq!((slots.len(), slots.is_empty()), (map.len(), map.is_empty()));
            }
            prop_assert!(slots.iter().eq(map.values()));
        }
    }

    #[test]
    fn memory_is_given_back_when_the_last_value_goes() {
        let mut slots = Slots::new();
        for slot in 0..100_000 {
            assert_eq!(slots.insert(slot, slot), None);
        }
        for slot in 0..100_000 {
            assert_eq!(slots.remove(slot), Some(slot));
        }
        assert!(slots.pages.is_empty());
    }
}
