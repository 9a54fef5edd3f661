//! Who may not use the server at all.

use super::name::UserName;

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
    /// IP addresses, likewise.
    pub addresses: Vec<(crate::net::IpAddr, Expiry)>,
}

impl Expiry {
    /// Whether it has passed at this time, in milliseconds since 1970.
    #[must_use]
    pub fn is_over(&self, wall_ms: u64) -> bool {
        self.until.is_some_and(|until| until <= wall_ms)
    }
}

impl Suspensions {
    /// Whether nobody may use the server from this address at this time, in milliseconds since
    /// 1970. An IPv4 address is the same written as IPv6.
    #[must_use]
    pub fn has_address(&self, address: crate::net::IpAddr, wall_ms: u64) -> bool {
        let address = address.to_canonical();
        let mut known = self.addresses.iter().filter(|(known, _)| known.to_canonical() == address);
        known.any(|(_, expiry)| !expiry.is_over(wall_ms))
    }

    /// The addresses from which nobody may use the server at this time, in the form of
    /// [`IpAddr::to_canonical`](std::net::IpAddr::to_canonical).
    #[must_use]
    pub fn addresses_at(&self, wall_ms: u64) -> Vec<crate::net::IpAddr> {
        let known = self.addresses.iter().filter(|(_, expiry)| !expiry.is_over(wall_ms));
        known.map(|(address, _)| address.to_canonical()).collect()
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
        let suspensions = Suspensions { users: Vec::new(), addresses };
        for (address, wall_ms, expect) in [
            ("10.0.0.1", 99, true),
            ("::ffff:10.0.0.1", 99, true),
            ("10.0.0.1", 100, false),
            ("10.0.0.2", 99, false),
            ("::1", 99, false),
        ] {
            let has = suspensions.has_address(address.parse().unwrap(), wall_ms);
            assert_eq!(has, expect, "{address} at {wall_ms}");
        }
    }
}
