//! What systemd is told about this process: `sd_notify(3)`.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::config::Environment;
use crate::time::Tick;

/// When words that found no space are said once more.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long a process that ends waits for space: it serves nobody any more.
const LAST_WORD_MAX: Duration = Duration::from_secs(5);

/// Tells systemd that the server is ready, is stopping, and that its loop still turns.
#[derive(Debug)]
pub(super) struct Supervisor {
    socket: UnixDatagram,
    /// What it must hear and has found no space: its queue holds ten words on many systems.
    unsaid: VecDeque<String>,
    /// How often it wants to hear that the loop turns.
    interval: Option<Duration>,
    /// When it is told next.
    next: Tick,
}

impl Supervisor {
    /// The one that the environment names, if there is one and it can be reached: the variable may
    /// have come from a shell that a service has started.
    pub(super) fn find(environment: &Environment) -> Option<Self> {
        let name = environment.notify_socket()?;
        // The supervisor gives up after one interval: half of it is in time after a slow turn, too.
        let interval = environment.watchdog().map(|interval| interval / 2);
        Self::connect(name, interval)
            .inspect_err(|error| {
                let socket = name.display();
                log::warn!(socket:%, error:%; "NOTIFY_SOCKET cannot be reached: systemd is told nothing");
            })
            .ok()
    }

    fn connect(name: &OsStr, interval: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // The loop never waits: what finds no space is said later.
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address(name)?)?;
        Ok(Self { socket, unsaid: VecDeque::new(), interval, next: Tick::MAX })
    }

    /// Everything listens.
    pub(super) fn ready(&mut self, now: Tick, what: &str) {
        self.unsaid.push_back(format!("READY=1\nSTATUS={what}"));
        self.say_unsaid();
        self.next = self.interval.map_or(Tick::MAX, |interval| now.after(interval));
    }

    /// The clients are sent away.
    pub(super) fn stopping(&mut self) {
        self.unsaid.push_back("STOPPING=1\nSTATUS=sending the clients away".to_owned());
        self.say_unsaid();
    }

    /// Another process is the service's from now on, and this one ends.
    pub(super) fn hand_on(&self, pid: u32) {
        // Who does not hear it takes the end of this process for the end of the service.
        let set = self.socket.set_write_timeout(Some(LAST_WORD_MAX));
        let set = set.and_then(|()| self.socket.set_nonblocking(false));
        let words = format!("MAINPID={pid}\nSTATUS=upgraded");
        if let Err(error) = set.and_then(|()| self.socket.send(words.as_bytes()).map(drop)) {
            warn(&words, &error);
        }
    }

    /// Says that the loop turns, if it is time, and when to come again.
    pub(super) fn turn(&mut self, now: Tick) -> Tick {
        self.say_unsaid();
        if let Some(interval) = self.interval.filter(|_| now >= self.next) {
            let words = "WATCHDOG=1";
            // There will be another one.
            self.socket.send(words.as_bytes()).map_or_else(|error| warn(words, &error), drop);
            // From now, not from when it was due: after a long pause one word is enough, not one
            // for each interval that went by.
            self.next = now.after(interval);
        }
        if self.unsaid.is_empty() { self.next } else { self.next.min(now.after(AGAIN_AFTER)) }
    }

    fn say_unsaid(&mut self) {
        while let Some(words) = self.unsaid.front() {
            match self.socket.send(words.as_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                said => _ = said.inspect_err(|error| warn(words, error)),
            }
            self.unsaid.pop_front();
        }
    }
}

fn warn(words: &str, error: &io::Error) {
    log::warn!(error:%; "systemd was not told: {}", words.lines().next().unwrap_or_default());
}

/// A path, or after an `@` a name that is in no file system.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn received(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        socket.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec()))
            .map(|words| String::from_utf8(words).unwrap())
            .collect()
    }

    #[test]
    fn it_is_told_at_each_interval_and_not_before_the_server_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut supervisor = Supervisor::connect(path.as_os_str(), Some(SECOND)).unwrap();
        let at = |millis| Tick::from_millis(millis);
        assert_eq!(supervisor.turn(at(5_000)), Tick::MAX);
        supervisor.ready(at(6_000), "serving");
        assert_eq!(supervisor.turn(at(6_999)), at(7_000));
        assert_eq!(received(&socket), ["READY=1\nSTATUS=serving"]);
        assert_eq!(supervisor.turn(at(7_100)), at(8_100));
        assert_eq!(supervisor.turn(at(7_200)), at(8_100));
        supervisor.stopping();
        assert_eq!(
            received(&socket),
            ["WATCHDOG=1", "STOPPING=1\nSTATUS=sending the clients away"]
        );
    }

    #[test]
    fn a_name_that_is_in_no_file_system_is_found() {
        let name = format!("chinwag-test-{}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&addr).unwrap();
        let name = format!("@{name}");
        let mut supervisor = Supervisor::connect(OsStr::new(&name), None).unwrap();
        supervisor.ready(Tick::ZERO, "serving");
        assert_eq!(received(&socket), ["READY=1\nSTATUS=serving"]);
        assert_eq!(supervisor.turn(Tick::ZERO.after(SECOND)), Tick::MAX);
    }

    #[test]
    fn a_socket_that_nobody_reads_never_holds_the_loop_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut supervisor = Supervisor::connect(path.as_os_str(), Some(SECOND)).unwrap();
        supervisor.ready(Tick::ZERO, "serving");
        for second in 1..1_000 {
            let now = Tick::ZERO.after(SECOND * second);
            assert_eq!(supervisor.turn(now), now.after(SECOND));
        }
        assert!(received(&socket).len() < 1_000);
    }

    /// A supervisor whose socket has no space.
    fn full(path: &std::path::Path) -> (UnixDatagram, Supervisor) {
        let socket = UnixDatagram::bind(path).unwrap();
        let supervisor = Supervisor::connect(path.as_os_str(), None).unwrap();
        while supervisor.socket.send(b"WATCHDOG=1").is_ok() {}
        (socket, supervisor)
    }

    #[test]
    fn what_must_be_heard_and_finds_no_space_is_said_when_there_is_some_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, mut supervisor) = full(&folder.path().join("notify"));
        let at = |millis| Tick::from_millis(millis);
        supervisor.ready(at(1_000), "serving");
        supervisor.stopping();
        assert_eq!(supervisor.turn(at(1_000)), at(1_000).after(AGAIN_AFTER));
        assert!(received(&socket).iter().all(|words| words == "WATCHDOG=1"));
        assert_eq!(supervisor.turn(at(1_050)), Tick::MAX);
        assert_eq!(
            received(&socket),
            ["READY=1\nSTATUS=serving", "STOPPING=1\nSTATUS=sending the clients away"]
        );
    }

    #[test]
    fn a_process_that_ends_waits_until_it_is_heard_which_one_comes_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, supervisor) = full(&folder.path().join("notify"));
        let mut buffer = [0; 256];
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| supervisor.hand_on(7));
            while &buffer[..10] != b"MAINPID=7\n" {
                socket.recv(&mut buffer).expect("the number of a process");
            }
        });
    }
}
