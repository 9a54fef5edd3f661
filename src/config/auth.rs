//! Whom the server believes: `auth`, and where names alone may be believed.

use super::Config;
use super::fault::ConfigFault;
use super::value::Value;
use super::values::{Assigned, Values};
use crate::chat::model::identity::AuthPolicy;

/// What to do where names that nobody proves are not enough: said at the start, and to each request
/// that has come from elsewhere.
pub const INSTEAD: &str = "write auth = \"accounts\" (people log in with a password), \"jwt\" or \
                           \"header\", or insecure = true if you trust everybody who can connect";

impl Config {
    /// Whom the server believes, as the domain takes it.
    #[must_use]
    pub fn auth_policy(&self) -> AuthPolicy {
        let has = |source: &str| self.auth.iter().any(|listed| listed == source);
        AuthPolicy {
            none: has("none"),
            accounts: has("accounts"),
            tokens: has("jwt"),
            header: has("header"),
            guests: has("accounts") && self.accounts.guests,
            registration: self.accounts.registration,
            invites: self.accounts.invites,
        }
    }

    /// Whether only this machine may speak to the server, since names are believed.
    #[must_use]
    pub fn is_local_only(&self) -> bool {
        !self.insecure && self.auth.iter().any(|source| source == "none")
    }
}

/// Whether `auth` lists this word.
pub(super) fn has_source(values: &Values, word: &str) -> bool {
    match values.get("auth").map(|assigned| &assigned.value) {
        Some(Value::List(listed)) => listed.iter().any(|source| source == word),
        Some(value) => value.text() == Some(word),
        None => false,
    }
}

/// Listeners for others than this machine, where names are believed.
pub(super) fn exposed(values: &Values) -> Vec<ConfigFault> {
    let value = |name: &str| values.get(name).map(|assigned| &assigned.value);
    if !has_source(values, "none") || value("insecure") == Some(&Value::Boolean(true)) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for name in ["listen", "tcp"] {
        let Some(Assigned { value: Value::Addresses(addresses), origin }) = values.get(name) else {
            continue;
        };
        let Some(addr) = addresses.iter().find(|addr| addr.is_exposed()) else { continue };
        let what = format!(
            "{name} = \"{addr}\": with auth = \"none\" everybody who can connect there can be anybody, \
             since a name is all that a client gives. Listen on 127.0.0.1, or {INSTEAD}"
        );
        faults.push(ConfigFault::new(what, origin.as_ref()));
    }
    faults
}
