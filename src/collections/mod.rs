//! Containers that the standard library does not have in this shape.

mod keyed_map;
mod ledger;
mod table;

pub use keyed_map::KeyedMap;
pub use ledger::Ledger;
pub use table::{Key, Table};

/// Inserts into a list that mostly stays at one element, of which there are very many: the first element
/// takes room for itself alone.
pub fn insert<T>(list: &mut Vec<T>, index: usize, value: T) {
    if list.capacity() == 0 {
        list.reserve_exact(1);
    }
    list.insert(index, value);
}
