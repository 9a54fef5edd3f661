//! The bus of a cluster: whether it can be reached, and what goes over it in clear.

use super::{Finding, bad, ok, warn};
use crate::cli::cluster::bus;
use crate::config::Config;
use crate::pg::Security;
use crate::server;

const WHAT: &str = "bus";

/// What is found; nothing where there is no bus.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let address = match server::bus_address(config) {
        Ok(Some(address)) => address,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![bad(WHAT, error.to_string(), "mend it, or set bus = \"off\"")],
    };
    let mut findings = Vec::new();
    if !address.host.is_local() && !matches!(address.security, Security::Tls(_)) {
        let text = format!("{address}: the password, and who is there, go there in clear");
        let advice = "write rediss://, unless nobody else can read along";
        findings.push(warn(WHAT, text, advice));
    }
    findings.push(match bus::greet(&address) {
        Ok(server) => ok(WHAT, format!("{address}: {server}, what is published comes back")),
        // The engine carries what it would.
        Err(why) => {
            let advice = "mend it, or set bus = \"off\": until then the engine carries everything";
            warn(WHAT, format!("{address}: {why}"), advice)
        }
    });
    findings
}
