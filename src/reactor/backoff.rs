//! How `accept` can fail, and when to try again.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use crate::time::Tick;

/// The first pause after the system ran out of something.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest pause: how late a new connection can be once there is room again.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// One line is logged for this long, however often it happens.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

const _: () = assert!(PAUSE_MIN.as_millis() < PAUSE_MAX.as_millis());
const _: () = assert!(PAUSE_MAX.as_millis() < LOG_INTERVAL.as_millis());

/// The consequence of an error of `accept` for the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AcceptFault {
    /// No connection is waiting: the next edge will tell.
    NoneWaiting,
    /// That one connection is lost; the next may be fine.
    Lost,
    /// The process or the system is out of descriptors or memory: the connection still waits, no
    /// edge will come for it, and trying again at once would spin.
    Exhausted,
    /// The listening socket itself is broken.
    Broken,
}

impl AcceptFault {
    /// Sorts an error of `accept` (accept(2), "Error handling": pending network errors are the
    /// connection's). An unknown error pauses, since neither spinning nor giving
    /// up is safe.
    pub(super) fn of(error: &io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(error) else { return Self::Exhausted };
        match errno {
            Errno::AGAIN => Self::NoneWaiting,
            Errno::INTR
            | Errno::CONNABORTED
            | Errno::PROTO
            | Errno::PERM
            | Errno::TIMEDOUT
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH => Self::Lost,
            Errno::BADF | Errno::NOTSOCK | Errno::INVAL | Errno::FAULT | Errno::OPNOTSUPP => {
                Self::Broken
            }
            _ => Self::Exhausted,
        }
    }
}

/// When to try again after [`AcceptFault::Exhausted`], and when to say so.
#[derive(Debug)]
pub(super) struct AcceptBackoff {
    /// No attempt before this.
    retry_at: Tick,
    pause: Duration,
    /// No line is logged before this.
    log_at: Tick,
    /// Faults since the last line.
    unreported: u64,
}

impl AcceptBackoff {
    pub(super) const fn new() -> Self {
        Self { retry_at: Tick::ZERO, pause: PAUSE_MIN, log_at: Tick::ZERO, unreported: 0 }
    }

    /// Whether it is too early to try.
    pub(super) fn is_pausing(&self, now: Tick) -> bool {
        now < self.retry_at
    }

    /// When to try next; in the past unless it is pausing.
    pub(super) const fn retry_at(&self) -> Tick {
        self.retry_at
    }

    /// A connection was accepted in the ordinary way: there is room again.
    pub(super) const fn on_success(&mut self) {
        self.pause = PAUSE_MIN;
    }

    /// Pauses, for longer each time. Returns the number of faults since the last logged line if
    /// another is due.
    pub(super) fn on_exhausted(&mut self, now: Tick) -> Option<u64> {
        self.retry_at = now.after(self.pause);
        // No jitter: only this process waits for its own descriptors.
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.unreported += 1;
        if now < self.log_at {
            return None;
        }
        self.log_at = now.after(LOG_INTERVAL);
        Some(std::mem::take(&mut self.unreported))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_listener_is_given_up() {
        let check = |errno: Errno, expect| {
            assert_eq!(
                AcceptFault::of(&io::Error::from_raw_os_error(errno.raw_os_error())),
                expect
            );
        };
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::XFULL] {
            check(errno, AcceptFault::Exhausted);
        }
        for errno in [Errno::CONNABORTED, Errno::PROTO, Errno::INTR, Errno::HOSTUNREACH] {
            check(errno, AcceptFault::Lost);
        }
        for errno in [Errno::BADF, Errno::NOTSOCK] {
            check(errno, AcceptFault::Broken);
        }
        check(Errno::WOULDBLOCK, AcceptFault::NoneWaiting);
        assert_eq!(AcceptFault::of(&io::Error::other("unheard of")), AcceptFault::Exhausted);
    }

    #[test]
    fn ten_minutes_without_descriptors_cost_ten_attempts_and_a_fifth_of_a_line_a_second() {
        let mut backoff = AcceptBackoff::new();
        let (mut attempts, mut lines, mut said) = (0, 0, 0);
        for millis in 0..600_000 {
            let now = Tick::from_millis(millis);
            if backoff.is_pausing(now) {
                assert!(backoff.retry_at().since(now) <= PAUSE_MAX, "deaf for too long");
                continue;
            }
            attempts += 1;
            if let Some(faults) = backoff.on_exhausted(now) {
                lines += 1;
                said += faults;
            }
        }
        assert!((5990..=6010).contains(&attempts), "{attempts} attempts");
        assert!((119..=121).contains(&lines), "{lines} lines");
        assert!(attempts - said <= 50, "{said} of {attempts} faults were told");
    }

    #[test]
    fn after_a_success_the_pause_is_short_again() {
        let mut backoff = AcceptBackoff::new();
        for millis in [0, 1000, 2000, 3000, 4000, 5000] {
            backoff.on_exhausted(Tick::from_millis(millis));
        }
        assert_eq!(backoff.retry_at(), Tick::from_millis(5100));
        backoff.on_success();
        backoff.on_exhausted(Tick::from_millis(6000));
        assert_eq!(backoff.retry_at(), Tick::from_millis(6010));
    }
}
