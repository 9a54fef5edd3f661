//! Who says who somebody is, as far as that can be computed: no sockets, no clock, no files.
//!
//! - [`jwt`]: tokens that somebody else has signed.
//! - [`keys`]: the keys that they must be signed with.
//! - [`password`]: passwords into hashes that tell nothing of them.
//! - [`secret`]: secrets of 256 bits, and their hashes.
//!
//! What comes from a client decides nothing here but which row of a fixed table it is compared
//! with. A key is never fetched, and never found by anything but the table.

mod json;
pub mod jwt;
pub mod keys;
pub mod password;
pub mod secret;
