//! The numbers that stand for enums in columns. They are stored: none is ever given another
//! meaning.

use crate::chat::model::identity::Source;
use crate::chat::model::log::Restriction;
use crate::chat::model::reply::{Durability, Role};

/// Something that is stored as a small number.
pub(in crate::store) trait ColumnCode: Sized {
    /// The number.
    fn code(self) -> i64;
    /// The inverse of [`ColumnCode::code`]; `None` for any other number.
    fn from_code(code: i64) -> Option<Self>;
}

macro_rules! column_codes {
    ($($type:ident { $($variant:ident = $code:literal),+ })+) => {
        $(impl ColumnCode for $type {
            fn code(self) -> i64 {
                match self { $(Self::$variant => $code),+ }
            }

            fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        })+
    };
}

column_codes! {
    Role { Reader = 0, Member = 1, Moderator = 2, Owner = 3 }
    Restriction { Banned = 0, Muted = 1, Invited = 2, Reader = 3, MayReturn = 4 }
    Source { None = 0, Guest = 1, Account = 2, Token = 3, Header = 4, Key = 5, Retired = 6 }
    Durability { Memory = 0, Os = 1, Disk = 2 }
}
