//! Where an engine is, and who we are to it: an address as `psql` takes it.
//!
//! ```text
//! postgres://chat:secret@db1,db2:5433,[::1]/chat?sslrootcert=/etc/chinwag/db.pem
//! postgres://chat@/chat?host=/run/postgresql
//! ```
//!
//! | parameter | is |
//! |---|---|
//! | `host` | the directory of a Unix socket, or a host, as above |
//! | `port` | of hosts that have none |
//! | `sslmode` | `disable` or `verify-full`, which is the default but for loopback and Unix sockets |
//! | `sslrootcert` | a file of certificates that the engine's has to come from |

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::http::percent;

/// The port of an address that names none.
const PORT: u16 = 5432;

/// The hosts of one address: a cluster has as many, and seldom more than three.
const HOSTS_MAX: usize = 16;

/// The address of an engine. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Where it may be: one of them is the primary.
    pub hosts: Vec<Host>,
    /// The role that logs in.
    pub user: Box<str>,
    /// The password, if there is one.
    pub password: Option<Box<str>>,
    /// The name of the database, which an address must have.
    pub database: Box<str>,
    /// Whether connections are encrypted.
    pub security: Security,
}

/// One place of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name or an IP address, and a port.
    Tcp(Box<str>, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Whether connections to an engine are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plain,
    /// Not where nobody else can read along (loopback, Unix sockets), otherwise as `Tls(None)`.
    AsNeeded,
    /// By TLS, with a certificate of the host's name that comes from one of this file, or of this
    /// machine's authorities.
    Tls(Option<PathBuf>),
}

/// Why a text is no address of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressFault {
    /// It does not begin with `postgres://`.
    Scheme,
    /// It has a percent sign that encodes nothing, or bytes that are no text.
    Percent,
    /// It has no user.
    NoUser,
    /// It has no database.
    NoDatabase,
    /// It has no host, or more than there may be.
    Hosts(usize),
    /// That is no port.
    Port(Box<str>),
    /// There is no such parameter.
    Parameter(Box<str>),
    /// A parameter has a value that it does not take.
    Value(&'static str, Box<str>),
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("does not begin with postgres://"),
            Self::Percent => f.write_str("has a % that encodes nothing: write %25"),
            Self::NoUser => f.write_str("names no user: postgres://USER@HOST/DATABASE"),
            Self::NoDatabase => f.write_str("names no database: postgres://USER@HOST/DATABASE"),
            Self::Hosts(0) => f.write_str("names no host: postgres://USER@HOST/DATABASE"),
            Self::Hosts(count) => write!(f, "names {count} hosts: {HOSTS_MAX} are the most"),
            Self::Port(text) => write!(f, "has the port {text:?}: 1 to 65535 is right"),
            Self::Parameter(name) => write!(
                f,
                "has the parameter {name:?}: host, port, sslmode and sslrootcert are known"
            ),
            Self::Value("sslmode", value) => write!(
                f,
                "has sslmode={value}: disable and verify-full are taken, since what lies between \
                 does not keep anybody out"
            ),
            Self::Value(name, value) => write!(f, "has {name}={value}, which is not possible"),
        }
    }
}

impl std::error::Error for AddressFault {}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp(name, port) => write!(f, "{name}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Host {
    /// Nobody else can read along: it is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(name, _) => {
                &**name == "localhost"
                    || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
            }
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.user)?;
        for (index, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if index > 0 { "," } else { "" })?;
        }
        write!(f, "/{}", self.database)
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
        let rest = ["postgres://", "postgresql://"].iter().find_map(|it| text.strip_prefix(it));
        let rest = rest.ok_or(AddressFault::Scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (rest, database) = rest.split_once('/').unwrap_or((rest, ""));
        // From the right: a password that was written without percent signs may have an `@`.
        let (who, places) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, Some(decode(password)?)),
            None => (who, None),
        };
        let (user, database) = (decode(user)?, decode(database)?);
        if user.is_empty() {
            return Err(AddressFault::NoUser);
        }
        if database.is_empty() {
            return Err(AddressFault::NoDatabase);
        }
        let Parameters { hosts, port, mode, roots } = Parameters::parse(query)?;
        let places = if places.is_empty() { hosts.as_deref().unwrap_or_default() } else { places };
        let hosts = places
            .split(',')
            .filter(|place| !place.is_empty())
            .map(|place| host(place, port))
            .collect::<Result<Vec<_>, _>>()?;
        if hosts.is_empty() || hosts.len() > HOSTS_MAX {
            return Err(AddressFault::Hosts(hosts.len()));
        }
        let security = match (mode.as_deref(), roots) {
            (Some("disable"), _) => Security::Plain,
            (Some("verify-full"), roots) => Security::Tls(roots),
            (Some(other), _) => return Err(AddressFault::Value("sslmode", other.into())),
            (None, Some(roots)) => Security::Tls(Some(roots)),
            (None, None) => Security::AsNeeded,
        };
        Ok(Self { hosts, user, password, database, security })
    }
}

