//! What systemd is told about this process: `sd_notify(3)`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::config::Environment;
use crate::time::Tick;

/// Tells systemd that the server is ready, is stopping, and that its loop still turns.
#[derive(Debug)]
pub(super) struct Supervisor {
    socket: UnixDatagram,
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
        // The loop never waits: a word that finds no space is not said.
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address(name)?)?;
        Ok(Self { socket, interval, next: Tick::MAX })
    }

    /// Everything listens.
    pub(super) fn ready(&mut self, now: Tick, what: &str) {
        self.say(&format!("READY=1\nSTATUS={what}"));
        self.next = self.interval.map_or(Tick::MAX, |interval| now.after(interval));
    }

    /// The clients are sent away.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=sending the clients away");
    }

    /// Says that the loop turns, if it is time, and when to come again.
    pub(super) fn turn(&mut self, now: Tick) -> Tick {
        if let Some(interval) = self.interval.filter(|_| now >= self.next) {
            self.say("WATCHDOG=1");
            // From now, not from when it was due: after a long pause one word is enough, not one
            // for each interval that went by.
            self.next = now.after(interval);
        }
        self.next
    }

    pub(super) fn say(&self, words: &str) {
        if let Err(error) = self.socket.send(words.as_bytes()) {
            log::warn!(error:%; "systemd was not told: {}", words.lines().next().unwrap_or_default());
        }
    }
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
}
