//! What a server prints at its start: where it listens.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::process::ChildStdout;
use std::time::Duration;

use mio::unix::pipe::Receiver;
use mio::{Events, Interest, Poll, Token};

use super::SpawnError;
use chinwag::time::clock::Clock;

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) http: SocketAddr,
    pub(super) tcp: Option<SocketAddr>,
    pub(super) admin: SocketAddr,
}

impl Announced {
    /// Reads a line for each address, all within `patience`.
    pub(super) fn read(
        lines: &mut Lines,
        tcp: bool,
        patience: Duration,
    ) -> Result<Self, SpawnError> {
        let clock = Clock::start();
        let mut next = |begin: &str, end: &str| {
            let elapsed = Duration::from_micros(clock.micros());
            let line = lines.next(patience.saturating_sub(elapsed))?;
            let addr = line.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
            let addr = addr.and_then(|addr| addr.parse().ok());
            addr.ok_or(SpawnError::Strange { line })
        };
        let http = next("listening http://", " (WebSocket at /ws)")?;
        let tcp = if tcp { Some(next("listening tcp://", "")?) } else { None };
        let admin = next("listening admin http://", "")?;
        Ok(Self { http, tcp, admin })
    }
}

/// A child's standard output, read with a deadline.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pipe: Option<Pipe>,
    /// What came and is no whole line yet, or has not been asked for.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Pipe {
    poll: Poll,
    events: Events,
    receiver: Receiver,
}

/// Bytes of a line that are a server's; more is some other program.
const LINE_MAX: usize = 4096;

/// What waiting for output came to.
enum Heard {
    More,
    End,
    Nothing,
}

impl Lines {
    /// Begins to read `stdout`.
    pub(super) fn open(&mut self, stdout: ChildStdout) -> Result<(), SpawnError> {
        let system = |error| SpawnError::System { what: "read what the server says", error };
        let mut receiver = Receiver::from(stdout);
        receiver.set_nonblocking(true).map_err(system)?;
        let poll = Poll::new().map_err(system)?;
        poll.registry().register(&mut receiver, Token(0), Interest::READABLE).map_err(system)?;
        self.pipe = Some(Pipe { poll, events: Events::with_capacity(1), receiver });
        Ok(())
    }

    /// The next line, waiting for it as long as `patience`.
    fn next(&mut self, patience: Duration) -> Result<String, SpawnError> {
        let silent = |what: &str| SpawnError::Silent { what: what.to_owned(), log: String::new() };
        let clock = Clock::start();
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let rest = self.bytes.split_off(end + 1);
                let line = std::mem::replace(&mut self.bytes, rest);
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.bytes.len() > LINE_MAX {
                return Err(silent("said something endless"));
            }
            let left = patience.saturating_sub(Duration::from_micros(clock.micros()));
            match self.hear(left) {
                Heard::More => {}
                Heard::End => return Err(silent("ended")),
                Heard::Nothing => return Err(silent("kept silent")),
            }
        }
    }

    /// Waits at most `patience` until there is no more to come: `false` if that was too short.
    pub(super) fn end(&mut self, patience: Duration) -> bool {
        let clock = Clock::start();
        loop {
            let left = patience.saturating_sub(Duration::from_micros(clock.micros()));
            match self.hear(left) {
                Heard::More => self.bytes.clear(),
                Heard::End => return true,
                Heard::Nothing => return false,
            }
        }
    }

    /// Reads what is there, or waits for it.
    fn hear(&mut self, patience: Duration) -> Heard {
        let Some(Pipe { poll, events, receiver }) = &mut self.pipe else { return Heard::End };
        let clock = Clock::start();
        let mut chunk = [0; LINE_MAX];
        loop {
            let left = patience.saturating_sub(Duration::from_micros(clock.micros()));
            if left.is_zero() {
                // Even if there is more: it may never end.
                return Heard::Nothing;
            }
            match receiver.read(&mut chunk) {
                Ok(0) => return Heard::End,
                Ok(len) => {
                    self.bytes.extend_from_slice(chunk.get(..len).unwrap_or_default());
                    return Heard::More;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Heard::End,
            }
            // Interrupted or not, the next read tells.
            _ = poll.poll(events, Some(left));
        }
    }
}
