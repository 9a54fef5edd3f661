//! Who may not use the server at all.

use crate::net::IpAddr;
use std::sync::Arc;

use super::hello::end_session;
use super::model::log::{Expiry, Suspensions};
use super::model::name::UserName;
use super::model::output::Output;
use super::standing;
use super::state::State;
use super::{Code, Refusal};
use crate::net::CloseReason;

impl Suspensions {
    /// Whether nobody may use the server from this address at this time, in milliseconds since 1970. An IPv4
    /// address is the same written as IPv6.
    #[must_use]
    pub fn has_address(&self, address: IpAddr, wall_ms: u64) -> bool {
        let address = address.to_canonical();
        let mut terms = self.addresses.iter().filter(|(known, _)| known.to_canonical() == address);
        terms.any(|(_, term)| !standing::is_over(term, wall_ms))
    }

    /// The addresses from which nobody may use the server at this time, as [`IpAddr::to_canonical`] has them.
    #[must_use]
    pub fn addresses_at(&self, wall_ms: u64) -> Vec<IpAddr> {
        let terms = self.addresses.iter().filter(|(_, term)| !standing::is_over(term, wall_ms));
        terms.map(|(address, _)| address.to_canonical()).collect()
    }

    /// For how long this user may not use the server, `None` if it may.
    fn user(&self, name: &UserName, wall_ms: u64) -> Option<&Expiry> {
        let place = self.users.binary_search_by(|(known, _)| known.cmp(name)).ok()?;
        let term = self.users.get(place).map(|(_, term)| term);
        term.filter(|term| !standing::is_over(term, wall_ms))
    }
}

/// # Errors
///
/// [`Code::Suspended`] with the reason, and when the suspension ends if it does.
pub(super) fn check(state: &State, name: &UserName) -> Result<(), Refusal> {
    let wall_ms = state.now.wall_ms;
    let term = state.suspended.user(name, wall_ms);
    let words = "you are suspended from this server";
    term.map_or(Ok(()), |term| Err(standing::refusal(Code::Suspended, words, term, wall_ms)))
}

/// Another list is in force: those on it who are here have to go.
pub(super) fn set(state: &mut State, suspended: &Arc<Suspensions>) {
    state.suspended = Arc::clone(suspended);
    if !suspended.users.is_sorted_by(|(a, _), (b, _)| a <= b) {
        Arc::make_mut(&mut state.suspended).users.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let wall_ms = state.now.wall_ms;
    for (name, term) in &suspended.users {
        let Some(user) = state.user_named(name.as_str()) else { continue };
        if standing::is_over(term, wall_ms) {
            continue;
        }
        let sessions = state.users[user].sessions.clone();
        for &conn in &sessions {
            state.said.push_back(Output::Close { conn, reason: CloseReason::Banned });
            end_session(state, conn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_in_both_notations_and_until_its_term() {
        let term = Expiry { until: Some(100), reason: "".into() };
        let addresses = vec![("::ffff:10.0.0.1".parse().unwrap(), term)];
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
