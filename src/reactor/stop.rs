//! The signals that stop the process, and those that others are stopped by, as bytes in pipes that
//! the poller watches.

use std::io::{self, ErrorKind, Read, Write as _};
use std::os::unix::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::{SigId, flag, low_level};

use crate::net::StopSignal;

/// What a process is asked for by signals before it has a poller: from then on SIGHUP and SIGUSR2
/// wait for it, and neither they nor SIGUSR1 end a server that is just starting.
#[derive(Clone, Debug, Default)]
pub struct EarlySignals {
    reload: Arc<AtomicBool>,
    upgrade: Arc<AtomicBool>,
}

impl EarlySignals {
    /// Begins to note them, for as long as the process lives.
    ///
    /// # Errors
    ///
    /// If the system refuses the handlers.
    pub fn note() -> io::Result<Self> {
        let noted = Self::default();
        let none = Arc::default();
        for (signal, flag) in [(SIGHUP, &noted.reload), (SIGUSR1, &none), (SIGUSR2, &noted.upgrade)]
        {
            flag::register(signal, Arc::clone(flag))?;
        }
        Ok(noted)
    }
}

/// Of the signals that a server acts on, those that `status` (`/proc/self/status`) names as
/// blocked, as whatever has started the process has left them.
#[must_use]
pub fn blocked(status: &str) -> Vec<&'static str> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let known =
        [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP"), (SIGUSR2, "SIGUSR2")];
    let is_blocked = |signal: i32| mask >> (signal - 1) & 1 == 1;
    known.into_iter().filter_map(|(signal, name)| is_blocked(signal).then_some(name)).collect()
}

/// SIGTERM and SIGINT, watched for as long as this lives; and those that would end the process
/// although nobody means that: SIGHUP, which asks to reload, or comes because a terminal has
/// closed, SIGUSR2, which asks for an upgrade, and SIGUSR1, which has no meaning.
#[expect(clippy::struct_excessive_bools, reason = "marks that do not depend on each other")]
pub(super) struct StopSignals {
    pipe: UnixStream,
    reload: UnixStream,
    upgrade: UnixStream,
    /// Where those come that do nothing.
    others: UnixStream,
    registered: Vec<SigId>,
    /// Signals that came and are not told yet.
    pending: u32,
    /// Whether the first one was told.
    is_draining: bool,
    /// SIGHUP came and is not told yet.
    is_reloading: bool,
    /// SIGUSR2 came and is not told yet.
    is_upgrading: bool,
}

impl StopSignals {
    /// Begins to watch, with what has come before.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left, or the system refuses the handlers.
    pub(super) fn watch(
        registry: &Registry,
        token: Token,
        early: &EarlySignals,
    ) -> io::Result<Self> {
        let (pipe, writer) = watched_pipe(registry, token)?;
        let (reload, to_reload) = watched_pipe(registry, token)?;
        let (upgrade, to_upgrade) = watched_pipe(registry, token)?;
        let (others, to_others) = watched_pipe(registry, token)?;
        let mut signals = Self {
            pipe,
            reload,
            upgrade,
            others,
            registered: Vec::new(),
            pending: 0,
            is_draining: false,
            is_reloading: false,
            is_upgrading: false,
        };
        // A handler may only do what is safe in a signal: it writes a byte.
        for (signal, writer) in [
            (SIGTERM, &writer),
            (SIGINT, &writer),
            (SIGHUP, &to_reload),
            (SIGUSR1, &to_others),
            (SIGUSR2, &to_upgrade),
        ] {
            signals.registered.push(low_level::pipe::register(signal, writer.try_clone()?)?);
        }
        // As if they came now: the poller wakes for it.
        for (flag, mut writer) in [(&early.reload, &to_reload), (&early.upgrade, &to_upgrade)] {
            if flag.load(Ordering::Relaxed) {
                writer.write_all(b"s")?;
            }
        }
        Ok(signals)
    }

    /// Takes in what came.
    pub(super) fn on_ready(&mut self) {
        self.pending = self.pending.saturating_add(drain(&mut self.pipe));
        self.is_reloading |= drain(&mut self.reload) > 0;
        self.is_upgrading |= drain(&mut self.upgrade) > 0;
        if drain(&mut self.others) > 0 {
            log::info!(
                "SIGUSR1 does nothing: SIGHUP reads the configuration again, SIGUSR2 upgrades the server, SIGTERM stops it"
            );
        }
    }

    /// Whether SIGHUP has come since this was asked.
    pub(super) const fn take_reload(&mut self) -> bool {
        std::mem::replace(&mut self.is_reloading, false)
    }

    /// Whether SIGUSR2 has come since this was asked.
    pub(super) const fn take_upgrade(&mut self) -> bool {
        std::mem::replace(&mut self.is_upgrading, false)
    }

    /// Whether a signal to stop has come that was not told.
    pub(super) fn is_stopping(&mut self) -> bool {
        self.on_ready();
        self.pending > 0
    }

    /// The next signal: first to drain, then to stop now.
    pub(super) fn poll(&mut self) -> Option<StopSignal> {
        // One at a time: two signals that came together are the wish to stop now.
        self.pending = self.pending.checked_sub(1)?;
        let was_draining = std::mem::replace(&mut self.is_draining, true);
        Some(if was_draining { StopSignal::Now } else { StopSignal::Drain })
    }
}

/// A pipe whose readable end the poller watches.
fn watched_pipe(registry: &Registry, token: Token) -> io::Result<(UnixStream, net::UnixStream)> {
    let (reader, writer) = net::UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    let mut pipe = UnixStream::from_std(reader);
    registry.register(&mut pipe, token, Interest::READABLE)?;
    Ok((pipe, writer))
}

/// Reads all that has come, and returns how many bytes that was.
fn drain(pipe: &mut UnixStream) -> u32 {
    let mut bytes = [0; 64];
    let mut count = 0;
    loop {
        match pipe.read(&mut bytes) {
            Ok(0) => return count,
            Ok(more) => count = u32::saturating_add(count, u32::try_from(more).unwrap_or(1)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return count,
        }
    }
}

impl Drop for StopSignals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signals_that_are_blocked_are_read_from_the_systems_words() {
        let found = |mask: &str| blocked(&format!("Name:\tchinwag\nSigBlk:\t{mask}\nSigIgn:\t1\n"));
        assert!(found("0000000000000000").is_empty() && found("x").is_empty());
        assert_eq!(found("0000000000004000"), ["SIGTERM"]);
        assert_eq!(found("fffffffe7ffbfeff"), ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"]);
        assert!(blocked("").is_empty());
    }
}
