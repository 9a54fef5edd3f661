//! collections: to be written.
