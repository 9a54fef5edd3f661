//! Containers that the standard library does not have in this shape.
//!
//! Where a library would do, it is used (`slab`, `compact_str`). These are kept because rows are
//! many and small: [`Few`] and [`KeyIndex`] state what `smallvec` and `hashbrown` would cost.
//! [`Table`] has generational keys of six bytes, where those of `slab` have no generation and those
//! of `slotmap` take eight; with [`Slots`] it grows by [`Pages`], so that no growth copies a
//! million rows in one turn. [`SevenBytes`] keeps such a row small.

mod few;
mod key;
mod key_index;
mod keyed_map;
mod pages;
mod seven_bytes;
mod slots;
mod table;
mod tight;

pub use few::Few;
pub use key::{CompactKey, Key, WideKey};
pub use key_index::KeyIndex;
pub use keyed_map::KeyedMap;
pub use pages::Pages;
pub use seven_bytes::SevenBytes;
pub use slots::Slots;
pub use table::{Beside, HasGeneration, Inside, Table, WithGeneration};
pub use tight::push_tightly;
