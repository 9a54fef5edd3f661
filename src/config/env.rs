//! The environment, read in this one place.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::fstat;

use super::settings::{CONFIG_VARIABLE, VARIABLE_PREFIX};

/// The `CHINWAG_` variables of a process, and the memory that its control group lets it have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    memory_limit: Option<u64>,
    /// The device and the inode of the stream to systemd's journal.
    journal: Option<(u64, u64)>,
    /// The socket of who supervises this process.
    notify_socket: Option<OsString>,
    watchdog: Option<Duration>,
    wants_colours: bool,
    /// Another process of the server has started this one to go on in its place.
    takes_over: bool,
}

/// The variable that says where systemd's journal listens: device and inode, `8:4711`
/// (systemd.exec(5)).
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";
/// The variables of `sd_notify(3)` and `sd_watchdog_enabled(3)`.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG_USEC: &str = "WATCHDOG_USEC";
const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// The variables of a person who wants no colours (no-color.org), and of the kind of terminal.
const NO_COLOR: &str = "NO_COLOR";
const TERM: &str = "TERM";
/// The variables of `sd_listen_fds(3)`, which are for one process only.
const LISTEN: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
/// The variable by which a server tells the process that is to go on in its place.
const TAKE_OVER: &str = "CHINWAG_TAKE_OVER";

/// Where the control groups are.
const CGROUPS: &str = "/sys/fs/cgroup";
/// The file in which this process finds its own.
const OWN_CGROUP: &str = "/proc/self/cgroup";
/// Above this a control group of version 1 has no limit: it then says almost 2^63.
const UNLIMITED: u64 = 1 << 60;

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn read() -> Self {
        let variables: Self = std::env::vars_os().collect();
        let own = fs::read_to_string(OWN_CGROUP).unwrap_or_default();
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| named(name).and_then(|value| value.into_string().ok());
        Self {
            memory_limit: memory_limit(Path::new(CGROUPS), &own),
            journal: text(JOURNAL_STREAM).and_then(|value| stream(&value)),
            notify_socket: named(NOTIFY_SOCKET),
            takes_over: named(TAKE_OVER).is_some(),
            watchdog: watchdog(text(WATCHDOG_USEC), text(WATCHDOG_PID), std::process::id()),
            wants_colours: named(NO_COLOR).is_none() && text(TERM).is_none_or(|it| it != "dumb"),
            ..variables
        }
    }

    /// Whether systemd's journal reads what is written to this descriptor: a variable alone may
    /// have been inherited by a process whose output goes elsewhere.
    #[must_use]
    pub fn is_journal(&self, descriptor: impl AsFd) -> bool {
        let found = fstat(descriptor).ok().map(|stat| (stat.st_dev, stat.st_ino));
        found.is_some() && found == self.journal
    }

    /// The socket at which systemd waits to hear that the service is ready, if it does.
    #[must_use]
    pub fn notify_socket(&self) -> Option<&OsStr> {
        self.notify_socket.as_deref()
    }

    /// The silence after which systemd takes this process for dead, if it watches it.
    #[must_use]
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Whether a terminal may be written to in colours.
    #[must_use]
    pub const fn wants_colours(&self) -> bool {
        self.wants_colours
    }

    /// Whether this process is to go on in the place of the one that has started it.
    #[must_use]
    pub const fn takes_over(&self) -> bool {
        self.takes_over
    }

    /// Has a command take the place of this process: it gets no variables that name this one.
    pub fn hand_on(command: &mut Command) {
        for name in LISTEN.into_iter().chain([WATCHDOG_PID]) {
            command.env_remove(name);
        }
        command.env(TAKE_OVER, "1");
    }

    /// The bytes that the system lets this process have, if it says so.
    pub(super) const fn memory_limit(&self) -> Option<u64> {
        self.memory_limit
    }

    /// The file to read, if a variable names one.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.variables.get(CONFIG_VARIABLE).map(PathBuf::from)
    }

    /// The variables that set something, with their values.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&String, &OsString)> {
        let others = [CONFIG_VARIABLE, TAKE_OVER];
        self.variables.iter().filter(move |(name, _)| !others.contains(&name.as_str()))
    }
}

