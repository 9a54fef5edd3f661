//! Waiting for edges, and for how long.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::source::Source;
use super::stop::StopSignals;
use super::{Mode, Reactor, read};
use crate::time::Tick;

/// Edges taken in with one wait: as many as the kernel copies in some 20 µs.
pub(super) const EVENTS_MAX: usize = 1024;

/// Waits before a turn begins while each brings as many edges as it can: 16,384 edges are 60 ms of
/// work.
const WAITS_MAX: usize = 16;

impl Reactor {
    /// Waits for edges and notes them: all that have come, as far as one turn may take them in, so
    /// that the messages of several connections to one leave in one write.
    pub(super) fn wait(&mut self, mut timeout: Option<Duration>) -> io::Result<()> {
        for _ in 0..WAITS_MAX {
            self.is_flooded = self.take_edges(timeout)? == EVENTS_MAX;
            if !self.is_flooded {
                break;
            }
            // More edges may be there already; only the first wait may sleep.
            timeout = Some(Duration::ZERO);
        }
        Ok(())
    }

    /// One wait; returns how many edges it brought.
    fn take_edges(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut count = 0;
        for event in &self.events {
            count += 1;
            match Source::of(event.token()) {
                Source::Connection(conn) => read::on_edge(&mut self.connections, conn, event),
                Source::Listener(nth) => self.acceptor.on_ready(nth),
                Source::Signals => self.signals.iter_mut().for_each(StopSignals::on_ready),
                Source::Waker => self.is_woken = true,
            }
        }
        Ok(count)
    }

    /// The time until something is due, `None` if nothing ever is.
    pub(super) fn time_to_wait(&self, now: Tick) -> Option<Duration> {
        let shared = &self.connections.shared;
        if shared.lists.has_work_beside_reads() {
            return Some(Duration::ZERO);
        }
        if self.mode != Mode::Turning {
            return (self.alarm != Tick::MAX).then(|| self.alarm.since(now));
        }
        if shared.lists.has_reads() || shared.tls.has_work() || self.acceptor.has_work(now) {
            return Some(Duration::ZERO);
        }
        let wheel = self.connections.shared.wheel.next_deadline().unwrap_or(Tick::MAX);
        let exit = self.exit_at.unwrap_or(Tick::MAX);
        let trim = self.connections.shared.pool.trim_at();
        let next = wheel.min(self.alarm).min(self.acceptor.retry_at()).min(exit).min(trim);
        (next != Tick::MAX).then(|| next.since(now))
    }
}
