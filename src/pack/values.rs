//! The forms of what all other values are made of.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use super::{BASIS, Pack, join, mix, take};
use crate::net::{CloseReason, ConnId};
use crate::time::Tick;
use crate::time::rate::Bucket;

/// The continuation bit of a number's bytes.
const MORE: u8 = 0x80;

impl Pack for u8 {
    const SHAPE: u64 = mix(BASIS, b"u8");

    fn pack(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        Some(byte)
    }

    fn pack_all(items: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(items);
    }

    fn unpack_all(input: &mut &[u8], count: usize) -> Option<Vec<Self>> {
        take(input, count).map(<[Self]>::to_vec)
    }
}

/// Seven bits a byte, the lowest first: nearly all numbers are small.
impl Pack for u64 {
    const SHAPE: Self = mix(BASIS, b"u64");

    fn pack(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        loop {
            let low = u8::try_from(rest & 0x7f).unwrap_or(0);
            rest >>= 7;
            if rest == 0 {
                return out.push(low);
            }
            out.push(low | MORE);
        }
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        let mut value = 0;
        for shift in (0..Self::BITS).step_by(7) {
            let byte = u8::unpack(input)?;
            let low = Self::from(byte & !MORE);
            // The last byte has one bit to give.
            if low << shift >> shift != low {
                return None;
            }
            value |= low << shift;
            if byte & MORE == 0 {
                return Some(value);
            }
        }
        None
    }
}

macro_rules! pack_as {
    ($($type:ty: $name:literal as $wide:ty),*) => { $(
        impl Pack for $type {
            const SHAPE: u64 = mix(BASIS, $name);

            fn pack(&self, out: &mut Vec<u8>) {
                <$wide>::try_from(*self).unwrap_or(<$wide>::MAX).pack(out);
            }

            fn unpack(input: &mut &[u8]) -> Option<Self> {
                Self::try_from(<$wide>::unpack(input)?).ok()
            }
        }
    )* };
}

pack_as!(u16: b"u16" as u64, u32: b"u32" as u64, usize: b"usize" as u64);

impl Pack for u128 {
    const SHAPE: u64 = mix(BASIS, b"u128");

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        take(input, size_of::<Self>())?.try_into().ok().map(Self::from_le_bytes)
    }
}

impl Pack for bool {
    const SHAPE: u64 = mix(BASIS, b"bool");

    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        match u8::unpack(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Pack for String {
    const SHAPE: u64 = mix(BASIS, b"String");

    fn pack(&self, out: &mut Vec<u8>) {
        self.len().pack(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(Vec::unpack(input)?).ok()
    }
}

impl Pack for Box<str> {
    const SHAPE: u64 = String::SHAPE;

    fn pack(&self, out: &mut Vec<u8>) {
        self.len().pack(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        String::unpack(input).map(Into::into)
    }
}

impl Pack for Bytes {
    const SHAPE: u64 = Vec::<u8>::SHAPE;

    fn pack(&self, out: &mut Vec<u8>) {
        self.len().pack(out);
        out.extend_from_slice(self);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        Vec::unpack(input).map(Self::from)
    }
}

impl<T: Pack> Pack for Vec<T> {
    const SHAPE: u64 = join(mix(BASIS, b"Vec"), T::SHAPE);

    fn pack(&self, out: &mut Vec<u8>) {
        self.len().pack(out);
        T::pack_all(self, out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        let count = usize::unpack(input)?;
        T::unpack_all(input, count)
    }
}

impl<T: Pack> Pack for Option<T> {
    const SHAPE: u64 = join(mix(BASIS, b"Option"), T::SHAPE);

    fn pack(&self, out: &mut Vec<u8>) {
        self.is_some().pack(out);
        if let Some(value) = self {
            value.pack(out);
        }
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        if bool::unpack(input)? { T::unpack(input).map(Some) } else { Some(None) }
    }
}

macro_rules! pack_pointers {
    ($($pointer:ident),*) => { $(
        impl<T: Pack> Pack for $pointer<T> {
            const SHAPE: u64 = T::SHAPE;

            fn pack(&self, out: &mut Vec<u8>) {
                (**self).pack(out);
            }

            fn unpack(input: &mut &[u8]) -> Option<Self> {
                T::unpack(input).map(Self::new)
            }
        }
    )* };
}

pack_pointers!(Box, Arc);

macro_rules! pack_tuples {
    ($(($($name:ident $place:tt),+)),*) => { $(
        impl<$($name: Pack),+> Pack for ($($name,)+) {
            const SHAPE: u64 = {
                let shape = mix(BASIS, b"tuple");
                $(let shape = join(shape, $name::SHAPE);)+
                shape
            };

            fn pack(&self, out: &mut Vec<u8>) {
                $(self.$place.pack(out);)+
            }

            fn unpack(input: &mut &[u8]) -> Option<Self> {
                Some(($($name::unpack(input)?,)+))
            }
        }
    )* };
}

pack_tuples!((A 0, B 1), (A 0, B 1, C 2));

impl<const N: usize> Pack for [u8; N] {
    const SHAPE: u64 = mix(BASIS, b"bytes");

    fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        take(input, N)?.try_into().ok()
    }
}

impl Pack for IpAddr {
    const SHAPE: u64 = mix(BASIS, b"IpAddr");

    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(v4) => (4u8, v4.octets()).pack(out),
            Self::V6(v6) => (6u8, v6.octets()).pack(out),
        }
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        match u8::unpack(input)? {
            4 => <[u8; 4]>::unpack(input).map(Self::from),
            6 => <[u8; 16]>::unpack(input).map(Self::from),
            _ => None,
        }
    }
}

impl Pack for SocketAddr {
    const SHAPE: u64 = mix(BASIS, b"SocketAddr");

    fn pack(&self, out: &mut Vec<u8>) {
        (self.ip(), self.port()).pack(out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        <(IpAddr, u16)>::unpack(input).map(Self::from)
    }
}

/// Both processes count ticks from the same moment.
impl Pack for Tick {
    const SHAPE: u64 = mix(BASIS, b"Tick");

    fn pack(&self, out: &mut Vec<u8>) {
        self.as_millis().pack(out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        u64::unpack(input).map(Self::from_millis)
    }
}

impl Pack for Bucket {
    const SHAPE: u64 = mix(BASIS, b"Bucket");

    fn pack(&self, out: &mut Vec<u8>) {
        self.as_micros().pack(out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        u64::unpack(input).map(Self::from_micros)
    }
}

impl Pack for ConnId {
    const SHAPE: u64 = mix(BASIS, b"ConnId");

    fn pack(&self, out: &mut Vec<u8>) {
        self.as_u64().pack(out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        u64::unpack(input).map(Self::from_u64)
    }
}

/// By its label, so that a list that grows changes nothing.
impl Pack for CloseReason {
    const SHAPE: u64 = mix(BASIS, b"CloseReason");

    fn pack(&self, out: &mut Vec<u8>) {
        self.label().to_owned().pack(out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        let label = String::unpack(input)?;
        Self::ALL.iter().copied().find(|reason| reason.label() == label)
    }
}
