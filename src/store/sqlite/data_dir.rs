//! The data directory: the names in it, its lock, and what the disk has to know of it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::OFlags;

use super::open_error::OpenError;

/// The name of the database in its directory.
pub(in crate::store) const DATABASE: &str = "chinwag.db";
/// The name of the file whose lock is held by the process that serves the directory.
const LOCK: &str = "chinwag.lock";
/// A pipe in the place of the lock would be waited for, without a word.
const NO_WAIT: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// Makes the directory, if it is not there, for its owner only.
pub(in crate::store) fn make(data: &Path) -> io::Result<()> {
    if data.is_dir() {
        return Ok(());
    }
    if data.exists() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    // Otherwise a power loss could take the directory with everything that was acknowledged in it.
    sync_parent(data)
}

/// Locks the directory for as long as the file is held.
///
/// # Errors
///
/// [`OpenError::Locked`] if another process has it.
pub(in crate::store) fn lock(data: &Path) -> Result<File, OpenError> {
    let broken = |error| OpenError::Directory(data.to_owned(), error);
    // The lock file stays when the process ends: removing it would let a second process lock a new
    // one while a third waits for the old.
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).custom_flags(NO_WAIT);
    let file = options.open(data.join(LOCK)).map_err(broken)?;
    give_to_owner(&data.join(LOCK)).map_err(broken)?;
    match file.try_lock() {
        Ok(()) => {
            // Whoever is named there has ended.
            file.set_len(0).map_err(broken)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::NoLocks(data.to_owned(), error)),
    }
}

/// The lock of a server, for as long as it writes.
#[derive(Debug)]
pub(super) struct HeldLock {
    file: File,
    /// Which one that is, since it is compared with what stands under its name before each batch.
    inode: Option<(u64, u64)>,
    path: PathBuf,
    data: PathBuf,
}

impl HeldLock {
    pub(super) fn new(file: File, data: PathBuf) -> Self {
        Self { inode: inode_of_open(&file), file, path: data.join(LOCK), data }
    }

    /// Names this process, a server, in the file. Best effort: without it only `chinwag upgrade`
    /// does not find the server.
    pub(super) fn write_owner(&self) {
        _ = (&self.file).write_all(std::process::id().to_string().as_bytes());
    }

    /// Takes the lock again, if its file was removed: another server could take one of its own.
    ///
    /// # Errors
    ///
    /// One has done so.
    pub(super) fn keep(&mut self) -> Result<(), OpenError> {
        if self.inode == inode_of(&self.path) {
            return Ok(());
        }
        self.file = lock(&self.data)?;
        self.inode = inode_of_open(&self.file);
        self.write_owner();
        let directory = self.data.display().to_string();
        log::warn!(directory; "chinwag.lock was removed, and is there again: it keeps others out");
        Ok(())
    }
}

fn inode_of_open(file: &File) -> Option<(u64, u64)> {
    file.metadata().map(|file| (file.dev(), file.ino())).ok()
}

/// The device and the inode of the file at `path`, if there is one.
pub(in crate::store) fn inode_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok()
}

/// The server that serves the directory; `None` if none does.
pub(in crate::store) fn owner(data: &Path) -> io::Result<Option<i32>> {
    let file = match OpenOptions::new().read(true).custom_flags(NO_WAIT).open(data.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Shared: two that ask are not in each other's way, nor is a server that starts, for long.
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(io::read_to_string(file)?.trim().parse().ok())
}

/// Waits until the disk has the names in the directory of `path`.
pub(in crate::store) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

/// The directory of `path`; that of a lone name is the working directory.
pub(in crate::store) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// `path` with `suffix` appended to its name, as SQLite names its `-wal` and `-shm`.
pub(in crate::store) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A file that belongs to the database at `path`, which is not there itself: its WAL, or what a
/// restore that was cut off was about to put in its place.
pub(super) fn remains(path: &Path) -> Option<PathBuf> {
    ["-wal", ".part"].map(|suffix| with_suffix(path, suffix)).into_iter().find(|file| file.exists())
}

/// Gives `path` and what SQLite keeps beside it the owner of the directory, if this process may: a
/// file that root has made must be one that the server's user can write.
pub(in crate::store) fn give_to_owner(path: &Path) -> io::Result<()> {
    let owner = std::fs::metadata(parent(path))?;
    for suffix in ["", "-wal", "-shm"] {
        let file = with_suffix(path, suffix);
        match std::fs::metadata(&file) {
            Ok(found) if found.uid() != owner.uid() => {
                std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The length of the file at `path`, 0 if there is none.
pub(in crate::store) fn file_len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Makes a write beyond `RLIMIT_FSIZE` fail, instead of killing the process with `SIGXFSZ`.
pub(in crate::store) fn ignore_file_size_signal() -> io::Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag).map(|_| ())
}
