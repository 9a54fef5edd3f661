//! Values as bytes and back, for the state that one process of the server hands to the next.
//!
//! Both ends are this program, perhaps of two versions. Each type has a [`Pack::SHAPE`], a number
//! that follows from the names and types of its fields: two versions whose shapes are the same
//! understand each other, and no others do. So nobody has to remember to raise a version number.
//!
//! [`pack_struct`] and [`pack_enum`] implement it for a type by its list of fields, where those can
//! be seen.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod derive;
mod values;

pub(crate) use self::derive::{pack_enum, pack_struct};

/// A value that has a form in bytes.
pub trait Pack: Sized {
    /// A number that another form does not have.
    const SHAPE: u64;

    /// Appends it.
    fn pack(&self, out: &mut Vec<u8>);

    /// Takes it off the front of `input`; `None` if no such value begins there.
    fn unpack(input: &mut &[u8]) -> Option<Self>;

    /// Appends a list of them.
    fn pack_all(items: &[Self], out: &mut Vec<u8>) {
        for item in items {
            item.pack(out);
        }
    }

    /// Takes a list of so many off the front of `input`.
    fn unpack_all(input: &mut &[u8], count: usize) -> Option<Vec<Self>> {
        // Whatever the count says, no more is reserved than can be there.
        let mut items = Vec::with_capacity(count.min(input.len()));
        for _ in 0..count {
            items.push(Self::unpack(input)?);
        }
        Some(items)
    }
}

/// The whole of `input` as a value.
pub fn unpack_whole<T: Pack>(mut input: &[u8]) -> Option<T> {
    let value = T::unpack(&mut input)?;
    input.is_empty().then_some(value)
}

/// A value alone.
pub fn packed<T: Pack>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.pack(&mut out);
    out
}

/// A number that follows from another and a text: FNV-1a.
#[must_use]
pub const fn mix(mut shape: u64, mut text: &[u8]) -> u64 {
    while let [byte, rest @ ..] = text {
        // Widened by hand: no conversion trait is const.
        shape = (shape ^ u64::from_le_bytes([*byte, 0, 0, 0, 0, 0, 0, 0]))
            .wrapping_mul(0x0100_0000_01b3);
        text = rest;
    }
    shape
}

/// A number that follows from two others, in their order.
#[must_use]
pub const fn join(shape: u64, other: u64) -> u64 {
    mix(shape, &other.to_le_bytes())
}

/// Where shapes begin.
pub const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// Takes so many bytes off the front of `input`.
fn take<'a>(input: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(len)?;
    *input = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Point {
        x: u64,
        name: Option<String>,
    }

    #[derive(Debug, PartialEq)]
    enum Shape {
        Nothing,
        Dot(Point),
        Line { from: Point, to: Box<Point> },
    }

    crate::pack::pack_struct!(Point { x: u64, name: Option<String> });
    crate::pack::pack_enum!(Shape {
        0: Nothing,
        1: Dot(point: Point),
        2: Line { from: Point, to: Box<Point> },
    });

    #[track_caller]
    fn check<T: Pack + PartialEq + std::fmt::Debug>(value: &T) {
        let bytes = packed(value);
        assert_eq!(unpack_whole::<T>(&bytes).as_ref(), Some(value));
        for end in 0..bytes.len() {
            assert_eq!(unpack_whole::<T>(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(unpack_whole::<T>(&[&*bytes, &[0]].concat()), None, "with something behind it");
    }

    #[test]
    fn values_come_back_as_they_were() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::MAX] {
            check(&number);
        }
        check(&u128::MAX);
        check(&(7u32, true, u16::MAX));
        check(&vec![1u8, 2, 255]);
        check(&vec![Some("a".to_owned()), None]);
        check(&["::1", "192.0.2.1"].map(|ip| ip.parse::<std::net::IpAddr>().unwrap()).to_vec());
        let point = |x| Point { x, name: Some("ü".to_owned()) };
        check(&Shape::Nothing);
        check(&Shape::Dot(point(3)));
        check(&Shape::Line { from: point(1), to: Box::new(Point { x: 2, name: None }) });
    }

    #[test]
    fn what_is_no_value_is_none_and_reserves_nothing() {
        assert_eq!(unpack_whole::<Shape>(&[9]), None);
        assert_eq!(unpack_whole::<bool>(&[2]), None);
        assert_eq!(unpack_whole::<u32>(&packed(&u64::MAX)), None);
        assert_eq!(unpack_whole::<String>(&[1, 0xff]), None);
        assert_eq!(unpack_whole::<Vec<u64>>(&packed(&u64::MAX)), None);
        assert_eq!(unpack_whole::<u64>(&[0xff; 11]), None);
    }

    mod later {
        #[derive(Debug)]
        pub(super) struct Point {
            x: u32,
            name: Option<String>,
        }
        crate::pack::pack_struct!(Point { x: u32, name: Option<String> });
    }

    #[test]
    fn another_type_of_a_field_is_another_shape() {
        assert_ne!(Point::SHAPE, later::Point::SHAPE);
        assert_ne!(Vec::<u64>::SHAPE, Option::<u64>::SHAPE);
        assert_ne!(<(u32, bool)>::SHAPE, <(bool, u32)>::SHAPE);
    }
}
