//! What the system says: of a process, of the kernel's sockets, of the machine. Linux, from
//! `/proc`.

mod kernel;
mod machine;
mod meter;
mod process;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

pub use kernel::Kernel;
pub use machine::Machine;
pub use meter::{Mark, Meter};
pub use process::{Process, Usage};

/// Why something cannot be measured.
#[derive(Debug)]
pub enum MeasureError {
    /// There is no such process, or no longer: its number may belong to another by now.
    Gone {
        /// The process.
        pid: u32,
    },
    /// The system does not let us look: the process belongs to somebody else.
    Denied {
        /// What could not be read.
        path: PathBuf,
    },
    /// A file of the system cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file of the system does not say what it says elsewhere.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        missing: &'static str,
    },
}

impl fmt::Display for MeasureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { pid } => write!(f, "there is no process {pid} (any more)"),
            Self::Denied { path } => write!(
                f,
                "{} may not be read: does the process belong to another user?",
                path.display()
            ),
            Self::Unreadable { path, error } => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            Self::Malformed { path, missing } => write!(f, "{} has no {missing}", path.display()),
        }
    }
}

impl std::error::Error for MeasureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::Gone { .. } | Self::Denied { .. } | Self::Malformed { .. } => None,
        }
    }
}

fn read(path: &Path) -> Result<String, MeasureError> {
    fs::read_to_string(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: io::Error) -> MeasureError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::PermissionDenied => MeasureError::Denied { path },
        _ => MeasureError::Unreadable { path, error },
    }
}

/// The bytes that the line `name` of a file such as `status` says in `kB`.
fn bytes_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
