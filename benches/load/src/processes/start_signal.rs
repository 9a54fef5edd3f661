//! The signal by which a process that does a part of a run learns that all are to begin, or that
//! the process which started it has ended.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;

use mio::unix::pipe::Receiver;

/// Everybody is connected.
pub(super) const OPENED: &str = "opened";
/// It is quiet, and could begin.
pub(super) const READY: &str = "ready";
/// Begin.
pub(super) const GO: &str = "go";

/// Whether to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartState {
    /// Not yet: others are not ready.
    Waiting,
    /// All are ready.
    Begin,
    /// The process that started this one has ended: nobody waits for results any more.
    ParentGone,
}

/// The connection to the process that started this one: its standard streams.
#[derive(Debug)]
pub(crate) struct StartSignal {
    stdin: Receiver,
    stdout: io::Stdout,
    may_begin: bool,
}

impl StartSignal {
    /// Takes the standard streams.
    pub(crate) fn new() -> io::Result<Self> {
        let stdin = Receiver::from(io::stdin().as_fd().try_clone_to_owned()?);
        stdin.set_nonblocking(true)?;
        Ok(Self { stdin, stdout: io::stdout(), may_begin: false })
    }

    /// Says that all connections are open.
    pub(crate) fn opened(&self) {
        self.say(OPENED);
    }

    /// Says that it could begin.
    pub(crate) fn ready(&self) {
        self.say(READY);
    }

    /// Whether to begin; returns at once.
    pub(crate) fn poll(&mut self) -> StartState {
        let mut bytes = [0; 16];
        let is_open = match self.stdin.read(&mut bytes) {
            Ok(len) => {
                self.may_begin |= len > 0;
                len > 0
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        match (is_open, self.may_begin) {
            (false, _) => StartState::ParentGone,
            (true, true) => StartState::Begin,
            (true, false) => StartState::Waiting,
        }
    }

    fn say(&self, word: &str) {
        let mut out = self.stdout.lock();
        // If nobody reads it, the next look at the input tells.
        _ = writeln!(out, "{word}").and_then(|()| out.flush());
    }
}
