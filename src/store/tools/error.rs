//! Why a command could not be done, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::store::sqlite::OpenError;
use crate::store::sqlite::schema::Unfit;

/// Why a command could not be done. Each says what to do.
#[derive(Debug)]
pub enum ToolError {
    /// The directory has no database.
    Missing(PathBuf),
    /// What should be the server's directory is a file.
    NoDirectory(PathBuf),
    /// The file is not a backup, and why.
    NoBackup(PathBuf, String),
    /// The directory or the file is not for this program, or another server has it.
    Unfit(OpenError),
    /// A file of this name exists already.
    Exists(PathBuf),
    /// Another backup to this file is being written: the file it writes to.
    Unfinished(PathBuf),
    /// The command was told to end, and has removed what was unfinished.
    Interrupted,
    /// The file cannot be read or written.
    File(PathBuf, io::Error),
    /// The database cannot be read or written.
    Database(PathBuf, rusqlite::Error),
    /// There is no room of this name.
    NoRoom(String),
    /// The database has faults: the first of them, and how many there are.
    Faulty(PathBuf, String, u64),
    /// The operating system has no random numbers.
    Entropy,
}

impl ToolError {
    /// For `map_err`, where something at `path` was to be done.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self::File(path.to_owned(), error)
    }

    /// For `map_err`, where the file at `path` is not for this program.
    pub(super) fn unfit(path: &Path) -> impl FnOnce(Unfit) -> Self {
        |unfit| Self::Unfit(OpenError::of_unfit(path, unfit))
    }

    /// For `map_err`, where something in the database at `path` was to be done.
    pub(super) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        |error| Self::Database(path.to_owned(), error)
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(
                f,
                "there is no database {}; name the server's directory with --data",
                path.display()
            ),
            Self::NoDirectory(path) => write!(
                f,
                "{} is not a directory; name the server's directory with --data",
                path.display()
            ),
            Self::NoBackup(path, why) => write!(
                f,
                "{} is not a backup: {why}; name a file that chinwag backup has made",
                path.display()
            ),
            Self::Unfit(error) => error.fmt(f),
            Self::Exists(path) => write!(
                f,
                "{} exists already and is never overwritten; name another file, or move it away",
                path.display()
            ),
            Self::Unfinished(path) => write!(
                f,
                "{} is being written by another backup; wait for that, or name another file",
                path.display()
            ),
            Self::Interrupted => {
                f.write_str("interrupted; nothing was changed, and what was unfinished is removed")
            }
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Database(path, error) => {
                write!(f, "{}: {error}{}", path.display(), advice(error))
            }
            Self::NoRoom(room) => write!(
                f,
                "there is no room {room}; names are in lower case, and a direct conversation is called '@ann:bob'"
            ),
            Self::Faulty(path, first, count) => write!(
                f,
                "{} has {count} fault(s), and nothing was changed; the first one: {first}",
                path.display()
            ),
            Self::Entropy => f.write_str("the operating system has no random numbers available"),
        }
    }
}

fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; see what is damaged with chinwag verify, and restore a backup with chinwag restore"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another process has locked it: try again when that has ended"
        }
        Some(ErrorCode::DiskFull) => "; free space on the disk and try again",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "; run this as the user of the server, who may write to its directory"
        }
        _ => "",
    }
}

impl std::error::Error for ToolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Database(_, error) => Some(error),
            Self::Unfit(error) => Some(error),
            _ => None,
        }
    }
}
