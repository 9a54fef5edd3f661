//! What the files of a host say about it, read below a root that tests can plant.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use crate::reactor::descriptors::{Descriptors, parse};

/// Where units of systemd are, those of the operator first.
const UNITS: [&str; 3] = [
    "etc/systemd/system/chinwag.service",
    "usr/lib/systemd/system/chinwag.service",
    "lib/systemd/system/chinwag.service",
];
/// systemd-timesyncd makes this when it has set the clock.
const SYNCHRONIZED: &str = "run/systemd/timesync/synchronized";
/// Where systemd has its files if it runs.
const SYSTEMD: &str = "run/systemd/system";

/// A host.
#[derive(Clone, Debug)]
pub(super) struct Host {
    root: PathBuf,
}

impl Host {
    pub(super) fn this() -> Self {
        Self::at(Path::new("/"))
    }

    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// The only number in a file.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }

    /// The numbers in a file.
    pub(super) fn numbers(&self, path: &str) -> Option<Vec<u64>> {
        self.text(path)?.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
    }

    /// What this process may open; without the file, what a process gets by default.
    pub(super) fn descriptors(&self) -> Descriptors {
        let found = self.text("proc/self/limits").as_deref().and_then(parse);
        found.unwrap_or(Descriptors { limit: 1_024, ceiling: 1_024 })
    }

    /// Bytes that processes can still have.
    pub(super) fn memory_available(&self) -> Option<u64> {
        let text = self.text("proc/meminfo")?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib.saturating_mul(1_024))
    }

    /// Whether systemd's time service has set the clock; `None` where another one may have.
    pub(super) fn is_clock_synchronized(&self) -> Option<bool> {
        let is_set = self.root.join(SYNCHRONIZED).exists();
        let others = ["run/chrony", "run/ntpd.pid", "var/lib/ntp", "var/lib/chrony"];
        let may_be_set = others.iter().any(|path| self.root.join(path).exists());
        let runs_systemd = self.root.join(SYSTEMD).exists();
        if is_set { Some(true) } else { (runs_systemd && !may_be_set).then_some(false) }
    }

    /// The seconds for which systemd waits when it stops the service, if a unit says so.
    pub(super) fn stop_timeout(&self) -> Option<u64> {
        let unit = UNITS.iter().find_map(|path| self.text(path))?;
        let value = unit.lines().find_map(|line| line.trim().strip_prefix("TimeoutStopSec="))?;
        seconds(value.trim())
    }
}

/// A time as systemd writes it: `90`, `90s`, `2min`, `1min 30s` (systemd.time(7)).
fn seconds(text: &str) -> Option<u64> {
    if text == "infinity" {
        return Some(u64::MAX);
    }
    let units = text.split_ascii_whitespace().map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, unit) = part.split_at(digits);
        let factor = match unit {
            "" | "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" | "hr" => 3_600,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor)
    });
    units.collect::<Option<Vec<_>>>().map(|all| all.iter().sum())
}

/// Bytes that who is no administrator may still write on the disk of a directory.
pub(super) fn free_bytes(directory: &Path) -> Option<u64> {
    let stat = statvfs(directory).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_systemd_writes_them() {
        for (text, expect) in [
            ("90", Some(90)),
            ("30s", Some(30)),
            ("2min", Some(120)),
            ("1min 30s", Some(90)),
            ("infinity", Some(u64::MAX)),
            ("soon", None),
            ("3 moons", None),
        ] {
            assert_eq!(seconds(text), expect, "{text}");
        }
    }
}
