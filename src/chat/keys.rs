//! The names of the domain's rows. One whose row was removed names nothing any more.

use crate::collections::{CompactKey, Key, WideKey};

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident($inner:ident),)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub(super) struct $name($inner);

            impl Key for $name {
                const INDEX_MAX: usize = $inner::INDEX_MAX;
                const GENERATION_MAX: u32 = $inner::GENERATION_MAX;

                #[inline]
                fn new(index: usize, generation: u32) -> Self {
                    Self($inner::new(index, generation))
                }

                #[inline]
                fn index(self) -> usize {
                    self.0.index()
                }

                #[inline]
                fn generation(self) -> u32 {
                    self.0.generation()
                }
            }
        )+
    };
}

keys! {
    /// Names a row of the users.
    UserKey(CompactKey),
    /// Names a row of the rooms.
    RoomKey(CompactKey),
    /// Names a row of the memberships.
    MembershipKey(CompactKey),
    /// Names a request to the logs that has not been answered.
    PendingKey(WideKey),
}

impl PendingKey {
    /// The key as a number, which the logs give back with the answer.
    pub(super) const fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    /// The key that is this number.
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(WideKey::from_bits(bits))
    }
}
