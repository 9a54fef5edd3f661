//! Why a command could not be done, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::sqlite::OpenError;
use crate::store::sqlite::log_fault::advice;
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
    /// The server keeps something of its own under this name.
    NameOfServer(PathBuf),
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
    /// Nobody of this name is known: whoever took it would have what it is given.
    NoUser(String),
    /// The database has faults: the first of them, and how many there are.
    Faulty(PathBuf, String, u64),
    /// The operating system has no random numbers.
    Entropy,
    /// The disk of the file has too little space: the bytes that are needed, and those that are
    /// free.
    NoSpace(PathBuf, u64, u64),
    /// Another process reads or writes the file.
    InUse(PathBuf),
    /// The file was replaced by another one meanwhile.
    Replaced(PathBuf),
    /// What was changed is stored, but the server, this process, has not said that it applies it.
    Unconfirmed(i32),
    /// The name of the file is not UTF-8.
    NameNotText(PathBuf),
    /// An erasure was cut off by this, with a part of it done.
    HalfErased(Box<Self>),
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
    #[expect(clippy::too_many_lines, reason = "a text for each")]
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
            Self::NameOfServer(path) => write!(
                f,
                "{} is a name that the server uses for itself; name another file, best on another disk",
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
            Self::File(path, error) => {
                let advice = match error.kind() {
                    io::ErrorKind::PermissionDenied => "; run this as the user of the server",
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "; free space on the disk and try again"
                    }
                    _ => "",
                };
                write!(f, "{}: {error}{advice}", path.display())
            }
            Self::Database(path, error) => {
                write!(f, "{}: {error}{}", path.display(), advice(error))
            }
            Self::NoRoom(room) => write!(
                f,
                "there is no room {room}; names are in lower case, and a direct conversation is called '@ann:bob'"
            ),
            Self::NoUser(user) => write!(
                f,
                "nobody is known as {user}, and whoever took that name would have the room: name a member of a room, or somebody with an account"
            ),
            Self::Faulty(path, first, count) => write!(
                f,
                "{} has {count} fault(s), and nothing was changed; the first one: {first}",
                path.display()
            ),
            Self::NoSpace(path, needed, free) => write!(
                f,
                "{} needs {} of free disk space beside it, and {} are free; nothing was changed: free \
                 some space and try again",
                path.display(),
                Mebibytes(*needed),
                Mebibytes(*free)
            ),
            Self::InUse(path) => write!(
                f,
                "{} is being read by another process, such as chinwag verify or a backup; nothing was \
                 changed: try again when that has ended",
                path.display()
            ),
            Self::Replaced(path) => write!(
                f,
                "{} was replaced meanwhile by chinwag restore or chinwag compact; nothing was \
                 changed: try again",
                path.display()
            ),
            Self::Unconfirmed(process) => write!(
                f,
                "the change is stored, but the server (process {process}) has not applied it within \
                 5 s: look at what it logs, or restart it; one of an earlier version has applied it by \
                 now without saying so"
            ),
            Self::NameNotText(path) => write!(
                f,
                "the name of {} is not UTF-8, which this command needs; rename its directory",
                path.display()
            ),
            Self::HalfErased(error) => {
                write!(f, "{error}; a part is erased, and the same command goes on from there")
            }
            Self::Entropy => f.write_str("the operating system has no random numbers available"),
        }
    }
}

/// Bytes, shown as `12.5 MiB`.
#[derive(Clone, Copy, Debug)]
pub struct Mebibytes(pub u64);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.saturating_mul(10).div_ceil(1024 * 1024);
        write!(f, "{}.{} MiB", tenths / 10, tenths % 10)
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
