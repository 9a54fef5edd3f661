//! The kernel's part: what it holds for sockets.

use std::fs;
use std::path::{Path, PathBuf};

use super::{MeasureError, bytes_of, read};

/// What the kernel holds at a moment, for everybody on the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Bytes in the buffers of TCP sockets (`mem` of `/proc/net/sockstat`).
    pub tcp_bytes: u64,
    /// TCP sockets that exist, both ends of a loopback connection counted (`alloc` of the same).
    pub tcp_sockets: u64,
    /// Bytes of all its tables (`Slab` of `/proc/meminfo`): sockets, descriptors and epoll entries
    /// are here, with those of everything else that runs.
    pub slab_bytes: u64,
}

impl Kernel {
    /// What it holds now.
    ///
    /// # Errors
    ///
    /// If there is no `/proc`, or no TCP.
    pub fn now() -> Result<Self, MeasureError> {
        let path = PathBuf::from("/proc/net/sockstat");
        let (tcp_sockets, pages) = parse_sockstat(&read(&path)?)
            .ok_or(MeasureError::Malformed { path, missing: "line about TCP" })?;
        let path = PathBuf::from("/proc/meminfo");
        let slab_bytes = bytes_of(&read(&path)?, "Slab")
            .ok_or(MeasureError::Malformed { path, missing: "Slab" })?;
        Ok(Self { tcp_bytes: pages.saturating_mul(page_len()), tcp_sockets, slab_bytes })
    }

    /// Bytes of sockets and their buffers together, as far as they can be told from the rest.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.tcp_bytes.saturating_add(self.slab_bytes)
    }
}

/// Allocated sockets and pages of buffers in the line about TCP.
fn parse_sockstat(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let value = |name: &str| {
        let pair = words.chunks_exact(2).find(|pair| pair.first() == Some(&name))?;
        pair.get(1)?.parse().ok()
    };
    Some((value("alloc")?, value("mem")?))
}

/// Bytes of a page: what the kernel tells each program at its start.
fn page_len() -> u64 {
    const USUAL: u64 = 4096;
    let auxiliary = fs::read(Path::new("/proc/self/auxv")).unwrap_or_default();
    parse_page_len(&auxiliary).unwrap_or(USUAL)
}

/// Finds the page size among pairs of machine words, each a key and its value.
fn parse_page_len(auxiliary: &[u8]) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    /// `AT_PAGESZ` of `getauxval(3)`.
    const PAGE_SIZE: usize = 6;
    let word = |bytes: &[u8]| Some(usize::from_ne_bytes(bytes.try_into().ok()?));
    let value = auxiliary.chunks_exact(2 * WORD).find_map(|pair| {
        let (key, value) = pair.split_at(WORD);
        if word(key)? == PAGE_SIZE { word(value) } else { None }
    });
    u64::try_from(value?).ok().filter(|len| *len > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_about_tcp_is_found_by_its_words() {
        let text = "sockets: used 152\nTCP: inuse 131 orphan 0 tw 632 alloc 133 mem 415\nUDP: inuse 0 mem 7\n";
        assert_eq!(parse_sockstat(text), Some((133, 415)));
        assert_eq!(parse_sockstat("TCP: mem 1 alloc 2"), Some((2, 1)));
        assert_eq!(parse_sockstat("TCP: inuse 1 alloc"), None);
        assert_eq!(parse_sockstat("TCP6: inuse 1"), None);
        assert_eq!(parse_sockstat(""), None);
    }

    #[test]
    fn the_page_size_is_one_of_the_words_of_the_start() {
        let words = |words: &[usize]| words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let check = |bytes: Vec<u8>, expect| assert_eq!(parse_page_len(&bytes), expect);
        check(words(&[33, 7, 6, 16384, 17, 100, 0, 0]), Some(16384));
        check(words(&[7, 6, 17, 100]), None);
        check(words(&[6, 0]), None);
        check(words(&[6]), None);
        check(Vec::new(), None);
    }

    #[test]
    fn this_kernel_has_tables() {
        let kernel = Kernel::now().unwrap();
        assert!(kernel.slab_bytes > 0 && kernel.bytes() >= kernel.slab_bytes, "{kernel:?}");
        assert!(page_len().is_power_of_two());
    }
}