/// What stands after the question mark.
#[derive(Default)]
struct Parameters {
    hosts: Option<Box<str>>,
    port: Option<u16>,
    mode: Option<Box<str>>,
    roots: Option<PathBuf>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, AddressFault> {
        let mut found = Self::default();
        for field in query.split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let value = decode(value)?;
            match name {
                "host" => found.hosts = Some(value),
                "port" => found.port = Some(port(&value)?),
                "sslmode" => found.mode = Some(value),
                "sslrootcert" => found.roots = Some(PathBuf::from(&*value)),
                _ => return Err(AddressFault::Parameter(name.into())),
            }
        }
        Ok(found)
    }
}

fn decode(text: &str) -> Result<Box<str>, AddressFault> {
    let text = percent::decode(text).ok_or(AddressFault::Percent)?;
    // It could be told to no engine.
    if text.contains('\0') { Err(AddressFault::Percent) } else { Ok(text.into()) }
}

fn port(text: &str) -> Result<u16, AddressFault> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| AddressFault::Port(text.into()))
}

fn host(place: &str, default: Option<u16>) -> Result<Host, AddressFault> {
    let place = decode(place)?;
    let default = default.unwrap_or(PORT);
    if place.starts_with('/') {
        return Ok(Host::Unix(PathBuf::from(format!("{place}/.s.PGSQL.{default}"))));
    }
    let (name, rest) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest),
        None => place.find(':').map_or((&*place, ""), |at| place.split_at(at)),
    };
    if name.is_empty() {
        return Err(AddressFault::Hosts(0));
    }
    let port = match rest.strip_prefix(':') {
        Some(text) => port(text)?,
        None if rest.is_empty() => default,
        None => return Err(AddressFault::Port(rest.into())),
    };
    Ok(Host::Tcp(name.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(name: &str, port: u16) -> Host {
        Host::Tcp(name.into(), port)
    }

    #[test]
    fn an_address_says_where_the_engine_is_and_who_we_are() {
        for (text, hosts, password, security) in [
            ("postgres://chat@db/log", vec![tcp("db", 5432)], None, Security::AsNeeded),
            (
                "postgresql://chat:a%40b@db:1/log",
                vec![tcp("db", 1)],
                Some("a@b"),
                Security::AsNeeded,
            ),
            (
                "postgres://chat@a,b:2,[::1]:3,[fe80::1]/log?port=4",
                vec![tcp("a", 4), tcp("b", 2), tcp("::1", 3), tcp("fe80::1", 4)],
                None,
                Security::AsNeeded,
            ),
            (
                "postgres://chat@/log?host=%2Frun%2Fpg&port=7",
                vec![Host::Unix("/run/pg/.s.PGSQL.7".into())],
                None,
                Security::AsNeeded,
            ),
            (
                "postgres://chat@db/log?sslmode=disable",
                vec![tcp("db", 5432)],
                None,
                Security::Plain,
            ),
            (
                "postgres://chat@db/log?sslmode=verify-full",
                vec![tcp("db", 5432)],
                None,
                Security::Tls(None),
            ),
            (
                "postgres://chat@db/log?sslrootcert=/ca.pem",
                vec![tcp("db", 5432)],
                None,
                Security::Tls(Some("/ca.pem".into())),
            ),
        ] {
            let (user, database) = ("chat".into(), "log".into());
            let password = password.map(Into::into);
            let expect = Address { hosts, user, password, database, security };
            assert_eq!(text.parse(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be_right() {
        for (text, expect) in [
            ("mysql://chat@db/log", AddressFault::Scheme),
            ("postgres://db/log", AddressFault::NoUser),
            ("postgres://chat@db", AddressFault::NoDatabase),
            ("postgres://chat@db/", AddressFault::NoDatabase),
            ("postgres://chat@/log", AddressFault::Hosts(0)),
            ("postgres://chat@:5/log", AddressFault::Hosts(0)),
            ("postgres://chat@db:0/log", AddressFault::Port("0".into())),
            ("postgres://chat@db:x/log", AddressFault::Port("x".into())),
            ("postgres://chat@[::1]5/log", AddressFault::Port("5".into())),
            ("postgres://ch%at@db/log", AddressFault::Percent),
            ("postgres://ch%00at@db/log", AddressFault::Percent),
            (
                "postgres://chat@db/log?sslmode=require",
                AddressFault::Value("sslmode", "require".into()),
            ),
            ("postgres://chat@db/log?pool=3", AddressFault::Parameter("pool".into())),
        ] {
            assert_eq!(text.parse::<Address>(), Err(expect), "{text}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address = "postgres://chat:secret@db,[::1]/log".parse().unwrap();
        let shown = "postgres://chat@db:5432,[::1]:5432/log";
        assert_eq!((format!("{address}"), format!("{address:?}")), (shown.into(), shown.into()));
    }

    #[test]
    fn only_this_machine_is_local() {
        for (text, expect) in [
            ("localhost", true),
            ("127.0.0.9", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("10.0.0.1", false),
            ("localhost.example", false),
        ] {
            assert_eq!(host(text, None).unwrap().is_local(), expect, "{text}");
        }
    }
}
