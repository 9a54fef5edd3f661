//! Disk space that is kept in reserve, so that a full disk can be emptied.
//!
//! SQLite has to write to delete anything. The file `chinwag.reserve` takes some space beside the
//! database; when the disk is full it is removed, and what frees space is done in its place:
//! deletions, retention, `erase-user`. Everything else is refused until the reserve could be taken
//! again.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

/// The name of the file that takes the space.
const FILE: &str = "chinwag.reserve";
/// The name of a file that exists for a moment, to learn what the file system says.
const PROBE: &str = "chinwag.asked";
/// Bytes in reserve: as many as the WAL has before a busy writer moves it into the file, of which
/// only a part makes the file longer.
pub(super) const RESERVE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes that must be left besides, or the reserve would have to be released at once.
const LEFT_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of the probe: one block, so that the file system has to allocate it.
const PROBE_BYTES: usize = 4096;

const _: () = assert!(RESERVE_BYTES > LEFT_BYTES);

/// The reserve of one directory.
#[derive(Debug)]
pub(in crate::store) struct DiskReserve {
    data: PathBuf,
    bytes: u64,
    is_held: bool,
}

impl DiskReserve {
    /// The reserve of this directory, as it was left there.
    pub(in crate::store) fn of(data: &Path) -> Self {
        Self::sized(data, RESERVE_BYTES)
    }

    /// One of so many bytes.
    pub(super) fn sized(data: &Path, bytes: u64) -> Self {
        let is_held = fs::metadata(data.join(FILE)).is_ok_and(|file| file.len() >= bytes);
        Self { data: data.to_owned(), bytes, is_held }
    }

    /// Takes the space. A failure for another reason than space, such as a file system that cannot
    /// allocate, is logged and counts as success: trying again would not help.
    ///
    /// # Errors
    ///
    /// There is not enough space.
    pub(super) fn acquire(&mut self) -> io::Result<()> {
        if self.is_held {
            return Ok(());
        }
        let acquired = self.try_acquire();
        // A part of it would be taken for the whole at the next start, or be missing from the disk.
        if acquired.is_err() {
            self.release();
        }
        match acquired {
            Err(error) if is_no_space(&error) => return Err(error),
            Err(error) => {
                let data = self.data.display().to_string();
                log::warn!(data, error:% = error; "no space can be kept in reserve for a full disk");
            }
            Ok(()) => {}
        }
        self.is_held = true;
        Ok(())
    }

    /// Gives the space back.
    pub(in crate::store) fn release(&mut self) {
        _ = fs::remove_file(self.data.join(FILE));
        self.is_held = false;
    }

    /// Whether there is something to be released.
    pub(in crate::store) const fn is_held(&self) -> bool {
        self.is_held
    }

    fn try_acquire(&self) -> io::Result<()> {
        let disk = statvfs(&self.data)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        // Some file systems do not report their size.
        if disk.f_blocks > 0 && free < self.bytes.saturating_add(LEFT_BYTES) {
            return Err(ErrorKind::StorageFull.into());
        }
        let file = File::create(self.data.join(FILE))?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            // Written and not only made long: a sparse file keeps nothing in reserve.
            Err(Errno::NOTSUP | Errno::NOSYS) => write_zeros(file, self.bytes),
            outcome => Ok(outcome?),
        }
    }

    /// Why the file system refuses a small file, or `None` if it does not: SQLite reports less than
    /// it has learned.
    pub(in crate::store) fn probe(&self) -> Option<io::Error> {
        let path = self.data.join(PROBE);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&[0; PROBE_BYTES])?;
            file.sync_all()
        });
        _ = fs::remove_file(&path);
        written.err()
    }
}

/// Whether this is for want of space: bytes, inodes, a quota, or a limit of the file's length.
pub(in crate::store) fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

fn write_zeros(mut file: File, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut file)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_acquired_once_found_again_and_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut reserve = DiskReserve::of(folder.path());
        assert!(!reserve.is_held());
        reserve.acquire().unwrap();
        reserve.acquire().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), RESERVE_BYTES);
        let mut later = DiskReserve::of(folder.path());
        assert!(later.is_held());
        later.release();
        assert!(!later.is_held() && !path.exists());
        // One that was not finished is none.
        fs::write(&path, "x").unwrap();
        assert!(!DiskReserve::of(folder.path()).is_held());
        later.acquire().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), RESERVE_BYTES);
    }

    #[test]
    fn what_there_is_no_space_for_is_not_taken_and_nothing_of_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = DiskReserve::sized(folder.path(), u64::MAX / 2);
        let refused = reserve.acquire().unwrap_err();
        assert!(is_no_space(&refused) && !reserve.is_held(), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_system_that_takes_files_refuses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(DiskReserve::of(folder.path()).probe().is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let refused = DiskReserve::of(&folder.path().join("nowhere")).probe().unwrap();
        assert!(!is_no_space(&refused), "{refused}");
    }

    #[test]
    fn a_file_system_without_fallocate_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zeros");
        write_zeros(File::create(&path).unwrap(), 100_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), vec![0; 100_000]);
    }
}
