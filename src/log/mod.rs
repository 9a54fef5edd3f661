//! Logging: structured lines on standard error, written by a thread of their own.
//!
//! Every module logs with the macros of the `log` crate, key-values first, then what happened in a
//! constant text:
//!
//! ```
//! # let (conn, id, room) = ("c7", "3", "lobby");
//! log::info!(conn:% = conn, req:% = id, room:% = room; "joined");
//! ```
//! ```text
//! 2026-11-21T07:45:00.123Z INFO  session joined conn=c7 req=3 room=lobby
//! {"time":"2026-11-21T07:45:00.123Z","level":"INFO","target":"session","message":"joined",…}
//! ```
//!
//! The keys `conn` (a [`ConnId`](crate::net::ConnId)) and `req` (a request's `id`) follow a message
//! through the layers; `time`, `level`, `target` and `message` are reserved. Text from clients goes
//! into values, never into the constant text. Message bodies and tokens are never logged.
//!
//! - Each event is one line, whatever its values are: invisible characters are escaped, and every
//!   field has a bound.
//! - No caller waits for the disk or the terminal: a line that finds the queue full is dropped and
//!   counted, and a later line states the number.
//! - Lines that a client can cause repeatedly pass a [`Throttle`] first.

mod filter;
mod line;
mod panic;
mod sink;
mod throttle;
mod timestamp;

use std::io;

pub use filter::{BadFilter, Filter};
pub use sink::{Guard, dropped};
pub use throttle::Throttle;
pub use timestamp::Timestamp;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people: time, level, module, message, `key=value`.
    Text,
    /// For programs: one object a line.
    Json,
}

/// Starts logging for this process: from now on, events that pass `filter` go to standard error,
/// and a panic is one line. No line is lost if the [`Guard`] is kept until the end.
///
/// # Errors
///
/// If the thread cannot be started, or another log was started before.
pub fn start(format: Format, filter: &Filter) -> io::Result<Guard> {
    let guard = Guard::start(format, io::stderr())?;
    let mut builder = env_logger::Builder::new();
    for (target, level) in filter.directives() {
        builder.filter(target.as_deref(), level);
    }
    let logger = builder
        .format(move |out, record| {
            let wall_ms = timestamp::now();
            io::Write::write_all(out, line::record(format, wall_ms, record).as_bytes())
        })
        .target(env_logger::Target::Pipe(Box::new(guard.sink())))
        .build();
    let level_max = logger.filter();
    log::set_boxed_logger(Box::new(logger)).map_err(io::Error::other)?;
    log::set_max_level(level_max);
    panic::install(format, guard.sink());
    Ok(guard)
}
