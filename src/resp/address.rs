//! Where a bus is, and who we are to it: an address as other clients of Valkey and Redis take it.
//!
//! ```text
//! redis://chat:secret@bus1:6379
//! rediss://:secret@bus.internal?sslrootcert=/etc/chinwag/bus.pem      with TLS
//! unix:///run/valkey/valkey.sock
//! ```

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::http::percent;
use crate::pg::{Host, Security};

/// The port of an address that names none.
const PORT: u16 = 6379;

/// The address of a bus. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Where it is.
    pub host: Host,
    /// The user; `None`: the one that a server has by itself.
    pub user: Option<Box<str>>,
    /// The password, if there is one.
    pub password: Option<Box<str>>,
    /// Whether connections are encrypted.
    pub security: Security,
}

/// Why a text is no address of a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressFault {
    /// It does not begin with `redis://`, `rediss://` or `unix://`.
    Scheme,
    /// It has a percent sign that encodes nothing, or bytes that are no text.
    Percent,
    /// It names no host, or no path.
    NoHost,
    /// It names several hosts.
    Hosts,
    /// What stands where the port should, and is none.
    Port(Box<str>),
    /// What follows the host, and is no number of a database.
    Path(Box<str>),
    /// There is no such parameter.
    Parameter(Box<str>),
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("does not begin with redis://, rediss:// or unix://"),
            Self::Percent => f.write_str("has a % that encodes nothing: write %25"),
            Self::NoHost => f.write_str("names no host"),
            Self::Hosts => f.write_str(
                "names several hosts: one is enough, since the engine \
                                        carries what the bus does not",
            ),
            Self::Port(text) => write!(f, "has the port {text:?}: 1 to 65535 is right"),
            Self::Path(text) => write!(f, "has {text:?} after the host, which means nothing here"),
            Self::Parameter(name) => {
                write!(f, "has the parameter {name:?}: sslrootcert is known, with rediss://")
            }
        }
    }
}

impl std::error::Error for AddressFault {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let scheme = match (&self.host, &self.security) {
            (Host::Unix(_), _) => "unix",
            (Host::Tcp(..), Security::Tls(_)) => "rediss",
            (Host::Tcp(..), Security::Plain | Security::AsNeeded) => "redis",
        };
        write!(f, "{scheme}://{user}{}", self.host)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressFault::Scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, Some(decode(password)?)),
            None => (who, None),
        };
        let user = Some(decode(user)?).filter(|user| !user.is_empty());
        let roots = roots(query)?;
        let security = match (scheme, roots) {
            ("rediss", roots) => Security::Tls(roots),
            ("redis" | "unix", None) => Security::Plain,
            ("redis" | "unix", Some(_)) => {
                return Err(AddressFault::Parameter("sslrootcert".into()));
            }
            _ => return Err(AddressFault::Scheme),
        };
        let host = if scheme == "unix" { socket(place)? } else { host(place)? };
        Ok(Self { host, user, password, security })
    }
}

fn decode(text: &str) -> Result<Box<str>, AddressFault> {
    percent::decode(text).map(Into::into).ok_or(AddressFault::Percent)
}

/// The file of authorities after the question mark.
fn roots(query: &str) -> Result<Option<PathBuf>, AddressFault> {
    let mut roots = None;
    for field in query.split('&').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        if name != "sslrootcert" {
            return Err(AddressFault::Parameter(name.into()));
        }
        roots = Some(PathBuf::from(&*decode(value)?));
    }
    Ok(roots)
}

fn socket(place: &str) -> Result<Host, AddressFault> {
    let path = decode(place)?;
    if path.starts_with('/') && path.len() > 1 && !path.contains('\0') {
        Ok(Host::Unix(PathBuf::from(&*path)))
    } else {
        Err(AddressFault::NoHost)
    }
}

fn host(place: &str) -> Result<Host, AddressFault> {
    let (place, path) = place.split_once('/').unwrap_or((place, ""));
    // Publications know no databases: whichever is named, they are heard.
    if !path.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressFault::Path(format!("/{path}").into()));
    }
    if place.contains(',') {
        return Err(AddressFault::Hosts);
    }
    let place = decode(place)?;
    let (name, rest) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest),
        None => place.find(':').map_or((&*place, ""), |at| place.split_at(at)),
    };
    if name.is_empty() || name.contains('\0') {
        return Err(AddressFault::NoHost);
    }
    let port = match rest.strip_prefix(':') {
        Some(text) => text.parse().ok().filter(|port| *port > 0),
        None => rest.is_empty().then_some(PORT),
    };
    let port = port.ok_or_else(|| AddressFault::Port(rest.trim_start_matches(':').into()))?;
    Ok(Host::Tcp(name.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_the_bus_is_and_who_we_are() {
        let tcp = |name: &str, port| Host::Tcp(name.into(), port);
        for (text, host, user, password, security) in [
            ("redis://bus", tcp("bus", 6379), None, None, Security::Plain),
            ("redis://bus:7/0", tcp("bus", 7), None, None, Security::Plain),
            ("redis://:a%40b@[::1]:7/", tcp("::1", 7), None, Some("a@b"), Security::Plain),
            ("rediss://ann:x@bus", tcp("bus", 6379), Some("ann"), Some("x"), Security::Tls(None)),
            ("redis://ann@bus", tcp("bus", 6379), Some("ann"), None, Security::Plain),
            (
                "rediss://bus?sslrootcert=/a%20b.pem",
                tcp("bus", 6379),
                None,
                None,
                Security::Tls(Some("/a b.pem".into())),
            ),
            (
                "unix://:x@/run/bus.sock",
                Host::Unix("/run/bus.sock".into()),
                None,
                Some("x"),
                Security::Plain,
            ),
        ] {
            let (user, password) = (user.map(Into::into), password.map(Into::into));
            assert_eq!(text.parse(), Ok(Address { host, user, password, security }), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be_right() {
        for (text, expect) in [
            ("bus:6379", AddressFault::Scheme),
            ("valkey://bus", AddressFault::Scheme),
            ("postgres://chat@db/chat", AddressFault::Scheme),
            ("redis://", AddressFault::NoHost),
            ("redis://:x@/0", AddressFault::NoHost),
            ("unix://run/bus.sock", AddressFault::NoHost),
            ("unix:///", AddressFault::NoHost),
            ("redis://a,b", AddressFault::Hosts),
            ("redis://bus:0", AddressFault::Port("0".into())),
            ("redis://bus:x", AddressFault::Port("x".into())),
            ("redis://[::1]7", AddressFault::Port("7".into())),
            ("redis://bus/chat", AddressFault::Path("/chat".into())),
            ("redis://:%zz@bus", AddressFault::Percent),
            ("rediss://bus?ssl=1", AddressFault::Parameter("ssl".into())),
            ("redis://bus?sslrootcert=/a.pem", AddressFault::Parameter("sslrootcert".into())),
        ] {
            assert_eq!(text.parse::<Address>(), Err(expect), "{text}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (text, expect) in [
            ("redis://ann:secret@bus/0", "redis://ann@bus:6379"),
            ("rediss://:secret@[::1]:7", "rediss://[::1]:7"),
            ("unix://:secret@/run/bus.sock", "unix:///run/bus.sock"),
        ] {
            let address: Address = text.parse().unwrap();
            let shown = (format!("{address}"), format!("{address:?}"));
            assert_eq!(shown, (expect.into(), expect.into()));
        }
    }
}
