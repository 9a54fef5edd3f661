//! How many descriptors the process may have, and so how many connections.

use rustix::process::{Resource, Rlimit, setrlimit};

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

/// Where Linux says what the limits of this process are.
pub const LIMITS: &str = "/proc/self/limits";
/// What is taken for the limit where nobody says it: what Linux gives a process by default.
const LIMIT_DEFAULT: u64 = 1024;

/// Raises the soft limit to the hard one, if the system allows that, and returns what now holds.
///
/// A service manager may forbid the calls that ask for limits and set them (systemd's
/// `SystemCallFilter=~@resources`): `limits` is the text of [`LIMITS`], if it could be read, and a
/// limit that cannot be raised stays as it is.
#[must_use]
pub fn raise(limits: Option<&str>) -> Descriptors {
    let found = limits.and_then(parse);
    let Descriptors { limit, ceiling } =
        found.unwrap_or(Descriptors { limit: LIMIT_DEFAULT, ceiling: LIMIT_DEFAULT });
    // The hard limit stays as it is: lowering it could not be undone, raising it needs a right.
    let wanted = Rlimit { current: Some(ceiling), maximum: Some(ceiling) };
    if limit < ceiling && setrlimit(Resource::Nofile, wanted).is_err() {
        return Descriptors { limit, ceiling };
    }
    Descriptors { limit: ceiling, ceiling }
}

/// The limits that the text of [`LIMITS`] names: `Max open files  1024  20000  files`.
#[must_use]
pub fn parse(limits: &str) -> Option<Descriptors> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_ascii_whitespace().map(|word| match word {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some(Descriptors { limit: numbers.next()??, ceiling: numbers.next()?? })
}

#[cfg(test)]
mod tests {
    use rustix::process::getrlimit;

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
        let limits = std::fs::read_to_string(LIMITS).unwrap();
        let raised = raise(Some(&limits));
        assert_eq!(raised.limit, raised.ceiling);
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), raised.limit);
    }

    #[test]
    fn the_limits_are_read_from_the_systems_words() {
        let words = |line: &str| format!("Limit  Soft Limit  Hard Limit  Units\n{line}\n");
        for (line, expect) in [
            (
                "Max open files            1024                 20000                files",
                Some((1024, 20_000)),
            ),
            ("Max open files  unlimited  unlimited  files", Some((u64::MAX, u64::MAX))),
            ("Max open files  many  20000  files", None),
            ("Max open files  1024", None),
            ("Max processes  1  2  processes", None),
        ] {
            let expect = expect.map(|(limit, ceiling)| Descriptors { limit, ceiling });
            assert_eq!(parse(&words(line)), expect, "{line}");
        }
    }
}
