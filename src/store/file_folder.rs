//! The folder of files: `files` beside the database, made for the first one that is sent.
//!
//! ```text
//!  files/parts/N        what is being sent; removed at each start
//!  files/ab/abcdef…     what is in a file, under its SHA-256; never changed
//! ```
//!
//! Where several nodes share it, what is in a file has a name of its own after its hash, and each
//! process has its parts in a folder of its own, `files/parts/PROCESS`.
//!
//! A part is synced, renamed, and the folder synced, before the database is told of it. So a kill
//! leaves a part, or a file that the database does not know: the next start removes both.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statvfs;
use sha2::{Digest as _, Sha256};

use super::sqlite::data_dir::with_suffix;
use crate::chat::model::file::HASH_LEN;

/// The name of the folder in the data directory.
const FOLDER: &str = "files";
/// The name of the folder for files that are being sent.
const PARTS: &str = "parts";
/// The age of what nobody has under way any more: far more than the half hour for which a part
/// waits for its sender.
const OLD: Duration = Duration::from_hours(24);
/// Bytes that are read together.
const PIECE_LEN: usize = 64 * 1024;

/// The folder of files.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Where this process has its parts.
    parts: PathBuf,
    is_shared: bool,
}

impl Folder {
    /// The folder in this data directory, which need not exist.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self::alone(data.join(FOLDER))
    }

    /// The folder beside a database that lies alone, such as a backup: `FILE.files`.
    #[must_use]
    pub fn beside(file: &Path) -> Self {
        Self::alone(with_suffix(file, ".files"))
    }

    /// One that several nodes share; no other process has this name.
    #[must_use]
    pub fn shared(path: &Path, process: &str) -> Self {
        let parts = path.join(PARTS).join(process);
        Self { path: path.to_owned(), parts, is_shared: true }
    }

    fn alone(path: PathBuf) -> Self {
        let parts = path.join(PARTS);
        Self { path, parts, is_shared: false }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it if it is shared, and removes what was being sent when the last process ended; of
    /// one that is shared, where that may be another's that is there, what is old.
    ///
    /// # Errors
    ///
    /// If it cannot be made or written.
    pub fn prepare(&self) -> io::Result<()> {
        // Without any file a server that is alone has no folder.
        if !self.is_shared && !self.path.try_exists()? {
            return Ok(());
        }
        self.make()
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.parts)?;
        if self.is_shared {
            // Of a node that has nothing sent for long it would look old to others. By the clock of
            // the share.
            let beat = self.parts.join("beat");
            File::create(&beat)?;
            fs::remove_file(&beat)?;
            remove_old(&self.path.join(PARTS), &self.parts)?;
        } else {
            for part in fs::read_dir(&self.parts)? {
                fs::remove_file(part?.path())?;
            }
        }
        sync(&self.path)?;
        self.path.parent().map_or(Ok(()), sync)
    }

    /// Bytes that are free on its disk.
    ///
    /// # Errors
    ///
    /// If the disk cannot be asked.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let own = self.path.try_exists()?.then_some(&*self.path);
        let there = own.or_else(|| self.path.parent());
        let disk = statvfs(there.unwrap_or(&self.path))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Begins a part.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn begin(&self, number: u64) -> io::Result<(File, PathBuf)> {
        if !self.parts.try_exists()? {
            self.make()?;
        }
        let path = self.parts.join(number.to_string());
        let mut options = OpenOptions::new();
        let file = options.create_new(true).read(true).write(true).mode(0o600).open(&path)?;
        Ok((file, path))
    }

    /// Puts a whole part in its place: the disk has it when this returns.
    ///
    /// # Errors
    ///
    /// If it cannot be synced or renamed.
    pub fn keep(&self, (file, part): (&File, &Path), hash: &str) -> io::Result<()> {
        file.sync_all()?;
        let path = self.place(hash);
        let parent = self.make_parent(&path)?;
        fs::rename(part, &path)?;
        sync(parent)
    }

    /// Takes what has this hash from another folder, unless it is there: as another name of the
    /// same if that may be and can be, otherwise as a copy. The disk has it when this returns.
    ///
    /// # Errors
    ///
    /// If it is not there, or cannot be copied.
    pub fn take(&self, from: &Self, hash: &str, may_link: bool) -> io::Result<()> {
        let (source, path) = (from.place(hash), self.place(hash));
        let bytes = fs::metadata(&source)?.len();
        // A copy that was cut off is shorter.
        if fs::metadata(&path).is_ok_and(|found| found.len() == bytes) {
            return Ok(());
        }
        let parent = self.make_parent(&path)?;
        if !may_link || fs::hard_link(&source, &path).is_err() {
            fs::copy(&source, &path)?;
            File::open(&path)?.sync_all()?;
        }
        sync(parent)
    }

    fn make_parent<'a>(&self, path: &'a Path) -> io::Result<&'a Path> {
        let parent = path.parent().unwrap_or(path);
        if !parent.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            sync(&self.path)?;
        }
        Ok(parent)
    }

    /// Where what has this hash is.
    #[must_use]
    pub fn place(&self, hash: &str) -> PathBuf {
        self.path.join(hash.get(..2).unwrap_or("__")).join(hash)
    }

    /// Reads a piece of what has this hash.
    ///
    /// # Errors
    ///
    /// If it is not there, or not so long.
    pub fn read(&self, hash: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.place(hash))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Removes what has this hash, if it is there.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove(&self, hash: &str) -> io::Result<()> {
        match fs::remove_file(self.place(hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Calls `found` with the name of each file that is there; nothing if there is no folder. Of
    /// one that is shared, those that are old only: others may be about to be told of.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn walk(&self, found: &mut dyn FnMut(&str)) -> io::Result<()> {
        let folders = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            folders => folders?,
        };
        for folder in folders {
            let folder = folder?;
            // Ours have names of two letters, with which the names of their files begin.
            if folder.file_name().len() != 2 {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                if self.is_shared && !is_old(&file.path()) {
                    continue;
                }
                if let Some(name) = file.file_name().to_str()
                    && self.is_name(name)
                {
                    found(name);
                }
            }
        }
        Ok(())
    }

    /// Whether something that is in a file can have this name.
    fn is_name(&self, name: &str) -> bool {
        let (hash, own) = match name.split_once('-') {
            Some((hash, own)) => (hash, Some(own)),
            None => (name, None),
        };
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        hash.len() == HASH_LEN && hash.bytes().all(is_digit) && own.is_some() == self.is_shared
    }

    /// Whether what lies under this hash has it, and this size.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn is_sound(&self, hash: &str, bytes: u64) -> io::Result<bool> {
        let mut file = File::open(self.place(hash))?;
        let (mut sum, mut piece) = (Sha256::new(), vec![0; PIECE_LEN]);
        let mut len = 0_u64;
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                return Ok(len == bytes && hex(sum) == hash);
            }
            len += u64::try_from(read).unwrap_or(u64::MAX);
            sum.update(piece.get(..read).unwrap_or_default());
        }
    }
}

/// A SHA-256 as text.
#[must_use]
pub fn hex(sum: Sha256) -> String {
    use std::fmt::Write as _;
    sum.finalize().iter().fold(String::with_capacity(HASH_LEN), |mut text, byte| {
        // Writing to a text cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Removes folders in this one, but for the `own` one, in which nothing has changed for long, and
/// the files in them.
fn remove_old(folder: &Path, own: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path != own && path.is_dir() && is_old(&path) {
            // Another node may be doing the same.
            _ = fs::remove_dir_all(path);
        }
    }
    Ok(())
}

/// Whether it has not changed for longer than anything that is under way takes. What cannot be said
/// is young.
pub(super) fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|found| found.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok());
    age.is_some_and(|age| age > OLD)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
