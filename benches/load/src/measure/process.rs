//! One process: its time on a core, its memory, its descriptors.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{MeasureError, bytes_of, unreadable};

/// A process that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    folder: PathBuf,
    /// When it began, in the kernel's ticks: tells it from a later one with the same number.
    began: u64,
}

/// What a process has used until now.
///
/// Memory is what `smaps_rollup` counts page by page, and not the estimate of `statm` and `status`,
/// which the kernel keeps for each core and adds up late: an error of a megabyte is 50 bytes for
/// each of 20,000 connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whose it is.
    pub pid: u32,
    /// Time on a core of all of its threads, in µs. What the scheduler accounts to living threads
    /// is exact; of threads that have ended, whole hundredths of a second are known.
    pub cpu_us: u64,
    /// Resident memory in bytes, the pages of the program's file included (`Rss` of
    /// `smaps_rollup`).
    pub rss: u64,
    /// Its part that no file backs: heap and stacks, in bytes.
    pub anonymous: u64,
    /// Open descriptors. `None` before Linux 6.2, where counting them would have the kernel make an
    /// object for each: gigabytes for a million.
    pub descriptors: Option<u64>,
    /// Threads.
    pub threads: u64,
}

impl Process {
    /// The process with the number `pid`.
    ///
    /// # Errors
    ///
    /// [`MeasureError::Gone`] if there is none, [`MeasureError::Denied`] if it belongs to another
    /// user.
    pub fn of(pid: u32) -> Result<Self, MeasureError> {
        let mut process = Self { pid, folder: PathBuf::from(format!("/proc/{pid}")), began: 0 };
        process.began = process.stat()?.began;
        process.usage()?;
        Ok(process)
    }

    /// This process.
    ///
    /// # Errors
    ///
    /// If there is no `/proc`.
    pub fn own() -> Result<Self, MeasureError> {
        Self::of(std::process::id())
    }

    /// Its number.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has used until now, exactly. Takes some milliseconds for each GB that it holds.
    ///
    /// # Errors
    ///
    /// [`MeasureError::Gone`] if it has ended.
    pub fn usage(&self) -> Result<Usage, MeasureError> {
        self.look(&self.mapped()?)
    }

    /// The same with the kernel's estimate of the memory, which may lag by some hundred pages:
    /// cheap enough for once a second, and does not make the process wait.
    ///
    /// # Errors
    ///
    /// [`MeasureError::Gone`] if it has ended.
    pub fn glance(&self) -> Result<Usage, MeasureError> {
        self.look(&self.estimated()?)
    }

    fn look(&self, memory: &Memory) -> Result<Usage, MeasureError> {
        let (cpu_us, threads) = self.cpu()?;
        let descriptors = self.descriptors()?;
        let pid = self.pid;
        Ok(Usage {
            pid,
            cpu_us,
            rss: memory.rss,
            anonymous: memory.anonymous,
            descriptors,
            threads,
        })
    }

    fn descriptors(&self) -> Result<Option<u64>, MeasureError> {
        let path = self.file("fd");
        // The folder's length is their number, where it is not zero.
        let length = fs::metadata(&path).map_err(|error| self.fault(&path, error))?.len();
        Ok((length > 0).then_some(length))
    }

    /// Its time on a core in µs, and its threads.
    fn cpu(&self) -> Result<(u64, u64), MeasureError> {
        let stat = self.stat()?;
        let tasks = self.file("task");
        let mut nanos = 0_u64;
        let mut threads = 0;
        for task in fs::read_dir(&tasks).map_err(|error| self.fault(&tasks, error))? {
            let path = task.map_err(|error| self.fault(&tasks, error))?.path().join("schedstat");
            // A thread may end between the list and the look; a kernel may not have this file.
            let Ok(text) = fs::read_to_string(path) else { continue };
            nanos = nanos.saturating_add(parse_schedstat(&text).unwrap_or_default());
            threads += 1;
        }
        Ok((total_us(nanos, stat.cpu_us), threads))
    }

    /// Counts the pages; where that is not allowed, asks for the estimate.
    fn mapped(&self) -> Result<Memory, MeasureError> {
        let text = fs::read_to_string(self.file("smaps_rollup")).unwrap_or_default();
        match Memory::parse(&text, "Rss", "Anonymous") {
            Some(memory) => Ok(memory),
            None => self.estimated(),
        }
    }

    fn estimated(&self) -> Result<Memory, MeasureError> {
        let path = self.file("status");
        let text = fs::read_to_string(&path).map_err(|error| self.fault(&path, error))?;
        Memory::parse(&text, "VmRSS", "RssAnon")
            .ok_or(MeasureError::Malformed { path, missing: "VmRSS" })
    }

    fn stat(&self) -> Result<Stat, MeasureError> {
        let path = self.file("stat");
        let text = fs::read_to_string(&path).map_err(|error| self.fault(&path, error))?;
        let stat = Stat::parse(&text)
            .ok_or(MeasureError::Malformed { path, missing: "times in its usual place" })?;
        let same = self.began == 0 || self.began == stat.began;
        if same { Ok(stat) } else { Err(MeasureError::Gone { pid: self.pid }) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn fault(&self, path: &Path, error: io::Error) -> MeasureError {
        // A process that ends while its files are read is told by the second error.
        const ESRCH: i32 = 3;
        let gone = error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH);
        if gone { MeasureError::Gone { pid: self.pid } } else { unreadable(path, error) }
    }
}

struct Memory {
    rss: u64,
    anonymous: u64,
}

impl Memory {
    fn parse(text: &str, rss: &str, anonymous: &str) -> Option<Self> {
        Some(Self { rss: bytes_of(text, rss)?, anonymous: bytes_of(text, anonymous)? })
    }
}

/// What is used of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_us: u64,
    began: u64,
}

