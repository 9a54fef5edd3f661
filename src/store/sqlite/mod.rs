//! Logs that survive: an SQLite file with a thread that writes it and one that reads it; while the
//! whole file is checked, a third one ([`full_check`]).
//!
//! ```text
//!            the loop's thread           │  the writer's                    │  the reader's
//!  ──────────────────────────────────────┼──────────────────────────────────┼────────────────
//!   request ─ batch ─ flush ▶ WriteQueue ┼▶ Batch ─▶ Engine ─ commit, sync ─┐│
//!      └──────────────── query ──────────┼──────────────────────────────────┼┼▶ Reader ─┐
//!   poll ◀────────────────── ReplySender ┼──────────────────────────────────┘┼──────────┘
//! ```

mod accounts;
mod append;
pub(in crate::store) mod audit;
mod blocks;
mod checksum;
pub(in crate::store) mod cids;
mod clock_shift;
pub(in crate::store) mod commands;
pub(in crate::store) mod connection;
pub(in crate::store) mod copy_mark;
pub(in crate::store) mod data_dir;
pub(in crate::store) mod disk_reserve;
mod dropped_rooms;
mod edits;
mod effects;
mod engine;
pub(in crate::store) mod file_id;
pub(in crate::store) mod files;
mod full_check;
pub(in crate::store) mod heads;
mod inbox;
pub(in crate::store) mod integers;
pub(in crate::store) mod integrity;
mod lengths;
mod listed_rooms;
pub(in crate::store) mod load_rooms;
pub(in crate::store) mod log_fault;
mod lookalikes;
pub(in crate::store) mod message_threads;
pub(in crate::store) mod meta_table;
pub mod moving_state;
mod open;
mod open_error;
mod options;
pub(in crate::store) mod outbox;
pub(in crate::store) mod people;
mod preload;
mod profiles;
mod program_keys;
mod pushes;
mod queries;
pub(in crate::store) mod read_transaction;
mod reader_thread;
pub(in crate::store) mod record_row;
pub(in crate::store) mod renewals;
mod reply_channel;
pub(in crate::store) mod reports;
pub(in crate::store) mod room_meta;
pub(in crate::store) mod room_names;
pub(in crate::store) mod room_row;
pub(in crate::store) mod schema;
pub(in crate::store) mod search;
mod shared_files;
pub(in crate::store) mod shared_outbox;
mod shared_reader;
mod store;
pub(in crate::store) mod suspensions;
mod tail;
#[cfg(test)]
pub(in crate::store) mod testing;
#[cfg(test)]
mod tests;
mod unwritten_meta;
mod write_op;
mod write_queue;
mod writer_thread;
pub(in crate::store) mod written_by;

pub use open_error::OpenError;
pub use options::Options;
pub use preload::Preload;
pub use reply_channel::Wake;
pub use store::SqliteStore;
pub use suspensions::Suspended;
