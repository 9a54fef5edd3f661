//! How many descriptors the process may have, and so how many connections.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not for connections: standard streams, listeners, the poller, the spare,
/// the signal pipe, the store's files and what it opens while it compacts.
pub const RESERVED: u64 = 32;

/// What the process may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// The limit in force (`RLIMIT_NOFILE`, soft).
    pub limit: u64,
    /// The highest that the process may set it to (hard).
    pub ceiling: u64,
}

impl Descriptors {
    /// Connections that fit beside the [`RESERVED`] descriptors.
    #[must_use]
    pub const fn connections_max(self) -> u64 {
        self.limit.saturating_sub(RESERVED)
    }
}

/// Raises the soft limit to the hard one and returns what now holds.
///
/// # Errors
///
/// If the system refuses; the limit is then as before.
pub fn raise() -> io::Result<Descriptors> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (limit, ceiling) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    if limit < ceiling {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(Descriptors { limit: ceiling, ceiling })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_get_what_is_not_reserved() {
        let check = |limit, expect| {
            assert_eq!(Descriptors { limit, ceiling: limit }.connections_max(), expect);
        };
        check(0, 0);
        check(RESERVED, 0);
        check(RESERVED + 1, 1);
        check(20_000, 19_968);
        check(u64::MAX, u64::MAX - RESERVED);
    }

    #[test]
    fn raising_leaves_no_room_between_the_limits() {
        let raised = raise().unwrap();
        assert_eq!(raised.limit, raised.ceiling);
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), raised.limit);
    }
}
