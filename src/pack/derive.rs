//! [`Pack`](super::Pack) by lists of fields.

/// Implements [`Pack`](crate::pack::Pack) for a struct by the list of all its fields.
macro_rules! pack_struct {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        impl $crate::pack::Pack for $name {
            const SHAPE: u64 = {
                let shape = $crate::pack::mix($crate::pack::BASIS, stringify!($name).as_bytes());
                $(
                    let shape = $crate::pack::mix(shape, stringify!($field).as_bytes());
                    let shape = $crate::pack::join(shape, <$type as $crate::pack::Pack>::SHAPE);
                )*
                shape
            };

            fn pack(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $(<$type as $crate::pack::Pack>::pack($field, out);)*
            }

            fn unpack(input: &mut &[u8]) -> Option<Self> {
                $(let $field = <$type as $crate::pack::Pack>::unpack(input)?;)*
                Some(Self { $($field),* })
            }
        }
    };
}

/// Implements [`Pack`](crate::pack::Pack) for an enum by the list of all its variants, each with
/// the byte that names it.
macro_rules! pack_enum {
    ($name:ident { $(
        $tag:literal: $variant:ident
        $(( $($place:ident: $place_type:ty),* $(,)? ))?
        $({ $($field:ident: $type:ty),* $(,)? })?
    ),* $(,)? }) => {
        impl $crate::pack::Pack for $name {
            const SHAPE: u64 = {
                let shape = $crate::pack::mix($crate::pack::BASIS, stringify!($name).as_bytes());
                $(
                    let shape = $crate::pack::mix(shape, &[$tag]);
                    let shape = $crate::pack::mix(shape, stringify!($variant).as_bytes());
                    $($(
                        let shape = $crate::pack::join(
                            shape,
                            <$place_type as $crate::pack::Pack>::SHAPE,
                        );
                    )*)?
                    $($(
                        let shape = $crate::pack::mix(shape, stringify!($field).as_bytes());
                        let shape = $crate::pack::join(shape, <$type as $crate::pack::Pack>::SHAPE);
                    )*)?
                )*
                shape
            };

            fn pack(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(( $($place),* ))? $({ $($field),* })? => {
                        out.push($tag);
                        $($(<$place_type as $crate::pack::Pack>::pack($place, out);)*)?
                        $($(<$type as $crate::pack::Pack>::pack($field, out);)*)?
                    })*
                }
            }

            fn unpack(input: &mut &[u8]) -> Option<Self> {
                match <u8 as $crate::pack::Pack>::unpack(input)? {
                    $($tag => {
                        $($(let $place = <$place_type as $crate::pack::Pack>::unpack(input)?;)*)?
                        $($(let $field = <$type as $crate::pack::Pack>::unpack(input)?;)*)?
                        Some(Self::$variant $(( $($place),* ))? $({ $($field),* })?)
                    })*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use {pack_enum, pack_struct};
