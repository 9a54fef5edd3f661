//! Listening sockets in the file system.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

/// The file of a socket that this process has made, which is removed with it, unless somebody has
/// removed it before and another one is in its place.
pub(super) struct SocketFile(Option<(PathBuf, Option<Identity>)>);

/// Which file it is: device, inode, which may be given again, and when it was made.
type Identity = (u32, u32, u64, i64, u32);

fn identity_of(path: &Path) -> Option<Identity> {
    let flags = StatxFlags::INO | StatxFlags::BTIME;
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, flags).ok()?;
    let made = found.stx_btime;
    Some((found.stx_dev_major, found.stx_dev_minor, found.stx_ino, made.tv_sec, made.tv_nsec))
}

impl SocketFile {
    /// One that another process has made, and keeps.
    pub(super) const fn of_others() -> Self {
        Self(None)
    }

    /// The one at this path, which this process has made, or another one has left to it.
    pub(super) fn at(path: PathBuf) -> Self {
        let identity = identity_of(&path);
        Self(Some((path, identity)))
    }

    /// Another process has it from now on.
    pub(super) fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some((path, identity)) = &self.0
            && identity_of(path) == *identity
        {
            // If it stays, the next start finds that nobody listens there, and removes it.
            let _removed = fs::remove_file(path);
        }
    }
}

/// Opens a socket at `path` that whoever has `mode` may connect to. A socket that a process has
/// left behind there is removed first.
///
/// # Errors
///
/// The text says what was tried, what failed and what to do.
pub(super) fn open(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    prepare(path, mode).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AddrInUse => {
                "another process listens there, or it is another kind of file: choose another path"
            }
            ErrorKind::NotFound => "make the directory that it is to be in",
            ErrorKind::PermissionDenied => "let the user that runs the server write there",
            _ => "check the path",
        };
        let text = format!("cannot listen on unix:{}: {error}; {remedy}", path.display());
        io::Error::new(error.kind(), text)
    })
}

fn prepare(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let is_refused = |no: io::Error| no.kind() == ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(is_refused) {
        fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    let file = SocketFile::at(path.to_owned());
    socket.set_nonblocking(true)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok((socket, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_behind_is_removed_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        // The standard library leaves its file behind, as a process does that is killed.
        drop(UnixListener::bind(&path).unwrap());
        let (_socket, file) = open(&path, 0o640).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let said = open(&path, 0o640).err().unwrap().to_string();
        assert!(said.contains("another process listens there"), "{said}");
        drop(file);
        assert!(!path.exists());
        let (_socket, file) = open(&path, 0o640).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists(), "it is another one's");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        open(&path, 0o640).err().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let said = open(&folder.path().join("a/b"), 0o640).err().unwrap().to_string();
        assert!(said.contains("make the directory"), "{said}");
    }
}
