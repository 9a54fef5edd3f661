//! ws: to be written.
