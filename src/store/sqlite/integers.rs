//! Unsigned numbers in SQLite's columns, which are signed.

pub(in crate::store) use crate::chat::model::columns::{signed, unsigned};
