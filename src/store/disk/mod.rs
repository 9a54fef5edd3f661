//! Logs that outlive the process, in one SQLite database.

pub(in crate::store) mod row;
pub(in crate::store) mod search;
