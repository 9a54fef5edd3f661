//! Containers that the standard library has not, or has with an edge that this project does without.

mod keyed_map;

pub use keyed_map::KeyedMap;
