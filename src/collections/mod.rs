//! Containers that the standard library does not have in this shape.

mod few;
mod keyed_map;
mod ledger;
mod table;

pub use few::Few;
pub use keyed_map::KeyedMap;
pub use ledger::Ledger;
pub use table::{Key, Table};
