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
mod output;
mod panic;
mod sink;
mod throttle;
mod timestamp;

use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::{OnceLock, PoisonError, RwLock};

use env_logger::Logger;
use log::{Log, Metadata, Record};

use self::output::{LogFile, Output};
use self::sink::Sink;

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
    /// For systemd's journal, which adds the time: `<N>` with the level's number, module, message,
    /// `key=value`. Not a word of the configuration: it takes the place of [`Self::Text`] where the
    /// journal reads standard error.
    #[serde(skip)]
    Journal,
}

/// Starts logging for this process: from now on, events that pass `filter` go to the file, or to
/// standard error without one, and a panic is one line. No line is lost if the [`Guard`] is kept
/// until the end.
///
/// # Errors
///
/// If the file cannot be opened, the thread cannot be started, or another log was started before.
pub fn start(format: Format, filter: &Filter, file: Option<&Path>) -> io::Result<Guard> {
    let guard = match file {
        Some(path) => Guard::start(format, LogFile::open(path)?)?,
        None => Guard::start(format, io::stderr())?,
    };
    let logger = logger(format, filter, guard.sink());
    let level_max = logger.filter();
    let replaced =
        REPLACEABLE.set(Replaceable { format, sink: guard.sink(), logger: RwLock::new(logger) });
    let log = REPLACEABLE.get().filter(|_| replaced.is_ok());
    let log = log.ok_or_else(|| io::Error::other("there is a log already"))?;
    log::set_logger(log).map_err(io::Error::other)?;
    log::set_max_level(level_max);
    panic::install(format, guard.sink());
    Ok(guard)
}

/// Has the file opened anew, after whoever rotates logs has moved it.
pub fn reopen() {
    REPLACEABLE.get().iter().for_each(|log| log.sink.reopen());
}

/// Has other lines written from now on. Without a log nothing happens.
pub fn set_filter(filter: &Filter) {
    let Some(log) = REPLACEABLE.get() else { return };
    let logger = logger(log.format, filter, log.sink.clone());
    log::set_max_level(logger.filter());
    *log.logger.write().unwrap_or_else(PoisonError::into_inner) = logger;
}

/// The log of this process.
static REPLACEABLE: OnceLock<Replaceable> = OnceLock::new();

/// A logger that can be replaced while threads log: `log` takes one for all time.
struct Replaceable {
    format: Format,
    sink: Sink,
    logger: RwLock<Logger>,
}

impl Replaceable {
    fn read(&self) -> impl Deref<Target = Logger> {
        self.logger.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Replaceable {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.read().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.read().log(record);
    }

    fn flush(&self) {
        self.read().flush();
    }
}

fn logger(format: Format, filter: &Filter, sink: Sink) -> Logger {
    let mut builder = env_logger::Builder::new();
    for (target, level) in filter.directives() {
        builder.filter(target.as_deref(), level);
    }
    builder
        .format(move |out, record| {
            let wall_ms = timestamp::now();
            io::Write::write_all(out, line::record(format, wall_ms, record).as_bytes())
        })
        .target(env_logger::Target::Pipe(Box::new(sink)))
        .build()
}