/// Takes only the variables that are ours.
impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        // By the name alone: the values of others need not be text.
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.to_string_lossy().into_owned();
            name.starts_with(VARIABLE_PREFIX).then_some((name, value))
        };
        Self { variables: variables.into_iter().filter_map(ours).collect(), ..Self::default() }
    }
}

/// The interval that the variables name, unless they are another process's.
fn watchdog(micros: Option<String>, pid: Option<String>, own: u32) -> Option<Duration> {
    // A child inherits the variables, and would keep a parent that hangs alive.
    let is_ours = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let micros = micros.filter(|_| is_ours)?.parse().ok().filter(|&micros| micros > 0)?;
    Some(Duration::from_micros(micros))
}

/// The device and the inode that the variable names.
fn stream(text: &str) -> Option<(u64, u64)> {
    let (device, inode) = text.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// The least memory limit of the control group that `own` (`/proc/self/cgroup`) names, and of those
/// around it. In a container its own one is at the root.
fn memory_limit(cgroups: &Path, own: &str) -> Option<u64> {
    let group = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let path = path.trim_start_matches('/').to_owned();
        // Version 2 has one line, `0::/path`; version 1 has one for each set of controllers.
        match controllers {
            "" => Some((cgroups.to_owned(), path, "memory.max")),
            _ if controllers.split(',').any(|name| name == "memory") => {
                Some((cgroups.join("memory"), path, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    };
    let limits = own.lines().filter_map(group).flat_map(|(root, path, file)| {
        let folder = root.join(path);
        let around = folder.ancestors().take_while(|folder| folder.starts_with(&root));
        let limit = |folder: &Path| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok();
        around.filter_map(limit).collect::<Vec<u64>>()
    });
    limits.min().filter(|limit| *limit < UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_reads_only_the_stream_that_it_has_named() {
        let (ours, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let stat = fstat(&ours).unwrap();
        let text = format!("{}:{}", stat.st_dev, stat.st_ino);
        let environment = Environment { journal: stream(&text), ..Environment::default() };
        assert!(environment.is_journal(&ours) && !environment.is_journal(&other));
        assert!(!Environment::default().is_journal(&ours));
        assert_eq!(["", "8", "8:", ":9", "8:x", "-8:9"].map(stream), [None; 6]);
    }

    #[test]
    fn a_watchdog_of_another_process_is_none_of_ours() {
        let found = |micros: &str, pid: Option<&str>| {
            watchdog(Some(micros.to_owned()), pid.map(str::to_owned), 7)
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(found("1000000", None), second);
        assert_eq!(found("1000000", Some("7")), second);
        assert_eq!(found("1000000", Some("8")), None);
        assert_eq!(["", "0", "-1", "soon"].map(|micros| found(micros, None)), [None; 4]);
        assert_eq!(watchdog(None, Some("7".to_owned()), 7), None);
    }

    #[test]
    fn the_limit_of_the_control_group_is_the_least_of_those_around_it() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let limit = |own| memory_limit(root.path(), own);
        assert_eq!(limit("0::/chat.slice/chinwag.service\n"), None);
        make("chat.slice/memory.max", "268435456\n");
        make("chat.slice/chinwag.service/memory.max", "max\n");
        assert_eq!(limit("0::/chat.slice/chinwag.service\n"), Some(256 << 20));
        assert_eq!(limit("0::/other.slice\n"), None);
        make("memory.max", "67108864\n");
        assert_eq!(limit("0::/\n"), Some(64 << 20));
        make("memory/docker/1/memory.limit_in_bytes", "33554432\n");
        make("memory/docker/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit("5:cpu,memory:/docker/1\n1:name=x:/y\n"), Some(32 << 20));
        assert_eq!(limit("5:memory:/docker\n"), None);
        assert_eq!(limit("nonsense"), None);
    }
}
