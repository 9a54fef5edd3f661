//! Logs that survive: an SQLite file, a thread that writes it and one that reads it.

mod read;
mod reader;
mod replies;
pub(in crate::store) mod row;
pub(in crate::store) mod search;
pub(in crate::store) mod suspend;
#[cfg(test)]
pub(in crate::store) mod testing;
