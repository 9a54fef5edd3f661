//! Files that settings and commands name: configurations, keys, tokens, certificates.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};

/// All that is in the file, or comes by the pipe, at `path`.
///
/// # Errors
///
/// If it cannot be read, has more than `len_max` bytes, or is a pipe by which nothing comes.
pub fn read(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    // Without the last flag a pipe that nobody writes into would be waited for, without a word.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(open(path, flags, Mode::empty())?);
    // Whoever has begun to write into a pipe may take its time.
    fcntl_setfl(&file, OFlags::empty())?;
    let is_pipe = file.metadata()?.file_type().is_fifo();
    let mut bytes = Vec::new();
    // Bounded, since a device has no end.
    file.take(len_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > len_max {
        return Err(io::Error::other(format!("it is larger than {len_max} bytes")));
    }
    if is_pipe && bytes.is_empty() {
        return Err(io::Error::other("nothing came by this pipe"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Write as _, pipe};
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(10).unwrap();
        assert_eq!(read(file.path(), 10).unwrap(), [0; 10]);
        file.as_file().set_len(11).unwrap();
        for path in [file.path(), Path::new("/dev/zero")] {
            let refused = read(path, 10).unwrap_err().to_string();
            assert_eq!(refused, "it is larger than 10 bytes");
        }
    }

    #[test]
    fn a_pipe_is_read_and_one_that_nobody_writes_into_is_not_waited_for() {
        let named = |reader: &PipeReader| format!("/proc/self/fd/{}", reader.as_raw_fd());
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"a secret").unwrap();
        drop(writer);
        assert_eq!(read(named(&reader).as_ref(), 100).unwrap(), b"a secret");
        let refused = read(named(&reader).as_ref(), 100).unwrap_err().to_string();
        assert_eq!(refused, "nothing came by this pipe");
    }
}
