//! Where the lines go.

use std::fs::{File, Metadata};
use std::io::{self, Stderr, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::Errno;

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
    let appending = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    // Without the last flag a pipe that nobody reads would be waited for, without a word.
    let opened = open(path, appending | OFlags::NONBLOCK, Mode::from_raw_mode(0o666));
    let file = opened.map_err(|errno| match errno {
        Errno::NXIO => io::Error::other("it is a pipe or a socket that nobody reads"),
        errno => errno.into(),
    })?;
    // The thread that writes may wait for whoever reads a pipe; a file never makes it wait.
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file.into())
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_is_refused_and_one_that_is_read_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let refused = LogFile::open(&path).unwrap_err().to_string();
        assert!(refused.contains("nobody reads"), "{refused}");
        let reader = open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        LogFile::open(&path).unwrap().write_all(b"a line\n").unwrap();
        let mut read = String::new();
        File::from(reader).read_to_string(&mut read).unwrap();
        assert_eq!(read, "a line\n");
    }
}
