//! reactor: to be written.
