//! Logs that survive: an SQLite file, a thread that writes it and one that reads it.

mod replies;
