//! What a node of a cluster begins with: the address of its engine, the password, the authorities.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::driver::{Driver, is_sealed};
use crate::cluster::check::Level;
use crate::cluster::link::{Link, LinkOptions};
use crate::cluster::node::Node;
use crate::config::Config;
use crate::pg::{Address, Host, Security};
use crate::store::Wake;
use crate::time::clock::Now;
use crate::tls::{self, ClientConfig};

/// The authorities of this machine, where Debian, Alpine and their like keep them.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where the system says what this machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The most bytes of a file of authorities; those that browsers trust are a quarter of a megabyte.
const ROOTS_LEN_MAX: u64 = 16 << 20;

/// The most bytes of a password.
const PASSWORD_LEN_MAX: u64 = 4 << 10;

/// Why a node cannot begin.
#[derive(Debug)]
pub enum EngineError {
    /// The file of the password cannot be used.
    Password(PathBuf, String),
    /// That of the authorities cannot be used.
    Roots(PathBuf, String),
    /// The system refused something.
    Io(io::Error),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(path, why) => {
                write!(f, "[cluster] password_file: {}: {why}", path.display())
            }
            Self::Roots(path, why) => write!(
                f,
                "[cluster] engine: no authorities in {}: {why}; write ?sslrootcert=FILE, or \
                 ?sslmode=disable if nobody else can read along",
                path.display()
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EngineError {}

/// The address of the engine with its password; `None`: this server is alone.
///
/// # Errors
///
/// [`EngineError`] if the file with the password cannot be used.
pub fn address(config: &Config) -> Result<Option<Address>, EngineError> {
    let Some(mut address) = config.cluster.engine.clone() else { return Ok(None) };
    if let Some(path) = &config.cluster.password_file {
        let fault = |why: String| EngineError::Password(path.clone(), why);
        let bytes = read(path, PASSWORD_LEN_MAX).map_err(|error| fault(error.to_string()))?;
        let text =
            String::from_utf8(bytes).map_err(|_error| fault("it is not UTF-8".to_owned()))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() || password.contains('\0') {
            return Err(fault("it has no password".to_owned()));
        }
        address.password = Some(password.into());
    }
    Ok(Some(address))
}

/// What a message must survive.
#[must_use]
pub fn level(config: &Config) -> Level {
    if config.cluster.level == "disk" { Level::Disk } else { Level::Replicated }
}

/// A node that speaks to the engine of this address.
///
/// # Errors
///
/// [`EngineError`], which says what to do.
pub(in crate::server) fn open(
    (address, config): (&Address, &Config),
    now: Now,
    wake: Wake,
) -> Result<Shared, EngineError> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)
        .map_err(|error| EngineError::Io(io::Error::other(error.to_string())))?;
    let options = LinkOptions {
        name: config.cluster.name.as_deref().map_or_else(own_name, Into::into),
        address: config.cluster.address.as_deref().unwrap_or_default().into(),
        version: env!("CARGO_PKG_VERSION").into(),
        level: level(config),
        seed: u64::from_ne_bytes(seed),
    };
    let mut node = Box::new(Node::new(Link::new(address.clone(), options, now), now));
    node.retain(config.policies.clone());
    let is_sealed = |host: &Host| is_sealed(&address.security, host.is_local());
    let tls = address.hosts.iter().any(is_sealed).then(|| client_config(&address.security));
    let driver = Driver::new(address, tls.transpose()?, wake).map_err(EngineError::Io)?;
    Ok(Shared::new(driver, node))
}

/// What this machine is called.
fn own_name() -> Box<str> {
    let text = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let name = text.trim();
    if name.is_empty() { "node".into() } else { name.into() }
}

fn client_config(security: &Security) -> Result<Arc<ClientConfig>, EngineError> {
    let path = match security {
        Security::Tls(Some(path)) => path,
        Security::Tls(None) | Security::AsNeeded | Security::Plain => Path::new(ROOTS),
    };
    let fault = |why: String| EngineError::Roots(path.to_owned(), why);
    let pem = read(path, ROOTS_LEN_MAX).map_err(|error| fault(error.to_string()))?;
    tls::client_config(&pem).map_err(|error| fault(error.to_string()))
}

/// Bounded, since a device has no end.
fn read(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(len_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
