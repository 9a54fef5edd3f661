//! wheel: to be written.
