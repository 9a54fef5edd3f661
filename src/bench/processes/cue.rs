//! How a process that does a part of a run hears when all are to begin, and that nobody waits for it any more.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;

use mio::unix::pipe::Receiver;

/// Everybody is connected.
pub(super) const OPENED: &str = "opened";
/// It is quiet, and could begin.
pub(super) const READY: &str = "ready";
/// Begin.
pub(super) const GO: &str = "go";

/// What has been heard so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing yet.
    Nothing,
    /// It is to begin.
    Go,
    /// Who started this process has ended.
    Gone,
}

/// The line to who started this process: its standard streams.
#[derive(Debug)]
pub(crate) struct Cue {
    stdin: Receiver,
    stdout: io::Stdout,
    may_begin: bool,
}

impl Cue {
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

    /// What has been heard, without waiting.
    pub(crate) fn heard(&mut self) -> Heard {
        let mut bytes = [0; 16];
        let is_open = match self.stdin.read(&mut bytes) {
            Ok(len) => {
                self.may_begin |= len > 0;
                len > 0
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        match (is_open, self.may_begin) {
            (false, _) => Heard::Gone,
            (true, true) => Heard::Go,
            (true, false) => Heard::Nothing,
        }
    }

    fn say(&self, word: &str) {
        let mut out = self.stdout.lock();
        // If nobody reads it, the next look at the input tells.
        _ = writeln!(out, "{word}").and_then(|()| out.flush());
    }
}
