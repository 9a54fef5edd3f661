//! Room that is kept back on the disk, so that a full one can be emptied.
//!
//! SQLite has to write to delete anything. `chinwag.reserve` takes some room beside the database; when there is
//! none left it is removed, and what makes room is done in its place: deletions, what was kept long enough,
//! `erase-user`. Everything else is refused until the reserve could be taken again.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

/// The name of the file that takes the room.
const FILE: &str = "chinwag.reserve";
/// The name of a file that is there for a moment, to learn what the file system says.
const ASKED: &str = "chinwag.asked";
/// Bytes that are kept back: about what the log has before it is moved into the file, of which only a part makes the
/// file longer.
pub(super) const RESERVE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes that must be left when they are taken, or they would have to be given at once.
const LEFT_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes that are written to learn what the file system says.
const ASKED_BYTES: usize = 4096;

/// The room that is kept back in one directory, or not.
#[derive(Debug)]
pub(in crate::store) struct Reserve {
    data: PathBuf,
    bytes: u64,
    is_held: bool,
}

impl Reserve {
    /// The reserve of this directory, as it was left there.
    pub(in crate::store) fn of(data: &Path) -> Self {
        Self::sized(data, RESERVE_BYTES)
    }

    /// One of so many bytes.
    pub(super) fn sized(data: &Path, bytes: u64) -> Self {
        let is_held = fs::metadata(data.join(FILE)).is_ok_and(|file| file.len() >= bytes);
        Self { data: data.to_owned(), bytes, is_held }
    }

    /// Keeps the room back. What has not to do with room, such as a file system that cannot do it, is logged and
    /// no failure: it would not go away.
    ///
    /// # Errors
    ///
    /// There is not so much room.
    pub(super) fn take(&mut self) -> io::Result<()> {
        if self.is_held {
            return Ok(());
        }
        let taken = self.try_take();
        if taken.is_err() {
            self.give();
        }
        match taken {
            Err(error) if is_no_room(&error) => return Err(error),
            Err(error) => {
                let data = self.data.display().to_string();
                log::warn!(data, error:% = error; "no room can be kept back for a full disk");
            }
            Ok(()) => {}
        }
        self.is_held = true;
        Ok(())
    }

    /// Hands the room back.
    pub(in crate::store) fn give(&mut self) {
        _ = fs::remove_file(self.data.join(FILE));
        self.is_held = false;
    }

    /// Whether there is something to be given.
    pub(super) const fn is_held(&self) -> bool {
        self.is_held
    }

    fn try_take(&self) -> io::Result<()> {
        let disk = statvfs(&self.data)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        // There are file systems that do not say how large they are.
        if disk.f_blocks > 0 && free < self.bytes.saturating_add(LEFT_BYTES) {
            return Err(ErrorKind::StorageFull.into());
        }
        let file = File::create(self.data.join(FILE))?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Err(Errno::NOTSUP | Errno::NOSYS) => write_zeros(file, self.bytes),
            outcome => Ok(outcome?),
        }
    }

    /// Why the file system takes no small file, or `None` if it does: SQLite says less than it has learned.
    pub(super) fn refusal(&self) -> Option<io::Error> {
        let path = self.data.join(ASKED);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&[0; ASKED_BYTES])?;
            file.sync_all()
        });
        _ = fs::remove_file(&path);
        written.err()
    }
}

/// Whether this is for want of room: bytes, inodes, a quota, or the limit of a file's length.
pub(super) fn is_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

fn write_zeros(mut file: File, bytes: u64) -> io::Result<()> {
    let block = [0; 8 * 1024];
    let mut left = bytes;
    while left > 0 {
        let len = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(block.get(..len).unwrap_or(&block))?;
        left = left.saturating_sub(u64::try_from(len).unwrap_or(left));
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_taken_once_found_again_and_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut reserve = Reserve::of(folder.path());
        assert!(!reserve.is_held());
        reserve.take().unwrap();
        reserve.take().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), RESERVE_BYTES);
        let mut later = Reserve::of(folder.path());
        assert!(later.is_held());
        later.give();
        assert!(!later.is_held() && !path.exists());
        // One that was not finished is none.
        fs::write(&path, "x").unwrap();
        assert!(!Reserve::of(folder.path()).is_held());
        later.take().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), RESERVE_BYTES);
    }

    #[test]
    fn what_there_is_no_room_for_is_not_taken_and_nothing_of_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::sized(folder.path(), u64::MAX / 2);
        let refused = reserve.take().unwrap_err();
        assert!(is_no_room(&refused) && !reserve.is_held(), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_system_that_takes_files_refuses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Reserve::of(folder.path()).refusal().is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let refused = Reserve::of(&folder.path().join("nowhere")).refusal().unwrap();
        assert!(!is_no_room(&refused), "{refused}");
    }

    #[test]
    fn a_file_system_without_fallocate_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zeros");
        write_zeros(File::create(&path).unwrap(), 100_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), vec![0; 100_000]);
    }
}
