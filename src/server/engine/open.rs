//! What a node of a cluster begins with: the address of its engine, the password, the authorities.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::driver::{BusSite, Driver, is_sealed};
use super::outbox::Desk;
use crate::cluster::check::Level;
use crate::cluster::link::{Link, LinkOptions};
use crate::cluster::node::{Node, SendTerms};
use crate::config::{self, Config, named_file};
use crate::pg::{Address, Host, Security};
use crate::resp;
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

/// The settings of the two addresses.
const ENGINE: &str = "engine";
const BUS: &str = "bus";

/// Why a node cannot begin.
#[derive(Debug)]
pub enum EngineError {
    /// The file of a password cannot be used; the setting, the file, and why.
    Password(&'static str, PathBuf, String),
    /// That of the authorities cannot be used; the setting, the file, and why.
    Roots(&'static str, PathBuf, String),
    /// The system refused something.
    Io(io::Error),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(setting, path, why) => {
                write!(f, "[cluster] {setting}: {}: {why}", path.display())
            }
            Self::Roots(setting, path, why) => {
                let plain = if *setting == BUS {
                    "redis:// in place of rediss://"
                } else {
                    "?sslmode=disable"
                };
                write!(
                    f,
                    "[cluster] {setting}: no authorities in {}: {why}; write ?sslrootcert=FILE, or \
                     {plain} if nobody else can read along",
                    path.display()
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EngineError {}

impl EngineError {
    /// The setting that names the file, if one does.
    pub(in crate::server) fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Password("password_file", ..) => Some("cluster.password_file"),
            Self::Password(..) => Some("cluster.bus_password_file"),
            Self::Roots(BUS, ..) => Some("cluster.bus"),
            Self::Roots(..) => Some("cluster.engine"),
            Self::Io(_) => None,
        }
    }
}

/// The address of the engine with its password; `None`: this server is alone.
///
/// # Errors
///
/// [`EngineError`] if the file with the password cannot be used.
pub fn address(config: &Config) -> Result<Option<Address>, EngineError> {
    let Some(mut address) = config.cluster.engine.clone() else { return Ok(None) };
    if let Some(path) = &config.cluster.password_file {
        address.password = Some(password("password_file", path)?);
    }
    Ok(Some(address))
}

/// The address of the bus with its password; `None`: there is none.
///
/// # Errors
///
/// [`EngineError`] if the file with the password cannot be used.
pub fn bus_address(config: &Config) -> Result<Option<resp::Address>, EngineError> {
    let Some(mut address) = config.cluster.bus.clone() else { return Ok(None) };
    if let Some(path) = &config.cluster.bus_password_file {
        address.password = Some(password("bus_password_file", path)?);
    }
    Ok(Some(address))
}

fn password(setting: &'static str, path: &Path) -> Result<Box<str>, EngineError> {
    let fault = |why: String| EngineError::Password(setting, path.to_owned(), why);
    let bytes =
        named_file::read(path, PASSWORD_LEN_MAX).map_err(|error| fault(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_error| fault("it is not UTF-8".to_owned()))?;
    // Editors end a file with a newline. PostgreSQL's protocol ends a text at a NUL.
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.contains('\0') {
        return Err(fault("it has no password".to_owned()));
    }
    Ok(password.into())
}

/// Whether the authorities can be used by which the engine and the bus are known, where they are.
///
/// # Errors
///
/// [`EngineError`] if their file cannot be used.
pub(in crate::server) fn check_authorities(config: &Config) -> Result<(), EngineError> {
    if let Some(Address { hosts, security, .. }) = &config.cluster.engine
        && hosts.iter().any(|host| is_sealed(security, host.is_local()))
    {
        client_config(ENGINE, security)?;
    }
    let bus = config.cluster.bus.as_ref().map(|bus| &bus.security);
    if let Some(security @ Security::Tls(_)) = bus {
        client_config(BUS, security)?;
    }
    Ok(())
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
    let name: Box<str> = config.cluster.name.as_deref().map_or_else(own_name, Into::into);
    let settings = settings_text(&config.webhooks).into();
    let terms = SendTerms { name: name.clone(), settings, timeout: config.webhooks.timeout };
    let options = LinkOptions {
        name,
        address: config.cluster.address.as_deref().unwrap_or_default().into(),
        version: env!("CARGO_PKG_VERSION").into(),
        level: level(config),
        seed: u64::from_ne_bytes(seed),
    };
    let bus = bus_address(config)?;
    let mut link = Link::new(address.clone(), options, now);
    if let Some(bus) = &bus {
        link = link.with_bus(bus.clone());
    }
    let mut node = Box::new(Node::new(link, now));
    node.retain(config.policies.clone());
    node.send_webhooks(terms);
    // Read only if a host is spoken to by TLS: a machine may have no file of authorities.
    let is_sealed = |host: &Host| is_sealed(&address.security, host.is_local());
    let config = || client_config(ENGINE, &address.security);
    let tls = address.hosts.iter().any(is_sealed).then(config).transpose()?;
    let desk = Desk::new(Arc::clone(&wake));
    let driver = Driver::new(address, tls, wake).map_err(EngineError::Io)?;
    let driver = driver.with_bus(bus.map(site).transpose()?);
    Ok(Shared::new(driver, node, desk))
}

/// The settings of webhooks as one text, by which nodes find that theirs differ.
fn settings_text(webhooks: &config::Webhooks) -> String {
    let config::Webhooks { hosts, authorities, timeout, give_up } = webhooks;
    format!(
        "hosts {hosts:?}, authorities {authorities:?}, timeout {timeout:?}, give_up {give_up:?}"
    )
}

fn site(bus: resp::Address) -> Result<BusSite, EngineError> {
    let is_sealed = matches!(bus.security, Security::Tls(_));
    let tls = is_sealed.then(|| client_config(BUS, &bus.security)).transpose()?;
    Ok(BusSite { host: bus.host, tls })
}

/// What this machine is called.
fn own_name() -> Box<str> {
    let text = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let name = text.trim();
    if name.is_empty() { "node".into() } else { name.into() }
}

fn client_config(
    setting: &'static str,
    security: &Security,
) -> Result<Arc<ClientConfig>, EngineError> {
    let path = match security {
        Security::Tls(Some(path)) => path,
        Security::Tls(None) | Security::AsNeeded | Security::Plain => Path::new(ROOTS),
    };
    let fault = |why: String| EngineError::Roots(setting, path.to_owned(), why);
    let pem = named_file::read(path, ROOTS_LEN_MAX).map_err(|error| fault(error.to_string()))?;
    tls::client_config(&pem).map_err(|error| fault(error.to_string()))
}
