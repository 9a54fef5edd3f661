//! Numbers that do not pad the rows that they are in.

use std::fmt;

/// A number of eight bytes that may begin at any multiple of four: a row that has no other number
/// as large is not padded to a multiple of eight, nor is the table's place for it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct HalfAligned([u32; 2]);

impl HalfAligned {
    /// The same number.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "it is cut into its halves")]
    pub const fn new(number: u64) -> Self {
        Self([number as u32, (number >> 32) as u32])
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u64 {
        let [low, high] = self.0;
        (high as u64) << 32 | low as u64
    }
}

impl fmt::Debug for HalfAligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_as_it_went_in_and_takes_eight_bytes_anywhere() {
        for number in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX - 1, u64::MAX] {
            assert_eq!(HalfAligned::new(number).get(), number);
        }
        assert_eq!((size_of::<HalfAligned>(), align_of::<HalfAligned>()), (8, 4));
        assert_eq!(size_of::<(u32, HalfAligned)>(), 12);
    }
}
