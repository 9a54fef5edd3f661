//! Numbers that take no more of their rows than they need.

use std::fmt;

/// A number below 2^56, in seven bytes at any place: what counts records and moments ends at 2^53,
/// where the numbers of JSON do. A larger one becomes the largest of these.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SevenBytes([u8; 7]);

impl SevenBytes {
    /// The largest number.
    pub const MAX: u64 = (1 << 56) - 1;

    /// The same number.
    #[inline]
    #[must_use]
    pub const fn new(number: u64) -> Self {
        let number = if number < Self::MAX { number } else { Self::MAX };
        match number.to_le_bytes().first_chunk() {
            Some(kept) => Self(*kept),
            None => Self([0; 7]),
        }
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u64 {
        let mut bytes = [0; 8];
        bytes.split_at_mut(7).0.copy_from_slice(&self.0);
        u64::from_le_bytes(bytes)
    }
}

impl fmt::Debug for SevenBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_as_it_went_in_and_takes_seven_bytes_anywhere() {
        for number in [0, 1, u64::from(u32::MAX), 1 << 32, 1 << 53, SevenBytes::MAX - 1] {
            assert_eq!(SevenBytes::new(number).get(), number);
        }
        for number in [SevenBytes::MAX, SevenBytes::MAX + 1, u64::MAX] {
            assert_eq!(SevenBytes::new(number).get(), SevenBytes::MAX);
        }
        assert_eq!((size_of::<SevenBytes>(), align_of::<SevenBytes>()), (7, 1));
    }
}