/// Microseconds of a tick of `stat`: user space is told hundredths of a second on every Linux.
const TICK_US: u64 = 10_000;

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name in parentheses may hold anything, a parenthesis and a space too.
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        // Fields are numbered from 1; what follows the name is the third.
        let user: u64 = fields.nth(14 - 3)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let began = fields.nth(22 - 16)?.parse().ok()?;
        Some(Self { cpu_us: user.checked_add(system)?.checked_mul(TICK_US)?, began })
    }
}

/// The time of living threads, exactly, or that of all there ever were, in coarse ticks that are
/// rounded down: the greater is nearer to the truth.
fn total_us(living_ns: u64, ever_us: u64) -> u64 {
    (living_ns / 1_000).max(ever_us)
}

/// Nanoseconds on a core.
fn parse_schedstat(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_behind_whatever_the_name_is() {
        let check =
            |text: &str, expect: Option<Stat>| assert_eq!(Stat::parse(text), expect, "{text}");
        let rest = "S 999 1009 1009 0 -1 4194560 4000 2254079 0 270 12 3 7087 515 20 0 1 0 1183815 5124096";
        let expect = Stat { cpu_us: 150_000, began: 1_183_815 };
        check(&format!("1009 (bash) {rest}"), Some(expect));
        let expect = Stat { cpu_us: 150_000, began: 1_183_815 };
        check(&format!("1009 (a) R 1 2) {rest}"), Some(expect));
        check("1009 (bash) S 999 1009", None);
        check("1009 (bash) S x", None);
        check("", None);
        let huge = rest.replace(" 12 3 ", &format!(" {} 3 ", u64::MAX));
        check(&format!("1 (a) {huge}"), None);
    }

    #[test]
    fn the_first_number_of_schedstat_is_the_time_on_a_core() {
        assert_eq!(parse_schedstat("29174480 9168706 111\n"), Some(29_174_480));
        assert_eq!(parse_schedstat(""), None);
    }

    #[test]
    fn the_time_is_exact_and_has_the_threads_that_have_ended() {
        assert_eq!(total_us(12_345_678, 10_000), 12_345);
        assert_eq!(total_us(12_345_678, 250_000), 250_000);
        assert_eq!(total_us(0, 30_000), 30_000, "a kernel without schedstat");
    }

    #[test]
    fn memory_is_read_from_either_file() {
        let rollup = "55731e6c8000-7fff2835e000 ---p 00000000 00:00 0    [rollup]\nRss:     1796 kB\n\
                      Pss:      212 kB\nAnonymous:      112 kB\nAnonHugePages:   0 kB\n";
        let memory = Memory::parse(rollup, "Rss", "Anonymous").unwrap();
        assert_eq!((memory.rss, memory.anonymous), (1796 * 1024, 112 * 1024));
        let status = "Name:\tbash\nVmRSS:\t    2140 kB\nRssAnon:\t     148 kB\nThreads:\t1\n";
        let memory = Memory::parse(status, "VmRSS", "RssAnon").unwrap();
        assert_eq!((memory.rss, memory.anonymous), (2140 * 1024, 148 * 1024));
        assert!(Memory::parse("Name:\tkthreadd\n", "VmRSS", "RssAnon").is_none());
    }

    #[test]
    fn this_process_takes_time_memory_and_descriptors() {
        let own = Process::own().unwrap();
        let before = own.usage().unwrap();
        let held = fs::File::open("/proc/self/stat").unwrap();
        let block = std::hint::black_box(vec![1_u8; 32 * 1024 * 1024]);
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let after = own.usage().unwrap();
        assert_eq!(sum, 32 * 1024 * 1024);
        assert!(after.cpu_us > before.cpu_us, "{before:?} {after:?}");
        assert!(after.rss >= after.anonymous && after.anonymous >= 32 * 1024 * 1024, "{after:?}");
        assert!(
            after.threads >= 1 && after.descriptors.is_none_or(|count| count >= 1),
            "{after:?}"
        );
        assert!(own.glance().unwrap().rss > 0);
        drop(held);
    }

    #[test]
    fn a_process_that_is_not_there_is_gone() {
        let error = Process::of(u32::MAX).unwrap_err().to_string();
        assert_eq!(error, "there is no process 4294967295 (any more)");
        // The number is there, but it belongs to another process by now.
        let own = Process::own().unwrap();
        let former = Process { began: own.began + 1, ..own };
        assert!(matches!(former.usage(), Err(MeasureError::Gone { .. })));
    }

    #[test]
    fn what_is_missing_is_said() {
        let check = |kind: io::ErrorKind, expect: &str| {
            let own = Process::own().unwrap();
            let fault = own.fault(Path::new("/proc/1/fd"), kind.into());
            assert_eq!(fault.to_string().replace(&own.pid.to_string(), "PID"), expect);
        };
        check(io::ErrorKind::NotFound, "there is no process PID (any more)");
        check(
            io::ErrorKind::PermissionDenied,
            "/proc/1/fd may not be read: does the process belong to another user?",
        );
        check(io::ErrorKind::TimedOut, "cannot read /proc/1/fd: timed out");
    }
}
