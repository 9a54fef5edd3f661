//! chat: to be written.
