//! The engine of a cluster: whether each of its hosts keeps what it is given.

use super::{Finding, bad, ok, warn};
use crate::cli::cluster::{Found, look};
use crate::cluster::check::Fault;
use crate::config::Config;
use crate::pg::{Address, Host};
use crate::server;

const WHAT: &str = "engine";

/// What is found at each host; nothing where the server is alone.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let address = match server::engine_address(config) {
        Ok(Some(address)) => address,
        Ok(None) => return Vec::new(),
        Err(error) => {
            return vec![bad(WHAT, error.to_string(), "mend it, or set engine = \"off\"")];
        }
    };
    let mut findings: Vec<_> =
        address.hosts.iter().flat_map(|host| of_host(config, &address, host)).collect();
    if !findings.iter().any(|finding| finding.text.contains(PRIMARY)) {
        let advice = "name the host of the primary, too: nothing can be written without it";
        findings.push(bad(WHAT, "none of its hosts is a primary that can be used", advice));
    }
    findings
}

/// How the primary is called.
const PRIMARY: &str = "the primary, level ";

fn of_host(config: &Config, address: &Address, host: &Host) -> Vec<Finding> {
    let Found { engine, faults, .. } = match look(address, host) {
        Ok(found) => found,
        Err(trouble) => {
            let advice = "chinwag cluster check says more";
            return vec![warn(WHAT, format!("{host}: {trouble}"), advice)];
        }
    };
    if engine.is_standby {
        return vec![ok(WHAT, format!("{host}: a standby"))];
    }
    let mut findings: Vec<_> = faults.iter().map(|fault| of_fault(host, fault)).collect();
    let level = engine.level();
    let text = format!("{host}: {PRIMARY}{}", level.name());
    findings.push(if level < server::engine_level(config) {
        let advice = "set synchronous_standby_names on each host, or [cluster] level = \"disk\" if \
                      the loss of the primary may lose messages";
        bad(WHAT, text, advice)
    } else {
        ok(WHAT, text)
    });
    findings
}

fn of_fault(host: &Host, fault: &Fault) -> Finding {
    let advice = "chinwag cluster check says more";
    let text = format!("{host}: {fault}");
    if fault.is_warning() { warn(WHAT, text, advice) } else { bad(WHAT, text, advice) }
}
