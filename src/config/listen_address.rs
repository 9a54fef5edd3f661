//! Where a listener listens, and what its connections begin with.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Config;

/// An address to listen on, in the order of the bytes on the wire: `proxy:` before a PROXY header,
/// then `tls:` before TLS, then the address itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd)]
pub struct ListenAddress {
    /// Each connection begins with a PROXY header.
    pub has_proxy_header: bool,
    /// Then TLS follows.
    pub is_tls: bool,
    /// The address.
    pub place: Place,
}

/// What a listening socket is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd)]
pub enum Place {
    /// An IP address and a port; port 0 lets the system choose.
    Ip(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
    /// The next socket that systemd has opened, in the order of its unit and of these settings.
    Systemd,
}

impl Config {
    /// Where browsers find the page, if these settings say so: by TLS of this server's own, at the
    /// first of `http.hosts`. What a proxy in front is called is not known here.
    #[must_use]
    pub fn page_url(&self) -> Option<String> {
        let host = self.http.hosts.first()?;
        let own = self.listen.iter().filter(|address| address.is_tls && !address.has_proxy_header);
        own.filter_map(ListenAddress::ip).find_map(|addr| match addr.port() {
            0 => None,
            443 => Some(format!("https://{host}")),
            port => Some(format!("https://{host}:{port}")),
        })
    }
}

/// A text that is no [`ListenAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadListenAddress;

impl fmt::Display for BadListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address to listen on")
    }
}

impl std::error::Error for BadListenAddress {}

impl ListenAddress {
    /// The address and the port, if it is one of IP.
    #[must_use]
    pub const fn ip(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::Ip(addr) => Some(*addr),
            Place::Unix(_) | Place::Systemd => None,
        }
    }

    /// Whether others than this machine may be able to connect: who has opened systemd's sockets
    /// knows where they are.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        match &self.place {
            Place::Ip(addr) => !addr.ip().to_canonical().is_loopback(),
            Place::Unix(_) => false,
            Place::Systemd => true,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(addr: SocketAddr) -> Self {
        Self { has_proxy_header: false, is_tls: false, place: Place::Ip(addr) }
    }
}

impl FromStr for ListenAddress {
    type Err = BadListenAddress;

    fn from_str(text: &str) -> Result<Self, BadListenAddress> {
        let without = |text, prefix| match str::strip_prefix(text, prefix) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (has_proxy_header, text) = without(text, "proxy:");
        let (is_tls, text) = without(text, "tls:");
        Ok(Self { has_proxy_header, is_tls, place: text.parse()? })
    }
}

/// The longest path of a socket (unix(7)).
const UNIX_PATH_LEN_MAX: usize = 107;

impl FromStr for Place {
    type Err = BadListenAddress;

    fn from_str(text: &str) -> Result<Self, BadListenAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            let is_path = path.starts_with('/') && !path.contains('\0');
            let is_path = is_path && path.len() <= UNIX_PATH_LEN_MAX && !path.ends_with('/');
            return if is_path { Ok(Self::Unix(path.into())) } else { Err(BadListenAddress) };
        }
        if text == "systemd" {
            return Ok(Self::Systemd);
        }
        text.parse().map(Self::Ip).map_err(|_malformed| BadListenAddress)
    }
}

/// As it is written in the configuration.
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.has_proxy_header { "proxy:" } else { "" })?;
        f.write_str(if self.is_tls { "tls:" } else { "" })?;
        write!(f, "{}", self.place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(addr) => write!(f, "{addr}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd => f.write_str("systemd"),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "127.0.0.1:8080",
            "[::]:0",
            "tls:0.0.0.0:443",
            "proxy:127.0.0.1:9000",
            "proxy:tls:[::1]:9443",
            "unix:/run/chinwag/http.sock",
            "tls:unix:/run/chinwag/https.sock",
            "systemd",
            "tls:systemd",
        ] {
            let parsed: ListenAddress = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn the_page_is_where_the_first_host_has_tls_of_this_servers_own() {
        let one = &["chat.example.org"][..];
        let of_another = &["proxy:tls:0.0.0.0:443", "tls:systemd", "tls:127.0.0.1:0"][..];
        for (hosts, listen, expected) in [
            (one, &["127.0.0.1:80", "tls:0.0.0.0:443"][..], Some("https://chat.example.org")),
            (&["a.example", "b.example"], &["tls:[::]:8443"], Some("https://a.example:8443")),
            (&[], &["tls:0.0.0.0:443"], None),
            (one, &["0.0.0.0:80"], None),
            (one, of_another, None),
        ] {
            let mut config = Config::default();
            config.http.hosts = hosts.iter().map(|&host| host.to_owned()).collect();
            config.listen = listen.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(config.page_url().as_deref(), expected, "{hosts:?} {listen:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("unix:/{}", "x".repeat(UNIX_PATH_LEN_MAX));
        for text in [
            "",
            "tls:",
            "localhost:8080",
            "tls:proxy:127.0.0.1:1",
            "tls://127.0.0.1:1",
            "TLS:127.0.0.1:1",
            "unix:",
            "unix:relative.sock",
            "unix:/run/",
            "systemd:http",
            "systemdx",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(BadListenAddress), "{text}");
        }
    }

    #[test]
    fn only_what_is_on_this_machine_is_not_exposed() {
        for (text, expect) in [
            ("127.9.9.9:1", false),
            ("tls:[::ffff:127.0.0.1]:1", false),
            ("unix:/run/x", false),
            ("0.0.0.0:1", true),
            ("tls:192.0.2.1:1", true),
            ("systemd", true),
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().is_exposed(), expect, "{text}");
        }
    }
}
