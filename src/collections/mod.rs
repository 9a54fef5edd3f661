//! Containers that the standard library does not have in this shape.

mod few;
mod key;
mod key_index;
mod keyed_map;
mod pages;
mod short_str;
mod slots;
mod table;

pub use few::Few;
pub use key::{CompactKey, Key, WideKey};
pub use key_index::KeyIndex;
pub use keyed_map::KeyedMap;
pub use pages::Pages;
pub use short_str::ShortStr;
pub use slots::Slots;
pub use table::Table;
