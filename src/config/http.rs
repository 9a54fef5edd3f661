//! Who may connect by HTTP, and how large a request head may be.

use super::kind::{Count, Kind, ListOf, Size, Switch, quote};
use super::setting::{Given, Section};

/// Settings of the HTTP listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Host names, lower-case and without a port, that requests may name besides loopback and IP
    /// literals.
    pub hosts: Vec<String>,
    /// Origins, lower-case `scheme://host[:port]`, whose pages may connect besides the server's own.
    pub origins: Vec<String>,
    /// Whether an upgrade without an `Origin`, which no browser sends, is refused (403).
    pub require_origin: bool,
    /// Bytes of a request head (431 above).
    pub head_bytes: usize,
    /// Fields of a request head (431 above).
    pub fields: usize,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            require_origin: false,
            head_bytes: 8192,
            fields: 100,
        }
    }
}

impl Http {
    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        section.setting("hosts", &mut self.hosts, ListOf(HostName));
        section.setting("origins", &mut self.origins, ListOf(Origin));
        section.setting("require_origin", &mut self.require_origin, Switch);
        section.setting("head_bytes", &mut self.head_bytes, Size(1 << 10..=1 << 20));
        section.setting("fields", &mut self.fields, Count(16..=1_000));
    }
}

/// A host name without a port, made lower-case.
struct HostName;

impl Kind<String> for HostName {
    fn parse(&self, given: &Given) -> Result<String, String> {
        let name = given.text().filter(|text| is_host(text)).map(str::to_ascii_lowercase);
        name.ok_or_else(|| {
            "is not a host name without scheme and port, such as \"chat.example.org\"".to_owned()
        })
    }

    fn render(&self, value: &String) -> String {
        quote(value)
    }
}

/// An origin as browsers send it, made lower-case.
struct Origin;

impl Kind<String> for Origin {
    fn parse(&self, given: &Given) -> Result<String, String> {
        let origin = given.text().filter(|text| is_origin(text)).map(str::to_ascii_lowercase);
        origin.ok_or_else(|| {
            "is not an origin: http or https, a host and the port if it is not the scheme's own, \
             such as \"https://chat.example.org\""
                .to_owned()
        })
    }

    fn render(&self, value: &String) -> String {
        quote(value)
    }
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_origin(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let (rest, own_port) = match (lower.strip_prefix("http://"), lower.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (None, Some(rest)) => (rest, 443),
        (None, None) => return false,
    };
    // A literal in brackets holds colons of its own.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let is_port =
        |port: &str| port.parse::<u16>().is_ok_and(|n| n != own_port && n.to_string() == port);
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_good =
        literal.map_or_else(|| is_host(host), |host| host.parse::<std::net::Ipv6Addr>().is_ok());
    host_is_good && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &impl Kind<String>, given: &str, expect: Option<&str>) {
        let parsed = kind.parse(&Given::Text(given.to_owned()));
        assert_eq!(parsed.ok().as_deref(), expect, "{given:?}");
    }

    #[test]
    fn a_host_is_a_name_without_anything_around_it() {
        check(&HostName, "Chat.Example.org", Some("chat.example.org"));
        check(&HostName, "localhost", Some("localhost"));
        for bad in ["", ".", "a..b", "a.", "chat.example.org:80", "http://a", "a/b", "a b", "ä.org"]
        {
            check(&HostName, bad, None);
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_would_send() {
        check(&Origin, "https://Chat.example.org", Some("https://chat.example.org"));
        check(&Origin, "http://127.0.0.1:3000", Some("http://127.0.0.1:3000"));
        check(&Origin, "http://[::1]", Some("http://[::1]"));
        check(&Origin, "http://[::1]:3000", Some("http://[::1]:3000"));
        for bad in [
            "",
            "null",
            "*",
            "https://",
            "https://*",
            "chat.example.org",
            "ftp://a",
            "https://a/",
            "https://a:443",
            "http://a:80",
            "https://a:",
            "https://a:0443",
            "https://a:99999",
            "https://u@a",
            "https://[::1",
            "https://[g]",
        ] {
            check(&Origin, bad, None);
        }
    }
}
