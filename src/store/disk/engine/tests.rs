//! The engine on files of its own.
