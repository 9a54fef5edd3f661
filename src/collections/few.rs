//! A list that usually has one element.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

/// A list that usually has one element, which is stored in the list itself; only a second one
/// allocates. 16 bytes for elements of eight; no more than the element where that is larger and has
/// one value that it never takes.
///
/// A `SmallVec` of one such element takes 24. Two lists for each user and one for each session
/// would cost an idle connection 24 bytes more, and a session would no longer fit its cache line.
#[derive(Clone)]
pub struct Few<T>(Inner<T>);

#[derive(Clone)]
enum Inner<T> {
    One(T),
    /// None, or at least two. Not a variant each, which would take two values that `T` never has.
    #[expect(clippy::box_collection, reason = "the rare case must not make the usual one larger")]
    Other(Option<Box<Vec<T>>>),
}

impl<T> Default for Inner<T> {
    fn default() -> Self {
        Self::Other(None)
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Few<T> {
    /// An empty list, which owns no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self(Inner::Other(None))
    }

    /// Appends an element.
    pub fn push(&mut self, value: T) {
        self.insert(self.len(), value);
    }

    /// Inserts an element before the one at `index`, or at the end if the list is shorter.
    pub fn insert(&mut self, index: usize, value: T) {
        self.0 = match mem::take(&mut self.0) {
            Inner::Other(None) => Inner::One(value),
            Inner::One(first) if index == 0 => many(vec![value, first]),
            Inner::One(first) => many(vec![first, value]),
            Inner::Other(Some(mut list)) => {
                list.insert(index.min(list.len()), value);
                Inner::Other(Some(list))
            }
        };
    }

    /// Removes and returns the element at `index`, if there is one. Frees memory when little of it
    /// is in use.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        if index >= self.len() {
            return None;
        }
        match mem::take(&mut self.0) {
            Inner::Other(None) => None,
            Inner::One(value) => Some(value),
            Inner::Other(Some(mut list)) => {
                // A list that has become one element again moves it back inside and frees the
                // vector.
                let removed = list.remove(index);
                self.0 = match list.pop() {
                    Some(last) if list.is_empty() => Inner::One(last),
                    last => {
                        list.extend(last);
                        if list.len() < list.capacity() / 4 {
                            list.shrink_to(list.len() * 2);
                        }
                        Inner::Other(Some(list))
                    }
                };
                Some(removed)
            }
        }
    }
}

fn many<T>(list: Vec<T>) -> Inner<T> {
    Inner::Other(Some(Box::new(list)))
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Inner::Other(None) => &[],
            Inner::One(value) => std::slice::from_ref(value),
            Inner::Other(Some(list)) => list,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Inner::Other(None) => &mut [],
            Inner::One(value) => std::slice::from_mut(value),
            Inner::Other(Some(list)) => list,
        }
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_of_small_elements_takes_sixteen_bytes() {
        assert_eq!((size_of::<Few<u64>>(), size_of::<Few<(u32, u32)>>()), (16, 16));
    }

    #[test]
    fn a_list_takes_no_more_than_its_element_if_that_is_never_zero() {
        type Row = (std::num::NonZeroU64, [u8; 16]);
        assert_eq!(size_of::<Few<Row>>(), size_of::<Row>());
    }

    #[test]
    fn what_has_become_one_again_owns_no_memory() {
        let mut list = Few::new();
        for value in 0..100 {
            list.push(value);
        }
        for _ in 0..99 {
            list.remove(0);
        }
        assert!(matches!(list.0, Inner::One(99)));
        assert_eq!(list.remove(0), Some(99));
        assert!(matches!(list.0, Inner::Other(None)));
    }

    proptest! {
        #[test]
        fn a_few_are_what_a_vector_is(
            ops in prop::collection::vec((any::<bool>(), 0..8usize), 0..200),
        ) {
            let (mut list, mut vector) = (Few::new(), Vec::new());
            for (value, (inserts, index)) in ops.into_iter().enumerate() {
                if inserts {
                    list.insert(index, value);
                    vector.insert(index.min(vector.len()), value);
                } else {
                    let expect = (index < vector.len()).then(|| vector.remove(index));
                    prop_assert_eq!(list.remove(index), expect);
                }
                prop_assert_eq!(&*list, vector.as_slice());
                prop_assert_eq!(&mut *list, vector.as_mut_slice());
            }
        }
    }
}
