//! Why there is no server.

use std::path::PathBuf;
use std::{fmt, io};

use super::PATIENCE;

/// Why there is no server.
#[derive(Debug)]
pub enum SpawnError {
    /// The program cannot be started, or its files cannot be written.
    Start {
        /// The program or file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It ended, or kept silent, before it said where it listens.
    Silent {
        /// What it did instead.
        what: String,
        /// The end of its log.
        log: String,
    },
    /// It said something else.
    Strange {
        /// The line.
        line: String,
    },
    /// It does not run.
    NotRunning,
    /// It did not stop in time and was killed.
    Stuck {
        /// The end of its log.
        log: String,
    },
    /// The system refused something else.
    System {
        /// What was to be done.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = match self {
            Self::Start { path, error } => return write!(f, "{}: {error}", path.display()),
            Self::Strange { line } => return write!(f, "the server said {line:?} at its start"),
            Self::NotRunning => return f.write_str("the server does not run"),
            Self::System { what, error } => return write!(f, "cannot {what}: {error}"),
            Self::Silent { what, log } => {
                write!(f, "the server {what} before it said where it listens")?;
                log
            }
            Self::Stuck { log } => {
                write!(f, "the server did not stop within {} s", PATIENCE.as_secs())?;
                log
            }
        };
        if log.is_empty() { Ok(()) } else { write!(f, "; its log ends with\n{}", log.trim_end()) }
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { error, .. } | Self::System { error, .. } => Some(error),
            Self::Silent { .. } | Self::Strange { .. } | Self::NotRunning | Self::Stuck { .. } => {
                None
            }
        }
    }
}
