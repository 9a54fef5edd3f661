//! Why the store could not be opened, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::log_fault::advice;
use super::moving_state::{Moved, Phase};
use super::schema::Unfit;

/// Why the store could not be opened. Each says what to do.
#[derive(Debug)]
pub enum OpenError {
    /// The directory cannot be made or used.
    Directory(PathBuf, io::Error),
    /// Another server has the directory.
    Locked(PathBuf),
    /// The program was built with an SQLite that is too old.
    Library(&'static str),
    /// The file is of a later version of the program: the version it has, and the last known one.
    Newer(PathBuf, i32, i32),
    /// The file is of an earlier version of the program: the version it has, and the last known
    /// one.
    Older(PathBuf, i32, i32),
    /// The file is of another program.
    Foreign(PathBuf),
    /// The file has nothing in it.
    Empty(PathBuf),
    /// The file is not there, but others are that belong to one: the first of them.
    Incomplete(PathBuf, PathBuf),
    /// The WAL beside the file belongs to another file.
    WalMismatch(PathBuf),
    /// The file is damaged.
    Damaged(PathBuf, String),
    /// What is in the file belongs to another place.
    Moved(PathBuf, Moved),
    /// There is no room on the disk: bytes, inodes, or a quota.
    NoRoom(PathBuf, rusqlite::Error),
    /// The file cannot be read or written.
    Failed(PathBuf, rusqlite::Error),
    /// The file system cannot lock the directory's lock.
    NoLocks(PathBuf, io::Error),
    /// The system refuses a thread.
    Thread(io::Error),
}

impl OpenError {
    /// The file at `path` cannot be used.
    pub(in crate::store) fn of_unfit(path: &Path, unfit: Unfit) -> Self {
        let path = path.to_owned();
        match unfit {
            Unfit::Foreign => Self::Foreign(path),
            Unfit::Empty => Self::Empty(path),
            Unfit::WalMismatch => Self::WalMismatch(path),
            Unfit::Newer(found, known) => Self::Newer(path, found, known),
            Unfit::Older(found, known) => Self::Older(path, found, known),
            Unfit::Damaged(error) => Self::Damaged(path, error.to_string()),
            Unfit::Failed(error) => Self::Failed(path, error),
        }
    }

    /// SQLite has refused something with the file at `path`.
    pub(in crate::store) fn of_sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        |error| Self::of_unfit(path, Unfit::from(error))
    }
}

impl fmt::Display for OpenError {
    #[expect(clippy::too_many_lines, reason = "a text for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => write!(
                f,
                "the data directory {} cannot be used: {error}; {}, or name another directory with \
                 `data`",
                path.display(),
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "make it writable for the user that runs this"
                    }
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "free space on its disk"
                    }
                    _ => "make it writable, free space on its disk",
                }
            ),
            Self::Locked(path) => write!(
                f,
                "another chinwag serves {}, or a command such as restore or compact changes it: wait for \
                 that, stop it, or name another directory with `data`",
                path.display()
            ),
            Self::Library(version) => write!(
                f,
                "this program was built with SQLite {version}, which may damage its files; build \
                 it with 3.51.3 or later"
            ),
            Self::Newer(path, found, known) => write!(
                f,
                "{} has version {found} of the schema, and this chinwag knows versions up to \
                 {known}; use the chinwag that wrote it or a later one, or restore an older \
                 backup into another directory",
                path.display()
            ),
            Self::Older(path, found, known) => write!(
                f,
                "{} has version {found} of the schema, and this command needs {known}; start this \
                 chinwag on it once, which brings it there, and try again",
                path.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "{} is not a chinwag database; move it away, or name another directory with `data`",
                path.display()
            ),
            Self::Moved(path, Moved { phase, place, .. }) => match phase {
                Phase::Left => write!(
                    f,
                    "{} has moved to {place}: set [cluster] engine to that, or name another \
                     directory with `data`",
                    path.display()
                ),
                Phase::Leaving => write!(
                    f,
                    "{} is moving to {place}, and that was cut off: run `chinwag import` with the \
                     same two places again",
                    path.display()
                ),
                Phase::Arriving => write!(
                    f,
                    "{} is to have what comes from {place}, and that was cut off: run `chinwag \
                     import` with the same two places again",
                    path.display()
                ),
            },
            Self::Empty(path) => write!(
                f,
                "{} is empty, and chinwag never leaves it so: restore a backup with `chinwag \
                 restore`, or move it away to start without data",
                path.display()
            ),
            Self::Incomplete(path, found) => write!(
                f,
                "{} is not there, but {found} is: a restore was cut off, or somebody has removed the \
                 one without the other; repeat `chinwag restore`, or move what is there away to start \
                 without data",
                path.display(),
                found = found.display()
            ),
            Self::WalMismatch(path) => write!(
                f,
                "{0}-wal is the write-ahead log of another database than {0}: put the right one in \
                 its place, or move it away; both files were left unchanged",
                path.display()
            ),
            Self::Damaged(path, what) => write!(
                f,
                "{} is damaged: {what}; it was left as it is: see `chinwag verify`, and restore a \
                 backup with `chinwag restore`, or move the file away to start without data",
                path.display()
            ),
            Self::NoRoom(path, error) => write!(
                f,
                "{} cannot be opened: {error}; its disk has no space, no inode or no quota left: \
                 free some and try again",
                path.display()
            ),
            Self::Failed(path, error) => {
                write!(f, "{} cannot be opened: {error}{}", path.display(), advice(error))
            }
            Self::NoLocks(path, error) => write!(
                f,
                "the file system of {} has no locks, which keep two servers from using it: {error}; use \
                 a disk of this machine",
                path.display()
            ),
            Self::Thread(error) => write!(
                f,
                "no thread can be started: {error}; raise the limit of processes and threads (ulimit -u, \
                 TasksMax of systemd, pids of a container), or free some memory"
            ),
        }
    }
}

impl std::error::Error for OpenError {}
