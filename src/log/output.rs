//! Where the lines go.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Stderr, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Where lines are written.
pub(super) trait Output: Write {
    /// Goes on in another file of the same name, if it is one: whoever rotates logs has moved it.
    ///
    /// # Errors
    ///
    /// If there can be none; what was open stays so.
    fn reopen(&mut self) -> io::Result<()>;

    /// Whether what is there ends within a line; `None` if that cannot be known.
    fn is_torn(&self) -> Option<bool> {
        None
    }
}

impl Output for Stderr {
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that lines are appended to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: append_to(path)? })
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for LogFile {
    fn reopen(&mut self) -> io::Result<()> {
        self.file = append_to(&self.path)?;
        Ok(())
    }

    fn is_torn(&self) -> Option<bool> {
        let len = self.file.metadata().ok().filter(Metadata::is_file)?.len();
        let Some(last) = len.checked_sub(1) else { return Some(false) };
        // What is appended to cannot be read, and a file need not be for whoever may write to it.
        let file = File::open(&self.path).ok()?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, last).ok()?;
        Some(byte != *b"\n")
    }
}
