//! An array that grows without being copied.

use std::fmt;
use std::ops::{Index, IndexMut};

/// Bytes of a page, at most: small beside what fills it, and below what the allocator would ask the
/// system for by itself.
const PAGE_BYTES_MAX: usize = 16 * 1024;

/// An array in pages of a power of two of elements each. It grows a page at a time: no element ever
/// moves, so a million of them neither stop the server for a copy nor leave half an array unused.
pub struct Pages<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Pages<T> {
    /// Elements of a page, as the logarithm to the base 2.
    const SHIFT: u32 = {
        let bytes = if size_of::<T>() == 0 { 1 } else { size_of::<T>() };
        let fit = PAGE_BYTES_MAX / bytes;
        if fit < 2 { 1 } else { fit.ilog2() }
    };
    /// Elements of a page.
    pub const PAGE: usize = 1 << Self::SHIFT;

    /// An empty array, which owns no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let Some((last, full)) = self.pages.split_last() else { return 0 };
        full.len() * Self::PAGE + last.len()
    }

    /// Whether there is no element.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Appends an element.
    pub fn push(&mut self, value: T) {
        if let Some(page) = self.pages.last_mut().filter(|page| page.len() < Self::PAGE) {
            page.push(value);
            return;
        }
        let mut page = Vec::with_capacity(Self::PAGE);
        page.push(value);
        self.pages.push(page);
    }

    /// The element at `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index >> Self::SHIFT)?.get(index & (Self::PAGE - 1))
    }

    /// The element at `index`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pages.get_mut(index >> Self::SHIFT)?.get_mut(index & (Self::PAGE - 1))
    }

    /// All elements, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// For indices that are known to be in use; any other is a bug.
impl<T> Index<usize> for Pages<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        &self.pages[index >> Self::SHIFT][index & (Self::PAGE - 1)]
    }
}

/// For indices that are known to be in use; any other is a bug.
impl<T> IndexMut<usize> for Pages<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.pages[index >> Self::SHIFT][index & (Self::PAGE - 1)]
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Clone + PartialEq + fmt::Debug>(count: usize, value: impl Fn(usize) -> T) {
        let mut pages = Pages::new();
        for index in 0..count {
            assert_eq!((pages.len(), pages.get(index)), (index, None));
            pages.push(value(index));
        }
        for index in 0..count {
            assert_eq!(pages.get(index), Some(&value(index)));
            assert_eq!(pages[index], value(index));
        }
        assert!(pages.iter().eq((0..count).map(value).collect::<Vec<_>>().iter()));
        let capacity: usize = pages.pages.iter().map(Vec::capacity).sum();
        assert!(capacity < count + Pages::<T>::PAGE, "{capacity} for {count}");
    }

    #[test]
    fn elements_of_any_size_stay_where_they_were_put() {
        check(10_000, |index| index);
        check(10_000, |index| [index; 11]);
        check(10, |index| [index; 1_500]);
    }

    #[test]
    fn an_element_never_moves() {
        let mut pages = Pages::new();
        pages.push(0);
        let at = std::ptr::from_ref(&pages[0]);
        (1..100_000).for_each(|value| pages.push(value));
        assert!(std::ptr::eq(at, &raw const pages[0]));
    }
}
