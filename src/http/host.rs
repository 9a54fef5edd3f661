//! Which hosts this server answers to, so that DNS rebinding finds nothing.
//!
//! An attacker's page may make its own name resolve to this machine; the browser then takes the
//! server for a part of that page. What it cannot do is change the `Host` field, which still has
//! the attacker's name. So a host must be
//!
//! - `localhost` or a name under it, which browsers do not look up;
//! - an IP address, since there is no name to rebind;
//! - or a configured name.
//!
//! A request of HTTP/1.0 without `Host`, as load balancers send to ask for health, comes from no
//! browser, and passes.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;

use super::{Authority, Head, Host, Refusal};

/// The host names that are served besides loopback names and addresses.
#[derive(Clone, Debug, Default)]
pub struct HostPolicy {
    names: Vec<Box<str>>,
}

/// A configured host or origin that is of the wrong form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// What was configured.
    pub value: String,
    /// The expected form.
    pub expected: &'static str,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.value, self.expected)
    }
}

impl std::error::Error for PolicyError {}

impl HostPolicy {
    /// Serves `names` too, on whatever port.
    ///
    /// # Errors
    ///
    /// A name with a scheme, a port, a wildcard or another byte that no host name has.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Self, PolicyError> {
        let names = names.into_iter().map(|name| {
            let name = name.as_ref();
            Host::parse(name.as_bytes()).map(|_| name.into()).ok_or_else(|| PolicyError {
                value: name.to_owned(),
                expected: "a host name alone, as in chat.example.org",
            })
        });
        Ok(Self { names: names.collect::<Result<_, _>>()? })
    }

    /// Whether `host` is served. A trailing dot makes another name.
    #[must_use]
    pub fn serves(&self, host: Host<'_>) -> bool {
        match host {
            Host::V4(_) | Host::V6(_) => true,
            Host::Name(name) => {
                is_loopback_name(name)
                    || self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
            }
        }
    }

    /// Refuses a request for another host.
    pub(super) fn check(&self, head: &Head<'_>) -> Result<(), Refusal> {
        match head.authority() {
            Some(Authority { host, .. }) if !self.serves(host) => Err(Refusal::HostUnknown),
            Some(_) | None => Ok(()),
        }
    }
}

impl Host<'_> {
    /// Whether it is this machine as it calls itself.
    pub(super) fn is_loopback(self) -> bool {
        match self {
            Self::V4(address) => address.is_loopback(),
            Self::V6(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => is_loopback_name(name),
        }
    }
}

/// What a machine calls itself.
const LOCALHOST: &str = "localhost";

/// `localhost` and what is under it (RFC 6761 section 6.3).
fn is_loopback_name(name: &str) -> bool {
    let Some(under) = name.len().checked_sub(LOCALHOST.len()) else { return false };
    let (under, last) = name.split_at_checked(under).unwrap_or_default();
    last.eq_ignore_ascii_case(LOCALHOST)
        && (under.is_empty() || under.len() > 1 && under.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], host: &str, expect: bool) {
        let policy = HostPolicy::new(names).unwrap();
        let host = Host::parse(host.as_bytes()).unwrap();
        assert_eq!(policy.serves(host), expect, "{host:?} with {names:?}");
    }

    #[test]
    fn loopback_names_and_addresses_are_always_served() {
        for host in [
            "localhost",
            "LOCALHOST",
            "chat.localhost",
            "a.b.localhost",
            "127.0.0.1",
            "10.1.2.3",
            "0.0.0.0",
            "[::1]",
            "[2001:db8::1]",
            "[::ffff:127.0.0.1]",
        ] {
            check(&[], host, true);
        }
    }

    #[test]
    fn names_that_could_be_rebound_are_not() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "localhost.",
            ".localhost",
            "xlocalhost",
            "local",
            "127.0.0.1.evil.example",
            "127.1",
            "2130706433",
            "0x7f000001",
            "localhost.localdomain",
        ] {
            check(&[], host, false);
        }
    }

    #[test]
    fn configured_names_are_served_exactly() {
        check(&["chat.example.org"], "chat.example.org", true);
        check(&["Chat.Example.org"], "chat.example.ORG", true);
        for host in
            ["example.org", "x.chat.example.org", "chat.example.org.", "chat.example.org.evil"]
        {
            check(&["chat.example.org"], host, false);
        }
    }

    #[test]
    fn what_is_no_host_name_cannot_be_configured() {
        for name in ["", "*", "*.example.org", "http://a", "a:80", "a/b", "a b", "[::1]:80"] {
            let error = HostPolicy::new([name]).unwrap_err();
            assert_eq!(error.value, name);
        }
    }
}
