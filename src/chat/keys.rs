//! The names of the domain's rows.

use crate::collections::Key;

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub(super) struct $name(u32);

            impl Key for $name {
                fn from_index(index: usize) -> Self {
                    Self(u32::try_from(index).unwrap_or(u32::MAX))
                }

                fn index(self) -> usize {
                    usize::try_from(self.0).unwrap_or(usize::MAX)
                }
            }
        )+
    };
}

keys! {
    /// Names a row of the users.
    UserKey,
    /// Names a row of the rooms.
    RoomKey,
    /// Names a row of the memberships.
    MembershipKey,
    /// Names a request to the logs that has not been answered.
    AskedKey,
}
