//! line: to be written.
