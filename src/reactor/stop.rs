//! The signals that stop the process, as bytes in a pipe that the poller watches.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level;

use crate::net::StopSignal;

/// SIGTERM and SIGINT, watched for as long as this lives.
pub(super) struct StopSignals {
    pipe: UnixStream,
    registered: Vec<SigId>,
    /// Signals that came and are not told yet.
    pending: u32,
    /// Whether the first one was told.
    is_draining: bool,
}

impl StopSignals {
    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left, or the system refuses the handlers.
    pub(super) fn watch(registry: &Registry, token: Token) -> io::Result<Self> {
        let (reader, writer) = net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let mut pipe = UnixStream::from_std(reader);
        registry.register(&mut pipe, token, Interest::READABLE)?;
        let mut signals = Self { pipe, registered: Vec::new(), pending: 0, is_draining: false };
        // A handler may only do what is safe in a signal: it writes a byte.
        for signal in [SIGTERM, SIGINT] {
            signals.registered.push(low_level::pipe::register(signal, writer.try_clone()?)?);
        }
        Ok(signals)
    }

    /// Takes in what came.
    pub(super) fn on_ready(&mut self) {
        let mut bytes = [0; 64];
        loop {
            match self.pipe.read(&mut bytes) {
                Ok(0) => return,
                Ok(count) => {
                    self.pending = self.pending.saturating_add(u32::try_from(count).unwrap_or(1));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// The next signal: first to drain, then to stop now.
    pub(super) fn poll(&mut self) -> Option<StopSignal> {
        self.pending = self.pending.checked_sub(1)?;
        let was_draining = std::mem::replace(&mut self.is_draining, true);
        Some(if was_draining { StopSignal::Now } else { StopSignal::Drain })
    }
}

impl Drop for StopSignals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}
