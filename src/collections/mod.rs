//! Containers that the standard library does not have in this shape.

mod keyed_map;
mod table;

pub use keyed_map::KeyedMap;
pub use table::{Key, Table};
