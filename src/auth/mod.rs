//! Who says who somebody is, as far as that can be computed: no sockets, no clock, no files.
//!
//! - [`password`]: passwords into hashes that tell nothing of them.
//! - [`secret`]: secrets of 256 bits, and their hashes.

pub mod password;
pub mod secret;
