//! Who may not use the server at all.

use std::fmt;

use super::identity::{Identity, Source};
use super::name::UserName;
pub use crate::net::Network;

/// For how long something holds, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Until when: milliseconds since 1970; `None`: until it is taken back.
    pub until: Option<u64>,
    /// The reason that was given, empty if none was.
    pub reason: Box<str>,
}

/// The users and addresses that may not use the server at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspensions {
    /// Users, with until when (milliseconds since 1970) and why.
    pub users: Vec<(UserName, Expiry)>,
    /// IP addresses and networks, likewise.
    pub addresses: Vec<(Network, Expiry)>,
    /// Tokens that are not taken any more, by what they are known by.
    pub revoked: Vec<Revocation>,
}

/// Whom a suspension is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspended {
    /// A user.
    User(UserName),
    /// An IP address, or a network.
    Address(Network),
}

impl fmt::Display for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "{name}"),
            Self::Address(network) => write!(f, "{network}"),
        }
    }
}

impl Expiry {
    /// Whether it has passed at this time, in milliseconds since 1970.
    #[must_use]
    pub fn is_over(&self, wall_ms: u64) -> bool {
        self.until.is_some_and(|until| until <= wall_ms)
    }
}

/// Tokens that are not taken any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// `jti ID`, or `user NAME` for all that were issued until `at`.
    pub what: String,
    /// Since when: milliseconds since 1970.
    pub at: u64,
    /// From when on no such token can be good any more.
    pub until: u64,
}

impl Revocation {
    /// What the token of this id is known by.
    #[must_use]
    pub fn of_token(id: &str) -> String {
        format!("jti {id}")
    }

    /// What the tokens of this user are known by.
    #[must_use]
    pub fn of_user(name: &UserName) -> String {
        format!("user {name}")
    }
}

impl Suspensions {
    /// Whether there is a row about this one, over or not.
    #[must_use]
    pub fn has(&self, whom: &Suspended) -> bool {
        match whom {
            Suspended::User(name) => self.users.iter().any(|(known, _)| known == name),
            Suspended::Address(network) => self.addresses.iter().any(|(known, _)| known == network),
        }
    }

    /// Somebody may not use the server, in place of what was said of the same before.
    pub fn put(&mut self, whom: Suspended, expiry: Expiry) {
        self.end(&whom);
        match whom {
            Suspended::User(name) => self.users.push((name, expiry)),
            Suspended::Address(network) => self.addresses.push((network, expiry)),
        }
    }

    /// Somebody may use the server again.
    pub fn end(&mut self, whom: &Suspended) {
        match whom {
            Suspended::User(name) => self.users.retain(|(known, _)| known != name),
            Suspended::Address(network) => self.addresses.retain(|(known, _)| known != network),
        }
    }

    /// Whether what this user has proved was taken back.
    #[must_use]
    pub fn has_revoked(&self, identity: &Identity, name: &UserName) -> bool {
        if self.revoked.is_empty() || identity.source != Source::Token {
            return false;
        }
        let row = |what: String| self.revoked.iter().find(|row| row.what == what);
        let token = identity.token_id.as_ref().and_then(|id| row(Revocation::of_token(id)));
        // One that does not say when it was issued may be as old as any.
        let is_old = |row: &Revocation| identity.issued.is_none_or(|issued| issued <= row.at);
        token.is_some() || row(Revocation::of_user(name)).is_some_and(is_old)
    }

    /// For how long nobody may use the server from this address, and why; `None` if one may. The
    /// time is in milliseconds since 1970. An IPv4 address is the same written as IPv6.
    #[must_use]
    pub fn address(&self, address: crate::net::IpAddr, wall_ms: u64) -> Option<&Expiry> {
        let known = self.addresses.iter().filter(|(known, _)| known.contains(address));
        known.map(|(_, expiry)| expiry).find(|expiry| !expiry.is_over(wall_ms))
    }

    /// The addresses and networks from which nobody may use the server at this time.
    #[must_use]
    pub fn addresses_at(&self, wall_ms: u64) -> Vec<Network> {
        let known = self.addresses.iter().filter(|(_, expiry)| !expiry.is_over(wall_ms));
        known.map(|(network, _)| *network).collect()
    }

    /// The addresses and networks from which nobody may use the server, each with the time at which
    /// that ends.
    #[must_use]
    pub fn addresses_until(&self) -> Vec<(Network, Option<u64>)> {
        self.addresses.iter().map(|(network, expiry)| (*network, expiry.until)).collect()
    }

    /// For how long this user may not use the server, `None` if it may.
    pub(in crate::chat) fn user(&self, name: &UserName, wall_ms: u64) -> Option<&Expiry> {
        let place = self.users.binary_search_by(|(known, _)| known.cmp(name)).ok()?;
        let expiry = self.users.get(place).map(|(_, expiry)| expiry);
        expiry.filter(|expiry| !expiry.is_over(wall_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_in_both_notations_and_until_its_expiry() {
        let expiry = Expiry { until: Some(100), reason: "".into() };
        let addresses = vec![("::ffff:10.0.0.1".parse().unwrap(), expiry)];
        let suspensions = Suspensions { addresses, ..Suspensions::default() };
        for (address, wall_ms, expect) in [
            ("10.0.0.1", 99, true),
            ("::ffff:10.0.0.1", 99, true),
            ("10.0.0.1", 100, false),
            ("10.0.0.2", 99, false),
            ("::1", 99, false),
        ] {
            let has = suspensions.address(address.parse().unwrap(), wall_ms).is_some();
            assert_eq!(has, expect, "{address} at {wall_ms}");
        }
    }
}
